/**
 * Watches: who wants to hear of changes at or below a path.
 * Source: xen/docs/misc/xenstore.txt, WATCH; xen/tools/xenstore/xenstored_watch.c.
 * @module
 */

import {
  absoluteWatchPath,
  accessOf,
  DOM0,
  homePath,
  isAtOrBelow,
  MAY,
  StoreError,
} from "./xenstore_access.ts";
import type { StoreTree } from "./xenstore_tree.ts";
import { STORE_QUOTA, type StoreChange } from "./xenstore_view.ts";

/** Takes an event: the path as the watcher would name it, and the watch's token. */
export type WatchSink = (path: string, token: string) => void;

interface Watch {
  readonly sink: WatchSink;
  readonly domid: number;
  /** As given. */
  readonly path: string;
  readonly absolute: string;
  readonly token: string;
}

/** All watches of the store, in the order of registration. */
export class WatchTable {
  #watches: Watch[] = [];

  /**
   * Registers a watch. Its first event is the caller's to send: it belongs after the reply.
   * @throws {StoreError} EINVAL, EEXIST, E2BIG
   */
  add(sink: WatchSink, domid: number, path: string, token: string): void {
    const absolute = absoluteWatchPath(domid, path);
    const own = this.#watches.filter((watch) => watch.sink === sink);
    if (own.some((watch) => watch.path === path && watch.token === token)) {
      throw new StoreError("EEXIST", `${path} ${token}`);
    }
    if (domid !== DOM0 && own.length >= STORE_QUOTA.WATCHES) {
      throw new StoreError("E2BIG", `watches of domain ${domid}`);
    }
    this.#watches.push({ sink, domid, path, absolute, token });
  }

  /** @throws {StoreError} ENOENT */
  remove(sink: WatchSink, path: string, token: string): void {
    const index = this.#watches.findIndex((watch) =>
      watch.sink === sink && watch.path === path && watch.token === token
    );
    if (index < 0) throw new StoreError("ENOENT", `${path} ${token}`);
    this.#watches.splice(index, 1);
  }

  removeAll(sink: WatchSink): void {
    this.#watches = this.#watches.filter((watch) => watch.sink !== sink);
  }

  /** Tells of one change that led from tree `before` to tree `after`. */
  fire(change: StoreChange, before: StoreTree, after: StoreTree): void {
    for (const watch of this.#watches) {
      if (isAtOrBelow(change.path, watch.absolute)) {
        if (isVisible(watch, change.path, before, after)) this.#send(watch, change.path);
      } else if (change.removed && isAtOrBelow(watch.absolute, change.path)) {
        if (isVisible(watch, watch.absolute, before, before)) this.#send(watch, watch.absolute);
      }
    }
  }

  /** Tells dom0's watchers of `@introduceDomain` or `@releaseDomain`. */
  fireSpecial(name: string): void {
    for (const watch of this.#watches) {
      if (watch.absolute === name && watch.domid === DOM0) watch.sink(name, watch.token);
    }
  }

  #send(watch: Watch, path: string): void {
    const relative = watch.path !== watch.absolute;
    watch.sink(relative ? path.slice(homePath(watch.domid).length + 1) : path, watch.token);
  }
}

/** A watcher hears only of nodes that it may read, or could before they went or were closed to it. */
function isVisible(watch: Watch, path: string, before: StoreTree, after: StoreTree): boolean {
  return [after, before].some((tree) => {
    const node = tree.lookup(path);
    return node !== undefined && (accessOf(node.permissions, watch.domid) & MAY.READ) !== 0;
  });
}
