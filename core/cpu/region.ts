/**
 * The shape of compiled functions: a block with the blocks that only it leads to; a jump back to
 * one on the way becomes a loop; other blocks of the unit are reached by tail calls.
 * @module
 */

import { Compiler } from "./compiler.ts";
import { word } from "./lookups.ts";
import type { Insn } from "./insn.ts";
import { eq, load32, local, ltS, ne, num, type Val } from "./ir.ts";
import { type BudgetCheck, Loops, type Shape as FlagShape, shapeOfFlags } from "./loop.ts";
import { REC, shapeOf } from "./record.ts";
import { AT } from "./state.ts";
import { blockFunction, type CompilableBlock, SMALL, type Unit } from "./unit.ts";
import { FunctionBody } from "./wasm.ts";

/** Instructions of the largest function. */
const MAX_FUNCTION = 40;
/** Callers that a return is compared with. */
const MAX_CALLERS = 3;

/** The function of `root`, written twice if it jumps back: what is used must be known first. */
export function compileRegion(unit: Unit, root: CompilableBlock): FunctionBody {
  const straight = new Region(unit, root);
  straight.writeFunction();
  if (straight.shapes.size === 0) return straight.body;
  const looping = new Region(unit, root, straight);
  looping.writeFunction();
  return looping.body;
}

/** Writes the function of one block. */
class Region extends Compiler {
  readonly #root: CompilableBlock;
  /** EIPs of the blocks on the way from the root to here. */
  readonly #path = new Set<number>();
  /** EIP of the block at hand, up to its jump. */
  #here = 0;
  #written = 0;
  /** Labels of the headers on the way from the root to here. */
  readonly #labels = new Map<number, number>();
  /** Absent in the first reading, which finds out what loops there are. */
  protected override readonly loops: Loops | undefined;
  /** The flags at the jump back to each header that has the shortest way. */
  readonly shapes: Map<number, FlagShape> = new Map();
  /** Blocks on that way. */
  readonly #lengths = new Map<number, number>();

  constructor(unit: Unit, root: CompilableBlock, first?: Region) {
    super(unit, new FunctionBody(blockFunction(root.head)));
    this.#root = root;
    this.loops = first && new Loops(this.body, first, first.shapes);
  }

  writeFunction(): void {
    this.body.block((known) => {
      this.exitToHandler = known;
      this.body.block((exit) => {
        this.exit = exit;
        this.body.setLocal(this.budget, word(AT.BUDGET));
        const { loops } = this;
        loops?.begin();
        if (loops?.has(this.#root.eip)) this.#block(this.#root);
        else this.#withBudget(this.#root, () => this.#block(this.#root));
      });
      this.body.setLocal(this.handler, load32(local(this.destination)));
    });
    this.body.dispatch(local(this.destination), local(this.handler));
  }

  /** Writes a block, as a loop if something jumps back to it, and what it leads to. */
  #block(block: CompilableBlock): void {
    this.#path.add(block.eip);
    this.#written += block.insns.length;
    if (this.loops?.has(block.eip)) this.#header(block, this.loops);
    else this.#straight(block);
    this.#path.delete(block.eip);
  }

  #header(block: CompilableBlock, loop: Loops): void {
    if (block !== this.#root) this.#turn(block.eip, loop);
    this.body.loop((label) => {
      this.#labels.set(block.eip, label);
      this.known = loop.knowledge(block.eip, this.known.calls);
      this.#withBudget(block, () => this.#straight(block));
    });
    this.#labels.delete(block.eip);
  }

  /** Makes everything what a turn of the loop at `eip` begins with. */
  #turn(eip: number, loop: Loops): void {
    loop.turn(eip, this.known, () => this.flushFlags());
    if (this.known.spent > 0) this.body.setLocal(this.budget, this.budgetOf(this.known));
  }

