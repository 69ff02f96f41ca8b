/**
 * SYSENTER and SYSEXIT: ring changes by registers instead of descriptors.
 * Source: Intel SDM vol. 2.
 * @module
 */

import type { Cpu } from "./cpu.ts";
import { Fault, VECTOR } from "./fault.ts";
import { privileged } from "./operand.ts";
import { setSegment } from "./segment.ts";
import { AT, CR0, CS, ECX, EDX, ESP, FLAG, SS } from "./state.ts";

/** Flat 4 GiB segments, accessed: 32-bit code that may be read, data that may be written. */
const CODE = 0xc09b, DATA = 0xc093;

/** The selector that all four segments follow. */
function baseSelector(cpu: Cpu): number {
  const selector = cpu.state.get(AT.SYSENTER) & 0xfffc;
  if (!(cpu.state.get(AT.CR) & CR0.PE) || selector === 0) throw Fault.of(VECTOR.GP, 0);
  return selector;
}

/** Flat code and stack segments of a ring: SS follows CS. */
function setFlat(cpu: Cpu, selector: number, ring: number): void {
  const common = { base: 0, limit: 0xffffffff, at: 0 };
  const dpl = ring << 5;
  cpu.state.set(AT.CPL, ring);
  setSegment(cpu, CS, { ...common, selector: selector | ring, attr: CODE | dpl });
  setSegment(cpu, SS, { ...common, selector: (selector + 8) | ring, attr: DATA | dpl });
}

/** To ring 0, from any mode but real mode. */
export function sysenter(cpu: Cpu): void {
  const { state } = cpu;
  const selector = baseSelector(cpu);
  state.setFlag(FLAG.VM | FLAG.IF | FLAG.RF, false);
  setFlat(cpu, selector, 0);
  state.regs[ESP] = state.get(AT.SYSENTER + 4);
  cpu.jump(state.get(AT.SYSENTER + 8));
}

/** To ring 3: EIP from EDX, ESP from ECX. */
export function sysexit(cpu: Cpu): void {
  const { state } = cpu;
  const selector = baseSelector(cpu);
  privileged(cpu);
  setFlat(cpu, selector + 16, 3);
  state.regs[ESP] = state.regs[ECX]!;
  cpu.jump(state.regs[EDX]!);
}
