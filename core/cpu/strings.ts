/**
 * REP MOVS, STOS, LODS, CMPS, SCAS: a page run at a time, interruptible by the budget. Every
 * iteration retires as one instruction.
 * @module
 */

import { EXIT } from "../types.ts";
import { cachedHost } from "./cached.ts";
import type { Cpu } from "./cpu.ts";
import { isArmed } from "./debug.ts";
import { type Insn, integerSize, type SystemOp } from "./insn.ts";
import { maskAddress, writeRegister } from "./operand.ts";
import { advance, bytesBelow, bytesFrom, goOn } from "./portio.ts";
import { AT, type CpuState, EAX, ECX, EDI, ES, ESI, FLAG, TLB } from "./state.ts";

const { BANK, BUDGET, CA, CB, FO, FR, FX } = AT;
const { DF, TF } = FLAG;
const { READ: TLB_READ, WRITE: TLB_WRITE } = TLB;
const { EPT_VIOLATION: EXIT_EPT_VIOLATION } = EXIT;

type Size = 1 | 2 | 4;

/**
 * One step of a REP loop: does up to `wanted` items, returns how many; sets `stop` to end early.
 */
interface Step {
  (cpu: Cpu, insn: Insn, wanted: number): number;
}

let stop = false;

function repeat(step: Step): SystemOp {
  return (cpu, insn) => {
    const { state, mmu } = cpu;
    const count = maskAddress(state.regs[ECX]!, insn);
    if (count === 0) return;
    let left = count;
    let done = 0;
    let unfinished = 1;
    stop = false;
    try {
      while (left > 0 && !stop && done < most(state)) {
        const items = step(cpu, insn, Math.min(left, most(state) - done));
        advance(cpu, insn, ECX, -items);
        left -= items;
        done += items;
        if (mmu.breakpoints.hits) break;
      }
      unfinished = 0;
    } finally {
      // The caller retires the last iteration, or the one that a fault has cut off.
      state.set(BUDGET, state.get(BUDGET) - Math.max(0, done - 1 + unfinished));
    }
    if (left > 0 && !stop) goOn(cpu, insn);
  };
}

/**
 * Repetitions until something comes between two of them: the end of the slice, or a single step.
 */
function most(state: CpuState): number {
  return state.flag(TF) ? 1 : state.get(BUDGET);
}

/** Items that a segment has from `offset` upwards; 0 if each access is watched. */
function room(cpu: Cpu, segment: number, offset: number, insn: Insn, size: Size): number {
  return isArmed(cpu.state) ? 0 : Math.floor(bytesFrom(cpu, segment, offset, insn) / size);
}

/**
 * Items from `offset` downwards that a segment has in the page of the first; 0 if that leaves the
 * page, or if each access is watched.
 */
function roomBelow(cpu: Cpu, segment: number, offset: number, linear: number, size: Size): number {
  const inPage = linear & 0xfff;
  if (isArmed(cpu.state) || inPage + size > 4096) return 0;
  return Math.floor(Math.min(inPage, bytesBelow(cpu, segment, offset)) / size) + 1;
}

/**
 * Bytes from `linear` on, at most `wanted`, that lie one behind the other in memory: those in its
 * page, and in pages that the TLB has for the same access.
 */
function run(cpu: Cpu, linear: number, host: number, wanted: number, tag: number): number {
  const { state } = cpu;
  const bank = state.get(BANK);
  let length = 4096 - (linear & 0xfff);
  while (
    length < wanted &&
    cachedHost(state, bank, (linear + length) >>> 0, 1, tag) === ((host + length) | 0)
  ) length += 4096;
  return Math.min(length, wanted);
}

function movs(cpu: Cpu, insn: Insn, wanted: number): number {
  const { state, mmu } = cpu;
  const size = integerSize(insn, 0);
  const source = maskAddress(state.regs[ESI]!, insn);
  const target = maskAddress(state.regs[EDI]!, insn);
  const down = state.flag(DF);
  const from = cpu.linear(insn.segment, source, size, false);
  const read = mmu.hostAddress(from, false);
  const to = cpu.linear(ES, target, size, true);
  let items = down
    ? Math.min(
      wanted,
      roomBelow(cpu, insn.segment, source, from, size),
      roomBelow(cpu, ES, target, to, size),
    )
    : Math.min(
      wanted,
      room(cpu, insn.segment, source, insn, size),
      room(cpu, ES, target, insn, size),
    );
  const write = items && read >= 0 ? mmu.hostAddress(to, true) : -1;
  if (write >= 0) {
    items = down
      ? copyDown(cpu, read, write, items, size)
      : copy(cpu, from, read, to, write, items * size, size) / size;
  }
  if (write < 0 || items === 0) {
    cpu.write(ES, target, size, cpu.read(insn.segment, source, size));
    items = 1;
  }
  const by = down ? -items * size : items * size;
  advance(cpu, insn, ESI, by);
  advance(cpu, insn, EDI, by);
  return items;
}

/**
 * Copies forward: at most up to where the target would meet what it has written.
 * @returns how many of `wanted` bytes, whole items; 0 when the first one needs more than one page
 */
function copy(
  cpu: Cpu,
  from: number,
  read: number,
  to: number,
  write: number,
  wanted: number,
  size: Size,
): number {
  const { state } = cpu;
  const ahead = write > read ? write - read : wanted;
  let length = Math.min(wanted, Math.max(ahead, size));
  length = run(cpu, from, read, length, TLB_READ);
  length = writable(cpu, to, write, length);
  length -= length % size;
  // Closer than an item: only one at a time does what the guest sees.
  if (ahead < size) length = Math.min(length, size);
  state.bytes.copyWithin(write, read, read + length);
  return length;
}

