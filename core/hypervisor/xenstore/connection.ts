/**
 * One client of xenstore: its watches, its transactions, and every operation of the protocol.
 * Refusals are thrown as `StoreError`.
 * Source: xen/docs/misc/xenstore.txt.
 * @module
 */

import { DOM0 } from "../domid.ts";
import {
  accessOf,
  isSpecial,
  MAY,
  type Permissions,
  type SpecialName,
  StoreError,
} from "./access.ts";
import { StoreTransaction } from "./transaction.ts";
import type { StoreNode, StoreTree } from "./tree.ts";
import { STORE_QUOTA, type StoreChange, StoreView } from "./view.ts";
import type { WatchSink, WatchTable } from "./watch.ts";

/** What all connections share. */
export interface StoreCore {
  readonly tree: StoreTree;
  readonly watches: WatchTable;
  /** Runs an update on a fork; if it returns, the fork becomes the tree and the watches fire. */
  change(update: (fork: StoreTree) => Iterable<StoreChange>): void;
}

/** A client's session. `transaction` is 0 for none. */
export class StoreConnection {
  readonly #core: StoreCore;
  readonly #domid: number;
  readonly #sink: WatchSink;
  readonly #transactions: Map<number, StoreTransaction> = new Map();
  #lastTransaction = 0;

  /** @param sink is told of every event of this client's watches, before the change returns */
  constructor(core: StoreCore, domid: number, sink: WatchSink) {
    this.#core = core;
    this.#domid = domid;
    this.#sink = sink;
  }

  read(path: string, transaction: number = 0): string {
    return this.#view(transaction).read(path);
  }

  /** The node with its children, and the generation of that list. */
  directory(path: string, transaction: number = 0): Pick<StoreNode, "children" | "listing"> {
    return this.#view(transaction).directory(path);
  }

  permissions(path: string, transaction: number = 0): Permissions {
    if (isSpecial(path)) return this.#specialPermissions(path);
    return this.#view(transaction).permissions(path);
  }

  write(path: string, value: string, transaction: number = 0): void {
    this.#change(transaction, (view) => view.write(path, value));
  }

  makeDirectory(path: string, transaction: number = 0): void {
    this.#change(transaction, (view) => view.makeDirectory(path));
  }

  remove(path: string, transaction: number = 0): void {
    this.#change(transaction, (view) => view.remove(path));
  }

  setPermissions(path: string, permissions: Permissions, transaction: number = 0): void {
    if (isSpecial(path)) return this.#setSpecialPermissions(path, permissions);
    this.#change(transaction, (view) => view.setPermissions(path, permissions));
  }

  /** Registers a watch. Its first event, `path` and `token` as given, is the caller's to send. */
  watch(path: string, token: string, depth?: number): void {
    this.#core.watches.add(this.#sink, this.#domid, path, token, depth);
  }

  unwatch(path: string, token: string): void {
    this.#core.watches.remove(this.#sink, this.#domid, path, token);
  }

  startTransaction(): number {
    if (this.#domid !== DOM0 && this.#transactions.size > STORE_QUOTA.TRANSACTIONS) {
      throw new StoreError("ENOSPC", `transactions of domain ${this.#domid}`);
    }
    do this.#lastTransaction = (this.#lastTransaction + 1) >>> 0; while (
      this.#lastTransaction === 0 || this.#transactions.has(this.#lastTransaction)
    );
    this.#transactions.set(
      this.#lastTransaction,
      new StoreTransaction(this.#core.tree, this.#domid),
    );
    return this.#lastTransaction;
  }

  /** Ends a transaction in any case, also when the commit is refused. */
  endTransaction(id: number, commit: boolean): void {
    const transaction = this.transaction(id);
    this.#transactions.delete(id);
    if (!commit) return;
    this.#core.change((fork) => {
      transaction.commit(fork);
      return transaction.view.news();
    });
  }

  /** @throws {StoreError} ENOENT unless that transaction is open */
  transaction(id: number): StoreTransaction {
    const transaction = this.#transactions.get(id);
    if (transaction === undefined) throw new StoreError("ENOENT", `transaction ${id}`);
    return transaction;
  }

  /** Forgets watches and transactions. */
  reset(): void {
    this.#core.watches.removeAll(this.#sink);
    this.#transactions.clear();
  }

  #specialPermissions(name: SpecialName): Permissions {
    const permissions = this.#core.watches.specialPermissions(name);
    if ((accessOf(permissions, this.#domid) & MAY.READ) !== 0) return permissions;
    throw new StoreError("EACCES", name);
  }

  #setSpecialPermissions(name: SpecialName, permissions: Permissions): void {
    if (this.#domid !== DOM0) throw new StoreError("EACCES", name);
    this.#core.watches.setSpecialPermissions(name, permissions);
  }

  #view(transaction: number): StoreView {
    return transaction === 0
      ? new StoreView(this.#core.tree, this.#domid)
      : this.transaction(transaction).view;
  }

  #change(transaction: number, update: (view: StoreView) => void): void {
    if (transaction !== 0) return update(this.transaction(transaction).view);
    this.#core.change((fork) => {
      const view = new StoreView(fork, this.#domid);
      update(view);
      return view.news();
    });
  }
}
