/**
 * The APICs as QEMU's monitor prints them.
 * Source: output of QEMU 7.2's `info pic` and `info lapic`.
 * @module
 */

import { MESSAGE } from "../../devices/apic_message.ts";
import { IOAPIC_REMOTE_IRR } from "../../devices/ioapic.ts";
import type { IoApic } from "../../devices/ioapic.ts";
import type { LocalApic } from "../../devices/lapic.ts";
import { ICR_ASSERT, REG, SVR_ENABLED } from "../../devices/lapic_registers.ts";
import { timerDivisor } from "../../devices/lapic_timer.ts";
import { LVT_PERIODIC } from "../../devices/local_vectors.ts";
import { hex } from "../bits.ts";

const ACTIVE_LOW = 0x2000;
const REDIRECTION = 0x10;
const LVT_BYTES = 0x10;

/** By bits 10:8. */
const IO_DELIVERIES = ["fixed", "lowest", "SMI", "...", "NMI", "INIT", "...", "extINT"] as const;
const LOCAL_DELIVERIES = ["Fixed", "...", "SMI", "...", "NMI", "INIT", "...", "ExtINT"] as const;
const NMI = 4;
/** By bits 19:18 of ICR. */
const SHORTHANDS = ["no-shorthand", "self", "all-self", "all"] as const;
/** Names of the local vectors in QEMU's order, and their registers in ours. */
const LOCAL_VECTORS = [["LVT0", 3], ["LVT1", 4], ["LVTPC", 2], ["LVTERR", 5], ["LVTTHMR", 1], [
  "LVTT",
  0,
]] as const;

const polarityOf = (entry: number): string =>
  (entry & ACTIVE_LOW) !== 0 ? "active-lo" : "active-hi";
const triggerOf = (entry: number): string => (entry & MESSAGE.LEVEL) !== 0 ? "level" : "edge";
const maskOf = (entry: number): string => (entry & MESSAGE.MASKED) !== 0 ? "masked" : "";
const dword = (value: number): string => `0x${hex(value >>> 0, 8)}`;
const byte = (value: number): string => `0x${hex(value & 0xff, 2)}`;

// ---- I/O APIC -----------------------------------------------------------------------------------

/** The part of `info pic` that is about the I/O APIC. */
export function ioApicLines(apic: IoApic): string[] {
  const { version, id, index, entries, asserted } = apic.registers;
  const shown = index < REDIRECTION ? "" : ` (redir[${(index - REDIRECTION) >> 1}])`;
  const waiting = entries.flatMap(({ low }, pin) => (low & IOAPIC_REMOTE_IRR) !== 0 ? [pin] : []);
  return [
    `ioapic0: ver=${byte(version)} id=${byte(id)} sel=${byte(index)}${shown}`,
    ...entries.map(({ low, destination }, pin) => pinLine(pin, low, destination)),
    `  IRR      ${pinList(asserted)}`,
    `  Remote IRR ${pinList(waiting)}`,
  ];
}

function pinLine(pin: number, low: number, destination: number): string {
  return [
    `  pin ${String(pin).padEnd(2)} 0x${hex(destination, 2)}000000${hex(low, 8)}`,
    `dest=${hex(destination, 1)} vec=${String(low & MESSAGE.VECTOR).padEnd(3)}`,
    polarityOf(low),
    triggerOf(low).padEnd(5),
    maskOf(low).padEnd(6),
    IO_DELIVERIES[low >> 8 & 7]!.padEnd(6),
    (low & MESSAGE.LOGICAL) !== 0 ? "logical" : "physical",
  ].join(" ");
}

function pinList(pins: readonly number[]): string {
  return pins.length === 0 ? "(none)" : pins.map((pin) => String(pin).padEnd(2)).join(" ");
}

// ---- local APIC ---------------------------------------------------------------------------------

/** `info lapic`. Looking at these registers changes none. */
export function localApicLines(apic: LocalApic): string[] {
  const read = (register: number) => apic.readMmio(register, 4);
  const [divide, svr] = [read(REG.TIMER_DIVIDE), read(REG.SVR)];
  return [
    "dumping local APIC state for CPU 0",
    "",
    ...LOCAL_VECTORS.map(([name, index]) => vectorLine(name, read(REG.LVT + LVT_BYTES * index))),
    `Timer\t DCR=0x${hex(divide, 1)} (divide by ${timerDivisor(divide)}) ` +
    `initial_count = ${read(REG.TIMER_INITIAL)} current_count = ${read(REG.TIMER_CURRENT)}`,
    `SPIV\t ${dword(svr)} APIC ${(svr & SVR_ENABLED) !== 0 ? "enabled" : "disabled"}, ` +
    `focus=${(svr & 0x200) !== 0 ? "on" : "off"}, spurious vec ${svr & MESSAGE.VECTOR}`,
    commandLine(read(REG.ICR)),
    `ICR2\t ${dword(read(REG.ICR_HIGH))}`,
    `ESR\t ${dword(read(REG.ESR))}`,
    `ISR\t ${vectorList(read, REG.ISR)}`,
    `IRR\t ${vectorList(read, REG.IRR)}`,
    "",
    `APR ${byte(read(REG.APR))} TPR ${byte(read(REG.TPR))} DFR ${byte(read(REG.DFR) >>> 28)} ` +
    `LDR ${byte(read(REG.LDR) >>> 24)} PPR ${byte(read(REG.PPR))}`,
  ];
}

function vectorLine(name: string, entry: number): string {
  const mode = entry >> 8 & 7;
  const repeats = (entry & LVT_PERIODIC) !== 0 ? "periodic" : "one-shot";
  return [
    `${name}\t ${dword(entry)}`,
    polarityOf(entry),
    triggerOf(entry).padEnd(5),
    maskOf(entry).padEnd(6),
    "".padEnd(7), // delivery status: always idle
    (name === "LVTT" ? repeats : "").padEnd(12),
    LOCAL_DELIVERIES[mode]!.padEnd(6),
    mode === NMI ? "" : `(vec ${entry & MESSAGE.VECTOR})`,
  ].join(" ").trimEnd();
}

function commandLine(icr: number): string {
  const destination = (icr & MESSAGE.LOGICAL) !== 0 ? "logical" : "physical";
  const level = (icr & ICR_ASSERT) !== 0 ? "assert" : "de-assert";
  return `ICR\t ${dword(icr)} ${destination} ${triggerOf(icr)} ${level} ${
    SHORTHANDS[icr >> 18 & 3]
  }`;
}

function vectorList(read: (register: number) => number, row: number): string {
  const has = (from: number, vector: number) =>
    read(from + 16 * (vector >> 5)) >>> (vector & 31) & 1;
  const vectors = Array.from({ length: 256 }, (_, vector) => vector)
    .filter((vector) => has(row, vector))
    .map((vector) => `${vector}${has(REG.TMR, vector) ? "(level)" : ""}`);
  return vectors.length === 0 ? "(none)" : vectors.join(" ");
}
