/**
 * The initial RAM disk of the boot benchmark: the user's, with another `/init` behind it. Linux
 * unpacks archives one after the other, so the last `/init` counts.
 * @module
 */

import { withFiles } from "../load/cpio.ts";

/** Reads with O_DIRECT: name of the section, bytes of a read, how many. */
export const DD_SECTIONS = [
  { name: "dd_128k", bytes: 131072, reads: 256 },
  { name: "dd_4k", bytes: 4096, reads: 2048 },
] as const;

/** Bytes of a disk that has room for them. */
export const DD_DISK_BYTES: number = 32 << 20;

/** From the start of the emulator's process to `/init`. */
export const INIT_SECTION = "init";

/**
 * Says that it is there, loads the driver of IDE disks and reads the first one. It wants what
 * `make-initramfs.sh` builds: busybox by its names in `/bin`, modules in order in `/lib/modules`.
 */
const INIT = `#!/bin/sh
echo
echo "${endMark(INIT_SECTION, 1)}"
mount -t devtmpfs dev /dev
for m in $(cat /lib/modules/order); do insmod /lib/modules/$m.ko; [ $m = sd_mod ] && break; done
n=0; while [ ! -b /dev/sda ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
${DD_SECTIONS.map(section).join("")}echo "#DONE"
poweroff -f
`;

function section({ name, bytes, reads }: typeof DD_SECTIONS[number]): string {
  const dd = `dd if=/dev/sda of=/dev/null bs=${bytes} count=${reads} iflag=direct 2>/dev/null`;
  return `echo "#B ${name}"; ${dd} && echo "${endMark(name, reads)}"\n`;
}

/** As `bench_marks.ts` reads it: check value, units of work and time stamps in hexadecimal. */
function endMark(name: string, units: number): string {
  return `#E ${name} ${hex(0, 8)} ${hex(units, 8)} ${hex(0, 16)}`;
}

/** The user's RAM disk, and the benchmark's `/init`. */
export function benchInitrd(initrd: Uint8Array): Uint8Array<ArrayBuffer> {
  return withInit(initrd, INIT);
}

/** A RAM disk with another `/init`. */
export function withInit(initrd: Uint8Array, script: string): Uint8Array<ArrayBuffer> {
  return withFiles(initrd, { init: script });
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
