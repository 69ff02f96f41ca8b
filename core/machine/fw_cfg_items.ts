/**
 * What the machine tells a BIOS through fw_cfg.
 * Source: items and files that SeaBIOS 1.16 asks for; layouts as in QEMU's docs/specs/fw_cfg.rst and
 * hw/i386/fw_cfg.c.
 * @module
 */

import { FW_CFG, type FwCfgContents, littleEndian } from "../../devices/fw_cfg.ts";
import { buildAcpi } from "./acpi.ts";
import { acpiFiles } from "./acpi_loader.ts";

const E820_RAM = 1;
const CPUS = 1;

/** What there is to tell. */
export interface FirmwareFacts {
  readonly ramBytes: number;
  /** Option ROM of the video card. */
  readonly vgaRom?: Uint8Array | undefined;
  /** The BIOS is to show its screen on COM1 and to take keys from there. */
  readonly serialScreen?: boolean | undefined;
}

/** The items of fw_cfg. */
export function firmwareContents(facts: FirmwareFacts): FwCfgContents {
  const { ramBytes, vgaRom, serialScreen = false } = facts;
  const items = new Map([
    [FW_CFG.RAM_SIZE, littleEndian(ramBytes, 8)],
    [FW_CFG.NO_GRAPHICS, littleEndian(Number(serialScreen), 2)],
    [FW_CFG.CPU_COUNT, littleEndian(CPUS, 2)],
    [FW_CFG.MAX_CPUS, littleEndian(CPUS, 2)],
    [FW_CFG.NUMA, littleEndian(0, 8)],
    [FW_CFG.BOOT_MENU, littleEndian(0, 2)],
    [FW_CFG.IRQ0_OVERRIDE, littleEndian(1, 4)],
  ]);
  const files = new Map([["etc/e820", memoryMap(ramBytes)], ...acpiFiles(buildAcpi())]);
  if (vgaRom !== undefined) files.set("vgaroms/vgabios-isavga.bin", vgaRom);
  return { items, files };
}

/** Entries of address, length and type. */
function memoryMap(ramBytes: number): Uint8Array {
  const ram = [littleEndian(0, 8), littleEndian(ramBytes, 8), littleEndian(E820_RAM, 4)];
  return Uint8Array.from(ram.flatMap((field) => [...field]));
}
