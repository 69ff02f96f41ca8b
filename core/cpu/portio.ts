/**
 * IN, OUT, INS, OUTS: the exits that the emulated disk path is made of.
 *
 * A REP string access leaves the guest once for each run of items inside one page, as Xen's
 * emulator does: `(4096 - offset) / size` items, with DF set `(offset + size - 1) / size`, at
 * least one.
 * @module
 */

import { EXIT } from "../types.ts";
import type { Cpu } from "./cpu.ts";
import { Fault, VECTOR } from "./fault.ts";
import { isArmed } from "./debug.ts";
import { type Insn, integerSize } from "./insn.ts";
import { maskAddress } from "./operand.ts";
import { IMMEDIATE_PORT } from "./sem/port.ts";
import { AT, CR0, ECX, EDI, EDX, ES, ESI, FLAG, SEG, TR } from "./state.ts";

const { CR: AT_CR, EFLAGS } = AT;
const { ATTR: SEG_ATTR, LIMIT: SEG_LIMIT, LOW: SEG_LOW, SPAN: SEG_SPAN } = SEG;
const { DF, RF, TF, VM } = FLAG;
const { IO_INSTRUCTION: EXIT_IO_INSTRUCTION } = EXIT;
const { PE: CR0_PE } = CR0;
const { GP } = VECTOR;

/** Ports that Xen gives an HVM guest without an exit (arch/x86/hvm/hvm.c): the delay ports. */
const isPassedThrough = (port: number): boolean => port === 0x80 || port === 0xed;

/** @throws {Fault} #GP(0) unless IOPL or the TSS bitmap allow the access */
function checkPort(cpu: Cpu, port: number, size: number): void {
  checkPermission(cpu, port, size);
  cpu.mmu.breakpoints.notePort(port, size);
}

function checkPermission(cpu: Cpu, port: number, size: number): void {
  const { state } = cpu;
  if (!(state.get(AT_CR) & CR0_PE)) return;
  const iopl = state.get(EFLAGS) >> 12 & 3;
  if (state.cpl > iopl || state.flag(VM)) checkBitmap(cpu, port, size);
}

function checkBitmap({ state, mmu }: Cpu, port: number, size: number): void {
  const limit = state.seg(TR, SEG_LIMIT) >>> 0;
  const wide = (state.seg(TR, SEG_ATTR) & 0x1d) === 9;
  if (!wide || limit < 103) throw Fault.of(GP, 0);
  const base = state.segmentBase(TR);
  const at = mmu.systemRead(base + 102, 2) + (port >> 3);
  if (at + 1 > limit) throw Fault.of(GP, 0);
  const denied = mmu.systemRead(base + at, 2) >> (port & 7) & ((1 << size) - 1);
  if (denied) throw Fault.of(GP, 0);
}

function access(cpu: Cpu, port: number, size: 1 | 2 | 4, write: boolean, value: number): number {
  const { exit } = cpu;
  exit.port = port;
  exit.size = size;
  exit.write = write;
  exit.count = 1;
  exit.string = false;
  exit.value = value;
  if (isPassedThrough(port)) cpu.host.passthroughPort(exit);
  else cpu.leaveInside(EXIT_IO_INSTRUCTION);
  return exit.value;
}

/** IN of generated code. @param how size in bytes, and `IMMEDIATE_PORT` */
export function portIn(cpu: Cpu, port: number, how: number): number {
  const size = (how & 7) as 1 | 2 | 4;
  checkPort(cpu, port, size);
  const { exit, polls, state } = cpu;
  if (polls.again(state, port, how)) return polls.value;
  exit.immediate = (how & IMMEDIATE_PORT) !== 0;
  const value = access(cpu, port, size, false, 0);
  if (exit.steady > 0 && !isPassedThrough(port)) polls.begin(state, exit, how);
  return value;
}

/** OUT of generated code. */
export function portOut(cpu: Cpu, port: number, how: number, value: number): void {
  const size = (how & 7) as 1 | 2 | 4;
  checkPort(cpu, port, size);
  cpu.exit.immediate = (how & IMMEDIATE_PORT) !== 0;
  access(cpu, port, size, true, value >>> 0);
}

/** INS: the destination is ES:EDI whatever the prefixes say. */
export function ins(cpu: Cpu, insn: Insn): void {
  stringAccess(cpu, insn, ES, EDI, false);
}

