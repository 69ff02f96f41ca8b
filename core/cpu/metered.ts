/**
 * How compiled code keeps the budget of instructions: it looks whether there are enough for the
 * longest way to the next look, and takes off what it has run when somebody can see it.
 * @module
 */

import { add, local, ltS, num, sub, type Val } from "./ir.ts";
import { KnownFlags } from "./known_flags.ts";
import { word } from "./lookups.ts";
import type { Knowledge } from "./loop.ts";
import { AT } from "./state.ts";
import type { CompilableBlock } from "./unit.ts";

/** A look at the budget, for all ways from there to the next one or out of the function. */
export class BudgetCheck {
  /** Instructions on the longest of them. */
  longest = 0;
  readonly #before: BudgetCheck | undefined;
  readonly #spent: number;

  /** @param before the look itself, if this is a place `spent` instructions behind it */
  constructor(before?: BudgetCheck, spent: number = 0) {
    this.#before = before;
    this.#spent = spent;
  }

  /** There is a way of so many instructions. */
  need(instructions: number): void {
    this.longest = Math.max(this.longest, instructions);
    this.#before?.need(this.#spent + instructions);
  }
}

/** The half of the second tier that counts instructions. */
export abstract class Metered extends KnownFlags {
  /** Local of the budget left when it was looked at last. */
  protected abstract readonly budget: number;
  /** Brings memory up to date. */
  protected abstract storeAll(): void;

  /** The budget left behind the blocks entered so far. */
  protected budgetOf({ spent }: Knowledge): Val {
    return sub(local(this.budget), num(spent));
  }

  /** Where a function begins, or somebody outside may have changed the budget. */
  protected override resume(): void {
    this.body.setLocal(this.budget, add(word(AT.BUDGET), num(this.known.spent)));
    this.known.check = undefined;
  }

  /** Where a loop begins anew. */
  protected settleBudget(): void {
    if (this.known.spent > 0) this.body.setLocal(this.budget, this.budgetOf(this.known));
  }

  /**
   * Stops in front of a block unless the budget is enough for all that comes up to the next look.
   * @returns what must be called when all that has been written
   */
  protected look({ head, eip }: CompilableBlock): () => void {
    const check = new BudgetCheck();
    const limit = this.body.ifBelow(this.budget, () => {
      this.body.store(num(AT.SHORT), 0, num(head), 4);
      this.#stop(eip);
    });
    this.known.check = check;
    return () => limit(check.longest);
  }

  /** Takes a block's instructions off the budget; where no look vouches for them, looks or stops. */
  protected enter(count: number, eip: number): void {
    const { known } = this;
    const { check } = known;
    if (check) check.need(known.spent + count);
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
}
