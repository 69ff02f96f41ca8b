/**
 * The registers at power-on, and as a boot protocol wants them.
 * Source: Intel SDM vol. 3, table 10-1; for PVH xen/docs/misc/pvh.pandoc.
 * @module
 */

import type { Cpu } from "./cpu.ts";
import { powerUp } from "./fpu/environment.ts";
import { setSegment, updateMode } from "./segment.ts";
import { MXCSR_RESET } from "./sse/mxcsr.ts";
import { AT, CR0, CS, EDX, FLAG, LDTR, NULL_ATTR, SEG, TR } from "./state.ts";

/** DR6 and DR7 with their fixed bits. */
const DEBUG_STATUS = 0xffff0ff0;
const DEBUG_CONTROL = 0x400;
/** Of the real-mode vector table, 256 entries. */
const VECTORS_LIMIT = 0x3ff;
/** CS after a reset names the last 64 KiB below 4 GiB. */
const RESET_CODE = { selector: 0xf000, base: 0xffff0000 } as const;
/** Access rights of the segments after a reset, and their limit. */
const FLAT = { code: 0xc09b, data: 0xc093, limit: 0xffffffff };
const REAL_MODE: typeof FLAT = { code: 0x93, data: 0x93, limit: 0xffff };
const TSS_BUSY = 0x8b;
const TSS_LIMIT = 0x67;

/** Registers at the begin of a run. */
export interface Reset {
  /**
   * `reset`: CS has its base below 4 GiB; `real16`: CS = 0; `protected32`: flat segments, paging
   * off.
   */
  readonly mode: "reset" | "real16" | "protected32";
  /** IF; off unless given. */
  readonly interrupts?: boolean | undefined;
  readonly eip: number;
  /** EAX ECX EDX EBX ESP EBP ESI EDI. */
  readonly regs: readonly number[];
  /** GDTR, and the selectors behind flat segments; 8 and 10h, which name nothing, without it. */
  readonly gdt?: {
    readonly base: number;
    readonly limit: number;
    readonly code: number;
    readonly data: number;
  } | undefined;
}

/**
 * Sets the registers that power-on leaves defined, and those of `to`.
 */
export function setRegisters(cpu: Cpu, to: Reset): void {
  const { state } = cpu;
  const isReal = to.mode !== "protected32";
  state.set(AT.CR, isReal ? CR0.ET : CR0.ET | CR0.PE);
  state.eflags = to.interrupts ? FLAG.IF | 2 : 2;
  state.set(AT.CPL, 0);
  state.set(AT.IDT_BASE, 0);
  state.set(AT.IDT_LIMIT, isReal ? VECTORS_LIMIT : 0);
  state.set(AT.DR + 24, DEBUG_STATUS);
  state.set(AT.DR + 28, DEBUG_CONTROL);
  state.set(AT.MXCSR, MXCSR_RESET);
  powerUp(state);
  state.regs.set(to.regs);
  if (isReal) setSegments(cpu, REAL_MODE, 0, 0);
  else setSegments(cpu, FLAT, to.gdt?.code ?? 0x08, to.gdt?.data ?? 0x10);
  for (const segment of [LDTR, TR]) state.setSeg(segment, SEG.ATTR, NULL_ATTR);
  if (to.gdt !== undefined) loadTables(cpu, to.gdt);
  if (to.mode === "reset") setResetVector(cpu);
  state.eip = to.eip;
  updateMode(cpu);
}

function setSegments(
  cpu: Cpu,
  kind: typeof FLAT,
  codeSelector: number,
  dataSelector: number,
): void {
  const { code, data, limit } = kind;
  for (let segment = 0; segment < 6; segment++) {
    const [attr, selector] = segment === CS ? [code, codeSelector] : [data, dataSelector];
    setSegment(cpu, segment, { selector, base: 0, limit, attr, at: 0 });
  }
}

function setResetVector(cpu: Cpu): void {
  const { state } = cpu;
  const { code, limit } = REAL_MODE;
  setSegment(cpu, CS, { ...RESET_CODE, limit, attr: code, at: 0 });
  state.set(AT.CR, CR0.CD | CR0.NW | CR0.ET);
  state.set(AT.IDT_LIMIT, 0xffff);
  state.set(AT.GDT_LIMIT, 0xffff);
  state.regs[EDX] = cpu.signature;
}

/** GDTR, and the task register as PVH wants it: a busy 32-bit TSS of the smallest size at 0. */
function loadTables({ state }: Cpu, { base, limit }: NonNullable<Reset["gdt"]>): void {
  state.set(AT.GDT_BASE, base);
  state.set(AT.GDT_LIMIT, limit);
  state.setSeg(TR, SEG.LIMIT, TSS_LIMIT);
  state.setSeg(TR, SEG.ATTR, TSS_BUSY);
}
