/**
 * Random registers that point to what is there.
 * @module
 */

import { CR0, CR4, FLAG, NULL_ATTR } from "../../../core/cpu/state.ts";
import type { Segment, SystemState } from "../../helpers/cpu_state.ts";
import type { FpuState } from "../../helpers/oracle_fpu.ts";
import {
  type Chance,
  CODE,
  DATA,
  DIRECTORY,
  ENTRIES,
  flags,
  GDT,
  IDT,
  LDT,
  type Mode,
  type Paging,
  POINTERS,
  selector,
  STACK,
  TASKS,
} from "./layout.ts";

/** System state in front of the first instruction. */
export function makeState(rng: Chance, mode: Mode, paging: Paging, cpl: number): SystemState {
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

/** x87, MMX and SSE state. */
export function makeFpu(rng: Chance): FpuState {
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
