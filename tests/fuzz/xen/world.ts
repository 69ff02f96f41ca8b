/**
 * A domain as the toolstack builds it, with everything real but its CPU: hypervisor interface,
 * xenstored, block backends, disks. A case holds its registers.
 * @module
 */

import { VirtualClock } from "../../../core/clock.ts";
import { Dom0Timeline } from "../../../core/dom0.ts";
import { ImageError } from "../../../core/errors.ts";
import { Accounting } from "../../../core/hypervisor/accounting.ts";
import { COST_PRESETS, DEFAULT_COST } from "../../../core/hypervisor/costs.ts";
import { EVTCHNOP } from "../../../core/hypervisor/event_channel_op.ts";
import type { ExitBooks } from "../../../core/hypervisor/exit_books.ts";
import { GRANT_ENTRY, GTF_PERMIT_ACCESS } from "../../../core/hypervisor/grants.ts";
import { FIRST_DOMID } from "../../../core/hypervisor/xen.ts";
import { XenStore } from "../../../core/hypervisor/xenstore.ts";
import { Books } from "../../../core/ledger.ts";
import { Domain } from "../../../core/machine/domain.ts";
import { GuestRam } from "../../../core/machine/memory.ts";
import { COST, type Ns, PAGE_SIZE, SECTOR_SIZE } from "../../../core/types.ts";
import type { DomainDisk } from "../../../core/machine/vbds.ts";
import { MemoryDisk } from "../../../devices/disk/memory.ts";
import { ServedDisk } from "../../../devices/disk/served.ts";
import { MEDIA_PRESETS, TimedDisk } from "../../../devices/disk/timed.ts";
import { RegisterFile } from "../../helpers/xen_guest.ts";
import { DiskModel } from "./disk_model.ts";
import { address, EXTRA_FRAMES, FRAMES, LINEAR, RAM_FRAMES } from "./layout.ts";
import { MemoryWatch } from "./memory_watch.ts";

/** Of every disk. */
export const DISK_SECTORS = 512;

/** A disk of the domain. */
export interface DiskPlan {
  /** Position, 0 to 3. */
  readonly index: number;
  readonly readOnly: boolean;
  readonly offers: NonNullable<DomainDisk["offers"]>;
}

/** Numbers of the virtual devices hda to hdd. */
export const VDEVS = [768, 832, 5632, 5696] as const;
const NAMES = ["hda", "hdb", "hdc", "hdd"] as const;

/** Numbers of hypercalls that a driver makes. */
export const HYPERCALL = { EVENT_CHANNEL_OP: 32 } as const;

const DOMID_SELF = 0x7ff0;

/** Xen stores no more than that through one pointer. */
const STORED_BYTES = 1024;

/** Structure of the calls that drivers make. */
const STRUCT = address(FRAMES.scratch[0]);

/** Registers by the arguments they carry: EBX, ECX, EDX, ESI, EDI. */
const ARGUMENTS = [3, 1, 2, 6, 7] as const;

/** The domain. */
export class World {
  readonly clock: VirtualClock = new VirtualClock();
  readonly books: Books = new Books(this.clock);
  readonly accounting: Accounting = new Accounting();
  readonly memory: GuestRam;
  readonly watch: MemoryWatch;
  readonly vcpu: RegisterFile = new RegisterFile();
  readonly domain: Domain;
  /** Event channels that a hostile part of the guest may close. */
  readonly victims: number[] = [];
  /** Those that no part of the guest closes. */
  readonly spared: Set<number> = new Set();
  /** By name. */
  readonly models: Map<string, DiskModel> = new Map();
  readonly #view: DataView;
  /** Pointers that the next hypercall is given. */
  readonly #handed: number[] = [];
  readonly #dom0: Dom0Timeline = new Dom0Timeline(this.clock);

