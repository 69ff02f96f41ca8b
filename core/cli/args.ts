/**
 * The command line. Long options are accepted with one dash, as QEMU spells them, and with two.
 * @module
 */

import { Command, CommanderError, Option } from "commander";
import { UsageError } from "../errors.ts";
import { type FlatPlacement, parsePlacement } from "../load/flat.ts";
import type { RebootAction } from "../machine/config.ts";
import { DEFAULT_COST, DEFAULT_CPU, DEFAULT_MEDIA } from "../machine/storage.ts";
import { DISK_OPS, type DiskOp } from "../report/compare.ts";
import { TOOL, VERSION } from "../version.ts";
import { addConsoleOptions, type ConsoleOptions, consoleOptions } from "./console_options.ts";
import { DriveList, type DriveOptions } from "./drives.ts";
import { type MachineOption, machineOption } from "./machine_option.ts";
import {
  blockSize,
  checkProcessors,
  debugConsole,
  depth,
  type DisasmRange,
  disasmRange,
  type LogItem,
  logItems,
  memory,
  rebootAction,
  rtcBase,
} from "./option_values.ts";
import { parseCount, parseTime } from "./units.ts";

/** What every command that boots a guest knows. */
export interface CommonOptions {
  /** Name of the processor. */
  readonly cpu: string;
  /** Name of the cost preset. */
  readonly cost: string;
  /** Name of the media preset. */
  readonly media: string;
  readonly ramBytes: number;
  readonly maxInsns?: number;
  readonly maxTime?: number;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly progress: boolean;
}

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

/** `compare -kernel F`: what the user says of it. */
export interface LinuxOptions {
  readonly kernel: string;
  /** Has the drivers. */
  readonly initrd?: string;
  readonly append?: string;
}

/** `compare [GUEST]`. */
export interface CompareOptions extends CommonOptions {
  readonly command: "compare";
  readonly guest?: string;
  /** A kernel that the benchmark runs under, instead of a guest. */
  readonly linux?: LinuxOptions;
  readonly disk?: string;
  readonly op: DiskOp;
  readonly bs: number;
  readonly count: number;
  readonly depth: number;
  readonly out?: string;
}

/** A preset list or the JSON schema, to be printed instead of a run. */
export interface ListRequest {
  readonly command: "list";
  readonly what: "cpu" | "cost" | "media" | "schema" | "run-schema";
}

/** Help or version, ready to print. */
export interface TextRequest {
  readonly command: "text";
  readonly text: string;
}

/** What the user asked for. */
export type Invocation = RunOptions | CompareOptions | ListRequest | TextRequest;

const MACHINE_HELP = "hide Xen (pc) or show it (xenfv); by the guest's format. Behind xenfv " +
  "evtchn-fifo=on, upcall-vector=on give more, callback-vector=off, pvclock=off, console=off, " +
  "xenstore=off less";
const GUEST_HINT = "deno task run guests/bin/hello.bin boots a bundled one";
/** MiB of guests, and of Linux. */
const DEFAULT_RAM = "32";
const LINUX_RAM = "256";
/** Where Debian's package `seabios` has it. */
const DEFAULT_BIOS = "/usr/share/seabios/bios-256k.bin";

/**
 * Reads the arguments after the program name.
 * @throws {UsageError} with a hint, when they make no sense
 */
export function parseArgs(args: readonly string[]): Invocation {
  let invocation: Invocation | undefined;
  const outputs: string[] = [];
  const program = new Command(TOOL)
    .description(
      "Watches a guest kernel reach its disk, over emulated IDE and over Xen's blkfront.",
    )
    .version(VERSION, "--version")
    .helpCommand(false)
    .addCommand(runCommand((options) => invocation = options), { isDefault: true })
    .addCommand(compareCommand((options) => invocation = options));
  for (const command of [program, ...program.commands]) prepare(command, outputs);
  try {
    program.parse(rewriteDashes(args, program), { from: "user" });
  } catch (error) {
    if (error instanceof Listing) return { command: "list", what: error.what };
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw toUsageError(error);
    return { command: "text", text: outputs.join("") };
  }
  return invocation ?? { command: "text", text: program.helpInformation() };
}

