/**
 * The shared_info page, i386 layout: event-channel bitmaps, vcpu_info of vCPU 0, clocks.
 * Source: Xen public headers xen.h and arch-x86/xen.h, offsets as compiled for i386.
 * @module
 */

import { viewOf } from "../bits.ts";
import { PAGE_SIZE } from "../types.ts";
import type { Gfn, GuestMemory, Physmap } from "../types.ts";
import { ERRNO } from "./hypercalls/errno.ts";
import { tscScale, VCPU_TIME, writeVcpuTime } from "./pvclock.ts";
import type { TscScale } from "./pvclock.ts";

/** Byte offsets in shared_info. */
export const SHARED_INFO = {
  VCPU_INFO: 0,
  EVTCHN_PENDING: 2048,
  EVTCHN_MASK: 2176,
  WC_VERSION: 2304,
  WC_SEC: 2308,
  WC_NSEC: 2312,
  WC_SEC_HI: 2340,
  SIZE: 2344,
} as const;

/** Byte offsets in vcpu_info. */
export const VCPU_INFO = {
  UPCALL_PENDING: 0,
  UPCALL_MASK: 1,
  PENDING_SEL: 4,
  TIME: 32,
  SIZE: 64,
} as const;

const { UPCALL_PENDING } = VCPU_INFO; // read at every exit

/** UTC at power-on in seconds since 1970: 2026-01-01T00:00:00Z, unless told otherwise. */
const WALL_CLOCK_AT_POWER_ON = 1_767_225_600;

/** The shared_info page and the vcpu_info of vCPU 0, wherever the guest has put them. */
export class SharedInfo {
  /** Of the guest's TSC. */
  readonly scale: TscScale;
  /** The page itself, zeroed but for its live fields. Placed by XENMEM_add_to_physmap. */
  readonly frame: Uint8Array;
  readonly #memory: GuestMemory;
  readonly #shared: DataView;
  #vcpuBytes: Uint8Array;
  #vcpu: DataView;
  readonly #wallClock: number;
  #vcpuMoved = false;

  /**
   * @param tscHz rate of the guest's TSC, which is 0 when the clock is 0
   * @param wallClock UTC at that time, in seconds since 1970
   */
  constructor(
    memory: GuestMemory,
    physmap: Physmap,
    tscHz: number,
    wallClock: number = WALL_CLOCK_AT_POWER_ON,
  ) {
    this.#memory = memory;
    this.scale = tscScale(tscHz);
    this.frame = physmap.allocateFrame();
    this.#shared = viewOf(this.frame);
    this.#vcpuBytes = this.frame.subarray(0, VCPU_INFO.SIZE);
    this.#vcpu = viewOf(this.#vcpuBytes);
    this.#wallClock = wallClock;
    this.writeClocks();
  }

  /** Fills the clocks in: whoever had the page before may have emptied it, as hvmloader does. */
  writeClocks(): void {
    this.#writeWallClock(this.#wallClock);
    writeVcpuTime(viewOf(this.#timeRecord()), this.scale);
  }

  /** The guest's evtchn_upcall_pending of vCPU 0, as it is now. */
  get upcallPending(): boolean {
    return this.#vcpuBytes[UPCALL_PENDING] !== 0;
  }

  /** Sets evtchn_upcall_pending of vCPU 0. */
  setUpcallPending(): void {
    this.#vcpuBytes[VCPU_INFO.UPCALL_PENDING] = 1;
    this.#memory.wrote(this.#vcpuBytes);
  }

  /** Sets a selector bit of vCPU 0; returns what it was. */
  testAndSetSelector(word: number): boolean {
    const before = this.#vcpu.getUint32(VCPU_INFO.PENDING_SEL, true);
    const bit = 1 << word;
    if ((before & bit) !== 0) return true;
    this.#vcpu.setUint32(VCPU_INFO.PENDING_SEL, before | bit, true);
    this.#memory.wrote(this.#vcpuBytes);
    return false;
  }

  /**
   * VCPUOP_register_vcpu_info: from now on vcpu_info of vCPU 0 is in a page of the guest's. It
   * takes its contents along, with every selector bit set so that nothing gets lost.
   * @returns 0; -EBUSY the second time; -EINVAL where it does not fit into one page of memory
   */
  moveVcpuInfo(gfn: Gfn, offset: number): number {
    if (this.#vcpuMoved) return -ERRNO.EBUSY;
    const page = this.#memory.page(gfn);
    if (page === undefined || offset > PAGE_SIZE - VCPU_INFO.SIZE) return -ERRNO.EINVAL;
    const bytes = page.subarray(offset, offset + VCPU_INFO.SIZE);
    bytes.set(this.#vcpuBytes);
    this.#vcpuBytes = bytes;
    this.#vcpu = viewOf(bytes);
    this.#vcpuMoved = true;
    writeVcpuTime(viewOf(this.#timeRecord()), this.scale);
    this.#vcpu.setUint32(VCPU_INFO.PENDING_SEL, 0xffffffff, true);
    this.#memory.wrote(bytes);
    return 0;
  }

  // The TSC counts from power-on, so one record holds for the whole run.
  #timeRecord(): Uint8Array {
    return this.#vcpuBytes.subarray(VCPU_INFO.TIME, VCPU_INFO.TIME + VCPU_TIME.SIZE);
  }

  /** The version is odd while the rest changes. */
  #writeWallClock(seconds: number): void {
    const version = this.#shared.getUint32(SHARED_INFO.WC_VERSION, true) | 1;
    this.#shared.setUint32(SHARED_INFO.WC_VERSION, version, true);
    this.#shared.setUint32(SHARED_INFO.WC_SEC, seconds % 2 ** 32, true);
    this.#shared.setUint32(SHARED_INFO.WC_NSEC, 0, true);
    this.#shared.setUint32(SHARED_INFO.WC_SEC_HI, Math.floor(seconds / 2 ** 32), true);
    this.#shared.setUint32(SHARED_INFO.WC_VERSION, version + 1, true);
  }
}
