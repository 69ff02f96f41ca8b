/**
 * A guest of {@link XenInterface} without a CPU: memory, registers, a clock that is moved by hand.
 * @module
 */

import { assertEquals } from "@std/assert";
import type {
  Clock,
  Dom0,
  Dom0Cost,
  Dom0CostKind,
  Gfn,
  Gpa,
  GuestErrors,
  GuestMemory,
  InterruptLine,
  Ns,
  Physmap,
  Timer,
  VcpuState,
} from "../../core/types.ts";
import { DOM0_COST_KINDS, PAGE_SIZE } from "../../core/types.ts";
import { XenInterface } from "../../core/hypervisor/xen.ts";
import type { XenOffers } from "../../core/hypervisor/xen_offers.ts";

/** Room for pages of Xen's. */
const EXTRA_PAGES = 96;

/** Pages by frame; Xen's frames are pages of their own. */
export class PagedMemory implements GuestMemory, Physmap {
  readonly size: number;
  readonly spare: Set<Uint8Array> = new Set();
  readonly allocated: Uint8Array[] = [];
  /** Views told to {@link wrote}. */
  written = 0;
  readonly #ram: Uint8Array[];
  /** Behind no frame until they are mapped. */
  readonly #extra = new ArrayBuffer(EXTRA_PAGES * PAGE_SIZE);
  readonly #overlays = new Map<Gfn, Uint8Array>();
  readonly #readOnly = new Set<Gfn>();
  readonly #hidden = new Set<Gfn>();

  constructor(pages: number) {
    this.size = pages * PAGE_SIZE;
    const buffer = new ArrayBuffer(this.size);
    this.#ram = Array.from(
      { length: pages },
      (_, i) => new Uint8Array(buffer, i * PAGE_SIZE, PAGE_SIZE),
    );
  }
  page(gfn: Gfn): Uint8Array | undefined {
    return this.#readOnly.has(gfn) ? undefined : this.#loads(gfn);
  }
  #loads(gfn: Gfn): Uint8Array | undefined {
    if (this.#hidden.has(gfn)) return undefined;
    return this.#overlays.get(gfn) ?? this.#ram[gfn];
  }
  range(gpa: Gpa, length: number): Uint8Array | undefined {
    const at = gpa % PAGE_SIZE;
    if (at + length > PAGE_SIZE) return new Uint8Array(this.#ram[0]!.buffer, gpa, length);
    return this.page(Math.floor(gpa / PAGE_SIZE))?.subarray(at, at + length);
  }
  read8(gpa: Gpa): number {
    return this.#loads(Math.floor(gpa / PAGE_SIZE))?.[gpa % PAGE_SIZE] ?? 0xff;
  }
  read16(gpa: Gpa): number {
    return this.read8(gpa) | this.read8(gpa + 1) << 8;
  }
  read32(gpa: Gpa): number {
    return (this.read16(gpa) | this.read16(gpa + 2) << 16) >>> 0;
  }
  write8(gpa: Gpa, value: number): void {
    const page = this.page(Math.floor(gpa / PAGE_SIZE));
    if (page !== undefined) page[gpa % PAGE_SIZE] = value;
  }
  write16(gpa: Gpa, value: number): void {
    this.write8(gpa, value);
    this.write8(gpa + 1, value >>> 8);
  }
  write32(gpa: Gpa, value: number): void {
    this.write16(gpa, value);
    this.write16(gpa + 2, value >>> 16);
  }
  read64(gpa: Gpa): bigint {
    return BigInt(this.read32(gpa)) | BigInt(this.read32(gpa + 4)) << 32n;
  }
  write64(gpa: Gpa, value: bigint): void {
    this.write32(gpa, Number(value & 0xffffffffn));
    this.write32(gpa + 4, Number(value >> 32n));
  }
  wrote(): void {
    this.written++;
  }
  allocateFrame(): Uint8Array {
    const frame = new Uint8Array(this.#extra, this.allocated.length * PAGE_SIZE, PAGE_SIZE);
    this.allocated.push(frame);
    return frame;
  }
  mapFrame(gfn: Gfn, frame: Uint8Array | undefined, readOnly: boolean = false): void {
    this.#readOnly.delete(gfn);
    this.#hidden.delete(gfn);
    if (frame === undefined) this.#overlays.delete(gfn);
    else this.#overlays.set(gfn, frame);
    if (readOnly) this.#readOnly.add(gfn);
  }
  hideFrame(gfn: Gfn): void {
    this.#hidden.add(gfn);
  }
}

/** Time moves when told; timers that are due fire in the order of their deadlines. */
export class HandClock implements Clock {
  now: Ns = 0;
  readonly #timers: { deadline: Ns | undefined; fire: () => void }[] = [];

  timer(_name: string, fire: () => void): Timer {
    const entry: { deadline: Ns | undefined; fire: () => void } = { deadline: undefined, fire };
    this.#timers.push(entry);
    return {
      get deadline() {
        return entry.deadline;
      },
      armAt: (deadline) => entry.deadline = deadline,
      armAfter: (delay) => entry.deadline = this.now + delay,
      cancel: () => entry.deadline = undefined,
    };
  }
  /** Number of armed timers. */
  get armed(): number {
    return this.#timers.filter((t) => t.deadline !== undefined).length;
  }
  moveTo(time: Ns): void {
    for (let due = this.#due(time); due !== undefined; due = this.#due(time)) {
      this.now = Math.max(this.now, due.deadline ?? 0);
      due.deadline = undefined;
      due.fire();
    }
    this.now = time;
  }
  #due(time: Ns): { deadline: Ns | undefined; fire: () => void } | undefined {
    return this.#timers.filter((t) => t.deadline !== undefined && t.deadline <= time)
      .sort((a, b) => a.deadline! - b.deadline!)[0];
  }
}

