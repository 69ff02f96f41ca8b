/**
 * The second tier's reading of the semantics: {@link X} in constant mode. Operands are constants;
 * registers, flags and budget are kept in locals from instruction to instruction.
 *
 * They reach memory only where somebody can look: before a call and where the function ends. A
 * register's new value gets a local of its own, so an expression over old values stays right;
 * locals nobody refers to any more are used again. How blocks become functions: region.ts.
 * @module
 */

import { FLAG_AT, FLAG_NAMES, type FlagName, MAX_FORMS } from "./flag_forms.ts";
import { type Insn, KIND } from "./insn.ts";
import {
  add,
  and,
  load8,
  num,
  OP,
  or,
  readsMemory,
  shl,
  shr,
  unsigned,
  type Val,
  widthOf,
} from "./ir.ts";
import { Locals } from "./locals.ts";
import { word } from "./lookups.ts";
import type { Knowledge, Loops } from "./loop.ts";
import { Metered } from "./metered.ts";
import { REC, type Shape } from "./record.ts";
import { AT, SEG, SS, TLB } from "./state.ts";
import type { Unit } from "./unit.ts";
import { FunctionBody, I32 } from "./wasm.ts";
import type { FlagWords } from "./x.ts";

/** Bits of all registers. */
const ALL = 0xff;

/** Writes instructions one behind the other; what comes after a jump is its heir's business. */
export abstract class Compiler extends Metered {
  override readonly body: FunctionBody;
  protected readonly unit: Unit;
  protected override insn!: Insn;
  protected override shape!: Shape;
  /** Record of the instruction at hand. */
  protected record = 0;
  protected override readonly bank: Val;
  protected override readonly mode: Val;
  /** What is known where code that is still to come goes on. */
  protected readonly later: Knowledge[] = [];
  /** What the function's loops keep in locals, if they are known. */
  protected abstract readonly loops: Loops | undefined;
  protected readonly locals: Locals;
  /** Of locals that hold less than 32 bits: see `widthOf`. */
  readonly #widths = new Map<number, number>();
  protected override readonly budget: number;
  /** Depth of conditional code inside an instruction. */
  #depth = 0;
  /** The conditional code has written flags to memory; registers, as bits. */
  #flushed = false;
  #stored = 0;
  /** Label in front of the function's one jump to a record, and the local it takes it from. */
  protected exit = -1;
  protected readonly destination: number;
  /** The same where the record's handler is known, and its local. */
  protected exitToHandler = -1;
  protected readonly handler: number;
  /** What was known in front of the instruction at hand. */
  #before: Knowledge = this.known;
  /** The instruction may have had effects that are not in {@link known}. */
  #begun = false;
  /** Registers that occur, as bits. */
  used = 0;
  /** Those of them that are written. */
  assigned = 0;

  constructor(unit: Unit, body: FunctionBody) {
    super();
    this.unit = unit;
    this.body = body;
    this.locals = new Locals(body);
    this.bank = num(TLB.BASE + unit.bank * TLB.BANK_BYTES);
    this.mode = num(unit.mode);
    this.budget = body.local();
    this.destination = body.local();
    this.handler = body.local();
  }

  // ---- locals --------------------------------------------------------------------------------

  protected override temporary(type: number = I32): number {
    const index = this.locals.take(type);
    this.#widths.delete(index);
    return index;
  }

  protected override narrow(index: number, width: number): void {
    if (width < 32) this.#widths.set(index, width);
  }

  protected override site(segment: number, write: boolean): number | undefined {
    return this.unit.sites.next(this.unit.bank, write, segment === SS);
  }

  /** After an instruction: frees what it had for itself. */
  protected release(): void {
    this.locals.keep([this.known, ...this.later]);
  }

