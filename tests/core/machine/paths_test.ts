/**
 * The comparison, end to end: five paths to one disk whose bytes are known.
 */

import { assert, assertEquals } from "@std/assert";
import { sha256 } from "../../../core/cli/files.ts";
import { memoryDisk } from "../../../core/machine/storage.ts";
import type { CompareRecord, PathRecord } from "../../../core/report/compare.ts";
import { stableJson } from "../../../core/report/json.ts";
import { DISK_PATHS, type DiskPath } from "../../../core/report/phases.ts";
import {
  compareOn,
  guestsHidden as ignore,
  imageBytes,
  requestSectors,
  sha256OfAll,
  snapshotOf,
  unbooked,
  type Workload,
  writtenPattern,
} from "../../helpers/machine.ts";
import { DMA_READ_PORTS } from "../../helpers/libata.ts";

const SECTORS = 4096;
const PV_PATHS = ["pv", "pv-persistent"] as const;

function pathOf(record: CompareRecord, path: DiskPath): PathRecord {
  return record.paths.find((candidate) => candidate.path === path)!;
}

function workload(op: Workload["op"], bs: number, depth: number, count = 32): Workload {
  return { op, bs, depth, count };
}

// ---- data --------------------------------------------------------------------------------------

for (
  const load of [
    workload("read", 4096, 1),
    workload("read", 512, 4),
    workload("randread", 4096, 16, 64),
    workload("read", 128 * 1024, 2, 20), // starts over at the end of the disk
  ]
) {
  const { op, bs, depth } = load;
  Deno.test(`all paths read what the image holds: ${op}, bs=${bs} depth=${depth}`, {
    ignore,
  }, async () => {
    const image = imageBytes(SECTORS);
    const pieces = requestSectors(load, SECTORS).map((sector) =>
      image.subarray(sector * 512, sector * 512 + bs)
    );
    const { record } = await compareOn(memoryDisk(image), load);
    const wanted = { requests: load.count, bytes: load.count * bs, sha256: sha256OfAll(pieces) };
    assertEquals(
      record.paths.map(({ path, requests, bytes, sha256 }) => ({ path, requests, bytes, sha256 })),
      DISK_PATHS.map((path) => ({ path, ...wanted })),
    );
    assertEquals(record.sameData, true);
    assertEquals(sha256(image), sha256(imageBytes(SECTORS)));
  });
}

for (const load of [workload("write", 4096, 1), workload("randwrite", 16384, 8)]) {
  const { op, bs, depth } = load;
  Deno.test(`all paths write the same, and only that: ${op}, bs=${bs} depth=${depth}`, {
    ignore,
  }, async () => {
    const sectors = requestSectors(load, SECTORS);
    const pieces = sectors.map((sector) => writtenPattern(sector, bs));
    const wanted = imageBytes(SECTORS);
    sectors.forEach((sector, i) => wanted.set(pieces[i]!, sector * 512));
    const image = imageBytes(SECTORS);
    const { record } = await compareOn(memoryDisk(image), load);
    for (const path of record.paths) assertEquals(path.sha256, sha256OfAll(pieces), path.path);
    assertEquals(sha256(image), sha256(wanted));
  });

  Deno.test(`a snapshot keeps ${op} from the image`, { ignore }, async () => {
    const image = imageBytes(SECTORS);
    const { record } = await compareOn(snapshotOf(image), load);
    assertEquals(record.sameData, true);
    assertEquals(sha256(image), sha256(imageBytes(SECTORS)));
  });
}

// ---- exits -------------------------------------------------------------------------------------

/** Writes of one interrupt's end, to slave and master. */
const EOI = 2;

/** What guests/include/ata_driver.h promises of a request in `blocks` DRQ blocks. */
function pioExits(blocks: number, dataExits: number): number {
  return 14 + 5 * blocks + dataExits + EOI * blocks;
}

const DMA_EXITS = 26 + EOI;

/** READ MULTIPLE moves 16 sectors a block, and a REP INSL exits once a page. */
const EXITS = [
  { bs: 512, pio: pioExits(1, 1), multiple: pioExits(1, 1) },
  { bs: 4096, pio: pioExits(8, 8), multiple: pioExits(1, 1) },
  { bs: 16384, pio: pioExits(32, 32), multiple: pioExits(2, 4) },
];

