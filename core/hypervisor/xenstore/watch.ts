/**
 * Watches: who wants to hear of changes at or below a path.
 * Source: xen/docs/misc/xenstore.txt, WATCH; xen/tools/xenstore/xenstored_watch.c.
 * @module
 */

import { DOM0 } from "../domid.ts";
import {
  absoluteWatchPath,
  accessOf,
  canonicalPath,
  homePath,
  isAtOrBelow,
  levelOf,
  MAY,
  parentPath,
  type Permissions,
  type SpecialName,
  StoreError,
} from "./access.ts";
import { bottomUp, type StoreNode, type StoreTree } from "./tree.ts";
import { STORE_QUOTA, type StoreChange } from "./view.ts";

/** Takes an event: the path as the watcher would name it, and the watch's token. */
export type WatchSink = (path: string, token: string) => void;

interface Watch {
  readonly sink: WatchSink;
  readonly domid: number;
  /** As given. */
  readonly path: string;
  readonly absolute: string;
  readonly token: string;
  /** Levels below the path that it hears of. */
  readonly depth: number;
  /** The lowest level that it hears of. */
  readonly lowest: number;
}

/** Nobody but dom0 hears of other domains, unless it is allowed to. */
const SPECIAL_PERMISSIONS: Permissions = [{ domid: DOM0, access: 0 }];

/** All watches of the store, in the order of registration. */
export class WatchTable {
  #watches: Watch[] = [];
  /** Of the names that are no nodes, where dom0 has set them. */
  readonly #special: Map<SpecialName, Permissions> = new Map();

  /**
   * Registers a watch. Its first event is the caller's to send: it belongs after the reply.
   * @param depth levels below the path that it is to hear of; of a name that is no node, 1 asks
   *   which domain it is about
   * @throws {StoreError} EINVAL, EEXIST, E2BIG
   */
  add(
    sink: WatchSink,
    domid: number,
    path: string,
    token: string,
    depth: number = Infinity,
  ): void {
    const absolute = absoluteWatchPath(domid, path);
    const own = this.#watches.filter((watch) => watch.sink === sink);
    if (own.some((watch) => watch.absolute === absolute && watch.token === token)) {
      throw new StoreError("EEXIST", `${path} ${token}`);
    }
    if (domid !== DOM0 && own.length > STORE_QUOTA.WATCHES) {
      throw new StoreError("E2BIG", `watches of domain ${domid}`);
    }
    const lowest = levelOf(absolute) + depth;
    this.#watches.push({ sink, domid, path, absolute, token, depth, lowest });
  }

  /** @throws {StoreError} ENOENT */
  remove(sink: WatchSink, domid: number, path: string, token: string): void {
    const absolute = canonicalPath(domid, path);
    const index = this.#watches.findIndex((watch) =>
      watch.sink === sink && watch.absolute === absolute && watch.token === token
    );
    if (index < 0) throw new StoreError("ENOENT", `${path} ${token}`);
    this.#watches.splice(index, 1);
  }

  removeAll(sink: WatchSink): void {
    this.#watches = this.#watches.filter((watch) => watch.sink !== sink);
  }

  /** Tells of one change that led from tree `before` to tree `after`. */
  fire(change: StoreChange, before: StoreTree, after: StoreTree): void {
    if (change.removed) this.#fireBelow(change.path, before);
    const level = levelOf(change.path);
    let witnesses: readonly StoreNode[] | undefined;
    for (const watch of this.#watches) {
      if (!isAtOrBelow(change.path, watch.absolute) || level > watch.lowest) continue;
      witnesses ??= witnessesOf(change.path, [after, before]); // paths may be long
      if (isVisible(watch, witnesses)) this.#send(watch, change.path);
    }
  }

  /** Tells those who watch a node that goes away with one above it. */
  #fireBelow(path: string, before: StoreTree): void {
    const below = this.#watches.filter(({ absolute }) =>
      absolute !== path && isAtOrBelow(absolute, path)
    );
    const node = below.length > 0 ? before.lookup(path) : undefined;
    if (node === undefined) return;
    for (const place of bottomUp(path, node)) {
      for (const watch of below) {
        const isIt = watch.absolute === place.path;
        if (isIt && isVisible(watch, witnessesOf(place.path, [before]))) {
          this.#send(watch, place.path);
        }
      }
    }
  }

  /** Tells those who may hear of a domain. */
  fireSpecial(name: SpecialName, domid: number): void {
    const permissions = this.specialPermissions(name);
    for (const watch of this.#watches) {
      const mayHear = (accessOf(permissions, watch.domid) & MAY.READ) !== 0;
      if (watch.absolute !== name || !mayHear) continue;
      watch.sink(watch.depth === 1 ? `${name}/${domid}` : name, watch.token);
    }
  }

  /** Who may hear of what a name that is no node stands for. */
  specialPermissions(name: SpecialName): Permissions {
    return this.#special.get(name) ?? SPECIAL_PERMISSIONS;
  }

  /** See {@link specialPermissions}; dom0's to say. */
  setSpecialPermissions(name: SpecialName, permissions: Permissions): void {
    this.#special.set(name, permissions);
  }

  #send(watch: Watch, path: string): void {
    const relative = watch.path !== watch.absolute;
    watch.sink(relative ? path.slice(homePath(watch.domid).length + 1) : path, watch.token);
  }
}

/** Nodes of which a watcher must be able to read one: the changed one, as it is and was, its parent. */
function witnessesOf(path: string, trees: readonly StoreTree[]): readonly StoreNode[] {
  const look = (at: string) =>
    trees.map((tree) => tree.lookup(at)).filter((node) => node !== undefined);
  const nodes = look(path);
  return nodes.length > 0 ? [...nodes, ...look(parentPath(path)).slice(0, 1)] : [];
}

function isVisible(watch: Watch, witnesses: readonly StoreNode[]): boolean {
  return witnesses.some((node) => (accessOf(node.permissions, watch.domid) & MAY.READ) !== 0);
}