  override let(v: Val): Val {
    if (v.op === OP.LOCAL || v.op === OP.I32_CONST) return v;
    const bound = super.let(v);
    this.narrow(bound.n, widthOf(v, this.#widths));
    return bound;
  }

  override if(cond: Val, then: () => void, otherwise?: () => void): void {
    if (cond.op === OP.I32_CONST) {
      if (cond.n) then();
      else otherwise?.();
      return;
    }
    if (otherwise) this.#flush();
    const pending = this.snapshot();
    const outerFlushed = this.#flushed, outerStored = this.#stored;
    this.#flushed = false;
    this.#stored = 0;
    this.#depth++;
    this.body.if(cond, then, () => {
      if (this.#flushed) this.#storeFlags(pending.flags);
      this.#storeRegisters(pending, this.#stored);
      otherwise?.();
    });
    this.#begun = true;
    this.#depth--;
    const inner = this.#depth > 0;
    this.#flushed = inner && (outerFlushed || this.#flushed);
    this.#stored = inner ? outerStored | this.#stored : 0;
  }

  protected snapshot(): Knowledge {
    return { ...this.known, registers: [...this.known.registers] };
  }

  // ---- operands and registers ----------------------------------------------------------------

  protected override get operandSegment(): Val {
    return num(AT.SEGS + this.insn.segment * SEG.STRIDE);
  }

  protected override get target(): Val {
    return num(this.insn.target);
  }

  override get pc(): Val {
    return num(this.insn.pc);
  }

  override get next(): Val {
    return num(this.insn.next);
  }

  override get immediate(): Val {
    const { insn } = this;
    const at = this.unit.patchedOperand(insn);
    return at === 0 ? num(insn.imm) : this.patched(num(at));
  }

  override get budgetLeft(): Val {
    return add(this.budgetOf(this.known), load8(num(this.record + REC.LEFT)));
  }

  protected override direct(n: number): Val {
    const { kind, reg } = this.insn.operands[n]!;
    return kind === KIND.IMM ? this.immediate : this.reg(reg, this.sizeOf(n));
  }

  protected override setDirect(n: number, v: Val): void {
    this.setReg(this.insn.operands[n]!.reg, v, this.sizeOf(n));
  }

  override address(_n: number): Val {
    const { base, index, scale, disp } = this.insn;
    let offset = index < 0 ? num(0) : shl(this.reg(index), num(scale));
    if (base >= 0) offset = index < 0 ? this.reg(base) : add(this.reg(base), offset);
    offset = index < 0 && base < 0 ? num(disp) : add(offset, num(disp));
    return this.addressSize === 4 ? offset : and(offset, num(0xffff));
  }

  override reg(register: number, size: 1 | 2 | 4 = 4): Val {
    if (size === 1 && register >= 4) {
      return and(shr(this.#whole(register - 4), num(8)), num(0xff));
    }
    const whole = this.#whole(register);
    return this.#fits(whole, size) ? whole : unsigned(whole, size);
  }

  /** Nothing but the low `size` bytes can be set. */
  #fits(v: Val, size: number): boolean {
    return widthOf(v, this.#widths) <= size * 8;
  }

  /** `old` with its low word, low byte or second byte replaced. */
  #merged(old: Val, v: Val, size: 1 | 2 | 4, high: boolean): Val {
    const part = this.#fits(v, size) ? v : unsigned(v, size);
    if (high) return or(and(old, num(0xffff00ff)), shl(part, num(8)));
    if (this.#fits(old, size)) return part;
    return or(and(old, num(size === 1 ? 0xffffff00 : 0xffff0000)), part);
  }

  #whole(register: number): Val {
    this.used |= 1 << register;
    const known = this.known.registers[register];
    if (known) return known;
    if (this.#depth > 0) return word(register * 4);
    return this.known.registers[register] = this.let(word(register * 4));
  }

  override setReg(register: number, v: Val, size: 1 | 2 | 4 = 4): void {
    const high = size === 1 && register >= 4;
    const number = high ? register - 4 : register;
    this.used |= 1 << number;
    this.assigned |= 1 << number;
    const value = this.let(size === 4 ? v : this.#merged(this.#whole(number), v, size, high));
    if (this.#depth === 0) {
      this.known.registers[number] = value;
      this.known.dirty |= 1 << number;
      return;
    }
    this.body.store(num(number * 4), 0, value, 4);
    this.known.registers[number] = undefined;
    this.known.dirty &= ~(1 << number);
    this.#stored |= 1 << number;
  }

  /** Writes those of the registers `which` (bits) to memory that are newer there. */
  #storeRegisters({ registers, dirty }: Knowledge, which: number): void {
    registers.forEach((v, number) => {
      if (v && dirty & which & 1 << number) this.body.store(num(number * 4), 0, v, 4);
    });
  }

  // ---- flags ---------------------------------------------------------------------------------

  override setFlags(words: FlagWords): void {
    if (this.#depth === 0) {
      const { less: _l, notGreater: _g, notAbove: _a, ...kept } = this.known.flags;
      this.known.flags = { ...kept, ...bound(words, (v) => this.let(v)) };
    } else {
      this.flushFlags();
      this.#storeFlags(words);
    }
  }

  /** Brings flags in memory up to date. In conditional code the other branch follows: see `if`. */
  protected flushFlags(): void {
    this.#storeFlags(this.known.flags);
    this.known.flags = {};
    this.#flushed = true;
  }

  /** Brings memory up to date. */
  #flush(): void {
    this.storeAll();
    this.known.flags = {};
    this.known.dirty = 0;
  }

  protected override storeAll(): void {
    this.#storeKnown(this.known);
  }

  #storeKnown(known: Knowledge): void {
    this.#storeFlags(known.flags);
    this.#storeRegisters(known, ALL);
    this.body.store(num(AT.BUDGET), 0, this.budgetOf(known), 4);
  }

  #storeFlags(words: FlagWords): void {
    const { loops } = this;
    for (const name of FLAG_NAMES) {
      const v = words[name];
      if (v && !loops?.carried.has(v)) this.#storeFlag(name, v);
    }
    if (loops) {
      for (let form = 0; form < MAX_FORMS; form++) {
        this.#storeCarried(words, loops, form);
      }
    }
  }

  /** Stores those flags that a loop's turn began with, if they had that form. */
  #storeCarried(words: FlagWords, loops: Loops, form: number): void {
    const carried = (name: FlagName): Val | undefined => {
      const v = words[name];
      return v && loops.carried.get(v)?.[form];
    };
    const names = FLAG_NAMES.filter(carried);
    if (names.length === 0) return;
    this.body.if(loops.isForm(form), () => {
      for (const name of names) this.#storeFlag(name, carried(name)!);
    });
  }

  #storeFlag(name: FlagName, v: Val): void {
    this.body.store(num(FLAG_AT[name]), 0, v, 4);
  }

