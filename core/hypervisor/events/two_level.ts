/**
 * The 2-level ABI: a bitmap each for pending and masked in shared_info, and in vcpu_info a selector
 * with a bit for each word of the first.
 * Source: xen/common/event_2l.c; Xen public header xen.h, i386 layout.
 * @module
 */

import type { GuestMemory } from "../../types.ts";
import { ERRNO } from "../hypercalls/errno.ts";
import type { EvtchnPortOps } from "./port_ops.ts";
import { SHARED_INFO } from "../shared_info.ts";
import type { SharedInfo } from "../shared_info.ts";
import type { Upcall } from "./upcall.ts";

/** 32 selector bits of 32 ports. */
const EVTCHN_2L_NR_CHANNELS = 1024;

const { EVTCHN_PENDING, EVTCHN_MASK, WC_VERSION } = SHARED_INFO;

/** Event channels as two bitmaps. */
export class Event2l implements EvtchnPortOps {
  readonly limit: number = EVTCHN_2L_NR_CHANNELS;
  readonly #memory: GuestMemory;
  readonly #shared: SharedInfo;
  readonly #upcall: Upcall;
  /** The part of shared_info that the bitmaps are in. */
  readonly #bitmaps: Uint8Array;

  constructor(memory: GuestMemory, shared: SharedInfo, upcall: Upcall) {
    this.#memory = memory;
    this.#shared = shared;
    this.#upcall = upcall;
    this.#bitmaps = shared.frame.subarray(EVTCHN_PENDING, WC_VERSION);
  }

  init(): void {}

  /** An event that is already pending says nothing new. */
  setPending(evtchnPort: number): void {
    if (this.isPending(evtchnPort)) return;
    this.#set(EVTCHN_PENDING, evtchnPort, true);
    if (!this.#test(EVTCHN_MASK, evtchnPort)) this.#select(evtchnPort);
  }

  clearPending(evtchnPort: number): void {
    this.#set(EVTCHN_PENDING, evtchnPort, false);
  }

  unmask(evtchnPort: number): void {
    if (!this.#test(EVTCHN_MASK, evtchnPort)) return;
    this.#set(EVTCHN_MASK, evtchnPort, false);
    if (this.isPending(evtchnPort)) this.#select(evtchnPort);
  }

  isPending(evtchnPort: number): boolean {
    return this.#test(EVTCHN_PENDING, evtchnPort);
  }

  isBusy(): boolean {
    return false;
  }

  setPriority(): number {
    return -ERRNO.ENOSYS;
  }

  #select(evtchnPort: number): void {
    if (!this.#shared.testAndSetSelector(evtchnPort >>> 5)) this.#upcall.markPending();
  }

  #test(bitmap: number, evtchnPort: number): boolean {
    const byte = this.#bitmaps[bitmap - EVTCHN_PENDING + (evtchnPort >>> 3)]!;
    return (byte & 1 << (evtchnPort & 7)) !== 0;
  }

  #set(bitmap: number, evtchnPort: number, set: boolean): void {
    const at = bitmap - EVTCHN_PENDING + (evtchnPort >>> 3);
    const bit = 1 << (evtchnPort & 7);
    const byte = this.#bitmaps[at]!;
    this.#bitmaps[at] = set ? byte | bit : byte & ~bit;
    this.#memory.wrote(this.#bitmaps);
  }
}
