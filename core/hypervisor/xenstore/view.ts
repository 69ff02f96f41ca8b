/**
 * A tree as one domain may see and change it: the operations on nodes with their permission
 * checks and quotas, and a journal of what they depended on and what they changed.
 * Source: xen/tools/xenstore/xenstored_core.c.
 * @module
 */

import { DOM0 } from "../domid.ts";
import {
  absolutePath,
  accessOf,
  inheritPermissions,
  MAY,
  parentPath,
  type Permissions,
  StoreError,
} from "./access.ts";
import { descendants, nodeBytes, type StoreNode, type StorePlace, type StoreTree } from "./tree.ts";

/**
 * What a guest may use up. dom0 is not limited. Source: defaults of C xenstored, which asks for watches
 * and transactions whether there are more already: it gives one of each beyond the number.
 */
export const STORE_QUOTA = {
  /** Nodes owned by the domain. */
  NODES: 1000,
  /** No node has so many bytes, see `nodeBytes()`. */
  NODE_BYTES: 2048,
  /** Entries in the permission list of one node. */
  PERMISSIONS: 5,
  WATCHES: 128,
  /** Open transactions. */
  TRANSACTIONS: 10,
  /** Nodes that one transaction may touch. */
  TRANSACTION_NODES: 1024,
} as const;

/** A node that is no longer what it was. */
export interface StoreChange {
  /** Absolute. */
  readonly path: string;
  /** The node went away with all below it, whatever came in its place afterwards. */
  readonly removed: boolean;
}

/** Operations of one domain on one tree. Paths are as the domain gives them. */
export class StoreView {
  readonly tree: StoreTree;
  readonly #domid: number;
  readonly #contents: Set<string> = new Set();
  readonly #listings: Set<string> = new Set();
  readonly #changes: Map<string, StoreChange> = new Map();
  /** Nodes that came to be only for others below them. */
  readonly #implied: Set<string> = new Set();

  constructor(tree: StoreTree, domid: number) {
    this.tree = tree;
    this.#domid = domid;
  }

  /** Nodes whose existence, value or permissions mattered so far. */
  get contents(): ReadonlySet<string> {
    return this.#contents;
  }

  /** Nodes whose set of children mattered so far. */
  get listings(): ReadonlySet<string> {
    return this.#listings;
  }

  /** In the order of the last change to each node. */
  get changes(): Iterable<StoreChange> {
    return this.#changes.values();
  }

