/**
 * A virtual block device as the toolstack makes it, takes it away, and lists it: libxl's part of
 * `xl block-attach`, `block-detach` and `block-list`.
 *
 * The order of nodes is libxl's. One transaction adds both ends, so that a frontend that sees its
 * own end finds the other; one takes both away.
 * Source: tools/libs/light/libxl_device.c and libxl_disk.c of Xen 4.17; tree of a domain built by
 * xl.
 * @module
 */

import type { BackendKind, StoreClient } from "../../types.ts";
import { type StoreRow, writeRows } from "./rows.ts";
import type { PrivilegedStore, StoreTransactionClient } from "../xenstore/xenstore.ts";
import { DOM0 } from "../domid.ts";
import { homePath, parentPath } from "../xenstore/access.ts";

/** A virtual disk as the domain's configuration names it. */
export interface VirtualDisk {
  /** Name in the guest's configuration, such as `"xvda"`. */
  readonly vdev: string;
  /** Its number. */
  readonly devid: number;
  readonly kind: "disk" | "cdrom";
  readonly readOnly: boolean;
  /** What stands behind the disk, as the prefix of its name in xl; shown only. */
  readonly backendType: BackendKind;
  /** What stands behind the disk; shown only. */
  readonly params: string;
  /** Minor number of its block device in dom0, a loop device's or tapdisk's. */
  readonly minor: number;
}

/** One line of `xl block-list`. */
export interface VbdInfo {
  readonly devid: number;
  readonly backendDomid: number;
  /** The frontend's domain, which xl heads "handle". */
  readonly frontendDomid: number;
  /** The frontend's XenBus state; -1 where none is written, as for the two below. */
  readonly state: number;
  readonly evtchnPort: number;
  readonly ringRef: number;
  readonly backendPath: string;
}

const STATE = { INITIALISING: "1", CLOSING: "5", CLOSED: "6" } as const;
/** Major number of loop devices, which stand between an image and blkback. */
const LOOP_MAJOR = 7;
/** Of tapdisk's block devices: the first that Linux has to give away. */
const TAP_MAJOR = 254;

/** Directories below dom0's `backend`, by what serves them: a driver of its kernel, and QEMU. */
const BACKEND_CLASSES = ["vbd", "qdisk"] as const;

/** One of the directories below dom0's `backend`. */
export type BackendClass = typeof BACKEND_CLASSES[number];

/** Where a disk is in xenstore. */
export interface VbdPaths {
  readonly domid: number;
  readonly devid: number;
  /** Directory of the guest's end. */
  readonly frontend: string;
  /** Directory of dom0's. */
  readonly backend: string;
}

/** Where a disk of a domain belongs. */
export function vbdPaths(
  domid: number,
  { devid, backendType }: Pick<VirtualDisk, "devid" | "backendType">,
): VbdPaths {
  return {
    domid,
    devid,
    frontend: `${homePath(domid)}/device/vbd/${devid}`,
    backend: `${backendsPath(domid, backendClass(backendType))}/${devid}`,
  };
}

/** The directory that a backend of that kind is in. */
export function backendClass(kind: BackendKind): BackendClass {
  return kind === "qdisk" ? "qdisk" : "vbd";
}

/** Directories of all backends that serve a domain. */
export function backendsPaths(domid: number): string[] {
  return BACKEND_CLASSES.map((name) => backendsPath(domid, name));
}

function backendsPath(domid: number, name: BackendClass): string {
  return `${homePath(DOM0)}/backend/${name}/${domid}`;
}

/** Adds both ends of a disk (`libxl__device_generic_add`). */
export function addVbd(store: PrivilegedStore, paths: VbdPaths, disk: VirtualDisk): void {
  store.transaction((store) => {
    for (
      const [path, rows] of [
        [paths.frontend, frontendRows(paths, disk)],
        [paths.backend, backendRows(paths, disk)],
      ] as const
    ) {
      store.remove(path);
      writeRows(store, path, rows);
    }
  });
}

/** What the script `block add` writes when it has found the block device; QEMU needs none. */
export function connectVbd(store: PrivilegedStore, paths: VbdPaths, disk: VirtualDisk): void {
  if (disk.backendType === "qdisk") return;
  writeRows(store, paths.backend, [
    ["physical-device", `${majorOf(disk)}:${disk.minor.toString(16)}`],
    ["physical-device-path", deviceOf(disk)],
    ["hotplug-status", "connected"],
  ]);
}

