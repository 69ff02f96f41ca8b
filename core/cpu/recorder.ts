/**
 * The first tier's reading of the semantics: {@link X} in record mode. One handler serves every
 * instruction of the same shape; what differs between them (registers, displacement, immediate,
 * addresses) it reads from the instruction's record.
 * @module
 */

import {
  add,
  and,
  eq,
  eqz,
  gtU,
  load16,
  load32,
  load8,
  local,
  ltU,
  ne,
  num,
  or,
  select,
  shl,
  shr,
  sub,
  type Val,
  xor,
} from "./ir.ts";
import { type Insn, integerSize, KIND } from "./insn.ts";
import { byteRegister, REC, type Shape } from "./record.ts";
import { parityOf } from "./sem/flags.ts";
import { AT, CS, ESP, FLAG, FS, JUMP, SEG, SS, TLB } from "./state.ts";
import {
  type Callee,
  FAULT,
  FunctionBody,
  I64,
  MODIFY,
  READ,
  SEGMENT_FAULT,
  WRITE,
} from "./wasm.ts";
import type { FlagWords, X } from "./x.ts";

const RECORD: Val = local(0);
const field = (offset: number): Val => load32(RECORD, offset);
const word = (at: number): Val => load32(num(0), at);
const segmentAddress = (segment: number): Val => num(AT.SEGS + segment * SEG.STRIDE);
const GENERAL_PROTECTION = 13;

/** Writes one handler. */
export class Recorder implements X {
  readonly body: FunctionBody = new FunctionBody();
  readonly #insn: Insn;
  readonly #shape: Shape;
  /** Locals of the last memory operand opened for modification: host address (0 = slow), linear. */
  #host = -1;
  #linear: Val = num(0);

  constructor(insn: Insn, shape: Shape) {
    this.#insn = insn;
    this.#shape = shape;
  }

  /** Goes on with the record behind this one. */
  finish(): void {
    this.body.dispatch(add(RECORD, num(REC.STRIDE)));
  }

  get size(): 1 | 2 | 4 {
    return this.#insn.operands.length ? this.sizeOf(0) : this.#insn.operandSize;
  }

