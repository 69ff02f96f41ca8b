/**
 * The disk image that `compare` makes for itself: 16 MiB in which the little-endian 32-bit word number
 * i is the MurmurHash3 finalizer of i. The finalizer is a bijection, so that no word occurs twice and
 * a misplaced sector cannot go unnoticed.
 * Source: Austin Appleby, MurmurHash3, function fmix32.
 * @module
 */

import { sha256 } from "./files.ts";

const IMAGE_BYTES = 16 << 20;
/** Of the whole image. */
export const COMPARE_IMAGE_SHA256 =
  "0c0f636f3197b284c44522bb3394ceff8f6a3d75a2b3af6f476f893099d3a674";

/** The content of the image. */
export function compareImageBytes(): Uint8Array {
  const bytes = new Uint8Array(IMAGE_BYTES);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < IMAGE_BYTES / 4; i++) view.setUint32(i * 4, mix(i), true);
  return bytes;
}

function mix(i: number): number {
  let h = i;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Makes the image if it is not there or not what it should be; never leaves half of it behind. */
export function ensureCompareImage(path: string): void {
  if (isIntact(path)) return;
  const part = `${path}.${Deno.pid}.part`;
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  try {
    Deno.writeFileSync(part, compareImageBytes());
    Deno.renameSync(part, path);
  } catch (error) {
    removeIfThere(part);
    throw error;
  }
}

function isIntact(path: string): boolean {
  try {
    if (Deno.statSync(path).size !== IMAGE_BYTES) return false;
    return sha256(Deno.readFileSync(path)) === COMPARE_IMAGE_SHA256;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
