/**
 * A domain with two virtual disks over real xenstore, grant table and event channels, and its
 * frontends in the test's hands.
 * @module
 */

import { VirtualClock } from "../../core/clock.ts";
import { Dom0Timeline } from "../../core/dom0.ts";
import { Accounting } from "../../core/hypervisor/books/accounting.ts";
import { ExitBooks } from "../../core/hypervisor/books/exit_books.ts";
import { type VbdPaths, vbdPaths } from "../../core/hypervisor/toolstack/vbd.ts";
import { XenStore } from "../../core/hypervisor/xenstore/xenstore.ts";
import { Books } from "../../core/ledger.ts";
import { Domain } from "../../core/machine/domain.ts";
import { type RequestRecord, requestRecord } from "../../core/machine/exit_report.ts";
import type { GuestRam } from "../../core/machine/memory.ts";
import type { DomainDisk } from "../../core/machine/vbds.ts";
import type { Ns } from "../../core/types.ts";
import { MEDIA_PRESETS } from "../../devices/disk/media.ts";
import { MemoryDisk } from "../../devices/disk/memory.ts";
import { TimedDisk } from "../../devices/disk/timed.ts";
import { BLKIF_OP, I386, REQUEST, RESPONSE, SEGMENT } from "../../devices/xen/blkif.ts";
import { FrontRing } from "../../devices/xen/ring.ts";
import { COSTS, makeRam } from "./host.ts";
import { runUntil } from "./pc_devices.ts";

const DOM0 = 0;
/** Numbers of the disks. */
export const DEVIDS = { hda: 768, hdb: 832 } as const;
/** A page of guest memory for the ring and one for data, by disk; their frames are their grants. */
export const FRAMES = { hda: [16, 17], hdb: [18, 19] } as const;
/** Time for all that is under way. */
export const SETTLE: Ns = 20e6;

/** One of the disks. */
export type Vdev = keyof typeof DEVIDS;

/** Where a disk is in xenstore. */
export function pathsOf(vdev: Vdev): VbdPaths {
  return vbdPaths(1, { devid: DEVIDS[vdev], backendType: "phy" });
}

/** A domain with two disks. */
export class VbdWorld {
  readonly clock: VirtualClock = new VirtualClock();
  readonly store: XenStore = new XenStore();
  readonly memory: GuestRam = makeRam(2 << 20, 80);
  readonly images: Readonly<Record<Vdev, Uint8Array>> = {
    hda: new Uint8Array(1 << 16),
    hdb: new Uint8Array(1 << 16),
  };
  readonly removed: Vdev[] = [];
  /** By the books, those that are over. */
  readonly requests: RequestRecord[] = [];
  readonly exits: ExitBooks;
  readonly domain: Domain;

  constructor() {
    this.exits = new ExitBooks({
      clock: this.clock,
      devices: { ofPort: () => undefined, ofAddress: () => undefined },
      ideIrqs: [14, 15],
      sites: false,
      onRequest: (request) => this.requests.push(requestRecord(request)),
    });
    this.domain = new Domain({
      clock: this.clock,
      exits: this.exits,
      ledger: new Books(this.clock),
      memory: this.memory,
      physmap: this.memory,
      store: this.store,
      domid: 1,
      dom0: new Dom0Timeline(this.clock),
      errors: new Accounting(),
      costs: COSTS,
      disks: (["hda", "hdb"] as const).map((vdev) => this.#disk(vdev)),
      onShutdown: () => {},
    });
    this.settle();
  }

  #disk(vdev: Vdev): DomainDisk {
    const bytes = new MemoryDisk(this.images[vdev]);
    return {
      vdev,
      disk: new TimedDisk(this.clock, bytes, MEDIA_PRESETS.ssd, () => {}),
      onRemoved: () => void this.removed.push(vdev),
    };
  }