/** OUTS. */
export function outs(cpu: Cpu, insn: Insn): void {
  stringAccess(cpu, insn, insn.segment, ESI, true);
}

function stringAccess(cpu: Cpu, insn: Insn, segment: number, pointer: number, out: boolean): void {
  const { regs } = cpu.state;
  const size = integerSize(insn, 0);
  const port = regs[EDX]! & 0xffff;
  checkPermission(cpu, port, size);
  const wanted = insn.rep ? maskAddress(regs[ECX]!, insn) : 1;
  if (wanted === 0) return;
  cpu.mmu.breakpoints.notePort(port, size);
  const most = cpu.state.flag(TF) ? 1 : wanted;
  const offset = maskAddress(regs[pointer]!, insn);
  const linear = cpu.linear(segment, offset, size, !out);
  const down = cpu.state.flag(DF);
  const count = Math.min(most, itemsInPage(cpu, insn, segment, offset, linear, down, out));
  cpu.exit.immediate = false;
  if (count === 0) single(cpu, port, size, segment, offset, out);
  else run(cpu, port, size, linear, count, down, out);
  const done = count || 1;
  advance(cpu, insn, pointer, down ? -done * size : done * size);
  if (!insn.rep) return;
  advance(cpu, insn, ECX, -done);
  if (done < wanted) goOn(cpu, insn);
}

/**
 * Items one exit can serve; 0 when the first one straddles two pages, is no memory, or is watched.
 */
function itemsInPage(
  cpu: Cpu,
  insn: Insn,
  segment: number,
  offset: number,
  linear: number,
  down: boolean,
  out: boolean,
): number {
  const size = integerSize(insn, 0);
  const inPage = linear & 0xfff;
  if (inPage + size > 4096 || isArmed(cpu.state)) return 0;
  if (cpu.mmu.hostAddress(linear, !out) < 0) return 0;
  const page = down ? Math.floor((inPage + size - 1) / size) : Math.floor((4096 - inPage) / size);
  const room = down
    ? Math.floor(bytesBelow(cpu, segment, offset) / size) + 1
    : Math.floor(bytesFrom(cpu, segment, offset, insn) / size);
  return Math.max(1, Math.min(page, room));
}

/** Bytes of a segment below `offset`, which lies in it. */
export function bytesBelow({ state }: Cpu, segment: number, offset: number): number {
  return (offset - state.seg(segment, SEG_LOW)) >>> 0;
}

/** Bytes from `offset` upwards until the segment ends or the offset wraps. */
export function bytesFrom(cpu: Cpu, segment: number, offset: number, insn: Insn): number {
  const limit = (cpu.state.seg(segment, SEG_SPAN) >>> 0) - bytesBelow(cpu, segment, offset) + 1;
  const wrap = insn.addressSize === 4 ? 0x1_0000_0000 - offset : 0x10000 - offset;
  return Math.min(limit, wrap);
}

function run(
  cpu: Cpu,
  port: number,
  size: 1 | 2 | 4,
  linear: number,
  count: number,
  down: boolean,
  out: boolean,
): void {
  const { exit } = cpu;
  const first = cpu.mmu.physical(linear, !out);
  exit.port = port;
  exit.size = size;
  exit.write = out;
  exit.count = count;
  exit.string = true;
  exit.descending = down;
  exit.gpa = down ? first - (count - 1) * size : first;
  cpu.leave(EXIT_IO_INSTRUCTION);
}

function single(
  cpu: Cpu,
  port: number,
  size: 1 | 2 | 4,
  segment: number,
  offset: number,
  out: boolean,
): void {
  if (out) {
    access(cpu, port, size, true, cpu.read(segment, offset, size) >>> 0);
  } else {
    cpu.mmu.modify(cpu.linear(segment, offset, size, true), size);
    cpu.write(segment, offset, size, access(cpu, port, size, false, 0));
  }
}

/** More repetitions follow: what comes next is not a new instruction to a breakpoint. */
export function goOn(cpu: Cpu, insn: Insn): void {
  cpu.nextEip = insn.pc;
  cpu.state.setFlag(RF, true);
}

/** Adds to a register of the address size. */
export function advance(cpu: Cpu, insn: Insn, register: number, by: number): void {
  const { regs } = cpu.state;
  const value = regs[register]!;
  regs[register] = insn.addressSize === 4
    ? value + by
    : (value & 0xffff0000) | ((value + by) & 0xffff);
}