/**
 * Copies `wanted` items from high addresses to low ones, `read` and `write` being those of the first;
 * at most up to where the source would be what it has written.
 * @returns how many
 */
function copyDown(cpu: Cpu, read: number, write: number, wanted: number, size: Size): number {
  const { state, mmu } = cpu;
  const ahead = read > write ? Math.floor((read - write) / size) : wanted;
  const items = Math.max(1, Math.min(wanted, ahead));
  const below = (items - 1) * size;
  if (mmu.holdsCode(write)) mmu.codeWritten(write - below, items * size);
  state.bytes.copyWithin(write - below, read - below, read + size);
  return items;
}

/** As {@link run} for a write; decoded code there is told of it. */
function writable(cpu: Cpu, linear: number, host: number, wanted: number): number {
  const { mmu } = cpu;
  if (!mmu.holdsCode(host)) return run(cpu, linear, host, wanted, TLB_WRITE);
  const length = Math.min(wanted, 4096 - (linear & 0xfff));
  mmu.codeWritten(host, length);
  return length;
}

function stos(cpu: Cpu, insn: Insn, wanted: number): number {
  const { state, mmu } = cpu;
  const size = integerSize(insn, 0);
  const target = maskAddress(state.regs[EDI]!, insn);
  const to = cpu.linear(ES, target, size, true);
  const down = state.flag(DF);
  const possible = down ? 0 : Math.min(wanted, room(cpu, ES, target, insn, size));
  const inPage = Math.min(possible, Math.floor((4096 - (to & 0xfff)) / size));
  let items = inPage;
  if (items === 0) {
    cpu.write(ES, target, size, state.regs[EAX]!);
    items = 1;
  } else {
    const host = mmu.hostAddress(to, true);
    if (host < 0) mmioFill(cpu, to, size, items);
    else items = Math.floor(writable(cpu, to, host, possible * size) / size);
    if (host >= 0) fill(state, host, size, items * size);
  }
  advance(cpu, insn, EDI, down ? -size : items * size);
  return items;
}

function fill(
  { regs, bytes, view, words }: CpuState,
  host: number,
  size: Size,
  length: number,
): void {
  const value = regs[EAX]!;
  if (size === 1) {
    bytes.fill(value & 0xff, host, host + length);
    return;
  }
  if (size === 4 && (host & 3) === 0) {
    words.fill(value, host >> 2, (host + length) >> 2);
    return;
  }
  if (size === 2) view.setUint16(host, value, true);
  else view.setUint32(host, value, true);
  for (let have: number = size; have < length; have *= 2) {
    bytes.copyWithin(host + have, host, host + Math.min(have, length - have));
  }
}

/** One exit for the whole run, as Xen batches it. */
function mmioFill(cpu: Cpu, linear: number, size: Size, items: number): void {
  const { exit, mmu, state } = cpu;
  exit.gpa = mmu.physical(linear, true);
  exit.size = size;
  exit.write = true;
  exit.count = items;
  exit.string = true;
  exit.descending = false;
  exit.value = state.regs[EAX]!;
  cpu.leave(EXIT_EPT_VIOLATION);
}

function lods(cpu: Cpu, insn: Insn): number {
  const { state } = cpu;
  const size = integerSize(insn, 0);
  const value = cpu.read(insn.segment, maskAddress(state.regs[ESI]!, insn), size);
  writeRegister(cpu, EAX, size, value);
  advance(cpu, insn, ESI, state.flag(DF) ? -size : size);
  return 1;
}

/**
 * One comparison; flags follow the last one, and a fault leaves those of before the instruction.
 */
function compare(cpu: Cpu, insn: Insn, scan: boolean): number {
  const { state } = cpu;
  const size = integerSize(insn, 0);
  const first = scan
    ? state.regs[EAX]!
    : cpu.read(insn.segment, maskAddress(state.regs[ESI]!, insn), size);
  const second = cpu.read(ES, maskAddress(state.regs[EDI]!, insn), size);
  const by = state.flag(DF) ? -size : size;
  if (!scan) advance(cpu, insn, ESI, by);
  advance(cpu, insn, EDI, by);
  compared.a = first;
  compared.b = second;
  const shift = 32 - size * 8;
  const equal = (first ^ second) << shift === 0;
  stop = equal !== (insn.rep === 0xf3);
  return 1;
}

const compared = { a: 0, b: 0 };

/** Flags of `a - b`. */
function setCompareFlags(cpu: Cpu, size: Size): void {
  const { state } = cpu;
  const mask = size === 4 ? 0xffffffff : (1 << (size * 8)) - 1;
  const shift = 32 - size * 8;
  const a = (compared.a & mask) >>> 0;
  const b = (compared.b & mask) >>> 0;
  const r = ((a - b) << shift) >> shift;
  state.set(CA, a);
  state.set(CB, b);
  state.set(FR, r);
  state.set(FO, ((a ^ b) & (a ^ r)) << shift);
  state.set(FX, (a ^ b) & 16);
}

/** REP MOVS. */
export const repMovs: SystemOp = repeat(movs);
/** REP STOS. */
export const repStos: SystemOp = repeat(stos);
/** REP LODS. */
export const repLods: SystemOp = repeat(lods);

/** REPE/REPNE CMPS or SCAS. */
export function repCompare(kind: "cmps" | "scas"): SystemOp {
  const loop = repeat((cpu, insn) => compare(cpu, insn, kind === "scas"));
  return (cpu, insn) => {
    if (maskAddress(cpu.state.regs[ECX]!, insn) === 0) return;
    loop(cpu, insn);
    setCompareFlags(cpu, integerSize(insn, 0));
  };
}
