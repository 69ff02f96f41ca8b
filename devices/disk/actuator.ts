/**
 * Arm and platter of a rotating disk: seek by distance, rotation by the clock, read-ahead.
 *
 * Seek time grows with the square root of the distance, after Ruemmler and Wilkes, "An introduction
 * to disk drive modeling", IEEE Computer 27(3), 1994. Each track starts later than the one before
 * by the time of a track change, so that a sequential transfer loses no revolution at the seam.
 * @module
 */

import type { Ns } from "../../core/types.ts";
import type { Spindle } from "./media.ts";

/** Where the arm is, and which sectors the drive has read or is reading into its buffer. */
export class Actuator {
  readonly #spindle: Spindle;
  #track = 0;
  /** First sector ahead of the last read, or -1 when nothing is being read ahead. */
  #aheadSector = -1;
  /** When the head stands, or stood, before that sector. */
  #aheadAt: Ns = 0;

  constructor(spindle: Spindle) {
    this.#spindle = spindle;
  }

  /**
   * Moves `count` sectors to or from the platter.
   * @param at when the drive has decoded the command
   * @returns when the last sector has passed the head or, for a read, is in the buffer
   */
  access(at: Ns, write: boolean, sector: number, count: number): Ns {
    const buffered = !write && this.#isAhead(sector);
    const finish = buffered
      ? this.#aheadAt + this.#passTime(this.#aheadSector, sector + count - this.#aheadSector)
      : this.#reach(at, sector) + this.#passTime(sector, count);
    this.#track = this.#trackOf(sector + count - 1);
    this.#aheadSector = write ? -1 : sector + count;
    this.#aheadAt = buffered ? Math.max(finish, at - this.#bufferTime()) : finish;
    return Math.max(at, finish);
  }

  #isAhead(sector: number): boolean {
    const distance = sector - this.#aheadSector;
    return this.#aheadSector >= 0 && distance >= 0 && distance < this.#spindle.lookaheadSectors;
  }

  /** When the head stands before `sector`: seek, then wait for the rotation. */
  #reach(at: Ns, sector: number): Ns {
    const { rotationNs } = this.#spindle;
    const arrival = at + this.#seekTime(Math.abs(this.#trackOf(sector) - this.#track));
    const angle = this.#angleOf(sector) - arrival % rotationNs;
    return arrival + (angle < 0 ? angle + rotationNs : angle);
  }

  #seekTime(distance: number): Ns {
    const { trackToTrackNs, fullStrokeNs, tracks } = this.#spindle;
    if (distance === 0) return 0;
    return trackToTrackNs +
      Math.round((fullStrokeNs - trackToTrackNs) * Math.sqrt(distance / tracks));
  }

  #trackOf(sector: number): number {
    return Math.floor(sector / this.#spindle.sectorsPerTrack);
  }

  /** Time into the revolution at which the sector begins. */
  #angleOf(sector: number): Ns {
    const { rotationNs, sectorsPerTrack, trackToTrackNs } = this.#spindle;
    const inTrack = Math.floor(sector % sectorsPerTrack * rotationNs / sectorsPerTrack);
    return (inTrack + this.#trackOf(sector) * trackToTrackNs) % rotationNs;
  }

  /** How long `count` sectors take to pass, changes of track included. */
  #passTime(sector: number, count: number): Ns {
    const { rotationNs, sectorsPerTrack, trackToTrackNs } = this.#spindle;
    const changes = this.#trackOf(sector + count - 1) - this.#trackOf(sector);
    return Math.floor(count * rotationNs / sectorsPerTrack) + changes * trackToTrackNs;
  }

  /** A full buffer stops the read-ahead: the platter is never further ahead than this. */
  #bufferTime(): Ns {
    return this.#passTime(0, this.#spindle.lookaheadSectors);
  }
}