  sizeOf(n: number): 1 | 2 | 4 {
    return integerSize(this.#insn, n);
  }

  get operandSize(): 2 | 4 {
    return this.#insn.operandSize;
  }

  get addressSize(): 2 | 4 {
    return this.#insn.addressSize;
  }

  let(v: Val): Val {
    const index = this.body.local();
    this.body.setLocal(index, v);
    return local(index);
  }

  let64(v: Val): Val {
    const index = this.body.local(I64);
    this.body.setLocal(index, v);
    return local(index);
  }

  if(cond: Val, then: () => void, otherwise?: () => void): void {
    this.body.if(cond, then, otherwise);
  }

  call(callee: Callee, ...args: readonly Val[]): void {
    this.#escape();
    this.body.call(callee, ...args);
  }

  callFor(callee: Callee, ...args: readonly Val[]): Val {
    this.#escape();
    const result = this.body.local(callee.results[0]);
    this.body.callTo(result, callee, ...args);
    return local(result);
  }

  linear(n: number, bytes: number, rights: 1 | 2): Val {
    return this.#checked("operand", this.address(n), bytes, rights);
  }

  readonly immediate: Val = field(REC.IMM);
  readonly pc: Val = field(REC.PC);

  isMemory(n: number): boolean {
    return this.#insn.operands[n]!.kind === KIND.MEM;
  }

  // ---- operands ------------------------------------------------------------------------------

  read(n: number): Val {
    const operand = this.#insn.operands[n]!;
    if (operand.kind === KIND.MEM) {
      return this.load("operand", this.address(n), this.sizeOf(n));
    }
    return this.let(this.#direct(n));
  }

  modify(n: number): Val {
    const operand = this.#insn.operands[n]!;
    if (operand.kind === KIND.MEM) return this.#open(this.address(n), this.sizeOf(n));
    return this.let(this.#direct(n));
  }

  readAt(n: number, displacement: Val, writable: boolean): Val {
    const raw = add(this.address(n), displacement);
    const offset = this.addressSize === 4 ? raw : and(raw, num(0xffff));
    const size = this.sizeOf(n);
    return writable ? this.#open(offset, size) : this.load("operand", offset, size);
  }

  #direct(n: number): Val {
    const { kind } = this.#insn.operands[n]!;
    const size = this.sizeOf(n);
    if (kind === KIND.IMM) return field(REC.IMM);
    const address = field(REC.REG + 4 * n);
    return size === 4 ? load32(address) : size === 2 ? load16(address) : load8(address);
  }

  write(n: number, v: Val): void {
    const { kind } = this.#insn.operands[n]!;
    const size = this.sizeOf(n);
    if (kind !== KIND.MEM) {
      this.body.store(field(REC.REG + 4 * n), 0, v, size);
    } else if (this.#host < 0) {
      this.store("operand", this.address(n), size, v);
    } else {
      const value = this.let(v);
      this.body.if(
        local(this.#host),
        () => this.body.store(local(this.#host), 0, value, size),
        () => this.body.call(WRITE[size], this.#linear, value),
      );
    }
  }

  address(_n: number): Val {
    let offset = add(load32(field(REC.BASE)), field(REC.DISP));
    if (this.#insn.index >= 0) {
      offset = add(offset, shl(load32(field(REC.INDEX)), field(REC.SCALE)));
    }
    return this.addressSize === 4 ? offset : and(offset, num(0xffff));
  }

  reg(register: number, size: 1 | 2 | 4 = 4): Val {
    if (size === 4) return word(register * 4);
    if (size === 2) return load16(num(0), register * 4);
    return load8(num(0), byteRegister(register));
  }

  setReg(register: number, v: Val, size: 1 | 2 | 4 = 4): void {
    this.body.store(num(0), size === 1 ? byteRegister(register) : register * 4, v, size);
  }

  // ---- memory --------------------------------------------------------------------------------

  load(segment: number | "operand", offset: Val, size: 1 | 2 | 4): Val {
    const linear = this.#checked(segment, offset, size, 1);
    const result = this.body.local();
    const entry = this.#tlbEntry(linear);
    this.body.if(
      this.#hit(entry, TLB.READ, linear, size),
      () => {
        const host = add(linear, load32(entry, TLB.ADDEND));
        this.body.setLocal(
          result,
          size === 4 ? load32(host) : size === 2 ? load16(host) : load8(host),
        );
      },
      () => {
        this.#escape();
        this.body.callTo(result, READ[size], linear);
      },
    );
    return local(result);
  }

  store(segment: number | "operand", offset: Val, size: 1 | 2 | 4, v: Val): void {
    const linear = this.#checked(segment, offset, size, 2);
    const value = this.let(v);
    const entry = this.#tlbEntry(linear);
    this.body.if(
      this.#hit(entry, TLB.WRITE, linear, size),
      () => this.body.store(add(linear, load32(entry, TLB.ADDEND)), 0, value, size),
      () => {
        this.#escape();
        this.body.call(WRITE[size], linear, value);
      },
    );
  }

  /** Reads a memory operand with the right to write it back. */
  #open(offset: Val, size: 1 | 2 | 4): Val {
    const linear = this.#checked("operand", offset, size, 3);
    const result = this.body.local();
    const host = this.body.local();
    const entry = this.#tlbEntry(linear);
    this.body.if(
      this.#hit(entry, TLB.WRITE, linear, size),
      () => {
        this.body.setLocal(host, add(linear, load32(entry, TLB.ADDEND)));
        const at = local(host);
        this.body.setLocal(result, size === 4 ? load32(at) : size === 2 ? load16(at) : load8(at));
      },
      () => {
        this.#escape();
        this.body.callTo(result, MODIFY[size], linear);
      },
    );
    this.#host = host;
    this.#linear = linear;
    return local(result);
  }

  #tlbEntry(linear: Val): Val {
    const index = and(shr(linear, num(8)), num((TLB.ENTRIES - 1) << 4));
    return this.let(add(word(AT.BANK), index));
  }

  /** One compare covers validity, permission and page crossing. */
  #hit(entry: Val, tag: number, linear: Val, size: number): Val {
    const last = size === 1 ? linear : add(linear, num(size - 1));
    return eq(load32(entry, tag), and(last, num(~0xfff)));
  }

  /** Linear address of an offset, after limit and right (1 read, 2 write, 3 both) have been checked. */
  #checked(segment: number | "operand", offset: Val, size: number, rights: number): Val {
    const flat = segment === "operand"
      ? this.#shape.flatMemory
      : this.#shape.flat && segment < FS && segment !== CS;
    if (flat) return this.let(offset);
    const at = segment === "operand" ? this.let(field(REC.SEGMENT)) : segmentAddress(segment);
    const where = this.let(offset);
    const above = this.let(sub(where, load32(at, SEG.LOW)));
    const span = load32(at, SEG.SPAN);
    const outside = or(gtU(above, span), ltU(sub(span, above), num(size - 1)));
    const forbidden = ne(and(load32(at, SEG.RIGHTS), num(rights)), num(rights));
    this.body.if(or(outside, forbidden), () => {
      this.#escape();
      this.body.call(SEGMENT_FAULT, at);
    });
    return this.let(add(where, load32(at, SEG.BASE)));
  }

  /** Tells TypeScript which instruction calls it. On cold paths only. */
  #escape(): void {
    this.body.store(num(0), AT.RECORD, RECORD, 4);
  }

  // ---- stack ---------------------------------------------------------------------------------

  stackOffset(v: Val): Val {
    return this.#shape.stack32 ? v : and(v, num(0xffff));
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
    this.setReg(ESP, v, this.#shape.stack32 ? 4 : 2);
  }

  // ---- flags ---------------------------------------------------------------------------------

  setFlags(words: FlagWords): void {
    const put = (at: number, v: Val | undefined): void => {
      if (v) this.body.store(num(0), at, v, 4);
    };
    put(AT.CA, words.ca);
    put(AT.CB, words.cb);
    put(AT.FR, words.fr);
    put(AT.FO, words.fo);
    put(AT.FX, words.fx);
  }

  readonly carry: Val = ltU(word(AT.CA), word(AT.CB));
  readonly zero: Val = eqz(word(AT.FR));
  readonly parity: Val = parityOf(xor(word(AT.FR), shr(word(AT.FX), num(8))));
  readonly adjust: Val = and(shr(xor(word(AT.FX), word(AT.FR)), num(4)), num(1));
  readonly sign: Val = xor(word(AT.FR), word(AT.FX));
  readonly overflow: Val = word(AT.FO);

  step(size: number): Val {
    return select(and(word(AT.EFLAGS), num(FLAG.DF)), num(-size), num(size));
  }

  // ---- control flow --------------------------------------------------------------------------

  readonly next: Val = field(REC.NEXT);

  checkTarget(): void {
    this.checkLimit(field(REC.TARGET));
  }

  checkLimit(eip: Val): void {
    if (this.#shape.flat) return;
    const limit = load32(segmentAddress(CS), SEG.LIMIT);
    this.if(gtU(eip, limit), () => this.fault(GENERAL_PROTECTION));
  }

  fault(vector: number): void {
    this.#escape();
    this.body.call(FAULT, num(vector));
    this.body.unreachable();
  }

  jump(): void {
    this.#leave(REC.TARGET, REC.TAKEN, this.#shape.nearTarget);
  }

  jumpIf(cond: Val): void {
    this.body.if(cond, () => this.jump());
    this.#leave(REC.NEXT, REC.FALL, this.#shape.nearNext);
  }

  #leave(target: number, link: number, near: boolean): void {
    if (!near) return this.jumpTo(field(target));
    const head = this.let(field(link));
    this.body.if(head, () => this.body.dispatch(head));
    this.checkLimit(field(target));
    this.body.store(num(0), AT.EIP, field(target), 4);
    this.body.store(num(0), AT.LINK, add(RECORD, num(link)), 4);
    this.body.return();
  }

  jumpTo(eip: Val): void {
    const target = this.let(eip);
    this.checkLimit(target);
    this.body.store(num(0), AT.EIP, target, 4);
    const linear = this.#shape.flat
      ? target
      : this.let(add(target, load32(segmentAddress(CS), SEG.BASE)));
    const entry = this.let(add(num(JUMP.BASE), shl(and(linear, num(JUMP.ENTRIES - 1)), num(4))));
    const tlb = this.#tlbEntry(linear);
    const known = and(
      eq(load32(entry, JUMP.LINEAR), linear),
      eq(load32(entry, JUMP.MODE), word(AT.MODE)),
    );
    const mapped = and(
      eq(load32(tlb, TLB.EXECUTE), and(linear, num(~0xfff))),
      eq(load32(tlb, TLB.ADDEND), load32(entry, JUMP.ADDEND)),
    );
    this.body.if(and(known, mapped), () => this.body.dispatch(load32(entry, JUMP.RECORD)));
    this.body.return();
  }
}

/** Handlers that belong to no instruction. */
export const SPECIAL = {
  /** Stops in front of the record's PC: end of a scratch run, dropped block. */
  stop(body: FunctionBody): void {
    body.store(num(0), AT.EIP, field(REC.PC), 4);
    body.return();
  },
  /** Takes the block's length off the budget, or stops in front of it. */
  head(body: FunctionBody): void {
    const rest = body.local();
    body.setLocal(rest, sub(word(AT.BUDGET), field(REC.REG)));
    body.if({ op: 0x48, a: local(rest), b: num(0), n: 0 }, () => SPECIAL.stop(body));
    body.store(num(0), AT.BUDGET, local(rest), 4);
    body.dispatch(add(RECORD, num(REC.STRIDE)));
  },
  /** Stops in front of an instruction that TypeScript executes. */
  complex(body: FunctionBody): void {
    body.store(num(0), AT.COMPLEX, RECORD, 4);
    SPECIAL.stop(body);
  },
  /** Goes to the record given: how TypeScript enters. */
  enter(body: FunctionBody): void {
    body.dispatch(RECORD);
  },
} as const;
