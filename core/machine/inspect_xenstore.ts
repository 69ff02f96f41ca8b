/**
 * xenstore as `xenstore-ls` prints it in dom0.
 * Source: output of xenstore-ls of Xen 4.17, Debian package xenstore-utils.
 * @module
 */

import { StoreError } from "../hypervisor/xenstore/access.ts";
import type { ListStyle } from "../hypervisor/xenstore/ls.ts";
import type { Domain } from "./domain.ts";

const NO_DOMAIN = "xenstore-ls: no xenstore: this machine hides Xen";
/** What the C library says of the errors that dom0 can meet. */
const REASONS: Readonly<Record<string, string>> = {
  EINVAL: "Invalid argument",
  ENOENT: "No such file or directory",
};

/** What lies below `path`, or why there is nothing to see. */
export function storeLines(domain: Domain | undefined, path: string, style: ListStyle): string[] {
  if (domain === undefined) return [NO_DOMAIN];
  try {
    return domain.listStore(path, style);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return [`xenstore-ls: xs_directory (${path}): ${REASONS[error.code] ?? error.code}`];
  }
}
