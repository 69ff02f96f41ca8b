/**
 * The disk that both paths share: a queue and a latency in front of a store of bytes.
 *
 * Completion times are fixed at submission. Bytes move at completion, just before `done()`, so that
 * a buffer holds old data for as long as it would on hardware.
 * @module
 */

import { ImageError, InternalError } from "../../core/errors.ts";
import { SECTOR_SIZE } from "../../core/types.ts";
import type { BlockBackend, BlockRequest, Clock, Disk, Ns, Timer } from "../../core/types.ts";
import { Actuator } from "./actuator.ts";
import { Bounce, follows, gather, scatter } from "./bounce.ts";
import type { MediaPreset } from "./media.ts";
import { DiskStats } from "./stats.ts";

export { MEDIA_PRESETS, type MediaPreset, type Spindle } from "./media.ts";

const INITIAL_QUEUE = 64;

/** A {@link Disk} with the timing of a {@link MediaPreset}. */
export class TimedDisk implements Disk {
  readonly sectorCount: number;
  readonly readOnly: boolean;
  readonly canDiscard: boolean;
  /** What has been asked of it. */
  readonly stats: DiskStats = new DiskStats();
  readonly #clock: Clock;
  readonly #backend: BlockBackend;
  readonly #preset: MediaPreset;
  readonly #onHostError: (error: ImageError) => void;
  readonly #timer: Timer;
  readonly #actuator: Actuator | undefined;
  readonly #channelFreeAt: Float64Array;
  readonly #bounce: Bounce = new Bounce();
  #interfaceFreeAt: Ns = -Infinity;
  #requests: (BlockRequest | undefined)[] = new Array(INITIAL_QUEUE).fill(undefined);
  #deadlines: Float64Array = new Float64Array(INITIAL_QUEUE);
  #head = 0;
  #inFlight = 0;

  /** @param onHostError told of every host failure; the request itself ends with status `error` */
  constructor(
    clock: Clock,
    backend: BlockBackend,
    preset: MediaPreset,
    onHostError: (error: ImageError) => void,
  ) {
    this.sectorCount = backend.sectorCount;
    this.readOnly = backend.readOnly;
    this.canDiscard = backend.discard !== undefined && !backend.readOnly;
    this.#clock = clock;
    this.#backend = backend;
    this.#preset = preset;
    this.#onHostError = onHostError;
    this.#timer = clock.timer("disk", () => this.#completeFirst());
    this.#actuator = preset.spindle && new Actuator(preset.spindle);
    this.#channelFreeAt = new Float64Array(preset.parallelism);
  }

  /** Requests submitted and not completed. */
  get inFlight(): number {
    return this.#inFlight;
  }

