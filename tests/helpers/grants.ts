/**
 * A guest that calls grant_table_op, with entries of either version, and dom0 that grants it pages.
 * @module
 */

import { assertEquals } from "@std/assert";
import { GRANT_GFN, SCRATCH, XenGuest } from "./xen_guest.ts";

/** Where {@link GrantGuest} has the first page of status words. */
export const STATUS_GFN: number = GRANT_GFN + 100;
/** Bits of map_grant_ref's flags. */
export const HOST = 2, READONLY_MAP = 4;

/** A map_grant_ref; what is left out is the usual. */
export interface MapRequest {
  readonly gref: number;
  readonly gfn?: number;
  readonly address?: bigint;
  readonly flags?: number;
  readonly dom?: number;
}

/** One end of a copy. */
export interface CopyPoint {
  readonly gref?: number;
  readonly gfn?: number;
  readonly dom?: number;
  readonly offset?: number;
}

/** The guest. Its grant table is mapped. */
export class GrantGuest extends XenGuest {
  constructor() {
    super();
    this.mapGrantTable();
  }

  op(command: number, pointer: number, count: number = 1): number {
    return this.call(20, command, pointer, count);
  }

  /** The status at an offset of the structure at {@link SCRATCH}, signed. */
  status(offset: number): number {
    return this.u16(offset) << 16 >> 16;
  }

  setVersion(version: number): number {
    return this.op(8, this.struct([0, 4, version]));
  }

  /** Version 2 with its first page of status words in sight. */
  useVersion2(): this {
    assertEquals(this.setVersion(2), 0);
    assertEquals(this.addToPhysmap(1, 0x80000000, STATUS_GFN), 0);
    return this;
  }

  /** An entry of version 2, flags last. */
  grantV2(gref: number, flags: number, domid: number, word: number, frame: bigint): void {
    const at = GRANT_GFN * 4096 + gref * 16;
    this.memory.write16(at + 2, domid);
    this.memory.write32(at + 4, word);
    this.memory.write64(at + 8, frame);
    this.memory.write16(at, flags);
  }

  /** The status word of version 2. */
  statusWord(gref: number): number {
    return this.memory.read16(STATUS_GFN * 4096 + gref * 2);
  }

  /** dom0 grants a page of its own; its bytes. */
  dom0Grants(gref: number, flags: number = 1, domid: number = 1): Uint8Array {
    const { dom0, dom0Memory } = this.xen.grantTables;
    const gfn = dom0Memory.allocate();
    dom0.frames.write(gref, { flags, domid, gfn });
    return dom0Memory.page(gfn)!;
  }

  /** Flags of one of dom0's entries. */
  dom0Flags(gref: number): number {
    return this.xen.grantTables.dom0.frames.flags(gref);
  }

  /** One map_grant_ref. @returns its status */
  map({ gref, gfn = 0, address, flags = HOST, dom = 0 }: MapRequest): number {
    const at = address ?? BigInt(gfn) << 12n;
    const map = this.struct([0, 8, at], [8, 4, flags], [12, 4, gref], [16, 2, dom]);
    assertEquals(this.op(0, map), 0);
    return this.status(18);
  }

  /** The handle and bus address of the map that has just succeeded. */
  get mapped(): { handle: number; bus: bigint } {
    return { handle: this.u32(20), bus: this.memory.read64(SCRATCH + 24) };
  }

  /** One unmap_grant_ref. @returns its status */
  unmap(handle: number, gfn: number, bus: bigint = 0n): number {
    const host = BigInt(gfn) << 12n;
    assertEquals(this.op(1, this.struct([0, 8, host], [8, 8, bus], [16, 4, handle])), 0);
    return this.status(20);
  }

  /** One copy. @returns its status */
  copy(source: CopyPoint, dest: CopyPoint, length: number): number {
    const end = (at: number, { gref, gfn, dom = 0x7ff0, offset = 0 }: CopyPoint) =>
      [[at, 4, gref ?? gfn ?? 0], [at + 4, 2, dom], [at + 6, 2, offset]] as const;
    const flags = Number(source.gref !== undefined) | Number(dest.gref !== undefined) << 1;
    const copy = this.struct(...end(0, source), ...end(8, dest), [16, 2, length], [18, 2, flags]);
    assertEquals(this.op(5, copy), 0);
    return this.status(20);
  }
}