  /** Attaches a disk again. */
  attach(vdev: Vdev): void {
    this.domain.vbds.attach(this.#disk(vdev));
  }

  /** Lets time pass. */
  settle(ns: Ns = SETTLE): void {
    runUntil(this.clock, this.clock.now + ns);
  }

  /** Some of the guest's pages are mapped. */
  get isBusy(): boolean {
    return this.domain.xen.grantTables.guest.isBusy;
  }

  /** XenBus state of a backend. */
  state(vdev: Vdev): string | undefined {
    return this.store.client().read(`${pathsOf(vdev).backend}/state`);
  }

  /** XenBus state of a frontend. */
  frontendState(vdev: Vdev): string | undefined {
    return this.store.client().read(`${pathsOf(vdev).frontend}/state`);
  }
}

/** blkfront, without a shadow. */
export class VbdFrontend {
  readonly port: number;
  readonly #world: VbdWorld;
  readonly #vdev: Vdev;
  readonly #ring: FrontRing;

  constructor(world: VbdWorld, vdev: Vdev) {
    this.#world = world;
    this.#vdev = vdev;
    const [ringFrame, dataFrame] = FRAMES[vdev];
    for (const frame of [ringFrame, dataFrame]) this.#grant(frame);
    const page = world.memory.page(ringFrame)!;
    page.fill(0);
    this.#ring = new FrontRing(new DataView(page.buffer, page.byteOffset, page.length), I386.SIZE);
    this.#ring.initialise();
    this.port = world.domain.xen.events.allocateUnbound(DOM0);
    this.write("ring-ref", ringFrame);
    this.write("event-channel", this.port);
    this.write("protocol", "x86_32-abi");
    this.write("feature-persistent", 1);
    for (const state of [3, 4]) this.setState(state);
  }

  /** Writes a key, unless the toolstack has removed the device. */
  write(key: string, value: string | number): void {
    const { frontend } = pathsOf(this.#vdev);
    const client = this.#world.store.client();
    if (client.read(frontend) !== undefined) client.write(`${frontend}/${key}`, String(value));
  }

  /** Writes a state, and lets the backend react. */
  setState(state: number): void {
    this.write("state", state);
    this.#world.settle();
  }

  /** Writes the data page at a sector, and sends an event. */
  put(id: number, sector: number): void {
    const { page } = this.#ring;
    const at = this.#ring.nextRequest();
    page.setUint8(at + REQUEST.OPERATION, BLKIF_OP.WRITE);
    page.setUint8(at + REQUEST.NR_SEGMENTS, 1);
    page.setBigUint64(at + I386.ID, BigInt(id), true);
    page.setBigUint64(at + I386.SECTOR_NUMBER, BigInt(sector), true);
    page.setUint32(at + I386.SEG + SEGMENT.GREF, FRAMES[this.#vdev][1], true);
    page.setUint8(at + I386.SEG + SEGMENT.LAST_SECT, 7);
    if (this.#ring.pushRequests()) this.#world.domain.xen.events.send(this.port);
  }

  /** An entry is free. */
  get hasRoom(): boolean {
    return this.#ring.free > 0;
  }

  /** Takes the responses. @returns `id: status` */
  collect(): string[] {
    const { page } = this.#ring;
    const answers: string[] = [];
    while (this.#ring.unconsumed() > 0) {
      const at = this.#ring.takeResponse();
      const id = page.getBigUint64(at + RESPONSE.ID, true);
      answers.push(`${id}: ${page.getInt16(at + RESPONSE.STATUS, true)}`);
    }
    return answers;
  }

  /** State of its event channel. */
  get channel(): string | undefined {
    return this.#world.domain.xen.events.channel(this.port)?.state;
  }

  #grant(frame: number): void {
    const table = this.#world.domain.xen.grantTables.guest.frames.at(0)!;
    const entry = new DataView(table.buffer, table.byteOffset + frame * 8, 8);
    entry.setUint16(2, DOM0, true);
    entry.setUint32(4, frame, true);
    entry.setUint16(0, 1, true);
  }
}
