/**
 * The ioreq slot: how Xen hands a port access to the device model in dom0 and gets its answer.
 * Source: Xen public header hvm/ioreq.h; state changes as in xen/common/ioreq.c.
 *
 * | step | who | state |
 * |---|---|---|
 * | 1 | Xen fills the slot and sends the vCPU's event | NONE → READY |
 * | 2 | the device model takes the request | READY → INPROCESS |
 * | 3 | it performs the access and answers | INPROCESS → RESP_READY |
 * | 4 | Xen takes the answer, the vCPU runs on | RESP_READY → NONE |
 * @module
 */

import { InternalError } from "../errors.ts";
import type { AccessSize, Gpa, GuestMemory, VmExit } from "../types.ts";
import type { PortSpace, PortString } from "./port_access.ts";
import { StringPorts } from "./port_access.ts";

/** STATE_IOREQ_*: bits 3:0 of the flags byte. */
export const IOREQ_STATE = { NONE: 0, READY: 1, INPROCESS: 2, RESP_READY: 3 } as const;

/** IOREQ_TYPE_PIO. */
const TYPE_PIO = 0;

/** Byte offsets in `ioreq_t`. */
export const IOREQ = {
  ADDR: 0, // u64: port
  DATA: 8, // u64: value, or guest-physical address of the first item
  COUNT: 16,
  SIZE: 20, // of one item
  VP_EPORT: 24,
  FLAGS: 30,
  TYPE: 31,
  BYTES: 32,
} as const;

const FLAG = { STATE: 0x0f, DATA_IS_PTR: 1 << 4, READ: 1 << 5, DESCENDING: 1 << 6 } as const;

/** One vCPU's slot in the shared ioreq page. Fields are read and written as they lie in memory. */
export class IoreqSlot implements PortString {
  readonly #view: DataView;

  /**
   * @param page the ioreq page, 4096 bytes
   * @param vcpu slot number, below 128
   */
  constructor(page: Uint8Array, vcpu: number) {
    this.#view = new DataView(page.buffer, page.byteOffset + vcpu * IOREQ.BYTES, IOREQ.BYTES);
  }

  get state(): number {
    return this.#flags & FLAG.STATE;
  }
  get port(): number {
    return this.#view.getUint32(IOREQ.ADDR, true);
  }
  get count(): number {
    return this.#view.getUint32(IOREQ.COUNT, true);
  }
  get size(): AccessSize {
    return this.#view.getUint32(IOREQ.SIZE, true) as AccessSize;
  }
  get value(): number {
    return this.#view.getUint32(IOREQ.DATA, true);
  }
  get isString(): boolean {
    return (this.#flags & FLAG.DATA_IS_PTR) !== 0;
  }
  get write(): boolean {
    return (this.#flags & FLAG.READ) === 0;
  }
  get descending(): boolean {
    return (this.#flags & FLAG.DESCENDING) !== 0;
  }
  get gpa(): Gpa {
    return this.descending ? this.value - (this.count - 1) * this.size : this.value;
  }

  /** Step 1. */
  request(exit: VmExit): void {
    this.#expect(IOREQ_STATE.NONE);
    const view = this.#view;
    view.setUint32(IOREQ.ADDR, exit.port, true);
    view.setUint32(IOREQ.DATA, exit.string ? firstItem(exit) : exit.write ? exit.value : 0, true);
    view.setUint32(IOREQ.COUNT, exit.count, true);
    view.setUint32(IOREQ.SIZE, exit.size, true);
    view.setUint8(IOREQ.TYPE, TYPE_PIO);
    let flags: number = IOREQ_STATE.READY;
    if (exit.string) flags |= FLAG.DATA_IS_PTR;
    if (!exit.write) flags |= FLAG.READ;
    if (exit.descending) flags |= FLAG.DESCENDING;
    view.setUint8(IOREQ.FLAGS, flags);
  }

  /** Step 2. */
  take(): void {
    this.#advance(IOREQ_STATE.READY, IOREQ_STATE.INPROCESS);
  }

  /** Step 3. */
  respond(value: number): void {
    this.#view.setUint32(IOREQ.DATA, value, true);
    this.#advance(IOREQ_STATE.INPROCESS, IOREQ_STATE.RESP_READY);
  }

  /** Step 4: returns the answer. */
  complete(): number {
    this.#advance(IOREQ_STATE.RESP_READY, IOREQ_STATE.NONE);
    return this.value;
  }

  get #flags(): number {
    return this.#view.getUint8(IOREQ.FLAGS);
  }

  #advance(from: number, to: number): void {
    this.#expect(from);
    this.#view.setUint8(IOREQ.FLAGS, (this.#flags & ~FLAG.STATE) | to);
  }

  /** Xen crashes the domain when a slot changes out of order. */
  #expect(state: number): void {
    if (this.state !== state) {
      throw new InternalError(`ioreq slot is in state ${this.state}, wanted ${state}`);
    }
  }
}

/** The device model's end: performs what the slot asks for. It knows nothing of the exit. */
export class DeviceModel {
  readonly #ports: PortSpace;
  readonly #strings: StringPorts;

  constructor(ports: PortSpace, memory: GuestMemory) {
    this.#ports = ports;
    this.#strings = new StringPorts(ports, memory);
  }

  /** Steps 2 and 3. */
  serve(slot: IoreqSlot): void {
    slot.take();
    if (slot.isString) {
      this.#strings.transfer(slot);
      slot.respond(slot.value);
    } else if (slot.write) {
      this.#ports.write(slot.port, slot.size, slot.value);
      slot.respond(slot.value);
    } else slot.respond(this.#ports.read(slot.port, slot.size));
  }
}

function firstItem(exit: VmExit): Gpa {
  return exit.descending ? exit.gpa + (exit.count - 1) * exit.size : exit.gpa;
}
