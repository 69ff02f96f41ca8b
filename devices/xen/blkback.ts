/**
 * The backend of one paravirtual disk: its side of the XenBus handshake, and the ring while
 * connected.
 *
 * Whatever the frontend writes is checked; a value that cannot be ends the connection in Closing,
 * and the backend waits for the frontend to start again.
 * Source: xen/include/public/io/blkif.h; drivers/block/xen-blkback/xenbus.c of Linux 6.1 for
 * reactions.
 * @module
 */

import { InternalError } from "../../core/errors.ts";
import { DOM0_COST, SECTOR_SIZE } from "../../core/types.ts";
import type { BackendHost, Clock, Disk, Dom0, GuestErrors, GuestMemory } from "../../core/types.ts";
import { BlkbackConnection } from "./blkback_connection.ts";
import type { SharedRingParts } from "./blkback_connection.ts";
import type { BlkbackCosts, RingEnding } from "./blkback_ring.ts";
import { MAX_INDIRECT_SEGMENTS, VDISK } from "./blkif.ts";
import { readFrontend } from "./frontend_keys.ts";
import type { BlkbackOffers, FrontendKeys } from "./frontend_keys.ts";
import type { RingObserver, RingStats } from "./ring_observer.ts";
import { parseU32, XENBUS_STATE } from "./xenbus.ts";
import type { XenbusState } from "./xenbus.ts";

/** Bytes of a disk's blocks, powers of two from 512 up. */
export interface BlockSize {
  /** What requests must be aligned to. */
  readonly logical: number;
  /** What the disk reads and writes as a whole; no less than `logical`. */
  readonly physical: number;
}

/** What distinguishes one backend from another. */
export interface BlkbackOptions {
  readonly clock: Clock;
  /** Number of the virtual device, e.g. 768 for hda. */
  readonly vdev: number;
  readonly costs: BlkbackCosts;
  readonly offers: BlkbackOffers;
  readonly blockSize: BlockSize;
  /**
   * Of the backends of its kind; `vbd` unless given. A `qdisk` copies data and maps none: `offers` have
   * no persistent grants and no INDIRECT then.
   */
  readonly directory?: "vbd" | "qdisk";
  readonly stats: RingStats;
  /** Who follows the rings, by number of the queue. */
  readonly observe?: ((queue: number) => RingObserver | undefined) | undefined;
  /**
   * A frontend that is connected already is made to close and to start again, instead of going on
   * with its ring.
   */
  readonly startsAfresh?: boolean;
  /** The device has been removed, and the backend has let go of everything for good. */
  readonly onGone?: () => void;
}

/** How a frontend has let go, or was made to. */
type Departure = Exclude<RingEnding, "crashed">;

/** Block backend of one vbd. The toolstack has written both directories before it is made. */
export class Blkback {
  readonly #host: BackendHost;
  readonly #dom0: Dom0;
  readonly #disk: Disk;
  readonly #memory: GuestMemory;
  readonly #errors: GuestErrors;
  readonly #options: BlkbackOptions;
  readonly #node: string;
  readonly #path: string;
  readonly #frontend: string;
  readonly #readOnly: boolean;
  readonly #canDiscard: boolean;
  #state: XenbusState = XENBUS_STATE.INITIALISING;
  /** The rings of a frontend that is connected. */
  #connections: BlkbackConnection[] = [];
  #endWatch: () => void;
  #reactionPending = false;
  /** The frontend must close before it may connect. */
  #awaitsClosing: boolean;
  /** It has closed, or has gone, while requests were in flight. */
  #closing: Departure | undefined;
  /** There is no domain any more that could have a frontend. */
  #abandoned = false;
  /** Reacts to nothing any more. */
  #gone = false;
  /** The driver has died; called when nothing of the guest's is left in its hands. */
  #onBuried: (() => void) | undefined;

