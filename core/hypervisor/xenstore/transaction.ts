/**
 * Transactions: a snapshot to work on, committed whole or not at all.
 * A commit conflicts only when a node the transaction depended on has changed outside.
 * @module
 */

import { DOM0 } from "../domid.ts";
import { StoreError } from "./access.ts";
import type { StoreTree } from "./tree.ts";
import { admitNodes, admitSizes, StoreView } from "./view.ts";

/** One transaction of one domain. */
export class StoreTransaction {
  /** What the domain sees and changes meanwhile. */
  readonly view: StoreView;
  readonly #base: StoreTree;
  readonly #domid: number;

  constructor(live: StoreTree, domid: number) {
    this.#base = live.fork();
    this.#domid = domid;
    this.view = new StoreView(live.fork(), domid);
  }

  /**
   * Puts the changes into a fork of the live tree.
   * @throws {StoreError} EAGAIN on a conflict; ENOSPC when there is no room any more
   */
  commit(live: StoreTree): void {
    if (this.#conflicts(live)) throw new StoreError("EAGAIN", "transaction");
    const before = live.fork();
    for (const { path, removed } of this.view.changes) {
      if (removed && live.lookup(path) !== undefined) live.remove(path);
      const node = removed ? undefined : this.view.tree.lookup(path);
      if (node !== undefined) live.put(path, node.value, node.permissions);
    }
    if (this.#domid === DOM0) return;
    admitNodes(this.#domid, before, live);
    for (const { path } of this.view.changes) admitSizes(live.lineage(path).slice(-2));
  }

  #conflicts(live: StoreTree): boolean {
    for (const path of this.view.contents) {
      if (live.lookup(path)?.generation !== this.#base.lookup(path)?.generation) return true;
    }
    for (const path of this.view.listings) {
      if (live.lookup(path)?.listing !== this.#base.lookup(path)?.listing) return true;
    }
    return false;
  }
}
