/**
 * Nodes as the toolstack writes them, by the dozen: tables of paths, values and permissions.
 * @module
 */

import type { StoreTransactionClient } from "../xenstore/xenstore.ts";

/** A node: path below the directory at hand, value, and permissions if they are not inherited. */
export type StoreRow = readonly [path: string, value: string, permissions?: readonly string[]];

/** Writes the nodes of a directory, in order. */
export function writeRows(
  store: StoreTransactionClient,
  directory: string,
  rows: readonly StoreRow[],
): void {
  for (const [path, value, permissions] of rows) {
    const node = path === "" ? directory : `${directory}/${path}`;
    store.write(node, value);
    if (permissions !== undefined) store.setPermissions(node, permissions);
  }
}