  submit(request: BlockRequest): void {
    const bytes = byteLength(request);
    this.#checkRange(request, bytes);
    if (this.#inFlight === this.#requests.length) this.#grow();
    const slot = (this.#head + this.#inFlight) % this.#requests.length;
    const deadline = this.#schedule(request, bytes);
    this.#requests[slot] = request;
    this.#deadlines[slot] = deadline;
    this.stats.count(request.op, bytes, this.#clock.now, deadline);
    if (this.#inFlight++ === 0) this.#timer.armAt(deadline);
  }

  #checkRange(request: BlockRequest, bytes: number): void {
    const sectors = request.op === "discard" ? request.count! : bytes / SECTOR_SIZE;
    const end = request.sector + sectors;
    if (request.sector < 0 || end > this.sectorCount || !Number.isInteger(end)) {
      throw new InternalError(
        `Cannot ${request.op} ${sectors} sectors at sector ${request.sector}: ` +
          `the disk has ${this.sectorCount} sectors`,
      );
    }
  }

  #grow(): void {
    const length = this.#requests.length;
    const at = (i: number): number => (this.#head + i) % length;
    this.#requests = Array.from(
      { length: 2 * length },
      (_, i) => i < length ? this.#requests[at(i)] : undefined,
    );
    this.#deadlines = Float64Array.from(
      { length: 2 * length },
      (_, i) => i < length ? this.#deadlines[at(i)]! : 0,
    );
    this.#head = 0;
  }

  /** @returns the completion time, never before that of an earlier request */
  #schedule(request: BlockRequest, bytes: number): Ns {
    const { now } = this.#clock;
    const finish = request.op === "flush"
      ? Math.max(now, this.#interfaceFreeAt) + this.#preset.flushLatencyNs
      : this.#scheduleTransfer(now, request, bytes);
    this.#interfaceFreeAt = finish;
    return finish;
  }

  #scheduleTransfer(now: Ns, request: BlockRequest, bytes: number): Ns {
    const { readLatencyNs, writeLatencyNs, bytesPerSecond } = this.#preset;
    const write = request.op !== "read";
    const channel = this.#firstFreeChannel();
    const begin = Math.max(now, this.#channelFreeAt[channel]!);
    const decoded = begin + (write ? writeLatencyNs : readLatencyNs);
    const ready = this.#actuator?.access(decoded, write, request.sector, bytes / SECTOR_SIZE) ??
      decoded;
    const finish = Math.max(ready, this.#interfaceFreeAt) + Math.ceil(bytes * 1e9 / bytesPerSecond);
    this.#channelFreeAt[channel] = finish;
    return finish;
  }

  #firstFreeChannel(): number {
    let first = 0;
    for (let i = 1; i < this.#channelFreeAt.length; i++) {
      if (this.#channelFreeAt[i]! < this.#channelFreeAt[first]!) first = i;
    }
    return first;
  }

  #completeFirst(): void {
    const request = this.#requests[this.#head]!;
    this.#requests[this.#head] = undefined;
    this.#head = (this.#head + 1) % this.#requests.length;
    if (--this.#inFlight > 0) this.#timer.armAt(this.#deadlines[this.#head]!);
    const failedAt = this.perform(request);
    if (failedAt === undefined) request.done("ok");
    else request.done("error", failedAt);
  }

  /**
   * Does what a request asks for, at once: for those who spend its time apart.
   * @returns the sector at which the host failed
   */
  perform(request: BlockRequest): number | undefined {
    const backend = this.#backend;
    switch (request.op) {
      case "flush":
        return this.#serves(() => backend.flush()) ? undefined : request.sector;
      case "discard":
        return this.#serves(() => backend.discard!(request.sector, request.count!))
          ? undefined
          : request.sector;
      default:
        return this.#move(request);
    }
  }

  #serves(access: () => void): boolean {
    try {
      access();
      return true;
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      this.#onHostError(error);
      return false;
    }
  }

  #move(request: BlockRequest): number | undefined {
    const room = this.#bounce.room(request.segments);
    if (room !== undefined && this.#bounces(request, room)) return undefined;
    return this.#moveRuns(request);
  }

  /** @returns false when the host has refused it as a whole */
  #bounces({ op, sector, segments }: BlockRequest, room: Uint8Array): boolean {
    if (op === "write") gather(segments, room);
    try {
      this.#access(op, sector, room);
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      return false;
    }
    if (op === "read") scatter(room, segments);
    this.stats.countMerged(op, segments.length - 1);
    return true;
  }

  #moveRuns(request: BlockRequest): number | undefined {
    const { op, segments } = request;
    let sector = request.sector;
    for (let i = 0; i < segments.length;) {
      const end = endOfRun(segments, i);
      const bytes = end === i + 1 ? segments[i]! : joined(segments[i]!, segments[end - 1]!);
      const failedAt = this.#moveRun(op, sector, bytes);
      if (failedAt !== undefined) return failedAt;
      this.stats.countMerged(op, end - i - 1);
      sector += bytes.length / SECTOR_SIZE;
      i = end;
    }
    return undefined;
  }

  #moveRun(op: BlockRequest["op"], sector: number, bytes: Uint8Array): number | undefined {
    try {
      this.#access(op, sector, bytes);
      return undefined;
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      return this.#moveSectors(op, sector, bytes);
    }
  }

  #access(op: BlockRequest["op"], sector: number, bytes: Uint8Array): void {
    if (op === "read") this.#backend.read(sector, bytes);
    else this.#backend.write(sector, bytes);
  }

  /** Moves what the host has refused as a whole, up to the first bad sector: that one it returns. */
  #moveSectors(op: BlockRequest["op"], first: number, bytes: Uint8Array): number | undefined {
    for (let at = 0; at < bytes.length; at += SECTOR_SIZE) {
      const sector = first + at / SECTOR_SIZE;
      const part = bytes.subarray(at, at + SECTOR_SIZE);
      if (!this.#serves(() => this.#access(op, sector, part))) return sector;
    }
    return undefined;
  }
}

function byteLength({ op, segments, count = 0 }: BlockRequest): number {
  if (segments.length === 0) return op === "read" || op === "write" ? count * SECTOR_SIZE : 0;
  let total = 0;
  for (let i = 0; i < segments.length; i++) total += segments[i]!.length;
  return total;
}

/** Index after the last segment that continues segment `first` in host memory. */
function endOfRun(segments: readonly Uint8Array[], first: number): number {
  let end = first + 1;
  while (end < segments.length && follows(segments[end - 1]!, segments[end]!)) end++;
  return end;
}

/** One view over a run: a host call costs thirty times as much as a view. */
function joined(first: Uint8Array, last: Uint8Array): Uint8Array {
  const length = last.byteOffset + last.length - first.byteOffset;
  return new Uint8Array(first.buffer, first.byteOffset, length);
}
