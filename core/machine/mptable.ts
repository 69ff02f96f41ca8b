/**
 * The MP table: processor, I/O APIC, and which interrupt arrives at which of its pins, for software
 * that knows no ACPI or is told to leave it alone.
 * Source: Intel MultiProcessor Specification 1.4, §4; entries as SeaBIOS makes them for one
 * processor.
 * @module
 */

import { littleEndian } from "../bits.ts";
import { ACTIVE_HIGH_LEVEL, checksum, putText } from "./acpi.ts";
import { CASCADE, FIRMWARE, IRQ, lineOfPin, MMIO, PCI_SLOT, TIMER_PIN } from "./address_map.ts";

/** What CPUID leaf 1 says of the processor. */
export interface MpProcessor {
  /** EAX: family, model, stepping. */
  readonly signature: number;
  /** EDX. */
  readonly features: number;
}

/** Bytes of the structure that points to the table, which follows it. */
const POINTER = { table: 4, length: 8, revision: 9, checksum: 10, size: 16 } as const;
const TABLE = {
  length: 4,
  revision: 6,
  checksum: 7,
  oemId: 8,
  productId: 16,
  entryCount: 34,
  localApic: 36,
  size: 44,
} as const;
const REVISION_1_4 = 4;
const OEM = { id: "TRAPRING", product: "pc" } as const;
const PRODUCT_BYTES = 12;

const ENTRY = { PROCESSOR: 0, BUS: 1, IO_APIC: 2, INTERRUPT: 3, LOCAL_INTERRUPT: 4 } as const;
const LOCAL_APIC_VERSION = 0x14;
const IO_APIC_VERSION = 0x11;
const ENABLED = 1;
const BOOT_PROCESSOR = 2;
const TYPE = { INT: 0, NMI: 1, EXT_INT: 3 } as const;
const ALL_APICS = 0xff;
const BUS = { PCI: 0, ISA: 1 } as const;
const CONFORMS = 0;
const ISA_INTERRUPTS = 16;

/**
 * The structure that software searches for, and the table behind it.
 * @param gpa where they will lie, a multiple of 16
 */
export function mpTable(gpa: number, processor: MpProcessor): Uint8Array {
  const entries = [
    processorEntry(processor),
    busEntry(BUS.PCI, "PCI"),
    busEntry(BUS.ISA, "ISA"),
    [ENTRY.IO_APIC, 0, IO_APIC_VERSION, ENABLED, ...dword(MMIO.IO_APIC)],
    ...pciInterrupts(),
    ...isaInterrupts(),
    [ENTRY.LOCAL_INTERRUPT, TYPE.EXT_INT, CONFORMS, 0, BUS.ISA, 0, 0, 0],
    [ENTRY.LOCAL_INTERRUPT, TYPE.NMI, CONFORMS, 0, BUS.ISA, 0, ALL_APICS, 1],
  ];
  const content = Uint8Array.from(entries.flat());
  const bytes = new Uint8Array(POINTER.size + TABLE.size + content.length);
  bytes.set(content, POINTER.size + TABLE.size);
  fillTable(bytes.subarray(POINTER.size), entries.length);
  fillPointer(bytes.subarray(0, POINTER.size), gpa + POINTER.size);
  return bytes;
}

function fillPointer(bytes: Uint8Array, table: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  putText(bytes, 0, "_MP_");
  view.setUint32(POINTER.table, table, true);
  view.setUint8(POINTER.length, POINTER.size / 16);
  view.setUint8(POINTER.revision, REVISION_1_4);
  view.setUint8(POINTER.checksum, checksum(bytes));
}

function fillTable(bytes: Uint8Array, entryCount: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  putText(bytes, 0, "PCMP");
  view.setUint16(TABLE.length, bytes.length, true);
  view.setUint8(TABLE.revision, REVISION_1_4);
  putText(bytes, TABLE.oemId, OEM.id);
  putText(bytes, TABLE.productId, OEM.product.padEnd(PRODUCT_BYTES));
  view.setUint16(TABLE.entryCount, entryCount, true);
  view.setUint32(TABLE.localApic, MMIO.LOCAL_APIC, true);
  view.setUint8(TABLE.checksum, checksum(bytes));
}

function processorEntry({ signature, features }: MpProcessor): number[] {
  const flags = ENABLED | BOOT_PROCESSOR;
  const reserved = [...dword(0), ...dword(0)];
  return [
    ...[ENTRY.PROCESSOR, 0, LOCAL_APIC_VERSION, flags],
    ...dword(signature),
    ...dword(features),
    ...reserved,
  ];
}

function busEntry(id: number, name: string): number[] {
  return [ENTRY.BUS, id, ...new TextEncoder().encode(name.padEnd(6))];
}

/** INTA of every slot that has a function; a slot's other pins are not used. */
function pciInterrupts(): number[][] {
  const slots = new Set(Object.values(PCI_SLOT).map(({ device }) => device));
  return [...slots].filter((slot) => slot > 0).map((slot) => {
    return interrupt(ACTIVE_HIGH_LEVEL, BUS.PCI, slot << 2, lineOfPin(slot, 0));
  });
}

function isaInterrupts(): number[][] {
  const pci = new Set<number>(FIRMWARE.PIRQ_ROUTES);
  const lines = Array.from({ length: ISA_INTERRUPTS }, (_, line) => line);
  return lines.filter((line) => line !== CASCADE && !pci.has(line)).map((line) =>
    interrupt(
      line === IRQ.SCI ? ACTIVE_HIGH_LEVEL : CONFORMS,
      BUS.ISA,
      line,
      line === IRQ.TIMER ? TIMER_PIN : line,
    )
  );
}

function interrupt(flags: number, bus: number, source: number, pin: number): number[] {
  return [ENTRY.INTERRUPT, TYPE.INT, flags, 0, bus, source, 0, pin];
}

function dword(value: number): number[] {
  return littleEndian(value, 4);
}
