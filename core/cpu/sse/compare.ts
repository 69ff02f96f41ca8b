/**
 * Floating-point comparison, minimum and maximum. Source: Intel SDM vol. 2, CMPPS, COMISS, MINPS;
 * vol. 1 app. E.
 * @module
 */

import type { SystemOp } from "../insn.ts";
import { ARITHMETIC, AT, FLAG } from "../state.ts";
import { fetch, permit, registerAt } from "./access.ts";
import { floating, type FloatLane } from "./arith.ts";
import { type Format, isDenormal, isSignalling, operand } from "./format.ts";
import { copy } from "./lanes.ts";
import { FloatUnit, MX } from "./mxcsr.ts";

/** MIN and MAX give operand 1 where neither is smaller, or one is a NaN. */
function extreme(isFirst: (x: number, y: number) => boolean): (f: Format) => FloatLane {
  return (f) => (u, to, a, b) => {
    const x = operand(f, u, a), y = operand(f, u, b);
    if (x !== x || y !== y) u.raise(MX.IE);
    else if (isDenormal(f, x) || isDenormal(f, y)) u.raise(MX.DE);
    if (y !== y) copy(u.view, to, b, f.bytes);
    else f.write(u.view, to, isFirst(x, y) ? x : y);
  };
}

export const min: (f: Format) => FloatLane = extreme((x, y) => x < y);
export const max: (f: Format) => FloatLane = extreme((x, y) => x > y);

/** Raises what comparing two lanes does. @param signals a quiet NaN is invalid too */
function comparing(f: Format, signals: boolean): (u: FloatUnit, a: number, b: number) => void {
  const isInvalid = (u: FloatUnit, at: number): boolean =>
    Number.isNaN(f.read(u.view, at)) && (signals || isSignalling(f, u.view, at));
  return (u, a, b) => {
    const x = operand(f, u, a), y = operand(f, u, b);
    if (isInvalid(u, a) || isInvalid(u, b)) u.raise(MX.IE);
    else if (x !== x || y !== y) return;
    else if (isDenormal(f, x) || isDenormal(f, y)) u.raise(MX.DE);
  };
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
  const byOrder = comparing(f, true), byEquality = comparing(f, false);
  return floating((u, a, b, imm) => {
    const holds = PREDICATES[imm & 3]!;
    const opposite = (imm & 4) !== 0;
    const raise = ORDERING >> (imm & 7) & 1 ? byOrder : byEquality;
    for (let n = 0; n < bytes; n += f.bytes) {
      raise(u, a + n, b + n);
      const result = holds(operand(f, u, a + n), operand(f, u, b + n)) !== opposite;
      for (let i = n; i < n + f.bytes; i += 4) u.view.setInt32(AT.SIMD_RESULT + i, result ? -1 : 0);
    }
  }, bytes);
}

const unit = new FloatUnit();

function orderFlags(x: number, y: number): number {
  if (x !== x || y !== y) return FLAG.ZF | FLAG.PF | FLAG.CF;
  return x < y ? FLAG.CF : x === y ? FLAG.ZF : 0;
}

/** COMISS, UCOMISS and the like. @param signals a quiet NaN is invalid */
export function compareToFlags(f: Format, signals: boolean): SystemOp {
  const raise = comparing(f, signals);
  return (cpu, insn) => {
    const { state } = cpu;
    permit(cpu, insn);
    const b = fetch(cpu, insn, true);
    const a = registerAt(insn.operands[0]!);
    unit.begin(state);
    raise(unit, a, b);
    const flags = orderFlags(operand(f, unit, a), operand(f, unit, b));
    unit.finish(cpu);
    state.eflags = (state.eflags & ~ARITHMETIC) | flags;
  };
}
