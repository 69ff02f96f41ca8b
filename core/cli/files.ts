/**
 * Files that the user names, read and identified.
 * @module
 */

import { createHash } from "node:crypto";
import { UsageError } from "../errors.ts";
import { hasBootSignature } from "../load/bootsector.ts";
import { cdRomAsGuest, isIso, ISO_START_BYTES } from "../load/iso.ts";
import { isBzImage } from "../load/linux.ts";
import { ramHint } from "../load/memory_map.ts";
import { type BlockBackend, SECTOR_SIZE } from "../types.ts";

const CHUNK_BYTES = 1 << 20;
/** What has been read, by device and inode. */
const inputs = new Set<string>();

/** A guest file. */
export interface GuestFile {
  /** As the user named it. */
  readonly name: string;
  /** All of it, or only its boot sector when the file is a disk image larger than RAM. */
  readonly bytes: Uint8Array;
  readonly length: number;
}

/**
 * Reads a guest.
 * @param path where it is
 * @param name as the user named it
 * @param missingHint what to do when there is no such file
 * @throws {UsageError} when it cannot be read, or is neither a disk nor small enough for RAM
 */
export function readGuest(
  path: string,
  name: string,
  ramBytes: number,
  missingHint?: string,
): GuestFile {
  return readNamed("guest", { path, name, missingHint }, (file, length) => {
    if (length <= ramBytes) return { name, bytes: readStart(file, length), length };
    const start = readStart(file, ISO_START_BYTES);
    if (isIso(start) && !hasBootSignature(start)) throw cdRomAsGuest(name);
    if (!hasBootSignature(start) || isBzImage(start)) throw tooBig("guest", name, length, ramBytes);
    return { name, bytes: start.subarray(0, SECTOR_SIZE), length };
  });
}

/**
 * Reads a BIOS.
 * @param missingHint what to do when there is no such file
 * @throws {UsageError} when it cannot be read or is larger than RAM
 */
export function readBios(
  path: string,
  ramBytes: number,
  missingHint: string,
  what: "BIOS" | "hvmloader" = "BIOS",
): GuestFile {
  return readNamed(what, { path, name: path, missingHint }, (file, length) => {
    if (length > ramBytes) throw tooBig(what, path, length, ramBytes);
    return { name: path, bytes: readStart(file, length), length };
  });
}

/**
 * Reads an initial RAM disk or a Multiboot module.
 * @throws {UsageError} when it cannot be read or is larger than RAM
 */
export function readInitrd(path: string, ramBytes: number): Uint8Array {
  return readNamed("initrd", { path, name: path }, (file, length) => {
    if (length > ramBytes) throw tooBig("initrd", path, length, ramBytes);
    return readStart(file, length);
  });
}

/**
 * Reads a file with symbols.
 * @throws {UsageError} when it cannot be read
 */
export function readSymbolFile(path: string): Uint8Array {
  return readNamed("symbols", { path, name: path }, readStart);
}

/** It has been read as a guest, BIOS, initial RAM disk or symbols: nothing may be written there. */
export function isInput(file: Deno.FileInfo): boolean {
  return inputs.has(identity(file));
}

const identity = ({ dev, ino }: Deno.FileInfo): string => `${dev} ${ino}`;

/** Reads a small file that may be missing. */
export function readIfThere(path: string): Uint8Array | undefined {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new UsageError(`Cannot read "${path}": ${hostReason(error)}`);
  }
}

interface Named {
  readonly path: string;
  readonly name: string;
  readonly missingHint?: string | undefined;
}

/** Opens a regular file; says which one when that fails. */
function readNamed<T>(
  what: string,
  { path, name, missingHint }: Named,
  read: (file: Deno.FsFile, length: number) => T,
): T {
  try {
    // Opening a FIFO would wait for somebody to write to it.
    const { isDirectory, isFile } = Deno.statSync(path);
    if (isDirectory) throw new UsageError(`Cannot read ${what} "${name}": it is a directory`);
    if (!isFile) throw new UsageError(`Cannot read ${what} "${name}": it is not a regular file`);
    using file = Deno.openSync(path);
    const info = file.statSync();
    if (info.ino !== null) inputs.add(identity(info));
    return read(file, info.size);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw unreadable(what, name, error, missingHint);
  }
}

function readStart(file: Deno.FsFile, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const count = file.readSync(bytes.subarray(done));
    if (count === null) break;
    done += count;
  }
  return bytes.subarray(0, done);
}

function tooBig(what: string, name: string, length: number, ramBytes: number): UsageError {
  const mib = 1 << 20;
  return new UsageError(
    `Cannot load ${what} "${name}": ${length} bytes do not fit into ${ramBytes / mib} MiB of RAM`,
    ramHint(length + mib),
  );
}

function unreadable(
  what: string,
  name: string,
  error: unknown,
  missingHint: string | undefined,
): UsageError {
  const message = `Cannot read ${what} "${name}": `;
  if (error instanceof Deno.errors.NotFound) {
    return new UsageError(message + "no such file", missingHint);
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new UsageError(message + "no permission to read it", `chmod u+r ${name}`);
  }
  return new UsageError(message + hostReason(error));
}

/**
 * Does something to the host's files.
 * @param what as in "Cannot write x", for the message
 * @throws {UsageError} when the host refuses
 */
export function onHost<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    // Whoever read from a pipe has left, and that is no mistake.
    if (error instanceof Deno.errors.BrokenPipe) throw error;
    throw new UsageError(`${what}: ${hostReason(error)}`);
  }
}

/** What the host says, without the call and the path that Deno adds behind it. */
export function hostReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  // Deno keeps devices from programs that may open any file.
  if (message.startsWith("Requires all access")) return "it is not a regular file";
  return /^.*?\(os error \d+\)/.exec(message)?.[0] ?? message;
}

/** SHA-256 in hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** SHA-256 of everything on a disk. */
export function sha256OfDisk(disk: BlockBackend): string {
  const hash = createHash("sha256");
  const chunk = new Uint8Array(CHUNK_BYTES);
  const sectorsPerChunk = CHUNK_BYTES / SECTOR_SIZE;
  for (let sector = 0; sector < disk.sectorCount; sector += sectorsPerChunk) {
    const sectors = Math.min(sectorsPerChunk, disk.sectorCount - sector);
    const part = chunk.subarray(0, sectors * SECTOR_SIZE);
    disk.read(sector, part);
    hash.update(part);
  }
  return hash.digest("hex");
}
