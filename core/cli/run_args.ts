/**
 * The arguments of `run`.
 * @module
 */

import { Command } from "commander";
import { UsageError } from "../errors.ts";
import { type FlatPlacement, parsePlacement } from "../load/flat.ts";
import type { RebootAction } from "../machine/config.ts";
import {
  addCommon,
  common,
  type CommonOptions,
  DEFAULT_RAM,
  type Flags,
  given,
  GUEST_HINT,
  Listing,
  oneGuest,
} from "./common_args.ts";
import { addConsoleOptions, type ConsoleOptions, consoleOptions } from "./console_options.ts";
import { DriveList, type DriveOptions } from "./drives.ts";
import { type MachineOption, machineOption } from "./machine_option.ts";
import {
  checkProcessors,
  debugConsole,
  type DisasmRange,
  disasmRange,
  type LogItem,
  logItems,
  rebootAction,
  rtcBase,
} from "./option_values.ts";

/** `run GUEST`, `run -kernel GUEST`. */
export interface RunOptions extends CommonOptions {
  readonly command: "run";
  /** A kernel, a boot sector, or the BIOS. */
  readonly guest: string;
  /** The guest is a BIOS: the machine starts as it does at power-on. */
  readonly bios: boolean;
  /** Runs before the BIOS, which it starts. */
  readonly hvmloader?: string;
  /** The board; by the guest's format unless given. */
  readonly machine?: MachineOption;
  readonly drives: readonly DriveOptions[];
  readonly console: ConsoleOptions;
  readonly append?: string;
  /** Initial RAM disk of a Linux kernel; modules of a Multiboot kernel. */
  readonly initrd?: string;
  readonly snapshot: boolean;
  /** What a reset does; by whether there is a terminal unless given. */
  readonly reboot?: RebootAction;
  /** What the real-time clock shows at power-on, seconds since 1970. */
  readonly rtcBase?: number;
  readonly placement?: FlatPlacement;
  /** Print instructions instead of running them. */
  readonly disasm?: DisasmRange;
  /** A BIOS shows its screen on the serial port too. */
  readonly serialScreen: boolean;
  /** Where bytes of the debug consoles go: `stdio`, `null` or `file:F`; by the port unless given. */
  readonly debugConsole?: string;
  /** File that gets a line for every disk request. */
  readonly requests?: string;
  /** File that gets the binary trace of the VM exits. */
  readonly xentrace?: string;
  /** File that gets what is in xenstore at the end. */
  readonly xenstore?: string;
  /** File with the names of the guest's functions. */
  readonly symbols?: string;
  /** What goes to the log. */
  readonly log?: readonly LogItem[];
  /** Where it goes: standard error unless given. */
  readonly logFile?: string;
}

const MACHINE_HELP = "hide Xen (pc) or show it (xenfv); by the guest's format. Behind xenfv " +
  "evtchn-fifo=on, upcall-vector=on give more, callback-vector=off, pvclock=off, console=off, " +
  "xenstore=off less";
/** Where Debian's package `seabios` has it. */
const DEFAULT_BIOS = "/usr/share/seabios/bios-256k.bin";

