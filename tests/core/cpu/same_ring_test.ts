import { assertEquals, assertNotEquals } from "@std/assert";
import { updateMode } from "../../../core/cpu/segment.ts";
import { AT } from "../../../core/cpu/state.ts";
import { CpuBench } from "../../helpers/cpu.ts";
import { SELECTOR, TABLE, Tables } from "../../helpers/tables.ts";

const IMAGES = 0x5000;
const BITS = [0, 2, 4, 6, 7, 9, 10, 11, 12, 18, 21];

/** Images of EFLAGS: every pair of flags that IRET loads, but for TF, NT, RF and VM. */
const images = BITS.flatMap((a) => BITS.map((b) => 1 << a | 1 << b));

/**
 * again: INT 30; PUSHF; POP [EBX*4 + 6000]; CMP EBX, number of images; JB again; HLT. The handlers
 * leave the flags they find at 6800 and replace the image by the next one.
 */
function run(kind: "interrupt" | "trap", watched: boolean): CpuBench {
  const tables = new Tables(new CpuBench());
  const { bench } = tables;
  const { state } = bench.cpu;
  tables.load(0, 0x4000, "cd30 9c 8f049d00600000 83fb79 72f1 f4");
  // pushf; pop [ebx*4 + 6800]; mov eax, [ebx*4 + 5000]; mov [esp + 8], eax; inc ebx; iret
  const handler = "9c 8f049d00680000 8b049d00500000 89442408 43 cf";
  bench.ram.set(bytes(handler), 0x4800);
  bench.ram.set(bytes("ff0500700000 cf"), 0x4900); // inc dword [7000]; iret
  tables.gate(0x30, kind, SELECTOR.CODE0, 0x4800);
  tables.gate(0x31, kind, SELECTOR.CODE0, 0x4900);
  images.forEach((image, n) => bench.view.setUint32(IMAGES + n * 4, image, true));
  bench.host.vectors.push(0x31, 0x31);
  if (watched) {
    // A breakpoint at an address that nothing touches: no access goes by the TLB's fast path.
    state.set(AT.DR, 0x1f000);
    state.set(AT.DR + 28, 0x2_0002);
    updateMode(bench.cpu);
  }
  bench.run(3000);
  return bench;
}

const bytes = (hex: string): number[] => hex.match(/[0-9a-f]{2}/g)!.map((two) => parseInt(two, 16));

for (const kind of ["interrupt", "trap"] as const) {
  Deno.test(`SAME_RING does what TypeScript does, through the gate of a ${kind}`, () => {
    const [usual, watched] = [run(kind, false), run(kind, true)];
    assertEquals(usual.snapshot(), watched.snapshot());
    assertEquals([usual.cpu.halted, usual.view.getUint32(0x7000, true)], [true, 2]);
    assertNotEquals(usual.ram.subarray(0x6000, 0x6800), usual.ram.subarray(0x6800, 0x7000));
  });
}

Deno.test("SAME_RING refuses when the code segment's descriptor has changed since", () => {
  const tables = new Tables(new CpuBench());
  const { bench } = tables;
  // int 30; int 30; not present any more: and byte [descriptor + 5], 7f; int 30
  tables.load(0, 0x4000, "cd30 cd30 80250d1000007f cd30");
  bench.ram[0x4800] = 0xcf;
  tables.gate(0x30, "interrupt", SELECTOR.CODE0, 0x4800);
  assertEquals(tables.access(SELECTOR.CODE0), 0x9b);
  const raised: number[] = [];
  bench.cpu.onException = (vector) => raised.push(vector);
  bench.run(6);
  assertEquals([raised[0], bench.ram[TABLE.GDT + SELECTOR.CODE0 + 5]], [11, 0x1b]);
});

Deno.test("SAME_RING refuses a gate that the program may not use", () => {
  const tables = new Tables(new CpuBench());
  const { bench } = tables;
  tables.load(3, 0x4000, "cd30 c605852100008e cd30"); // int 30; mov byte [gate + 5], 8e; int 30
  bench.ram[0x4800] = 0xcf;
  tables.gate(0x30, "interrupt", SELECTOR.CODE3, 0x4800);
  const raised: [number, number][] = [];
  bench.cpu.onException = (vector, code) => raised.push([vector, code]);
  bench.run(6);
  assertEquals(raised[0], [13, 0x30 * 8 + 2]);
});
