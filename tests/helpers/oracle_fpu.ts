/**
 * x87, MMX and SSE state of the native cases.
 * @module
 */

import { hex } from "../../core/bits.ts";
import { AT, type CpuState } from "../../core/cpu/state.ts";
import { unhex } from "./oracle.ts";

/** State before; the keys are explained in ../shared/oracles/README.md. */
export interface FpuState {
  readonly cw: number;
  readonly sw: number;
  /** Bit n: physical register n is not empty. */
  readonly tw: number;
  readonly mx: number;
  /** ST(0) first. */
  readonly st: readonly string[];
  readonly xmm?: readonly string[];
}

/** What differs afterwards. */
export interface FpuChanges extends Partial<Omit<FpuState, "st" | "xmm">> {
  readonly st?: readonly (readonly [number, string])[];
  readonly xmm?: readonly (readonly [number, string])[];
}

/** A case with such state. */
export interface FpuCase {
  readonly fi?: FpuState;
  readonly ff?: FpuChanges;
  /** Undefined bits of the status word. */
  readonly fu?: number;
  /** One unit in the last place is allowed. */
  readonly tr?: 1;
}

/** State of cases that say nothing about it: as FNINIT leaves it. */
const INITIAL: FpuState = {
  cw: 0x37f,
  sw: 0,
  tw: 0,
  mx: 0x1f80,
  st: Array.from({ length: 8 }, () => "00".repeat(10)),
};

const ST_BYTES = 10, SLOT = 16, EMPTY = 3;
/** Set when a result was rounded up: it goes with the result's last bit. */
const C1 = 0x200;
const EXPONENT = 0x7fff;

const topOf = (sw: number): number => sw >> 11 & 7;

/** Byte address of ST(n). */
function stack(n: number, sw: number): number {
  return AT.FPU_REGS + ((topOf(sw) + n) & 7) * SLOT;
}

/** Loads the state before a case. */
export function loadFpu(state: CpuState, fi: FpuState = INITIAL): void {
  state.set(AT.FPU_CONTROL, fi.cw);
  state.set(AT.FPU_STATUS, fi.sw);
  state.set(AT.MXCSR, fi.mx);
  fi.st.forEach((text, n) => state.bytes.set(unhex(text), stack(n, fi.sw)));
  fi.xmm?.forEach((text, n) => state.bytes.set(unhex(text), AT.XMM + n * SLOT));
  let tags = 0;
  for (let n = 0; n < 8; n++) {
    tags |= (fi.tw >> n & 1 ? tagOf(state, AT.FPU_REGS + n * SLOT) : EMPTY) << (n * 2);
  }
  state.set(AT.FPU_TAGS, tags);
  for (const at of [AT.FPU_OPCODE, AT.FPU_IP, AT.FPU_CS, AT.FPU_DP, AT.FPU_DS]) state.set(at, 0);
}

/** Tag of a register that is not empty: 0 valid, 1 zero, 2 special. */
function tagOf({ view }: CpuState, at: number): number {
  const exponent = view.getUint16(at + 8, true) & EXPONENT;
  const significand = view.getBigUint64(at, true);
  if (exponent === 0 && significand === 0n) return 1;
  return exponent === 0 || exponent === EXPONENT || significand >> 63n === 0n ? 2 : 0;
}

/** What differs after a case. */
export function fpuDifferences(state: CpuState, c: FpuCase): string[] {
  const { fi, ff = {} } = c;
  if (!fi) return [];
  const found: string[] = [];
  const check = (name: string, got: number, want: number, mask = 0xffff): void => {
    if (((got ^ want) & mask) !== 0) found.push(`${name} ${hex(got, 4)} not ${hex(want, 4)}`);
  };
  const sw = ff.sw ?? fi.sw, tw = ff.tw ?? fi.tw;
  check("cw", state.get(AT.FPU_CONTROL), ff.cw ?? fi.cw);
  check("tw", filled(state.get(AT.FPU_TAGS)), tw);
  check("mxcsr", state.get(AT.MXCSR), ff.mx ?? fi.mx);
  const st = [...fi.st];
  for (const [n, text] of ff.st ?? []) st[n] = text;
  // Which way a result was rounded is as uncertain as its last bit.
  const rounded = c.tr && ff.st ? C1 : 0;
  for (let n = 0; n < 8; n++) {
    if (!(tw >> ((topOf(sw) + n) & 7) & 1)) continue;
    const got = text(state, stack(n, sw), ST_BYTES);
    if (got === st[n]) continue;
    if (!c.tr || !isNeighbour(got, st[n]!)) found.push(`st${n} ${got} not ${st[n]}`);
  }
  check("sw", state.get(AT.FPU_STATUS), sw, ~((c.fu ?? 0) | rounded) & 0xffff);
  const xmm = [...fi.xmm ?? []];
  for (const [n, text] of ff.xmm ?? []) xmm[n] = text;
  xmm.forEach((want, n) => {
    const got = text(state, AT.XMM + n * SLOT, SLOT);
    if (got !== want) found.push(`xmm${n} ${got} not ${want}`);
  });
  return found;
}

/** Bit n: physical register n is not empty. */
function filled(tags: number): number {
  let mask = 0;
  for (let n = 0; n < 8; n++) if ((tags >> (n * 2) & 3) !== EMPTY) mask |= 1 << n;
  return mask;
}

function text({ bytes }: CpuState, at: number, length: number): string {
  return Array.from(bytes.subarray(at, at + length), (byte) => hex(byte, 2)).join("");
}

/** Two extended numbers of one sign lie at most one unit in the last place apart. */
function isNeighbour(a: string, b: string): boolean {
  const [x, y] = [extended(a), extended(b)];
  const distance = x.place - y.place;
  return x.negative === y.negative && distance >= -1n && distance <= 1n;
}

/** An extended number as its sign and its place among the magnitudes. */
function extended(text: string): { negative: boolean; place: bigint } {
  const view = new DataView(unhex(text).buffer);
  const high = view.getUint16(8, true);
  const exponent = BigInt(Math.max(high & EXPONENT, 1));
  return {
    negative: high > EXPONENT,
    place: (exponent << 63n) + view.getBigUint64(0, true),
  };
}