  constructor(
    host: BackendHost,
    dom0: Dom0,
    disk: Disk,
    memory: GuestMemory,
    errors: GuestErrors,
    options: BlkbackOptions,
  ) {
    this.#host = host;
    this.#dom0 = dom0;
    this.#disk = disk;
    this.#memory = memory;
    this.#errors = errors;
    this.#options = options;
    this.#node = `backend/${options.directory ?? "vbd"}/${host.domid}/${options.vdev}`;
    this.#path = `/local/domain/0/${this.#node}`;
    this.#frontend = this.#required("frontend");
    this.#readOnly = disk.readOnly || !this.#required("mode").includes("w");
    this.#canDiscard = !this.#readOnly && (disk.canDiscard ?? false) &&
      host.store.read(`${this.#path}/discard-enable`) !== "0";
    this.#awaitsClosing = options.startsAfresh === true && this.#frontendRuns();
    if (this.#awaitsClosing) this.#switchTo(XENBUS_STATE.CLOSING);
    else this.#prepare();
    this.#endWatch = host.store.watch(`${this.#frontend}/state`, () => this.#postReaction());
  }

  /** The backend's own XenBus state. */
  get state(): XenbusState {
    return this.#state;
  }

  /**
   * The driver dies: no request is taken, none is answered, xenstore stays as it is. What the disk
   * is doing it does; then pages are unmapped.
   * @param onBuried a driver that starts now finds nothing in the hands of this one
   */
  crash(onBuried: () => void): void {
    if (this.#gone) throw new InternalError("blkback cannot crash twice");
    this.#gone = true;
    this.#endWatch();
    this.#onBuried = onBuried;
    this.#bury();
  }

  /** The domain is being destroyed: no frontend waits for answers. */
  abandon(): void {
    this.#abandoned = true;
    if (this.#closing === "detached") this.#postReaction();
  }

  #bury(): void {
    if (!this.#disconnect("crashed")) return;
    this.#dom0.post(DOM0_COST.backend, this.#options.costs.wakeup, this.#onBuried!);
  }

  #required(key: string): string {
    const value = this.#host.store.read(`${this.#path}/${key}`);
    if (value === undefined) {
      throw new InternalError(`Cannot start blkback: no ${this.#path}/${key}`);
    }
    return value;
  }

  #write(key: string, value: number | string): void {
    this.#host.store.write(`${this.#path}/${key}`, String(value));
  }

  #readFrontend(key: string): string | undefined {
    return this.#host.store.read(`${this.#frontend}/${key}`);
  }

  /** The other end has a ring, or says so. */
  #frontendRuns(): boolean {
    const state = parseU32(this.#readFrontend("state"));
    return state === XENBUS_STATE.INITIALISED || state === XENBUS_STATE.CONNECTED;
  }

  /** Does nothing when the node has vanished: the toolstack has removed the device. */
  #switchTo(state: XenbusState): void {
    if (state === this.#state) return;
    this.#state = state;
    if (this.#host.store.read(`${this.#path}/state`) !== undefined) this.#write("state", state);
  }

  /** Writes what a frontend reads before it makes a ring. */
  #prepare(): void {
    const { indirect, queues, ringPages } = this.#options.offers;
    if (indirect) this.#write("feature-max-indirect-segments", MAX_INDIRECT_SEGMENTS);
    this.#write("multi-queue-max-queues", queues);
    this.#write("max-ring-page-order", Math.log2(ringPages));
    this.#write("max-ring-pages", ringPages);
    this.#switchTo(XENBUS_STATE.INIT_WAIT);
  }

