import { assertEquals } from "@std/assert";
import { MonitorChannel } from "../../../core/cli/console_monitor.ts";
import { PLAIN_DISK } from "../../../core/cli/drive_keys.ts";
import { ImageError } from "../../../core/errors.ts";
import { openDisk } from "../../../core/machine/storage.ts";
import { MEDIA_PRESETS } from "../../../devices/disk/media.ts";
import { MemoryDisk } from "../../../devices/disk/memory.ts";
import { boot, flatGuest } from "../../helpers/small_machine.ts";

/** A monitor in front, and what stands on its terminal. */
function newChannel() {
  let text = "";
  const closed: string[] = [];
  const machine = boot(flatGuest(0xeb, 0xfe));
  const channel = new MonitorChannel({
    machine,
    drives: [],
    openVbd: (spec) => {
      const [file, vdev = ""] = spec.split(",");
      if (file === "missing.img") throw new ImageError(`Cannot open "${file}": not found`, "a.img");
      const backend = new MemoryDisk(new Uint8Array(512));
      backend.close = () => void closed.push(file!);
      const disk = { backend, media: MEDIA_PRESETS.ssd, vdev };
      return { disk, drive: { ...PLAIN_DISK, file: file!, vdev, backend } };
    },
    write: (more) => text += more,
    setPaused: () => {},
    isPaused: () => false,
    quit: () => {},
  });
  channel.show(true);
  return {
    machine,
    channel,
    closed,
    type: (line: string) => {
      text = "";
      channel.input(new TextEncoder().encode(`${line}\r`));
      return text.split("\n").slice(1, -1).map((each) => each.trimEnd());
    },
    seen: () => text,
  };
}

Deno.test("The monitor attaches an image that it opens, and closes one that nobody takes", () => {
  const { type, closed, machine } = newChannel();
  assertEquals(type("block-attach a.img,xvdb"), []);
  assertEquals(type("block-attach b.img,xvdb"), [
    "Cannot attach xvdb: device already exists in xenstore",
    "(block-detach xvdb first)",
  ]);
  assertEquals(closed, ["b.img"]);
  assertEquals(type("block-attach missing.img,xvdc"), [
    'Cannot open "missing.img": not found',
    "(a.img)",
  ]);
  assertEquals(type("block-list").length, 2);
  assertEquals(type("info block"), ["xvdb: a.img (1 sectors)"]);
  machine.close();
  assertEquals(closed, ["b.img", "a.img"]);
});

Deno.test("The monitor tells what came of a command above the line that is being typed", () => {
  const { channel, seen } = newChannel();
  channel.input(new TextEncoder().encode("info st"));
  const before = seen();
  channel.tell("gone");
  assertEquals(seen().slice(before.length), "\rgone\x1b[K\n\r(trapring) info st\x1b[K");
  channel.show(false);
  const hidden = seen();
  channel.tell("gone too");
  assertEquals(seen().slice(hidden.length), "gone too\n");
});

Deno.test({
  name: "The monitor puts no screen in the place of a disk image that is open",
  ignore: Deno.permissions.querySync({ name: "write" }).state !== "granted",
  fn() {
    const { type, machine } = newChannel();
    const path = Deno.makeTempFileSync();
    try {
      Deno.writeFileSync(path, new Uint8Array(512));
      const disk = openDisk(path, { readOnly: false, snapshot: false });
      assertEquals(type(`screendump ${path}`), [
        `Error: Could not open '${path}': something else uses that file, as input, disk ` +
        "image or output",
      ]);
      assertEquals(Deno.readFileSync(path), new Uint8Array(512));
      disk.close();
      for (const _ of ["once", "twice"]) assertEquals(type(`screendump ${path}`), []);
      assertEquals(Deno.readTextFileSync(path), "\n".repeat(25));
    } finally {
      Deno.removeSync(path);
      machine.close();
    }
  },
});
