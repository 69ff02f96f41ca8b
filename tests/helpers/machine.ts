/**
 * Bundled guests on disks whose bytes are known, and what they must do with them.
 * @module
 */

import { OverlayDisk } from "../../devices/disk/overlay.ts";
import { compareDisks } from "../../core/cli/compare_disks.ts";
import type { CompareOutcome } from "../../core/cli/compare_workload.ts";
import { sha256 } from "../../core/cli/files.ts";
import { loadGuest } from "../../core/load/detect.ts";
import type { Counters, MachineConfig, RunResult } from "../../core/machine/config.ts";
import { bootMachine } from "../../core/machine/machine.ts";
import { costPresets, mediaPresets, memoryDisk } from "../../core/machine/storage.ts";
import type { CompareRecord, DiskOp } from "../../core/report/compare.ts";
import { type BlockBackend, COST_KINDS, SECTOR_SIZE } from "../../core/types.ts";
import { runToEnd } from "./small_machine.ts";

const BIN = new URL("../../guests/bin/", import.meta.url);
const RAM_BYTES = 16 << 20;
const SEED = 1;

/** The bundled guests cannot be read: their tests are to be ignored. */
export const guestsHidden: boolean =
  Deno.permissions.querySync({ name: "read", path: BIN }).state !== "granted";

/** A binary of `guests/bin`. */
export function guestBytes(name: string): Uint8Array {
  return Deno.readFileSync(new URL(`${name}.bin`, BIN));
}

/** Bytes in which no two sectors are alike. */
export function imageBytes(sectors: number): Uint8Array {
  const words = new Uint32Array(sectors * SECTOR_SIZE / 4);
  for (let i = 0; i < words.length; i++) words[i] = scramble(i);
  return new Uint8Array(words.buffer);
}

// ---- one run ---------------------------------------------------------------------------------

/** A run of {@link bootGuest}. */
export interface GuestRun {
  readonly result: RunResult;
  readonly serial: string;
}

/** What may be chosen for a run. */
export interface BootOptions extends Pick<MachineConfig, "maxInsns" | "maxTime"> {
  readonly append?: string;
  /** No disk if absent. */
  readonly disk?: BlockBackend;
}

/** Boots a bundled guest and lets it come to its end. */
export function bootGuest(name: string, options: BootOptions = {}): GuestRun {
  const { append, disk, ...limits } = options;
  const serial: number[] = [];
  const load = append === undefined ? {} : { append };
  const machine = bootMachine({
    ramBytes: RAM_BYTES,
    guest: loadGuest(guestBytes(name), { name, ramBytes: RAM_BYTES, ...load }),
    disks: disk === undefined ? [] : [{ backend: disk, media: mediaPresets()["ssd"]! }],
    cost: costPresets()["xen-4.17"]!,
    onSerialByte: (byte) => serial.push(byte),
    ...limits,
  });
  return { result: runToEnd(machine), serial: String.fromCharCode(...serial) };
}

/** Elapsed time minus all books: 0. */
export function unbooked({ elapsedNs, books }: Pick<Counters, "elapsedNs" | "books">): number {
  return COST_KINDS.reduce((left, kind) => left - books[kind], elapsedNs);
}

/** A disk that keeps its writes to itself. */
export function snapshotOf(bytes: Uint8Array): BlockBackend {
  return new OverlayDisk(memoryDisk(bytes));
}

// ---- diskcmp ---------------------------------------------------------------------------------

/** What diskcmp is told to do. */
export interface Workload {
  readonly op: DiskOp;
  readonly bs: number;
  readonly count: number;
  readonly depth: number;
}

/** Runs diskcmp over all five paths. */
export async function compareOn(
  disk: BlockBackend,
  workload: Workload,
): Promise<{ record: CompareRecord; outcome: CompareOutcome; serial: string }> {
  const serial: number[] = [];
  const outcome = await compareDisks({
    guest: { name: "diskcmp.bin", bytes: guestBytes("diskcmp") },
    disk: { name: "memory", backend: disk },
    cost: costPresets()["xen-4.17"]!,
    media: mediaPresets()["ssd"]!,
    ramBytes: RAM_BYTES,
    onSerialByte: (byte) => serial.push(byte),
    ...workload,
  });
  if (outcome.record === undefined) throw new Error(outcome.failure);
  return { record: outcome.record, outcome, serial: String.fromCharCode(...serial) };
}

/** First sector of each request, in order: `sector_of()` of guests/diskcmp/workload.c. */
export function requestSectors(workload: Workload, diskSectors: number): number[] {
  const blockSectors = workload.bs / SECTOR_SIZE;
  const places = Math.floor(diskSectors / blockSectors);
  const random = workload.op.startsWith("rand");
  return Array.from({ length: workload.count }, (_, index) => {
    const place = random ? scramble(scramble(SEED) + index) : index;
    return (place % places) * blockSectors;
  });
}

/**
 * What diskcmp writes to these sectors: `block_pattern()` of guests/lib/block.c.
 * @param seed its complement is what diskcmp prepares the sectors with
 */
export function writtenPattern(sector: number, bytes: number, seed: number = SEED): Uint8Array {
  const words = new Uint32Array(bytes / 4);
  const perSector = SECTOR_SIZE / 4;
  for (let i = 0; i < words.length; i++) {
    const start = scramble(scramble(seed) + sector + Math.floor(i / perSector));
    words[i] = start + Math.imul(i % perSector, 0x9e3779b9);
  }
  return new Uint8Array(words.buffer);
}

/** SHA-256 of all pieces, one behind the other. */
export function sha256OfAll(pieces: readonly Uint8Array[]): string {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return sha256(all);
}

/** guests/include/scramble.h: the finisher of Murmur3. */
function scramble(value: number): number {
  let x = value >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
