/**
 * Stores of segment registers, and loads of those for data. Those of SS are in segment_ops.ts.
 * @module
 */

import { HOLDS_SEGMENT, LOAD_SEGMENT } from "../callees.ts";
import { eqz, num, sub, type Val } from "../ir.ts";
import { AT, ESP, SEG, SS } from "../state.ts";
import type { Sem, X } from "../x.ts";

/** PUSH Sreg writes two bytes of a four-byte slot, as processors do. */
export const pushSegment = (segment: number): Sem => (x) => {
  const top = x.let(x.stackOffset(sub(x.reg(ESP), num(x.operandSize))));
  x.store(SS, top, 2, x.selector(segment));
  x.setStack(top);
};

/** MOV r/m, Sreg: memory gets 16 bits, a 32-bit register is zero-extended. */
export const storeSegment = (segment: number): Sem => (x) => {
  const selector = x.selector(segment);
  if (x.isMemory(0)) x.store("operand", x.address(0), 2, selector);
  else x.write(0, selector);
};

/** MOV Sreg, r/m. The next instruction is in a block of its own: its mode may be another. */
export const loadSegment = (segment: number): Sem => (x) => {
  load(x, segment, x.let(x.read(1)));
  x.proceed();
};

/** POP Sreg: two bytes are read of a slot of the operand size. */
export const popSegment = (segment: number): Sem => (x) => {
  load(x, segment, x.peek(2));
  x.moveStack(x.operandSize);
  x.proceed();
};

function load(x: X, segment: number, selector: Val): void {
  const same = x.callFor(HOLDS_SEGMENT, num(AT.SEGS + segment * SEG.STRIDE), selector);
  x.if(eqz(same), () => x.call(LOAD_SEGMENT, num(segment), selector));
}
