/**
 * What a compiled loop keeps in locals from one turn to the next: registers, and the flags that the
 * last turn left behind.
 * @module
 */

import { load32, local, num, OP, select, substitute, type Val } from "./ir.ts";
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
  /** Instructions of blocks entered that are not yet taken off the budget in its local. */
  spent: number;
  /** What has made sure that it is enough for them; nothing if it may have changed since. */
  check: BudgetCheck | undefined;
}

/** A look at the budget, for all ways from there to the next one or out of the function. */
export interface BudgetCheck {
  /** Instructions on the longest of them. */
  longest: number;
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

/** Flags at a jump back: expressions over {@link Leaf} numbers instead of locals. */
export interface Shape {
  readonly flags: FlagWords;
  readonly leaves: readonly Leaf[];
}

/** The flags at a jump back, in a form that another jump back can be compared with. */
export function shapeOfFlags(known: Knowledge, typeOf: (index: number) => number): Shape {
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
    if (v) flags[name] = substitute(v, (index) => local(number(index)));
  }
  return { flags, leaves };
}

/** The flags that one loop of the function begins with, unless they are in memory. */
interface Header {
  readonly shape: Shape;
  /** Locals of the leaves. */
  readonly leaves: readonly number[];
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
  /** 1 while the flags that a turn begins with are in memory. */
  readonly first: number;
  /** What the flags at the top of a loop are otherwise, by what {@link knowledge} says of them. */
  readonly carried: Map<Val, Val> = new Map();

  /**
   * @param found what the function does
   * @param shapes of the flags at the shortest way back to each header
   */
  constructor(body: FunctionBody, found: Findings, shapes: ReadonlyMap<number, Shape>) {
    const { used, assigned, flagsRead } = found;
    this.#assigned = assigned;
    this.#body = body;
    this.#registers = Array.from(
      { length: 8 },
      (_, n) => used >> n & 1 ? body.local() : undefined,
    );
    this.first = body.local(I32);
    this.#values = new Map([...flagsRead].map((name) => [name, body.local()]));
    for (const [eip, shape] of shapes) {
      const leaves = shape.leaves.map(({ register, type }) =>
        this.#registers[register] ?? body.local(type)
      );
      this.#headers.set(eip, { shape, leaves });
    }
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
    this.#body.setLocal(this.first, num(1));
  }

  /** At the top of the loop whose header lies at `eip`. */
  knowledge(eip: number, calls: readonly number[]): Knowledge {
    const { shape, leaves } = this.#headers.get(eip)!;
    const flags: FlagWords = {};
    for (const name of FLAG_NAMES) {
      const v = shape.flags[name];
      const value = this.#values.get(name);
      if (value !== undefined) flags[name] = local(value);
      else if (v) {
        const carried = substitute(v, (leaf) => local(leaves[leaf]!));
        const either = select(local(this.first), load32(num(FLAG_AT[name])), carried);
        this.carried.set(either, carried);
        flags[name] = either;
      }
    }
    const registers = this.#registers.map((n) => n === undefined ? undefined : local(n));
    return { registers, dirty: this.#assigned, flags, calls, spent: 0, check: undefined };
  }

  /**
   * Makes the present values those that a turn of the loop at `eip` begins with.
   * @param flush brings the flags in memory up to date
   */
  turn(eip: number, known: Knowledge, flush: () => void): void {
    const header = this.#headers.get(eip)!;
    const leaves = this.#match(header.shape, known);
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
      if (header.shape.leaves[leaf]!.register < 0) move(header.leaves[leaf]!, local(index));
    });
    // All are read before any is written: a value may be another one's old local.
    for (const [, v] of moves) this.#body.expr(v);
    for (const [to] of moves.reverse()) this.#body.assign(to);
  }

  /** The locals behind the leaves, if the flags have the shape. */
  #match({ flags: wanted, leaves }: Shape, { flags, registers }: Knowledge): number[] | undefined {
    const found: number[] = new Array(leaves.length);
    const same = (v: Val | undefined, pattern: Val | undefined): boolean => {
      if (!v || !pattern) return v === pattern;
      if (v.op !== pattern.op) return false;
      if (v.op === OP.LOCAL) return (found[pattern.n] ??= v.n) === v.n;
      return v.n === pattern.n && same(v.a, pattern.a) && same(v.b, pattern.b) &&
        same(v.c, pattern.c);
    };
    const alike = (name: FlagName): boolean =>
      this.#values.has(name) || same(flags[name], wanted[name]);
    if (!FLAG_NAMES.every(alike)) return undefined;
    const agree = leaves.every(({ register }, leaf) => {
      const v = registers[register];
      // A leaf of words whose values are kept is nobody's.
      if (found[leaf] === undefined) return true;
      return register < 0 || (v?.op === OP.LOCAL && v.n === found[leaf]);
    });
    return agree ? found : undefined;
  }
}
