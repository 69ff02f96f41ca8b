/**
 * What a compiled loop keeps in locals from one turn to the next: registers, and the flags that the
 * last turn left behind.
 * @module
 */

import { load32, local, num, OP, select, type Val } from "./ir.ts";
import { AT } from "./state.ts";
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
}

/** A flag word. */
export type FlagName = "ca" | "cb" | "fr" | "fo" | "fx";

/** Where each flag word lies. */
export const FLAG_AT: Readonly<Record<FlagName, number>> = {
  ca: AT.CA,
  cb: AT.CB,
  fr: AT.FR,
  fo: AT.FO,
  fx: AT.FX,
};
/** Flag words by name. */
export const FLAG_NAMES: readonly FlagName[] = ["ca", "cb", "fr", "fo", "fx"];

/** Locals in flag expressions: a register's, or the `n`-th of those that are nothing else. */
interface Leaf {
  /** The register that has the same value, -1 = none. */
  readonly register: number;
  readonly type: number;
}

/** Flags at a jump back. */
export interface Carried {
  /** Expressions over {@link Leaf} numbers instead of locals. */
  readonly flags: FlagWords;
  readonly leaves: readonly Leaf[];
  /** Words that the loop reads before it sets them: their values are kept. */
  readonly read: ReadonlySet<FlagName>;
}

/** The flags at a jump back, in a form that another jump back can be compared with. */
export function carriedFlags(
  known: Knowledge,
  read: ReadonlySet<FlagName>,
  typeOf: (index: number) => number,
): Carried {
  const numbers = new Map<number, number>();
  const leaves: Leaf[] = [];
  const number = (index: number): number => {
    const old = numbers.get(index);
    if (old !== undefined) return old;
    const register = known.registers.findIndex((v) => v?.op === OP.LOCAL && v.n === index);
    numbers.set(index, leaves.length);
    return leaves.push({ register, type: typeOf(index) }) - 1;
  };
  const flags: FlagWords = {};
  for (const name of FLAG_NAMES) {
    const v = known.flags[name];
    if (v && !read.has(name)) flags[name] = substitute(v, (index) => local(number(index)));
  }
  return { flags, leaves, read: new Set(read) };
}

/** The locals of one loop. */
export class Loop {
  readonly #body: FunctionBody;
  readonly #registers: (number | undefined)[];
  readonly #carried: Carried;
  readonly #leaves: number[];
  /** 1 while the flags of the turn before are in memory. */
  readonly first: number;
  /** What the flags at the top of a loop are otherwise, by what {@link knowledge} says of them. */
  readonly carried: Map<Val, Val> = new Map();
  /** Flag words whose values are kept. */
  readonly #values: readonly (readonly [FlagName, number])[];

  /** @param used bits of the registers that occur */
  constructor(body: FunctionBody, used: number, carried: Carried) {
    this.#body = body;
    this.#carried = carried;
    this.#registers = Array.from(
      { length: 8 },
      (_, n) => used >> n & 1 ? body.local() : undefined,
    );
    this.#leaves = carried.leaves.map(({ register, type }) =>
      this.#registers[register] ?? body.local(type)
    );
    this.first = body.local(I32);
    this.#values = [...carried.read].map((name) => [name, body.local()]);
  }

  /** In front of the loop. */
  begin(): void {
    this.#registers.forEach((index, register) => {
      if (index !== undefined) this.#body.setLocal(index, load32(num(register * 4)));
    });
    for (const [name, index] of this.#values) {
      this.#body.setLocal(index, load32(num(FLAG_AT[name])));
    }
    this.#body.setLocal(this.first, num(1));
  }

  /** At the top of a loop. */
  knowledge(calls: readonly number[]): Knowledge {
    const flags: FlagWords = {};
    for (const name of FLAG_NAMES) {
      const v = this.#carried.flags[name];
      if (!v) continue;
      const carried = substitute(v, (leaf) => local(this.#leaves[leaf]!));
      const either = select(local(this.first), load32(num(FLAG_AT[name])), carried);
      this.carried.set(either, carried);
      flags[name] = either;
    }
    for (const [name, index] of this.#values) flags[name] = local(index);
    const registers = this.#registers.map((n) => n === undefined ? undefined : local(n));
    const dirty = registers.reduce((bits, v, n) => v ? bits | 1 << n : bits, 0);
    return { registers, dirty, flags, calls };
  }

  /**
   * Makes the present values those of the next turn.
   * @param flush brings the flags in memory up to date
   */
  turn(known: Knowledge, flush: () => void): void {
    const leaves = this.#match(known);
    const moves: [number, Val][] = [[this.first, num(leaves ? 0 : 1)]];
    const move = (to: number, v: Val): void => {
      if (v.op !== OP.LOCAL || v.n !== to) moves.push([to, v]);
    };
    for (const [name, index] of this.#values) {
      move(index, known.flags[name] ?? load32(num(FLAG_AT[name])));
    }
    if (!leaves) flush();
    this.#registers.forEach((index, register) => {
      if (index !== undefined) move(index, known.registers[register] ?? load32(num(register * 4)));
    });
    leaves?.forEach((index, leaf) => {
      if (this.#carried.leaves[leaf]!.register < 0) move(this.#leaves[leaf]!, local(index));
    });
    // All are read before any is written: a value may be another one's old local.
    for (const [, v] of moves) this.#body.expr(v);
    for (const [to] of moves.reverse()) this.#body.assign(to);
  }

  /** The locals behind the leaves, if the flags have the carried form. */
  #match({ flags, registers }: Knowledge): number[] | undefined {
    const { flags: wanted, leaves } = this.#carried;
    const found: number[] = new Array(leaves.length);
    const same = (v: Val | undefined, pattern: Val | undefined): boolean => {
      if (!v || !pattern) return v === pattern;
      if (v.op !== pattern.op) return false;
      if (v.op === OP.LOCAL) return (found[pattern.n] ??= v.n) === v.n;
      return v.n === pattern.n && same(v.a, pattern.a) && same(v.b, pattern.b) &&
        same(v.c, pattern.c);
    };
    const { read } = this.#carried;
    const alike = (name: FlagName): boolean => read.has(name) || same(flags[name], wanted[name]);
    if (!FLAG_NAMES.every(alike)) return undefined;
    const agree = leaves.every(({ register }, leaf) => {
      const v = registers[register];
      return register < 0 || (v?.op === OP.LOCAL && v.n === found[leaf]);
    });
    return agree ? found : undefined;
  }
}

/** The same expression over other locals. */
function substitute(v: Val, replace: (index: number) => Val): Val {
  if (v.op === OP.LOCAL) return replace(v.n);
  if (!v.a) return v;
  return {
    op: v.op,
    n: v.n,
    a: substitute(v.a, replace),
    ...v.b && { b: substitute(v.b, replace) },
    ...v.c && { c: substitute(v.c, replace) },
  };
}
