/**
 * `deno task compare --kernel`: Debian's kernel, its drivers and what they cost.
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { compareSchema } from "../../core/report/schema.ts";
import type { CompareRecord, PathRecord } from "../../core/report/compare.ts";
import { compareLinux } from "../../core/cli/compare_linux.ts";
import { compareImageBytes } from "../../core/cli/compare_image.ts";
import type { CompareOutcome, CompareWorkload } from "../../core/cli/compare_workload.ts";
import { writeCpio } from "../../core/load/cpio.ts";
import type { NamedFile } from "../../core/load/initrd.ts";
import { costPresets, mediaPresets, memoryDisk } from "../../core/machine/storage.ts";
import { stableJson } from "../../core/report/json.ts";
import { linuxFile, linuxTest } from "./linux.ts";

const PROGRAM = new URL("../../guests/bin/linuxcmp.bin", import.meta.url);
const WORKLOAD = { op: "read", bs: 4096, count: 16, depth: 1 } as const;

async function compare(
  workload: Partial<CompareWorkload>,
  append?: string,
  kernel: "vmlinux" | "vmlinuz" = "vmlinux",
  initrd?: NamedFile,
): Promise<CompareOutcome> {
  const file = async (name: string) => ({ name, bytes: await Deno.readFile(linuxFile(name)) });
  return await compareLinux({
    kernel: await file(kernel),
    initrd: initrd ?? await file("initramfs.gz"),
    program: await Deno.readFile(PROGRAM),
    ...(append === undefined ? {} : { append }),
    disk: {
      name: "memory",
      backends: [memoryDisk(compareImageBytes()), memoryDisk(compareImageBytes())],
    },
    cost: costPresets()["xen-4.17"]!,
    media: mediaPresets()["ssd"]!,
    ramBytes: 256 << 20,
    ...WORKLOAD,
    ...workload,
  });
}

function recordOf({ record, failure }: CompareOutcome): CompareRecord {
  if (record === undefined) throw new Error(failure);
  assert(record.sameData, "the paths moved different data");
  return record;
}

/** Of one request: what its disk got, and the exits that served that. */
function perRequest({ requests, disk }: PathRecord): Record<string, number> {
  const share = (count: number) => count / requests;
  return {
    requests: share(disk.requests),
    driverExits: share(disk.driverExits),
    bytes: share(disk.bytes),
  };
}

/** Exits that Linux takes for a request over each path, whatever its version. */
const EXPECTED: readonly {
  readonly workload: Partial<CompareWorkload>;
  readonly bytes: number;
}[] = [
  { workload: {}, bytes: 4096 },
  { workload: { op: "randread", depth: 8 }, bytes: 4096 },
  { workload: { bs: 65536 }, bytes: 65536 },
  { workload: { op: "randwrite" }, bytes: 4096 },
];

for (const { workload, bytes } of EXPECTED) {
  const what = JSON.stringify(workload);
  linuxTest(`compare ${what} has 26 port accesses of libata, and of blkfront a call`, async () => {
    const record = recordOf(await compare(workload));
    compareSchema.parse(record);
    const [ide, pv] = record.paths as [PathRecord, PathRecord];
    assertEquals([ide.path, pv.path], ["ide-dma", "pv-persistent"]);
    assertEquals([ide.requests, pv.requests], [WORKLOAD.count, WORKLOAD.count]);
    assertEquals(perRequest(ide), { requests: 1, driverExits: 26, bytes });
    assertEquals(ide.hypercalls.byName["event_channel_op"], undefined);
    const { driverExits, ...rest } = perRequest(pv);
    assertEquals(rest, { requests: 1, bytes });
    // Several at a time may share an event.
    assert(workload.depth === undefined ? driverExits === 1 : driverExits! <= 1);
    assertEquals(pv.ioreqs, 0);
    assert(pv.iops > ide.iops);
  });
}

linuxTest("compare finds out which way libata and blkfront go", async () => {
  const { paths: [ide, pv] } = recordOf(await compare({ count: 4 }, "libata.dma=0"));
  assertEquals([ide!.path, pv!.path], ["ide-pio-multiple", "pv-persistent"]);
  assertEquals(ide!.exits.byPort["0x1f0:in"], 4 * 8, "a REP INS for each sector");
  const record = recordOf(await compare({ count: 4 }, "xen_blkfront.feature_persistent=0"));
  assertEquals(record.paths.map(({ path }) => path), ["ide-dma", "pv"]);
  assertEquals(record.paths[1]!.grants, { map: 4, unmap: 4, copy: 0 });
});

linuxTest("compare gives the same record twice, whichever file the kernel is in", async () => {
  const count = 4;
  const first = recordOf(await compare({ count }));
  assertEquals(stableJson(recordOf(await compare({ count }))), stableJson(first));
  const other = recordOf(await compare({ count }, undefined, "vmlinuz"));
  const counts = (record: CompareRecord) => record.paths.map(perRequest);
  assertEquals(counts(other), counts(first));
});

linuxTest("compare says which driver is missing", async () => {
  const initrd = { name: "empty.img", bytes: writeCpio({}) };
  const { record, failure } = await compare({}, undefined, "vmlinux", initrd);
  assertEquals(record, undefined);
  assertStringIncludes(failure!, "FAIL: no disk /dev/sda: error 2");
  assertStringIncludes(failure!, 'initrd "empty.img" lacks ata_piix.ko, sd_mod.ko');
});
