import { assertEquals } from "@std/assert";
import type { GuestImage } from "../../../core/load/image.ts";
import { COSTS } from "../../helpers/host.ts";
import { boot, dword, exitWith, store } from "../../helpers/small_machine.ts";

const CODE = 0x100000;
const GDT = 0x101000;
const IDT = 0x102000;
const IDT_VECTORS = 0x60;
const IDT_POINTER = 0x103000;
const HANDLERS = 0x104000;

const LAPIC = 0xfee00000;
const LAPIC_EOI = LAPIC + 0xb0;
const IOAPIC = 0xfec00000;
const TIMER_VECTOR = 0x40;
const PIT_VECTOR = 0x50;

/** mov al, value; out port, al */
const out = (port: number, value: number) => [0xb0, value, 0xe6, port];
const STI = 0xfb, HLT = 0xf4, IRET = 0xcf;
const INC_EBX = 0x43, INC_ECX = 0x41;
const LIDT = [0x0f, 0x01, 0x1d, ...dword(IDT_POINTER)];

/** One handler each 64 bytes: counts, and ends the interrupt. */
function handlers(...codes: readonly number[][]): Uint8Array {
  const bytes = new Uint8Array(64 * codes.length);
  codes.forEach((code, n) => bytes.set([...code, ...store(LAPIC_EOI, 0), IRET], 64 * n));
  return bytes;
}

/** An IDT whose vectors lead to the handlers in their order. */
function idt(...vectors: number[]): Uint8Array {
  const bytes = new Uint8Array(8 * IDT_VECTORS);
  const view = new DataView(bytes.buffer);
  vectors.forEach((vector, n) => {
    view.setUint32(8 * vector, 0x00080000 | (HANDLERS + 64 * n) & 0xffff, true);
    view.setUint32(8 * vector + 4, (HANDLERS & 0xffff0000) | 0x8e00, true);
  });
  return bytes;
}

/** Code that counts the local APIC's timer in EBX and the 8254 in ECX, flat, with 1 MiB below it. */
function guest(...code: readonly number[]): GuestImage {
  const flat = [
    ...dword(0x0000ffff),
    ...dword(0x00cf9b00),
    ...dword(0x0000ffff),
    ...dword(0xcf9300),
  ];
  const pointer = [...dword(8 * IDT_VECTORS - 1).slice(0, 2), ...dword(IDT)];
  const segment = (gpa: number, bytes: ArrayLike<number>) => {
    return { gpa, bytes: Uint8Array.from(bytes), zero: 0 };
  };
  return {
    format: "flat",
    mode: "protected32",
    eip: CODE,
    regs: [0, 0, 0, 0, 0x90000, 0, 0, 0],
    gdt: { base: GDT, limit: 0x17, code: 0x08, data: 0x10 },
    segments: [
      segment(CODE, [...LIDT, ...code]),
      segment(GDT, [...dword(0), ...dword(0), ...flat]),
      segment(IDT, idt(TIMER_VECTOR, PIT_VECTOR)),
      segment(IDT_POINTER, pointer),
      segment(HANDLERS, handlers([INC_EBX], [INC_ECX])),
    ],
  };
}

/** 1 ms, again and again. */
const START_TIMER = [
  ...store(LAPIC + 0xf0, 0x1ff),
  ...store(LAPIC + 0x320, 0x20000 | TIMER_VECTOR),
  ...store(LAPIC + 0x3e0, 0x0b),
  ...store(LAPIC + 0x380, 100_000),
];
/** 858 us, again and again, at pin 2. */
const START_PIT = [
  ...out(0x21, 0xff),
  ...out(0xa1, 0xff),
  ...store(IOAPIC, 0x14),
  ...store(IOAPIC + 0x10, PIT_VECTOR),
  ...out(0x43, 0x34),
  ...out(0x40, 0x00),
  ...out(0x40, 0x04),
];
/** again: hlt; cmp ebx, 3; jb again; shl ebx, 4; lea eax, [ebx + ecx]; out 0f4h, al */
const COUNT_THREE = [HLT, 0x83, 0xfb, 3, 0x72, 0xfa, 0xc1, 0xe3, 4, 0x8d, 0x04, 0x0b, 0xe6, 0xf4];

Deno.test("Machine `pc` interrupts by local APIC timer and by I/O APIC, at equal prices", async () => {
  const code = [...START_TIMER, ...START_PIT, STI, ...COUNT_THREE];
  const { code: ended, counters } = await boot(guest(...code), { machine: "pc" }).run();
  assertEquals(ended, (0x33 << 1 | 1) & 0xff);
  const { interrupts, exits, books, elapsedNs } = counters;
  assertEquals([interrupts, books.injection], [6, 6 * COSTS.injection]);
  // Six stores of the program, and an end of each interrupt.
  assertEquals(exits.byReason["EPT_VIOLATION"], 6 + 6);
  assertEquals(elapsedNs, Object.values(books).reduce((sum, ns) => sum + ns, 0));
});

Deno.test("Machine `pc` has IA32_APIC_BASE and the APIC in CPUID until the guest switches it off", async () => {
  // mov ecx, 1bh; rdmsr; and eax, ~800h; wrmsr; mov eax, 1; cpuid; shr edx, 9; and edx, 1
  const off = "b91b000000 0f32 25fff7ffff 0f30 b801000000 0fa2 c1ea09 83e201".replaceAll(" ", "");
  const code = Uint8Array.from(off.match(/../g)!, (byte) => parseInt(byte, 16));
  for (const [skip, shown] of [[0, 0], [14, 1]] as const) {
    const program = [...code.subarray(skip), 0x88, 0xd0, 0xe6, 0xf4]; // mov al, dl; out 0f4h, al
    const { code: ended } = await boot(guest(...program), { machine: "pc" }).run();
    assertEquals(ended, shown << 1 | 1);
  }
});

Deno.test("Machine has a local APIC whether or not it shows Xen, as each HVM domain has", async () => {
  // mov eax, [fee00030]; out 0f4h, al
  const code = [0xa1, ...dword(LAPIC + 0x30), 0xe6, 0xf4];
  for (const machine of ["xenfv", "pc"] as const) {
    assertEquals((await boot(guest(...code), { machine }).run()).code, 0x14 << 1 | 1);
  }
});

Deno.test("Machine `pc` takes an NMI that the guest sends itself, with interrupts off", async () => {
  const nmi = guest(...store(LAPIC + 0xf0, 0x1ff), ...store(LAPIC + 0x300, 0x400), ...exitWith(1));
  const bytes = idt(TIMER_VECTOR, 2);
  const segments = nmi.segments.map((segment) =>
    segment.gpa === IDT
      ? { ...segment, bytes }
      : segment.gpa === HANDLERS
      ? { ...segment, bytes: handlers([INC_EBX], exitWith(7)) }
      : segment
  );
  const { code, counters } = await boot({ ...nmi, segments }, { machine: "pc" }).run();
  assertEquals([code, counters.interrupts], [7 << 1 | 1, 1]);
});
