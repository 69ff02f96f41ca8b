/**
 * The manifest of the committed guest binaries: what `build.ts` writes and its test reads.
 * @module
 */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";

/** One binary of `guests/bin/` and what it was made from. */
export interface ManifestEntry {
  readonly bytes: number;
  /** Of the binary, in hex. */
  readonly sha256: string;
  /** SHA-256 of each source, by its path below `guests/`. */
  readonly sources: Readonly<Record<string, string>>;
}

/** All of `guests/bin/manifest.json`. */
export interface Manifest {
  /** First line of `gcc --version`: another compiler may give other bytes from the same sources. */
  readonly compiler: string;
  readonly linker: string;
  readonly binaries: Readonly<Record<string, ManifestEntry>>;
}

/** Where the manifest lies. */
export const MANIFEST_PATH: URL = new URL("./bin/manifest.json", import.meta.url);

/** SHA-256 of a file, in hex. */
export async function hashFile(path: URL): Promise<string> {
  return createHash("sha256").update(await readFile(path)).digest("hex");
}
