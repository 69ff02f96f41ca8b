/**
 * What the tests of stock software need from outside: Debian packages, downloaded and unpacked but
 * never installed, and images built from them. All of it is kept in the user's cache directory.
 *
 * | part | made from | holds |
 * |---|---|---|
 * | linux | `../shared/oracles/linux/*.sh` | vmlinux, vmlinuz, initramfs.gz, disk.img, boot.img |
 * | seabios | Debian's seabios | usr/share/seabios/bios-256k.bin |
 * | memtest86+ | Debian's memtest86+ | boot/memtest86+ia32.bin |
 * | cdrom | Debian's isolinux, syslinux-common, kernel | isolinux.bin, ldlinux.c32, modules |
 * | acpica-tools | Debian's acpica-tools | usr/bin/iasl |
 * | libxen-dev | Debian's libxen-dev | usr/include/xen/xen.h |
 * | xen-utils-4.17 | Debian's xen-utils-4.17 | usr/lib/xen-4.17/boot/hvmloader |
 * | xen-utils-common | Debian's xen-utils-common | usr/bin/xenalyze |
 * | xenstore-utils | Debian's xenstore-utils and its libraries | usr/bin/xenstore-ls |
 * @module
 */

import { basename, join } from "@std/path";
import { sha256 } from "../../core/cli/files.ts";
import { oraclePath } from "../helpers/oracle.ts";

/** Parts by name, each a folder. */
export const PARTS = [
  "linux",
  "seabios",
  "cdrom",
  "memtest86+",
  "acpica-tools",
  "libxen-dev",
  "xen-utils-4.17",
  "xen-utils-common",
  "xenstore-utils",
] as const;
export type Part = typeof PARTS[number];

const LINUX_SCRIPTS = ["make-initramfs.sh", "make-grub-disk.sh"];
/** The last file that each part gets. */
const PROOF: Readonly<Record<Part, string>> = {
  "linux": "boot.img",
  "seabios": "usr/share/seabios/bios-256k.bin",
  "cdrom": "sr_mod.ko",
  "memtest86+": "boot/memtest86+ia32.bin",
  "acpica-tools": "usr/bin/iasl",
  "libxen-dev": "usr/include/xen/xen.h",
  "xen-utils-4.17": "usr/lib/xen-4.17/boot/hvmloader",
  "xen-utils-common": "usr/bin/xenalyze",
  "xenstore-utils": "usr/bin/xenstore-ls",
};

/** A file of a part, `undefined` while the part has not been prepared. */
export function stockFile(part: Part, name: string): string | undefined {
  const folder = join(cacheFolder(), folderOf(part));
  return exists(join(folder, PROOF[part])) ? join(folder, name) : undefined;
}

/**
 * Makes a part unless it is there.
 * @throws {Error} when its packages or scripts cannot be had
 */
export async function prepare(part: Part): Promise<void> {
  if (stockFile(part, PROOF[part]) !== undefined) return;
  const cache = cacheFolder();
  await Deno.mkdir(cache, { recursive: true });
  const building = await Deno.makeTempDir({ dir: cache, prefix: `${part}-` });
  try {
    await Deno.chmod(building, 0o755);
    const build = BUILDERS[part] ?? ((folder: string) => unpack(part, folder));
    await build(building);
    await Deno.rename(building, join(cache, folderOf(part)));
  } catch (error) {
    await Deno.remove(building, { recursive: true });
    throw error;
  }
}

/** Other scripts make other images, perhaps of a newer kernel, whose modules the CD-ROM needs. */
function folderOf(part: Part): string {
  if (part !== "linux" && part !== "cdrom") return part;
  const scripts = LINUX_SCRIPTS.map((name) => oraclePath(`linux/${name}`))
    .map((path) => path === undefined ? "" : Deno.readTextFileSync(path));
  return `${part}-${sha256(new TextEncoder().encode(scripts.join(""))).slice(0, 8)}`;
}

async function buildLinux(folder: string): Promise<void> {
  for (const script of LINUX_SCRIPTS) {
    const path = oraclePath(`linux/${script}`);
    if (path === undefined) throw new Error(`../shared/oracles/linux/${script} is not there`);
    await tool("bash", [path, folder], folder);
  }
}

/** Files from packages, by their paths in them. */
const CDROM_FILES: readonly string[] = [
  "usr/lib/ISOLINUX/isolinux.bin",
  "usr/lib/syslinux/modules/bios/ldlinux.c32",
];
const CDROM_MODULES: readonly string[] = [
  "drivers/cdrom/cdrom.ko",
  "fs/isofs/isofs.ko",
  "drivers/scsi/sr_mod.ko",
];

/** Modules are of the kernel that the linux part has: both are the newest. */
async function buildCdrom(folder: string): Promise<void> {
  const latest = await tool("apt-cache", ["depends", "linux-image-686-pae:i386"], folder);
  const [, kernel] = /Depends: (linux-image-\S+-686-pae)/.exec(latest) ?? [];
  if (kernel === undefined) throw new Error("linux-image-686-pae:i386 is not known here");
  for (const name of ["isolinux", "syslinux-common", `${kernel}:i386`]) await unpack(name, folder);
  const modules = `lib/modules/${kernel.replace("linux-image-", "")}/kernel`;
  const paths = [...CDROM_FILES, ...CDROM_MODULES.map((path) => `${modules}/${path}`)];
  for (const path of paths) await Deno.rename(join(folder, path), join(folder, basename(path)));
  for (const left of ["usr", "lib", "boot"]) {
    await Deno.remove(join(folder, left), { recursive: true });
  }
}

async function buildXenstoreUtils(folder: string): Promise<void> {
  for (const name of ["xenstore-utils", "libxenstore4", "libxentoolcore1"]) {
    await unpack(name, folder);
  }
}

const BUILDERS: Partial<Record<Part, (folder: string) => Promise<void>>> = {
  linux: buildLinux,
  cdrom: buildCdrom,
  "xenstore-utils": buildXenstoreUtils,
};

async function unpack(name: string, folder: string): Promise<void> {
  const download = () => tool("apt-get", ["download", "-qq", name], folder);
  await download().catch(async () => {
    await tool("apt-get", ["update", "-qq"], folder);
    await download();
  });
  const [archive] = [...Deno.readDirSync(folder)].filter((entry) => entry.name.endsWith(".deb"));
  await tool("dpkg-deb", ["-x", archive!.name, "."], folder);
  await Deno.remove(join(folder, archive!.name));
}

/**
 * Runs a program of the host.
 * @returns what it wrote
 * @throws {Error} when it fails
 */
export async function tool(name: string, args: readonly string[], cwd: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(name, { args: [...args], cwd })
    .output();
  const [written, complaint] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (success) return written!;
  const reason = `${complaint}${written}`.trim().split("\n").at(-1);
  throw new Error(`${name} ${args.join(" ")}: ${reason}`);
}

/** As the XDG base directory specification has it. */
function cacheFolder(): string {
  const home = Deno.env.get("XDG_CACHE_HOME") || join(Deno.env.get("HOME") ?? "/tmp", ".cache");
  return join(home, "trapring", "stock");
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
