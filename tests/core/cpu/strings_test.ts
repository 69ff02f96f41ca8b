import { assertEquals } from "@std/assert";
import { CpuBench } from "../../helpers/cpu.ts";

const ESI = 6, EDI = 7, ECX = 1;
/** Of an item, and with it: std; rep movs; hlt. */
const MOVES = [[1, "fd f3a4 f4"], [2, "fd 66f3a5 f4"], [4, "fd f3a5 f4"]] as const;
/** Where the first item goes, beside where it comes from. */
const DISTANCES = [-5000, -4096, -33, -4, -3, -1, 0, 1, 3, 4, 33, 4096, 5000];
const COUNT = 3000;
const SOURCE = 0x9003;

/** One item after the other, from high addresses to low ones. */
function moveDown(bytes: Uint8Array, from: number, to: number, size: number): void {
  for (let item = 0; item < COUNT; item++) {
    bytes.copyWithin(to - item * size, from - item * size, from - item * size + size);
  }
}

for (const [size, code] of MOVES) {
  Deno.test(`REP MOVS of ${size} bytes moves down as its items would, whatever they overlap`, () => {
    for (const distance of DISTANCES) {
      const bench = new CpuBench();
      bench.load("protected32", 0x100, code);
      for (let at = 0x1000; at < bench.ram.length; at++) bench.ram[at] = at * 7 + (at >> 8) * 13;
      const { regs } = bench.cpu.state;
      const source = SOURCE + COUNT * size;
      regs.set([source, source + distance], ESI);
      regs[ECX] = COUNT;
      const wanted = bench.ram.slice();
      moveDown(wanted, source, source + distance, size);
      assertEquals(bench.run(COUNT + 2), COUNT + 2);
      assertEquals(bench.ram.findIndex((byte, at) => byte !== wanted[at]), -1, `by ${distance}`);
      const moved = source - COUNT * size;
      assertEquals([regs[ECX], regs[ESI], regs[EDI]], [0, moved, moved + distance]);
    }
  });
}

Deno.test("REP MOVS downwards wraps in a segment of 64 KiB", () => {
  const bench = new CpuBench();
  bench.load("real16", 0x7c00, "fd f3a4 f4");
  bench.ram.set([1, 2, 3], 0);
  bench.ram.set([9, 8], 0xfffe);
  bench.cpu.state.regs.set([2, 0x5002], ESI);
  bench.cpu.state.regs[ECX] = 5;
  bench.run(10);
  assertEquals([...bench.ram.subarray(0x4ffe, 0x5003)], [9, 8, 1, 2, 3]);
});

/** cld; rep scasb; hlt, with the prefix. */
const SCAN = { equal: "fc f3ae f4", unequal: "fc f2ae f4" } as const;

for (const [kind, at] of [["equal", 5000], ["unequal", 5000], ["unequal", 0]] as const) {
  Deno.test(`REP SCASB stops behind the first byte that ends it, while ${kind}, at ${at}`, () => {
    const bench = new CpuBench();
    bench.load("protected32", 0x100, SCAN[kind]);
    const { state } = bench.cpu;
    const [run, end] = kind === "equal" ? [7, 9] : [9, 7];
    bench.ram.fill(run, SOURCE, SOURCE + 9000);
    bench.ram[SOURCE + at] = end;
    state.regs[0] = 0x12345607;
    state.regs[EDI] = SOURCE;
    state.regs[ECX] = 8000;
    assertEquals(bench.run(20000), at + 3);
    assertEquals([state.regs[EDI], state.regs[ECX]], [SOURCE + at + 1, 8000 - at - 1]);
    // 7 - 9: carry, sign, auxiliary; 7 - 7: zero, parity
    assertEquals(state.eflags & 0xd5, kind === "equal" ? 0x91 : 0x44);
  });
}
