/**
 * `run`: boots a guest, connects its serial port, and says how it ended.
 * @module
 */

import { Xentrace } from "../debug/xentrace.ts";
import { UsageError } from "../errors.ts";
import { isBootDisk } from "../load/detect.ts";
import { SymbolTable } from "../load/symbols.ts";
import type { DiskConfig, MachineConfig, MachineType, RunResult } from "../machine/config.ts";
import type { Inspector } from "../machine/inspect.ts";
import { bootMachine, type Machine } from "../machine/machine.ts";
import { stableJson } from "../report/json.ts";
import {
  buildRunRecord,
  type DiskInput,
  runHeader,
  type RunInputs,
  type RunRecord,
} from "../report/run.ts";
import { formatRun } from "../report/summary.ts";
import { TOOL } from "../version.ts";
import type { RunOptions } from "./run_args.ts";
import { GuestConsole } from "./console.ts";
import { type DebugOutput, openDebugOutput } from "./debug_console.ts";
import { listGuest } from "./disasm.ts";
import { readSymbolFile } from "./files.ts";
import {
  attachment,
  closeDrives,
  type OpenDrive,
  openDrives,
  type OpenVbd,
  openVbd,
} from "./open_drives.ts";
import { createFile, type Streams, writeAll, writeError, writeText } from "./output.ts";
import { RequestsFile } from "./requests_file.ts";
import { chooseMachine, hashGuest, readRunGuest, readVgaRom } from "./run_guest.ts";
import { choosePresets, chooseProgress, dropFileAccess, limits, StopSignals } from "./session.ts";

const HOST_ERROR_HINT = "the guest has an I/O error and runs on; the exit code will say so";

/**
 * Runs the command.
 * @returns the exit code
 */
export async function runCommand(options: RunOptions, streams: Streams): Promise<number> {
  const { cpu, cost, media } = choosePresets(options);
  const [file, guest] = readRunGuest(options);
  if (options.disasm !== undefined) return listGuest(guest, options.disasm, options, streams);
  const vgaRom = options.bios ? readVgaRom(options, streams) : undefined;
  const names = options.symbols === undefined ? undefined : readSymbols(options.symbols);
  const machineType = chooseMachine(options, guest);
  const hidesXen = machineType !== "xenfv";
  const disks = openDrives(options, isBootDisk(guest, file.length), hidesXen, streams);
  const inputs = {
    cpu,
    cost: cost.name,
    media: media.name,
    ramBytes: options.ramBytes,
    guest: { path: file.name, sha256: hashGuest(guest, file) },
    disks: disks.map((disk) => diskInput(disk, hidesXen)),
  };
  try {
    const openDisk = (spec: string) => openVbd(spec, options.snapshot, media);
    const console = openConsole(options, disks, openDisk, streams);
    const debug = openDebugOutput(options.debugConsole, console);
    const requests = openRequests(options, inputs);
    const trace = openTrace(options.xentrace);
    const log = openLog(options, streams);
    const store = openStoreList(options.xenstore, machineType);
    if (!console.usesFiles) dropFileAccess(["read", "write"]);
    const attached = disks.map((drive): DiskConfig => ({ ...attachment(drive), media }));
    const machine = bootMachine({
      machine: machineType,
      ...(options.machine && { xen: options.machine.xen }),
      ...(vgaRom === undefined ? {} : { vgaRom }),
      serialScreen: options.serialScreen,
      ...(options.rtcBase === undefined ? {} : { rtcBase: options.rtcBase }),
      cpu,
      reboot: options.reboot ?? (streams.stdin?.isTerminal() ? "reset" : "shutdown"),
      ramBytes: options.ramBytes,
      guest,
      disks: attached,
      cost,
      ...limits(options),
      onSerialByte: (byte) => console.push(byte, "serial"),
      onXenConsoleByte: (byte) => console.push(byte, "xenconsole"),
      onDebugByte: debug.onDebugByte,
      onFirmwareByte: debug.onFirmwareByte,
      onToolstack: (line) => console.tell(line),
      onHostError: ({ message }) => writeError(streams, message, HOST_ERROR_HINT),
      exitSites: names !== undefined,
      ...(trace && { observer: trace }),
      ...(requests && { onRequest: (request) => requests.add(request) }),
      ...log,
    });
    const result = await runToEnd(machine, { console, debug, requests, trace }, options);
    store?.(machine.inspector);
    reportEnd(result, streams);
    writeRecord(buildRunRecord(inputs, result, names), options, streams);
    return result.code;
  } finally {
    closeDrives(disks);
  }
}

