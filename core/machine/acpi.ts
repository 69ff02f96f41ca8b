/**
 * The ACPI tables of the board, as bytes with knowledge of their pointers and checksums, so that
 * whoever places them can: the machine itself, or a BIOS that is given a loader script.
 * Source: ACPI 1.0b, §5.2; values as QEMU's `pc` machine has them.
 * @module
 */

import { littleEndian } from "../bits.ts";
import { dsdtCode } from "./acpi_dsdt.ts";
import { FIRMWARE, IRQ, MMIO, PORT, TIMER_PIN } from "./address_map.ts";

/** The two pieces: the root pointer is searched for, the tables may be anywhere. */
export type AcpiPart = "rsdp" | "tables";

/** Four bytes that hold an offset into the tables, and must hold an address in the end. */
export interface AcpiPointer {
  readonly part: AcpiPart;
  readonly at: number;
}

/** A byte that makes the sum of a range 0; it is 0 until all pointers are final. */
export interface AcpiChecksum {
  readonly part: AcpiPart;
  readonly at: number;
  readonly start: number;
  readonly length: number;
}

/** Tables that have no place yet. */
export interface AcpiImage {
  readonly rsdp: Uint8Array;
  /** FACS first, which wants an address that is a multiple of {@link TABLES_ALIGN}. */
  readonly tables: Uint8Array;
  readonly pointers: readonly AcpiPointer[];
  readonly checksums: readonly AcpiChecksum[];
}

/** What the address of the tables is a multiple of. */
export const TABLES_ALIGN = 64;

const HEADER = {
  length: 4,
  revision: 8,
  checksum: 9,
  oemId: 10,
  oemTableId: 16,
  oemRevision: 24,
  creatorId: 28,
  creatorRevision: 32,
  size: 36,
} as const;
const OEM = { id: "TRPRNG", table: "TRAPRING", creator: "TRPR" } as const;

const RSDP = { checksum: 8, oemId: 9, rsdt: 16, size: 20 } as const;
const FACS_BYTES = 64;
const FADT_FACS = 0x24;
const FADT_DSDT = 0x28;
const FADT_BYTES = 0x74;

/** One number of a table. */
type Field = readonly [offset: number, bytes: 1 | 2 | 4, value: number];

const PM = FIRMWARE.PM_BASE;
/** WBINVD and C1 work, no sleep button, the RTC wakes from S4, the PM timer is the clock to use. */
const FADT_FLAGS = 0x80a5;
const UNSUPPORTED_LATENCY = 0xfff;
/** ACPI 1.0. */
const REVISION = 1;
const MULTIPLE_APIC_MODEL = 1;

const FADT: readonly Field[] = [
  [0x2c, 1, MULTIPLE_APIC_MODEL],
  [0x2e, 2, IRQ.SCI],
  [0x30, 4, PORT.SMI_COMMAND],
  [0x34, 1, 0xf1], // command that enables ACPI
  [0x35, 1, 0xf0], // command that disables it
  [0x38, 4, PM], // PM1a event block
  [0x40, 4, PM + 4], // PM1a control block
  [0x4c, 4, PM + 8], // PM timer
  [0x50, 4, PORT.GPE], // general-purpose events
  [0x58, 1, 4], // length of the event block
  [0x59, 1, 2], // of the control block
  [0x5b, 1, 4], // of the PM timer
  [0x5c, 1, 4], // of the general-purpose events
  [0x60, 2, UNSUPPORTED_LATENCY], // of C2
  [0x62, 2, UNSUPPORTED_LATENCY], // of C3
  [0x6c, 1, 0x32], // the century in CMOS
  [0x70, 4, FADT_FLAGS],
];

const PCAT_COMPAT = 1;
/** Flags of an interrupt, in the MP table too. */
export const ACTIVE_HIGH_LEVEL = 0x0d;
/** ISA interrupts that arrive otherwise than edge-triggered at the pin of their number. */
const OVERRIDES: readonly (readonly [source: number, pin: number, flags: number])[] = [
  [IRQ.TIMER, TIMER_PIN, 0],
  ...[5, IRQ.SCI, 10, 11].map((line) => [line, line, ACTIVE_HIGH_LEVEL] as const),
];

/** Builds all tables. */
export function buildAcpi(): AcpiImage {
  const image = new ImageBuilder();
  const facs = image.add(facsTable());
  const dsdt = image.addTable("DSDT", dsdtCode());
  const fadt = image.addTable("FACP", body(FADT_BYTES, FADT));
  image.point(fadt + FADT_FACS, facs);
  image.point(fadt + FADT_DSDT, dsdt);
  const madt = image.addTable("APIC", madtBody());
  const rsdt = image.addTable("RSDT", new Uint8Array(8));
  [fadt, madt].forEach((table, i) => image.point(rsdt + HEADER.size + 4 * i, table));
  return image.finish(rsdt);
}

