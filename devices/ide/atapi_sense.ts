/**
 * Why a packet command did not do what it was asked: sense keys with their additional codes.
 * Source: SPC-2 (T10 1236D) §7.20 REQUEST SENSE, §7.25; MMC-3 (T10 1363-D) annex F.
 * @module
 */

import { bigEndian32 } from "./atapi_disc.ts";

/** A sense key with its additional sense code and qualifier. */
export interface Sense {
  readonly key: number;
  readonly asc: number;
  readonly ascq: number;
  /** Where it happened. */
  readonly block?: number;
}

function sense(key: number, asc: number, ascq: number): Sense {
  return { key, asc, ascq };
}

/** Sense key of a command that makes no sense to the drive. */
export const ILLEGAL_REQUEST = 0x5;

/** Sense key of a command that the drive has given up. */
export const ABORTED_COMMAND = 0xb;

/** What this drive has to say. */
export const SENSE: {
  readonly NONE: Sense;
  readonly NO_DISC: Sense;
  readonly TRAY_OPEN: Sense;
  readonly UNREADABLE: Sense;
  readonly UNKNOWN_COMMAND: Sense;
  readonly OUT_OF_RANGE: Sense;
  readonly INVALID_FIELD: Sense;
  readonly NO_SAVED_PAGES: Sense;
  readonly LOCKED: Sense;
  readonly WRONG_SECTOR_TYPE: Sense;
  readonly DISC_CHANGED: Sense;
  readonly GIVEN_UP: Sense;
  readonly TRANSFER_FAILED: Sense;
} = {
  NONE: sense(0x0, 0x00, 0),
  NO_DISC: sense(0x2, 0x3a, 1),
  TRAY_OPEN: sense(0x2, 0x3a, 2),
  UNREADABLE: sense(0x3, 0x11, 0),
  UNKNOWN_COMMAND: sense(ILLEGAL_REQUEST, 0x20, 0),
  OUT_OF_RANGE: sense(ILLEGAL_REQUEST, 0x21, 0),
  INVALID_FIELD: sense(ILLEGAL_REQUEST, 0x24, 0),
  NO_SAVED_PAGES: sense(ILLEGAL_REQUEST, 0x39, 0),
  LOCKED: sense(ILLEGAL_REQUEST, 0x53, 2),
  WRONG_SECTOR_TYPE: sense(ILLEGAL_REQUEST, 0x64, 0),
  DISC_CHANGED: sense(0x6, 0x28, 0),
  GIVEN_UP: sense(ABORTED_COMMAND, 0x00, 0),
  TRANSFER_FAILED: sense(ABORTED_COMMAND, 0x4b, 0),
};

const CURRENT_FIXED = 0x70;
/** The information bytes hold a block. */
const VALID = 0x80;

/** The sense as REQUEST SENSE tells it, in fixed format. */
export function senseBytes({ key, asc, ascq, block }: Sense): number[] {
  const valid = block === undefined ? 0 : VALID;
  const information = bigEndian32(block ?? 0);
  return [CURRENT_FIXED | valid, 0, key, ...information, 10, 0, 0, 0, 0, asc, ascq, 0, 0, 0, 0];
}
