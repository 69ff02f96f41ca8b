/**
 * A disk as xl's configuration names it: `disk.img,raw,xvda,rw`, or the same by keys.
 *
 * The first four items without a key are target, format, vdev and access; `target=` takes the rest
 * of the text, commas and all. What else `-drive` knows of a backend may be among the items. A
 * prefix, which xl calls deprecated, says what stands behind the disk; the format is left out then.
 * Source: xl-disk-configuration(5) of Xen 4.17.
 * @module
 */

import { DRIVE_NAMES } from "../machine/config.ts";
import { isVdev } from "../machine/storage.ts";
import { BACKEND_KINDS } from "../types.ts";
import { DriveKeys, type DriveRequest, PLAIN_DISK } from "./drive_keys.ts";

const POSITIONAL = ["target", "format", "vdev", "access"] as const;
/** Keys of xl that are there and have one value. */
const ONLY: Readonly<Record<string, readonly string[]>> = {
  format: ["raw", ""],
  access: ["rw", "w", "ro", "r"],
  devtype: ["disk", "cdrom"],
  backendtype: ["phy", "tap", "qdisk"],
};

/** What stands behind a disk, by prefix. */
const PREFIXES: Readonly<Record<string, DriveRequest["backendType"]>> = {
  phy: "phy",
  file: "file",
  tap: "tap",
  tap2: "tap",
  tapdisk: "tap",
  aio: "tap",
};

/** A spec, on its way to a request. */
interface Spec {
  readonly keys: DriveKeys;
  /** xl's own keys. */
  readonly values: Map<string, string>;
}

/**
 * Reads a disk specification; a text without a comma or `target=` is the name of a file.
 * @param command what it stands behind, for messages
 * @throws {UsageError} when it makes no sense
 */
export function readXlDisk(text: string, command: string = "--disk"): DriveRequest {
  const { backendType, rest } = takePrefixes(text);
  const [, before = rest, target] = /^(.*?,\s*|)target=(.*)$/s.exec(rest) ?? [];
  if (target === undefined && rest === text && /^[^,]+$/.test(text)) {
    return { ...PLAIN_DISK, file: text };
  }
  const examples = ["disk.img,raw,xvda,rw", "vdev=xvda,access=rw,target=disk.img"];
  const example = examples.map((each) => `${command} ${each}`).join(" or ");
  const spec: Spec = { keys: new DriveKeys(`${command} "${text}"`, example), values: new Map() };
  if (target !== undefined) spec.values.set("target", target);
  if (backendType !== undefined) spec.values.set("backendtype", backendType);
  const items = target === undefined ? rest : before.replace(/,\s*$/, "");
  const positions = POSITIONAL.filter((name) => backendType === undefined || name !== "format");
  if (items !== "") readItems(spec, items.split(",").map((item) => item.trim()), positions);
  return toRequest(spec);
}

/** There may be several: `tap:aio:disk.img`. */
function takePrefixes(
  text: string,
): { readonly backendType: DriveRequest["backendType"]; readonly rest: string } {
  const [, prefix = "", rest = text] = /^([a-z0-9]+):(.*)$/s.exec(text) ?? [];
  const backendType = Object.hasOwn(PREFIXES, prefix) ? PREFIXES[prefix] : undefined;
  if (backendType === undefined) return { backendType, rest: text };
  return { backendType, rest: takePrefixes(rest).rest };
}

function readItems(spec: Spec, items: readonly string[], positions: readonly string[]): void {
  let position = 0;
  for (const item of items) {
    const [, key, value = ""] = /^([a-z_-]+)=(.*)$/s.exec(item) ?? [];
    if (item === "cdrom") setOwn(spec, "devtype", "cdrom");
    else if (key !== undefined) setKey(spec, key, value, item);
    else {
      const name = positions[position++];
      if (name === undefined) throw spec.keys.cannot(`"${item}" is one item too many`);
      if (item !== "") setOwn(spec, name, item);
    }
  }
}

function setKey(spec: Spec, key: string, value: string, item: string): void {
  if (key === "vdev" || Object.hasOwn(ONLY, key)) setOwn(spec, key, value);
  else if (key === "file" || key === "index" || key === "if") {
    throw spec.keys.cannot(`"${item}" is a key of -drive`);
  } else spec.keys.set(key, value, item);
}

function setOwn({ keys, values }: Spec, key: string, value: string): void {
  const choices = ONLY[key];
  if (choices !== undefined && !choices.includes(value)) {
    const wanted = choices.filter((choice) => choice !== "").join(", ");
    throw keys.cannot(`${key} is "${value}", wanted ${wanted}`);
  }
  if (key === "vdev" && !isVdev(value)) throw keys.cannot(`no virtual disk is named "${value}"`);
  if (values.has(key)) throw keys.cannot(`it has two values for ${key}`);
  values.set(key, value);
}

function toRequest({ keys, values }: Spec): DriveRequest {
  const vdev = values.get("vdev");
  const access = values.get("access") ?? "rw";
  const index = DRIVE_NAMES.indexOf(vdev ?? "");
  keys.set("file", values.get("target") ?? "", "target");
  if (values.get("devtype") === "cdrom") keys.set("media", "cdrom", "cdrom");
  if (!access.includes("w")) keys.set("readonly", "on", "access");
  if (values.get("format") === "raw") keys.set("format", "raw", "format");
  if (index >= 0) keys.set("index", String(index), "vdev");
  else if (vdev !== undefined) keys.set("if", "xen", "vdev");
  const request = keys.request();
  return {
    ...request,
    ...backendOf(request, values.get("backendtype")),
    ...request.kind === "cdrom" && request.path === undefined && { path: "both" },
    ...vdev !== undefined && index < 0 && { vdev },
  };
}

/** What xl says of it goes before what `-drive` would. */
function backendOf(
  { backendType: usual }: DriveRequest,
  named: string | undefined,
): Pick<DriveRequest, "backendType"> {
  const backendType = BACKEND_KINDS.find((kind) => kind === named) ?? usual;
  return backendType === undefined || backendType === "phy" ? {} : { backendType };
}
