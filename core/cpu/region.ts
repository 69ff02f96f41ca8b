/**
 * The shape of compiled functions: a block with the blocks that only it leads to, by jumps, tables
 * or likely returns; a jump back to one on the way becomes a loop; other blocks of the unit are
 * reached by tail calls.
 * @module
 */

import { Compiler } from "./compiler.ts";
import { type FlagForm, FlagForms, formOfFlags } from "./flag_forms.ts";
import type { Insn } from "./insn.ts";
import { eq, eqz, load32, local, ne, num, readsMemory, type Val } from "./ir.ts";
import { Loops } from "./loop.ts";
import { BudgetCheck } from "./metered.ts";
import { REC, shapeOf } from "./record.ts";
import { type Turns, turnsOf } from "./turns.ts";
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
  if (straight.forms.size === 0) return straight.body;
  const looping = new Region(unit, root, straight);
  looping.writeFunction();
  return looping.body;
}

/** Writes the function of one block. */
class Region extends Compiler {
  readonly #root: CompilableBlock;
  /** EIPs of the blocks on the way from the root to here. */
  readonly #path = new Set<number>();
  /** EIP of the block at hand. */
  #here = 0;
  #written = 0;
  /** While a loop of one block is written several times over. */
  #turns: Turns | undefined;
  /** Labels of the headers on the way from the root to here. */
  readonly #labels = new Map<number, number>();
  /** Absent in the first reading, which finds out what loops there are. */
  protected override readonly loops: Loops | undefined;
  /** The flags at the jumps back to each header. */
  readonly forms: Map<number, FlagForms> = new Map();

  constructor(unit: Unit, root: CompilableBlock, first?: Region) {
    super(unit, new FunctionBody(blockFunction(root.head)));
    this.#root = root;
    this.loops = first && new Loops(this.body, first, first.forms);
  }

