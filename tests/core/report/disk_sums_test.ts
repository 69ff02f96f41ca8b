import { assertEquals } from "@std/assert";
import { DiskSums } from "../../../core/report/disk_sums.ts";
import { requestRecord } from "../../helpers/report.ts";

Deno.test("DiskSums.record() adds requests up by path and by what their exits were for", () => {
  const sums = new DiskSums();
  sums.add(requestRecord());
  const before = sums.record();
  sums.add(requestRecord({
    ...{ path: "pv", bytes: 512, exits: 1, driverExits: 1, exitsBy: { VMCALL: 1 } },
    ...{ exitNs: 700, interrupts: 0 },
  }));
  assertEquals(sums.record(), {
    requests: 2,
    bytes: 4608,
    byPath: { "ide-dma": 1, pv: 1 },
    exits: 29,
    driverExits: 27,
    exitsBy: { "ide command": 26, "pic master": 2, VMCALL: 1 },
    exitNs: 52_700,
    interrupts: 1,
  });
  assertEquals(before.byPath, { "ide-dma": 1 }, "a record stays as it was");
});
