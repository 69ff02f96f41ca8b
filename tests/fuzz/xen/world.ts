/**
 * A machine's Xen with everything real but the CPU: hypervisor interface, xenstored, block backends,
 * disks. It has one domain after the other, as a machine that starts again. A case holds the
 * registers.
 * @module
 */

import { ClockScope, VirtualClock } from "../../../core/clock.ts";
import { Dom0Timeline } from "../../../core/dom0.ts";
import type { ImageError } from "../../../core/errors.ts";
import { Accounting } from "../../../core/hypervisor/books/accounting.ts";
import { COST_PRESETS, DEFAULT_COST } from "../../../core/hypervisor/costs.ts";
import { EVTCHNOP } from "../../../core/hypervisor/events/event_channel_op.ts";
import type { ExitBooks } from "../../../core/hypervisor/books/exit_books.ts";
import { GTF_PERMIT_ACCESS } from "../../../core/hypervisor/grants/entry.ts";
import { Refusals } from "../../../core/hypervisor/books/refusals.ts";
import type { XenOffers } from "../../../core/hypervisor/xen_offers.ts";
import { XenStore } from "../../../core/hypervisor/xenstore/xenstore.ts";
import { Books } from "../../../core/ledger.ts";
import { layered } from "../../../core/machine/backend_kinds.ts";
import { Domain } from "../../../core/machine/domain.ts";
import { FrameScope } from "../../../core/machine/frame_scope.ts";
import { GuestRam } from "../../../core/machine/memory.ts";
import type { DomainDisk } from "../../../core/machine/vbds.ts";
import {
  type BackendKind,
  COST,
  type Dom0CostKind,
  type Ns,
  PAGE_SIZE,
  SECTOR_SIZE,
} from "../../../core/types.ts";
import { MemoryDisk } from "../../../devices/disk/memory.ts";
import { MEDIA_PRESETS, TimedDisk } from "../../../devices/disk/timed.ts";
import { RegisterFile } from "../../helpers/xen_guest.ts";
import { DiskModel } from "./disk_model.ts";
import { address, EXTRA_FRAMES, FRAMES, LINEAR, RAM_FRAMES } from "./layout.ts";
import { MemoryWatch } from "./memory_watch.ts";

/** Of every disk. */
export const DISK_SECTORS = 512;

/** A disk of the domain. */
export interface DiskPlan {
  /** Such as `"hda"`. */
  readonly vdev: string;
  readonly readOnly: boolean;
  readonly offers: NonNullable<DomainDisk["offers"]>;
  readonly backendType: BackendKind;
  readonly blockSize: NonNullable<DomainDisk["blockSize"]>;
}

/** Numbers of some hypercalls. */
export const HYPERCALL = {
  MEMORY_OP: 12,
  MULTICALL: 13,
  GRANT_TABLE_OP: 20,
  EVENT_CHANNEL_OP: 32,
} as const;

const DOMID_SELF = 0x7ff0;

/** Xen stores no more than that through one pointer. */
const STORED_BYTES = 1024;

const MOST_PARTS = 8;

/** Structure of the calls that drivers make. */
const STRUCT = address(FRAMES.scratch[0]);

/** Registers by the arguments they carry: EBX, ECX, EDX, ESI, EDI. */
const ARGUMENTS = [3, 1, 2, 6, 7] as const;

/** dom0 has time to finish what it has begun. */
const LONGEST_END: Ns = 60_000_000_000;

/** What ends with a domain. */
interface Life {
  readonly domain: Domain;
  readonly clock: ClockScope;
  readonly frames: FrameScope;
}

/** The machine. */
export class World {
  readonly clock: VirtualClock = new VirtualClock();
  readonly books: Books = new Books(this.clock);
  readonly accounting: Accounting = new Accounting();
  readonly refusals: Refusals = new Refusals();
  readonly memory: GuestRam;
  readonly watch: MemoryWatch;
  readonly vcpu: RegisterFile = new RegisterFile();
  /** Event channels that a hostile part of the guest may close. */
  readonly victims: number[] = [];
  /** Those that no part of the guest closes. */
  readonly spared: Set<number> = new Set();
  /** What happened, by name. */
  readonly counts: Record<string, number> = {};
  /** By name of the disk. */
  readonly models: Map<string, DiskModel> = new Map();
  /** By name of the disk. */
  readonly images: Map<string, MemoryDisk> = new Map();
  readonly #plans: readonly DiskPlan[];
  readonly #offers: Partial<XenOffers>;
  readonly #view: DataView;
  readonly #dom0: Dom0Timeline = new Dom0Timeline(this.clock);
  readonly #store: XenStore = new XenStore();
  readonly #media: TimedDisk[] = [];
  readonly #disks: DomainDisk[];
  /** Pointers that the next hypercall is given. */
  readonly #handed: number[] = [];
  #lastDomid = 0;
  #life: Life;
  #crashed = false;

