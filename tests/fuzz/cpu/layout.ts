/**
 * Where things lie in a random system, and the chance that its parts are made with.
 * @module
 */

import { FLAG } from "../../../core/cpu/state.ts";
import { Rng } from "../rng.ts";

/** Guest RAM. */
export const RAM_BYTES = 0x40000;
/** Frames inside it that have no memory: what lies there must not change. */
export const HOLES: readonly number[] = [0x2c, 0x2d, 0x3f];

/** Tables. */
export const IDT = 0, GDT = 0x1000, LDT = 0x2000, TASKS = 0x3000, TABLES = 0x4000;
/** Bases of the 32-bit tables and of the PAE ones. */
export const DIRECTORY = 0x4000, POINTERS = 0x8000;
/** Code, data and stack, 64 KiB each. */
export const CODE = 0x10000, DATA = 0x20000, STACK = 0x30000;
/** Descriptors of each table. */
export const ENTRIES = 32;
/** Descriptors from entry 1 up that are as they should be, in both tables: see tables.ts. */
export const GOOD_ENTRIES = 6;

/** How the code segment and paging are at the begin of a case. */
export type Mode = "real" | "v86" | "pm16" | "pm32";
/** Page tables of a case. */
export type Paging = "off" | "small" | "pse" | "pae";

/** Chance with an opinion of how things should be. */
export class Chance extends Rng {
  /** Nearly all of this world is as it should be: its code gets further. */
  readonly tidy: boolean = this.chance(75);

  /** True `percent` times in a hundred; in a tidy world, false ten times as rarely. */
  usually(percent: number): boolean {
    return this.chance(this.tidy ? 100 - (100 - percent) / 10 : percent);
  }
}

/** Any selector; half of them are of good descriptors. */
export function selector(rng: Chance, rpl: number = rng.below(4)): number {
  const limit = rng.chance(50) ? GOOD_ENTRIES + 1 : rng.usually(95) ? ENTRIES : 8192;
  const index = rng.below(limit);
  return index << 3 | (rng.chance(25) ? 4 : 0) | rpl;
}

/** EFLAGS in which the rare bits are rare. */
export function flags(rng: Chance): number {
  let value = rng.next() & (0xcd5 | FLAG.IOPL) | (rng.chance(50) ? FLAG.IF : 0) | 2;
  for (const rare of [FLAG.TF, FLAG.NT, FLAG.RF, FLAG.AC]) if (rng.chance(8)) value |= rare;
  return value;
}
