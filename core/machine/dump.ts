/**
 * What is shown of a guest that has crashed.
 * @module
 */

import { hex } from "../bits.ts";

import { AT, type CpuState, FLAG, NULL_ATTR, SEG } from "../cpu/state.ts";
import type { Accounting } from "../hypervisor/books/accounting.ts";
import type { GuestMemory, Ns } from "../types.ts";
import type { ExceptionWatch } from "./exceptions.ts";
import { listAround, runningCode } from "./listing.ts";

const REGISTERS = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"] as const;
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"] as const;
const CONTROL = [0, 2, 3, 4] as const;

/** Where a crash dump takes its lines from. */
export interface CrashScene {
  readonly vcpu: CpuState;
  readonly memory: GuestMemory;
  readonly accounting: Accounting;
  readonly exceptions: ExceptionWatch;
  readonly now: Ns;
}

/**
 * Registers, the code around EIP, the last exceptions, exits and guest errors, one thing a line.
 */
export function crashDump({ vcpu, memory, accounting, exceptions, now }: CrashScene): string {
  return [
    `at ${now} ns, ${accounting.instructions} instructions`,
    ...registerLines(vcpu),
    ...listAround(runningCode(vcpu, memory), vcpu.eip),
    ...exceptions.lines().map((line) => `exception ${line}`),
    ...accounting.recentExits().map((line) => `exit ${line}`),
    ...accounting.recentErrors.map(({ source, text }) => `guest error, ${source}: ${text}`),
  ].join("\n");
}

function registerLines(vcpu: CpuState): string[] {
  const registers = REGISTERS.map((name, i) => `${name}=${hex(vcpu.regs[i]!)}`);
  return [
    registers.slice(0, 4).join(" "),
    registers.slice(4).join(" "),
    `eip=${hex(vcpu.eip)} eflags=${hex(vcpu.eflags)} [${flagNames(vcpu.eflags)}] cpl=${vcpu.cpl}`,
    ...SEGMENTS.map((name, segment) => `${name.padEnd(4)} ${segmentText(vcpu, segment)}`),
    `gdt  base=${hex(vcpu.get(AT.GDT_BASE))} limit=${hex(vcpu.get(AT.GDT_LIMIT), 4)}`,
    `idt  base=${hex(vcpu.get(AT.IDT_BASE))} limit=${hex(vcpu.get(AT.IDT_LIMIT), 4)}`,
    CONTROL.map((n) => `cr${n}=${hex(vcpu.cr[n]!)}`).join(" "),
  ];
}

/** `ZF IF IOPL=3`. */
function flagNames(eflags: number): string {
  const set = Object.entries(FLAG)
    .filter(([name, mask]) => name !== "IOPL" && (eflags & mask) !== 0)
    .map(([name]) => name);
  return [...set, `IOPL=${(eflags & FLAG.IOPL) / (FLAG.IOPL / 3)}`].join(" ");
}

function segmentText(vcpu: CpuState, segment: number): string {
  const selector = hex(vcpu.selector(segment), 4);
  const attr = vcpu.seg(segment, SEG.ATTR);
  if (attr === NULL_ATTR) return `${selector} unusable`;
  const base = hex(vcpu.segmentBase(segment));
  const limit = hex(vcpu.seg(segment, SEG.LIMIT));
  return `${selector} base=${base} limit=${limit} attr=${hex(attr, 4)}`;
}
