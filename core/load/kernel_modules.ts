/**
 * Linux kernel modules in an initial RAM disk, and the order in which they can be loaded.
 * Source: Linux include/linux/module.h (section .modinfo: `name=value`, each ended by NUL).
 * @module
 */

import { expand } from "./initramfs.ts";

/** A module, ready for the kernel. */
export interface KernelModule {
  /** As the kernel calls it: with underscores. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What {@link findModules} has found. */
export interface ModuleSearch {
  /** Each behind those that it needs. */
  readonly found: readonly KernelModule[];
  /** Built into the kernel, perhaps. */
  readonly missing: readonly string[];
}

const DEPENDS: Uint8Array = new TextEncoder().encode("\0depends=");

/**
 * Finds modules, and what they depend on.
 * @param files regular files by path
 * @param wanted names with underscores
 */
export function findModules(
  files: ReadonlyMap<string, Uint8Array>,
  wanted: readonly string[],
): ModuleSearch {
  const paths = modulePaths(files);
  const seen = new Set<string>();
  const found: KernelModule[] = [];
  const missing: string[] = [];
  const add = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    const path = paths.get(name);
    if (path === undefined) {
      missing.push(name);
      return;
    }
    const bytes = expand({ name: path, bytes: files.get(path)! });
    dependenciesOf(bytes).forEach(add);
    found.push({ name, bytes });
  };
  wanted.forEach(add);
  return { found, missing };
}

function modulePaths(files: ReadonlyMap<string, Uint8Array>): Map<string, string> {
  const paths = new Map<string, string>();
  for (const path of files.keys()) {
    const [, file] = /(?:^|\/)([^/]+)\.ko(?:\.\w+)?$/.exec(path) ?? [];
    if (file !== undefined) paths.set(file.replaceAll("-", "_"), path);
  }
  return paths;
}

function dependenciesOf(module: Uint8Array): string[] {
  const at = indexOf(module, DEPENDS);
  if (at < 0) return [];
  const begin = at + DEPENDS.length;
  const names = new TextDecoder().decode(module.subarray(begin, module.indexOf(0, begin)));
  return names.split(",").filter(Boolean).map((name) => name.replaceAll("-", "_"));
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array): number {
  let at = bytes.indexOf(wanted[1]!);
  for (; at >= 0; at = bytes.indexOf(wanted[1]!, at + 1)) {
    if (wanted.every((byte, i) => bytes[at - 1 + i] === byte)) return at - 1;
  }
  return -1;
}
