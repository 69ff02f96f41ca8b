/**
 * What the toolstack writes into xenstore when it builds an HVM domain, as xl does.
 * Source: tree of a domain built by xl on Xen 4.17; xen/docs/man/xen-vbd-interface.7.pandoc.
 * @module
 */

import { UsageError } from "../errors.ts";
import type { PrivilegedStore } from "./xenstore.ts";
import { DOM0, homePath } from "./xenstore_access.ts";

/** A virtual disk as the domain's configuration names it. */
export interface VirtualDisk {
  /** Name in the guest's configuration, such as `"hda"`. */
  readonly vdev: string;
  readonly readOnly: boolean;
  /** What stands behind the disk; shown only. */
  readonly params: string;
}

/** What the toolstack knows of a new domain. */
export interface DomainBuild {
  readonly domid: number;
  readonly name: string;
  readonly uuid: string;
  readonly memoryKiB: number;
  /** The two special pages and the guest's ends of their event channels. */
  readonly store: RingEndpoint;
  readonly console: RingEndpoint;
  readonly disks: readonly VirtualDisk[];
}

/** A ring page and its event channel. */
export interface RingEndpoint {
  readonly gfn: number;
  readonly evtchnPort: number;
}

/** A node: path below the directory at hand, value, and permissions if they are not inherited. */
type Row = readonly [path: string, value: string, permissions?: readonly string[]];

const XENBUS_STATE_INITIALISING = "1";
const XENBUS_STATE_CLOSING = "5";

/** Writes the whole tree of a domain: its home, its frontends, their backends. */
export function buildDomain(store: PrivilegedStore, domain: DomainBuild): void {
  const home = homePath(domain.domid);
  writeRows(store, `/vm/${domain.uuid}`, vmRows(domain));
  writeRows(store, home, homeRows(domain));
  for (const [index, disk] of domain.disks.entries()) {
    const vdev = vdevNumber(disk.vdev);
    writeRows(store, backendPath(domain.domid, vdev), backendRows(domain.domid, disk, index));
    writeRows(store, frontendPath(domain.domid, vdev), frontendRows(domain.domid, vdev));
  }
}

/**
 * Takes the devices of a domain away that is being destroyed: with its frontend gone, a backend
 * closes.
 */
export function closeDevices(store: PrivilegedStore, domid: number): void {
  for (const vdev of store.list(backendsPath(domid))) {
    const backend = `${backendsPath(domid)}/${vdev}`;
    store.remove(store.read(`${backend}/frontend`)!);
    store.write(`${backend}/online`, "0");
    store.write(`${backend}/state`, XENBUS_STATE_CLOSING);
  }
}

/** Removes all that is left of a destroyed domain, its backends too. */
export function removeDomain(
  store: PrivilegedStore,
  { domid, uuid }: Pick<DomainBuild, "domid" | "uuid">,
): void {
  for (const path of [backendsPath(domid), homePath(domid), `/vm/${uuid}`]) store.remove(path);
}

/** Directory of a virtual disk's frontend. */
export function frontendPath(domid: number, vdev: number): string {
  return `${homePath(domid)}/device/vbd/${vdev}`;
}

/** Directory of a virtual disk's backend in dom0. */
export function backendPath(domid: number, vdev: number): string {
  return `${backendsPath(domid)}/${vdev}`;
}

/** Directory of all backends that serve a domain. */
function backendsPath(domid: number): string {
  return `${homePath(DOM0)}/backend/vbd/${domid}`;
}

function vmRows({ domid, name, uuid }: DomainBuild): Row[] {
  return [
    ["", "", ["n0", `r${domid}`]],
    ["uuid", uuid],
    ["name", name],
  ];
}

function homeRows({ domid, name, uuid, memoryKiB, store, console }: DomainBuild): Row[] {
  const readable = ["n0", `r${domid}`];
  const owned = [`n${domid}`];
  return [
    ["", "", readable],
    ["vm", `/vm/${uuid}`],
    ["name", name],
    ["domid", String(domid)],
    ["cpu", "", readable],
    ["cpu/0/availability", "online"],
    ["memory", "", readable],
    ["memory/static-max", String(memoryKiB)],
    ["memory/target", String(memoryKiB)],
    ["memory/videoram", "0"],
    ["device", "", readable],
    ["device/suspend/event-channel", "", owned],
    ["control", "", readable],
    ["control/shutdown", "", owned],
    ["control/feature-poweroff", "", owned],
    ["control/feature-reboot", "", owned],
    ["control/feature-suspend", "", owned],
    ["control/feature-s3", "", owned],
    ["control/feature-s4", "", owned],
    ["control/sysrq", "", owned],
    ["control/platform-feature-multiprocessor-suspend", "1"],
    ["control/platform-feature-xs_reset_watches", "1"],
    ["data", "", owned],
    ["drivers", "", owned],
    ["feature", "", owned],
    ["attr", "", owned],
    ["error", "", owned],
    ["hvmloader", "", readable],
    ["hvmloader/bios", "seabios"],
    ["platform/acpi", "1"],
    ["platform/acpi_s3", "1"],
    ["platform/acpi_s4", "1"],
    ["platform/acpi_laptop_slate", "0"],
    ["store/port", String(store.evtchnPort)],
    ["store/ring-ref", String(store.gfn)],
    ["console/port", String(console.evtchnPort)],
    ["console/ring-ref", String(console.gfn)],
    ["console/type", "xenconsoled"],
    ["console/output", "pty"],
    ["console/limit", "1048576"],
  ];
}

