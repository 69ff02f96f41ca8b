/**
 * Debian's kernel while its virtual disks come and go and their backends die: what xl does from
 * outside, its own xen-blkfront inside.
 *
 * A line of the guest's console that begins with `#` is for the test, which acts on it before the
 * guest goes on.
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { UsageError } from "../../core/errors.ts";
import { sha256 } from "../../core/cli/files.ts";
import { withFiles } from "../../core/load/cpio.ts";
import { loadGuest } from "../../core/load/detect.ts";
import type { DiskConfig, ToolstackCommand } from "../../core/machine/config.ts";
import { bootMachine, type Machine } from "../../core/machine/machine.ts";
import { costPresets, DEFAULT_COST, mediaPresets, memoryDisk } from "../../core/machine/storage.ts";
import { linuxFile, linuxTest } from "./linux.ts";

const RAM_BYTES = 256 << 20;
const APPEND = "console=ttyS0 panic=-1 mitigations=off cryptomgr.notests";
const PATIENCE = 120e9;
const DISK_BYTES = 8 << 20;

/** Loads blkfront and what it needs; `wait` waits for a disk to be there, `gone` for it not to be. */
const PROLOGUE = `#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for m in $(cat /lib/modules/order); do
  insmod /lib/modules/$m.ko; [ $m = xen_blkfront ] && break
done
wait_for() { n=0; while [ ! -b $1 ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done; }
gone() { n=0; while [ -b $1 ] && [ $n -lt 150 ]; do sleep 0.1; n=$((n+1)); done; }
sum() { dd if=$1 bs=64k count=$2 iflag=direct 2>/dev/null | sha256sum; }
wait_for /dev/xvda
`;

/** A run of a script on a machine whose xvda has the bytes of the image. */
class XenScript {
  readonly machine: Machine;
  readonly image: Uint8Array;
  /** What the guest wrote that was not for the test, and what the toolstack said. */
  readonly lines: string[] = [];
  readonly #orders: string[] = [];
  #line = "";

  constructor(script: string, xvda: Partial<DiskConfig> = {}) {
    this.image = pattern(DISK_BYTES);
    this.machine = bootMachine({
      ramBytes: RAM_BYTES,
      guest: loadGuest(Deno.readFileSync(linuxFile("vmlinuz")), {
        name: "vmlinuz",
        ramBytes: RAM_BYTES,
        append: APPEND,
        initrd: "initrd",
        readFile: () =>
          withFiles(Deno.readFileSync(linuxFile("initramfs.gz")), {
            init: `${PROLOGUE}${script}\npoweroff -f\n`,
          }),
      }),
      disks: [{ ...this.#disk(this.image), vdev: "xvda", path: "xen", ...xvda }],
      cost: costPresets()[DEFAULT_COST]!,
      maxTime: PATIENCE,
      onSerialByte: (byte) => this.#push(byte),
      onToolstack: (line) => this.lines.push(line),
    });
  }

  /**
   * Runs to the end.
   * @param obey acts on what the guest has ordered, by the word behind the `#`
   * @param onSlice called about every millisecond of virtual time
   */
  run(obey: (order: string) => void, onSlice: () => void = () => {}): string {
    for (;;) {
      const end = this.machine.runSlice();
      for (const order of this.#orders.splice(0)) obey(order);
      if (end !== undefined) {
        const text = this.lines.join("\n");
        assertEquals([end.reason, end.code], ["power-off", 0], text.slice(-4000));
        return text;
      }
      onSlice();
    }
  }

  /** Attaches a disk of memory. */
  attach(vdev: string, bytes: Uint8Array): void {
    this.ask({ verb: "block-attach", disk: { ...this.#disk(bytes), vdev } });
  }

  ask(command: ToolstackCommand): void {
    this.machine.toolstack(command);
  }

  #disk(bytes: Uint8Array): Pick<DiskConfig, "backend" | "media"> {
    return { backend: memoryDisk(bytes), media: mediaPresets()["ssd"]! };
  }

  #push(byte: number): void {
    if (byte !== 10) {
      this.#line += String.fromCharCode(byte);
      return;
    }
    const line = this.#line.trimEnd();
    this.#line = "";
    if (line.startsWith("#")) this.#orders.push(line.slice(1));
    else this.lines.push(line);
  }
}

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 9) * 13) & 0xff);
}

