/**
 * The 256 words of IDENTIFY DEVICE, as a table.
 * Source: ATA/ATAPI-7 (T13/1532D) vol. 1 §6.16, table 27; words 69 and 169 from ATA8-ACS-2; values
 * as QEMU 7.2's disk answers them.
 * @module
 */

import { SECTOR_SIZE } from "../../core/types.ts";
import type { Geometry } from "./taskfile.ts";

/** What a drive calls itself. ASCII; cut or blank-padded to 40, 20 and 8 characters. */
export interface DriveIdentity {
  readonly model: string;
  readonly serial: string;
  readonly firmware: string;
}

/** The built-in hard disk: what guests expect of this board. */
export const HARD_DISK: DriveIdentity = {
  model: "QEMU HARDDISK",
  serial: "QM00001",
  firmware: "2.5+",
};

/** Most sectors in one DRQ block of READ/WRITE MULTIPLE. */
export const MAX_MULTIPLE = 16;

/** Ultra DMA 5: the mode of a drive that the host has not told any other. */
export const DEFAULT_TRANSFER_MODE = 0x45;

/** What the words tell about a drive of any kind. */
export interface IdentifiedDrive {
  readonly identity: DriveIdentity;
  /** As SET FEATURES 03h encodes it: 08h+n PIO, 10h+n single-word, 20h+n multiword, 40h+n Ultra DMA. */
  readonly transferMode: number;
}

/** What the words tell about a disk. */
export interface IdentifyState extends IdentifiedDrive {
  readonly sectorCount: number;
  /** Translation after power-on. */
  readonly defaultGeometry: Readonly<Geometry>;
  /** Translation in use. */
  readonly geometry: Readonly<Geometry>;
  /** Sectors per DRQ block, 0 = MULTIPLE commands disabled. */
  readonly multiple: number;
  readonly writeCache: boolean;
  readonly smartEnabled: boolean;
  /** DATA SET MANAGEMENT can give sectors back. */
  readonly canTrim: boolean;
}

type Word<D> = number | ((drive: D) => number);

/** Rows are the first word number and the values from there on; all other words are 0. */
export type IdentifyWords<D> = readonly (readonly [first: number, ...values: Word<D>[]])[];

const NOP = 0x4000; // words 82, 85
const WRITE_CACHE = 0x0020;
const SMART = 0x0001;
const READS_ZEROS_AFTER_TRIM = 0x4020; // always the same, and that is zeros

/** Words 20 to 22: a dual-ported caching buffer, its sectors; bytes of ECC. Obsolete, yet shown. */
export const BUFFER = [20, 3, 512, 4] as const;

const WORDS: IdentifyWords<IdentifyState> = [
  [0, 0x0040], // ATA, not removable
  [1, (d) => d.defaultGeometry.cylinders],
  [3, (d) => d.defaultGeometry.heads],
  [4, (d) => d.defaultGeometry.sectorsPerTrack * SECTOR_SIZE, SECTOR_SIZE], // unformatted
  [6, (d) => d.defaultGeometry.sectorsPerTrack],
  BUFFER,
  [47, 0x8000 | MAX_MULTIPLE],
  [48, 0x0001], // 32-bit data port access
  [49, 0x0b00], // IORDY, LBA, DMA
  [51, 0x0200, 0x0200], // PIO and DMA timing mode 2, obsolete
  [53, 0x0007], // words 54-58, 64-70 and 88 are valid
  [54, (d) => d.geometry.cylinders, (d) => d.geometry.heads, (d) => d.geometry.sectorsPerTrack],
  [57, (d) => chsCapacity(d) & 0xffff, (d) => chsCapacity(d) >>> 16],
  [59, (d) => d.multiple === 0 ? 0 : 0x0100 | d.multiple],
  [60, (d) => lba28Capacity(d) & 0xffff, (d) => lba28Capacity(d) >>> 16],
  [62, (d) => 0x0007 | selected(d, 0x10)], // single-word DMA 0-2
  [63, (d) => 0x0007 | selected(d, 0x20)], // multiword DMA 0-2
  [64, 0x0003, 120, 120, 120, 120], // PIO 3 and 4; cycle times in ns
  [69, (d) => d.canTrim ? READS_ZEROS_AFTER_TRIM : 0],
  [80, 0x00f0, 0x0016], // ATA-4 to ATA-7; ATA/ATAPI-6 T13 1410D revision 3b
  [82, NOP | WRITE_CACHE | SMART, 0x7400, 0x4000], // FLUSH CACHE, FLUSH CACHE EXT, 48-bit addresses
  [85, enabledFeatures, 0x3400, 0x4000],
  [88, (d) => 0x003f | selected(d, 0x40)], // Ultra DMA 0-5
  [93, 0x6001], // 80-conductor cable
  [
    100,
    (d) => word(d.sectorCount, 0),
    (d) => word(d.sectorCount, 1),
    (d) => word(d.sectorCount, 2),
  ],
  [106, 0x6000], // one 512-byte logical sector per physical sector
  [169, (d) => d.canTrim ? 1 : 0],
];

const STRINGS: readonly (readonly [first: number, words: number, key: keyof DriveIdentity])[] = [
  [10, 10, "serial"],
  [23, 4, "firmware"],
  [27, 20, "model"],
];

/**
 * Answers IDENTIFY DEVICE.
 * @param into 512 bytes
 */
export function fillIdentify(drive: IdentifyState, into: Uint8Array): void {
  fillWords(WORDS, drive, into);
}

/**
 * Writes a drive's words and strings.
 * @param into 512 bytes; words little-endian, strings with the first character in the high byte
 */
export function fillWords<D extends IdentifiedDrive>(
  words: IdentifyWords<D>,
  drive: D,
  into: Uint8Array,
): void {
  const view = new DataView(into.buffer, into.byteOffset, SECTOR_SIZE);
  into.fill(0);
  for (const [first, ...values] of words) {
    values.forEach((value, i) => {
      view.setUint16((first + i) * 2, typeof value === "number" ? value : value(drive), true);
    });
  }
  for (const [first, words, key] of STRINGS) {
    const text = drive.identity[key].padEnd(words * 2);
    for (let i = 0; i < words; i++) {
      view.setUint8((first + i) * 2, text.charCodeAt(i * 2 + 1));
      view.setUint8((first + i) * 2 + 1, text.charCodeAt(i * 2));
    }
  }
}

function enabledFeatures(drive: IdentifyState): number {
  return NOP | (drive.writeCache ? WRITE_CACHE : 0) | (drive.smartEnabled ? SMART : 0);
}

function chsCapacity({ geometry }: IdentifyState): number {
  return geometry.cylinders * geometry.heads * geometry.sectorsPerTrack;
}

function lba28Capacity({ sectorCount }: IdentifyState): number {
  return Math.min(sectorCount, 0x0fffffff);
}

/** High byte of a word of DMA modes: the one in use, if it is of that family (10h, 20h, 40h). */
export function selected({ transferMode }: IdentifiedDrive, family: number): number {
  return (transferMode & ~7) === family ? 0x0100 << (transferMode & 7) : 0;
}

function word(value: number, index: number): number {
  return Math.floor(value / 0x10000 ** index) % 0x10000;
}
