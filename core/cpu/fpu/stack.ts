/**
 * Moves between registers and the control word, as generated functions. An empty register where one
 * is needed, or a filled one where none may be, goes to TypeScript.
 * @module
 */

import { and, eqz, num, num64, or, or64, shl64, type Val, wideU, xor } from "../ir.ts";
import { AT } from "../state.ts";
import {
  CONSTANT,
  COPY,
  COPY_SLOW,
  EXCHANGE,
  EXCHANGE_SLOW,
  LOAD_CONTROL,
  MOVE,
  PUSH,
  PUSH_COPY,
  PUSH_SLOW,
  RAISE,
  SET_SIGN,
  SIGN_SLOW,
} from "./callees.ts";
import {
  FpuCode,
  isEmpty,
  isNormal,
  isZero,
  loaded,
  popIf,
  signExponent,
  significand,
  ST0,
  stackAddress,
  STATUS,
} from "./code.ts";
import { SW, TEMP } from "./layout.ts";

/** Address of the register that a push will fill. */
const nextTop = (): Val => stackAddress(num(-1));

function pushRegister(f: FpuCode, from: Val): void {
  const to = f.let(nextTop());
  f.leaveIf(eqz(isEmpty(to)), PUSH_SLOW, from);
  f.copyRegister(to, from);
  f.fill(to);
  f.clearC1();
  f.turn(num(-1));
}

/** A widened operand may be a NaN or a denormal of its own format. */
function push(): FpuCode {
  const f = new FpuCode(PUSH);
  const from = num(TEMP);
  const { se, bits } = loaded(f, from);
  f.leaveIf(eqz(or(isNormal(se, bits), isZero(se, bits))), PUSH_SLOW, from);
  pushRegister(f, from);
  return f;
}

function pushCopy(): FpuCode {
  const f = new FpuCode(PUSH_COPY);
  const from = f.arg(0);
  f.leaveIf(isEmpty(from), PUSH_SLOW, from);
  pushRegister(f, from);
  return f;
}

function constant(): FpuCode {
  const f = new FpuCode(CONSTANT);
  const bits = or64(shl64(wideU(f.arg(0)), num64(32)), wideU(f.arg(1)));
  f.setRegister(num(TEMP), bits, f.arg(2));
  return f;
}

function copy(): FpuCode {
  const f = new FpuCode(COPY);
  const [to, pops] = [f.arg(0), f.arg(1)];
  const from = f.let(ST0);
  f.leaveIf(isEmpty(from), COPY_SLOW, to, pops);
  f.copyRegister(to, from);
  f.fill(to);
  f.clearC1();
  popIf(f, pops);
  return f;
}

/** FCMOVcc, once its condition is known; both registers must be filled. */
function move(): FpuCode {
  const f = new FpuCode(MOVE);
  const [from, holds] = [f.arg(0), f.arg(1)];
  const to = f.let(ST0);
  f.leaveIf(or(isEmpty(from), isEmpty(to)), COPY_SLOW, to, num(0));
  f.if(holds, () => f.copyRegister(to, from));
  return f;
}

function exchange(): FpuCode {
  const f = new FpuCode(EXCHANGE);
  const other = f.arg(0);
  const top = f.let(ST0);
  f.leaveIf(or(isEmpty(top), isEmpty(other)), EXCHANGE_SLOW, other);
  const { se, bits } = loaded(f, top);
  f.copyRegister(top, other);
  f.setRegister(other, bits, se);
  f.clearC1();
  return f;
}

function setSign(): FpuCode {
  const f = new FpuCode(SET_SIGN);
  const top = f.let(ST0);
  f.leaveIf(isEmpty(top), SIGN_SLOW);
  const changed = xor(and(signExponent(top), f.arg(0)), f.arg(1));
  f.setRegister(top, significand(top), changed);
  f.clearC1();
  return f;
}

function raise(): FpuCode {
  const f = new FpuCode(RAISE);
  f.raise(f.arg(0));
  return f;
}

/** The summary follows the new masks. */
function loadControl(): FpuCode {
  const f = new FpuCode(LOAD_CONTROL);
  const value = or(and(f.arg(0), num(0x1f3f)), num(0x40));
  f.store(num(AT.FPU_CONTROL), 0, value, 4);
  f.setStatus(and(STATUS, num(~(SW.ES | SW.B))));
  const flags = or(and(STATUS, num(SW.C1)), and(STATUS, num(SW.EXCEPTIONS)));
  f.raise(flags);
  return f;
}

/** All functions of this file. */
export const STACK_CODE: readonly (() => FpuCode)[] = [
  push,
  pushCopy,
  constant,
  copy,
  move,
  exchange,
  setSign,
  raise,
  loadControl,
];
