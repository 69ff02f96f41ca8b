/**
 * What the machine tells a BIOS through fw_cfg.
 * Source: items and files that SeaBIOS 1.16 asks for; layouts as in QEMU's docs/specs/fw_cfg.rst and
 * hw/i386/fw_cfg.c.
 * @module
 */

import { FW_CFG, type FwCfgContents } from "../../devices/fw_cfg.ts";
import { littleEndian } from "../bits.ts";
import { E820 } from "../load/memory_map.ts";
import { buildAcpi } from "./acpi.ts";
import { acpiFiles } from "./acpi_loader.ts";

const CPUS = 1;

/** What there is to tell. */
export interface FirmwareFacts {
  readonly ramBytes: number;
  /** Option ROM of the video card. */
  readonly vgaRom?: Uint8Array | undefined;
  /** The BIOS is to show its screen on COM1 and to take keys from there. */
  readonly serialScreen?: boolean | undefined;
  /** Memory and tables have been told otherwise, as to a BIOS that hvmloader starts. */
  readonly isSetUp?: boolean | undefined;
}

/** The items of fw_cfg. */
export function firmwareContents(facts: FirmwareFacts): FwCfgContents {
  const { ramBytes, vgaRom, serialScreen = false, isSetUp = false } = facts;
  const items = new Map([
    [FW_CFG.RAM_SIZE, number(ramBytes, 8)],
    [FW_CFG.NO_GRAPHICS, number(Number(serialScreen), 2)],
    [FW_CFG.CPU_COUNT, number(CPUS, 2)],
    [FW_CFG.MAX_CPUS, number(CPUS, 2)],
    [FW_CFG.NUMA, number(0, 8)],
    [FW_CFG.BOOT_MENU, number(0, 2)],
    [FW_CFG.IRQ0_OVERRIDE, number(1, 4)],
  ]);
  const files = new Map<string, Uint8Array>(
    isSetUp ? [] : [["etc/e820", ramEntry(ramBytes)], ...acpiFiles(buildAcpi())],
  );
  if (vgaRom !== undefined) files.set("vgaroms/vgabios-isavga.bin", vgaRom);
  return { items, files };
}

/** The one entry: address, length and type. The BIOS adds what it reserves. */
function ramEntry(ramBytes: number): Uint8Array {
  return Uint8Array.from([
    ...littleEndian(0, 8),
    ...littleEndian(ramBytes, 8),
    ...littleEndian(E820.RAM, 4),
  ]);
}

function number(value: number, bytes: number): Uint8Array {
  return Uint8Array.from(littleEndian(value, bytes));
}