linuxTest("A disk is attached while dd reads another, used, detached and attached again", () => {
  const script = new XenScript(`
(while [ ! -e /stop ]; do dd if=/dev/xvda of=/dev/null bs=64k count=64 iflag=direct 2>/dev/null; done; echo reader done) &
echo "#attach"; wait_for /dev/xvdb
dd if=/dev/xvda of=/dev/xvdb bs=64k count=32 conv=fsync oflag=direct 2>/dev/null
echo "#list"
echo "#detach"; gone /dev/xvdb; [ -b /dev/xvdb ] && echo STILL THERE
echo "#attach"; wait_for /dev/xvdb
echo "sum a $(sum /dev/xvda 32)"; echo "sum b $(sum /dev/xvdb 32)"
echo > /stop; wait
`);
  const second = new Uint8Array(4 << 20);
  let listed: string[] = [];
  const text = script.run((order) => {
    if (order === "attach") script.attach("xvdb", second);
    else if (order === "list") listed = script.machine.inspector.blockList();
    else script.ask({ verb: "block-detach", device: "xvdb", force: false });
  });
  const features = /blkfront: xvdb: flush diskcache: enabled; persistent grants: enabled; /g;
  assertEquals(text.match(features)?.length, 2, text.slice(-3000));
  assertEquals([text.includes("STILL THERE"), text.includes("reader done")], [false, true]);
  const sum = sha256(script.image.subarray(0, 2 << 20));
  for (const disk of ["a", "b"]) assertStringIncludes(text, `sum ${disk} ${sum}`);
  assertEquals(second.subarray(0, 2 << 20), script.image.subarray(0, 2 << 20));
  assertMatch(
    listed[2]!,
    /^51728 0 {3}1 {6}4 {5}\d+ +\d+ +\/local\/domain\/0\/backend\/vbd\/1\/51728 */,
  );
});

for (const persistent of [true, false]) {
  linuxTest(`Backends that die again and again lose no write (persistent: ${persistent})`, () => {
    const script = new XenScript(
      `
dd if=/dev/urandom of=/data bs=64k count=48 2>/dev/null
echo "data $(sha256sum < /data)"
echo "#begin"
dd if=/data of=/dev/xvda bs=64k conv=fsync oflag=direct 2>/dev/null && echo "written"
dd if=/data of=/dev/xvda bs=64k seek=64 conv=fsync 2>/dev/null && echo "written by the cache"
echo "sum $(sum /dev/xvda 48)"
echo "#end"
`,
      { offers: { persistent } },
    );
    let isKilling = false, kills = 0, slices = 0;
    const text = script.run((order) => isKilling = order === "begin", () => {
      if (!isKilling || slices++ % 3 !== 0) return;
      try {
        script.ask({ verb: "backend-restart", device: "xvda", afresh: false });
        kills++;
      } catch (error) {
        if (!(error instanceof UsageError)) throw error; // the last one still dies
      }
    });
    const [, sum] = /data ([0-9a-f]{64})/.exec(text) ?? [];
    assert(kills >= 5, `${kills} times`);
    assertStringIncludes(text, "written by the cache");
    assertStringIncludes(text, `sum ${sum}`);
    assertEquals(sha256(script.image.subarray(0, 48 << 16)), sum);
    assertEquals(sha256(script.image.subarray(64 << 16, 112 << 16)), sum);
    assertEquals(
      /I\/O error|op failed|disabled for further use/.test(text),
      false,
      text.slice(-3000),
    );
  });
}

linuxTest("A disk that is taken away by force fails its writer, and nothing else", () => {
  const script = new XenScript(`
echo "#attach"; wait_for /dev/xvdb
(dd if=/dev/zero of=/dev/xvdb bs=64k count=60 oflag=direct 2>/dev/null; echo "first ended $?";
 while dd if=/dev/zero of=/dev/xvdb bs=64k count=60 oflag=direct 2>/dev/null; do :; done; echo "writer failed") &
sleep 0.2
echo "#force"
wait
gone /dev/xvdb; [ -b /dev/xvdb ] && echo STILL THERE
echo "sum $(sum /dev/xvda 32)"
echo "#list"
`);
  let listed: string[] = [];
  const text = script.run((order) => {
    if (order === "attach") script.attach("xvdb", new Uint8Array(4 << 20));
    else if (order === "list") listed = script.machine.inspector.blockList();
    else script.ask({ verb: "block-detach", device: "xvdb", force: true });
  });
  assertStringIncludes(text, "writer failed");
  assertEquals(text.includes("STILL THERE"), false);
  assertStringIncludes(text, `sum ${sha256(script.image.subarray(0, 2 << 20))}`);
  assertEquals(listed.length, 2);
});