/** Keeps what was charged; posted tasks wait for {@link run}. */
export class RecordingDom0 implements Dom0 {
  readonly charges: [Dom0CostKind, Ns][] = [];
  readonly #tasks: (() => void)[] = [];
  charge(cost: Dom0Cost, ns: Ns): void {
    this.charges.push([DOM0_COST_KINDS[cost]!, ns]);
  }
  post(_cost: Dom0Cost, _ns: Ns, then: () => void): void {
    this.#tasks.push(then);
  }
  run(): void {
    for (const task of this.#tasks.splice(0)) task();
  }
  total(kind: Dom0CostKind): Ns {
    return this.charges.reduce((sum, [k, ns]) => k === kind ? sum + ns : sum, 0);
  }
}

/** Registers; linear = physical, but for pages in {@link mapped}. */
export class RegisterFile implements VcpuState {
  readonly regs: Uint32Array = new Uint32Array(8);
  eip = 0x1000;
  eflags = 2;
  readonly cr: Uint32Array = new Uint32Array(5);
  cpl = 0;
  /** Linear page → frame; `undefined` = not present. */
  readonly mapped: Map<number, Gfn | undefined> = new Map();
  selector(): number {
    return 0;
  }
  segmentBase(): number {
    return 0x5000; // not applied to hypercall pointers
  }
  linearToGpa(linear: number): Gpa | undefined {
    const page = Math.floor(linear / PAGE_SIZE);
    if (!this.mapped.has(page)) return linear;
    const gfn = this.mapped.get(page);
    return gfn === undefined ? undefined : gfn * PAGE_SIZE + linear % PAGE_SIZE;
  }
}

/** Frames of the guest's memory. */
export const GUEST_PAGES = 64;
/** Where {@link XenGuest} puts its structures. */
export const SCRATCH = 0x8000;
/** Where {@link XenGuest.mapSharedInfo} puts shared_info: frame 1, as Linux does. */
export const SHARED = 0x1000;
/** Frame where {@link XenGuest.mapGrantTable} puts the first page of the table. */
export const GRANT_GFN = 0xf0000;

/** A field of a structure: byte offset, bytes, value. */
export type Field = readonly [offset: number, size: 1 | 2 | 4 | 8, value: number | bigint];

/** One domain and the hand that holds its registers. */
export class XenGuest {
  readonly memory: PagedMemory = new PagedMemory(GUEST_PAGES);
  readonly clock: HandClock = new HandClock();
  readonly dom0: RecordingDom0 = new RecordingDom0();
  readonly errors: string[] = [];
  readonly shutdowns: string[] = [];
  readonly charged: string[] = [];
  /** Interrupt lines that tell of events. */
  readonly asserted: Set<string> = new Set();
  /** Vectors requested of the local APIC. */
  readonly vectors: number[] = [];
  /** Time of hypercalls beyond that. */
  work = 0;
  /** NMIs that the vCPU got. */
  nmis = 0;
  /** What it wrote to the hypervisor's console. */
  console = "";
  readonly vcpu: RegisterFile = new RegisterFile();
  readonly xen: XenInterface;

