/**
 * What may happen between two instructions: interrupts, their shadow, the single-step trap.
 * Source: Intel SDM vol. 3, §6.9 (priority among simultaneous events).
 * @module
 */

import type { Cpu } from "./cpu.ts";
import { deliver, raise } from "./deliver.ts";
import { VECTOR } from "./fault.ts";
import { AT, FLAG } from "./state.ts";

/** DR6.BS. */
const SINGLE_STEP = 0x4000;

/** @returns true when it has executed or delivered something */
export function betweenInstructions(cpu: Cpu): boolean {
  const { state, host } = cpu;
  if (cpu.shadow) {
    cpu.shadow = false;
    if (!host.interruptPending && !state.flag(FLAG.TF)) return false;
    cpu.stepOne();
    return true;
  }
  if (state.flag(FLAG.IF) && host.interruptPending) {
    deliver(cpu, host.acknowledgeInterrupt(), 0, "external", state.eip);
    return true;
  }
  if (!state.flag(FLAG.TF)) return false;
  cpu.noTrap = false;
  const { eip } = state;
  cpu.stepOne();
  if (!cpu.noTrap) {
    // Between two repetitions the image has RF set, as for a fault.
    if (state.eip === eip) state.setFlag(FLAG.RF, true);
    state.set(AT.DR + 24, state.get(AT.DR + 24) | SINGLE_STEP);
    raise(cpu, VECTOR.DB, 0);
  }
  return true;
}
