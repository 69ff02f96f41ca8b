/**
 * Every bundled guest in the first tier alone and in both: the same output, end, instructions, books
 * and memory.
 */

import { assertEquals } from "@std/assert";
import { sha256 } from "../../../core/cli/files.ts";
import { loadGuest } from "../../../core/load/detect.ts";
import { bootMachine } from "../../../core/machine/machine.ts";
import { costPresets, mediaPresets, memoryDisk } from "../../../core/machine/storage.ts";
import { type GuestMemory, PAGE_SIZE } from "../../../core/types.ts";
import {
  guestBytes,
  guestsHidden as ignore,
  imageBytes,
  sha256OfAll,
} from "../../helpers/machine.ts";
import { runToEnd } from "../../helpers/small_machine.ts";

const RAM_BYTES = 16 << 20;
const SECTORS = 1024;

/** What is compared with the first tier alone: each block compiled at once, and as usual. */
const HEATS = [1, undefined] as const;

const GUESTS = [
  { name: "hello" },
  { name: "ide_pio" },
  { name: "ide_dma" },
  { name: "blkfront" },
  { name: "diskcmp" },
  { name: "hostile", append: "do=past-end" },
  { name: "hostile", append: "do=ring-garbage" },
  { name: "hostile", append: "do=bad-grant" },
] as const;

/** All that a run leaves behind. */
function traceOf(name: string, append: string | undefined, heat: number | undefined): unknown {
  const serial: number[] = [];
  const disk = imageBytes(SECTORS);
  const machine = bootMachine({
    ramBytes: RAM_BYTES,
    guest: loadGuest(guestBytes(name), {
      name,
      ramBytes: RAM_BYTES,
      ...append !== undefined && { append },
    }),
    disks: [{ backend: memoryDisk(disk), media: mediaPresets()["ssd"]! }],
    cost: costPresets()["xen-4.17"]!,
    onSerialByte: (byte) => serial.push(byte),
    ...heat !== undefined && { heat },
  });
  return {
    result: JSON.stringify(runToEnd(machine)),
    serial: String.fromCharCode(...serial),
    memory: sha256OfAll(pages(machine.memory)),
    disk: sha256(disk),
  };
}

/** Guest RAM, without what lies in its holes. */
function pages(memory: GuestMemory): Uint8Array[] {
  const all = Array.from({ length: RAM_BYTES / PAGE_SIZE }, (_, n) => n * PAGE_SIZE);
  return all.flatMap((gpa) => memory.range(gpa, PAGE_SIZE) ?? []);
}

for (const { name, ...options } of GUESTS) {
  const append = "append" in options ? options.append : undefined;
  const title = append === undefined ? name : `${name} ${append}`;
  let first: unknown;
  for (const heat of HEATS) {
    const when = heat === undefined ? "compiled where it is hot" : "compiled at once";
    Deno.test(`${title} runs as in the first tier when ${when}`, { ignore }, () => {
      first ??= traceOf(name, append, 0);
      assertEquals(traceOf(name, append, heat), first);
    });
  }
}
