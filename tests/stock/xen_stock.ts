/**
 * Debian's kernel as a guest that knows of Xen: its emulated disk is unplugged, and the same disk
 * comes over blkfront.
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { withInit } from "../../core/cli/bench_initrd.ts";
import type { RequestRecord } from "../../core/machine/exit_report.ts";
import { Emulator, tailOf } from "./emulator.ts";
import {
  APPEND,
  assertComplete,
  assertImage,
  linuxFile,
  linuxTest,
  readRequests,
  startKernel,
} from "./linux.ts";

for (const kernel of ["vmlinuz", "vmlinux"] as const) {
  linuxTest(`${kernel} that is shown Xen finds its disk over blkfront`, async (folder) => {
    const xen = ["-machine", "xenfv", "--json", "--quiet"];
    await using run = startKernel(folder, kernel, "oracle.disk=/dev/xvda", ...xen);
    const end = await run.end();
    assertComplete(end);
    await assertImage(folder);
    const paths = JSON.parse(end.report).exits.requests.map(({ path }: { path: string }) => path);
    assert(paths.length > 0);
    assertEquals(new Set(paths), new Set(["pv"]));
  });
}

const FEATURES = "blkfront: xvda: flush diskcache: enabled; persistent grants: enabled; " +
  "indirect descriptors: enabled; bounce buffer: enabled";

/** Reads of 4, 64 and 128 KiB at depth 1, and a write with fsync; `$1` is blkfront's parameter. */
const SCRIPT = (blkfront: string) =>
  `#!/bin/sh
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for m in $(cat /lib/modules/order); do
  p=; [ $m = xen_blkfront ] && p=${blkfront}
  insmod /lib/modules/$m.ko $p
  [ $m = xen_blkfront ] && break
done
n=0; while [ ! -b /dev/xvda ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
echo "nr_requests $(cat /sys/block/xvda/queue/nr_requests)"
read() { dd if=/dev/xvda of=/dev/null bs=$1 count=$2 skip=4 iflag=direct; }
read 4k 32; read 64k 8; read 128k 4
dd if=/dev/zero of=/dev/xvda bs=4k count=1 seek=16 oflag=direct conv=fsync
poweroff -f
`;

/** What each request is on the ring, and how many there are at least: one hypercall for each. */
const REQUESTS: readonly (readonly [op: string, code: number, bytes: number, least: number])[] = [
  ["read", 0, 4096, 32],
  ["read", 6, 65536, 8],
  ["read", 6, 131072, 4],
  ["write", 1, 4096, 1],
  ["flush", 3, 0, 1],
];

/** The I/O scheduler has two requests for each entry of the ring, up to 256. */
const RINGS = [["", 64], ["max_ring_page_order=4", 256]] as const;

for (const [blkfront, nrRequests] of RINGS) {
  linuxTest(`blkfront "${blkfront}" makes one hypercall for a request`, async (folder) => {
    const { serial, requests } = await runReads(folder, SCRIPT(blkfront), "");
    assertStringIncludes(serial, FEATURES);
    assertStringIncludes(serial, `nr_requests ${nrRequests}`);
    for (const [op, code, bytes, least] of REQUESTS) {
      const same = requests.filter((request) =>
        request.op === op && request.code === code && request.bytes === bytes
      );
      assert(same.length >= least, `${same.length} ${op} ${bytes}`);
      assert(same.every(hasOneHypercall), `${op} ${bytes}`);
    }
  });
}

linuxTest("blkfront takes two requests for 64 KiB where nothing is offered", async (folder) => {
  const drive = ",persistent=off,indirect=off,ring-pages=1,queues=1";
  const { serial, requests } = await runReads(folder, SCRIPT(""), drive);
  assertStringIncludes(serial, FEATURES.replace(/(grants|descriptors|buffer): en/g, "$1: dis"));
  const reads = requests.filter(({ op }) => op === "read");
  assertEquals(new Set(reads.map(({ code }) => code)), new Set([0]));
  const ofBytes = (wanted: number) => reads.filter(({ bytes }) => bytes === wanted).length;
  assertEquals([ofBytes(65536), ofBytes(45056) >= 8, ofBytes(20480) >= 8], [0, true, true]);
});

/** @param drive further keys of the disk */
async function runReads(
  folder: string,
  script: string,
  drive: string,
): Promise<{ serial: string; requests: RequestRecord[] }> {
  const initrd = await Deno.readFile(linuxFile("initramfs.gz"));
  await Deno.writeFile(join(folder, "initrd.gz"), withInit(initrd, script));
  await using run = new Emulator(folder, [
    ...["-machine", "xenfv", "-kernel", linuxFile("vmlinuz"), "-initrd", "initrd.gz"],
    ...["-m", "256", "-append", APPEND, "-drive", `file=disk.img${drive}`],
    ...["--requests", "requests.jsonl"],
  ]);
  const end = await run.end();
  assertEquals(end.code, 0, tailOf(end));
  return { serial: end.serial, requests: await readRequests(join(folder, "requests.jsonl")) };
}

function hasOneHypercall({ path, exitsBy }: RequestRecord): boolean {
  return path === "pv" && exitsBy["VMCALL"] === 1;
}
