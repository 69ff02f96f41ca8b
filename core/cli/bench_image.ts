/**
 * Disk images of the benchmark guests: the guest from sector 0 on, and behind it data that no other
 * sector has.
 * @module
 */

import { UsageError } from "../errors.ts";
import { SECTOR_SIZE } from "../types.ts";
import { onHost } from "./files.ts";

const IMAGE_BYTES = 66 << 20;
const WORDS_PER_SECTOR = SECTOR_SIZE / 4;
const PATTERN_SECTOR = 2048;
const PATTERN_SECTORS = 65536;
/** 2^32 over the golden ratio; a constant of MurmurHash3. Odd, so that no two sectors agree. */
const SECTOR_FACTOR = 0x9e3779b1;
const WORD_FACTOR = 0x85ebca6b;

/** What {@link assemble} needs. */
export interface AssembleOptions {
  /** Folder of the guests' sources. */
  readonly sources: string;
  /** Name of the guest: `NAME.asm`. */
  readonly name: string;
  readonly defines: readonly string[];
  /** The file to make. */
  readonly output: string;
}

/**
 * Assembles a guest with nasm.
 * @throws {UsageError} when nasm or the source is missing, or nasm reports an error
 */
export function assemble({ sources, name, defines, output }: AssembleOptions): void {
  const source = `${sources}/${name}.asm`;
  requireFile(source);
  const args = ["-f", "bin", "-i", `${sources}/`, ...defines.map((define) => `-D${define}`)];
  const { success, stderr } = nasm([...args, "-o", output, source]);
  if (success) return;
  throw new UsageError(
    `Cannot assemble ${source}: ${new TextDecoder().decode(stderr).trim()}`,
    "nasm 2.16 of Debian 12 does",
  );
}

function requireFile(path: string): void {
  try {
    Deno.statSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new UsageError(
      `Cannot find the benchmark guest ${path}`,
      "the guests are not part of this repository: its folder needs shared/ beside it",
    );
  }
}

function nasm(args: string[]): Deno.CommandOutput {
  try {
    return new Deno.Command("nasm", { args, stdin: "null", stdout: "null" }).outputSync();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new UsageError("Cannot run nasm: it is not installed", "apt-get install nasm");
  }
}

/**
 * Puts an assembled guest onto a disk.
 * @param patterned fills sectors 2048 to 67583: word i of sector s is s * 9E3779B1h + i * 85EBCA6Bh
 */
export function imageBytes(code: Uint8Array, patterned: boolean): Uint8Array {
  const bytes = new Uint8Array(IMAGE_BYTES);
  if (patterned) fillPattern(new DataView(bytes.buffer));
  bytes.set(code);
  return bytes;
}

function fillPattern(view: DataView): void {
  for (let s = PATTERN_SECTOR; s < PATTERN_SECTOR + PATTERN_SECTORS; s++) {
    const first = Math.imul(s, SECTOR_FACTOR);
    for (let i = 0; i < WORDS_PER_SECTOR; i++) {
      view.setUint32(s * SECTOR_SIZE + i * 4, first + Math.imul(i, WORD_FACTOR), true);
    }
  }
}

/**
 * Assembles a guest and makes its disk image.
 * @param folder where both files go
 * @returns path of the image
 */
export function makeImage(
  folder: string,
  options: Omit<AssembleOptions, "output">,
  patterned: boolean,
): string {
  const code = `${folder}/${options.name}.bin`;
  const image = `${folder}/${options.name}.img`;
  onHost(`Cannot make folder ${folder}`, () => Deno.mkdirSync(folder, { recursive: true }));
  assemble({ ...options, output: code });
  onHost(`Cannot write ${image}`, () => {
    Deno.writeFileSync(image, imageBytes(Deno.readFileSync(code), patterned));
  });
  return image;
}
