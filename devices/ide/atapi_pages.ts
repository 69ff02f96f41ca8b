/**
 * What a CD-ROM drive says about itself: INQUIRY, mode pages and features, as tables.
 * Source: SPC-2 (T10 1236D) §7.3 INQUIRY, §8.4.5 (vital product data); MMC-3 (T10 1363-D) §5.6 GET
 * CONFIGURATION, §5.11 (mode parameters), §5.2 (features); SFF-8020i rev. 2.6 §9.8.3.
 * @module
 */

import { BLOCK_BYTES } from "./atapi_disc.ts";
import type { CdUnit } from "./atapi_unit.ts";
import type { DriveIdentity } from "./identify.ts";

/** The built-in CD-ROM drive: what guests expect of this board. */
export const CD_ROM: DriveIdentity = {
  model: "QEMU DVD-ROM",
  serial: "QM00003",
  firmware: "2.5+",
};

const CD_DEVICE = 0x05;
const REMOVABLE = 0x80;
/** ATAPI, and the response format of SCSI-2: no SCSI standard is claimed. */
const ATAPI_VERSION = 0x21;

function text(value: string, length: number): number[] {
  return Array.from(value.padEnd(length).slice(0, length), (char) => char.charCodeAt(0));
}

/** Standard INQUIRY data. */
export function inquiryData({ model, firmware }: DriveIdentity): number[] {
  const [vendor = ""] = model.split(" ", 1);
  return [
    ...[CD_DEVICE, REMOVABLE, 0, ATAPI_VERSION, 31, 0, 0, 0],
    ...text(vendor, 8),
    ...text(model, 16),
    ...text(firmware, 4),
  ];
}

const SUPPORTED_PAGES = 0x00;
const SERIAL_NUMBER = 0x80;
const IDENTIFICATION = 0x83;

/** A page of vital product data, `undefined` if there is none of that number. */
export function vitalData(page: number, identity: DriveIdentity): number[] | undefined {
  switch (page) {
    case SUPPORTED_PAGES:
      return paged(page, [SUPPORTED_PAGES, SERIAL_NUMBER, IDENTIFICATION]);
    case SERIAL_NUMBER:
      return paged(page, text(identity.serial, 20));
    case IDENTIFICATION: // one designator: ASCII, vendor specific
      return paged(page, [0x02, 0x00, 0, 20, ...text(identity.serial, 20)]);
    default:
      return undefined;
  }
}

function paged(page: number, data: number[]): number[] {
  return [CD_DEVICE, page, 0, data.length, ...data];
}

const SPEED = 24 * 176; // kB/s: 24 times the audio speed of 176.4
const BUFFER = 128; // KiB
const MECHANISM_TRAY = 1 << 5;

/** Mode pages by number. Nothing in them can be changed. */
const MODE_PAGES: readonly (readonly [page: number, data: (unit: CdUnit) => number[]])[] = [
  [0x01, () => [0x00, 0x05, 0, 0, 0, 0]], // read error recovery: five retries
  [0x2a, ({ locked }) => [
    ...[0x03, 0x00, 0x00, 0x00], // reads CD-R and CD-RW; no audio
    MECHANISM_TRAY | 0x08 | (locked ? 0x02 : 0) | 0x01, // can eject, is locked, can lock
    ...[0x00, SPEED >>> 8, SPEED & 0xff, 0, 0, BUFFER >>> 8, BUFFER & 0xff],
    ...[SPEED >>> 8, SPEED & 0xff, 0, 0, 0, 0],
  ]],
];

const ALL_PAGES = 0x3f;

/**
 * Mode pages one after another.
 * @param changeable a mask of what can be changed instead of the values
 * @returns `undefined` if there is no such page
 */
export function modePages(unit: CdUnit, page: number, changeable: boolean): number[] | undefined {
  const rows = MODE_PAGES.filter(([number]) => page === ALL_PAGES || page === number);
  if (rows.length === 0) return undefined;
  return rows.flatMap(([number, data]) => {
    const values = data(unit);
    return [number, values.length, ...(changeable ? values.fill(0) : values)];
  });
}

/** Medium type of a mode parameter header. */
export function mediumType(unit: CdUnit): number {
  if (unit.trayOpen) return 0x71;
  return unit.disc === undefined ? 0x70 : 0x01; // a 120 mm data disc
}

const PROFILE_CD_ROM = 0x0008;

/** Bits of a feature's third byte. */
const CURRENT = 0x01;
const PERSISTENT = 0x02;

/** A feature that is not persistent is current when there is a disc. */
interface Feature {
  readonly code: number;
  readonly persistent: boolean;
  readonly data: (hasDisc: boolean) => readonly number[];
}

function persistent(code: number, data: Feature["data"] = () => []): Feature {
  return { code, persistent: true, data };
}

function ofDisc(code: number, data: Feature["data"] = () => []): Feature {
  return { code, persistent: false, data };
}

const FEATURES: readonly Feature[] = [
  persistent(0x0000, (hasDisc) => [0, PROFILE_CD_ROM, hasDisc ? 1 : 0, 0]), // profile list
  persistent(0x0001, () => [0, 0, 0, 2]), // core; the physical interface is ATAPI
  persistent(0x0002, () => [0, 0, 0, 0]), // morphing: events are polled
  persistent(0x0003, () => [MECHANISM_TRAY | 0x08 | 0x01, 0, 0, 0]), // removable medium
  ofDisc(0x0010, () => [0, 0, BLOCK_BYTES >>> 8, 0, 0, 1, 1, 0]), // random readable
  ofDisc(0x001e, () => [0, 0, 0, 0]), // CD read, without sub-channels or C2 flags
  persistent(0x0100), // power management
  persistent(0x0105), // time-out
];

/** Which features GET CONFIGURATION asks for. */
export const REQUESTED = { ALL: 0, CURRENT: 1, ONE: 2 } as const;

/** Features from a number on, behind the header of GET CONFIGURATION. */
export function configuration(unit: CdUnit, requested: number, first: number): number[] {
  const hasDisc = unit.disc !== undefined;
  const wanted = FEATURES.filter(({ code, persistent }) => {
    if (requested === REQUESTED.ONE) return code === first;
    return code >= first && (requested === REQUESTED.ALL || persistent || hasDisc);
  });
  const bytes = wanted.flatMap(({ code, persistent, data }) => {
    const flags = persistent ? PERSISTENT | CURRENT : hasDisc ? CURRENT : 0;
    const values = data(hasDisc);
    return [code >>> 8, code & 0xff, flags, values.length, ...values];
  });
  const length = 4 + bytes.length;
  return [0, 0, length >>> 8, length & 0xff, 0, 0, 0, hasDisc ? PROFILE_CD_ROM : 0, ...bytes];
}
