/**
 * pvclock: how a guest makes nanoseconds since power-on of its TSC.
 * Source: struct vcpu_time_info of Xen public header xen.h, the same for 32 and 64 bits.
 * @module
 */

/** Byte offsets in vcpu_time_info. */
export const VCPU_TIME = {
  VERSION: 0,
  TSC_TIMESTAMP: 8,
  SYSTEM_TIME: 16,
  TSC_TO_SYSTEM_MUL: 24,
  TSC_SHIFT: 28,
  FLAGS: 29,
  SIZE: 32,
} as const;

/**
 * How TSC ticks become nanoseconds: `((ticks << shift) * mul) >> 32`; a negative shift goes right.
 */
export interface TscScale {
  /** 32 bits with the top bit set. */
  readonly mul: number;
  readonly shift: number;
}

/**
 * The pvclock scale of a TSC.
 * @param tscHz ticks per second, a positive integer
 */
export function tscScale(tscHz: number): TscScale {
  let shift = 0;
  while (tscHz * 2 ** shift > 2e9) shift--;
  while (tscHz * 2 ** shift <= 1e9) shift++;
  return { mul: Number((1_000_000_000n << BigInt(32 - shift)) / BigInt(tscHz)), shift };
}

/**
 * Writes a record for a TSC that was 0 at time 0. Its version is odd while the rest changes, and
 * another even one afterwards.
 * @param record VCPU_TIME.SIZE bytes
 */
export function writeVcpuTime(record: DataView, { mul, shift }: TscScale): void {
  const version = record.getUint32(VCPU_TIME.VERSION, true) | 1;
  record.setUint32(VCPU_TIME.VERSION, version, true);
  record.setBigUint64(VCPU_TIME.TSC_TIMESTAMP, 0n, true);
  record.setBigUint64(VCPU_TIME.SYSTEM_TIME, 0n, true);
  record.setUint32(VCPU_TIME.TSC_TO_SYSTEM_MUL, mul, true);
  record.setInt8(VCPU_TIME.TSC_SHIFT, shift);
  record.setUint8(VCPU_TIME.FLAGS, 0);
  record.setUint32(VCPU_TIME.VERSION, version + 1, true);
}