  /** What watches are to hear of: one change of a node, in the order of first access. */
  *news(): Iterable<StoreChange> {
    for (const path of this.#contents) {
      const change = this.#changes.get(`-${path}`) ?? this.#changes.get(`+${path}`);
      if (change?.removed || (change && !this.#implied.has(path))) yield change;
    }
  }

  read(path: string): string {
    return this.#content(path).value;
  }

  permissions(path: string): Permissions {
    return this.#content(path).permissions;
  }

  /** The node whose children are to be listed. */
  directory(path: string): StoreNode {
    const at = this.#resolve(path);
    this.#listings.add(at);
    return this.#require(at, MAY.READ);
  }

  write(path: string, value: string): void {
    const at = this.#touch(path);
    const node = this.#find(at, MAY.WRITE);
    if (node === undefined) this.#create(at, value);
    else this.#put(at, value, node.permissions);
  }

  makeDirectory(path: string): void {
    const at = this.#touch(path);
    if (this.#find(at, MAY.WRITE) === undefined) this.#create(at, "");
  }

  setPermissions(path: string, permissions: Permissions): void {
    if (this.#domid !== DOM0 && permissions.length > STORE_QUOTA.PERMISSIONS) {
      throw new StoreError("ENOSPC", path);
    }
    const at = this.#touch(path);
    const node = this.#require(at, MAY.WRITE);
    if (this.#domid !== DOM0) {
      const owner = node.permissions[0].domid;
      if (owner !== this.#domid) throw new StoreError("EACCES", path);
      if (owner !== permissions[0].domid) throw new StoreError("EPERM", path);
    }
    this.#put(at, node.value, permissions);
  }

  remove(path: string): void {
    const at = this.#touch(path);
    const node = this.#find(at, MAY.WRITE);
    if (at === "/") throw new StoreError("EINVAL", path);
    if (node === undefined) {
      if (this.tree.lookup(parentPath(at)) === undefined) throw new StoreError("ENOENT", path);
      return;
    }
    for (const below of descendants(at, node)) {
      this.#contents.add(below.path);
      this.#listings.add(below.path);
    }
    this.#admitJournal();
    this.tree.remove(at);
    this.#changed(at, true);
  }

  #content(path: string): StoreNode {
    return this.#require(this.#touch(path), MAY.READ);
  }

  #resolve(path: string): string {
    this.#admitJournal();
    return absolutePath(this.#domid, path);
  }

  #touch(path: string): string {
    const at = this.#resolve(path);
    this.#contents.add(at);
    return at;
  }

  #require(path: string, access: number): StoreNode {
    const node = this.#find(path, access);
    if (node === undefined) throw new StoreError("ENOENT", path);
    return node;
  }

  /** That a node is missing may be known to whom its closest ancestor would give the access. */
  #find(path: string, access: number): StoreNode | undefined {
    const closest = closestPlace(this.tree, path);
    if ((accessOf(closest.node.permissions, this.#domid) & access) === 0) {
      throw new StoreError("EACCES", path);
    }
    return closest.path === path ? closest.node : undefined;
  }

  #create(path: string, value: string): void {
    const ancestor = closestPlace(this.tree, path);
    this.#contents.add(ancestor.path);
    this.#put(path, value, inheritPermissions(ancestor.node.permissions, this.#domid));
  }

  /** Tries the change on a fork, so that one which breaks a quota leaves nothing behind. */
  #put(path: string, value: string, permissions: Permissions): void {
    const fork = this.tree.fork();
    fork.put(path, value, permissions);
    const before = this.tree.lineage(path).length;
    const after = fork.lineage(path);
    this.#admit(fork, after.slice(before - 1));
    this.tree.adopt(fork);
    for (const created of after.slice(before, -1)) {
      this.#implied.add(created.path);
      this.#changed(created.path, false);
    }
    this.#implied.delete(path);
    this.#changed(path, false);
  }

  #admit(tree: StoreTree, changed: readonly StorePlace[]): void {
    if (this.#domid === DOM0) return;
    admitNodes(this.#domid, this.tree, tree);
    admitSizes(changed);
  }

  #admitJournal(): void {
    const touched = this.#contents.size + this.#listings.size;
    if (this.#domid !== DOM0 && touched > 2 * STORE_QUOTA.TRANSACTION_NODES) {
      throw new StoreError("ENOSPC", "nodes of the transaction");
    }
  }

  #changed(path: string, removed: boolean): void {
    const key = (removed ? "-" : "+") + path;
    this.#changes.delete(key);
    this.#changes.set(key, { path, removed });
  }
}

/**
 * Checks the number of nodes of a domain after a change.
 * @throws {StoreError} ENOSPC when it has grown beyond the quota
 */
export function admitNodes(domid: number, before: StoreTree, after: StoreTree): void {
  const nodes = after.ownedBy(domid);
  if (domid !== DOM0 && nodes > STORE_QUOTA.NODES && nodes > before.ownedBy(domid)) {
    throw new StoreError("ENOSPC", `nodes of domain ${domid}`);
  }
}

/**
 * Checks the size of nodes that a guest has changed.
 * @throws {StoreError} ENOSPC
 */
export function admitSizes(changed: readonly StorePlace[]): void {
  const large = changed.find(({ node }) => nodeBytes(node) >= STORE_QUOTA.NODE_BYTES);
  if (large !== undefined) throw new StoreError("ENOSPC", large.path);
}

function closestPlace(tree: StoreTree, path: string): StorePlace {
  const lineage = tree.lineage(path);
  return lineage[lineage.length - 1] as StorePlace;
}
