/**
 * The files of an initial RAM disk: archives one behind the other, the first of them perhaps plain
 * (processor microcode), the last one mostly compressed.
 * Source: Linux init/initramfs.c, function unpack_to_rootfs; lib/decompress.c for the magic numbers.
 * @module
 */

import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { UsageError } from "../errors.ts";
import { isCpio, readCpio } from "./cpio.ts";
import type { NamedFile } from "./initrd.ts";

/** How compressed parts begin, and what makes plain bytes of them if we can. */
const COMPRESSIONS: readonly {
  readonly name: string;
  readonly magic: readonly number[];
  readonly expand?: (bytes: Uint8Array) => Uint8Array;
}[] = [
  { name: "gzip", magic: [0x1f, 0x8b], expand: gunzipSync },
  { name: "zstd", magic: [0x28, 0xb5, 0x2f, 0xfd], expand: zstdDecompressSync },
  { name: "xz", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a] },
  { name: "lz4", magic: [0x02, 0x21, 0x4c, 0x18] },
  { name: "bzip2", magic: [0x42, 0x5a, 0x68] },
  { name: "lzma", magic: [0x5d, 0x00, 0x00] },
  { name: "lzo", magic: [0x89, 0x4c, 0x5a, 0x4f] },
];

/**
 * Unpacks.
 * @returns regular files by path without a leading slash
 * @throws {UsageError} when it is damaged, or compressed in a way that is not known here
 */
export function readInitramfs({ name, bytes }: NamedFile): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const packedAt = addArchives(files, name, bytes);
  if (packedAt === bytes.length) return files;
  const packed = bytes.subarray(packedAt);
  if (compressionOf(packed) === undefined) throw damaged(name);
  const plain = expand({ name, bytes: packed });
  if (addArchives(files, name, plain) < plain.length) throw damaged(name);
  return files;
}

/** @returns the first byte behind the archives that is not zero, or the end */
function addArchives(files: Map<string, Uint8Array>, name: string, bytes: Uint8Array): number {
  let at = firstByte(bytes, 0);
  while (isCpio(bytes, at)) {
    const archive = readCpio(bytes, at);
    if (archive === undefined) throw damaged(name);
    for (const [path, content] of archive.files) files.set(path, content);
    at = firstByte(bytes, archive.end);
  }
  return at;
}

/** Expands a file by its magic number; a file without one stays as it is. */
export function expand({ name, bytes }: NamedFile): Uint8Array {
  const compression = compressionOf(bytes);
  if (compression === undefined) return bytes;
  if (compression.expand === undefined) {
    throw new UsageError(
      `Cannot unpack "${name}": it is compressed by ${compression.name}`,
      "gzip and zstd can be unpacked",
    );
  }
  try {
    return compression.expand(bytes);
  } catch {
    throw damaged(name);
  }
}

function compressionOf(bytes: Uint8Array): typeof COMPRESSIONS[number] | undefined {
  return COMPRESSIONS.find(({ magic }) => magic.every((byte, i) => bytes[i] === byte));
}

/** Archives may have any number of zeros between them. */
function firstByte(bytes: Uint8Array, at: number): number {
  while (at < bytes.length && bytes[at] === 0) at++;
  return Math.min(at, bytes.length);
}

function damaged(name: string): UsageError {
  return new UsageError(
    `Cannot unpack initrd "${name}": it is no archive of cpio's format newc, or damaged`,
    "lsinitramfs lists what is in one",
  );
}