/**
 * The bytes as they must lie in memory.
 * @param base address of the tables, a multiple of {@link TABLES_ALIGN}
 */
export function placeAcpi(image: AcpiImage, base: number): Record<AcpiPart, Uint8Array> {
  const parts = { rsdp: image.rsdp.slice(), tables: image.tables.slice() };
  for (const { part, at } of image.pointers) {
    const view = new DataView(parts[part].buffer);
    view.setUint32(at, view.getUint32(at, true) + base, true);
  }
  for (const { part, at, start, length } of image.checksums) {
    parts[part][at] = checksum(parts[part].subarray(start, start + length));
  }
  return parts;
}

/** What must be added to bytes to make their sum 0. */
export function checksum(bytes: Uint8Array): number {
  return -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}

/** Writes ASCII over zeros. */
export function putText(bytes: Uint8Array, at: number, text: string): void {
  bytes.set(new TextEncoder().encode(text), at);
}

/** Grows the tables behind each other. */
class ImageBuilder {
  #tables = new Uint8Array(0);
  readonly #pointers: AcpiPointer[] = [];
  readonly #checksums: AcpiChecksum[] = [];

  /** Adds bytes; returns their offset. */
  add(bytes: Uint8Array): number {
    const at = this.#tables.length;
    const tables = new Uint8Array(at + bytes.length);
    tables.set(this.#tables);
    tables.set(bytes, at);
    this.#tables = tables;
    return at;
  }

  /** Adds a table with the common header; returns its offset. */
  addTable(signature: string, content: Uint8Array): number {
    const length = HEADER.size + content.length;
    const bytes = new Uint8Array(length);
    const view = new DataView(bytes.buffer);
    putText(bytes, 0, signature);
    view.setUint32(HEADER.length, length, true);
    view.setUint8(HEADER.revision, REVISION);
    putText(bytes, HEADER.oemId, OEM.id);
    putText(bytes, HEADER.oemTableId, OEM.table);
    view.setUint32(HEADER.oemRevision, 1, true);
    putText(bytes, HEADER.creatorId, OEM.creator);
    view.setUint32(HEADER.creatorRevision, 1, true);
    bytes.set(content, HEADER.size);
    const start = this.add(bytes);
    this.#checksums.push({ part: "tables", at: start + HEADER.checksum, start, length });
    return start;
  }

  /** Makes four bytes of a table point to another one. */
  point(at: number, target: number): void {
    new DataView(this.#tables.buffer).setUint32(at, target, true);
    this.#pointers.push({ part: "tables", at });
  }

  finish(rsdt: number): AcpiImage {
    const rsdp = new Uint8Array(RSDP.size);
    putText(rsdp, 0, "RSD PTR ");
    putText(rsdp, RSDP.oemId, OEM.id);
    new DataView(rsdp.buffer).setUint32(RSDP.rsdt, rsdt, true);
    const whole = { part: "rsdp", at: RSDP.checksum, start: 0, length: RSDP.size } as const;
    return {
      rsdp,
      tables: this.#tables,
      pointers: [...this.#pointers, { part: "rsdp", at: RSDP.rsdt }],
      checksums: [...this.#checksums, whole],
    };
  }
}

/** The part of a table behind its header, from fields by offsets in the table. */
function body(tableBytes: number, fields: readonly Field[]): Uint8Array {
  const bytes = new Uint8Array(tableBytes);
  const view = new DataView(bytes.buffer);
  for (const [offset, size, value] of fields) {
    if (size === 1) view.setUint8(offset, value);
    else if (size === 2) view.setUint16(offset, value, true);
    else view.setUint32(offset, value, true);
  }
  return bytes.subarray(HEADER.size);
}

/** Nothing but its name and length: no system of today waits for a global lock here. */
function facsTable(): Uint8Array {
  const bytes = new Uint8Array(FACS_BYTES);
  putText(bytes, 0, "FACS");
  new DataView(bytes.buffer).setUint32(HEADER.length, FACS_BYTES, true);
  return bytes;
}

function madtBody(): Uint8Array {
  const dword = (value: number) => littleEndian(value, 4);
  return Uint8Array.from([
    ...dword(MMIO.LOCAL_APIC),
    ...dword(PCAT_COMPAT),
    ...[0, 8, 0, 0, ...dword(1)], // processor 0, APIC ID 0, enabled
    ...[1, 12, 0, 0, ...dword(MMIO.IO_APIC), ...dword(0)], // I/O APIC 0, interrupts from 0
    ...OVERRIDES.flatMap(([source, pin, flags]) => [2, 10, 0, source, ...dword(pin), flags, 0]),
    ...[4, 6, 0xff, 0, 0, 1], // NMI of every processor: LINT1
  ]);
}