function frontendRows(domid: number, vdev: number): Row[] {
  return [
    ["", "", [`n${domid}`, "r0"]],
    ["backend", backendPath(domid, vdev)],
    ["backend-id", String(DOM0)],
    ["state", XENBUS_STATE_INITIALISING],
    ["virtual-device", String(vdev)],
    ["device-type", "disk"],
    ["trusted", "1"],
  ];
}

/** The last three rows are the hotplug script's, which has run when the domain starts. */
function backendRows(domid: number, disk: VirtualDisk, index: number): Row[] {
  const params = utf8(disk.params);
  return [
    ["", "", ["n0", `r${domid}`]],
    ["frontend", frontendPath(domid, vdevNumber(disk.vdev))],
    ["frontend-id", String(domid)],
    ["online", "1"],
    ["removable", "0"],
    ["bootable", "1"],
    ["state", XENBUS_STATE_INITIALISING],
    ["dev", disk.vdev],
    ["type", "phy"],
    ["mode", disk.readOnly ? "r" : "w"],
    ["device-type", "disk"],
    ["discard-enable", "1"],
    ["specification", "xen"],
    ["script", "/etc/xen/scripts/block"],
    ["params", params],
    ["physical-device", `7:${index.toString(16)}`],
    ["physical-device-path", params],
    ["hotplug-status", "connected"],
  ];
}

function writeRows(store: PrivilegedStore, directory: string, rows: readonly Row[]): void {
  for (const [path, value, permissions] of rows) {
    const node = path === "" ? directory : `${directory}/${path}`;
    store.write(node, value);
    if (permissions !== undefined) store.setPermissions(node, permissions);
  }
}

/** A value of the store is a string of bytes. */
function utf8(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

/** How a family of disk names is numbered. */
interface VdevScheme {
  readonly prefix: string;
  /** First and last disk, `a` being 0, and the highest partition. */
  readonly disks: readonly [number, number];
  readonly partitions: number;
  number(disk: number, partition: number): number;
}

const VDEV_SCHEMES: readonly VdevScheme[] = [
  { prefix: "xvd", disks: [0, 15], partitions: 15, number: (d, p) => 202 << 8 | d << 4 | p },
  { prefix: "xvd", disks: [0, 0xfffff], partitions: 255, number: (d, p) => 1 << 28 | d << 8 | p },
  { prefix: "sd", disks: [0, 15], partitions: 15, number: (d, p) => 8 << 8 | d << 4 | p },
  { prefix: "hd", disks: [0, 1], partitions: 63, number: (d, p) => 3 << 8 | d << 6 | p },
  { prefix: "hd", disks: [2, 3], partitions: 63, number: (d, p) => 22 << 8 | (d - 2) << 6 | p },
];

const VDEV_NAME = /^(xvd|sd|hd)([a-z]{1,4})([1-9]\d{0,2})?$/;

/**
 * The number of a virtual block device: `hda` is 768, `hdb` 832, `xvda` 51712.
 * @throws {UsageError} when no numbering has such a disk
 */
export function vdevNumber(name: string): number {
  const [, prefix, letters = "", digits = "0"] = VDEV_NAME.exec(name) ?? [];
  const disk = diskIndex(letters);
  const partition = Number(digits);
  const scheme = VDEV_SCHEMES.find(({ prefix: family, disks: [first, last], partitions }) =>
    family === prefix && disk >= first && disk <= last && partition <= partitions
  );
  if (scheme === undefined) {
    throw new UsageError(`No virtual disk is named "${name}"`, "hda, hdb, sda or xvda");
  }
  return scheme.number(disk, partition);
}

/** a … z, aa, ab …: 0, 1 … */
function diskIndex(letters: string): number {
  let index = 0;
  for (const letter of letters) index = index * 26 + letter.charCodeAt(0) - 96;
  return index - 1;
}
