import { assertEquals } from "@std/assert";
import { traceLine } from "../../../../core/hypervisor/xenstore/trace.ts";
import { GuestDriver, TYPE } from "../../../helpers/xenstore.ts";

Deno.test("traceLine() reads as the daemon's trace, with virtual time and domain", () => {
  const line = traceLine(3_549_877_999, 1, "IN", TYPE.WATCH, "control/shutdown\0CCD345D8\0");
  assertEquals(line, "IN d1 3.549877 WATCH (control/shutdown CCD345D8 )");
  assertEquals(traceLine(0, 2, "OUT", TYPE.ERROR, "ENOENT\0"), "OUT d2 0.000000 ERROR (ENOENT )");
  assertEquals(traceLine(1500, 1, "IN", 99, ""), "IN d1 0.000001 **UNKNOWN** ()");
  const hostile = traceLine(0, 1, "IN", TYPE.WRITE, "a\0\x1b[2J\xff\n");
  assertEquals(hostile, "IN d1 0.000000 WRITE (a ?[2J??)");
});

Deno.test("XenStoreRing tells of requests, replies and events in their order on the ring", () => {
  const lines: string[] = [];
  const guest = new GuestDriver(undefined, 1, (...message) => {
    lines.push(traceLine(0, 1, ...message).replace(" d1 0.000000", ""));
  });
  const dom0 = guest.store.client();
  dom0.write("/local/domain/1", "");
  dom0.setPermissions("/local/domain/1", ["n1"]);
  for (const request of ["a\0t\0", "b\0"]) guest.ask(TYPE.WATCH, request);
  guest.ask(TYPE.WRITE, "a\x001");
  assertEquals(lines, [
    "IN WATCH (a t )",
    "OUT WATCH (OK )",
    "OUT WATCH_EVENT (a t )",
    "IN WATCH (b )",
    "OUT ERROR (EINVAL )",
    "IN WRITE (a 1)",
    "OUT WATCH_EVENT (a t )",
    "OUT WRITE (OK )",
  ]);
});
