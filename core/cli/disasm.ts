/**
 * `run --disasm`: the guest's instructions instead of a run.
 * @module
 */

import { EXIT_CODE, UsageError } from "../errors.ts";
import type { GuestImage } from "../load/image.ts";
import { codeOf, formatListed, listCode, type Listed } from "../machine/listing.ts";
import { stableJson } from "../report/json.ts";
import { TOOL } from "../version.ts";
import type { RunOptions } from "./run_args.ts";
import type { DisasmRange } from "./option_values.ts";
import { type Streams, writeText } from "./output.ts";

/** Instructions that are printed when nobody says how many. */
const DEFAULT_COUNT = 100;

/**
 * Prints a stretch of the guest as it lies in its file.
 * @returns the exit code
 * @throws {UsageError} when the file has nothing at that address
 */
export function listGuest(
  guest: GuestImage,
  range: DisasmRange,
  { guest: name, json, quiet }: RunOptions,
  streams: Streams,
): number {
  const { address = guest.eip, count = DEFAULT_COUNT } = range;
  const code = codeOf(guest);
  const listed = listCode(code, address, count);
  if (listed.length === 0) throw nothingThere(guest, name, address);
  writeText(streams.stdout, json ? toJson(guest, listed) : toText(listed));
  const last = listed.at(-1)!;
  const next = last.address + last.bytes.length;
  if (range.count === undefined && !quiet && listCode(code, next, 1).length > 0) {
    const more = `--disasm=0x${next.toString(16)} goes on`;
    writeText(streams.stderr, `${TOOL}: stopped after ${count} instructions, ${more}\n`);
  }
  return EXIT_CODE.POWER_OFF;
}

function toText(listed: readonly Listed[]): string {
  return listed.map((line) => `${formatListed(line)}\n`).join("");
}

function toJson({ mode }: GuestImage, listed: readonly Listed[]): string {
  const instructions = listed.map(({ address, bytes, text }) => ({
    address,
    bytes: bytes.toHex(),
    text,
  }));
  return stableJson({ mode, instructions });
}

function nothingThere({ segments }: GuestImage, name: string, address: number): UsageError {
  const ranges = segments.filter(({ bytes }) => bytes.length > 0).map(({ gpa, bytes }) =>
    `0x${gpa.toString(16)} to 0x${(gpa + bytes.length - 1).toString(16)}`
  );
  return new UsageError(
    `Cannot disassemble at 0x${address.toString(16)}: guest "${name}" has no bytes there`,
    `its file is loaded at ${ranges.join(", ")}`,
  );
}
