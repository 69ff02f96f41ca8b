/**
 * What both tiers share in writing an instruction: operands, the stack, calls, jumps.
 * @module
 */

import { Accesses, type Size } from "./accesses.ts";
import { FAULT } from "./callees.ts";
import { VECTOR } from "./fault.ts";
import { integerSize, KIND } from "./insn.ts";
import {
  add,
  and,
  gtU,
  load16,
  load32,
  load8,
  local,
  num,
  select,
  signed,
  sub,
  unsigned,
  type Val,
} from "./ir.ts";
import { jumpThroughCache, segmentAddress, word } from "./lookups.ts";
import { AT, CS, ESP, FLAG, SEG, SS } from "./state.ts";
import type { Callee } from "./wasm.ts";
import type { FlagWords, X } from "./x.ts";

/** {@link X} but for what a tier does in its own way. */
export abstract class Emitter extends Accesses implements X {
  protected abstract readonly mode: Val;
  /** Where a relative branch goes. */
  protected abstract readonly target: Val;
  abstract readonly pc: Val;
  abstract readonly next: Val;
  abstract readonly immediate: Val;
  /** As `escape` where nothing else can happen: memory is known to be exact from there on. */
  protected publish(): void {
    this.escape();
  }
  /** A register operand or an immediate. */
  protected abstract direct(n: number): Val;
  protected abstract setDirect(n: number, v: Val): void;
  abstract readonly budgetLeft: Val;
  abstract address(n: number): Val;
  abstract reg(register: number, size?: Size): Val;
  abstract setReg(register: number, v: Val, size?: Size): void;
  abstract setFlags(words: FlagWords): void;
  abstract get carry(): Val;
  abstract get zero(): Val;
  abstract get parity(): Val;
  abstract get adjust(): Val;
  abstract get sign(): Val;
  abstract get overflow(): Val;
  abstract get less(): Val;
  abstract get notGreater(): Val;
  abstract get notAbove(): Val;
  abstract jump(): void;
  abstract jumpIf(cond: Val): void;
  abstract proceed(): void;
  abstract if(cond: Val, then: () => void, otherwise?: () => void): void;

  get size(): Size {
    return this.insn.operands.length ? this.sizeOf(0) : this.insn.operandSize;
  }

  sizeOf(n: number): Size {
    return integerSize(this.insn, n);
  }

  get operandSize(): 2 | 4 {
    return this.insn.operandSize;
  }

  get addressSize(): 2 | 4 {
    return this.insn.addressSize;
  }

  isMemory(n: number): boolean {
    return this.insn.operands[n]!.kind === KIND.MEM;
  }

  // ---- operands ------------------------------------------------------------------------------

  read(n: number): Val {
    if (this.isMemory(n)) return this.load("operand", this.address(n), this.sizeOf(n));
    return this.direct(n);
  }

  /** An immediate operand that the guest changes, from its host address. */
  protected patched(at: Val): Val {
    const { immediateBytes, operands } = this.insn;
    const raw = immediateBytes === 4 ? load32(at) : immediateBytes === 2 ? load16(at) : load8(at);
    const { size } = operands[operands.length - 1]!;
    return this.let(size > immediateBytes ? unsigned(signed(raw, immediateBytes), size) : raw);
  }

  modify(n: number): Val {
    return this.isMemory(n) ? this.open(this.address(n), this.sizeOf(n)) : this.direct(n);
  }

  readAt(n: number, displacement: Val, writable: boolean): Val {
    const raw = add(this.address(n), displacement);
    const offset = this.addressSize === 4 ? raw : and(raw, num(0xffff));
    const size = this.sizeOf(n);
    return writable ? this.open(offset, size) : this.load("operand", offset, size);
  }

  write(n: number, v: Val): void {
    const size = this.sizeOf(n);
    if (this.isMemory(n)) this.close(() => this.address(n), size, v);
    else this.setDirect(n, v);
  }

  vectorIndex(n: number): Val {
    return num(this.insn.operands[n]!.reg);
  }

