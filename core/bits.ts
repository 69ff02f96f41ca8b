/**
 * Small arithmetic that everyone shares.
 * @module
 */

/** Lower-case hexadecimal of an unsigned 32-bit value, zero-padded to `digits`. */
export function hex(value: number, digits: number = 8): string {
  return (value >>> 0).toString(16).padStart(digits, "0");
}

/** All ones of an access size in bytes: 0xff, 0xffff or 0xffffffff. */
export function allOnes(size: number): number {
  return size === 4 ? 0xffffffff : (1 << (size * 8)) - 1;
}

/** A whole number in so many bytes, the least significant first. */
export function littleEndian(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => Math.floor(value / 2 ** (8 * i)) & 0xff);
}

/** Bytes as numbers of any width. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A little-endian unsigned number of 64 bits; beyond 2^53 the nearest that there is. */
export function readU64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

/** The low `size` bytes of a value, unsigned. */
export function truncate(value: number, size: number): number {
  return size === 4 ? value >>> 0 : value & allOnes(size);
}
