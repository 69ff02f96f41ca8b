/**
 * RDMSR and WRMSR. The time stamp counter is the CPU's; every other register is asked of the host.
 * @module
 */

import { EXIT } from "../types.ts";
import type { Cpu } from "./cpu.ts";
import { Fault, VECTOR } from "./fault.ts";
import { EAX, EDX } from "./state.ts";

const IA32_TSC = 0x10;

/** The host leaves the value in EDX:EAX and 1 in `exit.value`, or 0 there for #GP(0). */
export function readMsr(cpu: Cpu, index: number): void {
  const { regs } = cpu.state;
  if (index === IA32_TSC) {
    const now = cpu.timestamp();
    regs[EAX] = now;
    regs[EDX] = Math.floor(now / 0x1_0000_0000);
    return;
  }
  ask(cpu, index, false);
}

export function writeMsr(cpu: Cpu, index: number): void {
  ask(cpu, index, true);
}

function ask(cpu: Cpu, index: number, write: boolean): void {
  cpu.exit.port = index;
  cpu.exit.write = write;
  cpu.exit.value = 0;
  cpu.leave(write ? EXIT.MSR_WRITE : EXIT.MSR_READ);
  if (cpu.exit.value !== 1) throw Fault.of(VECTOR.GP, 0);
}
