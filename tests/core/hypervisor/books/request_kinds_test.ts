import { assertEquals } from "@std/assert";
import { ExitDistribution, RequestKinds } from "../../../../core/hypervisor/books/request_kinds.ts";
import { DiskRequest } from "../../../../core/hypervisor/books/requests.ts";

Deno.test("ExitDistribution.spread() takes the lower of two in the middle", () => {
  const distribution = new ExitDistribution();
  assertEquals(distribution.spread(), { min: 0, median: 0, max: 0 });
  for (const exits of [40, 26, 31, 26]) distribution.add(exits);
  assertEquals(distribution.spread(), { min: 26, median: 26, max: 40 });
  distribution.add(50);
  assertEquals(distribution.spread(), { min: 26, median: 31, max: 50 });
});

Deno.test("RequestKinds joins sizes up to a power of two, and keeps commands apart", () => {
  const kinds = new RequestKinds();
  const request = Object.assign(new DiskRequest(), { disk: "hda", path: "ide-dma", op: "read" });
  for (const [code, bytes] of [[0xc8, 4096], [0xc8, 2560], [0xc8, 4608], [0x25, 4096]]) {
    kinds.add(Object.assign(request, { code, bytes, submittedAt: 5, completedAt: 12 }));
  }
  kinds.add(Object.assign(request, { op: "flush", code: 0xe7, bytes: 0 }));
  assertEquals(
    kinds.all.map(({ code, size, requests, bytes, latencyNs }) => {
      return [code, size, requests, bytes, latencyNs];
    }),
    [
      [0xc8, 4096, 2, 6656, 14],
      [0xc8, 8192, 1, 4608, 7],
      [0x25, 4096, 1, 4096, 7],
      [0xe7, 0, 1, 0, 7],
    ],
  );
});
