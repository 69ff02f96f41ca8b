/**
 * The virtual block devices of a domain: what `xl block-attach`, `block-detach` and `block-list` do
 * in a domain that runs, and what building a domain does for each disk.
 * Source: man xl; tools/xl/xl_block.c and tools/libs/light/libxl_disk.c of Xen 4.17 for the words.
 * @module
 */

import { UsageError } from "../errors.ts";
import type { CostPreset } from "../hypervisor/costs.ts";
import type { ExitBooks } from "../hypervisor/books/exit_books.ts";
import type { Refusals } from "../hypervisor/books/refusals.ts";
import type { VbdInfo } from "../hypervisor/toolstack/vbd.ts";
import { vdevNumber } from "../hypervisor/toolstack/vdev.ts";
import type { XenInterface } from "../hypervisor/xen.ts";
import type { XenStore } from "../hypervisor/xenstore/xenstore.ts";
import type { Clock, Dom0, GuestErrors, GuestMemory } from "../types.ts";
import { type DomainDisk, Vbd } from "./vbd.ts";

export type { DomainDisk } from "./vbd.ts";

/** What the devices work with. */
export interface VbdsParts {
  readonly clock: Clock;
  readonly dom0: Dom0;
  readonly memory: GuestMemory;
  readonly errors: GuestErrors;
  readonly costs: CostPreset;
  /** Follows the requests of the rings. */
  readonly exits?: ExitBooks | undefined;
  readonly xen: XenInterface;
  readonly store: XenStore;
  readonly refusals: Refusals;
  /** A request or response went without an event. */
  readonly onSuppressed: () => void;
  /** Takes what the toolstack has to say some time after it was asked. */
  readonly tell: (line: string) => void;
}

/** All disks of one domain, by number. */
export class Vbds {
  readonly #parts: VbdsParts;
  readonly #vbds: Map<number, Vbd> = new Map();
  #nextMinor = 0;

  constructor(parts: VbdsParts) {
    this.#parts = parts;
  }

  /**
   * Adds a disk.
   * @throws {UsageError} when the domain has one of that name
   */
  attach(disk: DomainDisk): void {
    const devid = this.checkFree(disk.vdev);
    const onRemoved = () => void this.#vbds.delete(devid);
    const vbd = new Vbd(this.#parts, disk, this.#nextMinor++, onRemoved);
    this.#vbds.set(devid, vbd);
  }

  /**
   * @returns the number of that name
   * @throws {UsageError} when no disk can have that name, or one has it
   */
  checkFree(vdev: string): number {
    const devid = vdevNumber(vdev);
    const other = this.#vbds.get(devid);
    if (other === undefined) return devid;
    throw new UsageError(
      `Cannot attach ${vdev}: device already exists in xenstore`,
      other.isDetaching ? "the guest has not let go of it yet" : `block-detach ${vdev} first`,
    );
  }

  /**
   * Takes a disk away, as soon as the guest lets go of it; it has ten seconds.
   * @param device name or number
   * @param force whether or not it does
   * @throws {UsageError} when there is none or it is being taken away already
   */
  detach(device: string, force: boolean): void {
    const vbd = this.#find(device);
    if (vbd.isDetaching) {
      throw new UsageError(
        `Cannot detach ${vbd.vdev}: block-detach waits for the guest already`,
        "it has ten seconds; then block-detach --force does not ask",
      );
    }
    vbd.detach(force);
  }

  /**
   * The backend driver of a disk dies and starts again.
   * @param device name or number
   * @param afresh see `Vbd.restartDriver()`
   * @throws {UsageError} when there is none
   */
  restartDriver(device: string, afresh: boolean): void {
    const vbd = this.#find(device);
    if (!vbd.hasDriver) {
      throw new UsageError(
        `Cannot restart the backend of ${vbd.vdev}: it does not run`,
        "a driver that has died starts again by itself; one that has let go of its disk does not",
      );
    }
    vbd.restartDriver(afresh);
  }

  /** The domain is being destroyed: every backend closes when it has finished what it has begun. */
  abandon(): void {
    for (const vbd of this.#vbds.values()) vbd.abandon();
  }

  /** What `xl block-list` shows, in order of attaching. */
  list(): VbdInfo[] {
    return [...this.#vbds.values()].map((vbd) => vbd.info());
  }

  #find(device: string): Vbd {
    const vbd = this.#vbds.get(/^\d+$/.test(device) ? Number(device) : vdevNumber(device));
    if (vbd !== undefined) return vbd;
    const there = [...this.#vbds.values()].map(({ vdev }) => vdev).join(", ");
    throw new UsageError(
      `Device ${device} not connected`,
      there === "" ? "block-attach adds one" : there,
    );
  }
}
