/**
 * The store itself, as the daemon holds it: one tree, its watches, its clients.
 * Source: xen/docs/misc/xenstore.txt; xen/tools/xenstore/xenstored_core.c.
 * @module
 */

import type { StoreClient } from "../../types.ts";
import { DOM0 } from "../domid.ts";
import { absolutePath, parsePermissions, StoreError } from "./access.ts";
import { StoreConnection, type StoreCore } from "./connection.ts";
import { listNodes, type ListStyle } from "./ls.ts";
import { StoreTree } from "./tree.ts";
import type { StoreChange } from "./view.ts";
import { type WatchSink, WatchTable } from "./watch.ts";

/** What a dom0 client that builds domains does within a transaction, or without. */
export interface StoreTransactionClient
  extends Pick<StoreClient, "read" | "write" | "list" | "remove"> {
  /** @param permissions owner first, such as `["n0", "r1"]` */
  setPermissions(path: string, permissions: readonly string[]): void;
}

/** A dom0 client that also builds domains. */
export interface PrivilegedStore extends StoreClient, StoreTransactionClient {
  /** All that `update` does is seen at once, and watches fire then; nothing of it if it throws. */
  transaction(update: (store: StoreTransactionClient) => void): void;
}

/** xenstored without its transports. */
export class XenStore {
  readonly #tree: StoreTree = new StoreTree();
  readonly #watches: WatchTable = new WatchTable();
  readonly #introduced: Set<number> = new Set();
  readonly #deferred: (() => void)[] = [];
  #busy = false;

  readonly #core: StoreCore = {
    tree: this.#tree,
    watches: this.#watches,
    change: (update) => this.hold(() => this.#change(update)),
  };

  /**
   * Opens a session for a guest.
   * @param sink is told of watch events at once; it may only queue them
   */
  connect(domid: number, sink: WatchSink): StoreConnection {
    return new StoreConnection(this.#core, domid, sink);
  }

  /** Opens a session for a part of dom0. Its watches fire when the change at hand is complete. */
  client(): PrivilegedStore {
    return new Dom0Client(this.#core, (task) => this.#defer(task));
  }

  /** Makes a domain known; its requests are served from now on. */
  introduce(domid: number): void {
    this.#introduced.add(domid);
    this.hold(() => this.#watches.fireSpecial("@introduceDomain", domid));
  }

  /** A domain has shut down and is still there: tells those who wait for that. */
  domainShutDown(domid: number): void {
    this.hold(() => this.#watches.fireSpecial("@releaseDomain", domid));
  }

  /** Forgets a domain that is no more: what it owned goes with it, the rest is the toolstack's. */
  release(domid: number): void {
    this.#introduced.delete(domid);
    this.hold(() => {
      this.#change((fork) => removeOwned(fork, domid));
      this.#watches.fireSpecial("@releaseDomain", domid);
    });
  }

  isIntroduced(domid: number): boolean {
    return this.#introduced.has(domid);
  }

  /**
   * What lies below a node, as `xenstore-ls` prints it in dom0.
   * @param path as for any client in dom0: relative ones start from its home
   * @throws {StoreError} EINVAL, ENOENT
   */
  ls(path: string, style: ListStyle): string[] {
    const node = this.#tree.lookup(absolutePath(DOM0, path));
    if (node === undefined) throw new StoreError("ENOENT", path);
    return listNodes(path, node, style);
  }

  /** Keeps the watches of dom0 back until `work` is done, so that they see its whole effect. */
  hold(work: () => void): void {
    if (this.#busy) return work();
    this.#busy = true;
    try {
      work();
    } finally {
      this.#busy = false;
      this.#settle();
    }
  }

  #change(update: (fork: StoreTree) => Iterable<StoreChange>): void {
    const before = this.#tree.fork();
    const fork = this.#tree.fork();
    const changes = update(fork);
    this.#tree.adopt(fork);
    for (const change of changes) this.#watches.fire(change, before, this.#tree);
  }

  #defer(task: () => void): void {
    this.#deferred.push(task);
    if (!this.#busy) this.#settle();
  }

  #settle(): void {
    for (let task = this.#deferred.shift(); task; task = this.#deferred.shift()) {
      this.#busy = true;
      try {
        task();
      } finally {
        this.#busy = false;
      }
    }
  }
}

/** The privileged client: absent nodes are answers, not errors. */
class Dom0Client implements PrivilegedStore {
  readonly #connection: StoreConnection;
  readonly #callbacks: Map<string, (path: string) => void> = new Map();
  readonly #defer: (task: () => void) => void;
  #lastToken = 0;

  constructor(core: StoreCore, defer: (task: () => void) => void) {
    this.#defer = defer;
    this.#connection = new StoreConnection(core, DOM0, (path, token) => this.#fire(path, token));
  }

  read(path: string): string | undefined {
    return unlessMissing(() => this.#connection.read(path));
  }

  write(path: string, value: string): void {
    this.#connection.write(path, value);
  }

  list(path: string): readonly string[] {
    return listOf(this.#connection, path, 0);
  }

  remove(path: string): void {
    unlessMissing(() => this.#connection.remove(path));
  }

  setPermissions(path: string, permissions: readonly string[]): void {
    this.#connection.setPermissions(path, parsePermissions(permissions));
  }

  transaction(update: (store: StoreTransactionClient) => void): void {
    const connection = this.#connection;
    const id = connection.startTransaction();
    let done = false;
    try {
      update({
        read: (path) => unlessMissing(() => connection.read(path, id)),
        write: (path, value) => connection.write(path, value, id),
        list: (path) => listOf(connection, path, id),
        remove: (path) => unlessMissing(() => connection.remove(path, id)),
        setPermissions: (path, permissions) =>
          connection.setPermissions(path, parsePermissions(permissions), id),
      });
      done = true;
    } finally {
      connection.endTransaction(id, done);
    }
  }

  watch(path: string, fire: (path: string) => void): () => void {
    const token = String(++this.#lastToken);
    this.#connection.watch(path, token);
    this.#callbacks.set(token, fire);
    this.#fire(path, token);
    return () => {
      if (this.#callbacks.delete(token)) this.#connection.unwatch(path, token);
    };
  }

  #fire(path: string, token: string): void {
    this.#defer(() => this.#callbacks.get(token)?.(path));
  }
}

function removeOwned(tree: StoreTree, domid: number): StoreChange[] {
  const paths = tree.topmostOf(domid);
  for (const path of paths) tree.remove(path);
  return paths.map((path) => ({ path, removed: true }));
}

function listOf(connection: StoreConnection, path: string, transaction: number): string[] {
  return unlessMissing(() => [...connection.directory(path, transaction).children.keys()]) ?? [];
}

function unlessMissing<T>(answer: () => T): T | undefined {
  try {
    return answer();
  } catch (error) {
    if (error instanceof StoreError && error.code === "ENOENT") return undefined;
    throw error;
  }
}
