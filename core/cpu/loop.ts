/**
 * What a compiled loop keeps in locals from one turn to the next: registers, and the flags that the
 * last turn left behind.
 * @module
 */

import {
  FLAG_AT,
  FLAG_NAMES,
  type FlagForm,
  type FlagForms,
  type FlagName,
  matchForm,
  MAX_FORMS,
} from "./flag_forms.ts";
import { eq, load32, local, num, OP, select, substitute, type Val } from "./ir.ts";
import type { BudgetCheck } from "./metered.ts";
import { type FunctionBody, I32 } from "./wasm.ts";
import type { FlagWords } from "./x.ts";

/** What is known at one point of a function. */
export interface Knowledge {
  /** Values of general registers: a local or a constant; undefined = in memory only. */
  registers: (Val | undefined)[];
  /** Registers, as bits, that are newer than memory. */
  dirty: number;
  /** Flag words that are newer than memory. */
  flags: FlagWords;
  /** Return addresses of the calls on the way here, the last one last. */
  calls: readonly number[];
  /** Instructions of blocks entered that are not yet taken off the budget in its local. */
  spent: number;
  /** What has made sure that it is enough for them; nothing if it may have changed since. */
  check: BudgetCheck | undefined;
}

/** The flags that one loop of the function may begin with, unless they are in memory. */
interface Header {
  readonly forms: FlagForm[];
  /** Locals of each form's leaves. */
  readonly leaves: (readonly number[])[];
}

/** What the first reading of a function finds out. */
export interface Findings {
  /** Registers that occur, and those of them that are written, as bits. */
  readonly used: number;
  readonly assigned: number;
  /** Flag words that are read from memory. */
  readonly flagsRead: ReadonlySet<FlagName>;
}

/** What a function's loops keep in locals. */
export class Loops {
  readonly #body: FunctionBody;
  readonly #registers: (number | undefined)[];
  readonly #assigned: number;
  readonly #headers = new Map<number, Header>();
  /** Words that some loop reads before it sets them: their values are kept. */
  readonly #values: ReadonlyMap<FlagName, number>;
  /** The form of the flags that a turn begins with: its number in the header, from 1; 0 = in memory. */
  readonly #form: number;
  /** By what {@link knowledge} says of a flag: what it is in each form, nothing where in memory. */
  readonly carried: Map<Val, readonly (Val | undefined)[]> = new Map();

  /**
   * @param found what the function does
   * @param forms of the flags at the ways back to each header
   */
  constructor(body: FunctionBody, found: Findings, forms: ReadonlyMap<number, FlagForms>) {
    const { used, assigned, flagsRead } = found;
    this.#assigned = assigned;
    this.#body = body;
    this.#registers = Array.from(
      { length: 8 },
      (_, n) => used >> n & 1 ? body.local() : undefined,
    );
    this.#form = body.local(I32);
    this.#values = new Map([...flagsRead].map((name) => [name, body.local()]));
    for (const [eip, { best }] of forms) {
      const leaves = best.map((form) => this.#leavesOf(form));
      this.#headers.set(eip, { forms: best, leaves });
    }
  }

  #leavesOf({ leaves }: FlagForm): number[] {
    return leaves.map(({ register, type }) => this.#registers[register] ?? this.#body.local(type));
  }

  /** A loop begins at `eip`. */
  has(eip: number): boolean {
    return this.#headers.has(eip);
  }

  /** In front of all loops. */
  begin(): void {
    this.#registers.forEach((index, register) => {
      if (index !== undefined) this.#body.setLocal(index, load32(num(register * 4)));
    });
    for (const [name, index] of this.#values) {
      this.#body.setLocal(index, load32(num(FLAG_AT[name])));
    }
    this.#body.setLocal(this.#form, num(0));
  }

  /**
   * A place where ways meet, as they do at a header.
   * @param key unlike all EIPs
   */
  place(key: number): void {
    this.#headers.set(key, { forms: [], leaves: [] });
  }

  /** One more form that the flags may have where the loop at `eip` is entered. */
  add(eip: number, known: Knowledge, form: FlagForm): void {
    const { forms, leaves } = this.#headers.get(eip)!;
    if (forms.length >= MAX_FORMS || this.#formOf(forms, known).number > 0) return;
    forms.push(form);
    leaves.push(this.#leavesOf(form));
  }

  /** At the top of the loop whose header lies at `eip`. */
  knowledge(eip: number, calls: readonly number[]): Knowledge {
    const header = this.#headers.get(eip)!;
    const flags: FlagWords = {};
    for (const name of FLAG_NAMES) {
      const value = this.#values.get(name);
      const v = value === undefined ? this.#eitherOf(name, header) : local(value);
      if (v) flags[name] = v;
    }
    const registers = this.#registers.map((n) => n === undefined ? undefined : local(n));
    return { registers, dirty: this.#assigned, flags, calls, spent: 0, check: undefined };
  }

  /** A flag word at the top of a loop, if it may be newer than memory. */
  #eitherOf(name: FlagName, { forms, leaves }: Header): Val | undefined {
    const carried = forms.map(({ flags }, n) => {
      const v = flags[name];
      return v && substitute(v, (leaf) => local(leaves[n]![leaf]!));
    });
    if (carried.every((v) => v === undefined)) return undefined;
    const either = carried.reduce<Val>(
      (other, v, n) => v ? select(this.isForm(n), v, other) : other,
      load32(num(FLAG_AT[name])),
    );
    this.carried.set(either, carried);
    return either;
  }

  /** The flags that a turn begins with are of the form of that number, counted from 0. */
  isForm(n: number): Val {
    return eq(local(this.#form), num(n + 1));
  }

  /**
   * Makes the present values those that a turn of the loop at `eip` begins with.
   * @param flush brings the flags in memory up to date
   */
  turn(eip: number, known: Knowledge, flush: () => void): void {
    const { forms, leaves } = this.#headers.get(eip)!;
    const { number, found } = this.#formOf(forms, known);
    const moves: [number, Val][] = [[this.#form, num(number)]];
    const move = (to: number, v: Val): void => {
      if (v.op !== OP.LOCAL || v.n !== to) moves.push([to, v]);
    };
    for (const [name, index] of this.#values) {
      move(index, known.flags[name] ?? load32(num(FLAG_AT[name])));
    }
    if (number === 0) flush();
    this.#registers.forEach((index, register) => {
      if (index !== undefined) move(index, known.registers[register] ?? load32(num(register * 4)));
    });
    found.forEach((index, leaf) => {
      const { register } = forms[number - 1]!.leaves[leaf]!;
      if (register < 0) move(leaves[number - 1]![leaf]!, local(index));
    });
    // All are read before any is written: a value may be another one's old local.
    for (const [, v] of moves) this.#body.expr(v);
    for (const [to] of moves.reverse()) this.#body.assign(to);
  }

  /** Number of the form that the flags have, from 1, and the locals behind its leaves; 0 = none. */
  #formOf(
    forms: readonly FlagForm[],
    known: Knowledge,
  ): { readonly number: number; readonly found: readonly number[] } {
    for (const [n, form] of forms.entries()) {
      const found = matchForm(form, known, (name) => this.#values.has(name));
      if (found) return { number: n + 1, found };
    }
    return { number: 0, found: [] };
  }
}
