/**
 * Random descriptor tables, task states and page tables.
 * @module
 */

import { FLAG } from "../../../core/cpu/state.ts";
import {
  type Chance,
  CODE,
  DATA,
  DIRECTORY,
  ENTRIES,
  flags,
  GDT,
  GOOD_ENTRIES,
  IDT,
  LDT,
  type Mode,
  type Paging,
  POINTERS,
  selector,
  STACK,
  TABLES,
  TASKS,
} from "./layout.ts";

/** Writes all tables. */
export function makeAllTables(rng: Chance, view: DataView, mode: Mode, paging: Paging): void {
  makeGates(rng, view, mode === "real");
  makeDescriptors(rng, view, GDT);
  makeDescriptors(rng, view, LDT);
  makeTasks(rng, view);
  if (paging === "pae") makePaeTables(rng, view);
  else if (paging !== "off") makeTables(rng, view, paging === "pse");
}

/** Gate types in the IDT of a tidy world and of another. */
const HANDLERS: readonly (readonly number[])[] = [
  [5, ...new Array<number>(12).fill(14), ...new Array<number>(12).fill(15), 6, 7],
  [5, 6, 7, 14, 14, 14, 15, 15],
];

function makeGates(rng: Chance, view: DataView, real: boolean): void {
  for (let vector = 0; vector < 256; vector++) {
    if (real) view.setUint32(IDT + vector * 4, rng.below(0x2000) << 16 | rng.below(0x10000), true);
    else if (rng.usually(90)) makeGate(rng, view, IDT + vector * 8, HANDLERS[rng.tidy ? 0 : 1]!);
  }
}

function makeGate(rng: Chance, view: DataView, at: number, types: readonly number[]): void {
  const offset = rng.below(0x10000);
  const access = (rng.usually(90) ? 0x80 : 0) | rng.below(4) << 5 | rng.pick(types);
  view.setUint16(at, offset, true);
  view.setUint16(at + 2, rng.tidy && rng.chance(90) ? CODE_0 : selector(rng), true);
  view.setUint16(at + 4, access << 8 | rng.below(32), true);
  view.setUint16(at + 6, rng.usually(90) ? 1 : rng.below(0x10000), true);
}

/** Access byte, flags and base of the descriptors that are as they should be, from entry 1 up. */
const GOOD: readonly (readonly [access: number, flags: number, base: number])[] = [
  [0x9b, 0xc, 0], // CODE_0
  [0x93, 0xc, 0], // DATA_0
  [0xfb, 0xc, 0],
  [0xf3, 0xc, 0],
  [0x9b, 0, CODE],
  [0xf3, 0, DATA],
];
const CODE_0 = 8, DATA_0 = 16;

/** The good ones, then code, data, gates, task states, local tables; one in ten by chance. */
function makeDescriptors(rng: Chance, view: DataView, table: number): void {
  GOOD.forEach(([access, flags, base], n) => {
    descriptor(view, table + 8 + n * 8, base, 0xfffff, access, flags);
  });
  for (let entry = GOOD_ENTRIES + 1; entry < ENTRIES; entry++) {
    const at = table + entry * 8;
    const kind = rng.below(100);
    if (kind < 10) continue;
    if (kind < 22) makeGate(rng, view, at, [4, 5, 12, 12]);
    else if (kind < 32) makeSystemSegment(rng, view, at);
    else makeSegment(rng, view, at);
  }
}

function makeSegment(rng: Chance, view: DataView, at: number): void {
  const wide = rng.chance(60);
  const base = rng.chance(40) ? 0 : rng.pick([CODE, DATA, STACK, rng.next()]);
  const access = (rng.usually(92) ? 0x90 : 0x10) | rng.below(4) << 5 | rng.below(16);
  descriptor(
    view,
    at,
    base,
    rng.chance(70) ? 0xfffff : rng.below(0x100000),
    access,
    wide ? 0xc : 0,
  );
}

function makeSystemSegment(rng: Chance, view: DataView, at: number): void {
  const base = rng.chance(25) ? LDT : TASKS + rng.below(8) * 0x200;
  const access = (rng.usually(92) ? 0x80 : 0) | rng.below(4) << 5 | rng.pick([1, 2, 3, 9, 9, 11]);
  descriptor(view, at, base, rng.usually(80) ? 0x1ff : rng.below(0x100), access, 0);
}

function descriptor(
  view: DataView,
  at: number,
  base: number,
  limit: number,
  access: number,
  flags: number,
): void {
  view.setUint32(at, (limit & 0xffff) | base << 16, true);
  const high = (base & 0xff000000) | flags << 20 | (limit & 0xf0000) | access << 8;
  view.setUint32(at + 4, high | (base >>> 16 & 0xff), true);
}

/** Of 32 bits; read as 16-bit ones they are chance. */
function makeTasks(rng: Chance, view: DataView): void {
  for (let task = 0; task < 8; task++) {
    const at = TASKS + task * 0x200;
    view.setUint16(at, rng.usually(80) ? selector(rng) : rng.below(0x10000), true);
    for (let ring = 0; ring < 3; ring++) {
      view.setUint32(at + 4 + ring * 8, STACK + rng.below(0xf000), true);
      const stack = ring === 0 && rng.usually(80) ? DATA_0 : selector(rng, ring);
      view.setUint16(at + 8 + ring * 8, stack, true);
    }
    if (rng.usually(85)) view.setUint32(at + 28, rng.pick([DIRECTORY, DIRECTORY, POINTERS]), true);
    view.setUint32(at + 32, CODE + rng.below(0xf000), true);
    view.setUint32(at + 36, flags(rng) | (rng.chance(20) ? FLAG.VM : 0), true);
    for (let segment = 0; segment < 6; segment++) {
      view.setUint16(at + 72 + segment * 4, selector(rng), true);
    }
    view.setUint16(at + 96, rng.chance(60) ? 0 : selector(rng) & ~4, true);
    view.setUint16(at + 102, 0x68, true);
  }
}

/** Mostly present, writable, for users and where it says. */
function entry(rng: Chance, frame: number, extra: number): number {
  const rights = rng.usually(80) ? 7 : rng.below(8);
  const target = rng.usually(90) ? frame : rng.chance(90) ? rng.below(0x48) : rng.next() >>> 12;
  return target << 12 | extra | rights | (rng.chance(50) ? 0x60 : 0);
}

/** A directory and one table; the other directory entries show the same memory again. */
function makeTables(rng: Chance, view: DataView, large: boolean): void {
  for (let page = 0; page < 1024; page++) {
    view.setUint32(TABLES + 0x1000 + page * 4, entry(rng, page & 0x3f, rng.next() & 0x100), true);
    const big = large && rng.chance(30);
    const value = big ? entry(rng, 0, 0x80) : entry(rng, (TABLES >> 12) + 1, 0);
    view.setUint32(DIRECTORY + page * 4, value, true);
  }
}

function makePaeTables(rng: Chance, view: DataView): void {
  const write = (at: number, low: number): void => {
    view.setUint32(at, low, true);
    view.setUint32(at + 4, rng.usually(95) ? 0 : rng.next() & 0x8000000f, true);
  };
  for (let n = 0; n < 4; n++) {
    write(POINTERS + n * 8, DIRECTORY | (rng.usually(95) ? 1 : rng.next() & 0x1ff));
  }
  for (let page = 0; page < 512; page++) {
    write(TABLES + 0x1000 + page * 8, entry(rng, page & 0x3f, 0));
    const big = rng.chance(20);
    write(DIRECTORY + page * 8, big ? entry(rng, 0, 0x80) : entry(rng, (TABLES >> 12) + 1, 0));
  }
}
