/**
 * Debian's ata_piix on the emulated disk: its exits, one by one, as they were counted on real Xen,
 * and what it says of a disk with faults.
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { memoryDisk } from "../../core/machine/storage.ts";
import { stockFile } from "./kit.ts";
import { type CommandCost, runScript } from "./script.ts";
import { DMA_READ_PORTS } from "../helpers/libata.ts";

const ignore = stockFile("linux", "vmlinux") === undefined;
const MIB = 1 << 20;

function disk(mib: number) {
  return { backend: memoryDisk(new Uint8Array(mib * MIB)) };
}

function read(bytes: number, count: number, more = ""): string {
  return `dd if=/dev/sda of=/dev/null bs=${bytes} count=${count} iflag=direct ${more}`;
}

function write(bytes: number, count: number, how: string): string {
  return `dd if=/dev/zero of=/dev/sda bs=${bytes} count=${count} ${how}`;
}

function has({ lines }: CommandCost, text: string): boolean {
  return lines.some((line) => line.includes(text));
}

const FAULTS = [
  { kind: "unc", sector: 1003, count: 2, times: Infinity },
  { kind: "abort", sector: 2000, count: 8, times: Infinity },
  { kind: "timeout", sector: 3000, count: 1, times: 1 },
] as const;

/** Reads 4 KiB of the disk with faults and shows what the kernel says to that, once. */
function tryFault(sector: number): string {
  const read = `dd if=/dev/sdb of=/dev/null bs=4k count=1 skip=${sector >>> 3} iflag=direct`;
  return `dmesg -n 1; dmesg -c >/dev/null; ${read}; dmesg`;
}

/** The first bytes of the disk itself, not of the cache. */
const SHOW = "dd if=/dev/sda bs=4k count=1 iflag=direct | hexdump | grep ^0000000";

/** One boot for both tests of DMA. */
const dma = (() => {
  let costs: CommandCost[] | undefined;
  return () =>
    costs ??= runScript([
      "dmesg",
      read(4096, 32),
      read(65536, 8),
      write(4096, 16, "oflag=direct"),
      write(4096, 1, "conv=fsync"),
      read(MIB, 1), // two commands of more than 256 sectors
      `${write(4096, 1, "conv=fsync")}; echo old | dd of=/dev/sda conv=fsync; ${SHOW}; ` +
      `busybox blkdiscard -l 65536 /dev/sda; ${SHOW}`,
      tryFault(1003),
      "dd if=/dev/zero of=/dev/sdb bs=4096 seek=125 count=1 oflag=direct",
      tryFault(1003),
      tryFault(2000),
      tryFault(3000),
    ], { disks: [disk(64), { ...disk(16), faults: FAULTS }] });
})();

Deno.test({
  name: "ata_piix in DMA mode makes the exits that it makes on Xen",
  ignore,
  fn() {
    const [messages, ...costs] = dma().slice(0, 6);
    assert(has(messages!, "ata1: PATA max MWDMA2 cmd 0x1f0 ctl 0x3f6 bmdma 0xc100 irq 14"));
    assert(has(messages!, "ata1.00: ATA-7: QEMU HARDDISK, 2.5+, max UDMA/100"));
    assert(has(messages!, "ata1.00: 131072 sectors, multi 16: LBA48"));
    assert(!has(messages!, "exception") && !has(messages!, "failed command"));
    assertEquals(costs.map(({ exits }) => exits), [32 * 26, 8 * 26, 16 * 26, 26 + 12, 2 * 31]);
    assertEquals(
      costs[0]!.ports,
      times(32, DMA_READ_PORTS),
    );
  },
});

Deno.test({
  name: "blkdiscard gives sectors back to a disk that can",
  ignore,
  fn() {
    const { lines } = dma()[6]!;
    const shown = lines.filter((line) => line.startsWith("0000000"));
    assertEquals(shown.map((line) => line.split(" ")[1]), ["6c6f", "0000"]); // "ol"
  },
});

Deno.test({
  name: "ata_piix tries a bad sector once, a refused command six times, a lost one after a reset",
  ignore,
  fn() {
    const [bad, , good, refused, lost] = dma().slice(7);
    assert(has(bad!, "Add. Sense: Unrecovered read error"));
    assert(has(bad!, "I/O error, dev sdb, sector 1003"));
    assert(has(good!, "1+0 records in"));
    assert(has(refused!, "error: { ABRT }") && has(refused!, "I/O error, dev sdb, sector 2000"));
    assertEquals(attempts(bad!), 1);
    assertEquals(attempts(refused!), 6);
    assert(has(lost!, "Emask 0x4 (timeout)") && has(lost!, "ata1: soft resetting link"));
    assert(has(lost!, "1+0 records in"));
  },
});

Deno.test({
  name: "ata_piix in PIO mode makes 14 exits, 5 for each block and 1 for each sector",
  ignore,
  fn() {
    const costs = runScript([
      read(4096, 32),
      read(65536, 8),
      write(4096, 32, "oflag=direct"),
      write(65536, 8, "oflag=direct"),
    ], { disks: [disk(64)], libata: "dma=0" });
    const small = 32 * (14 + 5 + 8);
    const large = 8 * (14 + 8 * 5 + 128);
    assertEquals(costs.map(({ exits }) => exits), [small, large, small, large]);
  },
});

/** The kernel's reports of a command with an error, of one command line. */
function attempts({ lines }: CommandCost): number {
  return lines.filter((line) => line.includes("res 51/")).length;
}

function times(count: number, ports: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(ports).map(([key, each]) => [key, each * count]));
}
