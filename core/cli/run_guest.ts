/**
 * What a run starts: the guest's file, read and recognised, and the board that it gets.
 * @module
 */

import { UsageError } from "../errors.ts";
import { loadBios } from "../load/bios.ts";
import { isBootDisk, loadGuest } from "../load/detect.ts";
import { HVMLOADER_HINT, loadHvmloader } from "../load/hvmloader.ts";
import type { GuestFormat, GuestImage } from "../load/image.ts";
import type { MachineType } from "../machine/config.ts";
import { SECTOR_SIZE } from "../types.ts";
import { TOOL } from "../version.ts";
import { GUEST_HINT } from "./common_args.ts";
import { type GuestFile, readBios, readGuest, readIfThere, readInitrd, sha256 } from "./files.ts";
import { type Streams, writeText } from "./output.ts";
import type { RunOptions } from "./run_args.ts";

/** Needs the registers of a VGA, and nothing of the PCI bus. */
const VGA_ROM = "vgabios-isavga.bin";
const MISSING_BIOS_HINT = "apt install seabios, or -bios FILE";

/** What guests written for this machine come as. */
const XEN_GUESTS: readonly GuestFormat[] = ["bootsector", "multiboot", "flat", "hvmloader"];

/** Reads a kernel, or the firmware that starts what is on a disk. @returns the file too */
export function readRunGuest(options: RunOptions): [GuestFile, GuestImage] {
  return options.bios ? readFirmware(options) : readKernel(options);
}

function readKernel(options: RunOptions): [GuestFile, GuestImage] {
  const { guest: name, ramBytes, append, initrd, placement } = options;
  const file = readGuest(name, name, ramBytes, GUEST_HINT);
  const guest = loadGuest(file.bytes, {
    name,
    ramBytes,
    readFile: (path) => readInitrd(path, ramBytes),
    ...(append === undefined ? {} : { append }),
    ...(initrd === undefined ? {} : { initrd }),
    ...(placement === undefined ? {} : { placement }),
    ...(options.machine?.type === "xenfv" ? { pvh: false } : {}),
  });
  return [file, guest];
}

function readFirmware(options: RunOptions): [GuestFile, GuestImage] {
  const { guest: name, ramBytes, hvmloader } = options;
  const bios = readBios(name, ramBytes, MISSING_BIOS_HINT);
  const image = loadBios(bios.bytes, name);
  if (hvmloader === undefined) return [bios, image];
  const file = readBios(hvmloader, ramBytes, HVMLOADER_HINT, "hvmloader");
  return [file, loadHvmloader(file.bytes, { name: hvmloader, ramBytes, bios: bios.bytes })];
}

/** Debian's package has the video card's ROM beside the BIOS; without it there is no screen. */
export function readVgaRom(
  { guest: bios, console, quiet }: RunOptions,
  { stderr }: Streams,
): Uint8Array | undefined {
  const path = bios.replace(/[^/\\]*$/, VGA_ROM);
  const rom = readIfThere(path);
  if (rom === undefined && console.screen && !quiet) {
    writeText(stderr, `${TOOL}: the BIOS has no screen: there is no "${path}"\n`);
  }
  return rom;
}

/**
 * What the user has named. Otherwise kernels made for Xen are shown it; what is in stock, where
 * it would behave otherwise, is not.
 */
export function chooseMachine(
  { machine, guest: name }: RunOptions,
  { format }: GuestImage,
): MachineType {
  if (machine?.type === "xenfv" && format === "pvh") {
    throw new UsageError(
      `Cannot show Xen to "${name}": entered by its PVH note, it takes itself for a PVH domain, ` +
        "which has no emulated devices",
      "-machine pc, or the bzImage of the same kernel",
    );
  }
  if (machine?.type === "pc" && format === "hvmloader") {
    throw new UsageError(
      "Cannot use -hvmloader: the machine hides Xen",
      "-machine xenfv, or leave it out",
    );
  }
  return machine?.type ?? (XEN_GUESTS.includes(format) ? "xenfv" : "pc");
}

/** Of the file, or of its boot sector if it is a disk: those are the bytes that were loaded. */
export function hashGuest(guest: GuestImage, { bytes, length }: GuestFile): string {
  return sha256(isBootDisk(guest, length) ? bytes.subarray(0, SECTOR_SIZE) : bytes);
}
