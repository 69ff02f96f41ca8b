/**
 * The mechanics of a CD-ROM drive and what it remembers for its host: tray, lock, disc, sense, the
 * events that tell of a change.
 * Source: MMC-3 (T10 1363-D) §5.7 GET EVENT STATUS NOTIFICATION, §5.14 PREVENT/ALLOW, §5.42 START
 * STOP UNIT; SPC-2 (T10 1236D) §5.9 (unit attention).
 * @module
 */

import type { Disk } from "../../core/types.ts";
import { Disc } from "./atapi_disc.ts";
import { SENSE, type Sense } from "./atapi_sense.ts";
import type { DriveIdentity } from "./identify.ts";

/** Media events, as GET EVENT STATUS NOTIFICATION codes them. */
const MEDIA_EVENT = { NONE: 0, NEW_MEDIA: 2, REMOVAL: 3 } as const;

/** Code of a media event. */
export type MediaEvent = typeof MEDIA_EVENT[keyof typeof MEDIA_EVENT];

/** A logical unit: the drive behind its interface. */
export class CdUnit {
  /** What the last command left to tell. REQUEST SENSE takes it. */
  sense: Sense = SENSE.NONE;
  /** The host has forbidden to open the tray. */
  locked = false;
  readonly identity: DriveIdentity;
  readonly #loaded: Disc | undefined;
  #trayOpen = false;
  #attention = false;
  #event: MediaEvent = MEDIA_EVENT.NONE;

  /** @param disk what lies in the drive at power-on; without a whole block it is no disc */
  constructor(disk: Disk, identity: DriveIdentity) {
    this.identity = identity;
    const disc = new Disc(disk);
    this.#loaded = disc.blocks > 0 ? disc : undefined;
  }

  get trayOpen(): boolean {
    return this.#trayOpen;
  }

  /** The disc, if the tray is closed and has one. */
  get disc(): Disc | undefined {
    return this.#trayOpen ? undefined : this.#loaded;
  }

  /** Why there is no {@link disc}. */
  get absence(): Sense {
    return this.#trayOpen ? SENSE.TRAY_OPEN : SENSE.NO_DISC;
  }

  /** To the state after power-on. Disc and tray stay. */
  powerOn(): void {
    this.sense = SENSE.NONE;
    this.locked = false;
    this.#attention = false;
    this.#event = MEDIA_EVENT.NONE;
  }

  /** A change of the disc that the host has not been told of. Asking is telling. */
  takeAttention(): boolean {
    const pending = this.#attention;
    this.#attention = false;
    return pending;
  }

  /** The media event that the host has not been told of. */
  takeEvent(): MediaEvent {
    const event = this.#event;
    this.#event = MEDIA_EVENT.NONE;
    return event;
  }

  openTray(): void {
    if (this.disc !== undefined) this.#event = MEDIA_EVENT.REMOVAL;
    this.#attention = false;
    this.#trayOpen = true;
  }

  closeTray(): void {
    if (!this.#trayOpen) return;
    this.#trayOpen = false;
    if (this.#loaded === undefined) return;
    this.#attention = true;
    this.#event = MEDIA_EVENT.NEW_MEDIA;
  }
}
