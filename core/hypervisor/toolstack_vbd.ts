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

import type { BackendKind, StoreClient } from "../types.ts";
import { type StoreRow, writeRows } from "./toolstack_rows.ts";
import type { PrivilegedStore, StoreTransactionClient } from "./xenstore.ts";
import { DOM0, homePath, parentPath } from "./xenstore_access.ts";

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

/** What tells a disk and the directory of its backend. */
export type VbdPlace = Pick<VirtualDisk, "devid" | "backendType">;

/** Directory of a virtual disk's frontend. */
export function frontendPath(domid: number, devid: number): string {
  return `${homePath(domid)}/device/vbd/${devid}`;
}

/** Directory of a virtual disk's backend in dom0. */
export function backendPath(domid: number, { devid, backendType }: VbdPlace): string {
  const directory = backendType === "qdisk" ? "qdisk" : "vbd";
  return `${homePath(DOM0)}/backend/${directory}/${domid}/${devid}`;
}

/** Directories of all backends that serve a domain's disks. */
export function backendsPaths(domid: number): string[] {
  return ["vbd", "qdisk"].map((directory) => `${homePath(DOM0)}/backend/${directory}/${domid}`);
}

/** Adds both ends of a disk (`libxl__device_generic_add`). */
export function addVbd(store: PrivilegedStore, domid: number, disk: VirtualDisk): void {
  const { devid } = disk;
  store.transaction((store) => {
    for (
      const [path, rows] of [
        [frontendPath(domid, devid), frontendRows(domid, disk)],
        [backendPath(domid, disk), backendRows(domid, disk)],
      ] as const
    ) {
      store.remove(path);
      writeRows(store, path, rows);
    }
  });
}

/**
 * What the script `block add` writes when it has set up the loop device. QEMU needs neither.
 * @param loop its number
 */
export function connectVbd(
  store: PrivilegedStore,
  domid: number,
  disk: VirtualDisk,
  loop: number,
): void {
  if (disk.backendType === "qdisk") return;
  writeRows(store, backendPath(domid, disk), [
    ["physical-device", `${LOOP_MAJOR}:${loop.toString(16)}`],
    ["physical-device-path", utf8(disk.params)],
    ["hotplug-status", "connected"],
  ]);
}

/**
 * Asks both ends to let go of a disk (`libxl__initiate_device_generic_remove`).
 * @param force takes the frontend's end away at once
 */
export function closeVbd(
  store: PrivilegedStore,
  domid: number,
  disk: VbdPlace,
  force: boolean,
): void {
  const backend = backendPath(domid, disk);
  store.transaction((store) => {
    if (force) removeWithEmptyParents(store, frontendPath(domid, disk.devid));
    store.write(`${backend}/online`, "0");
    if (!isClosed(store, domid, disk)) store.write(`${backend}/state`, STATE.CLOSING);
  });
}

/** The backend has let go. */
export function isClosed(
  store: Pick<StoreClient, "read">,
  domid: number,
  disk: VbdPlace,
): boolean {
  return store.read(`${backendPath(domid, disk)}/state`) === STATE.CLOSED;
}

/** Takes both ends away (`libxl__device_destroy`). */
export function destroyVbd(store: PrivilegedStore, domid: number, disk: VbdPlace): void {
  store.transaction((store) => {
    removeWithEmptyParents(store, frontendPath(domid, disk.devid));
    removeWithEmptyParents(store, backendPath(domid, disk));
  });
}

/** What `xl block-list` shows of a disk (`libxl_device_disk_getinfo`). */
export function vbdInfo(store: StoreClient, domid: number, disk: VbdPlace): VbdInfo {
  const { devid } = disk;
  const frontend = frontendPath(domid, devid);
  const number = (key: string): number => {
    const text = store.read(`${frontend}/${key}`);
    return text !== undefined && /^\d+$/.test(text) ? Number(text) : -1;
  };
  return {
    devid,
    backendDomid: DOM0,
    frontendDomid: domid,
    state: number("state"),
    evtchnPort: number("event-channel"),
    ringRef: number("ring-ref"),
    backendPath: backendPath(domid, disk),
  };
}

function frontendRows(domid: number, disk: VirtualDisk): StoreRow[] {
  const { devid, kind } = disk;
  return [
    ["", "", [`n${domid}`, `r${DOM0}`]],
    ["backend", backendPath(domid, disk)],
    ["backend-id", String(DOM0)],
    ["state", STATE.INITIALISING],
    ["virtual-device", String(devid)],
    ["device-type", kind],
    ["trusted", "1"],
  ];
}

function backendRows(domid: number, disk: VirtualDisk): StoreRow[] {
  const { vdev, devid, kind, readOnly, backendType } = disk;
  return [
    ["", "", [`n${DOM0}`, `r${domid}`]],
    ["frontend", frontendPath(domid, devid)],
    ["params", utf8(paramsOf(disk))],
    ...backendType === "qdisk" ? [] : [["script", "/etc/xen/scripts/block"] as const],
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

/** A process in user space is told the image's format, or how to reach it. */
function paramsOf({ backendType, params }: VirtualDisk): string {
  return backendType === "tap" || backendType === "qdisk" ? `aio:${params}` : params;
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
