/**
 * Raw code without a header, placed where the user says: `--load flat@ADDRESS` (32-bit protected
 * mode, flat 4 GiB segments) or `--load flat16@ADDRESS` (real mode, CS = 0, BIOS services present).
 * @module
 */

import { UsageError } from "../errors.ts";
import type { GuestImage } from "./image.ts";

/** Where raw code goes and in which mode it is entered, at its first byte. */
export interface FlatPlacement {
  /** Mode at entry. */
  readonly mode: GuestImage["mode"];
  /** Of the first byte, which is also the entry point. */
  readonly gpa: number;
}

const MODES: Readonly<Record<string, GuestImage["mode"]>> = {
  flat: "protected32",
  flat16: "real16",
};

/** CS is 0 in real mode, so that IP reaches only the first 64 KiB. */
const REAL_MODE_END = 0x10000;

/**
 * Reads the value of `--load`.
 * @throws {UsageError} when it is not `flat@ADDRESS` or `flat16@ADDRESS`
 */
export function parsePlacement(text: string): FlatPlacement {
  const [, kind = "", digits = ""] = /^(\w+)@(0x[0-9a-f]+|\d+)$/i.exec(text) ?? [];
  const mode = Object.hasOwn(MODES, kind) ? MODES[kind] : undefined;
  const gpa = Number(digits);
  if (mode === undefined || gpa > 0xffffffff) {
    throw new UsageError(
      `Cannot read --load "${text}": wanted flat@ADDRESS or flat16@ADDRESS`,
      "--load flat@0x100000 enters 32-bit code at 1 MiB, --load flat16@0x7c00 real-mode code",
    );
  }
  if (mode === "real16" && gpa >= REAL_MODE_END) {
    throw new UsageError(
      `Cannot enter real mode at 0x${gpa.toString(16)}: CS is 0, the address must be below 0x10000`,
      "--load flat16@0x7c00",
    );
  }
  return { mode, gpa };
}

/** Places the whole file; the stack grows down from the load address. */
export function loadFlat(file: Uint8Array, placement: FlatPlacement): GuestImage {
  const { mode, gpa } = placement;
  return {
    format: "flat",
    segments: [{ gpa, bytes: file, zero: 0 }],
    mode,
    eip: gpa,
    regs: [0, 0, 0, 0, gpa, 0, 0, 0],
  };
}