  constructor(plans: readonly DiskPlan[]) {
    const buffer = new ArrayBuffer((RAM_FRAMES + EXTRA_FRAMES) * PAGE_SIZE);
    this.#view = new DataView(buffer);
    this.memory = new GuestRam({
      ...{ buffer, base: 0, ramBytes: RAM_FRAMES * PAGE_SIZE, extraFrames: EXTRA_FRAMES },
    });
    this.watch = new MemoryWatch(buffer);
    for (const [page, gfn] of LINEAR) this.vcpu.mapped.set(page, gfn);
    const { clock, books, memory, accounting } = this;
    this.domain = new Domain({
      ...{ clock, ledger: books, memory, physmap: memory, dom0: this.#dom0, errors: accounting },
      store: new XenStore(),
      domid: FIRST_DOMID,
      costs: COST_PRESETS[DEFAULT_COST]!,
      disks: plans.map((plan) => this.#makeDisk(plan)),
      exits: { watchRing: (name: string) => this.models.get(name)!.observe() } as ExitBooks,
      onShutdown: () => {},
    });
    this.watch.follow(this.domain.xen.grants);
  }

  #makeDisk({ index, readOnly, offers }: DiskPlan): DomainDisk {
    const image = new MemoryDisk(new Uint8Array(DISK_SECTORS * SECTOR_SIZE), { readOnly });
    const media = new TimedDisk(this.clock, image, MEDIA_PRESETS.ssd!, (error: ImageError) => {
      throw error;
    });
    const { blockSubmit, blockComplete } = COST_PRESETS[DEFAULT_COST]!;
    const served = new ServedDisk(this.#dom0, media, {
      submit: blockSubmit,
      complete: blockComplete,
    });
    const rules = { sectorCount: DISK_SECTORS, readOnly, indirect: offers.indirect ?? true };
    const disk = new DiskModel(served, rules, this.watch);
    this.models.set(NAMES[index]!, disk);
    return { vdev: NAMES[index]!, disk, offers };
  }

  // ---- the guest ---------------------------------------------------------------------------

  /** VMCALL; the result as a signed number. */
  call(number: number, ...args: readonly number[]): number {
    const { xen } = this.domain;
    xen.unblock();
    this.vcpu.regs[0] = number;
    ARGUMENTS.forEach((register, i) => this.vcpu.regs[register] = args[i] ?? 0);
    xen.hypercall(this.vcpu);
    for (const pointer of this.#handed.splice(0)) this.#storedByXen(pointer);
    return this.vcpu.regs[0]! | 0;
  }

  /** Xen may store through this pointer in the next hypercall. */
  handOver(pointer: number): number {
    this.#handed.push(pointer);
    return pointer;
  }

  /** EVTCHNOP_send. */
  send(evtchnPort: number): number {
    this.store32(STRUCT, evtchnPort);
    return this.call(HYPERCALL.EVENT_CHANNEL_OP, EVTCHNOP.SEND, STRUCT);
  }

  /** EVTCHNOP_alloc_unbound for dom0; the port, or a negative error number. */
  allocateUnbound(): number {
    this.store32(STRUCT, DOMID_SELF);
    this.handOver(STRUCT);
    const result = this.call(HYPERCALL.EVENT_CHANNEL_OP, EVTCHNOP.ALLOC_UNBOUND, STRUCT);
    return result < 0 ? result : this.memory.read32(STRUCT + 4);
  }

  /** EVTCHNOP_close. */
  closePort(evtchnPort: number): number {
    this.store32(STRUCT, evtchnPort);
    return this.call(HYPERCALL.EVENT_CHANNEL_OP, EVTCHNOP.CLOSE, STRUCT);
  }

  /** Writes an entry of the grant table's first page. */
  grant(gref: number, gfn: number, flags: number = GTF_PERMIT_ACCESS, domid: number = 0): void {
    const table = this.domain.xen.grants.frame(0)!;
    const view = new DataView(table.buffer, table.byteOffset + gref * GRANT_ENTRY.SIZE);
    view.setUint16(GRANT_ENTRY.DOMID, domid, true);
    view.setUint32(GRANT_ENTRY.FRAME, gfn, true);
    view.setUint16(GRANT_ENTRY.FLAGS, flags, true);
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
