/**
 * The modules of a Multiboot kernel, as QEMU's `-initrd` lists them: `file arguments,file2`, where
 * a comma in a name or an argument is written twice.
 * Source: QEMU hw/i386/multiboot.c and util/qemu-option.c for the syntax; The Multiboot
 * Specification 0.6.96, §3.3.
 * @module
 */

import { UsageError } from "../errors.ts";

/** A file that the kernel finds in memory. */
export interface BootModule {
  /** Name and arguments, as the kernel is told. */
  readonly text: string;
  readonly bytes: Uint8Array;
}

/**
 * Reads the files of a list.
 * @param list empty for none
 * @throws {UsageError} when an entry has no name
 */
export function readModules(list: string, read: (path: string) => Uint8Array): BootModule[] {
  if (list === "") return [];
  return splitList(list).map((text) => {
    const [path] = text.split(" ", 1);
    if (!path) {
      throw new UsageError(
        `Cannot read -initrd "${list}": an entry without a file name`,
        '-initrd "a.bin first arguments,b.bin"',
      );
    }
    return { text, bytes: read(path) };
  });
}

/** At single commas; a doubled one stays as one. */
function splitList(list: string): string[] {
  const entries = [""];
  for (const [part] of list.matchAll(/,,|,|[^,]+/g)) {
    if (part === ",") entries.push("");
    else entries[entries.length - 1] += part === ",," ? "," : part;
  }
  return entries;
}
