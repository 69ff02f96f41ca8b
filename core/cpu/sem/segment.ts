/**
 * Stores of segment registers. What loads them is in segment_ops.ts.
 * @module
 */

import { num, sub } from "../ir.ts";
import { ESP, SS } from "../state.ts";
import type { Sem } from "../x.ts";

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
