/**
 * The second tier's reading of the semantics: {@link X} in constant mode. A block becomes a function
 * together with the blocks that only it leads to; a jump back to its start becomes a loop. Operands
 * are constants, and registers, flags and budget are kept in locals from instruction to instruction.
 *
 * They reach memory only where somebody can look: before a call and where the function ends. A
 * register's new value gets a local of its own, so an expression over old values stays right; locals
 * nobody refers to any more are used again.
 * @module
 */

import { Emitter, word } from "./emitter.ts";
import { type Insn, KIND } from "./insn.ts";
import {
  add,
  and,
  eq,
  eqz,
  local,
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
import {
  FLAG_AT,
  FLAG_NAMES,
  type FlagName,
  type Knowledge,
  Loops,
  type Shape as FlagShape,
  shapeOfFlags,
} from "./loop.ts";
import { REC, type Shape, shapeOf } from "./record.ts";
import { parityOf } from "./sem/flags.ts";
import type { Sites } from "./sites.ts";
import { AT, SEG, SS, TLB } from "./state.ts";
import { type Callee, FunctionBody, HANDLER_TYPE, I32 } from "./wasm.ts";
import type { FlagWords } from "./x.ts";

/** A block to compile: its head record and its instructions. */
export interface CompilableBlock {
  readonly head: number;
  readonly eip: number;
  readonly insns: readonly Insn[];
  /** Instructions before the one that TypeScript executes, if the block ends with such. */
  readonly count: number;
  /** Jumps of the unit that lead to it. */
  entries: number;
  /**
   * It has a function of its own in this unit; others are only part of those that lead to them. At
   * first: it may have one, since it has none in another unit.
   */
  root: boolean;
}

/** What a unit of blocks shares. */
export interface Unit {
  readonly mode: number;
  /** Linear base of the code segment. */
  readonly base: number;
  /** Index of the TLB bank. */
  readonly bank: number;
  /** The guest changes the instruction's immediate: it is read from the record. */
  readonly isPatched: (insn: Insn) => boolean;
  /** The unit's blocks by EIP. */
  readonly blocks: ReadonlyMap<number, CompilableBlock>;
  /** Sites of memory accesses. */
  readonly sites: Sites;
  /** Where calls of an EIP return to. */
  readonly returns: Map<number, number[]>;
}

/** Name of a compiled block in its module. */
function blockFunction(head: number): Callee {
  return { ...HANDLER_TYPE, name: `b${head}` };
}

/** Instructions of the largest function. */
const MAX_FUNCTION = 96;
/** A block of this many instructions is worth repeating in each function that leads to it. */
export const SMALL = 6;

/** Callers that a return is compared with. */
const MAX_CALLERS = 3;
const AND = 0x71;
/** Bits of all registers. */
const ALL = 0xff;

/** Writes the function of one block. */
export class Compiler extends Emitter {
  override readonly body: FunctionBody;
  readonly #unit: Unit;
  readonly #root: CompilableBlock;
  protected override insn!: Insn;
  protected override shape!: Shape;
  #record = 0;
  protected override readonly bank: Val;
  protected override readonly mode: Val;
  #known: Knowledge = { registers: new Array(8), dirty: 0, flags: {}, calls: [] };
  /** What is known where code that is still to come goes on. */
  readonly #later: Knowledge[] = [];
  /** Free locals and all locals of each type. */
  readonly #free = new Map<number, number[]>();
  readonly #locals: { readonly index: number; readonly type: number }[] = [];
  /** Depth of conditional code inside an instruction. */
  #depth = 0;
  /** The conditional code has written flags to memory; registers, as bits. */
  #flushed = false;
  #stored = 0;
  /** Budget left. */
  readonly #budget: number;
  /** EIPs of the blocks on the way from the root to here. */
  readonly #path = new Set<number>();
  #written = 0;
  /** Registers that occur, as bits. */
  #used = 0;
  /** Labels of the headers on the way from the root to here. */
  readonly #labels = new Map<number, number>();
  /** What the loops keep in locals; absent in the first reading, which finds it out. */
  readonly #loop: Loops | undefined;
  /** The flags at the first jump back to each header. */
  readonly #shapes = new Map<number, FlagShape>();
  /** Flag words read from memory. */
  readonly #flagsRead = new Set<FlagName>();

  private constructor(unit: Unit, root: CompilableBlock, first?: Compiler) {
    super();
    this.#unit = unit;
    this.#root = root;
    this.body = new FunctionBody(blockFunction(root.head));
    this.bank = num(TLB.BASE + unit.bank * TLB.BANK_BYTES);
    this.mode = num(unit.mode);
    this.#budget = this.body.local();
    if (!first) return;
    this.#loop = new Loops(this.body, first.#used, first.#shapes, first.#flagsRead);
  }

  /** The function of `root`. It is written twice if it jumps back: what is used must be known first. */
  static compile(unit: Unit, root: CompilableBlock): FunctionBody {
    const straight = new Compiler(unit, root);
    straight.#function();
    if (straight.#shapes.size === 0) return straight.body;
    const looping = new Compiler(unit, root, straight);
    looping.#function();
    return looping.body;
  }

  #function(): void {
    this.body.setLocal(this.#budget, word(AT.BUDGET));
    this.#loop?.begin();
    this.#block(this.#root);
  }

  /** Writes a block, as a loop if something jumps back to it, and what it leads to. */
  #block(block: CompilableBlock): void {
    this.#path.add(block.eip);
    this.#written += block.insns.length;
    if (this.#loop?.has(block.eip)) this.#header(block, this.#loop);
    else this.#straight(block);
    this.#path.delete(block.eip);
  }

  #header(block: CompilableBlock, loop: Loops): void {
    if (block !== this.#root) loop.turn(block.eip, this.#known, () => this.#flushFlags());
    this.body.loop((label) => {
      this.#labels.set(block.eip, label);
      this.#known = loop.knowledge(block.eip, this.#known.calls);
      this.#straight(block);
    });
    this.#labels.delete(block.eip);
  }

  /** Writes a block's instructions and, behind the last, what they lead to. */
  #straight({ insns, count, head, eip }: CompilableBlock): void {
    this.#enter(count, eip);
    let record = head + REC.STRIDE;
    for (let n = 0; n < count; n++, record += REC.STRIDE) {
      this.#instruction(insns[n]!, record);
    }
    const last = insns[insns.length - 1]!;
    if (count < insns.length) {
      this.leave();
      this.body.dispatch(num(record));
    } else if (!last.row.branch) {
      this.#record = record;
      this.#go(last.next, REC.TAKEN, this.#samePage(last.next, last.pc));
    }
  }

  #samePage(a: number, b: number): boolean {
    const { base } = this.#unit;
    return ((base + a) ^ (base + b)) >>> 12 === 0;
  }

  /** Takes the block's instructions off the budget, or stops in front of it. */
  #enter(count: number, eip: number): void {
    const rest = this.temporary();
    this.body.setLocal(rest, sub(local(this.#budget), num(count)));
    this.body.if(ltS(local(rest), num(0)), () => this.#stop(eip), undefined, false);
    this.body.setLocal(this.#budget, local(rest));
  }

  #stop(eip: number): void {
    this.#storeAll();
    this.body.store(num(AT.EIP), 0, num(eip), 4);
    this.body.return();
  }

  #instruction(insn: Insn, record: number): void {
    this.insn = insn;
    this.shape = shapeOf(insn, this.#unit.mode, this.#unit.base, false);
    this.#record = record;
    this.begin();
    insn.row.sem!(this);
    this.#release();
  }

  // ---- locals --------------------------------------------------------------------------------

  protected override temporary(type: number = I32): number {
    const free = this.#free.get(type)?.pop();
    if (free !== undefined) return free;
    const index = this.body.local(type);
    this.#locals.push({ index, type });
    return index;
  }

  #typeOf(index: number): number {
    return this.#locals.find((each) => each.index === index)?.type ?? I32;
  }

  protected override site(segment: number, write: boolean): number | undefined {
    return this.#unit.sites.next(this.#unit.bank, write, segment === SS);
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
    for (const { registers, flags } of [this.#known, ...this.#later]) {
      for (const register of registers) mark(register);
      for (const v of Object.values(flags)) mark(v);
    }
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
    const pending = this.#snapshot();
    const outerFlushed = this.#flushed, outerStored = this.#stored;
    this.#flushed = false;
    this.#stored = 0;
    this.#depth++;
    this.body.if(cond, then, () => {
      if (this.#flushed) this.#storeFlags(pending.flags);
      this.#storeRegisters(pending, this.#stored);
      otherwise?.();
    });
    this.#depth--;
    const inner = this.#depth > 0;
    this.#flushed = inner && (outerFlushed || this.#flushed);
    this.#stored = inner ? outerStored | this.#stored : 0;
  }

  #snapshot(): Knowledge {
    const { registers, dirty, flags, calls } = this.#known;
    return { registers: [...registers], dirty, flags, calls };
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
    return this.#unit.isPatched(insn) ? this.let(word(this.#record + REC.IMM)) : num(insn.imm);
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
    this.#used |= 1 << register;
    const known = this.#known.registers[register];
    if (known) return known;
    if (this.#depth > 0) return word(register * 4);
    return this.#known.registers[register] = this.let(word(register * 4));
  }

  override setReg(register: number, v: Val, size: 1 | 2 | 4 = 4): void {
    const high = size === 1 && register >= 4;
    const number = high ? register - 4 : register;
    this.#used |= 1 << number;
    const value = this.let(size === 4 ? v : merged(this.#whole(number), v, size, high));
    if (this.#depth === 0) {
      this.#known.registers[number] = value;
      this.#known.dirty |= 1 << number;
      return;
    }
    this.body.store(num(number * 4), 0, value, 4);
    this.#known.registers[number] = undefined;
    this.#known.dirty &= ~(1 << number);
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
      const { less: _, ...kept } = this.#known.flags;
      this.#known.flags = { ...kept, ...bound(words, (v) => this.let(v)) };
    } else {
      this.#flushFlags();
      this.#storeFlags(words);
    }
  }

  /** Brings flags in memory up to date. In conditional code the other branch follows suit: see `if`. */
  #flushFlags(): void {
    this.#storeFlags(this.#known.flags);
    this.#known.flags = {};
    this.#flushed = true;
  }

  /** Brings memory up to date. */
  #flush(): void {
    this.#storeAll();
    this.#known.flags = {};
    this.#known.dirty = 0;
  }

  #storeAll(): void {
    this.#storeFlags(this.#known.flags);
    this.#storeRegisters(this.#known, ALL);
    this.body.store(num(AT.BUDGET), 0, local(this.#budget), 4);
  }

  #storeFlags(words: FlagWords): void {
    const put = (wanted: boolean): void => {
      for (const name of FLAG_NAMES) {
        const v = words[name];
        if (!v) continue;
        const carried = this.#loop?.carried.get(v);
        if ((carried !== undefined) !== wanted) continue;
        this.body.store(num(FLAG_AT[name]), 0, carried ?? v, 4);
      }
    };
    put(false);
    const { first, carried } = this.#loop ?? {};
    if (first === undefined || !FLAG_NAMES.some((name) => carried!.has(words[name]!))) return;
    this.body.if(eqz(local(first)), () => put(true));
  }

  #flag(name: FlagName): Val {
    const known = this.#known.flags[name];
    if (!known) this.#flagsRead.add(name);
    return known ?? word(FLAG_AT[name]);
  }

  override get carry(): Val {
    return ltU(this.#flag("ca"), this.#flag("cb"));
  }

  override get zero(): Val {
    return eqz(this.#flag("fr"));
  }

  override get parity(): Val {
    return parityOf(
      this.#plain ? this.#flag("fr") : xor(this.#flag("fr"), shr(this.#flag("fx"), num(8))),
    );
  }

  override get adjust(): Val {
    return and(shr(xor(this.#flag("fx"), this.#flag("fr")), num(4)), num(1));
  }

  override get sign(): Val {
    return this.#plain ? this.#flag("fr") : xor(this.#flag("fr"), this.#flag("fx"));
  }

  /** FX is known to hold nothing but AF: PF and SF follow from FR alone. */
  get #plain(): boolean {
    const fx = this.#known.flags.fx;
    if (!fx) return false;
    const mask = fx.op === OP.I32_CONST ? fx.n : fx.b?.op === OP.I32_CONST ? fx.b.n : -1;
    return (fx.op === OP.I32_CONST || fx.op === AND) && (mask & ~16) === 0;
  }

  override get less(): Val {
    return this.#known.flags.less ?? ltS(xor(this.sign, this.overflow), num(0));
  }

  override get overflow(): Val {
    return this.#flag("fo");
  }

  // ---- leaving -------------------------------------------------------------------------------

  protected override escape(): void {
    this.#storeAll();
    this.body.store(num(AT.RECORD), 0, num(this.#record), 4);
  }

  protected override publish(): void {
    if (this.#depth > 0) return this.escape();
    this.#flush();
    this.body.store(num(AT.RECORD), 0, num(this.#record), 4);
  }

  protected override resume(): void {
    this.body.setLocal(this.#budget, word(AT.BUDGET));
  }

  protected override leave(): void {
    this.#flush();
  }

  override jump(): void {
    const { row, next } = this.insn;
    if (row.mnemonic === "call") this.#known.calls = [...this.#known.calls, next];
    this.#go(this.insn.target, REC.TAKEN, this.shape.nearTarget);
  }

  override jumpIf(cond: Val): void {
    const { insn, shape } = this;
    this.#fork(cond, () => this.#go(insn.target, REC.TAKEN, shape.nearTarget));
    this.proceed();
  }

  override proceed(): void {
    this.#go(this.insn.next, REC.FALL, this.shape.nearNext);
  }

  /** Writes what happens if `cond`, which ends elsewhere; then goes on as before. */
  #fork(cond: Val, then: () => void): void {
    const { insn, shape } = this;
    const record = this.#record;
    const after = this.#snapshot();
    this.#later.push(after);
    this.body.if(cond, then);
    this.#later.pop();
    this.#known = after;
    this.insn = insn;
    this.shape = shape;
    this.#record = record;
  }

  override jumpTo(eip: Val): void {
    const target = this.let(eip);
    if (this.insn.row.mnemonic === "ret") {
      this.#later.push({ registers: [target], dirty: 0, flags: {}, calls: [] });
      for (const caller of this.#callers()) {
        this.#fork(eq(target, num(caller)), () => {
          this.#known.calls = this.#known.calls.slice(0, -1);
          this.#go(caller, REC.TAKEN, true);
        });
      }
      this.#later.pop();
    }
    super.jumpTo(target);
  }

  /** Where a return here probably goes to, as far as the unit has it. */
  #callers(): number[] {
    const { calls } = this.#known;
    const likely = calls.length ? [calls[calls.length - 1]!] : [];
    for (const caller of this.#unit.returns.get(this.#root.eip) ?? []) {
      if (likely.length < MAX_CALLERS && !likely.includes(caller)) likely.push(caller);
    }
    return likely.filter((each) => {
      const block = this.#unit.blocks.get(each);
      return block && (block.root || this.#belongsHere(block));
    });
  }

  /** Goes on at `eip`: in this function, in another of the unit, or outside. */
  #go(eip: number, link: number, near: boolean): void {
    if (!near) return this.jumpTo(num(eip));
    const block = this.#unit.blocks.get(eip);
    if (block && this.#path.has(eip)) return this.#again(eip, block);
    if (block && this.#belongsHere(block)) return this.#block(block);
    this.#exit(eip, link, block);
  }

  #exit(eip: number, link: number, block: CompilableBlock | undefined): void {
    this.leave();
    if (block?.root) this.body.tailCall(blockFunction(block.head), num(block.head));
    else this.follow(num(eip), num(this.#record + link));
  }

  #belongsHere(block: CompilableBlock): boolean {
    return this.#written + block.insns.length <= MAX_FUNCTION &&
      (block.entries === 1 || block.insns.length <= SMALL);
  }

  /** Jumps back to a block on the way here. */
  #again(eip: number, block: CompilableBlock): void {
    const label = this.#labels.get(eip);
    if (this.#loop && label !== undefined) {
      this.#loop.turn(eip, this.#known, () => this.#flushFlags());
      return this.body.branch(label);
    }
    if (!this.#shapes.has(eip)) {
      this.#shapes.set(eip, shapeOfFlags(this.#known, (n) => this.#typeOf(n)));
    }
    this.#exit(eip, REC.TAKEN, block);
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
  const entries = Object.entries(words).filter(([, v]) => v !== undefined);
  return Object.fromEntries(entries.map(([name, v]) => [name, readsMemory(v) ? evaluate(v) : v]));
}

function readsMemory(v: Val): boolean {
  if (v.op >= OP.LOAD && v.op <= 0x35) return true;
  return [v.a, v.b, v.c].some((part) => part !== undefined && readsMemory(part));
}
