/**
 * How long a disk takes: presets as data, every number with its source.
 *
 * A command waits for a free channel, spends its latency, waits for the platter if there is one,
 * and crosses the one interface. `model` marks a number chosen by us.
 * @module
 */

import type { Ns } from "../../core/types.ts";

/** Geometry and mechanics of a rotating disk: one actuator, tracks of equal length. */
export interface Spindle {
  /** One revolution. */
  readonly rotationNs: Ns;
  /** Sectors under the head in one revolution. */
  readonly sectorsPerTrack: number;
  /** Tracks of the whole drive; an image occupies the first ones. */
  readonly tracks: number;
  /** Moving to the next track, or to another head of the same cylinder. */
  readonly trackToTrackNs: Ns;
  /** Seek from the first to the last track. */
  readonly fullStrokeNs: Ns;
  /** How far the drive reads ahead of a read. */
  readonly lookaheadSectors: number;
}

/** The timing of one kind of disk. */
export interface MediaPreset {
  /** What `--media` takes. */
  readonly name: string;
  /** From taking a command to its first byte; with a spindle, the electronics only. */
  readonly readLatencyNs: Ns;
  /** From submission to completion of a write, transfer excluded. */
  readonly writeLatencyNs: Ns;
  /** After all earlier commands are complete. */
  readonly flushLatencyNs: Ns;
  /** Of the interface, which all commands share. */
  readonly bytesPerSecond: number;
  /** Commands that the disk works on at the same time. */
  readonly parallelism: number;
  /** Mechanics of a hard disk; absent for solid state. */
  readonly spindle?: Spindle;
  /** Where each number above comes from, or `model`. */
  readonly source: Readonly<Record<string, string>>;
}

const RAMDISK: MediaPreset = {
  name: "ramdisk",
  readLatencyNs: 1_000,
  writeLatencyNs: 1_000,
  flushLatencyNs: 0,
  bytesPerSecond: 10_000_000_000,
  parallelism: 1,
  source: {
    readLatencyNs: "model: a block layer call without a device",
    writeLatencyNs: "model: as readLatencyNs",
    flushLatencyNs: "model: nothing is cached",
    bytesPerSecond: "model: one core copying memory",
    parallelism: "model: the submitting core does the work",
  },
};

const SSD: MediaPreset = {
  name: "ssd",
  readLatencyNs: 80_000,
  writeLatencyNs: 20_000,
  flushLatencyNs: 200_000,
  bytesPerSecond: 500_000_000,
  parallelism: 6,
  source: {
    readLatencyNs:
      "model: between 36 us sequential and 110 us random, Intel DC S4500 specification",
    writeLatencyNs:
      "model: into the drive's cache; the Intel DC S4500 specification has 36 to 52 us",
    flushLatencyNs: "model",
    bytesPerSecond: "Intel DC S4500 specification: sustained sequential read 500 MB/s",
    parallelism: "72,000 random 4 KiB reads/s at depth 32 (Intel DC S4500) times 80 us",
  },
};

const HDD: MediaPreset = {
  name: "hdd",
  readLatencyNs: 100_000,
  writeLatencyNs: 100_000,
  flushLatencyNs: 0,
  bytesPerSecond: 300_000_000,
  parallelism: 1,
  spindle: {
    rotationNs: 8_333_333,
    sectorsPerTrack: 2_240,
    tracks: 1_740_000,
    trackToTrackNs: 800_000,
    fullStrokeNs: 14_700_000,
    lookaheadSectors: 8_192,
  },
  source: {
    readLatencyNs: "model: command overhead",
    writeLatencyNs: "model: command overhead; the drive's write cache is off",
    flushLatencyNs: "model: nothing is cached",
    bytesPerSecond: "Serial ATA 3 Gbit/s: 300 MB/s after 8b/10b coding",
    parallelism: "one actuator",
    rotationNs: "60 s / 7200",
    sectorsPerTrack:
      "138 MB/s at the outer diameter (Seagate Barracuda XT ST32000641AS) in 8.33 ms",
    tracks: "2 TB (Seagate Barracuda XT ST32000641AS) in tracks of 2240 sectors",
    trackToTrackNs: "model: the Hitachi 5K320 specification, table 7, has 1.0 ms",
    fullStrokeNs: "makes the mean over random distances 8.2 ms (HGST Ultrastar 7K4000, table 6)",
    lookaheadSectors: "model: 4 MiB of buffer for one stream",
  },
};

/** The disks that `--media` can name. */
export const MEDIA_PRESETS: Readonly<Record<"ramdisk" | "ssd" | "hdd", MediaPreset>> = {
  ramdisk: RAMDISK,
  ssd: SSD,
  hdd: HDD,
};