  // ---- leaving -------------------------------------------------------------------------------

  protected override begin(): void {
    super.begin();
    this.#before = this.snapshot();
    this.#begun = false;
  }

  /** Goes to a record; what is known has been brought to memory. */
  protected goTo(record: Val): void {
    this.body.setLocal(this.destination, record);
    this.body.branch(this.exit);
  }

  protected override enterBlock(head: Val, handler: Val): void {
    this.body.setLocal(this.destination, head);
    this.body.setLocal(this.handler, handler);
    this.body.branch(this.exitToHandler);
  }

  /** Code that calls nobody needs no room for what calls would overwrite, and so much less of it. */
  protected override bailOut(): boolean {
    if (this.#depth > 0 || this.#begun || this.unit.isSlow(this.record)) return false;
    this.#storeKnown(this.#before);
    this.goTo(num(this.record));
    return true;
  }

  protected override escape(): void {
    this.storeAll();
    this.body.store(num(AT.RECORD), 0, num(this.record), 4);
  }

  protected override publish(): void {
    this.#begun = true;
    if (this.#depth > 0) return this.escape();
    this.#flush();
    this.body.store(num(AT.RECORD), 0, num(this.record), 4);
  }

  protected override leave(): void {
    this.#flush();
  }
}

/** Flag words that may wait: what reads memory is evaluated now. */
function bound(words: FlagWords, evaluate: (v: Val) => Val): FlagWords {
  const entries = Object.entries(words).filter(([, v]) => v !== undefined);
  return Object.fromEntries(entries.map(([name, v]) => [name, readsMemory(v) ? evaluate(v) : v]));
}
