/**
 * Host of the benchmark that boots a guest in v86, an emulator of the same kind: x86 to WebAssembly,
 * in JavaScript.
 *
 *     bench_v86.ts IMAGE
 *     bench_v86.ts KERNEL INITRD DISK APPEND
 *
 * v86 is no dependency. It is measured where its package is in Deno's cache; its BIOS is the one of
 * Debian's package seabios.
 * @module
 */

import process from "node:process";
import { MarkReader } from "./bench_marks.ts";
import { cpuNs, LINUX_RAM_BYTES, printMissing, printReport, RAM_BYTES } from "./bench_report.ts";

/** The release that `../shared/bench/PEERS.md` measures. A literal would have `deno check` fetch it. */
const PACKAGE: string = "npm:v86@0.5.462";
const BIOS = "/usr/share/seabios/bios.bin";
const VGA_BIOS = "/usr/share/seabios/vgabios-stdvga.bin";
const VGA_BYTES = 2 << 20;
/** Hard disk, CD-ROM, floppy. */
const BOOT_ORDER = 0x132;
/** Gives up its own run; {@link MarkReader} keeps what it said. */
const BAD_INTERRUPT = "#BADINT";

/** As far as this host uses it. */
interface V86Module {
  readonly V86: new (options: Readonly<Record<string, unknown>>) => {
    add_listener(event: "serial0-output-byte", listener: (byte: number) => void): void;
  };
}

async function main(args: readonly string[]): Promise<void> {
  const found = await findModule();
  const bios = readIfThere(BIOS);
  const vgaBios = readIfThere(VGA_BIOS);
  if (found === undefined) printMissing(`deno cache --no-lock ${PACKAGE}`);
  else if (bios === undefined || vgaBios === undefined) printMissing("apt-get install seabios");
  else {
    boot(found, {
      bios: { buffer: bios },
      vga_bios: { buffer: vgaBios },
      ...args.length === 1 ? ofImage(args[0]!) : ofLinux(args),
    });
  }
}

function ofImage(image: string): Readonly<Record<string, unknown>> {
  return { hda: { buffer: readIfThere(image) }, memory_size: RAM_BYTES };
}

function ofLinux(args: readonly string[]): Readonly<Record<string, unknown>> {
  const [kernel, initrd, disk, cmdline] = args as [string, string, string, string];
  return {
    bzimage: { buffer: readIfThere(kernel) },
    initrd: { buffer: readIfThere(initrd) },
    hda: { buffer: readIfThere(disk) },
    cmdline,
    memory_size: LINUX_RAM_BYTES,
  };
}

async function findModule(): Promise<V86Module | undefined> {
  try {
    // deno-lint-ignore house/imports
    return await import(PACKAGE);
  } catch (error) {
    if (error instanceof TypeError && error.message.includes("--cached-only")) return undefined;
    throw error;
  }
}

function readIfThere(path: string): ArrayBuffer | undefined {
  try {
    return Deno.readFileSync(path).buffer;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function boot({ V86 }: V86Module, files: Readonly<Record<string, unknown>>): void {
  const marks = new MarkReader(cpuNs);
  const emulator = new V86({
    ...files,
    wasm_path: new URL("v86.wasm", import.meta.resolve(PACKAGE)).pathname,
    vga_memory_size: VGA_BYTES,
    boot_order: BOOT_ORDER,
    disable_keyboard: true,
    disable_mouse: true,
    disable_speaker: true,
    autostart: true,
  });
  emulator.add_listener("serial0-output-byte", (byte) => {
    marks.push(byte);
    const gaveUp = marks.messages.some((message) => message.startsWith(BAD_INTERRUPT));
    if (!marks.done && !gaveUp) return;
    printReport(marks, "it met an exception");
    process.exit();
  });
}

if (import.meta.main) await main(Deno.args);
