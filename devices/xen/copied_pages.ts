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
import type { DataPages } from "./granted_pages.ts";

/** The bounce buffer of one request. Reused for the next. */
export class CopiedPages implements DataPages {
  readonly views: Uint8Array[] = [];
  readonly inGuest = false;
  readonly #grants: GrantMapper;
  readonly #buffer = new Uint8Array(MAX_SEGMENTS * PAGE_SIZE);
  readonly #copies: GrantCopy[] = [];
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
      const bytes = this.#buffer.subarray(at, end);
      this.views[i] = bytes;
      this.#copies[i] = { gref: request.gref(i), offset, bytes };
      at = end;
    }
  }
}