/** Unwinds commander when an option asks for a list. */
class Listing extends Error {
  readonly what: ListRequest["what"];
  constructor(what: ListRequest["what"]) {
    super(what);
    this.what = what;
  }
}

function runCommand(done: (options: RunOptions) => void): Command {
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
      ...(flags.append === undefined ? {} : { append: flags.append as string }),
      ...(flags.initrd === undefined ? {} : { initrd: flags.initrd as string }),
      ...(flags.load === undefined ? {} : { placement: parsePlacement(flags.load as string) }),
      ...(flags.disasm === undefined ? {} : { disasm: disasmRange(flags.disasm as string) }),
      ...(flags.debugcon === undefined
        ? {}
        : { debugConsole: debugConsole(flags.debugcon as string) }),
      ...(flags.requests === undefined ? {} : { requests: flags.requests as string }),
      ...(flags.xenstore === undefined ? {} : { xenstore: flags.xenstore as string }),
      ...(flags.xentrace === undefined ? {} : { xentrace: flags.xentrace as string }),
      ...(flags.symbols === undefined ? {} : { symbols: flags.symbols as string }),
      ...(flags.d === undefined ? {} : { log: logItems(flags.d as string) }),
      ...(flags.D === undefined ? {} : { logFile: flags.D as string }),
      ...common(flags, DEFAULT_RAM),
    });
  });
}

function compareCommand(done: (options: CompareOptions) => void): Command {
  const command = new Command("compare")
    .description("Move the same sectors over five paths to one disk and compare what it costs.")
    .argument("[guest]", "benchmark guest; the bundled guests/bin/diskcmp.bin unless given")
    .option("--kernel <file>", "Linux, to boot twice: with IDE drivers, then with blkfront")
    .option("--initrd <file>", "has the kernel's drivers; its own programs are not needed")
    .option("--append <text>", "more for the kernel's command line")
    .option("--disk <file>", "raw image, never modified; out/compare.img unless given")
    .addOption(new Option("--op <op>", "what to do").choices(DISK_OPS).default("read"))
    .option("--bs <bytes>", "bytes of a request, a multiple of 512", "4k")
    .option("--count <n>", "requests a path", "256")
    .option("--depth <n>", "requests in flight, where the path can", "1")
    .option("--out <folder>", "also write compare.json there")
    .option("--schema", "print the JSON schema of --json")
    .addHelpText("after", "\nExample: deno task compare --op randread --depth 16 --cost xen-2007");
  addCommon(command, "32; 256 with --kernel");
  command.on("option:schema", () => {
    throw new Listing("schema");
  });
  return command.action((guest: string | undefined, flags: Flags) => {
    done({
      command: "compare",
      ...whatCompares(guest, flags),
      ...(flags.disk === undefined ? {} : { disk: flags.disk as string }),
      ...(flags.out === undefined ? {} : { out: flags.out as string }),
      op: flags.op as DiskOp,
      bs: blockSize(flags.bs as string),
      count: parseCount("--count", flags.count as string),
      depth: depth(flags.depth as string),
      ...common(flags, flags.kernel === undefined ? DEFAULT_RAM : LINUX_RAM),
    });
  });
}

/** A guest with marks of its own, or the kernel that the benchmark runs under. */
function whatCompares(
  guest: string | undefined,
  flags: Flags,
): Pick<CompareOptions, "guest" | "linux"> {
  const { kernel, initrd, append } = flags as Readonly<Record<string, string>>;
  if (kernel !== undefined) {
    oneGuest(guest, kernel);
    return {
      linux: {
        kernel,
        ...(initrd === undefined ? {} : { initrd }),
        ...(append === undefined ? {} : { append }),
      },
    };
  }
  const extra = Object.entries({ append, initrd }).find(([, value]) => value !== undefined);
  if (extra !== undefined) {
    throw new UsageError(
      `Cannot use --${extra[0]} without --kernel`,
      "deno task compare --kernel vmlinuz --initrd initrd.img",
    );
  }
  return guest === undefined ? {} : { guest };
}

type Flags = Readonly<Record<string, unknown>>;

