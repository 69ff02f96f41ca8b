/**
 * One virtual block device of the domain from its first node in xenstore to its last: what xl does
 * about it, and the backend driver in dom0, which may die and start again meanwhile.
 * Source: tools/libs/light/libxl_device.c of Xen 4.17.
 * @module
 */

import { Blkback, type BlockSize } from "../../devices/xen/blkback.ts";
import { ALL_OFFERS } from "../../devices/xen/frontend_keys.ts";
import type { BlkbackOffers } from "../../devices/xen/frontend_keys.ts";
import type { PvRequests } from "../hypervisor/books/requests_pv.ts";
import {
  addVbd,
  backendClass,
  closeVbd,
  connectVbd,
  destroyVbd,
  isClosed,
  type VbdInfo,
  vbdInfo,
  type VbdPaths,
  vbdPaths,
  type VirtualDisk,
} from "../hypervisor/toolstack/vbd.ts";
import { vdevNumber } from "../hypervisor/toolstack/vdev.ts";
import type { PrivilegedStore } from "../hypervisor/xenstore/xenstore.ts";
import { DOM0_COST, SECTOR_SIZE } from "../types.ts";
import type { BackendHost, BackendKind, Disk, Ns } from "../types.ts";
import type { VbdsParts } from "./vbds.ts";

/** A disk that the domain sees over blkfront. */
export interface DomainDisk {
  /** Its name in the guest's configuration, such as `"hda"`, whether or not it is on IDE too. */
  readonly vdev: string;
  readonly disk: Disk;
  /** A disk unless given. */
  readonly kind?: "disk" | "cdrom" | undefined;
  /** What stands behind the disk; `phy` unless given. */
  readonly backendType?: BackendKind | undefined;
  /** 512 bytes unless given. */
  readonly blockSize?: BlockSize | undefined;
  /** What its backend offers otherwise than by default. */
  readonly offers?: Partial<BlkbackOffers> | undefined;
  /** It has been taken away: neither xenstore nor the driver has anything of it any more. */
  readonly onRemoved?: () => void;
}

/** QEMU has one ring, maps nothing but that, and takes no INDIRECT. */
const QDISK_OFFERS = { persistent: false, indirect: false, queues: 1 } as const;
const SECTORS: BlockSize = { logical: SECTOR_SIZE, physical: SECTOR_SIZE };
/** LIBXL_DESTROY_TIMEOUT: how long both ends have to let go of a disk. */
const DESTROY_TIMEOUT: Ns = 10e9;

/** A vbd. */
export class Vbd {
  readonly #parts: VbdsParts;
  readonly #store: PrivilegedStore;
  readonly #disk: DomainDisk;
  readonly #image: VirtualDisk;
  readonly #paths: VbdPaths;
  readonly #observers: (PvRequests | undefined)[] = [];
  readonly #onRemoved: () => void;
  #driver: Blkback;
  /** A driver has died, and the next one has not started. */
  #crashed = false;
  /** The driver has let go for good. */
  #isReleased = false;
  #isDetaching = false;
  /** Both directories are gone. */
  #isDestroyed = false;