for (const op of ["read", "write"] as const) {
  for (const { bs, pio, multiple } of EXITS) {
    Deno.test(`exits of a ${op} of ${bs} bytes are the driver's port accesses`, {
      ignore,
    }, async () => {
      const { record } = await compareOn(memoryDisk(imageBytes(SECTORS)), workload(op, bs, 1));
      for (const path of record.paths) {
        const { byPort, byReason, total } = path.exits;
        const wanted = { "ide-pio": pio, "ide-pio-multiple": multiple, "ide-dma": DMA_EXITS };
        const accesses = path.path in wanted ? wanted[path.path as keyof typeof wanted] : 0;
        const ports = Object.values(byPort).reduce((sum, count) => sum + count, 0);
        assertEquals(ports / path.requests, accesses, path.path);
        assertEquals(byReason.IO_INSTRUCTION ?? 0, ports, path.path);
        assertEquals(Object.values(byReason).reduce((sum, count) => sum + count, 0), total);
        // An EOI is answered by the hypervisor, all other ports here by the device model.
        assertEquals(path.ioreqs, ports - (byPort["0x020:out"] ?? 0) - (byPort["0x0a0:out"] ?? 0));
      }
    });
  }
}

Deno.test("a DMA read touches each register as libata does", { ignore }, async () => {
  const load = workload("read", 4096, 1);
  const { record } = await compareOn(memoryDisk(imageBytes(SECTORS)), load);
  const { exits, interrupts, portItems } = pathOf(record, "ide-dma");
  const each = Object.entries(exits.byPort).map(([port, count]) => [port, count / load.count]);
  assertEquals(Object.fromEntries(each), {
    "0x020:out": 1,
    "0x0a0:out": 1,
    ...DMA_READ_PORTS,
  });
  assertEquals([interrupts, portItems], [load.count, load.count * DMA_EXITS]);
});

// ---- the ring ----------------------------------------------------------------------------------

Deno.test("a ring request at depth 1 is one hypercall and no port access", { ignore }, async () => {
  const { record } = await compareOn(memoryDisk(imageBytes(SECTORS)), workload("read", 4096, 1));
  for (const name of PV_PATHS) {
    const { requests, hypercalls, exits, events, ioreqs, interrupts } = pathOf(record, name);
    assertEquals(hypercalls, { total: requests, byName: { event_channel_op: requests } });
    assertEquals([exits.byPort, ioreqs, exits.byReason.VMCALL], [{}, 0, requests]);
    assertEquals([events, interrupts], [{ sent: 2 * requests, suppressed: 0 }, requests]);
  }
});

Deno.test("at depth 16 events are held back and hypercalls are fewer", { ignore }, async () => {
  const load = workload("read", 4096, 16, 128);
  const { record } = await compareOn(memoryDisk(imageBytes(SECTORS)), load);
  for (const name of PV_PATHS) {
    const { requests, hypercalls, events } = pathOf(record, name);
    assert(hypercalls.total < requests, `${name}: ${hypercalls.total} hypercalls`);
    assert(events.suppressed > 0, name);
    // Each request and each response is told by an event or held back.
    assertEquals(events.sent + events.suppressed, 2 * requests, name);
  }
});

Deno.test("pages are mapped for each request, or once and kept", { ignore }, async () => {
  const load = workload("read", 16384, 4);
  const { record } = await compareOn(memoryDisk(imageBytes(SECTORS)), load);
  const pages = 4;
  const all = load.count * pages;
  assertEquals(pathOf(record, "pv").grants, { map: all, unmap: all, copy: 0 });
  assertEquals(pathOf(record, "pv-persistent").grants, {
    map: load.depth * pages,
    unmap: 0,
    copy: 0,
  });
  assertEquals(pathOf(record, "pv-persistent").dom0Books.grantUnmap, 0);
  assert(pathOf(record, "pv").dom0Books.grantUnmap > 0);
});

// ---- books and determinism ---------------------------------------------------------------------

Deno.test("two comparisons print the same, and their books close", { ignore }, async () => {
  const load = workload("randwrite", 4096, 8);
  const image = imageBytes(SECTORS);
  const [first, second] = [
    await compareOn(snapshotOf(image), load),
    await compareOn(snapshotOf(image), load),
  ];
  assertEquals(stableJson(second.record), stableJson(first.record));
  assertEquals(second.outcome, first.outcome);
  assertEquals(second.serial, first.serial);
  for (const path of first.record.paths) assertEquals(unbooked(path), 0, path.path);
  assertEquals(unbooked(first.outcome.result.counters), 0);
  assertEquals(first.outcome.result.counters.guestErrors, 0);
});
