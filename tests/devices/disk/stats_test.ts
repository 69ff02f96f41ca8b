import { assertEquals } from "@std/assert";
import { DiskStats } from "../../../devices/disk/stats.ts";

Deno.test("DiskStats.count() sums requests, bytes and waiting by kind", () => {
  const stats = new DiskStats();
  stats.count("read", 512, 0, 100);
  stats.count("read", 1024, 50, 150);
  stats.count("write", 4096, 1000, 1300);
  stats.count("flush", 0, 1300, 1310);
  stats.countMerged("read", 3);
  stats.countMerged("read", 1);
  const { read, write, flush, discard } = stats.tallies;
  assertEquals({ ...read }, { requests: 2, bytes: 1536, merged: 4, waited: 200 });
  assertEquals({ ...write }, { requests: 1, bytes: 4096, merged: 0, waited: 300 });
  assertEquals({ ...flush }, { requests: 1, bytes: 0, merged: 0, waited: 10 });
  assertEquals({ ...discard }, { requests: 0, bytes: 0, merged: 0, waited: 0 });
});

Deno.test("DiskStats.busy counts time with several requests in flight once", () => {
  const stats = new DiskStats();
  stats.count("read", 512, 0, 100);
  stats.count("read", 512, 50, 150);
  assertEquals(stats.busy, 150);
  stats.count("read", 512, 1000, 1001);
  assertEquals(stats.busy, 151);
});
