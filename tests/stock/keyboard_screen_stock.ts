/**
 * Stock software on keyboard and screen: a boot sector under SeaBIOS and its video BIOS, and Debian's
 * kernel with a shell on its VGA console.
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { loadBios } from "../../core/load/bios.ts";
import {
  bootMachine,
  costPresets,
  DEFAULT_COST,
  DEFAULT_MEDIA,
  loadGuest,
  type Machine,
  type MachineConfig,
  mediaPresets,
  memoryDisk,
} from "../../core/mod.ts";
import { type Part, stockFile } from "./kit.ts";

const APPEND = "console=ttyS0 console=tty0 rdinit=/bin/sh panic=-1 mitigations=off " +
  "cryptomgr.notests acpi=off nolapic noapic";
const DISK_BYTES = 1 << 20;
const SIGNATURE = 510;
/** Virtual time. */
const LIMIT = 30e9;

/** A test that needs a part; ignored without it. */
function stockTest(part: Part, name: string, fn: (file: (name: string) => Uint8Array) => void) {
  const read = (file: string) => Deno.readFileSync(stockFile(part, file)!);
  Deno.test({ name, ignore: stockFile(part, "") === undefined, fn: () => fn(read) });
}

function start(config: Pick<MachineConfig, "guest" | "ramBytes"> & Partial<MachineConfig>) {
  const cost = costPresets()[DEFAULT_COST]!;
  return bootMachine({ machine: "pc", disks: [], cost, maxTime: LIMIT, ...config });
}

function type(machine: Machine, text: string): void {
  machine.input("keyboard", new TextEncoder().encode(text));
}

/** Runs until a row of the screen begins so. */
function runUntilShown(machine: Machine, begin: string): void {
  const rows = () => machine.screen()?.lines ?? [];
  while (!rows().some((row) => row.startsWith(begin))) {
    const end = machine.runSlice();
    assert(end === undefined, `${end?.message}:\n${rows().join("\n")}`);
  }
}

/** Runs to the end; returns what the run says of it. */
function runToEnd(machine: Machine): string | undefined {
  for (;;) {
    const end = machine.runSlice();
    if (end !== undefined) return end.message;
  }
}

stockTest("seabios", "A boot sector under SeaBIOS reads keys and writes on the screen", (file) => {
  const image = new Uint8Array(DISK_BYTES);
  // deno-fmt-ignore
  image.set([
    0xb4, 0x00, 0xcd, 0x16, // next: mov ah, 0; int 16h
    0xb4, 0x0e, 0xbb, 0x07, 0x00, 0xcd, 0x10, // mov ah, 0eh; mov bx, 7; int 10h
    0xeb, 0xf3, // jmp next
  ]);
  image.set([0x55, 0xaa], SIGNATURE);
  const machine = start({
    ramBytes: 16 << 20,
    guest: loadBios(file("usr/share/seabios/bios-256k.bin"), "seabios"),
    vgaRom: file("usr/share/seabios/vgabios-stdvga.bin"),
    disks: [{ backend: memoryDisk(image), media: mediaPresets()[DEFAULT_MEDIA]! }],
  });
  runUntilShown(machine, "Booting from Hard Disk...");
  type(machine, "Hallo\b\b\b\bello, BIOS! {[~]}");
  runUntilShown(machine, "Hello, BIOS! {[~]}");
  assertEquals(machine.screen()?.cursor, { row: 2, column: 18 });
});

stockTest("linux", "Debian's kernel has a console on keyboard and screen, and restarts", (file) => {
  let log = "";
  const ramBytes = 128 << 20;
  const machine = start({
    ramBytes,
    guest: loadGuest(file("vmlinuz"), {
      name: "vmlinuz",
      ramBytes,
      append: APPEND,
      initrd: "initramfs.gz",
      readFile: file,
    }),
    onSerialByte: (byte) => log += String.fromCharCode(byte),
  });
  runUntilShown(machine, "/ #");
  type(machine, "echo Six times seven makes $((6*8))\b\b\b7))\r");
  runUntilShown(machine, "Six times seven makes 42");
  type(machine, "\x1b[A\x01# \r");
  runUntilShown(machine, "/ # # echo Six");
  type(machine, "busybox reboot -f\r");
  assertEquals(
    runToEnd(machine),
    "Guest asked for a reset by port 64h: this machine does not start again",
  );
  for (
    const line of [
      "Console: colour VGA+ 80x25",
      "ttyS0 at I/O 0x3f8 (irq = 4, base_baud = 115200) is a 16550A",
      "serio: i8042 KBD port at 0x60,0x64 irq 1",
      "serio: i8042 AUX port at 0x60,0x64 irq 12",
      "input: AT Translated Set 2 keyboard as /devices/platform/i8042/serio0/input/input0",
    ]
  ) assert(log.includes(line), `no "${line}" in\n${log}`);
});
