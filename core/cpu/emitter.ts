/**
 * What both tiers share in writing an instruction: memory through the TLB, segments, the stack.
 * @module
 */

import { FAULT, FIND_READ, FIND_WRITE, MODIFY, READ, SEGMENT_FAULT, WRITE } from "./callees.ts";
import { VECTOR } from "./fault.ts";
import { type Insn, integerSize, KIND } from "./insn.ts";
import {
  add,
  and,
  eq,
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
  signed,
  sub,
  unsigned,
  type Val,
  xor,
} from "./ir.ts";
import type { Shape } from "./record.ts";
import { AT, CS, ESP, FLAG, FS, JUMP, SEG, SITES, SS, TLB } from "./state.ts";
import { type Callee, FunctionBody, I64 } from "./wasm.ts";
import type { FlagWords, X } from "./x.ts";

type Size = 1 | 2 | 4;

const JUMP_SHIFT = Math.log2(JUMP.STRIDE);

/** Page of an access's last byte. */
export const lastPage = (linear: Val, size: number): Val =>
  and(size === 1 ? linear : add(linear, num(size - 1)), num(~0xfff));

/** The word at a fixed address of linear memory. */
export const word = (at: number): Val => load32(num(at));
const segmentAddress = (segment: number): Val => num(AT.SEGS + segment * SEG.STRIDE);

/** Byte offset of the entry for a linear address in its TLB bank. */
export const tlbIndex = (linear: Val): Val => and(shr(linear, num(8)), num((TLB.ENTRIES - 1) << 4));

/**
 * Goes to the block at a linear address if the jump cache has it and the TLB agrees; else goes on.
 * @param keep puts a value in a local
 * @param enter goes to a head record whose handler is known
 */
export function jumpThroughCache(
  body: FunctionBody,
  keep: (v: Val) => Val,
  linear: Val,
  mode: Val,
  bank: Val,
  enter: (head: Val, handler: Val) => void,
): void {
  const hash = xor(linear, shr(linear, num(JUMP.HASH_SHIFT)));
  const slot = shl(and(hash, num(JUMP.ENTRIES - 1)), num(JUMP_SHIFT));
  const entry = keep(add(slot, num(JUMP.BASE)));
  const tlb = keep(add(tlbIndex(linear), bank));
  body.block((miss) => {
    const expect = (found: Val, wanted: Val): void => body.branch(miss, ne(found, wanted), false);
    expect(load32(entry, JUMP.LINEAR), linear);
    expect(load32(entry, JUMP.MODE), mode);
    expect(load32(tlb, TLB.EXECUTE), and(linear, num(~0xfff)));
    expect(load32(tlb, TLB.ADDEND), load32(entry, JUMP.ADDEND));
    enter(load32(entry, JUMP.RECORD), load32(entry, JUMP.HANDLER));
  });
}

/** {@link X} but for what a tier does in its own way. */
export abstract class Emitter implements X {
  abstract readonly body: FunctionBody;
  protected abstract readonly insn: Insn;
  protected abstract readonly shape: Shape;
  /** Address of the TLB bank. */
  protected abstract readonly bank: Val;
  protected abstract readonly mode: Val;
  /** Address of the segment register of the memory operand. */
  protected abstract readonly operandSegment: Val;
  /** Where a relative branch goes. */
  protected abstract readonly target: Val;
  abstract readonly pc: Val;
  abstract readonly next: Val;
  abstract readonly immediate: Val;
  /** Host address (0 = slow) and linear address of the operand last opened to be modified. */
  #host = -1;
  #linear: Val = num(0);

  /** Tells TypeScript which instruction calls it, and makes the state in memory exact. */
  protected abstract escape(): void;
  /** The same where nothing else can happen: memory is known to be exact from there on. */
  protected publish(): void {
    this.escape();
  }
  /** After such a call. */
  protected resume(): void {}
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
  abstract jump(): void;
  abstract jumpIf(cond: Val): void;
  abstract proceed(): void;
  abstract if(cond: Val, then: () => void, otherwise?: () => void): void;
  /** Address of the site of an access, if it has one: see `SITES` in state.ts. */
  protected site(_segment: number, _write: boolean): number | undefined {
    return undefined;
  }
  /** A new local of the function. */
  protected abstract temporary(type?: number): number;

  protected begin(): void {
    this.#host = -1;
  }

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

  let(v: Val): Val {
    const index = this.temporary();
    this.body.setLocal(index, v);
    return local(index);
  }

  let64(v: Val): Val {
    const index = this.temporary(I64);
    this.body.setLocal(index, v);
    return local(index);
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
    return this.isMemory(n) ? this.#open(this.address(n), this.sizeOf(n)) : this.direct(n);
  }

  readAt(n: number, displacement: Val, writable: boolean): Val {
    const raw = add(this.address(n), displacement);
    const offset = this.addressSize === 4 ? raw : and(raw, num(0xffff));
    const size = this.sizeOf(n);
    return writable ? this.#open(offset, size) : this.load("operand", offset, size);
  }

