/**
 * What Linux's libata does to a drive, as seen on real Xen.
 * @module
 */

/** Accesses of one DMA read of a disk on the primary channel, by port. */
export const DMA_READ_PORTS: Readonly<Record<string, number>> = {
  "0x1f1:out": 1,
  "0x1f2:out": 1,
  "0x1f3:out": 1,
  "0x1f4:out": 1,
  "0x1f5:out": 1,
  "0x1f6:out": 2,
  "0x1f7:in": 4,
  "0x1f7:out": 1,
  "0x3f6:in": 4,
  "0xc100:in": 3,
  "0xc100:out": 3,
  "0xc102:in": 2,
  "0xc102:out": 1,
  "0xc104:out": 1,
};