function diskInput(drive: OpenDrive, hidesXen: boolean): DiskInput {
  const { file, backend, kind, path = kind === "cdrom" ? "ide" : "both", backendType } = drive;
  const isVbd = !hidesXen && path !== "ide";
  return {
    path: file,
    sectors: backend.sectorCount,
    backend: isVbd ? backendType ?? "phy" : null,
  };
}

function readSymbols(path: string): SymbolTable {
  return SymbolTable.parse(readSymbolFile(path), path);
}

/** The file of `--requests`, with its first line. */
function openRequests({ requests: path }: RunOptions, inputs: RunInputs): RequestsFile | undefined {
  if (path === undefined) return undefined;
  return new RequestsFile(createFile(`Cannot write requests "${path}"`, path), runHeader(inputs));
}

/** The file of `--xentrace`. */
function openTrace(path: string | undefined): Xentrace | undefined {
  if (path === undefined) return undefined;
  const file = createFile(`Cannot write trace "${path}"`, path);
  return new Xentrace((bytes) => writeAll(file, bytes));
}

/** The file of `--xenstore`. @returns fills it */
function openStoreList(
  path: string | undefined,
  machine: MachineType,
): ((inspector: Inspector) => void) | undefined {
  if (path === undefined) return undefined;
  const what = `Cannot write xenstore "${path}"`;
  if (machine !== "xenfv") throw new UsageError(`${what}: the machine hides Xen`, "-machine xenfv");
  const file = createFile(what, path);
  return (inspector) => {
    const lines = inspector.xenstore("/", { full: true, permissions: true });
    writeText(file, lines.map((line) => `${line}\n`).join(""));
  };
}

/** What goes to the log, by the items that the user wants there. */
type LogHooks = Pick<MachineConfig, "onBlock" | "onStoreMessage">;

/** Opens the log: a file, emptied, or standard error. */
function openLog({ log: items = [], logFile }: RunOptions, { stderr }: Streams): LogHooks {
  if (items.length === 0) return {};
  const log = logFile === undefined ? stderr : createFile(`Cannot write log "${logFile}"`, logFile);
  return {
    ...(items.includes("in_asm") && {
      onBlock: (lines) => writeText(log, `${lines.join("\n")}\n\n`),
    }),
    ...(items.includes("xenstore") && { onStoreMessage: (line) => writeText(log, `${line}\n`) }),
  };
}

/** The guest's console; what it writes leaves standard output to JSON. */
function openConsole(
  options: RunOptions,
  disks: readonly OpenDrive[],
  openDisk: (spec: string) => OpenVbd,
  streams: Streams,
): GuestConsole {
  return new GuestConsole({
    options: options.console,
    streams,
    output: options.json ? streams.stderr : streams.stdout,
    outputIsTerminal: (options.json ? Deno.stderr : Deno.stdout).isTerminal(),
    drives: disks,
    openVbd: openDisk,
    quiet: options.quiet,
  });
}

/** Where goes what a run brings forth. */
interface Sinks {
  readonly console: GuestConsole;
  readonly debug: DebugOutput;
  readonly requests: RequestsFile | undefined;
  readonly trace: Xentrace | undefined;
}

/** Runs until the guest, a limit or the user ends it; what was written is durable afterwards. */
async function runToEnd(
  machine: Machine,
  { console, debug, requests, trace }: Sinks,
  options: RunOptions,
): Promise<RunResult> {
  const flush = () => {
    console.flush();
    debug.flush();
    requests?.flush();
  };
  // The serial console has the terminal for itself.
  const progress = await chooseProgress(
    options,
    !options.json && !Deno.stdout.isTerminal(),
    options.maxInsns,
  );
  const hooks = console.hooks();
  using signals = new StopSignals();
  using _terminal = console.connect(machine);
  try {
    return await machine.run({
      ...hooks,
      interrupted: () => signals.requested || hooks.interrupted?.() === true,
      onSlice: () => {
        flush();
        progress.update(() => {
          const counters = machine.counters();
          return { counters, done: counters.instructions, label: "" };
        });
      },
    });
  } finally {
    progress.stop();
    try {
      machine.flush();
      machine.close();
    } finally {
      flush();
      trace?.finish(machine.now);
    }
  }
}

function reportEnd({ message, dump }: RunResult, { stderr }: Streams): void {
  if (message !== undefined) writeText(stderr, `${TOOL}: ${message}\n`);
  if (dump !== undefined) writeText(stderr, `${dump.trimEnd()}\n`);
}

function writeRecord(record: RunRecord, options: RunOptions, streams: Streams): void {
  if (!options.quiet) writeText(streams.stderr, `${TOOL}: ${formatRun(record)}`);
  if (options.json) writeText(streams.stdout, stableJson(record));
}
