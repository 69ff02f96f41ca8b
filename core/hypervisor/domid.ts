/**
 * Domains by number.
 * Source: Xen public header xen.h.
 * @module
 */

import { ERRNO } from "./hypercalls/errno.ts";

/** The control domain. */
export const DOM0 = 0;

/** How a domain names itself. */
export const DOMID_SELF = 0x7ff0;

/**
 * May an unprivileged domain aim an operation at `target`?
 * @param target a domid as the guest gave it
 * @param self the guest's own domid
 * @returns 0 for itself, -EPERM for dom0, -ESRCH for a domain that does not exist
 */
export function checkTarget(target: number, self: number): number {
  if (target === DOMID_SELF || target === self) return 0;
  return target === DOM0 ? -ERRNO.EPERM : -ERRNO.ESRCH;
}