  writeFunction(): void {
    this.body.block((known) => {
      this.exitToHandler = known;
      this.body.block((exit) => {
        this.exit = exit;
        this.resume();
        const { loops } = this;
        loops?.begin();
        const endLook = loops?.has(this.#root.eip) ? () => {} : this.look(this.#root);
        this.#block(this.#root);
        endLook();
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

  #header(block: CompilableBlock, loops: Loops): void {
    if (block !== this.#root) this.#meet(block.eip, loops);
    this.body.loop((label) => {
      this.#labels.set(block.eip, label);
      this.known = loops.knowledge(block.eip, this.known.calls);
      const endLook = this.look(block);
      const turns = turnsOf(block);
      if (turns === 1) this.#straight(block);
      else this.#unrolled(block, loops, turns);
      endLook();
    });
    this.#labels.delete(block.eip);
  }

  /** Writes several turns of a block's loop, one behind the other, and once what follows them. */
  #unrolled(block: CompilableBlock, loops: Loops, left: number): void {
    const { calls } = this.known;
    const place = -1 - block.eip;
    loops.place(place);
    this.body.block((out) => {
      this.#turns = { block, left, leave: () => this.#leaveLoop(place, loops, out) };
      this.#straight(block);
      this.#turns = undefined;
    });
    const { check, spent } = this.known;
    this.known = loops.knowledge(place, calls);
    this.known.check = check && new BudgetCheck(check, spent);
    this.proceed();
  }

  #leaveLoop(place: number, loops: Loops, out: number): void {
    this.#meet(place, loops);
    this.body.branch(out);
  }

  /** The end of a turn: another one, or what follows the loop. */
  #endTurn(cond: Val, turns: Turns): void {
    const { block, leave } = turns;
    if (--turns.left > 0) {
      this.#fork(eqz(cond), leave);
      return this.#straight(block);
    }
    this.#fork(cond, () => this.#again(block.eip, REC.TAKEN, block));
    this.#aside(leave);
  }

  /** Some flags are newer than memory, and none is what another loop began with. */
  #flagsAreOwn(): boolean {
    const words = Object.values(this.known.flags);
    return words.length > 0 && !words.some(readsMemory);
  }

  /** Makes everything what is known at a header, or a place where ways meet. */
  #meet(eip: number, loops: Loops): void {
    if (this.#flagsAreOwn()) loops.add(eip, this.known, this.#formOfFlags());
    this.#turn(eip, loops);
  }

  /** Makes everything what a turn of the loop at `eip` begins with. */
  #turn(eip: number, loops: Loops): void {
    loops.turn(eip, this.known, () => this.flushFlags());
    this.settleBudget();
  }

  /** Writes a block's instructions and, behind the last, what they lead to. */
  #straight({ insns, count, head, eip }: CompilableBlock): void {
    this.#here = eip;
    this.enter(count, eip);
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
    if (this.#turns) return this.#endTurn(cond, this.#turns);
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
    const record = this.record, here = this.#here;
    const after = this.snapshot();
    this.later.push(after);
    write();
    this.later.pop();
    this.known = after;
    this.insn = insn;
    this.shape = shape;
    this.record = record;
    this.#here = here;
  }

  override jumpTo(eip: Val): void {
    const target = this.let(eip);
    this.later.push({ ...this.known, registers: [target], flags: {} });
    if (this.insn.row.mnemonic === "ret") this.#tryCallers(target);
    else this.#tryCases(target, this.unit.blocks.get(this.#here)!.cases);
    this.later.pop();
    super.jumpTo(target);
  }

  /** Goes to the caller that the return address is of, if that is a likely one. */
  #tryCallers(target: Val): void {
    let guesses = MAX_CALLERS;
    for (const caller of this.#callers()) {
      // What has no function, and no room here, is the jump cache's business.
      if (guesses === 0 || !this.#isAtHand(caller)) continue;
      guesses--;
      this.#fork(eq(target, num(caller)), () => {
        this.known.calls = this.known.calls.slice(0, -1);
        this.#go(caller, undefined, true);
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
        this.#aside(() => this.#go(eip, undefined, true));
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

  /**
   * Goes on at `eip`: in this function, in another of the unit, or outside.
   * @param link of the record, to that block and no other; without one the jump cache leads there
   */
  #go(eip: number, link: number | undefined, near: boolean): void {
    if (!near) return this.jumpTo(num(eip));
    const block = this.unit.blocks.get(eip);
    if (block && this.#path.has(eip)) return this.#again(eip, link, block);
    if (block && this.#belongsHere(block)) return this.#block(block);
    this.#exit(eip, link, block);
  }

  #exit(eip: number, link: number | undefined, block: CompilableBlock | undefined): void {
    if (block?.root) {
      this.leave();
      this.body.tailCall(blockFunction(block.head), num(block.head));
    } else if (link === undefined) super.jumpTo(num(eip));
    else {
      this.leave();
      this.follow(num(eip), num(this.record + link));
    }
  }

  #belongsHere(block: CompilableBlock): boolean {
    return this.#written + block.insns.length <= MAX_FUNCTION &&
      (block.entries === 1 || block.insns.length <= SMALL);
  }

  /** Jumps back to a block on the way here. */
  #again(eip: number, link: number | undefined, block: CompilableBlock): void {
    const label = this.#labels.get(eip);
    if (this.loops && label !== undefined) {
      this.#turn(eip, this.loops);
      return this.body.branch(label);
    }
    this.#noteForm(eip);
    this.#exit(eip, link, block);
  }

  #noteForm(eip: number): void {
    let forms = this.forms.get(eip);
    if (!forms) this.forms.set(eip, forms = new FlagForms());
    if (Object.keys(this.known.flags).length === 0) return;
    forms.note(this.#formOfFlags(), this.#path.size - [...this.#path].indexOf(eip));
  }

  #formOfFlags(): FlagForm {
    return formOfFlags(this.known, (n) => this.locals.typeOf(n));
  }
}
