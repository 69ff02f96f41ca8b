/** Disks that come and go while a machine runs, whose guest has no driver for them. */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../../core/errors.ts";
import type { MachineConfig } from "../../../core/machine/config.ts";
import { MEDIA_PRESETS } from "../../../devices/disk/media.ts";
import { MemoryDisk } from "../../../devices/disk/memory.ts";
import { boot, flatGuest } from "../../helpers/small_machine.ts";

/** sti; hlt; jmp: sleeps, and has no driver for anything. */
const SLEEPER = flatGuest(0xfb, 0xf4, 0xeb, 0xfd);

const HEAD = "Vdev  BE  handle state evt-ch ring-ref BE-path                       ";
const row = (devid: number, state: number) =>
  `${String(devid).padEnd(5)} 0   1      ${state}     -1     -1       ` +
  `/local/domain/0/backend/vbd/1/${devid}`.padEnd(30);

function newMachine(config: Partial<MachineConfig> = {}) {
  const told: string[] = [];
  const closed: string[] = [];
  const machine = boot(SLEEPER, { ...config, onToolstack: (line) => told.push(line) });
  return {
    machine,
    told,
    closed,
    attach: (vdev: string) => {
      const backend = new MemoryDisk(new Uint8Array(4096));
      backend.close = () => void closed.push(vdev);
      const disk = { backend, media: MEDIA_PRESETS.ssd, vdev };
      machine.toolstack({ verb: "block-attach", disk });
    },
    detach: (device: string, force = false) =>
      machine.toolstack({ verb: "block-detach", device, force }),
    restart: (device: string, afresh = false) =>
      machine.toolstack({ verb: "backend-restart", device, afresh }),
    list: () => machine.inspector.blockList(),
    pass: (seconds: number) => {
      const until = machine.now + seconds * 1e9;
      while (machine.now < until && machine.runSlice() === undefined);
    },
  };
}

function assertRefuses(action: () => void, message: string): void {
  assertStringIncludes(assertThrows(action, UsageError).message, message);
}

Deno.test("block-attach adds a disk, block-list shows it as xl does", () => {
  const { attach, list, pass, machine } = newMachine();
  assertEquals(list(), [HEAD]);
  attach("xvdb");
  attach("hda");
  assertEquals(list(), [HEAD, row(51728, 1), row(768, 1)]);
  pass(0.001);
  const [state] = machine.inspector.xenstore("/local/domain/0/backend/vbd/1/51728", {
    full: false,
    permissions: false,
  }).filter((line) => line.startsWith("state"));
  assertStringIncludes(state!, '"2"');
});

Deno.test("block-attach refuses a name that is taken, that cannot be, and where Xen is hidden", () => {
  const { attach, list, closed } = newMachine();
  attach("xvdb");
  assertRefuses(() => attach("xvdb"), "Cannot attach xvdb: device already exists in xenstore");
  assertRefuses(() => attach("vda"), 'No virtual disk is named "vda"');
  assertEquals([list().length, closed], [2, []]);
  const hidden = newMachine({ machine: "pc" });
  assertRefuses(() => hidden.attach("xvdb"), "Cannot block-attach: the machine hides Xen");
  assertEquals(hidden.list(), ["block-list: no domain: this machine hides Xen"]);
});

Deno.test("block-detach gives a guest that does not let go ten seconds, and leaves it the disk", () => {
  const { attach, detach, list, told, pass, closed } = newMachine();
  attach("xvdb");
  pass(0.001);
  detach("51728");
  assertRefuses(
    () => detach("xvdb"),
    "Cannot detach xvdb: block-detach waits for the guest already",
  );
  pass(9.9);
  assertEquals(told, []);
  pass(0.2);
  const path = "/local/domain/0/backend/vbd/1/51728";
  assertEquals(told, [
    `libxl: error: Domain 1:unable to remove device with path ${path}`,
    "libxl_device_disk_safe_remove failed.",
  ]);
  assertEquals([list().length, closed], [2, []]);
});

