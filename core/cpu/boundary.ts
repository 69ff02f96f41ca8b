/**
 * What may happen between two instructions: traps of the one before, interrupts, breakpoints on the
 * one that follows, and the shadows that hold them back.
 * Source: Intel SDM vol. 3, §6.9 (priority among simultaneous events), §17.3 (debug exceptions).
 * @module
 */

import type { Cpu } from "./cpu.ts";
import { DR6, isArmed, noteDebug } from "./debug.ts";
import { deliver, raise } from "./deliver.ts";
import { VECTOR } from "./fault.ts";
import { AT, CS, FLAG } from "./state.ts";

const { BUDGET } = AT;
const { IF, RF, TF } = FLAG;
const { DB, NMI } = VECTOR;

/**
 * The next instruction may not run as part of a block: {@link betweenInstructions} must be asked.
 */
export function isWatched(cpu: Cpu): boolean {
  const { state } = cpu;
  return cpu.shadow || cpu.nmiDue || state.flag(TF | IF | RF) || debugging(cpu);
}

/** Something comes before the next instruction. */
export function isHeldUp(cpu: Cpu): boolean {
  const { state } = cpu;
  return cpu.shadow || isExposed(cpu) || (state.flag(IF) && cpu.host.interruptPending);
}

/** Ends a shadow where nothing is there that it could hold back from the next instruction. */
export function liftShadow(cpu: Cpu): void {
  const { state, host } = cpu;
  if (host.interruptPending || state.get(BUDGET) <= 0 || isExposed(cpu)) return;
  cpu.shadow = cpu.noTrap = false;
}

/** Something other than a maskable interrupt may come before the next instruction. */
function isExposed(cpu: Cpu): boolean {
  return cpu.nmiDue || cpu.state.flag(TF | RF) || debugging(cpu);
}

function debugging({ state, mmu }: Cpu): boolean {
  return isArmed(state) || mmu.breakpoints.hits !== 0;
}

/** @returns true when it has executed or delivered something */
export function betweenInstructions(cpu: Cpu): boolean {
  const { state, host, shadow } = cpu;
  const held = shadow && cpu.noTrap;
  const watched = debugging(cpu);
  cpu.shadow = cpu.noTrap = false;
  if (watched && !held && trap(cpu, 0)) return spend(cpu);
  if (cpu.nmiDue && !shadow) {
    cpu.takeNmi();
    deliver(cpu, NMI, 0, "external", state.eip);
    return true;
  }
  const interrupted = state.flag(IF) && host.interruptPending;
  if (interrupted && !shadow) {
    deliver(cpu, cpu.acknowledgeInterrupt(), 0, "external", state.eip);
    return true;
  }
  if (!interrupted && !watched && !cpu.nmiDue && !state.flag(TF)) {
    // Nothing else could see that the instruction runs with RF set.
    state.setFlag(RF, false);
    return false;
  }
  if (watched && !held && !state.flag(RF) && stopsAt(cpu)) return spend(cpu);
  step(cpu, held);
  return true;
}

/**
 * Executes one instruction, and the trap that it leads to. Of loads of SS in a row, each second one
 * holds nothing back.
 * @param held it follows a load of SS that does
 */
function step(cpu: Cpu, held: boolean): void {
  const { state, mmu } = cpu;
  state.setFlag(RF, false);
  const single = state.flag(TF);
  try {
    cpu.stepOne();
  } catch (fault) {
    mmu.breakpoints.take();
    throw fault;
  }
  if (held && cpu.shadow && cpu.noTrap) cpu.shadow = cpu.noTrap = false;
  if (!cpu.noTrap) trap(cpu, single ? DR6.BS : 0);
}

/** A #DB in front of an instruction takes its place in the budget: endless ones use it up. */
function spend({ state }: Cpu): true {
  state.set(BUDGET, state.get(BUDGET) - 1);
  return true;
}

/** Raises #DB for the instruction that has just ended. @returns false when there is no reason */
function trap(cpu: Cpu, reason: number): boolean {
  const met = cpu.mmu.breakpoints.take() | reason;
  if (met === 0) return false;
  noteDebug(cpu.state, met);
  raise(cpu, DB, 0);
  return true;
}

/** Raises #DB in front of an instruction with a breakpoint on it. */
function stopsAt(cpu: Cpu): boolean {
  const { state } = cpu;
  const met = cpu.mmu.breakpoints.onInstruction((state.segmentBase(CS) + state.eip) >>> 0);
  if (met === 0) return false;
  noteDebug(state, met);
  raise(cpu, DB, 0);
  return true;
}
