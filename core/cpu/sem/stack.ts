/**
 * The stack, and near transfers through it.
 * @module
 */

import { add, num, sub, unsigned } from "../ir.ts";
import { EBP, ESP, SS } from "../state.ts";
import type { Sem } from "../x.ts";

const REGISTERS = 8;

export const push: Sem = (x) => x.push(x.read(0), x.operandSize);
export const pop: Sem = (x) => x.write(0, x.pop(x.operandSize));

/** PUSHA: ESP as it was before. */
export const pusha: Sem = (x) => {
  const size = x.operandSize;
  const top = x.let(x.reg(ESP));
  for (let n = 0; n < REGISTERS; n++) {
    x.store(SS, x.stackOffset(sub(top, num((n + 1) * size))), size, x.reg(n));
  }
  x.setStack(sub(top, num(REGISTERS * size)));
};

/** POPA: after a fault on the way the registers popped so far keep their new values. */
export const popa: Sem = (x) => {
  const size = x.operandSize;
  const top = x.let(x.reg(ESP));
  for (let n = 0; n < REGISTERS; n++) {
    const value = x.load(SS, x.stackOffset(add(top, num(n * size))), size);
    const register = REGISTERS - 1 - n;
    if (register !== ESP) x.setReg(register, value, size);
  }
  x.setStack(add(top, num(REGISTERS * size)));
};

export const leave: Sem = (x) => {
  const frame = x.let(x.reg(EBP));
  const saved = x.let(x.load(SS, x.stackOffset(frame), x.operandSize));
  x.setStack(frame);
  x.moveStack(x.operandSize);
  x.setReg(EBP, saved, x.operandSize);
};

/** CALL writes the return address before it checks the target, as processors do. */
export const call: Sem = (x) => {
  const top = x.writeBelow(x.next, x.operandSize);
  x.checkTarget();
  x.setStack(top);
  x.jump();
};

export const callTo: Sem = (x) => {
  const target = x.let(unsigned(x.read(0), x.operandSize));
  const top = x.writeBelow(x.next, x.operandSize);
  x.checkLimit(target);
  x.setStack(top);
  x.jumpTo(target);
};

export const jmp: Sem = (x) => x.jump();
export const jmpTo: Sem = (x) => x.jumpTo(x.let(unsigned(x.read(0), x.operandSize)));

export const ret: Sem = (x) => {
  const target = x.peek(x.operandSize);
  x.checkLimit(target);
  x.moveStack(x.operandSize);
  x.jumpTo(target);
};

/** RET imm16: the parameters are an unsigned number of bytes. */
export const retParameters: Sem = (x) => {
  const parameters = x.read(0);
  const target = x.peek(x.operandSize);
  x.checkLimit(target);
  x.moveStack(x.operandSize, parameters);
  x.jumpTo(target);
};