linuxTest(
  "A backend that starts afresh has Linux close the disk; attached anew, it is back",
  () => {
    const script = new XenScript(`
N=/sys/bus/xen/devices/vbd-51712
dd if=/dev/xvda of=/dev/null bs=64k count=128 iflag=direct 2>/dev/null &
echo "#afresh"
n=0; while [ "$(cat $N/state)" != Closed ] && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done
echo "frontend $(cat $N/state)"; wait
echo "#detach"; n=0; while [ -e $N ] && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done
echo "#attach"; n=0; while [ ! -e $N ] && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done
wait_for /dev/xvda; sleep 0.2
echo "sum $(sum /dev/xvda 32)"
`);
    const text = script.run((order) => {
      if (order === "attach") script.attach("xvda", script.image);
      else if (order === "detach") {
        script.ask({ verb: "block-detach", device: "xvda", force: false });
      } else script.ask({ verb: "backend-restart", device: "xvda", afresh: true });
    });
    assertStringIncludes(text, "frontend Closed");
    assertStringIncludes(text, `sum ${sha256(script.image.subarray(0, 2 << 20))}`);
  },
);

linuxTest(
  "A disk that was attached is there after a suspend, its writes too, and goes when detached",
  () => {
    const script = new XenScript(`
echo "#attach"; wait_for /dev/xvdb
dd if=/dev/urandom of=/data bs=64k count=16 2>/dev/null
(dd if=/data of=/dev/xvdb bs=4k oflag=direct conv=fsync 2>/dev/null && echo "written") &
echo "#suspend"; sleep 3; wait
echo "data $(sha256sum < /data)"
echo "sum $(sum /dev/xvdb 16)"
echo "#detach"; gone /dev/xvdb; [ -b /dev/xvdb ] && echo STILL THERE
echo "sum a $(sum /dev/xvda 32)"
`);
    const second = new Uint8Array(1 << 20);
    const suspend = {
      verb: "shutdown",
      request: "suspend",
      fallback: false,
      checkpoint: false,
    } as const;
    const text = script.run((order) => {
      if (order === "attach") script.attach("xvdb", second);
      else if (order === "suspend") script.ask(suspend);
      else script.ask({ verb: "block-detach", device: "xvdb", force: false });
    });
    const [, sum] = /data ([0-9a-f]{64})/.exec(text) ?? [];
    assertStringIncludes(text, `sum ${sum}`);
    assertStringIncludes(text, `sum a ${sha256(script.image.subarray(0, 2 << 20))}`);
    assertEquals([sha256(second), text.includes("STILL THERE")], [sum, false]);
  },
);

/** Names in a configuration, and what Linux calls the disk (xlbd_reserve_minors and its kin). */
const NAMES = { hdb: "xvdb", hdc: "xvdc", sdd: "xvdd", xvde: "xvde", xvdq: "xvdq", xvdaa: "xvdaa" };

linuxTest("Linux finds disks by every family of names, more of them than there are cables", () => {
  const vdevs = Object.keys(NAMES);
  const script = new XenScript(`
echo "#attach"; for d in ${Object.values(NAMES).join(" ")}; do wait_for /dev/$d; done
while read major minor blocks name; do echo "part $name $blocks"; done < /proc/partitions
`);
  const text = script.run(() => {
    for (const [i, vdev] of vdevs.entries()) script.attach(vdev, new Uint8Array((i + 1) << 16));
  });
  for (const [i, vdev] of vdevs.entries()) {
    assertStringIncludes(text, `part ${NAMES[vdev as keyof typeof NAMES]} ${(i + 1) * 64}`);
  }
});
