/**
 * The second tier's reading of the semantics: {@link X} in constant mode. A block becomes one
 * function; operands are constants, and registers and flags are kept in locals between instructions.
 *
 * Registers are written through to memory. Flags reach memory only where somebody can look: before a
 * call and at the end of the block. A register's new value gets a local of its own, so an expression
 * over old values stays right; locals nobody refers to any more are used again.
 * @module
 */

import { Emitter, word } from "./emitter.ts";
import { type Insn, KIND } from "./insn.ts";
import {
  add,
  and,
  eqz,
  ltS,
  ltU,
  num,
  OP,
  or,
  shl,
  shr,
  sub,
  unsigned,
  type Val,
  xor,
} from "./ir.ts";
import { REC, type Shape, shapeOf } from "./record.ts";
import { parityOf } from "./sem/flags.ts";
import { AT, SEG, TLB } from "./state.ts";
import { type Callee, FunctionBody, HANDLER_TYPE, I32 } from "./wasm.ts";
import type { FlagWords } from "./x.ts";

/** What a unit of blocks shares. */
export interface Unit {
  readonly mode: number;
  /** Linear base of the code segment. */
  readonly base: number;
  /** Index of the TLB bank. */
  readonly bank: number;
  /** Immediates may be patched: they are read from the records. */
  readonly watched: boolean;
  /** Head record of the unit's block at an EIP, 0 when the unit has none there. */
  headAt(eip: number): number;
}

/** Name of a compiled block in its module. */
export function blockFunction(head: number): Callee {
  return { ...HANDLER_TYPE, name: `b${head}` };
}

const FLAG_WORDS = ["ca", "cb", "fr", "fo", "fx", "less"] as const;
const AND = 0x71;

/** Writes the function of one block, instruction by instruction. */
export class Compiler extends Emitter {
  override readonly body: FunctionBody;
  readonly #unit: Unit;
  /** Set by {@link instruction}. */
  protected override insn!: Insn;
  protected override shape!: Shape;
  #record = 0;
  protected override readonly bank: Val;
  protected override readonly mode: Val;
  /** Values of general registers that are known: a local or a constant. */
  readonly #registers: (Val | undefined)[] = new Array(8);
  /** Flag words that are newer than memory. */
  #flags: FlagWords = {};
  /** Free locals and all locals of each type. */
  readonly #free = new Map<number, number[]>();
  readonly #locals: { readonly index: number; readonly type: number }[] = [];
  /** Depth of conditional code inside an instruction. */
  #depth = 0;
  /** The conditional code has written flags to memory. */
  #flushed = false;

  /** @param head record of the block */
  constructor(unit: Unit, head: number) {
    super();
    this.#unit = unit;
    this.body = new FunctionBody(blockFunction(head));
    this.bank = num(TLB.BASE + unit.bank * TLB.BANK_BYTES);
    this.mode = num(unit.mode);
  }

  /** Takes the block's instructions off the budget, or stops in front of it. */
  enter(count: number, eip: number): void {
    const rest = this.let(sub(word(AT.BUDGET), num(count)));
    this.body.if(ltS(rest, num(0)), () => this.#stop(eip));
    this.body.store(num(AT.BUDGET), 0, rest, 4);
  }

  #stop(eip: number): void {
    this.body.store(num(AT.EIP), 0, num(eip), 4);
    this.body.return();
  }

