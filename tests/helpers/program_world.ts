/**
 * Where a generated program lives: its memory, tables and segments in one of several modes.
 * @module
 */

import type { Cpu } from "../../core/cpu/cpu.ts";
import { loadState, type Segment, type SystemState } from "./cpu_state.ts";

/** Linear addresses; without paging, and for most with it, also physical ones. */
export const LAYOUT = {
  GDT: 0x800,
  IDT: 0x1000,
  TSS: 0x1900,
  /** Stack of the handlers that come from ring 3. */
  INNER_STACK: 0x2800,
  STACK: 0x4000,
  DATA: 0x4000,
  DATA_PAGES: 4,
  CODE: 0x8000,
  CODE_END: 0xc000,
  DIRECTORY: 0xc000,
  TABLE: 0xd000,
  /** Words of the program's own: a counter of its rounds, and one of its faults. */
  ROUNDS: 0x3f0,
  FAULTS: 0x3f4,
  /** A word that says how many more turns a graph of blocks may make. */
  FUEL: 0x3f8,
  /** Nothing is there. */
  MMIO: 0xe000,
  /** Mapped on demand. */
  LAZY: 0x30000,
  LAZY_FRAMES: 0x14000,
  /** Everything once more; and again, where it falls into the same entries of the TLB. */
  ALIAS: 0x20000,
  FAR_ALIAS: 0x400000,
} as const;

/** Guest RAM. */
export const RAM_BYTES = 0x20000;
/** Frames without memory. */
export const HOLE: readonly number[] = [0xe, 0xf];

/** How a program's world differs from others. */
export interface World {
  readonly name: string;
  readonly bits: 16 | 32;
  readonly real: boolean;
  /** The stack's segment is a 16-bit one. */
  readonly smallStack: boolean;
  /** Segments that are not flat. */
  readonly segmented: boolean;
  readonly paging: boolean;
  readonly user: boolean;
  /** Data at {@link LAYOUT}.LAZY appears when it is touched. */
  readonly lazy: boolean;
}

const FLAT: World = {
  name: "flat",
  bits: 32,
  real: false,
  smallStack: false,
  segmented: false,
  paging: false,
  user: false,
  lazy: false,
};

/** All kinds of worlds. */
export const WORLDS: readonly World[] = [
  FLAT,
  { ...FLAT, name: "real", bits: 16, real: true, smallStack: true },
  { ...FLAT, name: "segmented", segmented: true },
  { ...FLAT, name: "16-bit and segmented", bits: 16, smallStack: true, segmented: true },
  { ...FLAT, name: "flat but for its stack", smallStack: true },
  { ...FLAT, name: "paged", paging: true, lazy: true },
  { ...FLAT, name: "paged ring 3", paging: true, lazy: true, user: true },
  { ...FLAT, name: "paged and segmented", paging: true, lazy: true, segmented: true },
];

/** Linear base of the code segment. */
export const codeBase = ({ bits, segmented }: World): number =>
  bits === 32 && segmented ? 0x400 : 0;

/** Values for ES and FS that change what lies behind them, or what is allowed. */
export function selectorsOf({ real, user }: World): readonly number[] {
  if (real) return [0, 2, 0x20];
  return user ? [USER_DATA | 3, 0] : [DATA, EXTRA, EXPAND_DOWN, READ_ONLY, 0];
}

/** Handlers of a program, as EIPs. */
export interface Entries {
  readonly begin: number;
  readonly fault: number;
  readonly pageFault: number;
  /** Of vectors 0x20 and up. */
  readonly interrupts: readonly number[];
}

const CODE = 0x8, DATA = 0x10, USER_CODE = 0x18, USER_DATA = 0x20, TASK = 0x28;
const EXTRA = 0x30, EXPAND_DOWN = 0x38, READ_ONLY = 0x40, SMALL_STACK = 0x48;
const PG = 0x80000000, AM = 0x40000;
/** Based above 0 and short; expand-down; read-only. */
const OTHERS: readonly [Segment, Segment, Segment] = [
  [EXTRA, 0x20, 0x5fff, 0x4093],
  [EXPAND_DOWN, 0, 0x4fff, 0x4097],
  [READ_ONLY, 0x10, 0xffffffff, 0xc091],
];

/** Fills RAM and sets the CPU up. `code` lies at {@link LAYOUT}.CODE. */
export function enterWorld(
  cpu: Cpu,
  ram: Uint8Array,
  world: World,
  code: Uint8Array,
  entries: Entries,
): void {
  ram.fill(0);
  for (const area of [LAYOUT.DATA, LAYOUT.LAZY_FRAMES]) scatter(ram, area);
  ram.set(code, LAYOUT.CODE);
  const view = new DataView(ram.buffer, ram.byteOffset, ram.length);
  const segments = world.real ? undefined : segmentsOf(world);
  if (segments) writeTables(view, world, segments, entries);
  else for (let n = 0; n < 0x40; n++) view.setUint32(n * 4, handlerOf(n, entries), true);
  if (world.paging) writePages(view);
  cpu.forgetCode();
  loadState(cpu, ram, systemState(world, segments, entries.begin), world.user ? 3 : 0);
}

