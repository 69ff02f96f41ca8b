/**
 * A random system: memory with code, descriptor tables, task states and page tables in it, and
 * registers that point there. Most of it makes sense, so that code gets somewhere; the rest is chance.
 * @module
 */

import { CR0, CR4, FLAG, NULL_ATTR } from "../../../core/cpu/state.ts";
import type { Segment, SystemState } from "../../helpers/cpu_state.ts";
import type { FpuState } from "../../helpers/oracle_fpu.ts";
import { Rng } from "../rng.ts";
import { randomCode } from "./code.ts";

/** Guest RAM. */
export const RAM_BYTES = 0x40000;
/** Frames inside it that have no memory: what lies there must not change. */
export const HOLES: readonly number[] = [0x2c, 0x2d, 0x3f];

const IDT = 0, GDT = 0x1000, LDT = 0x2000, TASKS = 0x3000, TABLES = 0x4000;
const DIRECTORY = 0x4000, POINTERS = 0x8000;
const CODE = 0x10000, DATA = 0x20000, STACK = 0x30000;
const ENTRIES = 32;
/** Bytes of random code; they repeat through code, data and stack. */
const PATTERN = 0x4000;

/** How the code segment and paging are at the begin of a case. */
export type Mode = "real" | "v86" | "pm16" | "pm32";
/** Page tables of a case. */
export type Paging = "off" | "small" | "pse" | "pae";

/** The state in front of a case's first instruction. */
export interface World {
  readonly mode: Mode;
  readonly paging: Paging;
  readonly cpl: number;
  readonly state: SystemState;
  readonly fpu: FpuState;
  /** External interrupts that wait, first to last. */
  readonly vectors: readonly number[];
}

/** Chance with an opinion of how things should be. */
class Chance extends Rng {
  /** Nearly all of this world is as it should be: its code gets further. */
  readonly tidy: boolean = this.chance(75);

  /** True `percent` times in a hundred; in a tidy world, false ten times as rarely. */
  usually(percent: number): boolean {
    return this.chance(this.tidy ? 100 - (100 - percent) / 10 : percent);
  }
}

/**
 * Makes a world; writes all of `ram`.
 * @param seed equal seeds give equal worlds
 */
export function makeWorld(seed: number, ram: Uint8Array): World {
  const rng = new Chance(seed);
  const view = new DataView(ram.buffer, ram.byteOffset, ram.length);
  const mode = rng.pick<Mode>(["real", "v86", "pm16", "pm32", "pm32"]);
  const paging = mode === "real" ? "off" : rng.pick<Paging>(["off", "small", "pse", "pae"]);
  const cpl = mode === "real" ? 0 : mode === "v86" ? 3 : rng.pick([0, 0, 1, 2, 3, 3]);
  rng.fill(ram.subarray(0, CODE));
  randomCode(rng, ram.subarray(CODE, CODE + PATTERN));
  for (let at = CODE + PATTERN; at < RAM_BYTES; at += PATTERN) {
    ram.copyWithin(at, CODE, CODE + PATTERN);
  }
  makeGates(rng, view, mode === "real");
  makeDescriptors(rng, view, GDT);
  makeDescriptors(rng, view, LDT);
  makeTasks(rng, view);
  if (paging === "pae") makePaeTables(rng, view);
  else if (paging !== "off") makeTables(rng, view, paging === "pse");
  return {
    mode,
    paging,
    cpl,
    state: makeState(rng, mode, paging, cpl),
    fpu: makeFpu(rng),
    vectors: Array.from({ length: rng.chance(25) ? rng.below(4) : 0 }, () => rng.below(256)),
  };
}

// ---- tables ----------------------------------------------------------------------------------------

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
  for (let entry = GOOD.length + 1; entry < ENTRIES; entry++) {
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
    if (rng.usually(85)) view.setUint32(at + 28, tableBase(rng), true);
    view.setUint32(at + 32, CODE + rng.below(0xf000), true);
    view.setUint32(at + 36, flags(rng) | (rng.chance(20) ? FLAG.VM : 0), true);
    for (let segment = 0; segment < 6; segment++) {
      view.setUint16(at + 72 + segment * 4, selector(rng), true);
    }
    view.setUint16(at + 96, rng.chance(60) ? 0 : selector(rng) & ~4, true);
    view.setUint16(at + 102, 0x68, true);
  }
}

const tableBase = (rng: Chance): number => rng.pick([DIRECTORY, DIRECTORY, POINTERS]);

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

// ---- registers -------------------------------------------------------------------------------------

function selector(rng: Chance, rpl: number = rng.below(4)): number {
  const limit = rng.chance(50) ? GOOD.length + 1 : rng.usually(95) ? ENTRIES : 8192;
  const index = rng.below(limit);
  return index << 3 | (rng.chance(25) ? 4 : 0) | rpl;
}

function flags(rng: Chance): number {
  let value = rng.next() & (0xcd5 | FLAG.IOPL) | (rng.chance(50) ? FLAG.IF : 0) | 2;
  for (const rare of [FLAG.TF, FLAG.NT, FLAG.RF, FLAG.AC]) if (rng.chance(8)) value |= rare;
  return value;
}