  /** Writes one instruction. */
  instruction(insn: Insn, record: number): void {
    this.insn = insn;
    this.shape = shapeOf(insn, this.#unit.mode, this.#unit.base, false);
    this.#record = record;
    this.begin();
    insn.row.sem!(this);
    this.#release();
  }

  /** Ends the block in front of an instruction that TypeScript executes. */
  complex(record: number, eip: number): void {
    this.leave();
    this.body.store(num(AT.COMPLEX), 0, num(record), 4);
    this.#stop(eip);
  }

  // ---- locals --------------------------------------------------------------------------------

  protected override temporary(type: number = I32): number {
    const free = this.#free.get(type)?.pop();
    if (free !== undefined) return free;
    const index = this.body.local(type);
    this.#locals.push({ index, type });
    return index;
  }

  /** After an instruction: locals that no register and no pending flag refers to are free. */
  #release(): void {
    const live = new Set<number>();
    const mark = (v: Val | undefined): void => {
      if (!v) return;
      if (v.op === OP.LOCAL) live.add(v.n);
      mark(v.a);
      mark(v.b);
      mark(v.c);
    };
    for (const register of this.#registers) mark(register);
    for (const name of FLAG_WORDS) mark(this.#flags[name]);
    this.#free.clear();
    for (const { index, type } of this.#locals) {
      if (live.has(index)) continue;
      const list = this.#free.get(type);
      if (list) list.push(index);
      else this.#free.set(type, [index]);
    }
  }

  override let(v: Val): Val {
    return v.op === OP.LOCAL || v.op === OP.I32_CONST ? v : super.let(v);
  }

  override if(cond: Val, then: () => void, otherwise?: () => void): void {
    if (cond.op === OP.I32_CONST) {
      if (cond.n) then();
      else otherwise?.();
      return;
    }
    if (otherwise) this.#flush();
    const pending = this.#flags;
    const outer = this.#flushed;
    this.#flushed = false;
    this.#depth++;
    this.body.if(cond, then, () => {
      if (this.#flushed) this.#store(pending);
      otherwise?.();
    });
    this.#depth--;
    this.#flushed = this.#depth > 0 && (outer || this.#flushed);
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
    return this.#unit.watched ? this.let(word(this.#record + REC.IMM)) : num(this.insn.imm);
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
    return unsigned(this.#whole(register), size);
  }

  #whole(register: number): Val {
    const known = this.#registers[register];
    if (known) return known;
    if (this.#depth > 0) return word(register * 4);
    return this.#registers[register] = this.let(word(register * 4));
  }

  override setReg(register: number, v: Val, size: 1 | 2 | 4 = 4): void {
    const high = size === 1 && register >= 4;
    const number = high ? register - 4 : register;
    const value = this.let(size === 4 ? v : merged(this.#whole(number), v, size, high));
    this.body.store(num(number * 4), 0, value, 4);
    this.#registers[number] = this.#depth === 0 ? value : undefined;
  }

  // ---- flags ---------------------------------------------------------------------------------

  override setFlags(words: FlagWords): void {
    if (this.#depth === 0) {
      const { less: _, ...kept } = this.#flags;
      this.#flags = { ...kept, ...bound(words, (v) => this.let(v)) };
    } else {
      this.#flush();
      this.#store(words);
    }
  }

  /** Brings memory up to date. In conditional code the other branch follows suit: see `if`. */
  #flush(): void {
    this.#store(this.#flags);
    this.#flags = {};
    this.#flushed = true;
  }

  #store(words: FlagWords): void {
    const put = (at: number, v: Val | undefined): void => {
      if (v) this.body.store(num(at), 0, v, 4);
    };
    put(AT.CA, words.ca);
    put(AT.CB, words.cb);
    put(AT.FR, words.fr);
    put(AT.FO, words.fo);
    put(AT.FX, words.fx);
  }

  get #fr(): Val {
    return this.#flags.fr ?? word(AT.FR);
  }

  get #fx(): Val {
    return this.#flags.fx ?? word(AT.FX);
  }

  override get carry(): Val {
    return ltU(this.#flags.ca ?? word(AT.CA), this.#flags.cb ?? word(AT.CB));
  }

  override get zero(): Val {
    return eqz(this.#fr);
  }

  override get parity(): Val {
    return parityOf(this.#plain ? this.#fr : xor(this.#fr, shr(this.#fx, num(8))));
  }

  override get adjust(): Val {
    return and(shr(xor(this.#fx, this.#fr), num(4)), num(1));
  }

  override get sign(): Val {
    return this.#plain ? this.#fr : xor(this.#fr, this.#fx);
  }

  /** FX is known to hold nothing but AF: PF and SF follow from FR alone. */
  get #plain(): boolean {
    const fx = this.#flags.fx;
    if (!fx) return false;
    const mask = fx.op === OP.I32_CONST ? fx.n : fx.b?.op === OP.I32_CONST ? fx.b.n : -1;
    return (fx.op === OP.I32_CONST || fx.op === AND) && (mask & ~16) === 0;
  }

  override get less(): Val {
    return this.#flags.less ?? ltS(xor(this.sign, this.overflow), num(0));
  }

  override get overflow(): Val {
    return this.#flags.fo ?? word(AT.FO);
  }

  // ---- leaving -------------------------------------------------------------------------------

  protected override escape(): void {
    this.#store(this.#flags);
    this.body.store(num(AT.RECORD), 0, num(this.#record), 4);
  }

  protected override leave(): void {
    this.#flush();
  }

  override jump(): void {
    this.#go(this.insn.target, REC.TAKEN, this.shape.nearTarget);
  }

  override jumpIf(cond: Val): void {
    this.leave();
    this.body.if(cond, () => this.#go(this.insn.target, REC.TAKEN, this.shape.nearTarget));
    this.#go(this.insn.next, REC.FALL, this.shape.nearNext);
  }

  /** Ends a block that no branch ends, at the jump record behind its last instruction. */
  continueAt(eip: number, record: number, near: boolean): void {
    this.#record = record;
    this.leave();
    this.#go(eip, REC.TAKEN, near);
  }

  #go(eip: number, link: number, near: boolean): void {
    if (!near) return this.jumpTo(num(eip));
    const head = this.#unit.headAt(eip);
    this.leave();
    if (head) this.body.tailCall(blockFunction(head), num(head));
    else this.follow(num(eip), num(this.#record + link));
  }
}

/** `old` with its low word, low byte or second byte replaced. */
function merged(old: Val, v: Val, size: 1 | 2 | 4, high: boolean): Val {
  if (size === 2) return or(and(old, num(0xffff0000)), and(v, num(0xffff)));
  if (!high) return or(and(old, num(0xffffff00)), and(v, num(0xff)));
  return or(and(old, num(0xffff00ff)), shl(and(v, num(0xff)), num(8)));
}

/** Flag words that may wait: what reads memory is evaluated now. */
function bound(words: FlagWords, evaluate: (v: Val) => Val): FlagWords {
  const result: FlagWords = {};
  for (const name of FLAG_WORDS) {
    const v = words[name];
    if (v) result[name] = readsMemory(v) ? evaluate(v) : v;
  }
  return result;
}

function readsMemory(v: Val): boolean {
  if (v.op >= OP.LOAD && v.op <= 0x35) return true;
  return [v.a, v.b, v.c].some((part) => part !== undefined && readsMemory(part));
}
