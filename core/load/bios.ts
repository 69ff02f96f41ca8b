/**
 * A BIOS image: a ROM that ends at 4 GiB, entered where a processor starts.
 * Source: Intel SDM vol. 3, §10.1.4, first instruction executed.
 * @module
 */

import { UsageError } from "../errors.ts";
import type { GuestImage } from "./image.ts";

const GRANULE = 64 << 10;
const LARGEST = 1 << 20;
/** From the end of the image. */
const RESET_VECTOR = 16;
const RESET_OFFSET = 0xfff0;

/**
 * Takes a file as a BIOS.
 * @throws {UsageError} when it cannot be one
 */
export function loadBios(file: Uint8Array, name: string): GuestImage {
  if (file.length === 0 || file.length % GRANULE !== 0 || file.length > LARGEST) {
    throw unfit(name, `its length ${file.length} is not a multiple of 64 KiB up to 1 MiB`);
  }
  const first = file[file.length - RESET_VECTOR];
  if (first === 0x00 || first === 0xff) throw unfit(name, "nothing is at its reset vector");
  return {
    format: "bios",
    segments: [],
    mode: "reset",
    eip: RESET_OFFSET,
    regs: [0, 0, 0, 0, 0, 0, 0, 0],
    rom: file,
  };
}

function unfit(name: string, why: string): UsageError {
  return new UsageError(
    `Cannot use "${name}" as BIOS: ${why}`,
    "-bios /usr/share/seabios/bios-256k.bin is Debian's",
  );
}
