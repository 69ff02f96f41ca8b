/**
 * The data of one request in memory of dom0: copied from the guest's pages before the disk has it, or
 * to them afterwards. No page is mapped meanwhile.
 * Source: hw/block/dataplane/xen-block.c of QEMU 7.2.
 * @module
 */

import { PAGE_SIZE } from "../../core/types.ts";
import type { GrantCopy, GrantMapper } from "../../core/types.ts";
import { MAX_SEGMENTS } from "./blkif.ts";
import type { BlkifRequest } from "./blkif_request.ts";
import { window } from "./granted_pages.ts";
import type { DataPages } from "./granted_pages.ts";

/** One segment's copy. */
interface SegmentCopy extends GrantCopy {
  gref: number;
  offset: number;
  bytes: Uint8Array;
}

/** The bounce buffer of one request. Reused for the next, with all that describes it. */
export class CopiedPages implements DataPages {
  readonly views: Uint8Array[] = [];
  readonly inGuest = false;
  readonly #grants: GrantMapper;
  readonly #buffer = new Uint8Array(MAX_SEGMENTS * PAGE_SIZE);
  /** Of the request that is served. */
  readonly #copies: SegmentCopy[] = [];
  /** By segment, for every request. */
  readonly #places: SegmentCopy[] = [];
  #mustDeliver = false;

  constructor(grants: GrantMapper) {
    this.#grants = grants;
  }

  /** INDIRECT is not offered to whoever is served so. */
  copySegments(): boolean {
    return false;
  }

  map(request: BlkifRequest, access: "read" | "write"): boolean {
    this.#layOut(request);
    this.#mustDeliver = access === "write";
    return this.#mustDeliver || this.#grants.copyAll(this.#copies, "read");
  }

  get mustSettle(): boolean {
    return this.#mustDeliver;
  }

  settle(served: boolean): boolean {
    this.#mustDeliver = false;
    return !served || this.#grants.copyAll(this.#copies, "write");
  }

  unmap(): void {}

  release(): void {}

  /** One segment behind the other. */
  #layOut(request: BlkifRequest): void {
    const count = request.segmentCount;
    this.views.length = this.#copies.length = count;
    for (let i = 0, at = 0; i < count; i++) {
      const offset = request.start(i);
      const end = at + request.end(i) - offset;
      const copy = this.#places[i] ??= { gref: 0, offset: 0, bytes: this.#buffer };
      copy.gref = request.gref(i);
      copy.offset = offset;
      this.views[i] = copy.bytes = window(this.#buffer, at, end, copy.bytes);
      this.#copies[i] = copy;
      at = end;
    }
  }
}