function addCommon(command: Command, ram: string): void {
  command
    .option("-m <size>", `guest memory in MiB, or with unit K, M, G (default: ${ram})`)
    .option("--cpu <processor>", "what CPUID reports; help lists them", DEFAULT_CPU)
    .option("--cost <preset>", "prices of the hypervisor; help lists them", DEFAULT_COST)
    .option("--media <preset>", "latency of the disk; help lists them", DEFAULT_MEDIA)
    .option("--max-insns <n>", "stop after that many instructions, code 124")
    .option("--max-time <time>", "stop at that virtual time (5s, 100ms), code 124")
    .option("--json", "one JSON object on standard output, all else on standard error")
    .option("--quiet", "no tables")
    .option("--no-progress", "no progress display on a terminal");
  for (const what of ["cpu", "cost", "media"] as const) {
    command.on(`option:${what}`, (name: string) => {
      if (name === "help") throw new Listing(what);
    });
  }
}

function common(flags: Flags, ram: string): CommonOptions {
  const { maxInsns, maxTime } = flags;
  return {
    cpu: flags.cpu as string,
    cost: flags.cost as string,
    media: flags.media as string,
    ramBytes: memory((flags.m ?? ram) as string),
    ...(maxInsns === undefined ? {} : { maxInsns: parseCount("--max-insns", `${maxInsns}`) }),
    ...(maxTime === undefined ? {} : { maxTime: parseTime("--max-time", `${maxTime}`) }),
    json: flags.json === true,
    quiet: flags.quiet === true,
    progress: flags.progress as boolean,
  };
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
  const { kernel, bios, append, initrd, load } = flags as Readonly<Record<string, string>>;
  const { hvmloader } = flags as Readonly<Record<string, string>>;
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
  const extra = Object.entries({ append, initrd, load }).find(([, value]) => value !== undefined);
  if (extra !== undefined) {
    throw new UsageError(`Cannot use -${extra[0]} without a guest`, GUEST_HINT);
  }
  const loader = hvmloader === undefined ? {} : { hvmloader };
  return { guest: bios ?? DEFAULT_BIOS, bios: true, ...loader };
}

/** The guest may stand alone or behind `-kernel`. */
function oneGuest(guest: string | undefined, kernel: string | undefined): string {
  const named = kernel ?? guest;
  if (named === undefined) {
    const message = "missing required argument 'guest'";
    throw new UsageError(message, `${GUEST_HINT}, -hda disk.img what is on a disk`);
  }
  if (guest === undefined || kernel === undefined) return named;
  throw new UsageError(`Cannot run both "${guest}" and -kernel "${kernel}"`, "name one guest");
}

/** Errors are thrown, help is collected, and colours are left to the caller. */
function prepare(command: Command, outputs: string[]): void {
  command.helpOption("-h, --help", "show this help").exitOverride().configureOutput({
    writeOut: (text) => outputs.push(text),
    writeErr: () => {},
    getOutHelpWidth: () => 100,
    getErrHelpWidth: () => 100,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
  if (command.name() !== TOOL) command.version(VERSION, "--version", "show the version");
}

/**
 * `-append x` becomes `--append x`; values of options, single letters and all after `--` stay. An
 * option that may have a value has the one behind its `=`: `--disasm guest.bin` names a guest.
 */
function rewriteDashes(args: readonly string[], program: Command): string[] {
  const options = [program, ...program.commands].flatMap((command) => command.options);
  const takesValue = new Set(
    options.filter((option) => option.required).flatMap(({ short, long }) => [short, long]),
  );
  const mayTakeValue = new Set(options.filter(({ optional }) => optional).map(({ long }) => long));
  const result: string[] = [];
  let plain = false;
  for (const arg of args) {
    const isValue: boolean = plain || takesValue.has(result.at(-1));
    const long = !isValue && /^-[a-z][a-z-]+(=.*)?$/s.test(arg) ? `-${arg}` : arg;
    result.push(!isValue && mayTakeValue.has(long) ? `${long}=` : long);
    plain ||= !isValue && arg === "--";
  }
  return result;
}

function toUsageError(error: CommanderError): UsageError {
  const [, message = error.message, suggestion] =
    /^(?:error: )?([^\n]*)(?:\n\((.*)\))?/s.exec(error.message) ?? [];
  const hint = suggestion ?? `deno task run --help and deno task compare --help list what there is`;
  return new UsageError(message.replace(/\.$/, ""), hint);
}
