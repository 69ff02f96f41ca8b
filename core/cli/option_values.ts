/**
 * What stands behind options, as users write it: checked, and with an example when it makes no
 * sense.
 * @module
 */

import { UsageError } from "../errors.ts";
import { MAX_RAM } from "../load/memory_map.ts";
import { REBOOT_ACTIONS, type RebootAction } from "../machine/config.ts";
import { DISK_OPS, type DiskOp } from "../report/compare.ts";
import { parseBytes, parseCount, parseDate, parseMemory } from "./units.ts";

/** Items of `-d` that there are: a subset of QEMU's. */
const LOG_ITEMS = ["in_asm", "xenstore"] as const;
/** One of them. */
export type LogItem = typeof LOG_ITEMS[number];

/** Which instructions `--disasm` prints. */
export interface DisasmRange {
  /** The entry point unless given. */
  readonly address?: number;
  /** Instructions at most. */
  readonly count?: number;
}

const MIB = 1 << 20;
const MIN_RAM = 2 * MIB;
/** Tags of requests in flight fit into the marks of `report/phases.ts`. */
const MAX_DEPTH = 32;
/** A READ DMA with sector count 0 (256 sectors) moves this much, the largest LBA28 transfer. */
const MAX_BLOCK = 256 * 512;

/** `-smp`: a machine has one. */
export function checkProcessors(text: string): void {
  if (/^(cpus=)?1$/.test(text)) return;
  throw new UsageError(
    `Cannot give the guest -smp ${text}: a machine has one processor`,
    "-smp 1, or leave it out",
  );
}

/** `-m` in bytes. */
export function memory(text: string): number {
  const bytes = parseMemory("-m", text);
  if (bytes < MIN_RAM || bytes > MAX_RAM || bytes % MIB !== 0) {
    throw new UsageError(
      `Cannot give the guest -m ${text}: wanted whole MiB from ${MIN_RAM / MIB} to ${
        MAX_RAM / MIB
      }`,
      "-m 64",
    );
  }
  return bytes;
}

/** `-rtc base=DATE` in seconds since 1970. */
export function rtcBase(text: string): number {
  const base = "base=";
  if (text.startsWith(base)) return parseDate(`-rtc ${base}`, text.slice(base.length));
  throw new UsageError(
    `Cannot read -rtc "${text}": wanted ${base} and a date`,
    "-rtc base=2026-01-01T00:00:00",
  );
}

/** `-action reboot=…`: what a reset does. */
export function rebootAction(text: string): RebootAction {
  const event = "reboot=";
  const action = REBOOT_ACTIONS.find((each) => text === `${event}${each}`);
  if (action !== undefined) return action;
  throw new UsageError(
    `Cannot use -action "${text}": wanted ${
      REBOOT_ACTIONS.map((each) => `${event}${each}`).join(" or ")
    }`,
    "-action reboot=reset starts the guest again when it asks for a reset",
  );
}

/** `--op`. */
export function diskOp(text: string): DiskOp {
  const op = DISK_OPS.find((known) => known === text);
  if (op !== undefined) return op;
  throw new UsageError(`Cannot use --op ${text}: wanted ${DISK_OPS.join(", ")}`, "--op randread");
}

/** `--bs` in bytes. */
export function blockSize(text: string): number {
  const bytes = parseBytes("--bs", text);
  if (bytes % 512 !== 0 || bytes > MAX_BLOCK) {
    throw new UsageError(
      `Cannot use --bs ${text}: wanted a multiple of 512 up to ${MAX_BLOCK / 1024}k`,
      "--bs 4k",
    );
  }
  return bytes;
}

/** `--depth`. */
export function depth(text: string): number {
  const requests = parseCount("--depth", text);
  if (requests > MAX_DEPTH) {
    throw new UsageError(
      `Cannot keep ${requests} requests in flight: the ring has ${MAX_DEPTH} slots`,
      `--depth ${MAX_DEPTH}`,
    );
  }
  return requests;
}

/** `-d`. */
export function logItems(text: string): LogItem[] {
  return text.split(",").filter(Boolean).map((item) => {
    const known = LOG_ITEMS.find((each) => each === item);
    if (known) return known;
    throw new UsageError(`Cannot log "${item}": wanted ${LOG_ITEMS.join(", ")}`, "-d in_asm");
  });
}

/** `--disasm`: `0x7c00,20`, or nothing. */
export function disasmRange(text: string): DisasmRange {
  const [, digits, count] = /^(0x[0-9a-f]+|\d+)(?:,(.+))?$/i.exec(text) ?? [];
  const address = Number(digits ?? NaN);
  if (text === "") return {};
  if (!(address <= 0xffffffff)) {
    throw new UsageError(
      `Cannot read --disasm "${text}": wanted ADDRESS or ADDRESS,COUNT`,
      "--disasm starts at the entry point, --disasm=0x7c00,20 prints 20 instructions from there",
    );
  }
  return { address, ...(count === undefined ? {} : { count: parseCount("--disasm", count) }) };
}

/** `-debugcon`: where to. */
export function debugConsole(text: string): string {
  if (/^(stdio|null|file:.+)$/s.test(text)) return text;
  throw new UsageError(
    `Cannot use -debugcon ${text}: wanted stdio, null or file:F`,
    "-debugcon file:bios.log",
  );
}
