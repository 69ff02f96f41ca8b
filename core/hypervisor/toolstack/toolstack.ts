/**
 * What the toolstack writes into xenstore when it builds an HVM domain, as xl does.
 * Source: tree of a domain built by xl on Xen 4.17.
 * @module
 */

import { type StoreRow, writeRows } from "./rows.ts";
import { backendsPaths } from "./vbd.ts";
import type { PrivilegedStore } from "../xenstore/xenstore.ts";
import { homePath } from "../xenstore/access.ts";

/** What the toolstack knows of a new domain. */
export interface DomainBuild {
  readonly domid: number;
  readonly name: string;
  readonly uuid: string;
  readonly memoryKiB: number;
  /** The two special pages and the guest's ends of their event channels. */
  readonly store: RingEndpoint;
  readonly console: RingEndpoint;
}

/** A ring page and its event channel. */
export interface RingEndpoint {
  readonly gfn: number;
  readonly evtchnPort: number;
}

/** Writes a domain's home. Its devices are added to it one by one: see `vbd.ts`. */
export function buildDomain(store: PrivilegedStore, domain: DomainBuild): void {
  const home = homePath(domain.domid);
  writeRows(store, `/vm/${domain.uuid}`, vmRows(domain));
  writeRows(store, home, homeRows(domain));
}

/** Removes all that is left of a destroyed domain, its backends too. */
export function removeDomain(
  store: PrivilegedStore,
  { domid, uuid }: Pick<DomainBuild, "domid" | "uuid">,
): void {
  for (const path of [...backendsPaths(domid), homePath(domid), `/vm/${uuid}`]) store.remove(path);
}

function vmRows({ domid, name, uuid }: DomainBuild): StoreRow[] {
  return [
    ["", "", ["n0", `r${domid}`]],
    ["uuid", uuid],
    ["name", name],
  ];
}

function homeRows({ domid, name, uuid, memoryKiB, store, console }: DomainBuild): StoreRow[] {
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