  /**
   * Watch events fire inside the guest's write; dom0 reacts later, once for all that came
   * meanwhile.
   */
  #postReaction(): void {
    if (this.#reactionPending || this.#gone) return;
    this.#reactionPending = true;
    this.#dom0.post(DOM0_COST.backend, this.#options.costs.wakeup, () => {
      this.#reactionPending = false;
      if (!this.#gone) this.#react();
    });
  }

  /** A close that waits for the disk comes first, whatever the frontend has become meanwhile. */
  #react(): void {
    if (this.#closing === "detached" && this.#abandoned) this.#closing = "removed";
    if (this.#closing !== undefined && !this.#close(this.#closing)) return;
    if (!this.#gone) this.#follow();
  }

  #follow(): void {
    const text = this.#readFrontend("state");
    switch (text === undefined ? XENBUS_STATE.UNKNOWN : parseU32(text)) {
      case XENBUS_STATE.UNKNOWN:
        this.#close(this.#abandoned ? "removed" : "detached");
        return;
      case XENBUS_STATE.INITIALISING:
        this.#awaitsClosing = false;
        if (this.#state === XENBUS_STATE.CLOSED) this.#prepare();
        return;
      case XENBUS_STATE.INIT_WAIT:
        return;
      case XENBUS_STATE.INITIALISED:
      case XENBUS_STATE.CONNECTED:
        if (this.#state !== XENBUS_STATE.CONNECTED && !this.#awaitsClosing) this.#connect();
        return;
      case XENBUS_STATE.CLOSING:
        return this.#switchTo(XENBUS_STATE.CLOSING);
      case XENBUS_STATE.CLOSED:
        this.#close(this.#host.store.read(`${this.#path}/online`) === "1" ? "closed" : "removed");
        return;
      default:
        return this.#fail(`saw state ${JSON.stringify(text)} at frontend`);
    }
  }

  /** @returns false while requests are in flight; it is tried again when they are not */
  #close(how: Departure): boolean {
    this.#awaitsClosing = false;
    const hasClosed = this.#disconnect(how);
    this.#closing = hasClosed ? undefined : how;
    if (!hasClosed) return false;
    this.#switchTo(XENBUS_STATE.CLOSED);
    if (how !== "closed") this.#leave();
    return true;
  }

  #leave(): void {
    this.#gone = true;
    this.#endWatch();
    this.#options.onGone?.();
  }

  /** @returns false while requests are in flight; `#drained` tells when they are not */
  #disconnect(how: RingEnding): boolean {
    this.#connections = this.#connections.filter((connection) => !connection.end(how));
    return this.#connections.length === 0;
  }

  #drained(): void {
    if (this.#onBuried === undefined) this.#postReaction();
    else this.#bury();
  }

  #connect(): void {
    if (!this.#disconnect("closed")) return;
    const keys = readFrontend((key) => this.#readFrontend(key), this.#options.offers);
    if (typeof keys === "string") return this.#fail(keys);
    for (const queue of keys.queues) {
      const connection = BlkbackConnection.open(this.#host, queue, this.#ringParts(keys));
      if (typeof connection === "string") {
        this.#disconnect("closed");
        return this.#fail(connection);
      }
      this.#connections.push(connection);
    }
    this.#publish();
    this.#switchTo(XENBUS_STATE.CONNECTED);
    for (const connection of this.#connections) connection.start();
  }

  #ringParts(keys: FrontendKeys): SharedRingParts {
    return {
      clock: this.#options.clock,
      dom0: this.#dom0,
      disk: this.#disk,
      blockSectors: this.#options.blockSize.logical / SECTOR_SIZE,
      readOnly: this.#readOnly,
      canDiscard: this.#canDiscard,
      memory: this.#memory,
      errors: this.#errors,
      costs: this.#options.costs,
      stats: this.#options.stats,
      observer: this.#options.observe?.(this.#connections.length),
      layout: keys.layout,
      persistent: keys.persistent,
      indirect: this.#options.offers.indirect,
      copies: this.#options.directory === "qdisk",
      onDrained: () => this.#drained(),
    };
  }

  #publish(): void {
    this.#write("feature-flush-cache", 1);
    this.#publishDiscard();
    this.#write("feature-barrier", 1);
    this.#write("feature-persistent", this.#options.offers.persistent ? 1 : 0);
    this.#write("sectors", this.#disk.sectorCount);
    this.#write("info", this.#info());
    this.#write("sector-size", this.#options.blockSize.logical);
    this.#write("physical-sector-size", this.#options.blockSize.physical);
  }

  #info(): number {
    const isCdrom = this.#host.store.read(`${this.#path}/device-type`) === "cdrom";
    const isRemovable = this.#host.store.read(`${this.#path}/removable`) === "1";
    return (isCdrom ? VDISK.CDROM : 0) | (isRemovable ? VDISK.REMOVABLE : 0) |
      (this.#readOnly ? VDISK.READONLY : 0);
  }

  #publishDiscard(): void {
    if (this.#canDiscard) {
      this.#write("discard-granularity", this.#options.blockSize.logical);
      this.#write("discard-alignment", 0);
      this.#write("discard-secure", 0);
    }
    this.#write("feature-discard", this.#canDiscard ? 1 : 0);
  }

  /** The frontend's mistake: told where `xenbus_dev_fatal` of Linux tells it, and Closing. */
  #fail(text: string): void {
    this.#options.stats.refused("connection");
    this.#errors.guestError("blkback", `vbd ${this.#options.vdev}: ${text}`);
    this.#host.store.write(`/local/domain/0/error/${this.#node}/error`, text);
    this.#switchTo(XENBUS_STATE.CLOSING);
  }
}
