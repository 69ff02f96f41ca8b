import { assertEquals } from "@std/assert";
import { CR0, FLAG } from "../../../core/cpu/state.ts";
import { CpuBench, firstException } from "../../helpers/cpu.ts";

/** EAX ECX EDX EBX. */
const REGS = [0x11111111, 0x44444444, 0x33333333, 0x22222222] as const;
const [EAX, ECX, EDX, EBX] = REGS;
const FLAGS = FLAG.CF | FLAG.PF | FLAG.AF | FLAG.SF | FLAG.OF | FLAG.ZF;

const PLACES = [
  ["on a page of data", 0x5000],
  ["on two pages", 0x4ffc],
  ["with a half on two pages", 0x4ffe],
  ["beside the running code", 0x1800],
] as const;

/** A CPU in front of CMPXCHG8B [at], which finds two words. */
function benchOf(at: number, heat: number, low: number, high: number): CpuBench {
  const bench = new CpuBench(0x20000, [], { heat });
  bench.load("protected32", 0x1000, "0fc70d00000000 f4");
  bench.view.setUint32(0x1003, at, true);
  bench.view.setUint32(at, low, true);
  bench.view.setUint32(at + 4, high, true);
  bench.cpu.state.regs.set(REGS);
  return bench;
}

/** Runs CMPXCHG8B and HLT in both tiers. @returns the two words, registers and flags */
function exchange(at: number, flags: number, low: number, high: number): number[] {
  const [first, second] = [0, 1].map((heat) => {
    const bench = benchOf(at, heat, low, high);
    const { state } = bench.cpu;
    state.eflags = flags;
    assertEquals(bench.run(10), 2);
    const words = [bench.view.getUint32(at, true), bench.view.getUint32(at + 4, true)];
    return [...words, ...state.regs.subarray(0, 4), state.eflags & FLAGS];
  });
  assertEquals(second, first);
  return first!;
}

for (const [where, at] of PLACES) {
  Deno.test(`CMPXCHG8B stores ECX:EBX where it finds EDX:EAX, ${where}`, () => {
    for (const flags of [0, FLAGS]) {
      assertEquals(exchange(at, flags, EAX, EDX), [EBX, ECX, ...REGS, flags | FLAG.ZF]);
    }
  });

  Deno.test(`CMPXCHG8B loads what else it finds, ${where}`, () => {
    for (const flags of [0, FLAGS]) {
      const loaded = [EAX, 5, EAX, ECX, 5, EBX, flags & ~FLAG.ZF];
      assertEquals(exchange(at, flags, EAX, 5), loaded);
    }
  });
}

Deno.test("CMPXCHG8B changes nothing when its second page cannot be written", () => {
  for (const heat of [0, 1]) {
    const bench = benchOf(0x4ffc, heat, EAX, EDX);
    const { state } = bench.cpu;
    // Page directory at 10000h, table at 11000h: all pages but 5 are there.
    bench.view.setUint32(0x10000, 0x11007, true);
    for (let page = 0; page < 32; page++) {
      bench.view.setUint32(0x11000 + page * 4, page === 5 ? 0 : page << 12 | 7, true);
    }
    state.cr[3] = 0x10000;
    state.cr[0]! |= CR0.PG;
    bench.cpu.flushTlb();
    assertEquals(firstException(bench, 10), { vector: 14, code: 2, eip: 0x1000 });
    assertEquals(bench.view.getUint32(0x4ffc, true), EAX);
    assertEquals([...state.regs.subarray(0, 4)], [...REGS]);
  }
});

Deno.test("CMPXCHG8B exchanges once when its upper half is code of its own block", () => {
  for (const heat of [0, 1]) {
    const bench = benchOf(0x5000, heat, 0, 0);
    // jmp 1008h; at 1008h: cmpxchg8b [1004h]; hlt
    bench.ram.set([0xeb, 6, 0, 0, 7, 0, 0, 0, 0x0f, 0xc7, 0x0d, 4, 0x10, 0, 0, 0xf4], 0x1000);
    const code = bench.view.getUint32(0x1008, true);
    bench.cpu.state.regs.set([7, code, code, 8]);
    assertEquals(bench.run(10), 3);
    assertEquals(bench.view.getUint32(0x1004, true), 8);
    assertEquals(bench.cpu.state.eflags & FLAG.ZF, FLAG.ZF);
  }
});