Deno.test("block-detach --force takes a disk away whatever the guest does, and closes its image", () => {
  const { attach, detach, list, told, pass, closed } = newMachine();
  attach("xvdb");
  pass(0.001);
  detach("xvdb", true);
  pass(0.01);
  assertEquals([list(), told, closed], [[HEAD], [], ["xvdb"]]);
  attach("xvdb");
  assertEquals(list().length, 2);
});

Deno.test("block-detach refuses a disk that is not there", () => {
  const { detach } = newMachine();
  assertRefuses(() => detach("xvdz"), "Device xvdz not connected");
  assertRefuses(() => detach("banana"), 'No virtual disk is named "banana"');
});

Deno.test("backend-restart has a new driver soon, and refuses while the old one still dies", () => {
  const { attach, restart, detach, pass, list } = newMachine();
  attach("xvdb");
  pass(0.001);
  restart("xvdb");
  assertRefuses(() => restart("xvdb", true), "Cannot restart the backend of xvdb: it does not run");
  pass(0.001);
  restart("xvdb", true);
  detach("xvdb", true);
  pass(0.01);
  assertEquals(list(), [HEAD]);
});

Deno.test("A domain may have more disks than there are cables, by any name that a vbd can have", () => {
  const names = ["xvda", "xvdq", "sda", "sdb1", "hdd", "xvdaa"];
  const machine = boot(SLEEPER, {
    disks: names.map((vdev) => ({
      backend: new MemoryDisk(new Uint8Array(512)),
      media: MEDIA_PRESETS.ssd,
      path: "xen",
      vdev,
    })),
  });
  const devids = machine.inspector.blockList().slice(1).map((line) => line.split(" ")[0]);
  assertEquals(devids, ["51712", "268439552", "2048", "2065", "5696", "268442112"]);
  assertEquals(machine.drives.map(({ name }) => name), names);
});

Deno.test("A disk that is on IDE too stays there when its vbd is detached", () => {
  const disk = new MemoryDisk(new Uint8Array(4096));
  const machine = boot(SLEEPER, {}, [disk]);
  disk.close = () => assertEquals(true, false, "it is in use");
  machine.toolstack({ verb: "block-detach", device: "hda", force: true });
  while (machine.now < 1e7) machine.runSlice();
  assertEquals(machine.inspector.blockList(), [HEAD]);
  assertStringIncludes(machine.inspector.blockStats()[1]!, "ide0-hd0");
});

Deno.test("A disk that was attached is there when the machine starts again", () => {
  const { attach, machine, pass, list } = newMachine({ reboot: "reset" });
  attach("xvdb");
  pass(0.001);
  machine.toolstack({ verb: "system_reset" });
  pass(0.01);
  assertEquals(list().map((line) => line.split(" ")[0]), ["Vdev", "51728"]);
  assertStringIncludes(list()[1]!, "/local/domain/0/backend/vbd/2/51728");
});

Deno.test("A disk goes from a guest that has slept for so long that time stands still", async () => {
  const { attach, detach, list, machine } = newMachine();
  attach("xvdb");
  let isAsked = false;
  const result = await machine.run({
    listening: () => true,
    interrupted: () => list().length === 1,
    onSlice: () => {
      if (isAsked || machine.now < 90_000e9) return;
      isAsked = true;
      detach("xvdb", true);
    },
  });
  assertEquals([isAsked, result.reason], [true, "interrupted"]);
});

Deno.test("A run in which disks came and went is the same when it is replayed", () => {
  const { attach, restart, detach, pass, machine } = newMachine();
  pass(0.002);
  attach("xvdb");
  pass(0.003);
  restart("xvdb");
  pass(0.001);
  detach("xvdb", true);
  pass(0.02);
  const again = boot(SLEEPER, { inputs: machine.inputs });
  while (again.now < machine.now) again.runSlice();
  assertEquals(again.counters(), machine.counters());
  const tree = (of: typeof machine) =>
    of.inspector.xenstore("/", { full: true, permissions: true });
  assertEquals(tree(again), tree(machine));
});
