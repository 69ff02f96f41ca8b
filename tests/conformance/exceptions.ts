/**
 * What may differ from the cases, and why. Data only: more than a handful means that the CPU is
 * wrong.
 * @module
 */

/** Cases that are certain to be wrong: they are left out. */
export interface WrongCase {
  /** As the table names it: `system/debug`. */
  readonly file: string;
  /** A system case's own number, or a native case's line, counted from 1. */
  readonly case: number;
  /** What the manual says. */
  readonly reason: string;
}

/** The cases that are left out. */
export const WRONG_CASES: readonly WrongCase[] = [];

/** Why a family's cases that only one emulator vouches for may fail, up to one in a hundred. */
export const ONLY_BOCHS: Readonly<Record<string, string>> = {
  "system/debug": "RF holds until all repetitions of a string instruction are done (SDM vol. 3, " +
    "§17.3.1.1); with its own breakpoint armed, Bochs stops after one",
  "system/far":
    "a call gate to an inner ring pushes the whole ESP (SDM vol. 2, CALL: Push(oldESP)); " +
    "Bochs clears its upper half when the old stack is 16-bit, and KVM and QEMU differ from it",
};
