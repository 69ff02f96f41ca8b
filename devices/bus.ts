/**
 * The I/O port space: who owns which port, and what an access to nobody's port answers.
 * Lookup is one read of a 65536-entry table; an access allocates nothing.
 * Unmapped ports read all ones and drop writes: probes for absent devices rely on it.
 * @module
 */

import { allOnes, hex } from "../core/bits.ts";
import { InternalError } from "../core/errors.ts";
import type { AccessSize, PortBus, PortDevice } from "../core/types.ts";

const PORT_COUNT = 0x10000;

/**
 * A device's ports, and its methods: devices are of many classes, too many to look them up again.
 */
class PortRange {
  readonly name: string;
  readonly base: number;
  readonly length: number;
  readonly device: PortDevice;
  readonly read: PortDevice["readPort"];
  readonly write: PortDevice["writePort"];
  readonly steady: number;

  constructor(name: string, base: number, length: number, device: PortDevice) {
    this.name = name;
    this.base = base;
    this.length = length;
    this.device = device;
    this.read = device.readPort;
    this.write = device.writePort;
    this.steady = device.steadyOffsets ?? 0;
  }
}

/** An owner's ports. */
export type PortSpan = Pick<PortRange, "name" | "base" | "length">;

const OPEN_BUS = new PortRange("open bus", 0, PORT_COUNT, {
  readPort: (_offset, size) => allOnes(size),
  writePort: () => {},
  readPortString: (_offset, _size, into) => {
    into.fill(0xff);
  },
  writePortString: () => {},
});

/** All I/O ports of a machine. The device that owns the first byte of an access gets all of it. */
export class IoPortBus implements PortBus {
  /** Port → index into `#ranges`; 0 is the open bus. */
  readonly #slots: Uint16Array = new Uint16Array(PORT_COUNT);
  readonly #ranges: PortRange[] = [OPEN_BUS];
  #onRemap: () => void = () => {};

  /** Has every change of owners told. */
  onRemap(listener: () => void): void {
    this.#onRemap = listener;
  }

  /**
   * Gives ports to a device. One name may own several ranges.
   * @throws {InternalError} when the range leaves the port space or overlaps another owner's
   */
  map(name: string, base: number, length: number, device: PortDevice): void {
    if (length < 1 || base < 0 || base + length > PORT_COUNT) {
      throw new InternalError(`Cannot map ${name} at ${span(base, length)}: outside the ports`);
    }
    const owner = this.ownerOf(base, length);
    if (owner !== undefined) {
      throw new InternalError(
        `Cannot map ${name} at ${span(base, length)}: the range overlaps ${owner}`,
      );
    }
    const slot = this.#freeSlot();
    this.#ranges[slot] = new PortRange(name, base, length, device);
    this.#slots.fill(slot, base, base + length);
    this.#onRemap();
  }

  /** Returns every range of that name to the open bus; nothing happens when there is none. */
  unmap(name: string): void {
    for (let slot = 1; slot < this.#ranges.length; slot++) {
      const range = this.#ranges[slot]!;
      if (range.name !== name) continue;
      this.#slots.fill(0, range.base, range.base + range.length);
      this.#ranges[slot] = OPEN_BUS;
    }
    this.#onRemap();
  }

  /** Name of the first owner in a range of ports, `undefined` when all of them are free. */
  ownerOf(port: number, length: number = 1): string | undefined {
    for (let at = port; at < port + length; at++) {
      const slot = this.#slots[at];
      if (slot) return this.#ranges[slot]!.name;
    }
    return undefined;
  }

  /** The owner's range that a port is in, `undefined` when the port is free. */
  rangeAt(port: number): PortSpan | undefined {
    const slot = this.#slots[port]!;
    return slot === 0 ? undefined : this.#ranges[slot]!;
  }

  /** One `in`. */
  read(port: number, size: AccessSize): number {
    const range = this.#ranges[this.#slots[port]!]!;
    return range.read.call(range.device, port - range.base, size);
  }

  /** The same read again gets the same answer: see `PortDevice.steadyOffsets`. */
  isSteady(port: number, size: AccessSize): boolean {
    const range = this.#ranges[this.#slots[port]!]!;
    const offset = port - range.base;
    return size === 1 && offset < 32 && (range.steady >>> offset & 1) !== 0;
  }

  /** One `out`. */
  write(port: number, size: AccessSize, value: number): void {
    const range = this.#ranges[this.#slots[port]!]!;
    range.write.call(range.device, port - range.base, size, value);
  }

  /**
   * `rep ins`, items in ascending order.
   * @param into whole items of `size` bytes, at most a page
   */
  readString(port: number, size: AccessSize, into: Uint8Array): void {
    const range = this.#ranges[this.#slots[port]!]!;
    const { device } = range;
    const offset = port - range.base;
    if (device.readPortString) device.readPortString(offset, size, into);
    else readItems(device, offset, size, into);
  }

  /**
   * `rep outs`, items in ascending order.
   * @param from whole items of `size` bytes, at most a page
   */
  writeString(port: number, size: AccessSize, from: Uint8Array): void {
    const range = this.#ranges[this.#slots[port]!]!;
    const { device } = range;
    const offset = port - range.base;
    if (device.writePortString) device.writePortString(offset, size, from);
    else writeItems(device, offset, size, from);
  }

  #freeSlot(): number {
    const slot = this.#ranges.indexOf(OPEN_BUS, 1);
    return slot < 0 ? this.#ranges.length : slot;
  }
}

/**
 * A card with an 8-bit data path: the ISA bus turns a wider access into one cycle a byte, lowest
 * first. Bytes past its last port float.
 */
export abstract class ByteDevice implements PortDevice {
  readonly #length: number;

  /** @param length ports the device decodes */
  constructor(length: number) {
    this.#length = length;
  }

  /** Reads one register. */
  abstract readByte(offset: number): number;

  /** Writes one register; `value` is 0–255. */
  abstract writeByte(offset: number, value: number): void;

  readPort(offset: number, size: AccessSize): number {
    if (size === 1) return this.readByte(offset);
    let value = 0;
    for (let lane = 0; lane < size; lane++) {
      const at = offset + lane;
      value |= (at < this.#length ? this.readByte(at) : 0xff) << (8 * lane);
    }
    return value >>> 0;
  }

  writePort(offset: number, size: AccessSize, value: number): void {
    const end = Math.min(offset + size, this.#length);
    for (let at = offset; at < end; at++) {
      this.writeByte(at, (value >>> (8 * (at - offset))) & 0xff);
    }
  }
}

function readItems(device: PortDevice, offset: number, size: AccessSize, into: Uint8Array): void {
  for (let at = 0; at < into.length; at += size) {
    const value = device.readPort(offset, size);
    for (let lane = 0; lane < size; lane++) into[at + lane] = value >>> (8 * lane);
  }
}

function writeItems(device: PortDevice, offset: number, size: AccessSize, from: Uint8Array): void {
  for (let at = 0; at < from.length; at += size) {
    let value = 0;
    for (let lane = 0; lane < size; lane++) value |= from[at + lane]! << (8 * lane);
    device.writePort(offset, size, value >>> 0);
  }
}

function span(base: number, length: number): string {
  return `ports 0x${hex(base, 4)}-0x${hex(base + length - 1, 4)}`;
}