/** The command. @param done takes what the user asked for */
export function runCommand(done: (options: RunOptions) => void): Command {
  const command = new Command("run")
    .description("Boot a guest: its serial port is standard output.")
    .argument("[guest]", "boot sector, bootable disk image, Linux or Multiboot kernel, raw code")
    .option("-M, --machine <type>", MACHINE_HELP)
    .option("--kernel <file>", "the guest, as QEMU spells it")
    .option("--bios <file>", `starts what is on the drives, without a guest; ${DEFAULT_BIOS}`)
    .option("--hvmloader <file>", "Xen's hvmloader, to set the machine up for the BIOS")
    .option("--append <text>", "command line of a Linux or Multiboot kernel")
    .option("--initrd <file>", 'initial RAM disk; modules of Multiboot: "a.bin arguments,b.bin"')
    .option("--smp <n>", "processors: 1", "1")
    .option("--rtc <base=date>", "what the clock shows at power-on; base=2026-01-01T00:00:00")
    .option("--no-reboot", "a reset ends the run; so it does where standard input is no terminal")
    .option("--action <event=action>", "reboot=reset starts the guest again, reboot=shutdown ends")
    .option("--snapshot", "keep writes in memory, leave the images alone")
    .option("--load <format@address>", "raw code: flat@0x100000 (32-bit) or flat16@0x7c00")
    .option("--disasm [=address[,count]]", "print the guest's instructions instead of running them")
    .option("--debugcon <where>", "ports E9 and 402 (a BIOS's log): stdio, file:F or null")
    .option("--requests <file>", "write a line for every disk request there, with its VM exits")
    .option("--xenstore <file>", "write what is in xenstore at the end there, as xenstore-ls -f -p")
    .option("--xentrace <file>", "write the trace of all VM exits there, for xenalyze")
    .option("--symbols <file>", "vmlinux, System.map or ELF: functions that cause the VM exits")
    .option("--schema", "print the JSON schema of --json and --requests")
    .option(
      "-d <items>",
      "log to standard error: in_asm (guest code when it is decoded), xenstore (its messages)",
    )
    .option("-D <file>", "log there instead")
    .addHelpText("after", "\nExample: deno task run guests/bin/hello.bin --disk a.img -snapshot");
  const drives = new DriveList();
  drives.addOptions(command);
  addConsoleOptions(command);
  addCommon(command, DEFAULT_RAM);
  command.on("option:schema", () => {
    throw new Listing("run-schema");
  });
  return command.action((guest: string | undefined, flags: Flags) => {
    checkProcessors(flags.smp as string);
    done({
      command: "run",
      ...whatStarts(guest, flags, drives.isEmpty),
      drives: drives.place(flags.snapshot === true),
      console: consoleOptions(flags),
      serialScreen: flags.nographic === true,
      snapshot: flags.snapshot === true,
      ...rebootOption(flags),
      ...(flags.rtc === undefined ? {} : { rtcBase: rtcBase(flags.rtc as string) }),
      ...(flags.machine === undefined ? {} : { machine: machineOption(flags.machine as string) }),
      ...given(flags, "append", "initrd", "requests", "xenstore", "xentrace", "symbols"),
      ...(flags.load === undefined ? {} : { placement: parsePlacement(flags.load as string) }),
      ...(flags.disasm === undefined ? {} : { disasm: disasmRange(flags.disasm as string) }),
      ...(flags.debugcon === undefined
        ? {}
        : { debugConsole: debugConsole(flags.debugcon as string) }),
      ...(flags.d === undefined ? {} : { log: logItems(flags.d as string) }),
      ...(flags.D === undefined ? {} : { logFile: flags.D as string }),
      ...common(flags, DEFAULT_RAM),
    });
  });
}

/** The last word is `-no-reboot`'s. */
function rebootOption({ reboot, action }: Flags): Pick<RunOptions, "reboot"> {
  const named = action === undefined ? undefined : rebootAction(action as string);
  if (reboot === false) return { reboot: "shutdown" };
  return named === undefined ? {} : { reboot: named };
}

/** Without a guest the machine starts with its BIOS, if it has a drive to go on from. */
function whatStarts(
  named: string | undefined,
  flags: Flags,
  noDrives: boolean,
): Pick<RunOptions, "guest" | "bios" | "hvmloader"> {
  const { kernel, bios, hvmloader } = given(flags, "kernel", "bios", "hvmloader");
  const guest = named ?? kernel;
  if (guest !== undefined && bios !== undefined) {
    throw new UsageError(
      `Cannot start "${guest}" with -bios "${bios}": a BIOS starts what is on a drive`,
      "-hda disk.img, or leave -bios out",
    );
  }
  if (guest !== undefined && hvmloader !== undefined) {
    throw new UsageError(
      `Cannot start "${guest}" with -hvmloader: it starts what is on a drive`,
      "-hda disk.img, or leave -hvmloader out",
    );
  }
  if (guest !== undefined || (bios === undefined && hvmloader === undefined && noDrives)) {
    return { guest: oneGuest(named, kernel), bios: false };
  }
  const [extra] = Object.keys(given(flags, "append", "initrd", "load"));
  if (extra !== undefined) {
    throw new UsageError(`Cannot use -${extra} without a guest`, GUEST_HINT);
  }
  return { guest: bios ?? DEFAULT_BIOS, bios: true, ...given(flags, "hvmloader") };
}
