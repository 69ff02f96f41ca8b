/**
 * System instructions that run as generated code.
 * Source: Intel SDM vol. 2; vol. 3 §20.2.7 (virtual-8086).
 * @module
 */

import { HOLD_INTERRUPTS, LOOK_AT_CLOCK } from "../callees.ts";
import {
  and,
  eqz,
  gtU,
  high,
  load32,
  load64,
  low,
  ltU,
  num,
  or,
  shr,
  sub64,
  type Val,
  wideU,
} from "../ir.ts";
import { AT, CR4, EAX, EDX, FLAG } from "../state.ts";
import type { Sem, X } from "../x.ts";
import { flagsByte, overflowBit } from "./flags.ts";

const GP = 13;
/** EFLAGS without the arithmetic flags. */
const SYSTEM_FLAGS: Val = load32(num(AT.EFLAGS));
const IOPL: Val = and(shr(SYSTEM_FLAGS, num(12)), num(3));
const CPL: Val = load32(num(AT.CPL));

/** RDTSC. */
export const rdtsc: Sem = (x) => {
  const timeStampDisable = and(load32(num(AT.CR + 16)), num(CR4.TSD));
  x.if(timeStampDisable, () => x.if(CPL, () => x.fault(GP)));
  x.if(eqz(load32(num(AT.TSC_KNOWN))), () => x.call(LOOK_AT_CLOCK));
  const now = x.let64(sub64(load64(num(AT.TSC_END)), wideU(x.budgetLeft)));
  x.setReg(EAX, low(now));
  x.setReg(EDX, high(now));
};

/** CLI. CPL is 0 in real mode and 3 in virtual-8086 mode. */
export const cli: Sem = (x) => {
  x.if(gtU(CPL, IOPL), () => x.fault(GP));
  clear(x, FLAG.IF);
};

/** STI: interrupts stay off until the next instruction is over, if they were. */
export const sti: Sem = (x) => {
  x.if(gtU(CPL, IOPL), () => x.fault(GP));
  x.if(eqz(and(SYSTEM_FLAGS, num(FLAG.IF))), () => {
    x.setWord(AT.EFLAGS, or(SYSTEM_FLAGS, num(FLAG.IF)));
    x.call(HOLD_INTERRUPTS);
  });
  x.proceed();
};

/** CLD. */
export const cld: Sem = (x) => clear(x, FLAG.DF);

/** STD. */
export const std: Sem = (x) => x.setWord(AT.EFLAGS, or(SYSTEM_FLAGS, num(FLAG.DF)));

/** PUSHF: the image has neither VM nor RF. */
export const pushf: Sem = (x) => {
  const system = x.let(SYSTEM_FLAGS);
  const virtual = and(shr(system, num(17)), num(1));
  x.if(and(virtual, ltU(IOPL, num(3))), () => x.fault(GP));
  const image = or(and(system, num(~(FLAG.VM | FLAG.RF))), flagsByte(x));
  x.push(or(image, overflowBit(x)), x.operandSize);
};

function clear(x: X, flag: number): void {
  x.setWord(AT.EFLAGS, and(SYSTEM_FLAGS, num(~flag)));
}
