/**
 * The ioreq slot: how Xen hands an access to the device model in dom0 and gets its answer.
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
import { accessMmio } from "./mmio_access.ts";
import type { MmioAccess, MmioSpace } from "./mmio_access.ts";
import type { PortSpace, PortString } from "./port_access.ts";
import { StringPorts } from "./port_access.ts";

/** STATE_IOREQ_*: bits 3:0 of the flags byte. */
export const IOREQ_STATE = { NONE: 0, READY: 1, INPROCESS: 2, RESP_READY: 3 } as const;

const { NONE, READY, INPROCESS, RESP_READY } = IOREQ_STATE;

/** IOREQ_TYPE_*. */
export const IOREQ_TYPE = { PIO: 0, COPY: 1 } as const;
const TYPE_SHIFT = 24;

/** Bytes of `ioreq_t`. */
export const IOREQ_BYTES = 32;

/** 32-bit words of `ioreq_t`, the low halves of what is wider; little-endian, as the host is. */
export const IOREQ_WORD = {
  ADDR: 0, // u64: port, or guest-physical address of the first item
  DATA: 2, // u64: value, or guest-physical address of the first item
  COUNT: 4,
  SIZE: 5, // of one item
  FLAGS: 7, // byte 2 = flags, byte 3 = IOREQ_TYPE_*
} as const;

const WORD = IOREQ_WORD;
const STATE_SHIFT = 16;

/** Bits of {@link WORD.FLAGS}. */
export const IOREQ_FLAG = {
  STATE: 0xf0000,
  DATA_IS_PTR: 0x10_0000,
  READ: 0x20_0000,
  DESCENDING: 0x40_0000,
} as const;

const FLAG = IOREQ_FLAG;

/** One vCPU's slot in the shared ioreq page. Fields are read and written as they lie in memory. */
export class IoreqSlot implements PortString, MmioAccess {
  readonly #words: Int32Array;

  /**
   * @param page the ioreq page, 4096 bytes
   * @param vcpu slot number, below 128
   */
  constructor(page: Uint8Array, vcpu: number) {
    this.#words = new Int32Array(
      page.buffer,
      page.byteOffset + vcpu * IOREQ_BYTES,
      IOREQ_BYTES / 4,
    );
  }

  get state(): number {
    return (this.#words[WORD.FLAGS]! & FLAG.STATE) >> STATE_SHIFT;
  }
  get port(): number {
    return this.#words[WORD.ADDR]!;
  }
  get count(): number {
    return this.#words[WORD.COUNT]!;
  }
  get size(): AccessSize {
    return this.#words[WORD.SIZE]! as AccessSize;
  }
  get value(): number {
    return this.#words[WORD.DATA]! >>> 0;
  }
  get isString(): boolean {
    return (this.#words[WORD.FLAGS]! & FLAG.DATA_IS_PTR) !== 0;
  }
  get write(): boolean {
    return (this.#words[WORD.FLAGS]! & FLAG.READ) === 0;
  }
  get descending(): boolean {
    return (this.#words[WORD.FLAGS]! & FLAG.DESCENDING) !== 0;
  }
  get isMmio(): boolean {
    return this.#words[WORD.FLAGS]! >>> TYPE_SHIFT === IOREQ_TYPE.COPY;
  }
  /** Of an access to memory-mapped registers, or of the lowest byte of a string's buffer. */
  get gpa(): Gpa {
    if (this.isMmio) return this.#words[WORD.ADDR]! >>> 0;
    return this.descending ? this.value - (this.count - 1) * this.size : this.value;
  }

  /** Step 1, of a port access. */
  request(exit: VmExit): void {
    const words = this.#words;
    if ((words[WORD.FLAGS]! & FLAG.STATE) !== NONE) this.#refuse(NONE);
    words[WORD.ADDR] = exit.port;
    words[WORD.DATA] = exit.string ? firstItem(exit) : exit.write ? exit.value : 0;
    words[WORD.COUNT] = exit.count;
    words[WORD.SIZE] = exit.size;
    words[WORD.FLAGS] = READY << STATE_SHIFT | IOREQ_TYPE.PIO << TYPE_SHIFT |
      (exit.string ? FLAG.DATA_IS_PTR : 0) |
      (exit.write ? 0 : FLAG.READ) |
      (exit.descending ? FLAG.DESCENDING : 0);
  }

  /** Step 1, of an access to guest-physical address space. A REP STOS is one of many items. */
  requestMmio({ gpa, write, value, count, size }: VmExit): void {
    const words = this.#words;
    if ((words[WORD.FLAGS]! & FLAG.STATE) !== NONE) this.#refuse(NONE);
    words[WORD.ADDR] = gpa;
    words[WORD.DATA] = write ? value : 0;
    words[WORD.COUNT] = count;
    words[WORD.SIZE] = size;
    words[WORD.FLAGS] = READY << STATE_SHIFT | IOREQ_TYPE.COPY << TYPE_SHIFT |
      (write ? 0 : FLAG.READ);
  }

  /** Step 2. */
  take(): void {
    this.#advance(READY, INPROCESS);
  }

  /** Step 3. */
  respond(value: number): void {
    this.#words[WORD.DATA] = value;
    this.#advance(INPROCESS, RESP_READY);
  }

  /** Step 4: returns the answer. */
  complete(): number {
    this.#advance(RESP_READY, NONE);
    return this.value;
  }

  /** Xen crashes the domain when a slot changes out of order. */
  #advance(from: number, to: number): void {
    const words = this.#words;
    const flags = words[WORD.FLAGS]!;
    if ((flags & FLAG.STATE) !== from << STATE_SHIFT) this.#refuse(from);
    words[WORD.FLAGS] = flags & ~FLAG.STATE | to << STATE_SHIFT;
  }

  #refuse(wanted: number): never {
    throw new InternalError(`ioreq slot is in state ${this.state}, wanted ${wanted}`);
  }
}

/** The device model's end: performs what the slot asks for. It knows nothing of the exit. */
export class DeviceModel {
  readonly #ports: PortSpace;
  readonly #mmio: MmioSpace;
  readonly #strings: StringPorts;

  constructor(ports: PortSpace, mmio: MmioSpace, memory: GuestMemory) {
    this.#ports = ports;
    this.#mmio = mmio;
    this.#strings = new StringPorts(ports, memory);
  }

  /** Steps 2 and 3. */
  serve(slot: IoreqSlot): void {
    slot.take();
    if (slot.isMmio) slot.respond(accessMmio(this.#mmio, slot));
    else if (slot.isString) {
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