  constructor(plans: readonly DiskPlan[], offers: Partial<XenOffers> = {}) {
    const buffer = new ArrayBuffer((RAM_FRAMES + EXTRA_FRAMES) * PAGE_SIZE);
    this.#plans = plans;
    this.#offers = offers;
    this.#view = new DataView(buffer);
    this.memory = new GuestRam({
      ...{ buffer, base: 0, ramBytes: RAM_FRAMES * PAGE_SIZE, extraFrames: EXTRA_FRAMES },
    });
    this.watch = new MemoryWatch(buffer);
    for (const [page, gfn] of LINEAR) this.vcpu.mapped.set(page, gfn);
    this.#disks = plans.map((plan) => this.#makeDisk(plan));
    this.#life = this.#build();
  }

  /** The domain that there is. */
  get domain(): Domain {
    return this.#life.domain;
  }

  /** Xen has ended the domain for something that it did. */
  get hasCrashed(): boolean {
    return this.#crashed;
  }

  /** What dom0's time went to. */
  get dom0Books(): Readonly<Record<Dom0CostKind, Ns>> {
    return this.#dom0.snapshot();
  }

  /** Counts something that happened. */
  count(name: string): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
  }

  /** A disk that can be attached. */
  disk(vdev: string): DomainDisk {
    return this.#disks[this.#plans.findIndex((plan) => plan.vdev === vdev)]!;
  }

  /** Destroys the domain wherever it is, and builds the next one. */
  restart(): void {
    const { domain, clock, frames } = this.#life;
    domain.closeDevices();
    const end = this.clock.now + LONGEST_END;
    while (!this.#dom0.isIdle || this.#media.some(({ inFlight }) => inFlight > 0)) {
      if (this.clock.now > end) throw new Error("dom0 does not end what it has begun");
      this.pass(1_000_000);
    }
    domain.end();
    clock.end();
    frames.end();
    const { mapped } = this.watch;
    if (mapped.length > 0) throw new Error(`grants ${mapped.join(", ")} outlive their domain`);
    for (const model of this.models.values()) model.assertIdle();
    this.#life = this.#build();
  }

  #build(): Life {
    const { books, memory, accounting, refusals } = this;
    const clock = new ClockScope(this.clock);
    const frames = new FrameScope(memory);
    const domain = new Domain({
      ...{ clock, ledger: books, memory, physmap: frames, dom0: this.#dom0, errors: accounting },
      ...{ store: this.#store, domid: ++this.#lastDomid, refusals, offers: this.#offers },
      costs: COST_PRESETS[DEFAULT_COST]!,
      disks: this.#disks,
      exits: { watchRing: (vdev: string) => this.models.get(vdev)!.observe() } as ExitBooks,
      onUpcallVector: () => {},
      onShutdown: () => this.#crashed = true,
    });
    this.#crashed = false;
    this.watch.follow(domain.xen.grants, domain.xen.grantTables.guest.frames);
    return { domain, clock, frames };
  }

  #makeDisk({ vdev, readOnly, offers, backendType, blockSize }: DiskPlan): DomainDisk {
    const { clock } = this;
    const image = new MemoryDisk(new Uint8Array(DISK_SECTORS * SECTOR_SIZE), { readOnly });
    this.images.set(vdev, image);
    const media = new TimedDisk(clock, image, MEDIA_PRESETS.ssd!, (error: ImageError) => {
      throw error;
    });
    this.#media.push(media);
    const costs = COST_PRESETS[DEFAULT_COST]!;
    const layers = { clock, dom0: this.#dom0, costs, medium: media, store: media };
    const disk = new DiskModel(layered(backendType, layers), {
      ...{ sectorCount: DISK_SECTORS, readOnly, indirect: offers.indirect ?? true },
      blockSectors: blockSize.logical / SECTOR_SIZE,
    }, this.watch);
    this.models.set(vdev, disk);
    return { vdev, disk, offers, backendType, blockSize };
  }

  // ---- the guest ---------------------------------------------------------------------------

  /** VMCALL; the result as a signed number. Of a call that goes on, the first parts are made. */
  call(number: number, ...args: readonly number[]): number {
    const { xen } = this.domain;
    xen.unblock();
    this.vcpu.regs[0] = number;
    ARGUMENTS.forEach((register, i) => this.vcpu.regs[register] = args[i] ?? 0);
    this.count("hypercalls");
    for (let part = 0; part < MOST_PARTS && xen.hypercall(this.vcpu);) part++;
    for (const pointer of this.#handed.splice(0)) this.#storedByXen(pointer);
    return this.vcpu.regs[0]! | 0;
  }

  /** Xen may store through this pointer in the next hypercall. */
  handOver(pointer: number): number {
    this.#handed.push(pointer);
    return pointer;
  }

  /** A hypercall with a structure of words, which must succeed. @returns the first word that follows */
  driverCall(number: number, command: number, words: readonly number[], count = 0): number {
    words.forEach((word, i) => this.store32(STRUCT + i * 4, word));
    this.handOver(STRUCT);
    const result = this.call(number, command, STRUCT, count);
    if (result < 0) throw new Error(`hypercall ${number}, command ${command} gives ${result}`);
    return this.memory.read32(STRUCT + words.length * 4);
  }

  /** EVTCHNOP_send. */
  send(evtchnPort: number): number {
    this.store32(STRUCT, evtchnPort);
    return this.call(HYPERCALL.EVENT_CHANNEL_OP, EVTCHNOP.SEND, STRUCT);
  }

  /** EVTCHNOP_alloc_unbound for dom0. @returns the port; 0 when there is none left */
  allocateUnbound(): number {
    this.store32(STRUCT, DOMID_SELF);
    this.handOver(STRUCT);
    const result = this.call(HYPERCALL.EVENT_CHANNEL_OP, EVTCHNOP.ALLOC_UNBOUND, STRUCT);
    return result < 0 ? 0 : this.memory.read32(STRUCT + 4);
  }

  /** EVTCHNOP_close. */
  closePort(evtchnPort: number): void {
    this.store32(STRUCT, evtchnPort);
    this.call(HYPERCALL.EVENT_CHANNEL_OP, EVTCHNOP.CLOSE, STRUCT);
  }

  /** Writes a grant entry. */
  grant(gref: number, gfn: number, flags: number = GTF_PERMIT_ACCESS, domid: number = 0): void {
    this.domain.xen.grantTables.guest.frames.write(gref, { flags, domid, gfn });
  }

  /** The guest stores a word; nothing happens where it has no memory. @param gpa aligned */
  store32(gpa: number, value: number): void {
    this.memory.write32(gpa, value);
    this.#stored(gpa);
  }

  /** The guest stores a byte; see {@link store32}. */
  store8(gpa: number, value: number): void {
    this.memory.write8(gpa, value);
    this.#stored(gpa);
  }

  /** A page of the guest's RAM, for stores that {@link MemoryWatch.touch} follows. */
  page(gfn: number): DataView {
    return new DataView(this.#view.buffer, address(gfn), PAGE_SIZE);
  }

  #storedByXen(pointer: number): void {
    for (const at of [pointer, pointer + STORED_BYTES - 1]) {
      const gpa = this.vcpu.linearToGpa(at >>> 0);
      const page = gpa === undefined ? undefined : this.memory.page(Math.floor(gpa / PAGE_SIZE));
      if (page !== undefined) this.watch.touch(page.byteOffset);
    }
  }

  #stored(gpa: number): void {
    const frame = this.memory.storeOffset(Math.floor(gpa / PAGE_SIZE));
    if (frame >= 0) this.watch.stored(frame + gpa % PAGE_SIZE);
  }

  // ---- time --------------------------------------------------------------------------------

  /** Lets time pass, as for a vCPU that idles. */
  pass(ns: Ns): void {
    const { clock } = this;
    const end = clock.now + ns;
    for (;;) {
      clock.fireDue();
      if (clock.now >= end) return;
      this.books.charge(COST.idle, Math.min(end, clock.nextDeadline) - clock.now);
    }
  }
}