/**
 * Asks both ends to let go of a disk (`libxl__initiate_device_generic_remove`).
 * @param force takes the frontend's end away at once
 */
export function closeVbd(store: PrivilegedStore, paths: VbdPaths, force: boolean): void {
  const { frontend, backend } = paths;
  store.transaction((store) => {
    if (force) removeWithEmptyParents(store, frontend);
    store.write(`${backend}/online`, "0");
    if (!isClosed(store, paths)) store.write(`${backend}/state`, STATE.CLOSING);
  });
}

/** The backend has let go. */
export function isClosed(store: Pick<StoreClient, "read">, { backend }: VbdPaths): boolean {
  return store.read(`${backend}/state`) === STATE.CLOSED;
}

/** Takes both ends away (`libxl__device_destroy`). */
export function destroyVbd(store: PrivilegedStore, { frontend, backend }: VbdPaths): void {
  store.transaction((store) => {
    for (const path of [frontend, backend]) removeWithEmptyParents(store, path);
  });
}

/** What `xl block-list` shows of a disk (`libxl_device_disk_getinfo`). */
export function vbdInfo(store: StoreClient, paths: VbdPaths): VbdInfo {
  const number = (key: string): number => {
    const text = store.read(`${paths.frontend}/${key}`);
    return text !== undefined && /^\d+$/.test(text) ? Number(text) : -1;
  };
  return {
    devid: paths.devid,
    backendDomid: DOM0,
    frontendDomid: paths.domid,
    state: number("state"),
    evtchnPort: number("event-channel"),
    ringRef: number("ring-ref"),
    backendPath: paths.backend,
  };
}

function frontendRows({ domid, devid, backend }: VbdPaths, { kind }: VirtualDisk): StoreRow[] {
  return [
    ["", "", [`n${domid}`, `r${DOM0}`]],
    ["backend", backend],
    ["backend-id", String(DOM0)],
    ["state", STATE.INITIALISING],
    ["virtual-device", String(devid)],
    ["device-type", kind],
    ["trusted", "1"],
  ];
}

function backendRows({ domid, frontend }: VbdPaths, disk: VirtualDisk): StoreRow[] {
  const { vdev, kind, readOnly, backendType } = disk;
  return [
    ["", "", [`n${DOM0}`, `r${domid}`]],
    ["frontend", frontend],
    ...imageRows(disk),
    ["frontend-id", String(domid)],
    ["online", "1"],
    ["removable", kind === "cdrom" ? "1" : "0"],
    ["bootable", "1"],
    ["state", STATE.INITIALISING],
    ["dev", vdev],
    ["type", backendType],
    ["mode", readOnly ? "r" : "w"],
    ["device-type", kind],
    ["discard-enable", readOnly ? "0" : "1"],
    ["specification", "xen"],
  ];
}

/** What opens the image: QEMU; tapdisk, which makes a block device of it; or the script. */
function imageRows(disk: VirtualDisk): StoreRow[] {
  const image = utf8(disk.params);
  const device: StoreRow[] = [["params", deviceOf(disk)], ["script", "/etc/xen/scripts/block"]];
  switch (disk.backendType) {
    case "qdisk":
      return [["params", `aio:${image}`]];
    case "tap":
      return [["tapdisk-params", `aio:${image}`], ...device];
    default:
      return device;
  }
}

/** The block device that a driver of dom0's kernel reads; of a file, the script makes one. */
function deviceOf({ backendType, params, minor }: VirtualDisk): string {
  return backendType === "tap" ? `/dev/xen/blktap-2/tapdev${minor}` : utf8(params);
}

function majorOf({ backendType }: VirtualDisk): string {
  return (backendType === "tap" ? TAP_MAJOR : LOOP_MAJOR).toString(16);
}

/** As `libxl__xs_path_cleanup`: directories that held nothing else go too. */
function removeWithEmptyParents(store: StoreTransactionClient, path: string): void {
  if (store.read(path) === undefined) return;
  let at = path;
  do {
    store.remove(at);
    at = parentPath(at);
  } while (at !== "/" && store.list(at).length === 0);
}

/** A value of the store is a string of bytes. */
function utf8(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}
