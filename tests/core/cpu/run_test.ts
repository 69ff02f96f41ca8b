import { assertEquals } from "@std/assert";
import { setSegment } from "../../../core/cpu/segment.ts";
import { AT, CS, FLAG, RAM_BASE } from "../../../core/cpu/state.ts";
import { CpuBench, firstException } from "../../helpers/cpu.ts";
import { plainFrames } from "../../helpers/frames.ts";

/** Loops, calls, carries, REP, exits; one jump crosses a page. */
const PROGRAM_AT = 0xfe0;
const PROGRAM = `
  bc 00800000      mov esp, 0x8000
  b9 05000000      mov ecx, 5
  31c0             xor eax, eax
  01c8             again: add eax, ecx
  50               push eax
  e8 39000000      call sub
  5b               pop ebx
  11da             adc edx, ebx
  89148d 30300000  mov [0x3030 + ecx*4], edx
  49               dec ecx
  75eb             jnz again               bytes fff and 1000
  be 30300000      mov esi, 0x3030
  bf fa4f0000      mov edi, 0x4ffa
  b9 07000000      mov ecx, 7
  fc               cld
  f3a5             rep movsd
  e6e9             out 0xe9, al
  bf 10500000      mov edi, 0x5010
  b9 09000000      mov ecx, 9
  b0ee             mov al, 0xee
  f2ae             repne scasb
  b9 03000000      mov ecx, 3
  e2fe             loop $
  0fa2             cpuid
  f4               hlt
  83742404 55      sub: xor dword [esp + 4], 0x55
  c3               ret`;

/** The hexadecimal columns of a listing. */
function code(listing: string): string {
  return listing.trim().split("\n").map((line) => line.trim().split(/\s{2,}/)[0]!).join(" ");
}

function program(): CpuBench {
  const bench = new CpuBench();
  bench.load("protected32", PROGRAM_AT, code(PROGRAM));
  return bench;
}

Deno.test("Cpu.run() stops after exactly N instructions for every N", () => {
  const stepped = program();
  const whole = program();
  let total = 0;
  while (!stepped.cpu.halted) {
    total += stepped.run(1);
    whole.load("protected32", PROGRAM_AT, code(PROGRAM));
    assertEquals(whole.run(total), total);
    assertEquals(whole.snapshot(), stepped.snapshot(), `after ${total}`);
  }
  // 3 + 5 × 10 + 4 + 7 (REP) + 1 + 3 + 9 (REPNE) + 1 + 3 + 2
  assertEquals(total, 83);
  assertEquals(whole.run(100), 0);
});

/** One block, in a 16-bit world whose frame 5 is no memory. */
const BLOCK = `
  0f31             rdtsc
  89c3             mov bx, ax
  0f31             rdtsc
  29d8             sub ax, bx
  8b1e 0050        mov bx, [0x5000]
  c706 1310 3412   mov [si_is + 1], 0x1234
  be 0000          si_is: mov si, 0
  890e 0250        mov [0x5002], cx
  f6f1             div cl                  its handler sets CL
  01f3             add bx, si
  89c7             mov di, ax
  f4               hlt`;
/** mov cl, 1; iret */
const HANDLER = [0xb1, 1, 0xcf];

/** What is there, and what the host has seen, when the block has run in two slices. */
function runBlock(heat: number, first: number): string[] {
  const bench = new CpuBench(0x20000, [5], { heat });
  const { host, view, ram } = bench;
  let budget = 0, before = 0;
  host.timestamp = (retired) => before + budget - host.left + retired;
  host.answers.push(0x5678);
  bench.load("real16", 0x1000, code(BLOCK));
  view.setUint32(0, 0x2000, true);
  ram.set(HANDLER, 0x2000);
  for (const length of [first, 30]) {
    budget = length;
    before += bench.run(length);
  }
  return [
    bench.snapshot(),
    `${before} retired`,
    ...host.exits.map(({ rip, at: _, ...rest }) => `${rip} ${rest.write} ${rest.value}`),
  ];
}

for (const heat of [0, 1]) {
  Deno.test(`Cpu.run() is exact when a slice ends inside a block, with a heat of ${heat}`, () => {
    const whole = runBlock(heat, 30);
    for (let first = 1; first < 16; first++) {
      assertEquals(runBlock(heat, first), whole, `after ${first}`);
    }
  });
}

Deno.test("Cpu.run() leaves a REP loop when the budget ends and goes on later", () => {
  const bench = new CpuBench();
  bench.load("protected32", 0x1000, "f3aa f4"); // rep stosb; hlt
  const { regs } = bench.cpu.state;
  regs[0] = 0x5a;
  regs[1] = 100;
  regs[7] = 0x2fc0;
  assertEquals(bench.run(70), 70);
  assertEquals([regs[1], regs[7], bench.cpu.state.eip], [30, 0x2fc0 + 70, 0x1000]);
  assertEquals(bench.run(40), 31);
  assertEquals(bench.ram.lastIndexOf(0x5a) - bench.ram.indexOf(0x5a), 99);
});