function makeState(rng: Chance, mode: Mode, paging: Paging, cpl: number): SystemState {
  const vm = mode === "v86" ? FLAG.VM : 0;
  const ip = mode === "pm32" ? CODE + rng.below(0xf000) : rng.below(0xf000);
  return {
    r: Array.from({ length: 8 }, (_, n) => register(rng, n)),
    ip,
    fl: flags(rng) & (mode === "v86" && rng.chance(50) ? ~0 : ~FLAG.NT) | vm,
    s: Array.from({ length: 6 }, (_, n) => makeSegmentRegister(rng, mode, cpl, n)),
    ldt: [selector(rng) & ~7, LDT, ENTRIES * 8 - 1, rng.usually(90) ? 0x82 : NULL_ATTR],
    tr: [
      selector(rng) & ~7,
      TASKS,
      rng.usually(80) ? 0x1ff : rng.below(0x100),
      rng.pick([0x8b, 0x83]),
    ],
    gdt: [GDT, rng.usually(90) ? ENTRIES * 8 - 1 : rng.below(0x10000)],
    idt: [IDT, rng.usually(90) ? (mode === "real" ? 0x3ff : 0x7ff) : rng.below(0x800)],
    cr: makeControl(rng, mode, paging),
    ...rng.chance(20) ? { dr: makeDebug(rng) } : {},
    nx: paging === "pae" && rng.chance(50) ? 1 : 0,
    se: [selector(rng), STACK + rng.below(0xf000), CODE + rng.below(0xf000)],
  };
}

/** Small numbers, addresses of what is there, and chance. */
function register(rng: Chance, n: number): number {
  if (n === 4) return rng.pick([0, STACK]) + rng.below(0xffff);
  return rng.pick([rng.below(0x100), rng.below(0x10000), DATA + rng.below(0xffff), rng.next()]);
}

function makeSegmentRegister(rng: Chance, mode: Mode, cpl: number, n: number): Segment {
  const code = n === 1;
  const home = code ? CODE : n === 2 ? STACK : DATA;
  if (mode === "real" || mode === "v86") {
    const base = home + rng.below(0x100) * 16;
    return [
      base >> 4,
      base,
      0xffff,
      (mode === "v86" ? 0xf3 : 0x93) | (code && mode === "real" ? 8 : 0),
    ];
  }
  if (n > 2 && rng.chance(10)) return [0, 0, 0, NULL_ATTR];
  const wide = mode === "pm32" ? 0xc000 : 0;
  const type = code ? rng.pick([0xb, 0xb, 0xf]) : n === 2 || rng.chance(60) ? 3 : rng.below(8) | 1;
  const dpl = n === 0 || n > 2 ? Math.max(cpl, rng.below(4)) : cpl;
  const base = wide && rng.chance(80) ? 0 : home;
  const limit = wide ? rng.chance(80) ? 0xffffffff : 0x3ffff : 0xffff;
  return [selector(rng, cpl), base, limit, wide | 0x90 | dpl << 5 | type];
}

function makeControl(rng: Chance, mode: Mode, paging: Paging): number[] {
  let cr0: number = CR0.ET;
  if (mode !== "real") cr0 |= CR0.PE;
  if (paging !== "off") cr0 |= CR0.PG;
  for (const bit of [CR0.NE, CR0.WP, CR0.AM]) if (rng.chance(60)) cr0 |= bit;
  for (const bit of [CR0.MP, CR0.EM, CR0.TS]) if (rng.chance(10)) cr0 |= bit;
  let cr4 = paging === "pae" ? CR4_PAE : paging === "pse" ? CR4.PSE : 0;
  for (const bit of [CR4.TSD, CR4.DE, CR4.PGE]) if (rng.chance(20)) cr4 |= bit;
  if (rng.chance(70)) cr4 |= CR4_SSE;
  return [cr0 >>> 0, rng.next(), paging === "pae" ? POINTERS : DIRECTORY, cr4];
}

/** CR4.PAE; OSFXSR and OSXMMEXCPT. */
const CR4_PAE = 0x20, CR4_SSE = 0x600;

function makeDebug(rng: Chance): number[] {
  const address = (): number => rng.pick([CODE, DATA, STACK]) + rng.below(0xffff);
  return [
    ...Array.from({ length: 4 }, address),
    (0xffff0ff0 | rng.below(16)) >>> 0,
    (0x400 | (rng.next() & 0xffff03ff) | (rng.chance(10) ? 0x2000 : 0)) >>> 0,
  ];
}

function makeFpu(rng: Chance): FpuState {
  const text = (bytes: number): string =>
    Array.from({ length: bytes }, () => (rng.next() & 0xff).toString(16).padStart(2, "0")).join("");
  return {
    cw: rng.chance(60) ? 0x37f : 0x40 | (rng.next() & 0xf3f),
    sw: rng.chance(60) ? 0 : rng.next() & 0x7f7f,
    tw: rng.pick([0, 0xff, rng.below(256)]),
    mx: rng.chance(60) ? 0x1f80 : rng.next() & 0xffbf,
    st: Array.from({ length: 8 }, () => rng.chance(30) ? `${text(8)}ff3f` : text(10)),
    xmm: Array.from({ length: 8 }, () => text(16)),
  };
}
