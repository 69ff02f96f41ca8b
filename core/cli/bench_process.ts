/**
 * What the process costs before and beside the guest: time to the first instruction, and memory.
 * @module
 */

import { GuestPanic } from "../errors.ts";
import { denoCommand, runHost, startDeno, TRAPRING, V8_FLAGS } from "./bench_host.ts";
import { RAM_BYTES } from "./bench_report.ts";
import { type ProcessResult, verdict } from "./bench_result.ts";
import { onHost } from "./files.ts";

/** Where the two guests below are loaded and entered, in 32-bit mode. */
const PLACEMENT = "flat@0x100000";
const STARTS = 9;
const MIB = 1 << 20;
const START_TARGET_MS = 150;
const MEMORY_TARGET_MIB = 150;

/** Writes one byte to COM1 and ends. */
const FIRST_BYTE = Uint8Array.of(
  ...[0x66, 0xba, 0xf8, 0x03], // mov dx, 3f8h
  ...[0xee], //                   out dx, al
  ...[0x66, 0xba, 0xf4, 0x00], // mov dx, 0f4h
  ...[0xee], //                   out dx, al
);

/** Writes to all of its RAM above itself, says `#DONE` and ends. */
const ALL_RAM = Uint8Array.of(
  ...[0xbf, 0x00, 0x00, 0x11, 0x00], // mov edi, 110000h
  ...[0xb9, 0x00, 0xc0, 0xfb, 0x00], // mov ecx, (4000000h - 110000h) / 4
  ...[0x89, 0xf8], //                   mov eax, edi
  ...[0xf3, 0xab], //                   rep stosd
  ...[0xbe, 0x25, 0x00, 0x10, 0x00], // mov esi, .done
  ...[0xb9, 0x06, 0x00, 0x00, 0x00], // mov ecx, 6
  ...[0x66, 0xba, 0xf8, 0x03], //       mov dx, 3f8h
  ...[0xf3, 0x6e], //                   rep outsb
  ...[0x66, 0xba, 0xf4, 0x00], //       mov dx, 0f4h
  ...[0xee], //                         out dx, al
  ...[0xeb, 0xfe], //                   jmp $
  ...new TextEncoder().encode("#DONE\n"), // .done
);

/**
 * Measures both.
 * @param folder for the guests
 */
export async function measureProcess(folder: string): Promise<readonly ProcessResult[]> {
  return [
    judged(
      `start to first guest byte, best of ${STARTS}`,
      "ms",
      await startUpMs(folder),
      START_TARGET_MS,
    ),
    judged(
      "memory beside guest RAM, all in use",
      "MiB",
      await overheadMib(folder),
      MEMORY_TARGET_MIB,
    ),
  ];
}

function judged(
  name: string,
  unit: "ms" | "MiB",
  value: number,
  limit: number,
): ProcessResult {
  const { target } = verdict({ of: "unit", value: limit }, value, unit);
  return { name, unit, value, target: target! };
}

/** Wall time of `run GUEST` until the guest's first byte is here: the best of some starts. */
async function startUpMs(folder: string): Promise<number> {
  const guest = writeGuest(folder, "first_byte", FIRST_BYTE);
  let best = Infinity;
  for (let i = 0; i < STARTS; i++) best = Math.min(best, await firstByteMs(guest));
  return best;
}

async function firstByteMs(guest: string): Promise<number> {
  const flags = [V8_FLAGS, "--allow-env=NO_COLOR,TERM", "--allow-read", "--allow-write"];
  const args = ["run", guest, "--load", PLACEMENT, "--quiet"];
  const startedAt = performance.now();
  const child = await startDeno(() => denoCommand(flags, "main.ts", args).spawn());
  const reader = child.stdout.getReader();
  const { done } = await reader.read();
  const elapsed = performance.now() - startedAt;
  const [complaint] = await Promise.all([child.stderr.text(), reader.cancel(), child.status]);
  if (done) throw new GuestPanic(`Cannot start the smallest guest: ${complaint.trim()}`);
  return elapsed;
}

/** Resident memory with every page of the guest in use, less guest RAM. */
async function overheadMib(folder: string): Promise<number> {
  const { rssBytes } = await runHost(TRAPRING, [
    writeGuest(folder, "all_ram", ALL_RAM),
    PLACEMENT,
  ]);
  return (rssBytes - RAM_BYTES) / MIB;
}

function writeGuest(folder: string, name: string, code: Uint8Array): string {
  const path = `${folder}/${name}.bin`;
  onHost(`Cannot write ${path}`, () => {
    Deno.mkdirSync(folder, { recursive: true });
    Deno.writeFileSync(path, code);
  });
  return path;
}