  /**
   * Writes both ends into xenstore, starts the driver and runs the hotplug script.
   * @param minor number of its block device in dom0
   * @param onRemoved called before the disk's own
   */
  constructor(parts: VbdsParts, disk: DomainDisk, minor: number, onRemoved: () => void) {
    const { vdev, kind = "disk", backendType = "phy", disk: { readOnly } } = disk;
    this.#parts = parts;
    this.#store = parts.store.client();
    this.#disk = disk;
    const devid = vdevNumber(vdev);
    this.#image = { vdev, devid, readOnly, kind, backendType, params: vdev, minor };
    this.#paths = vbdPaths(parts.xen.domid, this.#image);
    this.#onRemoved = onRemoved;
    addVbd(this.#store, this.#paths, this.#image);
    this.#driver = this.#startDriver(false);
    connectVbd(this.#store, this.#paths, this.#image);
  }

  /** Its name in the configuration. */
  get vdev(): string {
    return this.#image.vdev;
  }

  /** Its number. */
  get devid(): number {
    return this.#image.devid;
  }

  /** A line of `xl block-list`. */
  info(): VbdInfo {
    return vbdInfo(this.#store, this.#paths);
  }

  /** A `block-detach` waits for the guest. */
  get isDetaching(): boolean {
    return this.#isDetaching;
  }

  /** A driver is there that could die. */
  get hasDriver(): boolean {
    return !this.#crashed && !this.#isReleased;
  }

  /**
   * Asks the guest to let go of the disk. If it does, within ten seconds, the disk is removed; with
   * force it is removed in any case.
   */
  detach(force: boolean): void {
    this.#isDetaching = true;
    closeVbd(this.#store, this.#paths, force);
    const end = (isClosedInTime: boolean): void => {
      if (!this.#isDetaching) return;
      this.#isDetaching = false;
      endWatch();
      timer.cancel();
      this.#endDetach(isClosedInTime, force);
    };
    const timer = this.#parts.clock.timer("block-detach", () => end(false));
    timer.armAfter(DESTROY_TIMEOUT);
    const endWatch = this.#store.watch(`${this.#paths.backend}/state`, () => {
      this.#inDom0(() => {
        if (isClosed(this.#store, this.#paths)) end(true);
      });
    });
  }

  /** Its domain is being destroyed: the frontend is gone, and the driver finishes what it has begun. */
  abandon(): void {
    this.#driver.abandon();
    closeVbd(this.#store, this.#paths, true);
  }

  /**
   * The driver dies with all that it has in memory, and is started again.
   * @param afresh the frontend is made to close and to start again; otherwise the new driver goes
   *   on with the ring
   */
  restartDriver(afresh: boolean): void {
    this.#crashed = true;
    this.#driver.crash(() => {
      this.#crashed = false;
      if (this.#store.read(this.#paths.backend) === undefined) this.#released();
      else this.#driver = this.#startDriver(afresh);
    });
  }

  #endDetach(isClosedInTime: boolean, force: boolean): void {
    const { tell } = this.#parts;
    if (!isClosedInTime) {
      const { domid, backend } = this.#paths;
      tell(`libxl: error: Domain ${domid}:unable to remove device with path ${backend}`);
      tell(`libxl_device_disk_${force ? "destroy" : "safe_remove"} failed.`);
    }
    if (!isClosedInTime && !force) return;
    destroyVbd(this.#store, this.#paths);
    this.#isDestroyed = true;
    this.#tellRemoved();
  }

  #released(): void {
    this.#isReleased = true;
    this.#tellRemoved();
  }

  #tellRemoved(): void {
    if (!this.#isReleased || !this.#isDestroyed) return;
    this.#onRemoved();
    this.#disk.onRemoved?.();
  }

  #inDom0(task: () => void): void {
    const { dom0, costs } = this.#parts;
    dom0.post(DOM0_COST.xenstore, costs.xenstoreMessage, task);
  }

  #startDriver(startsAfresh: boolean): Blkback {
    const { clock, memory, dom0, errors, costs, exits, xen, refusals, onSuppressed } = this.#parts;
    const { disk, offers, blockSize = SECTORS } = this.#disk;
    const { backendType } = this.#image;
    const isQdisk = backendType === "qdisk";
    const host: BackendHost = {
      domid: this.#paths.domid,
      grants: xen.grants,
      store: this.#store,
      bindInterdomain: (port, onEvent) => xen.events.bindInterdomain(port, onEvent),
    };
    return new Blkback(host, dom0, disk, memory, errors, {
      clock,
      directory: backendClass(backendType),
      vdev: this.devid,
      costs: {
        wakeup: costs.backendWakeup,
        perRequest: costs.backendRequest,
        perResponse: costs.backendResponse,
      },
      offers: { ...ALL_OFFERS, ...offers, ...isQdisk && QDISK_OFFERS },
      blockSize,
      observe: (queue) => this.#observers[queue] ??= exits?.watchRing(this.vdev),
      stats: {
        notifySent: () => {},
        notifySuppressed: onSuppressed,
        requestWithoutEvent: onSuppressed,
        refused: (reason) => refusals.count(this.vdev, reason),
      },
      startsAfresh,
      onGone: () => this.#released(),
    });
  }
}
