import { assertEquals } from "@std/assert";
import { CpuState } from "../../core/cpu/state.ts";
import { TwinMemory } from "../helpers/oracle.ts";
import { type FpuCase, fpuDifferences, type FpuState, loadFpu } from "../helpers/oracle_fpu.ts";

const PI = "35c26821a2da0fc90040",
  ABOVE_PI = "36c26821a2da0fc90040",
  FAR_PI = "37c26821a2da0fc90040";

function stateWith(st0: string): FpuState {
  return {
    cw: 0x37f,
    sw: 0x3800,
    tw: 0x80,
    mx: 0x1f80,
    st: [st0, ...Array.from({ length: 7 }, () => "00".repeat(10))],
    xmm: Array.from({ length: 8 }, () => "00".repeat(16)),
  };
}

/** Differences of a state that nothing has changed from what a case expects. */
function differencesWith(loaded: FpuState, c: FpuCase): string[] {
  const state = new CpuState(65536);
  loadFpu(state, loaded);
  return fpuDifferences(state, c);
}

Deno.test("fpuDifferences() finds none when the state is as expected", () => {
  assertEquals(differencesWith(stateWith(PI), { fi: stateWith(PI), ff: {} }), []);
});

Deno.test("fpuDifferences() compares registers bit by bit, all but the empty ones", () => {
  const fi = stateWith(PI);
  assertEquals(differencesWith(fi, { fi, ff: { st: [[0, ABOVE_PI]] } }), [
    `st0 ${PI} not ${ABOVE_PI}`,
  ]);
  assertEquals(differencesWith(fi, { fi, ff: { st: [[1, PI]] } }), []);
  assertEquals(differencesWith(fi, { fi, ff: { tw: 0, cw: 0x27f, mx: 0x1f81 } }), [
    "cw 037f not 027f",
    "tw 0080 not 0000",
    "mxcsr 1f80 not 1f81",
  ]);
  const xmm = "01" + "00".repeat(15);
  assertEquals(differencesWith(fi, { fi, ff: { xmm: [[7, xmm]] } }), [
    `xmm7 ${"00".repeat(16)} not ${xmm}`,
  ]);
});

Deno.test("fpuDifferences() allows transcendentals one unit in the last place, and then C1", () => {
  const fi = stateWith(PI);
  assertEquals(differencesWith(fi, { fi, tr: 1, ff: { st: [[0, ABOVE_PI]], sw: 0x3a00 } }), []);
  assertEquals(differencesWith(fi, { fi, tr: 1, ff: { sw: 0x3a00 } }), ["sw 3800 not 3a00"]);
  assertEquals(differencesWith(fi, { fi, tr: 1, ff: { st: [[0, FAR_PI]] } }).length, 1);
});

Deno.test("fpuDifferences() leaves undefined bits of the status word alone", () => {
  const fi = stateWith(PI);
  assertEquals(differencesWith(fi, { fi, fu: 0x4500, ff: { sw: 0x7d00 } }), []);
});

Deno.test("TwinMemory.differences() names each byte, and the next case begins clean", () => {
  const memory = new TwinMemory(new Uint8Array(64), Uint8Array.from({ length: 64 }, (_, n) => n));
  memory.begin([[8, Uint8Array.of(1, 2)]]);
  memory.expect(16, Uint8Array.of(7));
  memory.bytes[20] = 9;
  assertEquals(memory.differences(), ["[00010] 10 not 07", "[00014] 09 not 14"]);
  memory.begin([]);
  assertEquals(memory.differences(), []);
  memory.begin([[0, Uint8Array.of(5)]]);
  memory.bytes[4] = 0;
  memory.ignore(4, 1);
  assertEquals(memory.differences(), []);
  memory.begin([]);
  assertEquals([...memory.bytes], Array.from({ length: 64 }, (_, n) => n));
});
