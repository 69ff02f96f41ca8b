/**
 * Names and numbers of virtual block devices.
 * Source: xen/docs/man/xen-vbd-interface.7.pandoc.
 * @module
 */

import { UsageError } from "../../errors.ts";

/** How a family of disk names is numbered. */
interface VdevScheme {
  readonly prefix: string;
  /** First and last disk, `a` being 0, and the highest partition. */
  readonly disks: readonly [number, number];
  readonly partitions: number;
  number(disk: number, partition: number): number;
}

const VDEV_SCHEMES: readonly VdevScheme[] = [
  { prefix: "xvd", disks: [0, 15], partitions: 15, number: (d, p) => 202 << 8 | d << 4 | p },
  { prefix: "xvd", disks: [0, 0xfffff], partitions: 255, number: (d, p) => 1 << 28 | d << 8 | p },
  { prefix: "sd", disks: [0, 15], partitions: 15, number: (d, p) => 8 << 8 | d << 4 | p },
  { prefix: "hd", disks: [0, 1], partitions: 63, number: (d, p) => 3 << 8 | d << 6 | p },
  { prefix: "hd", disks: [2, 3], partitions: 63, number: (d, p) => 22 << 8 | (d - 2) << 6 | p },
];

const VDEV_NAME = /^(xvd|sd|hd)([a-z]{1,4})([1-9]\d{0,2})?$/;

/**
 * The number of a virtual block device: `hda` is 768, `hdb` 832, `xvda` 51712.
 * @throws {UsageError} when no numbering has such a disk
 */
export function vdevNumber(name: string): number {
  const number = findVdev(name);
  if (number !== undefined) return number;
  throw new UsageError(`No virtual disk is named "${name}"`, "hda, hdb, sda or xvda");
}

/** The number of that name; `undefined` when no numbering has such a disk. */
export function findVdev(name: string): number | undefined {
  const [, prefix, letters = "", digits = "0"] = VDEV_NAME.exec(name) ?? [];
  const disk = diskIndex(letters);
  const partition = Number(digits);
  return VDEV_SCHEMES.find(({ prefix: family, disks: [first, last], partitions }) =>
    family === prefix && disk >= first && disk <= last && partition <= partitions
  )?.number(disk, partition);
}

/** a … z, aa, ab …: 0, 1 … */
function diskIndex(letters: string): number {
  let index = 0;
  for (const letter of letters) index = index * 26 + letter.charCodeAt(0) - 96;
  return index - 1;
}