Deno.test("Cpu.run() goes on with new bytes when an instruction patches its own page", () => {
  const bench = new CpuBench();
  // mov ecx, 50; l: mov [p + 1], ecx; jmp p; p: add eax, 0; dec ecx; jnz l; hlt
  bench.load("protected32", 0x1000, "b932000000 890d0e100000 eb00 0500000000 49 75f0 f4");
  assertEquals(bench.run(1000), 1 + 50 * 5 + 1);
  assertEquals(bench.cpu.state.regs[0], 50 * 51 / 2);
});

Deno.test("Cpu.run() goes on with new bytes when an instruction patches another page", () => {
  const bench = new CpuBench();
  // mov ecx, 50; l: mov [2001], ecx; call 2000; dec ecx; jnz l; hlt
  bench.load("protected32", 0x1000, "b932000000 890d01200000 e8f00f0000 49 75f2 f4");
  bench.ram.set([0x05, 0, 0, 0, 0, 0xc3], 0x2000); // add eax, 0; ret
  assertEquals(bench.run(1000), 1 + 50 * 6 + 1);
  assertEquals(bench.cpu.state.regs[0], 50 * 51 / 2);
});

Deno.test("Cpu.run() calls what is mapped at an address, whatever was there at the last call", () => {
  const bench = new CpuBench();
  bench.load("protected32", 0x1000, "e8fb1f0000 01c3 ebf7"); // l: call 3000; add ebx, eax; jmp l
  bench.ram.set([0xb8, 1, 0, 0, 0, 0xc3], 0x3000); // mov eax, 1; ret
  bench.ram.set([0xb8, 16, 0, 0, 0, 0xc3], 0x4000); // mov eax, 16; ret
  for (const frame of [3, 4, 3, 4]) {
    const mapped = (gfn: number) => RAM_BASE + (gfn === 3 ? frame : gfn) * 4096;
    bench.cpu.connect(bench.host, plainFrames(mapped));
    assertEquals(bench.run(10 * 5), 50);
  }
  assertEquals(bench.cpu.state.regs[3], 2 * 10 + 2 * 160);
});

Deno.test("Cpu.invalidateCode() makes the CPU see code that a device has written", () => {
  const bench = new CpuBench();
  bench.load("protected32", 0x1000, "40 ebfd"); // l: inc eax; jmp l
  bench.run(10);
  bench.ram[0x1000] = 0x48; // dec eax
  bench.cpu.invalidateCode(bench.cpu.ram.base + 0x1000, 1);
  bench.run(10);
  assertEquals(bench.cpu.state.regs[0], 0);
});

Deno.test("Cpu.run() holds an interrupt back for one instruction after STI", () => {
  const bench = new CpuBench();
  bench.load("real16", 0x1000, "fb 40 40 40 f4"); // sti; inc ax × 3; hlt
  bench.view.setUint32(0x20 * 4, 0x2000, true);
  bench.ram.set([0x89, 0xc3, 0xcf], 0x2000); // mov bx, ax; iret
  bench.host.vectors.push(0x20);
  bench.run(100);
  const { regs } = bench.cpu.state;
  assertEquals([regs[0], regs[3]], [3, 1]);
});

Deno.test("Cpu.run() holds an interrupt back after STI that comes between two slices", () => {
  const bench = new CpuBench();
  bench.load("real16", 0x1000, "fa fb 40 40 40 f4"); // cli; sti; inc ax × 3; hlt
  bench.view.setUint32(0x20 * 4, 0x2000, true);
  bench.ram.set([0x89, 0xc3, 0xcf], 0x2000); // mov bx, ax; iret
  bench.run(2);
  bench.host.vectors.push(0x20);
  bench.run(100);
  const { regs } = bench.cpu.state;
  assertEquals([regs[0], regs[3]], [3, 1]);
});

Deno.test("Cpu.run() holds an interrupt back for one instruction after MOV SS", () => {
  const bench = new CpuBench();
  // sti; nop; mov ss, dx; mov sp, 0x9000; hlt
  bench.load("real16", 0x1000, "fb 90 8ed2 bc0090 f4");
  bench.view.setUint32(0x20 * 4, 0x2000, true);
  bench.ram.set([0x89, 0xe3, 0xcf], 0x2000); // mov bx, sp; iret
  bench.run(2);
  bench.host.vectors.push(0x20);
  bench.cpu.state.setFlag(FLAG.IF, false);
  bench.run(1);
  bench.cpu.state.setFlag(FLAG.IF, true);
  bench.run(100);
  assertEquals(bench.cpu.state.regs[3], 0x9000 - 6);
});

