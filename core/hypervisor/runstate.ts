/**
 * What the vCPU has spent its time on, as Xen's scheduler counts it: running, or blocked in HLT and
 * in hypercalls that wait. It never waits for a physical CPU, so nothing is stolen from it. Its waits
 * for the device model, which Xen counts as offline and Linux takes for stolen, count as running.
 *
 * The record can be had by a hypercall, and in a place of the guest's, where it is as of the last
 * time that the vCPU was scheduled. XEN_RUNSTATE_UPDATE, which VMASST_TYPE_runstate_update_flag asks
 * for, would be gone again before the one vCPU that could see it runs.
 * Source: Xen public header vcpu.h, i386 layout; update_runstate_area() of xen/arch/x86/domain.c.
 * @module
 */

import type { Clock, GuestMemory, Ns, VcpuState } from "../types.ts";
import { GuestCall } from "./hypercalls/guest_pointer.ts";

/** Offsets of vcpu_runstate_info; a time for each of {@link RUNSTATE}. */
export const VCPU_RUNSTATE_INFO = { STATE: 0, STATE_ENTRY_TIME: 4, TIME: 12, SIZE: 44 } as const;

/** States. */
export const RUNSTATE = { RUNNING: 0, RUNNABLE: 1, BLOCKED: 2, OFFLINE: 3 } as const;

const { STATE, STATE_ENTRY_TIME, TIME, SIZE } = VCPU_RUNSTATE_INFO;

/** The runstate of the one vCPU. */
export class Runstate {
  readonly #clock: Clock;
  readonly #startedAt: Ns;
  /** Room for the record, and the way to the guest's. */
  readonly #record: GuestCall;
  /** Linear address, 0 = none. */
  #area = 0;
  #blocked: Ns = 0;
  #scheduledAt: Ns;
  #hasSlept = false;

  constructor(clock: Clock, memory: GuestMemory) {
    this.#clock = clock;
    this.#record = new GuestCall(memory);
    this.#startedAt = this.#scheduledAt = clock.now;
  }

  /** The vCPU has been blocked; it sleeps on, or is scheduled next. */
  wasBlocked(ns: Ns): void {
    this.#blocked += ns;
    this.#hasSlept = true;
  }

  /** The vCPU is going to run. */
  schedule(): void {
    if (!this.#hasSlept) return;
    this.#hasSlept = false;
    this.#scheduledAt = this.#clock.now;
    if (this.#area !== 0) this.#update();
  }

  /**
   * VCPUOP_register_runstate_memory_area: where the record is from now on.
   * @param pointer linear address, 0 = nowhere; while it leads nowhere, nothing is written
   * @param vcpu whose address space that is
   */
  register(pointer: number, vcpu: VcpuState): void {
    this.#area = pointer;
    this.#record.begin(vcpu);
    if (pointer !== 0) this.#update();
  }

  /** VCPUOP_get_runstate_info. @param record VCPU_RUNSTATE_INFO.SIZE bytes */
  write(record: DataView): void {
    const running = this.#clock.now - this.#startedAt - this.#blocked;
    record.setUint32(STATE, RUNSTATE.RUNNING, true);
    writeTime(record, STATE_ENTRY_TIME, this.#scheduledAt);
    writeTime(record, TIME + RUNSTATE.RUNNING * 8, running);
    writeTime(record, TIME + RUNSTATE.RUNNABLE * 8, 0);
    writeTime(record, TIME + RUNSTATE.BLOCKED * 8, this.#blocked);
    writeTime(record, TIME + RUNSTATE.OFFLINE * 8, 0);
  }

  #update(): void {
    this.write(this.#record.fields);
    this.#record.store(this.#area, SIZE);
  }
}

function writeTime(record: DataView, at: number, ns: Ns): void {
  record.setUint32(at, ns % 2 ** 32, true);
  record.setUint32(at + 4, Math.floor(ns / 2 ** 32), true);
}
