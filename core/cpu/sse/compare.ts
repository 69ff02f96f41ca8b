/**
 * Floating-point comparison, minimum and maximum. Source: Intel SDM vol. 2, CMPPS, COMISS, MINPS;
 * vol. 1 app. E.
 * @module
 */

import type { SystemOp } from "../insn.ts";
import { AT, FLAG } from "../state.ts";
import { fetch, permit, registerAt } from "./access.ts";
import { floating, type FloatLane } from "./arith.ts";
import { type Format, isDenormal, isSignalling, operand } from "./format.ts";
import { copy } from "./lanes.ts";
import { FloatStatus, MX } from "./mxcsr.ts";

/** MIN and MAX give operand 1 where neither is smaller, or one is a NaN. */
function extreme(isFirst: (x: number, y: number) => boolean): FloatLane {
  return (f, s, view, to, a, b) => {
    const x = operand(f, s, view, a), y = operand(f, s, view, b);
    if (x !== x || y !== y) s.raise(MX.IE);
    else if (isDenormal(f, x) || isDenormal(f, y)) s.raise(MX.DE);
    if (y !== y) copy(view, to, b, f.bytes);
    else f.write(view, to, isFirst(x, y) ? x : y);
  };
}

export const min: FloatLane = extreme((x, y) => x < y);
export const max: FloatLane = extreme((x, y) => x > y);

/** Notes what comparing raises. @param signals a quiet NaN is invalid too */
function noteComparison(
  f: Format,
  s: FloatStatus,
  view: DataView,
  a: number,
  b: number,
  signals: boolean,
): boolean {
  const x = operand(f, s, view, a), y = operand(f, s, view, b);
  const isNan = x !== x || y !== y;
  const signalling = (v: number, at: number): boolean => v !== v && isSignalling(f, view, at);
  if (isNan) {
    if (signals || signalling(x, a) || signalling(y, b)) s.raise(MX.IE);
  } else if (isDenormal(f, x) || isDenormal(f, y)) s.raise(MX.DE);
  return isNan;
}

/** EQ, LT, LE, UNORD; the other four are their opposites. */
const PREDICATES: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => x === y,
  (x, y) => x < y,
  (x, y) => x <= y,
  (x, y) => x !== x || y !== y,
];
/** LT, LE and their opposites take a quiet NaN for invalid. */
const ORDERING = 0b0110_0110;

/** CMPPS and its like: lanes of ones where the predicate of the immediate holds. */
export function compare(f: Format, bytes: number): SystemOp {
  return floating((s, view, a, b, imm) => {
    const holds = PREDICATES[imm & 3]!;
    const opposite = (imm & 4) !== 0;
    for (let n = 0; n < bytes; n += f.bytes) {
      noteComparison(f, s, view, a + n, b + n, (ORDERING >> (imm & 7) & 1) === 1);
      const result = holds(operand(f, s, view, a + n), operand(f, s, view, b + n)) !== opposite;
      for (let i = 0; i < f.bytes; i += 4) view.setInt32(AT.SIMD_RESULT + n + i, result ? -1 : 0);
    }
  }, bytes);
}

const status = new FloatStatus();
const CHANGED = FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.OF;

/** COMISS, UCOMISS and the like. @param signals a quiet NaN is invalid */
export function compareToFlags(f: Format, signals: boolean): SystemOp {
  return (cpu, insn) => {
    const { state } = cpu;
    permit(cpu, insn);
    const b = fetch(cpu, insn, true);
    const a = registerAt(insn.operands[0]!);
    status.begin(state.get(AT.MXCSR));
    const unordered = noteComparison(f, status, state.view, a, b, signals);
    const x = operand(f, status, state.view, a), y = operand(f, status, state.view, b);
    status.finish(cpu);
    const flags = unordered ? FLAG.ZF | FLAG.PF | FLAG.CF : x < y ? FLAG.CF : x === y ? FLAG.ZF : 0;
    state.eflags = (state.eflags & ~CHANGED) | flags;
  };
}
