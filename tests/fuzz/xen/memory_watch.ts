/**
 * What may change in the domain's memory: what the guest writes itself, what it has granted for
 * writing as long as dom0 has it mapped, and the structures that it hands to hypercalls.
 * @module
 */

import type { Dom0Grants } from "../../../core/hypervisor/grants/dom0_grants.ts";
import {
  GTF_PERMIT_ACCESS,
  GTF_READONLY,
  GTF_TYPE_MASK,
} from "../../../core/hypervisor/grants/entry.ts";
import type { GrantFrames } from "../../../core/hypervisor/grants/frames.ts";
import { PAGE_SIZE } from "../../../core/types.ts";
import { FRAMES, RAM_FRAMES } from "./layout.ts";

/** Mappings of one grant reference that exist. */
interface Mapping {
  readonly page: Uint8Array;
  count: number;
  /** One of them is writable. */
  writable: boolean;
}

/** Follows memory and mappings. */
export class MemoryWatch {
  /** What should be in RAM. */
  readonly #expected: Uint32Array;
  readonly #actual: Uint32Array;
  readonly #ram: Uint8Array;
  readonly #mappings = new Map<number, Mapping>();

  /** @param buffer RAM at offset 0, with frames of Xen's behind it */
  constructor(buffer: ArrayBuffer) {
    this.#actual = new Uint32Array(buffer, 0, RAM_FRAMES * PAGE_SIZE / 4);
    this.#ram = new Uint8Array(buffer, 0, RAM_FRAMES * PAGE_SIZE);
    for (let i = 0; i < this.#actual.length; i++) this.#actual[i] = Math.imul(i + 1, 0x9e3779b1);
    this.#expected = this.#actual.slice();
  }

  /** Grant references that dom0 has mapped. */
  get mapped(): readonly number[] {
    return [...this.#mappings.keys()];
  }

  /** Puts itself between dom0 and the guest's grant table. */
  follow(grants: Dom0Grants, entries: GrantFrames): void {
    const map = grants.map.bind(grants);
    const unmap = grants.unmap.bind(grants);
    const unmapAll = grants.unmapAll.bind(grants);
    grants.map = (gref, access) => {
      const offence = this.#offence(gref, access, entries);
      const page = map(gref, access);
      if (page !== undefined && offence !== undefined) throw new Error(`gref ${gref} ${offence}`);
      if (page !== undefined) this.#mapped(gref, page, access === "write");
      return page;
    };
    grants.unmap = (gref) => {
      this.#unmapped(gref);
      unmap(gref);
    };
    grants.unmapAll = (grefs) => {
      for (const gref of grefs) this.#unmapped(gref);
      unmapAll(grefs);
    };
  }

  /** All of these bytes are in pages that dom0 has mapped, writable if it is to write them. */
  isMapped(bytes: Uint8Array, writable: boolean): boolean {
    const end = bytes.byteOffset + bytes.length;
    for (let at = bytes.byteOffset - bytes.byteOffset % PAGE_SIZE; at < end; at += PAGE_SIZE) {
      if (!this.#hasMapping(at, writable)) return false;
    }
    return true;
  }

  /** The guest has written to the word with this byte. */
  stored(offset: number): void {
    const word = offset >>> 2;
    if (word < this.#actual.length) this.#expected[word] = this.#actual[word]!;
  }

  /** The guest, or Xen by its order, may have written to the page with this byte. */
  touch(gpa: number): void {
    const first = (gpa - gpa % PAGE_SIZE) / 4;
    if (first >= this.#actual.length) return;
    this.#expected.set(this.#actual.subarray(first, first + PAGE_SIZE / 4), first);
  }

  /** @returns where a byte has changed that should not have; `undefined` if none has */
  findChange(): string | undefined {
    for (let gfn = 0; gfn < RAM_FRAMES; gfn++) {
      if (gfn >= FRAMES.areas[0] && gfn < FRAMES.areas[1]) continue;
      const change = this.#findInFrame(gfn);
      if (change !== undefined && !this.#hasMapping(gfn * PAGE_SIZE, true)) return change;
    }
    return undefined;
  }

  #findInFrame(gfn: number): string | undefined {
    const actual = this.#actual;
    const expected = this.#expected;
    const end = (gfn + 1) * PAGE_SIZE / 4;
    for (let i = gfn * PAGE_SIZE / 4; i < end; i++) {
      if (actual[i] !== expected[i]) {
        return `memory at ${(i * 4).toString(16)}h is ${actual[i]!.toString(16)}h, ` +
          `not ${expected[i]!.toString(16)}h`;
      }
    }
    return undefined;
  }

  #hasMapping(offset: number, writable: boolean): boolean {
    for (const mapping of this.#mappings.values()) {
      if (mapping.page.byteOffset === offset && (mapping.writable || !writable)) return true;
    }
    return false;
  }

  /** What stands against a mapping that is the first of its kind. */
  #offence(gref: number, access: "read" | "write", entries: GrantFrames): string | undefined {
    const mapping = this.#mappings.get(gref);
    if (gref >= entries.entryCount) return "is beyond the table";
    const flags = entries.flags(gref);
    if (access === "write" && !mapping?.writable && (flags & GTF_READONLY) !== 0) {
      return "is written, but granted for reading";
    }
    if (mapping !== undefined) return undefined;
    if ((flags & GTF_TYPE_MASK) !== GTF_PERMIT_ACCESS) return "is not granted";
    return entries.domid(gref) === 0 ? undefined : "is granted to somebody else";
  }

  #mapped(gref: number, page: Uint8Array, writable: boolean): void {
    const mapping = this.#mappings.get(gref);
    if (mapping === undefined) this.#mappings.set(gref, { page, count: 1, writable });
    else if (mapping.page !== page) throw new Error(`gref ${gref} shows two pages at once`);
    else {
      mapping.count++;
      mapping.writable ||= writable;
    }
  }

  #unmapped(gref: number): void {
    const mapping = this.#mappings.get(gref);
    if (mapping === undefined) throw new Error(`gref ${gref} is unmapped, but not mapped`);
    if (--mapping.count > 0) return;
    this.#mappings.delete(gref);
    if (mapping.writable && mapping.page.byteOffset < this.#ram.length) {
      this.touch(mapping.page.byteOffset);
    }
  }
}