  /** Stops in front of a block unless the budget is enough for all that comes up to the next look. */
  #withBudget({ head, eip }: CompilableBlock, write: () => void): void {
    const check: BudgetCheck = { longest: 0 };
    const limit = this.body.ifBelow(this.budget, () => {
      this.body.store(num(AT.SHORT), 0, num(head), 4);
      this.#stop(eip);
    });
    this.known.check = check;
    write();
    limit(check.longest);
  }

  /** Writes a block's instructions and, behind the last, what they lead to. */
  #straight({ insns, count, head, eip }: CompilableBlock): void {
    this.#here = eip;
    this.#enter(count, eip);
    let record = head + REC.STRIDE;
    for (let n = 0; n < count; n++, record += REC.STRIDE) {
      this.#instruction(insns[n]!, record);
    }
    const last = insns[insns.length - 1]!;
    if (count < insns.length) {
      this.leave();
      this.goTo(num(record));
    } else if (!last.row.branch) {
      this.record = record;
      this.#go(last.next, REC.TAKEN, this.#samePage(last.next, last.pc));
    }
  }

  #samePage(a: number, b: number): boolean {
    const { base } = this.unit;
    return ((base + a) ^ (base + b)) >>> 12 === 0;
  }

  /** Takes the block's instructions off the budget, or stops in front of it. */
  #enter(count: number, eip: number): void {
    const { known } = this;
    const { check } = known;
    if (check) check.longest = Math.max(check.longest, known.spent + count);
    else {
      const tooLittle = ltS(this.budgetOf(known), num(count));
      this.body.if(tooLittle, () => this.#stop(eip), undefined, false);
    }
    known.spent += count;
  }

  #stop(eip: number): void {
    this.storeAll();
    this.body.store(num(AT.EIP), 0, num(eip), 4);
    this.body.return();
  }

  #instruction(insn: Insn, record: number): void {
    this.insn = insn;
    this.shape = shapeOf(insn, this.unit.mode, this.unit.base, false, false);
    this.record = record;
    this.begin();
    insn.row.sem!(this);
    this.release();
  }

  // ---- leaving -------------------------------------------------------------------------------

  override jump(): void {
    const { row, next } = this.insn;
    if (row.mnemonic === "call") this.known.calls = [...this.known.calls, next];
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
    this.#aside(() => this.body.if(cond, then));
  }

  /** Writes what ends elsewhere; then goes on as before. */
  #aside(write: () => void): void {
    const { insn, shape } = this;
    const record = this.record;
    const after = this.snapshot();
    this.later.push(after);
    write();
    this.later.pop();
    this.known = after;
    this.insn = insn;
    this.shape = shape;
    this.record = record;
  }

  override jumpTo(eip: Val): void {
    const target = this.let(eip);
    const cases = this.unit.blocks.get(this.#here)!.cases;
    this.later.push({ ...this.known, registers: [target], flags: {} });
    if (this.insn.row.mnemonic === "ret") this.#tryCallers(target);
    else this.#tryCases(target, cases);
    this.later.pop();
    super.jumpTo(target);
  }

  /** Goes to the caller that the return address is of, if that is a likely one. */
  #tryCallers(target: Val): void {
    let guesses = MAX_CALLERS;
    for (const caller of this.#callers()) {
      // The record's one link is nobody's in particular. What has no function, and no room here
      // any more after the callers before it, is the jump cache's business.
      if (guesses === 0 || !this.#isAtHand(caller)) continue;
      guesses--;
      this.#fork(eq(target, num(caller)), () => {
        this.known.calls = this.known.calls.slice(0, -1);
        this.#go(caller, REC.TAKEN, true);
      });
    }
  }

  /** Branches by the index of a jump table; where another entry stands now than then, goes on. */
  #tryCases(target: Val, cases: readonly number[]): void {
    const targets = [...new Set(cases)].filter((each) => this.#isAtHand(each));
    if (targets.length === 0) return;
    const index = this.reg(this.insn.index);
    const labels = new Map<number, number>();
    this.body.block((other) => {
      const nest = (n: number): void => {
        const eip = targets[n];
        if (eip === undefined) {
          const labelOf = (each: number): number => labels.get(each) ?? other;
          return this.body.branchTable(index, cases.map(labelOf), other);
        }
        this.body.block((label) => {
          labels.set(eip, label);
          nest(n + 1);
        });
        this.body.branch(other, ne(target, num(eip)), false);
        // The cases before it may have left no room.
        if (this.#isAtHand(eip)) this.#aside(() => this.#go(eip, REC.TAKEN, true));
        else this.body.branch(other);
      };
      nest(0);
    });
  }

  /** Where a return here probably goes to, the likeliest first. */
  #callers(): Set<number> {
    return new Set([...this.known.calls.slice(-1), ...this.unit.returns.get(this.#here) ?? []]);
  }

  /** The unit has code for the block at that EIP, or gets it now. */
  #isAtHand(eip: number): boolean {
    const block = this.unit.blocks.get(eip);
    return block !== undefined && (block.root || this.#belongsHere(block));
  }

  /** Goes on at `eip`: in this function, in another of the unit, or outside. */
  #go(eip: number, link: number, near: boolean): void {
    if (!near) return this.jumpTo(num(eip));
    const block = this.unit.blocks.get(eip);
    if (block && this.#path.has(eip)) return this.#again(eip, block);
    if (block && this.#belongsHere(block)) return this.#block(block);
    this.#exit(eip, link, block);
  }

  #exit(eip: number, link: number, block: CompilableBlock | undefined): void {
    this.leave();
    if (block?.root) this.body.tailCall(blockFunction(block.head), num(block.head));
    else this.follow(num(eip), num(this.record + link));
  }

  #belongsHere(block: CompilableBlock): boolean {
    return this.#written + block.insns.length <= MAX_FUNCTION &&
      (block.entries === 1 || block.insns.length <= SMALL);
  }

  /** Jumps back to a block on the way here. */
  #again(eip: number, block: CompilableBlock): void {
    const label = this.#labels.get(eip);
    if (this.loops && label !== undefined) {
      this.#turn(eip, this.loops);
      return this.body.branch(label);
    }
    this.#noteShape(eip);
    this.#exit(eip, REC.TAKEN, block);
  }

  /** Of several ways back, the shortest is probably taken most. */
  #noteShape(eip: number): void {
    const length = this.#path.size - [...this.#path].indexOf(eip);
    if (length >= (this.#lengths.get(eip) ?? Infinity)) return;
    this.#lengths.set(eip, length);
    this.shapes.set(eip, shapeOfFlags(this.known, (n) => this.locals.typeOf(n)));
  }
}
