/**
 * VM exits of Debian's kernel by disk request: as many as were counted on Xen.
 * @module
 */

import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { withInit } from "../../core/cli/bench_initrd.ts";
import { Emulator, tailOf } from "./emulator.ts";
import { APPEND, linuxFile, linuxTest, readRequests } from "./linux.ts";

/** 32 reads and one write of 4 KiB, 4 reads of 256 KiB and of 64 KiB; `$1` is libata's parameter. */
const SCRIPT = (libata: string) =>
  `#!/bin/sh
mount -t devtmpfs dev /dev
for m in $(cat /lib/modules/order); do
  p=; [ $m = libata ] && p=${libata}
  insmod /lib/modules/$m.ko $p
  [ $m = sd_mod ] && break
done
n=0; while [ ! -b /dev/sda ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
read() { dd if=/dev/sda of=/dev/null bs=$1 count=$2 skip=4 iflag=direct; }
read 4k 32; read 256k 4; read 64k 4
dd if=/dev/zero of=/dev/sda bs=4k count=1 seek=16 oflag=direct conv=fsync
poweroff -f
`;

/** Requests of one kind, and the exits that the driver took for each. */
interface Expected {
  readonly path: string;
  readonly op: string;
  readonly bytes: number;
  readonly exits: number;
  readonly least: number;
}

const DMA: readonly Expected[] = [
  { path: "ide-dma", op: "read", bytes: 4096, exits: 26, least: 32 },
  { path: "ide-dma", op: "read", bytes: 65536, exits: 26, least: 4 },
  { path: "ide-dma", op: "read", bytes: 262144, exits: 31, least: 4 },
  { path: "ide-dma", op: "write", bytes: 4096, exits: 26, least: 1 },
  { path: "ide", op: "flush", bytes: 0, exits: 12, least: 1 },
];
/** 19 and 54 accesses to registers, and one REP INS or OUTS for each sector. */
const PIO: readonly Expected[] = [
  { path: "ide-pio-multiple", op: "read", bytes: 4096, exits: 19 + 8, least: 32 },
  { path: "ide-pio-multiple", op: "read", bytes: 65536, exits: 54 + 128, least: 4 },
  { path: "ide-pio-multiple", op: "write", bytes: 4096, exits: 19 + 8, least: 1 },
  { path: "ide", op: "flush", bytes: 0, exits: 12, least: 1 },
];

for (const [libata, expected] of [["", DMA], ["dma=0", PIO]] as const) {
  linuxTest(`requests of Linux take the exits of Xen's with libata "${libata}"`, async (folder) => {
    await Deno.writeFile(
      join(folder, "initrd.gz"),
      withInit(await Deno.readFile(linuxFile("initramfs.gz")), SCRIPT(libata)),
    );
    await using run = new Emulator(folder, [
      ...["-kernel", linuxFile("vmlinux"), "-initrd", "initrd.gz", "-m", "256"],
      ...["-append", APPEND, "-hda", "disk.img", "--requests", "requests.jsonl"],
    ]);
    const end = await run.end();
    assertEquals(end.code, 0, tailOf(end));
    const requests = await readRequests(join(folder, "requests.jsonl"));
    for (const { path, op, bytes, exits, least } of expected) {
      const same = requests.filter((request) =>
        request.path === path && request.op === op && request.bytes === bytes
      );
      const counts = new Set(same.map(({ driverExits }) => driverExits));
      assertEquals([...counts], [exits], `${path} ${op} ${bytes}`);
      assertEquals(same.length >= least, true, `${same.length} ${path} ${op} ${bytes}`);
    }
  });
}
