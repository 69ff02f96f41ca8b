/**
 * Registers of the local APIC: where they are, and which of their bits mean something.
 * Source: Intel SDM vol. 3, §10.4.1 (table 10-1), §10.5.3 (ESR), §10.6.1 (ICR), §10.9 (SVR).
 * @module
 */

/** Registers, by offset. Each has 16 bytes to itself. */
export const REG = {
  ID: 0x020,
  VERSION: 0x030,
  TPR: 0x080,
  APR: 0x090,
  PPR: 0x0a0,
  EOI: 0x0b0,
  REMOTE_READ: 0x0c0,
  LDR: 0x0d0,
  DFR: 0x0e0,
  SVR: 0x0f0,
  ISR: 0x100,
  TMR: 0x180,
  IRR: 0x200,
  ESR: 0x280,
  ICR: 0x300,
  ICR_HIGH: 0x310,
  LVT: 0x320,
  LVT_END: 0x380,
  TIMER_INITIAL: 0x380,
  TIMER_CURRENT: 0x390,
  TIMER_DIVIDE: 0x3e0,
} as const;
/** Version 14h, six local vectors. */
export const VERSION = 0x00050014;
/** Bit of SVR: software has switched the APIC on. */
export const SVR_ENABLED = 0x100;
/** Bits of SVR: vector, enable, focus processor checking. */
export const SVR_WRITABLE = 0x3ff;
/** Bits of ESR. */
export const ERROR = { SEND_VECTOR: 0x20, RECEIVED_VECTOR: 0x40, REGISTER: 0x80 } as const;
/** Shorthand, trigger, level, destination mode, delivery, vector; delivery status is always idle. */
export const ICR_WRITABLE = 0xccfff;
/** Bit of ICR: begins what a level-triggered message is about, rather than ends it. */
export const ICR_ASSERT = 0x4000;
/** Bits 19:18 of ICR: who gets the message, whatever the destination says. */
export const SHORTHAND = { NONE: 0, SELF: 1, ALL: 2, OTHERS: 3 } as const;
/** Bits 31:28 of DFR: logical destinations have one bit an APIC, or a cluster and its members. */
export const DFR_FLAT = 0xf;
/** Bits of DFR that read as ones. */
export const DFR_RESERVED = 0x0fffffff;

/** What {@link isReadOnly} says yes to, besides those of 256 bits. */
const READ_ONLY: readonly number[] = [
  REG.VERSION,
  REG.APR,
  REG.PPR,
  REG.REMOTE_READ,
  REG.TIMER_CURRENT,
];

/** The register is one of the local vectors. */
export function isLvt(register: number): boolean {
  return register >= REG.LVT && register < REG.LVT_END;
}

/** Number of a local vector, by its register. */
export function lvtIndex(register: number): number {
  return (register - REG.LVT) >> 4;
}

/** The register exists, and writes leave it alone. */
export function isReadOnly(register: number): boolean {
  return register >= REG.ISR && register < REG.ESR || READ_ONLY.includes(register);
}
