/**
 * Error numbers of the Xen interface. Hypercalls answer `-ERRNO.X`.
 * Source: Xen public header errno.h.
 * @module
 */

/** Positive error numbers by name. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  ENXIO: 6,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  EINVAL: 22,
  ENOSPC: 28,
  ERANGE: 34,
  ENOSYS: 38,
  ETIME: 62,
  EOPNOTSUPP: 95,
} as const;

/** `"EINVAL"` for -22; the number itself when it has no name here. */
export function errnoName(result: number): string {
  const row = Object.entries(ERRNO).find(([, value]) => value === -result);
  return row === undefined ? String(result) : row[0];
}
