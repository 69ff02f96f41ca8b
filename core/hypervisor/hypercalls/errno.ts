/**
 * Error numbers of the Xen interface and the domain names it knows. Hypercalls answer `-ERRNO.X`.
 * Source: Xen public headers errno.h and xen.h.
 * @module
 */

/** Positive error numbers by name. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  ENOMEM: 12,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  EINVAL: 22,
  ENOSPC: 28,
  ERANGE: 34,
  ENOSYS: 38,
  ENODATA: 61,
  ETIME: 62,
  EOPNOTSUPP: 95,
} as const;

/** The control domain. */
export const DOM0 = 0;

/** How a domain names itself. */
export const DOMID_SELF = 0x7ff0;

/** `"EINVAL"` for -22; the number itself when it has no name here. */
export function errnoName(result: number): string {
  const row = Object.entries(ERRNO).find(([, value]) => value === -result);
  return row === undefined ? String(result) : row[0];
}

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
