/**
 * How a BIOS is told to place the ACPI tables: fw_cfg's files `etc/acpi/rsdp`, `etc/acpi/tables`
 * and the script `etc/table-loader` over both.
 * Source: QEMU hw/acpi/bios-linker-loader.c; SeaBIOS src/fw/romfile_loader.c.
 * @module
 */

import { type AcpiImage, type AcpiPart, putText, TABLES_ALIGN } from "./acpi.ts";

/** Names of the files that the script speaks of. */
export const ACPI_FILES: Readonly<Record<AcpiPart | "script", string>> = {
  rsdp: "etc/acpi/rsdp",
  tables: "etc/acpi/tables",
  script: "etc/table-loader",
};

const ENTRY_BYTES = 128;
const NAME_BYTES = 56;
const COMMAND = { ALLOCATE: 1, ADD_POINTER: 2, ADD_CHECKSUM: 3 } as const;
/** Where a file goes: anywhere high, or into F0000-FFFFF where a root pointer is searched for. */
const ZONE = { HIGH: 1, F_SEGMENT: 2 } as const;
const RSDP_ALIGN = 16;
const POINTER_BYTES = 4;

/** The files by name, for a BIOS to fetch. */
export function acpiFiles(image: AcpiImage): ReadonlyMap<string, Uint8Array> {
  return new Map([
    [ACPI_FILES.rsdp, image.rsdp],
    [ACPI_FILES.tables, image.tables],
    [ACPI_FILES.script, loaderScript(image)],
  ]);
}

/** First places for both files, then pointers, then checksums over what has become of them. */
function loaderScript({ pointers, checksums }: AcpiImage): Uint8Array {
  const { rsdp, tables } = ACPI_FILES;
  const entries = [
    entry(COMMAND.ALLOCATE, [rsdp], [RSDP_ALIGN], ZONE.F_SEGMENT),
    entry(COMMAND.ALLOCATE, [tables], [TABLES_ALIGN], ZONE.HIGH),
    ...pointers.map(({ part, at }) =>
      entry(COMMAND.ADD_POINTER, [ACPI_FILES[part], tables], [at], POINTER_BYTES)
    ),
    ...checksums.map(({ part, at, start, length }) =>
      entry(COMMAND.ADD_CHECKSUM, [ACPI_FILES[part]], [at, start, length])
    ),
  ];
  const script = new Uint8Array(entries.length * ENTRY_BYTES);
  entries.forEach((bytes, i) => script.set(bytes, i * ENTRY_BYTES));
  return script;
}

/** A command, names of files, double words, and a byte, all behind each other. */
function entry(
  command: number,
  files: readonly string[],
  dwords: readonly number[],
  last: number = 0,
): Uint8Array {
  const bytes = new Uint8Array(ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, command, true);
  files.forEach((name, i) => putText(bytes, 4 + i * NAME_BYTES, name));
  const behind = 4 + files.length * NAME_BYTES;
  dwords.forEach((value, i) => view.setUint32(behind + 4 * i, value, true));
  view.setUint8(behind + 4 * dwords.length, last);
  return bytes;
}
