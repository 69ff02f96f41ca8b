/**
 * The board's devices as QEMU's monitor prints them, and its disks as iostat does.
 * Source: output of QEMU 7.2's `info pic`, `info irq` and `info pci`; columns of `iostat -x`.
 * @module
 */

import type { TimedDisk } from "../../devices/disk/timed.ts";
import { PCI, type PciBarState, type PciBus, type PciFunction } from "../../devices/pci.ts";
import type { Pic8259Pair, PicRegisters } from "../../devices/pic.ts";
import { hex } from "../bits.ts";
import type { Ns } from "../types.ts";

/** By base class and subclass. */
const CLASS_NAMES: Readonly<Record<number, string>> = {
  0x0101: "IDE controller",
  0x0300: "VGA controller",
  0x0600: "Host bridge",
  0x0601: "ISA bridge",
  0x0680: "Bridge",
};

const BYTES_PER_KB = 1024;
const NS_PER_SECOND = 1e9;
const NS_PER_MS = 1e6;
const STAT_COLUMNS = [
  ..."r/s rkB/s rrqm/s r_await w/s wkB/s wrqm/s w_await d/s d_await f/s f_await aqu-sz %util".split(
    " ",
  ),
];
const STAT_WIDTH = 8;
const DEVICE_WIDTH = 9;

/** A disk, and the name of its place. */
export interface NamedDisk {
  readonly name: string;
  readonly disk: TimedDisk;
}

/** The place of a drive on the IDE cables, by QEMU's name: `ide0-hd1`. */
export function driveName(index: number, kind: "disk" | "cdrom"): string {
  return `ide${index >> 1}-${kind === "cdrom" ? "cd" : "hd"}${index & 1}`;
}

/** `info pic`: the slave first. */
export function picLines({ registers: [master, slave] }: Pic8259Pair): string[] {
  return [picLine(1, slave), picLine(0, master)];
}

function picLine(chip: number, pic: PicRegisters): string {
  const { irr, imr, isr, top, vectorBase, readIsr, elcr, fullyNested } = pic;
  return `pic${chip}: irr=${hex(irr, 2)} imr=${hex(imr, 2)} isr=${hex(isr, 2)} hprio=${top} ` +
    `irq_base=${hex(vectorBase, 2)} rr_sel=${Number(readIsr)} elcr=${hex(elcr, 2)} ` +
    `fnm=${Number(fullyNested)}`;
}

/** `info irq`: how often each line has risen. */
export function irqLines({ rises }: Pic8259Pair): string[] {
  const risen = rises.flatMap((count, irq) =>
    count > 0 ? [`${String(irq).padStart(2)}: ${count}`] : []
  );
  return ["IRQ statistics for isa-i8259:", ...risen];
}

/** `info pci`. */
export function pciLines(bus: PciBus): string[] {
  return bus.functions.flatMap(([devfn, fn]) => functionLines(devfn, fn));
}

function functionLines(devfn: number, fn: PciFunction): string[] {
  const id = (offset: number) => hex(fn.read(offset, 2), 4);
  const classCode = fn.read(PCI.CLASS_CODE + 1, 2);
  const what = CLASS_NAMES[classCode] ?? `Class ${hex(classCode, 4)}`;
  const device = String(devfn >> 3).padStart(3);
  const pin = fn.read(PCI.INTERRUPT_PIN, 1);
  const line = `IRQ ${fn.read(PCI.INTERRUPT_LINE, 1)}, pin ${String.fromCharCode(0x40 + pin)}`;
  return [
    `  Bus  0, device ${device}, function ${devfn & 7}:`,
    `    ${what}: PCI device ${id(PCI.VENDOR_ID)}:${id(PCI.DEVICE_ID)}`,
    `      PCI subsystem ${id(PCI.SUBSYSTEM_VENDOR_ID)}:${id(PCI.SUBSYSTEM_ID)}`,
    ...pin === 0 ? [] : [`      ${line}`],
    ...fn.bars.map((bar) => `      ${barText(bar)}`),
  ];
}

function barText({ number, space, size, prefetchable, base }: PciBarState): string {
  const digits = space === "io" ? 4 : 8;
  const kind = space === "io" ? "I/O" : `32 bit ${prefetchable ? "prefetchable " : ""}memory`;
  const where = base === undefined
    ? `not decoded, 0x${hex(size, digits)} bytes`
    : `at 0x${hex(base, digits)} [0x${hex(base + size - 1, digits)}]`;
  return `BAR${number}: ${kind} ${where}.`;
}

/** `info blockstats`: since power-on. */
export function blockStatLines(disks: readonly NamedDisk[], now: Ns): string[] {
  const head = STAT_COLUMNS.map((title) => title.padStart(STAT_WIDTH)).join("");
  return [`${"Device".padEnd(DEVICE_WIDTH)}${head}`, ...disks.map((disk) => statLine(disk, now))];
}

function statLine({ name, disk: { stats } }: NamedDisk, now: Ns): string {
  const { tallies: { read, write, discard, flush }, busy } = stats;
  const seconds = Math.max(now, 1) / NS_PER_SECOND;
  const await_ = ({ requests, waited }: typeof read) =>
    requests === 0 ? 0 : waited / requests / NS_PER_MS;
  const waited = read.waited + write.waited + discard.waited + flush.waited;
  const columns = [
    read.requests / seconds,
    read.bytes / BYTES_PER_KB / seconds,
    read.merged / seconds,
    await_(read),
    write.requests / seconds,
    write.bytes / BYTES_PER_KB / seconds,
    write.merged / seconds,
    await_(write),
    discard.requests / seconds,
    await_(discard),
    flush.requests / seconds,
    await_(flush),
    waited / Math.max(now, 1),
    Math.min(busy / Math.max(now, 1), 1) * 100,
  ];
  const cells = columns.map((value) => value.toFixed(2).padStart(STAT_WIDTH));
  return name.padEnd(DEVICE_WIDTH) + cells.join("");
}
