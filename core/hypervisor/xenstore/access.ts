/**
 * What a xenstore caller may name and touch: error names, path rules, permissions.
 *
 * Strings are byte strings: one character a byte, as they travel on the wire.
 * Source: xen/docs/misc/xenstore.txt; xen/tools/xenstore/xenstored_core.c.
 * @module
 */

import { DOM0, DOMID_ANY, DOMID_FIRST_RESERVED } from "../domid.ts";

/** Errors the protocol can carry, by the names it sends. */
export type StoreErrorName =
  | "EINVAL"
  | "EACCES"
  | "EEXIST"
  | "EISDIR"
  | "ENOENT"
  | "ENOMEM"
  | "ENOSPC"
  | "EIO"
  | "ENOTEMPTY"
  | "ENOSYS"
  | "EROFS"
  | "EBUSY"
  | "EAGAIN"
  | "EISCONN"
  | "E2BIG"
  | "EPERM";

/** The answer of a xenstore operation that was refused. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorName;
  /** @param subject what the operation was about: a path, a token, a transaction */
  constructor(code: StoreErrorName, subject: string) {
    super(`${code}: ${subject}`);
    this.code = code;
  }
}

/** Of a path from a domain's home; of any other, from the root (xenstored's quota `path-max`). */
const PATH_MAX = 2048;
const HOME = /^\/local\/domain\/[0-9]{1,5}\//;
const PATH = /^\/?[A-Za-z0-9\-_@]+(?:\/[A-Za-z0-9\-_@]+)*$/;

/** Names that can be watched and are no nodes. They have permissions all the same. */
export const SPECIAL_NAMES = ["@introduceDomain", "@releaseDomain"] as const;

/** One of {@link SPECIAL_NAMES}. */
export type SpecialName = typeof SPECIAL_NAMES[number];

/** The directory that a domain's relative paths start from. */
export function homePath(domid: number): string {
  return `/local/domain/${domid}`;
}

/**
 * Resolves the path of a node as a domain names it.
 * @throws {StoreError} EINVAL
 */
export function absolutePath(domid: number, path: string): string {
  if (path === "/") return path;
  const absolute = canonicalPath(domid, path);
  const start = HOME.exec(absolute)?.[0].length ?? 0;
  if (absolute.length - start > PATH_MAX || path.startsWith("@") || !PATH.test(path)) {
    throw new StoreError("EINVAL", path);
  }
  return absolute;
}

/**
 * Resolves the path of a watch: a node's, or a name that begins with @, of any syntax.
 * @throws {StoreError} EINVAL
 */
export function absoluteWatchPath(domid: number, path: string): string {
  const isName = path.startsWith("@") && path.length <= PATH_MAX;
  return isName ? path : absolutePath(domid, path);
}

/** What a domain names by `path`, be there such a thing or not. */
export function canonicalPath(domid: number, path: string): string {
  return /^[/@]/.test(path) ? path : `${homePath(domid)}/${path}`;
}

/** It is one of {@link SPECIAL_NAMES}. */
export function isSpecial(path: string): path is SpecialName {
  return (SPECIAL_NAMES as readonly string[]).includes(path);
}

/** Levels from `/` down to an absolute path. */
export function levelOf(path: string): number {
  return path === "/" ? 0 : path.split("/").length - 1;
}

/** The path one level up; `/` is its own parent. */
export function parentPath(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/** `path` is `ancestor` or lies below it. */
export function isAtOrBelow(path: string, ancestor: string): boolean {
  if (!path.startsWith(ancestor)) return false;
  return path.length === ancestor.length || ancestor === "/" || path[ancestor.length] === "/";
}

/**
 * Reads a decimal domain number.
 * @throws {StoreError} EINVAL
 */
export function parseDomid(text: string): number {
  const domid = /^[0-9]{1,5}$/.test(text) ? Number(text) : DOMID_FIRST_RESERVED;
  if (domid >= DOMID_FIRST_RESERVED) throw new StoreError("EINVAL", text);
  return domid;
}

/** Bits of an access. */
export const MAY = { READ: 1, WRITE: 2 } as const;

const ACCESS_LETTERS = "nrwb";

/**
 * One entry of a node's list. In the first, `domid` owns the node and `access` is for everyone
 * who has no entry; any other gives `access` to `domid`, DOMID_ANY being all that have none.
 */
export interface Permission {
  readonly domid: number;
  /** Bits of {@link MAY}. */
  readonly access: number;
}

/** A node's list. Its first entry names the owner. */
export type Permissions = readonly [Permission, ...Permission[]];

/** Access of a domain to a node: dom0 and the owner have all of it. */
export function accessOf(permissions: Permissions, domid: number): number {
  const [owner, ...others] = permissions;
  if (domid === DOM0 || domid === owner.domid) return MAY.READ | MAY.WRITE;
  const entry = others.find((entry) => entry.domid === domid) ??
    others.find((entry) => entry.domid === DOMID_ANY);
  return (entry ?? owner).access;
}

/** The list of a new node: its parent's, and a guest owns what it creates. */
export function inheritPermissions(parent: Permissions, creator: number): Permissions {
  if (creator === DOM0) return parent;
  const [owner, ...others] = parent;
  return [{ domid: creator, access: owner.access }, ...others];
}

/**
 * Reads a list such as `["n0", "r1"]`.
 * @throws {StoreError} EINVAL
 */
export function parsePermissions(texts: readonly string[]): Permissions {
  const [owner, ...others] = texts.map(parsePermission);
  if (owner === undefined) throw new StoreError("EINVAL", "empty permission list");
  if (owner.domid === DOMID_ANY) throw new StoreError("EINVAL", "a node that anybody owns");
  return [owner, ...others];
}

function parsePermission(text: string): Permission {
  const access = ACCESS_LETTERS.indexOf(text.slice(0, 1));
  if (text === "" || access < 0) throw new StoreError("EINVAL", text);
  const domid = text.slice(1) === String(DOMID_ANY) ? DOMID_ANY : parseDomid(text.slice(1));
  return { domid, access };
}

/** The inverse of {@link parsePermissions}. */
export function formatPermissions(permissions: Permissions): string[] {
  return permissions.map(({ domid, access }) => ACCESS_LETTERS.charAt(access) + domid);
}
