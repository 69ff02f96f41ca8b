/**
 * System instructions that run as generated code.
 * Source: Intel SDM vol. 2; vol. 3 §20.2.7 (virtual-8086).
 * @module
 */

import { FLAGS_CHANGED, HOLD_INTERRUPTS, LOOK_AT_CLOCK } from "../callees.ts";
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
  select,
  shl,
  shr,
  sub64,
  type Val,
  wideU,
  xor,
} from "../ir.ts";
import { AT, CR4, EAX, EDX, FLAG } from "../state.ts";
import type { Sem, X } from "../x.ts";
import { flagsByte, flagsOf, overflowBit } from "./flags.ts";

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
  checkVirtual(x);
  const system = x.let(SYSTEM_FLAGS);
  const image = or(and(system, num(~(FLAG.VM | FLAG.RF))), flagsByte(x));
  x.push(or(image, overflowBit(x)), x.operandSize);
};

/** What POPF loads at any privilege, beside the arithmetic flags. */
const UNPRIVILEGED = FLAG.TF | FLAG.DF | FLAG.NT | FLAG.AC | FLAG.ID;

/** POPF: IOPL as CPL 0, IF as CPL ≤ IOPL allows; VM stays, RF is cleared. */
export const popf: Sem = (x) => {
  checkVirtual(x);
  const image = x.peek(x.operandSize);
  const before = x.let(and(SYSTEM_FLAGS, num(~FLAG.RF)));
  const privileged = or(
    select(gtU(CPL, IOPL), num(0), num(FLAG.IF)),
    select(CPL, num(0), num(FLAG.IOPL)),
  );
  const size = x.operandSize === 4 ? -1 : 0xffff;
  const writable = and(or(privileged, num(UNPRIVILEGED)), num(size));
  const changed = x.let(and(xor(before, image), writable));
  x.moveStack(x.operandSize);
  x.setWord(AT.EFLAGS, xor(before, changed));
  x.setFlags({ ...flagsOf(image), fo: shl(image, num(20)) });
  const telling = or(and(image, num(FLAG.IF | FLAG.TF)), num(FLAG.AC));
  x.if(and(changed, telling), () => x.call(FLAGS_CHANGED));
  x.proceed();
};

/** In virtual-8086 mode IOPL must be 3. */
function checkVirtual(x: X): void {
  const virtual = and(shr(SYSTEM_FLAGS, num(17)), num(1));
  x.if(and(virtual, ltU(IOPL, num(3))), () => x.fault(GP));
}

function clear(x: X, flag: number): void {
  x.setWord(AT.EFLAGS, and(SYSTEM_FLAGS, num(~flag)));
}