  selector(segment: number | "operand"): Val {
    const at = segment === "operand" ? this.operandSegment : segmentAddress(segment);
    return load32(at, SEG.SELECTOR);
  }

  setWord(at: number, v: Val): void {
    this.body.store(num(at), 0, v, 4);
  }

  linear(n: number, bytes: number, rights: 1 | 2): Val {
    return this.checked("operand", this.address(n), bytes, rights);
  }

  // ---- stack ---------------------------------------------------------------------------------

  stackOffset(v: Val): Val {
    return this.shape.stack32 ? v : and(v, num(0xffff));
  }

  push(v: Val, size: 2 | 4): void {
    this.setStack(this.writeBelow(v, size));
  }

  writeBelow(v: Val, size: 2 | 4): Val {
    const value = this.let(v);
    const top = this.let(this.stackOffset(sub(this.reg(ESP), num(size))));
    this.store(SS, top, size, value);
    return top;
  }

  pop(size: 2 | 4): Val {
    const value = this.peek(size);
    this.moveStack(size);
    return value;
  }

  peek(size: 2 | 4): Val {
    return this.load(SS, this.stackOffset(this.reg(ESP)), size);
  }

  moveStack(bytes: number, more?: Val): void {
    const released = add(this.reg(ESP), num(bytes));
    this.setStack(more ? add(released, more) : released);
  }

  setStack(v: Val): void {
    this.setReg(ESP, v, this.shape.stack32 ? 4 : 2);
  }

  step(size: number): Val {
    return select(and(word(AT.EFLAGS), num(FLAG.DF)), num(-size), num(size));
  }

  // ---- calls and control flow ----------------------------------------------------------------

  call(callee: Callee, ...args: readonly Val[]): void {
    this.publish();
    this.body.call(callee, ...args);
    this.resume();
  }

  callFor(callee: Callee, ...args: readonly Val[]): Val {
    this.publish();
    const result = this.temporary(callee.results[0]);
    this.body.callTo(result, callee, ...args);
    this.resume();
    return local(result);
  }

  fault(vector: number): void {
    this.escape();
    this.body.call(FAULT, num(vector));
    this.body.unreachable();
  }

  checkTarget(): void {
    this.checkLimit(this.target);
  }

  checkLimit(eip: Val): void {
    if (this.shape.flat) return;
    const limit = load32(segmentAddress(CS), SEG.LIMIT);
    this.if(gtU(eip, limit), () => this.fault(VECTOR.GP));
  }

  /** Goes to a head record. */
  protected enterBlock(head: Val, handler: Val): void {
    this.body.dispatch(head, handler);
  }

  /** Goes to a block that is already linked, or back to TypeScript to have it linked. */
  protected follow(target: Val, link: Val): void {
    const head = this.let(load32(link));
    this.body.if(head, () => this.enterBlock(head, load32(head)));
    this.askForLink(target, link);
  }

  /** Goes back to TypeScript, which writes the head of the block at the target to `link`. */
  protected askForLink(target: Val, link: Val): void {
    this.checkLimit(target);
    this.body.store(num(AT.EIP), 0, target, 4);
    this.body.store(num(AT.LINK), 0, link, 4);
    this.body.return();
  }

  jumpTo(eip: Val): void {
    const target = this.let(eip);
    this.checkLimit(target);
    this.leave();
    const linear = this.linearOf(target);
    const enter = (head: Val, handler: Val): void => this.enterBlock(head, handler);
    jumpThroughCache(this.body, (v) => this.let(v), linear, this.mode, this.bank, enter);
    this.body.store(num(AT.EIP), 0, target, 4);
    this.body.return();
  }

  /** Linear address of an EIP, a local. */
  protected linearOf(eip: Val): Val {
    return this.shape.flat ? eip : this.let(add(eip, load32(segmentAddress(CS), SEG.BASE)));
  }

  /** The block ends here: the state in memory must be exact. */
  protected leave(): void {}
}
