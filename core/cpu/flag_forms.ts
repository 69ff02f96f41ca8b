/**
 * Flags at the jumps that lead to a loop: of which form they are, whichever locals they are made of.
 * @module
 */

import { local, OP, substitute, type Val } from "./ir.ts";
import type { Knowledge } from "./loop.ts";
import { AT } from "./state.ts";
import type { FlagWords } from "./x.ts";

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
/** Forms of flags that a loop knows. */
export const MAX_FORMS = 4;

/** Locals in flag expressions: a register's, or the `n`-th of those that are nothing else. */
interface Leaf {
  /** The register that has the same value, -1 = none. */
  readonly register: number;
  readonly type: number;
}

/** Flags as expressions over {@link Leaf} numbers, counted as they occur, instead of locals. */
export interface FlagForm {
  readonly flags: FlagWords;
  readonly leaves: readonly Leaf[];
}

/** The form of the flags at some point. */
export function formOfFlags(known: Knowledge, typeOf: (index: number) => number): FlagForm {
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

/**
 * The locals behind the leaves, if the flags have the form.
 * @param isKept the word's value is kept in any case
 */
export function matchForm(
  { flags: wanted, leaves }: FlagForm,
  { flags, registers }: Knowledge,
  isKept: (name: FlagName) => boolean,
): number[] | undefined {
  const found: number[] = new Array(leaves.length);
  const onLeaf = (n: number, leaf: number): boolean => (found[leaf] ??= n) === n;
  if (!FLAG_NAMES.every((name) => isKept(name) || alike(flags[name], wanted[name], onLeaf))) {
    return undefined;
  }
  const agree = leaves.every(({ register }, leaf) => {
    const v = registers[register];
    // A leaf of words whose values are kept is nobody's.
    if (found[leaf] === undefined) return true;
    return register < 0 || (v?.op === OP.LOCAL && v.n === found[leaf]);
  });
  return agree ? found : undefined;
}

/** The same but for its locals, of which `onLocal` is given both. */
function alike(
  v: Val | undefined,
  pattern: Val | undefined,
  onLocal: (n: number, wanted: number) => boolean,
): boolean {
  if (!v || !pattern) return v === pattern;
  if (v.op !== pattern.op) return false;
  if (v.op === OP.LOCAL) return onLocal(v.n, pattern.n);
  return v.n === pattern.n && alike(v.a, pattern.a, onLocal) && alike(v.b, pattern.b, onLocal) &&
    alike(v.c, pattern.c, onLocal);
}

/** The forms that the flags have at the jumps back to one header. */
export class FlagForms {
  readonly #noted: { form: FlagForm; length: number }[] = [];

  /** @param length of the way back: of many, the shortest are probably taken most */
  note(form: FlagForm, length: number): void {
    const same = (n: number, wanted: number): boolean => n === wanted;
    for (const each of this.#noted) {
      if (!FLAG_NAMES.every((name) => alike(form.flags[name], each.form.flags[name], same))) {
        continue;
      }
      each.form = { flags: form.flags, leaves: general(form.leaves, each.form.leaves) };
      each.length = Math.min(each.length, length);
      return;
    }
    this.#noted.push({ form, length });
  }

  /** At most {@link MAX_FORMS}. */
  get best(): FlagForm[] {
    const sorted = this.#noted.toSorted((a, b) => a.length - b.length);
    return sorted.slice(0, MAX_FORMS).map(({ form }) => form);
  }
}

/** Leaves that stand for both. */
function general(some: readonly Leaf[], others: readonly Leaf[]): Leaf[] {
  return some.map(({ register, type }, n) => ({
    register: others[n]!.register === register ? register : -1,
    type,
  }));
}
