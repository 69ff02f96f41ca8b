/**
 * What is shown of a guest that has crashed.
 * @module
 */

import { hex } from "../bits.ts";
import type { Accounting } from "../hypervisor/accounting.ts";
import type { GuestMemory, Ns, VcpuState } from "../types.ts";

const REGISTERS = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"] as const;
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"] as const;
const CS = 1;
const CODE_BYTES = 16;

/** Registers, the code at EIP, the last exits and guest errors, one thing a line. */
export function crashDump(
  vcpu: VcpuState,
  memory: GuestMemory,
  accounting: Accounting,
  now: Ns,
): string {
  const registers = REGISTERS.map((name, i) => `${name}=${hex(vcpu.regs[i]!)}`);
  const segments = SEGMENTS.map((name, i) =>
    `${name}=${hex(vcpu.selector(i), 4)}@${hex(vcpu.segmentBase(i))}`
  );
  const control = [0, 2, 3, 4].map((n) => `cr${n}=${hex(vcpu.cr[n]!)}`);
  return [
    `at ${now} ns, ${accounting.instructions} instructions`,
    `eip=${hex(vcpu.eip)} eflags=${hex(vcpu.eflags)} cpl=${vcpu.cpl}`,
    registers.slice(0, 4).join(" "),
    registers.slice(4).join(" "),
    segments.join(" "),
    control.join(" "),
    `code ${codeBytes(vcpu, memory)}`,
    ...accounting.recentExits().map((line) => `exit ${line}`),
    ...accounting.recentErrors.map(({ source, text }) => `guest error, ${source}: ${text}`),
  ].join("\n");
}

/** The bytes at EIP; `??` where nothing is mapped. */
function codeBytes(vcpu: VcpuState, memory: GuestMemory): string {
  const linear = vcpu.segmentBase(CS) + vcpu.eip;
  return Array.from({ length: CODE_BYTES }, (_, i) => {
    const gpa = vcpu.linearToGpa((linear + i) >>> 0);
    return gpa === undefined ? "??" : hex(memory.read8(gpa), 2);
  }).join(" ");
}
