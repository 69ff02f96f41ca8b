/**
 * The packet commands of a CD-ROM drive, as a table. What the table does not have is refused.
 * Source: MMC-3 (T10 1363-D) §5; SPC-2 (T10 1236D) §7 (INQUIRY, MODE SENSE, REQUEST SENSE).
 * @module
 */

import {
  type AddressForm,
  bigEndian32,
  BLOCK_BYTES,
  type Disc,
  DISC_INFORMATION,
  lastSession,
  rawContents,
  tableOfContents,
} from "./atapi_disc.ts";
import {
  configuration,
  inquiryData,
  mediumType,
  modePages,
  REQUESTED,
  vitalData,
} from "./atapi_pages.ts";
import { SENSE, type Sense, senseBytes } from "./atapi_sense.ts";
import type { CdUnit } from "./atapi_unit.ts";

/** Bytes of a command packet. */
export const PACKET_BYTES = 12;

/** Blocks that a command wants from the disc. */
export interface BlockRange {
  first: number;
  count: number;
}

/** What a command comes to: nothing more to do, blocks of the disc, bytes, or a refusal. */
export type Outcome = "done" | "blocks" | readonly number[] | Sense;

/**
 * A command's field for the length of its reply: where in the packet, how many bytes. `none`: the
 * length is the reply's own.
 */
type Allocation = "none" | readonly [at: number, bytes: 1 | 2];

/**
 * When a command runs: always, also when the host has not been told of a new disc; in any state of
 * the tray; with a disc only.
 */
type Condition = "always" | "any" | "disc";

/** One row of the command table. */
interface PacketCommand {
  readonly name: string;
  readonly condition: Condition;
  readonly allocation: Allocation;
  readonly run: (unit: CdUnit, packet: DataView, range: BlockRange) => Outcome;
}

function row(
  name: string,
  condition: Condition,
  allocation: Allocation,
  run: PacketCommand["run"],
): PacketCommand {
  return { name, condition, allocation, run };
}

/** A command for a disc, which is there. */
function ofDisc(
  run: (disc: Disc, packet: DataView, range: BlockRange) => Outcome,
): PacketCommand["run"] {
  return (unit, packet, range) => run(unit.disc!, packet, range);
}

const COMMANDS: Readonly<Record<number, PacketCommand>> = {
  0x00: row("TEST UNIT READY", "disc", "none", () => "done"),
  0x03: row("REQUEST SENSE", "always", [4, 1], requestSense),
  0x12: row("INQUIRY", "always", [3, 2], inquiry),
  0x1a: row("MODE SENSE(6)", "any", [4, 1], modeSense6),
  0x1b: row("START STOP UNIT", "any", "none", startStop),
  0x1e: row("PREVENT ALLOW MEDIUM REMOVAL", "any", "none", preventAllow),
  0x25: row("READ CAPACITY", "disc", "none", ofDisc(readCapacity)),
  0x28: row("READ(10)", "disc", "none", ofDisc(read10)),
  0x2b: row("SEEK(10)", "disc", "none", ofDisc(seek)),
  0x43: row("READ TOC/PMA/ATIP", "disc", [7, 2], ofDisc(readToc)),
  0x46: row("GET CONFIGURATION", "always", [7, 2], getConfiguration),
  0x4a: row("GET EVENT STATUS NOTIFICATION", "always", [7, 2], getEvent),
  0x51: row("READ DISC INFORMATION", "disc", [7, 2], () => DISC_INFORMATION),
  0x5a: row("MODE SENSE(10)", "any", [7, 2], modeSense10),
  0xa8: row("READ(12)", "disc", "none", ofDisc(read12)),
  0xbb: row("SET CD SPEED", "any", "none", () => "done"),
  0xbd: row("MECHANISM STATUS", "any", [8, 2], mechanismStatus),
  0xbe: row("READ CD", "disc", "none", ofDisc(readCd)),
};

/** Name of the command of a packet, for messages. */
export function packetName(opcode: number): string | undefined {
  return COMMANDS[opcode]?.name;
}

/**
 * Executes a packet up to its data phase.
 * @param packet 12 bytes
 * @param range set when the outcome is `blocks`
 */
export function executePacket(unit: CdUnit, packet: DataView, range: BlockRange): Outcome {
  const command = COMMANDS[packet.getUint8(0)];
  if (command === undefined) return SENSE.UNKNOWN_COMMAND;
  const { condition, allocation, run } = command;
  if (condition !== "always" && unit.takeAttention()) return SENSE.DISC_CHANGED;
  if (condition === "disc" && unit.disc === undefined) return unit.absence;
  const outcome = run(unit, packet, range);
  if (!isReply(outcome) || allocation === "none") return outcome;
  const [at, bytes] = allocation;
  return outcome.slice(0, bytes === 1 ? packet.getUint8(at) : packet.getUint16(at));
}

/** The outcome is bytes for the host. */
export function isReply(outcome: Outcome): outcome is readonly number[] {
  return Array.isArray(outcome);
}

// ---- the drive ------------------------------------------------------------------------------------

function requestSense(unit: CdUnit): Outcome {
  if (unit.sense !== SENSE.NONE) return senseBytes(unit.sense);
  return senseBytes(unit.takeAttention() ? SENSE.DISC_CHANGED : SENSE.NONE);
}

const EVPD = 0x01;

function inquiry({ identity }: CdUnit, packet: DataView): Outcome {
  const page = packet.getUint8(2);
  if ((packet.getUint8(1) & EVPD) !== 0) return vitalData(page, identity) ?? SENSE.INVALID_FIELD;
  return page === 0 ? inquiryData(identity) : SENSE.INVALID_FIELD;
}