  write(n: number, v: Val): void {
    const size = this.sizeOf(n);
    if (!this.isMemory(n)) {
      this.setDirect(n, v);
    } else if (this.#host < 0) {
      this.store("operand", this.address(n), size, v);
    } else {
      const value = this.let(v);
      this.body.if(
        local(this.#host),
        () => this.body.store(local(this.#host), 0, value, size),
        () => {
          this.escape();
          this.body.call(WRITE[size], this.#linear, value);
          this.resume();
        },
      );
    }
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
    return this.#checked("operand", this.address(n), bytes, rights);
  }

  // ---- memory --------------------------------------------------------------------------------

  load(segment: number | "operand", offset: Val, size: Size): Val {
    const linear = this.#checked(segment, offset, size, 1);
    const result = this.temporary();
    const site = this.site(this.#number(segment), false);
    this.#access(linear, TLB.READ, size, site, (host) => this.#take(result, host, size), () => {
      this.body.callTo(result, READ[size], linear);
    });
    return local(result);
  }

  store(segment: number | "operand", offset: Val, size: Size, v: Val): void {
    const linear = this.#checked(segment, offset, size, 2);
    const value = this.let(v);
    const site = this.site(this.#number(segment), true);
    const put = (host: Val): void => this.body.store(host, 0, value, size);
    this.#access(linear, TLB.WRITE, size, site, put, () => {
      this.body.call(WRITE[size], linear, value);
    });
  }

  /** Reads a memory operand with the right to write it back. */
  #open(offset: Val, size: Size): Val {
    const linear = this.#checked("operand", offset, size, 3);
    const result = this.temporary();
    const host = this.temporary();
    const site = this.site(this.#number("operand"), true);
    this.#access(linear, TLB.WRITE, size, site, (at) => {
      this.body.setLocal(host, at);
      this.#take(result, local(host), size);
    }, () => {
      this.body.setLocal(host, num(0));
      this.body.callTo(result, MODIFY[size], linear);
    });
    this.#host = host;
    this.#linear = linear;
    return local(result);
  }

  /**
   * An access through the TLB. One compare covers validity, permission and page crossing.
   * @param fast is given the host address
   * @param slow calls TypeScript
   */
  #access(
    linear: Val,
    tag: number,
    size: Size,
    site: number | undefined,
    fast: (host: Val) => void,
    slow: () => void,
  ): void {
    const { body } = this;
    const addend = site === undefined ? this.temporary() : -1;
    body.block((done) => {
      body.block((hit) => {
        if (site === undefined) this.#look(linear, tag, size, addend, hit);
        else this.#lookAtSite(linear, tag, size, site, hit);
        this.escape();
        slow();
        this.resume();
        body.branch(done);
      });
      fast(add(linear, site === undefined ? local(addend) : word(site + SITES.ADDEND)));
    });
  }

  #look(linear: Val, tag: number, size: Size, addend: number, hit: number): void {
    const { body } = this;
    const entry = this.let(add(tlbIndex(linear), this.bank));
    const found = eq(load32(entry, tag), lastPage(linear, size));
    body.if(found, () => {
      body.setLocal(addend, load32(entry, TLB.ADDEND));
      body.branch(hit);
    });
  }

  #lookAtSite(linear: Val, tag: number, size: Size, site: number, hit: number): void {
    const { body } = this;
    // A page has no low bits: an access that is not aligned, and might cross, does not match.
    const aligned = and(linear, num(~0xfff | (size - 1)));
    body.branch(hit, eq(word(site + SITES.PAGE), aligned), true);
    const find = (tag === TLB.READ ? FIND_READ : FIND_WRITE)[size];
    const found = this.temporary();
    body.callTo(found, find, linear, num(site));
    body.branch(hit, local(found), true);
  }

  #number(segment: number | "operand"): number {
    return segment === "operand" ? this.insn.segment : segment;
  }

  #take(result: number, host: Val, size: Size): void {
    const value = size === 4 ? load32(host) : size === 2 ? load16(host) : load8(host);
    this.body.setLocal(result, value);
  }

  /** Linear address of an offset, after limit and right (1 read, 2 write, 3 both) are checked. */
  #checked(segment: number | "operand", offset: Val, size: number, rights: number): Val {
    const flat = segment === "operand"
      ? this.shape.flatMemory
      : this.shape.flat && segment < FS && segment !== CS;
    if (flat) return this.let(offset);
    const at = segment === "operand" ? this.let(this.operandSegment) : segmentAddress(segment);
    const where = this.let(offset);
    const above = this.let(sub(where, load32(at, SEG.LOW)));
    const span = load32(at, SEG.SPAN);
    const outside = or(gtU(above, span), ltU(sub(span, above), num(size - 1)));
    const forbidden = ne(and(load32(at, SEG.RIGHTS), num(rights)), num(rights));
    this.body.if(
      or(outside, forbidden),
      () => {
        this.escape();
        this.body.call(SEGMENT_FAULT, at);
      },
      undefined,
      false,
    );
    return this.let(add(where, load32(at, SEG.BASE)));
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
