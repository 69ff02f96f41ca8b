/**
 * Performing a port access for a guest, of one item or of a string.
 * Source: Xen's rule for string I/O, xen/arch/x86/hvm/emulate.c, hvmemul_rep_ins and
 * hvmemul_rep_outs.
 * @module
 */

import { PAGE_SIZE } from "../types.ts";
import type { AccessSize, Gpa, GuestMemory } from "../types.ts";

/** The I/O port space, as one who accesses it sees it. */
export interface PortSpace {
  read(port: number, size: AccessSize): number;
  /** The same read again gets the same answer: see `PortDevice.steadyOffsets`. */
  isSteady(port: number, size: AccessSize): boolean;
  write(port: number, size: AccessSize, value: number): void;
  readString(port: number, size: AccessSize, into: Uint8Array): void;
  writeString(port: number, size: AccessSize, from: Uint8Array): void;
}

/** The memory side of one string access. */
export interface PortString {
  readonly port: number;
  readonly size: AccessSize;
  /** Memory to port. */
  readonly write: boolean;
  /** Lowest byte of the buffer. */
  readonly gpa: Gpa;
  /** Items; the buffer is at most a page. */
  readonly count: number;
  /** The first item is the highest in memory. */
  readonly descending: boolean;
}

/** Moves strings between guest memory and ports, straight where the buffer is plain memory. */
export class StringPorts {
  readonly #ports: PortSpace;
  readonly #memory: GuestMemory;
  readonly #bounce = new Uint8Array(PAGE_SIZE);

  constructor(ports: PortSpace, memory: GuestMemory) {
    this.#ports = ports;
    this.#memory = memory;
  }

  transfer(access: PortString): void {
    const { port, size, gpa, count } = access;
    const buffer = access.descending ? undefined : this.#memory.range(gpa, count * size);
    if (buffer === undefined) this.#transferBounced(access);
    else if (access.write) this.#ports.writeString(port, size, buffer);
    else {
      this.#ports.readString(port, size, buffer);
      this.#memory.wrote(buffer);
    }
  }

  #transferBounced(access: PortString): void {
    const { port, size, gpa, count } = access;
    const bytes = this.#bounce.subarray(0, count * size);
    if (access.write) {
      for (let i = 0; i < bytes.length; i++) bytes[i] = this.#memory.read8(gpa + i);
      if (access.descending) reverseItems(bytes, size);
      this.#ports.writeString(port, size, bytes);
    } else {
      this.#ports.readString(port, size, bytes);
      if (access.descending) reverseItems(bytes, size);
      for (let i = 0; i < bytes.length; i++) this.#memory.write8(gpa + i, bytes[i]!);
    }
  }
}

/** Turns the order of items around, not that of the bytes in an item. */
function reverseItems(bytes: Uint8Array, size: AccessSize): void {
  bytes.reverse();
  if (size === 1) return;
  for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse();
}
