/**
 * The data of DATA SET MANAGEMENT with TRIM: which sectors the host no longer needs.
 * Source: ATA8-ACS-2 (T13/2015-D) §7.10: 8-byte entries, bits 47:0 = first LBA, 63:48 = count.
 * @module
 */

/** Features register: TRIM, the one function of DATA SET MANAGEMENT. */
export const DSM_TRIM = 0x01;

/** Sectors to give back. */
export interface TrimRange {
  readonly sector: number;
  readonly count: number;
}

const ENTRY_BYTES = 8;

/**
 * Reads the entries; those with a count of 0 are padding.
 * @param segments each a multiple of 512 bytes
 */
export function readTrimRanges(segments: readonly Uint8Array[]): TrimRange[] {
  const ranges: TrimRange[] = [];
  for (const { buffer, byteOffset, length } of segments) {
    const view = new DataView(buffer, byteOffset, length);
    for (let at = 0; at < length; at += ENTRY_BYTES) {
      const sector = view.getUint32(at, true) + view.getUint16(at + 4, true) * 2 ** 32;
      const count = view.getUint16(at + 6, true);
      if (count > 0) ranges.push({ sector, count });
    }
  }
  return ranges;
}
