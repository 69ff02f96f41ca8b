import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../../core/errors.ts";
import { vdevNumber } from "../../../../core/hypervisor/toolstack/vdev.ts";

for (
  const [name, vdev] of [
    ["hda", 768],
    ["hdb", 832],
    ["hdc", 5632],
    ["hdd", 5696],
    ["hda1", 769],
    ["sda", 2048],
    ["sdp15", 2048 + 255],
    ["xvda", 51712],
    ["xvdb", 51728],
    ["xvdp15", 51712 + 255],
    ["xvdq", (1 << 28) + 16 * 256],
    ["xvdaa", (1 << 28) + 26 * 256],
  ] as const
) {
  Deno.test(`vdevNumber() of ${name} is ${vdev}`, () => {
    assertEquals(vdevNumber(name), vdev);
  });
}

for (const name of ["hde", "sdq", "hda64", "hda0", "vda", "", "hd", "HDA", "xvda1x"]) {
  Deno.test(`vdevNumber() refuses ${JSON.stringify(name)}`, () => {
    assertThrows(() => vdevNumber(name), UsageError);
  });
}