/** Values that MODE SENSE can ask for. */
const PAGE_CONTROL = { CHANGEABLE: 1, SAVED: 3 } as const;

function pagesOf(unit: CdUnit, packet: DataView): number[] | Sense {
  const control = packet.getUint8(2) >>> 6;
  if (control === PAGE_CONTROL.SAVED) return SENSE.NO_SAVED_PAGES;
  const page = packet.getUint8(2) & 0x3f;
  return modePages(unit, page, control === PAGE_CONTROL.CHANGEABLE) ?? SENSE.INVALID_FIELD;
}

function modeSense6(unit: CdUnit, packet: DataView): Outcome {
  const pages = pagesOf(unit, packet);
  return isReply(pages) ? [3 + pages.length, mediumType(unit), 0, 0, ...pages] : pages;
}

function modeSense10(unit: CdUnit, packet: DataView): Outcome {
  const pages = pagesOf(unit, packet);
  return isReply(pages) ? [0, 6 + pages.length, mediumType(unit), 0, 0, 0, 0, 0, ...pages] : pages;
}

function getConfiguration(unit: CdUnit, packet: DataView): Outcome {
  const requested = packet.getUint8(1) & 3;
  if (requested > REQUESTED.ONE) return SENSE.INVALID_FIELD;
  return configuration(unit, requested, packet.getUint16(2));
}

const POLLED = 0x01;
const MEDIA_CLASS = 4;
const MEDIA_CLASS_BIT = 1 << MEDIA_CLASS;
const NO_EVENT_AVAILABLE = 0x80;

function getEvent(unit: CdUnit, packet: DataView): Outcome {
  if ((packet.getUint8(1) & POLLED) === 0) return SENSE.INVALID_FIELD;
  if ((packet.getUint8(4) & MEDIA_CLASS_BIT) === 0) {
    return [0, 2, NO_EVENT_AVAILABLE, MEDIA_CLASS_BIT];
  }
  const status = (unit.disc !== undefined ? 0x02 : 0) | (unit.trayOpen ? 0x01 : 0);
  return [0, 6, MEDIA_CLASS, MEDIA_CLASS_BIT, unit.takeEvent(), status, 0, 0];
}

const LOAD_OR_EJECT = 0x02;
const START = 0x01;

/** The disc is always at speed: only the tray moves. */
function startStop(unit: CdUnit, packet: DataView): Outcome {
  const action = packet.getUint8(4);
  const isPowerCondition = action >>> 4 !== 0;
  if (isPowerCondition || (action & LOAD_OR_EJECT) === 0) return "done";
  if ((action & START) !== 0) unit.closeTray();
  else if (unit.locked) return SENSE.LOCKED;
  else unit.openTray();
  return "done";
}

function preventAllow(unit: CdUnit, packet: DataView): Outcome {
  unit.locked = (packet.getUint8(4) & 1) !== 0;
  return "done";
}

/** One slot, no table of slots. */
function mechanismStatus({ trayOpen }: CdUnit): Outcome {
  return [0, trayOpen ? 0x10 : 0, 0, 0, 0, 1, 0, 0];
}

// ---- the disc -------------------------------------------------------------------------------------

function addressForm(packet: DataView): AddressForm {
  return (packet.getUint8(1) & 0x02) === 0 ? "lba" : "msf";
}

function readCapacity({ blocks }: Disc): Outcome {
  return [...bigEndian32(blocks - 1), ...bigEndian32(BLOCK_BYTES)];
}

/** Older hosts name the format of a table of contents in the last byte. */
function readToc(disc: Disc, packet: DataView): Outcome {
  const format = packet.getUint8(2) & 0x0f || packet.getUint8(9) >>> 6;
  const number = packet.getUint8(6);
  switch (format) {
    case 0:
      return tableOfContents(disc, number, addressForm(packet)) ?? SENSE.INVALID_FIELD;
    case 1:
      return lastSession(addressForm(packet));
    case 2:
      return number > 1 ? SENSE.INVALID_FIELD : rawContents(disc);
    default:
      return SENSE.INVALID_FIELD;
  }
}

function wanted(disc: Disc, first: number, count: number, range: BlockRange): Outcome {
  if (!disc.has(first, count)) return SENSE.OUT_OF_RANGE;
  range.first = first;
  range.count = count;
  return count === 0 ? "done" : "blocks";
}

function read10(disc: Disc, packet: DataView, range: BlockRange): Outcome {
  return wanted(disc, packet.getUint32(2), packet.getUint16(7), range);
}

function read12(disc: Disc, packet: DataView, range: BlockRange): Outcome {
  return wanted(disc, packet.getUint32(2), packet.getUint32(6), range);
}

function seek(disc: Disc, packet: DataView): Outcome {
  return disc.has(packet.getUint32(2), 1) ? "done" : SENSE.OUT_OF_RANGE;
}

const ANY_SECTOR = 0;
const MODE_1 = 2;
const USER_DATA = 0x10;

/** Of a sector the drive gives the user data or nothing: it does not make up sync and ECC. */
function readCd(disc: Disc, packet: DataView, range: BlockRange): Outcome {
  const type = packet.getUint8(1) >>> 2 & 7;
  if (type !== ANY_SECTOR && type !== MODE_1) return SENSE.WRONG_SECTOR_TYPE;
  const [parts, subChannel] = [packet.getUint8(9), packet.getUint8(10)];
  if ((parts & ~USER_DATA) !== 0 || subChannel !== 0) return SENSE.INVALID_FIELD;
  const outcome = wanted(disc, packet.getUint32(2), packet.getUint32(5) & 0xffffff, range);
  return outcome === "blocks" && parts === 0 ? "done" : outcome;
}
