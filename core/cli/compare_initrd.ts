/**
 * The initial RAM disk of a comparison under Linux: the drivers of one path, taken from the user's,
 * and the benchmark as `/init`. Nothing else of the user's is needed, nor unpacked by the guest.
 * @module
 */

import { writeCpio } from "../load/cpio.ts";
import { readInitramfs } from "../load/initramfs.ts";
import type { NamedFile } from "../load/initrd.ts";
import { findModules } from "../load/kernel_modules.ts";

/** A RAM disk, made. */
export interface CompareInitrd {
  readonly bytes: Uint8Array;
  /** Drivers that the user's RAM disk does not have; the kernel may. */
  readonly missing: readonly string[];
}

/**
 * Makes the RAM disk.
 * @param program `guests/bin/linuxcmp.bin`
 * @param drivers names of modules, with underscores
 * @param append the kernel's command line, which has parameters of modules, too
 * @throws {UsageError} when the user's RAM disk cannot be unpacked
 */
export function compareInitrd(
  initrd: NamedFile | undefined,
  program: Uint8Array,
  drivers: readonly string[],
  append: string,
): CompareInitrd {
  const files = initrd === undefined ? new Map() : readInitramfs(initrd);
  const { found, missing } = findModules(files, drivers);
  const order = found.map(({ name }) => [`${name}.ko`, ...parametersOf(name, append)].join(" "));
  const modules = found.map(({ name, bytes }) => [`modules/${name}.ko`, bytes] as const);
  const bytes = writeCpio({
    dev: null,
    init: program,
    modules: null,
    "modules/order": order.map((line) => `${line}\n`).join(""),
    ...Object.fromEntries(modules),
  });
  return { bytes, missing };
}

/** As modprobe has them: `libata.dma=0` is `dma=0` for libata. */
function parametersOf(module: string, append: string): string[] {
  return append.split(/\s+/).flatMap((word) => {
    const [, name, parameter] = /^([\w-]+)\.(.+)$/.exec(word) ?? [];
    return name?.replaceAll("-", "_") === module ? [parameter!] : [];
  });
}