  constructor(tscHz: number = 1_000_000_000, offers: Partial<XenOffers> = {}) {
    const errors: GuestErrors = {
      guestError: (source, text) => this.errors.push(`${source}: ${text}`),
    };
    this.xen = new XenInterface({
      memory: this.memory,
      physmap: this.memory,
      clock: this.clock,
      dom0: this.dom0,
      errors,
      grantCosts: {
        mapNs: 10,
        unmapNs: 20,
        copyNs: 30,
        copyNsPerKiB: 40,
        unmapCallNs: 400,
        copyCallNs: 5,
      },
      grantWork: { mapNs: 1, unmapNs: 2, copyNs: 3, copyNsPerKiB: 4 },
      onWork: (ns) => this.work += ns,
      notifyNs: 7,
      tscHz,
      offers,
      memoryMap: [
        { base: 0, length: this.memory.size, type: 1 },
        { base: 0xfec00000, length: 0x1400000, type: 2 },
      ],
      onUpcallVector: (vector) => this.vectors.push(vector),
      onNmi: () => this.nmis++,
      onConsoleByte: (byte) => this.console += String.fromCharCode(byte),
      callbackLines: {
        gsi: (gsi) => gsi < 16 ? this.#line(`gsi ${gsi}`) : undefined,
        intx: (device, pin) => this.#line(`intx ${device} ${pin}`),
      },
      onShutdown: (reason) => this.shutdowns.push(reason),
      onHypercall: (name) => this.charged.push(name),
    });
  }

  #line(name: string): InterruptLine {
    return {
      set: (asserted) => {
        if (asserted) this.asserted.add(name);
        else this.asserted.delete(name);
      },
    };
  }

  /** VMCALL; the result as a signed number. */
  call(number: number, ebx: number = 0, ecx: number = 0, edx: number = 0): number {
    const { regs } = this.vcpu;
    [regs[0], regs[3], regs[1], regs[2]] = [number, ebx, ecx, edx];
    while (this.xen.hypercall(this.vcpu));
    return regs[0]! | 0;
  }

  /** Fills a structure at {@link SCRATCH}: garbage everywhere but in the fields. */
  struct(...fields: readonly Field[]): number {
    for (let i = 0; i < 256; i++) this.memory.write8(SCRATCH + i, 0xa5);
    for (const [offset, size, value] of fields) {
      for (let i = 0; i < size; i++) {
        this.memory.write8(SCRATCH + offset + i, Number(BigInt(value) >> BigInt(8 * i) & 0xffn));
      }
    }
    return SCRATCH;
  }

  u16(offset: number): number {
    return this.memory.read16(SCRATCH + offset);
  }

  u32(offset: number): number {
    return this.memory.read32(SCRATCH + offset);
  }

  mapSharedInfo(gfn: Gfn = SHARED / PAGE_SIZE): void {
    assertEquals(this.addToPhysmap(0, 0, gfn), 0);
  }

  mapGrantTable(): void {
    assertEquals(this.addToPhysmap(1, 0, GRANT_GFN), 0);
  }

  addToPhysmap(space: number, index: number, gfn: Gfn): number {
    return this.call(
      12,
      7,
      this.struct([0, 2, 0x7ff0], [4, 4, space], [8, 4, index], [12, 4, gfn]),
    );
  }

  /** EVTCHNOP_alloc_unbound for dom0. */
  allocateUnbound(): number {
    assertEquals(this.call(32, 6, this.struct([0, 2, 0x7ff0], [2, 2, 0])), 0);
    return this.u32(4);
  }

  send(evtchnPort: number): number {
    return this.call(32, 4, this.struct([0, 4, evtchnPort]));
  }

  /** Writes a grant entry as a guest does: flags last. */
  grant(gref: number, gfn: Gfn, flags: number = 1, domid: number = 0): void {
    const entry = grantEntry(gref);
    this.memory.write16(entry + 2, domid);
    this.memory.write32(entry + 4, gfn);
    this.memory.write16(entry, flags);
  }

  /** dom0 copies one part of a granted page. */
  dom0Copy(gref: number, access: "read" | "write", offset: number, bytes: Uint8Array): boolean {
    return this.xen.grants.copyAll([{ gref, offset, bytes }], access);
  }

  grantFlags(gref: number): number {
    return this.memory.read16(grantEntry(gref));
  }
}

/** One with shared_info, and with the timer VIRQ on port 1. */
export function timedGuest(): XenGuest {
  const guest = new XenGuest();
  guest.mapSharedInfo();
  assertEquals(guest.call(32, 1, guest.struct([0, 4, 0], [4, 4, 0])), 0);
  return guest;
}

function grantEntry(gref: number): Gpa {
  return GRANT_GFN * PAGE_SIZE + gref * 8;
}
