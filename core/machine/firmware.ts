/**
 * What a BIOS leaves in memory for a kernel that is started without one: the ACPI tables and the MP
 * table, where both are searched for.
 * @module
 */

import { FEATURE, profileFeatures, profileSignature } from "../cpu/cpuid.ts";
import type { Profile } from "../cpu/cpuid.ts";
import { InternalError } from "../errors.ts";
import { HOLE, RSDP_GPA } from "../load/memory_map.ts";
import type { GuestMemory } from "../types.ts";
import { buildAcpi, placeAcpi, TABLES_ALIGN } from "./acpi.ts";
import { type MpProcessor, mpTable } from "./mptable.ts";

/** Puts all tables below 1 MiB. */
export function placeTables(memory: GuestMemory, cpu: Profile): void {
  const image = buildAcpi();
  const base = alignUp(RSDP_GPA + image.rsdp.length);
  const { rsdp, tables } = placeAcpi(image, base);
  place(memory, RSDP_GPA, rsdp);
  place(memory, base, tables);
  const mp = alignUp(base + tables.length);
  place(memory, mp, mpTable(mp, processorOf(cpu)));
}

/** What an MP table says of a processor. */
export function processorOf(cpu: Profile): MpProcessor {
  return {
    signature: profileSignature(cpu),
    features: profileFeatures(cpu) | FEATURE.APIC,
  };
}

function alignUp(gpa: number): number {
  return Math.ceil(gpa / TABLES_ALIGN) * TABLES_ALIGN;
}

function place(memory: GuestMemory, gpa: number, bytes: Uint8Array): void {
  const room = gpa + bytes.length <= HOLE.end ? memory.range(gpa, bytes.length) : undefined;
  if (room === undefined) throw new InternalError(`Cannot place a table at ${gpa}: no memory`);
  room.set(bytes);
  memory.wrote(room);
}
