/**
 * Domains by number.
 * Source: Xen public header xen.h.
 * @module
 */

import { ERRNO } from "./hypercalls/errno.ts";

/** The control domain. */
export const DOM0 = 0;

/** Numbers from here up are no domain's. */
export const DOMID_FIRST_RESERVED = 0x7ff0;

/** How a domain names itself. */
export const DOMID_SELF: number = DOMID_FIRST_RESERVED;

/** Whichever domain it may be. */
export const DOMID_ANY = 0x7ff5;

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