Deno.test("Cpu.run() wakes from HLT and comes back behind it", () => {
  const bench = new CpuBench();
  bench.load("real16", 0x1000, "fb f4 40 fa f4"); // sti; hlt; inc ax; cli; hlt
  bench.view.setUint32(0x20 * 4, 0x2000, true);
  bench.ram.set([0x43, 0xcf], 0x2000); // inc bx; iret
  bench.run(100);
  assertEquals([bench.cpu.halted, bench.cpu.state.eip], [true, 0x1002]);
  bench.host.vectors.push(0x20);
  bench.run(100);
  const { regs, eip } = bench.cpu.state;
  assertEquals([regs[0], regs[3], eip, bench.cpu.canTakeInterrupt], [1, 1, 0x1005, false]);
});

Deno.test("Cpu.run() shuts down when a fault has no handler at all", () => {
  const bench = new CpuBench();
  bench.load("protected32", 0x1000, "0f0b"); // ud2, IDT limit 0
  bench.run(100);
  assertEquals([bench.cpu.shutdown, bench.cpu.lastException], [true, 8]);
});

Deno.test("Cpu.run() comes back when a handler faults for ever", () => {
  const bench = new CpuBench();
  bench.load("real16", 0x1000, "0f0b"); // ud2; vector 6 points at it
  bench.view.setUint32(6 * 4, 0x1000, true);
  assertEquals(bench.run(1000), 1000);
});

Deno.test("Cpu.state.eflags keeps every combination of the arithmetic flags", () => {
  const { state } = new CpuBench().cpu;
  const bits = [FLAG.CF, FLAG.PF, FLAG.AF, FLAG.ZF, FLAG.SF, FLAG.OF];
  for (let n = 0; n < 64; n++) {
    const flags = bits.reduce((sum, bit, i) => n >> i & 1 ? sum | bit : sum, 2);
    state.eflags = flags;
    assertEquals(state.eflags, flags);
  }
  assertEquals(state.get(AT.ZERO), 0);
});

Deno.test("Cpu.run() links no jump to the handler that an interrupt puts in its way", () => {
  const bench = new CpuBench();
  // sti; l: inc ax; jmp m; m: dec cx; jnz l; cli; hlt
  bench.load("real16", 0x1000, "fb 40 eb00 49 75fa fa f4");
  bench.view.setUint32(0x20 * 4, 0x2000, true);
  bench.ram.set([0x43, 0xcf], 0x2000); // inc bx; iret
  bench.cpu.state.regs[1] = 10;
  bench.run(3); // up to the jump that has no link yet
  bench.host.vectors.push(0x20);
  bench.run(1000);
  const { regs } = bench.cpu.state;
  assertEquals([regs[0], regs[3], bench.cpu.halted], [10, 1, true]);
});

Deno.test("Cpu.run() changes its own page once when a read-modify-write reaches into it", () => {
  const bench = new CpuBench();
  // At 2000: jmp 2010; ...; 2010: add dword [1ffe], 01010101; hlt
  bench.load("protected32", 0x2000, "eb0e");
  bench.ram.set([0x81, 0x05, 0xfe, 0x1f, 0, 0, 1, 1, 1, 1, 0xf4], 0x2010);
  bench.run(100);
  assertEquals([...bench.ram.subarray(0x1ffe, 0x2002)], [1, 1, 0xec, 0x0f]);
});

Deno.test("Cpu.run() leaves the fault of a fetch beyond the limit to the slice that makes it", () => {
  const bench = new CpuBench();
  bench.load("real16", 0xfffe, "90 90");
  assertEquals([bench.run(2), bench.cpu.state.eip, bench.cpu.lastException], [2, 0x10000, -1]);
  assertEquals([bench.run(1), bench.cpu.lastException], [1, 13]);
});

Deno.test("Cpu.codeSegmentId() tells limits apart that differ by one, whatever the base", () => {
  const bench = new CpuBench();
  bench.load("protected32", 0x1000, "40404040404040f4"); // inc eax, seven times; hlt
  const { state } = bench.cpu;
  const seen = [100, 1].map((more) => {
    const limit = 0x2000 + more;
    setSegment(bench.cpu, CS, { selector: 8, base: 0xfffff000 | 0, limit, attr: 0x409b, at: 0 });
    state.eip = 0x2000;
    return [firstException(bench, 7)?.vector, state.eip];
  });
  assertEquals(seen, [[undefined, 0x2007], [13, 0x2002]]);
});

Deno.test("Cpu.codeSegmentId() keeps code apart after more segments than there are ids", () => {
  const bench = new CpuBench();
  bench.load("protected32", 0x1000, "4040f4"); // inc eax; inc eax; hlt
  const { state } = bench.cpu;
  for (let limit = 0x2000; limit < 0x13000; limit++) {
    setSegment(bench.cpu, CS, { selector: 8, base: 0, limit, attr: 0x409b, at: 0 });
  }
  const seen = [0x1000, 0x1001].map((eip) => {
    state.regs[0] = 0;
    state.eip = eip;
    return [bench.run(1), state.regs[0], state.eip];
  });
  assertEquals(seen, [[1, 1, 0x1001], [1, 1, 0x1002]]);
});