/** Data with many zeros and small numbers. */
function scatter(ram: Uint8Array, area: number): void {
  for (let n = area; n < area + LAYOUT.DATA_PAGES * 0x1000; n += 4) {
    ram[n + (n >> 6 & 3)] = Math.imul(n, 0x9e3779b9) >>> 21;
  }
}

function handlerOf(vector: number, { fault, pageFault, interrupts }: Entries): number {
  if (vector === 14) return pageFault;
  return vector < 3 || (vector > 4 && vector < 0x20)
    ? fault
    : interrupts[vector % interrupts.length]!;
}

function segmentsOf(world: World): Segment[] {
  const ring = world.user ? 3 : 0;
  const dpl = ring << 5;
  const code = world.user ? USER_CODE : CODE;
  const data = world.user ? USER_DATA : DATA;
  const all = 0xffffffff;
  const flat: Segment = [data | ring, 0, all, 0xc093 | dpl];
  const stack: Segment = world.smallStack ? [SMALL_STACK, 0, 0xffff, 0x93] : flat;
  if (!world.segmented) {
    const cs: Segment = [code | ring, 0, all, 0xc09b | dpl];
    return [flat, cs, stack, flat, flat, flat];
  }
  const cs: Segment = [CODE, codeBase(world), 0xfffff, world.bits === 32 ? 0x409b : 0x9b];
  const [es, fs, gs] = OTHERS;
  return [es, cs, stack, flat, fs, gs];
}

function descriptor(view: DataView, selector: number, [, base, limit, attr]: Segment): void {
  const at = LAYOUT.GDT + (selector & ~7);
  const raw = attr & 0x8000 ? limit >>> 12 : limit;
  view.setUint16(at, raw, true);
  view.setUint32(at + 2, base, true);
  view.setUint16(at + 5, attr & 0xf0ff | (raw >>> 16 & 15) << 8, true);
  view.setUint8(at + 7, base >>> 24);
}

function writeTables(
  view: DataView,
  world: World,
  segments: readonly Segment[],
  entries: Entries,
): void {
  const all = 0xffffffff;
  descriptor(view, CODE, [0, 0, all, 0xc09b]);
  descriptor(view, DATA, [0, 0, all, 0xc093]);
  for (const segment of [...OTHERS, ...segments]) descriptor(view, segment[0], segment);
  view.setUint32(LAYOUT.TSS + 4, LAYOUT.INNER_STACK, true);
  view.setUint32(LAYOUT.TSS + 8, DATA, true);
  for (let vector = 0; vector < 0x40; vector++) {
    const at = LAYOUT.IDT + vector * 8;
    const handler = handlerOf(vector, entries);
    view.setUint16(at, handler, true);
    view.setUint16(at + 2, CODE, true);
    const trap = vector & 1 && vector > 0x1f ? 0x100 : 0;
    view.setUint16(at + 4, (world.bits === 32 ? 0xee00 : 0xe600) | trap, true);
    view.setUint16(at + 6, handler >>> 16, true);
  }
}

/** Identity, but for the data pages, which are turned round, the lazy ones, and the alias of all. */
function writePages(view: DataView): void {
  view.setUint32(LAYOUT.DIRECTORY, LAYOUT.TABLE | 7, true);
  view.setUint32(LAYOUT.DIRECTORY + 4, LAYOUT.TABLE | 7, true);
  const map = (linear: number, frame: number, bits: number): void =>
    view.setUint32(LAYOUT.TABLE + (linear >> 12) * 4, frame | bits, true);
  for (let page = 0; page < 0x20000; page += 0x1000) {
    const isData = page >= LAYOUT.DATA && page < LAYOUT.CODE;
    const frame = isData ? LAYOUT.DATA + LAYOUT.CODE - 0x1000 - page : page;
    map(page, frame, 7);
    map(page + LAYOUT.ALIAS, page, 7);
  }
  for (let n = 0; n < LAYOUT.DATA_PAGES; n++) {
    map(LAYOUT.LAZY + n * 0x1000, LAYOUT.LAZY_FRAMES + (n ^ 1) * 0x1000, 6);
  }
}

function systemState(
  world: World,
  segments: readonly Segment[] | undefined,
  eip: number,
): SystemState {
  const real: Segment = [0, 0, 0xffff, 0x93];
  const s = segments ?? [real, [0, 0, 0xffff, 0x9b], real, real, real, real];
  return {
    r: [1, 2, 3, 4, LAYOUT.STACK - 0x100, LAYOUT.STACK - 0x80, LAYOUT.DATA, LAYOUT.DATA + 0x800],
    ip: eip,
    fl: world.user ? 0x3202 : 2,
    s,
    ldt: [0, 0, 0, 0x10000],
    tr: [TASK, LAYOUT.TSS, 0x67, 0x8b],
    gdt: [LAYOUT.GDT, 0x7f],
    idt: world.real ? [0, 0x3ff] : [LAYOUT.IDT, 0x1ff],
    cr: [0x10 | AM | (world.real ? 0 : 1) | (world.paging ? PG : 0), 0, LAYOUT.DIRECTORY, 0],
  };
}
