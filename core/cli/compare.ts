/**
 * `compare`: one guest moves the same sectors over every path to one disk.
 * @module
 */

import { EXIT_CODE, ImageError, UsageError } from "../errors.ts";
import { loadGuest } from "../load/detect.ts";
import type { MachineConfig, RunResult } from "../machine/config.ts";
import { bootMachine, type Machine } from "../machine/machine.ts";
import { DEFAULT_CPU, openDisk } from "../machine/storage.ts";
import { buildCompareRecord, type CompareRecord, type DiskOp } from "../report/compare.ts";
import { stableJson } from "../report/json.ts";
import { DISK_PATHS, PhaseRecorder } from "../report/phases.ts";
import { formatCompare } from "../report/summary.ts";
import { type BlockBackend, SECTOR_SIZE } from "../types.ts";
import type { CompareOptions } from "./args.ts";
import { ensureCompareImage } from "./compare_image.ts";
import { type GuestFile, hostReason, onHost, readGuest, sha256, sha256OfDisk } from "./files.ts";
import { SerialSink, type Streams, writeError, writeText } from "./output.ts";
import { choosePresets, chooseProgress, dropFileAccess, limits, StopSignals } from "./session.ts";

/** The bundled guest and the image made on first use, as messages and records name them. */
const BUNDLED_GUEST = "guests/bin/diskcmp.bin";
const DEFAULT_DISK = "out/compare.img";

/** `isa-debug-exit` status of a guest that says it has succeeded: value 0x10. */
const GUEST_SUCCESS = 0x10 << 1 | 1;

/** Inputs of {@link compareDisks}. */
export interface CompareDisksOptions {
  /** The benchmark guest; it must set the marks that `core/report/phases.ts` describes. */
  readonly guest: { readonly name: string; readonly bytes: Uint8Array };
  /** The guest may write to it: give an overlay. */
  readonly disk: { readonly name: string; readonly backend: BlockBackend };
  /** The processor; `i686` unless given. */
  readonly cpu?: NonNullable<MachineConfig["cpu"]>;
  /** Prices of the hypervisor. */
  readonly cost: MachineConfig["cost"];
  /** Latency of the disk. */
  readonly media: MachineConfig["disks"][number]["media"];
  /** What the guest does. */
  readonly op: DiskOp;
  /** Bytes of a request, a multiple of 512. */
  readonly bs: number;
  /** Requests a path. */
  readonly count: number;
  /** Requests in flight, where the path can. */
  readonly depth: number;
  /** Guest memory. */
  readonly ramBytes: number;
  /** Instructions after which the run stops. */
  readonly maxInsns?: number;
  /** Virtual nanoseconds after which the run stops. */
  readonly maxTime?: number;
  /** Takes what the guest writes to COM1. */
  readonly onSerialByte?: (byte: number) => void;
  /** Takes the first failure of the host to read the image. */
  readonly onHostError?: (error: ImageError) => void;
  /** Called between slices. */
  readonly onSlice?: (machine: Machine, recorder: PhaseRecorder) => void;
  /** Asked between slices. */
  readonly interrupted?: () => boolean;
}

/** The end of {@link compareDisks}. */
export interface CompareOutcome {
  /** How the guest ended. */
  readonly result: RunResult;
  /** There when the guest succeeded. */
  readonly record?: CompareRecord;
  /** Why there is no record. */
  readonly failure?: string;
}

/** Boots the benchmark guest and follows it through its phases. */
export async function compareDisks(options: CompareDisksOptions): Promise<CompareOutcome> {
  const { guest, disk, cost, media, op, bs, count, depth, ramBytes, onSlice } = options;
  const { cpu = DEFAULT_CPU } = options;
  checkSize(options);
  const inputs = {
    cpu,
    cost: cost.name,
    media: media.name,
    op,
    bs,
    count,
    depth,
    guest: { path: guest.name, sha256: sha256(guest.bytes) },
    disk: {
      path: disk.name,
      sha256: sha256OfDisk(disk.backend),
      sectors: disk.backend.sectorCount,
    },
  };
  const append = `op=${op} bs=${bs} count=${count} depth=${depth}`;
  let recorder: PhaseRecorder | undefined;
  const machine = bootMachine({
    cpu,
    ramBytes,
    guest: loadGuest(guest.bytes, { name: guest.name, ramBytes, append }),
    disks: [{ backend: disk.backend, media }],
    cost,
    onMark: (value, vcpu) => recorder?.mark(value, vcpu),
    ...(options.onHostError === undefined ? {} : { onHostError: options.onHostError }),
    ...(options.maxInsns === undefined ? {} : { maxInsns: options.maxInsns }),
    ...(options.maxTime === undefined ? {} : { maxTime: options.maxTime }),
    ...(options.onSerialByte === undefined ? {} : { onSerialByte: options.onSerialByte }),
  });
  const phases = recorder = new PhaseRecorder(machine);
  try {
    const result = await machine.run({
      onSlice: () => onSlice?.(machine, phases),
      interrupted: options.interrupted ?? (() => false),
    });
    const failure = whyFailed(result, phases, guest.name);
    if (failure !== undefined) return { result, failure };
    return { result, record: buildCompareRecord(inputs, phases.phases) };
  } finally {
    machine.close();
  }
}

function checkSize({ disk, bs }: CompareDisksOptions): void {
  const bytes = disk.backend.sectorCount * SECTOR_SIZE;
  if (bs <= bytes) return;
  throw new UsageError(
    `Cannot move ${bs} bytes a request: disk image "${disk.name}" has only ${bytes}`,
    `--bs ${bytes}, or a larger --disk`,
  );
}

function whyFailed(result: RunResult, phases: PhaseRecorder, name: string): string | undefined {
  const success = result.code === EXIT_CODE.POWER_OFF || result.code === GUEST_SUCCESS;
  if (!success || result.reason === "limit" || result.reason === "interrupted") {
    return `Guest "${name}" did not finish the comparison: ${result.message ?? endOf(result)}`;
  }
  if (phases.fault !== undefined) {
    return `Cannot compare with guest "${name}": its marks make no sense, ${phases.fault}`;
  }
  if (phases.phases.length === 0) {
    return `Cannot compare with guest "${name}": it marked no phase at port 0x80`;
  }
  return undefined;
}

function endOf({ reason, code }: RunResult): string {
  return `${reason}, code ${code}`;
}

function makeDefaultImage(path: string): void {
  try {
    ensureCompareImage(path);
  } catch (error) {
    throw new ImageError(
      `Cannot make disk image "${DEFAULT_DISK}": ${hostReason(error)}`,
      "deno task compare --disk a.img uses an image of your own",
    );
  }
}

/**
 * Runs the command.
 * @returns the exit code
 */
export async function compareCommand(options: CompareOptions, streams: Streams): Promise<number> {
  const presets = choosePresets(options);
  const guest = readCompareGuest(options);
  const name = options.disk ?? DEFAULT_DISK;
  const path = options.disk ?? bundledPath(DEFAULT_DISK);
  if (options.disk === undefined) {
    makeDefaultImage(path);
  }
  const backend = openDisk(path, { readOnly: false, snapshot: true });
  try {
    dropFileAccess(options.out === undefined ? ["read", "write"] : ["read"]);
    const { cpu, cost, media } = presets;
    const disk = { name, backend };
    const outcome = await runToEnd({ ...options, guest, disk, cpu, cost, media }, options, streams);
    return report(outcome, options, streams);
  } finally {
    backend.close();
  }
}

function readCompareGuest(options: CompareOptions): GuestFile {
  const { guest, ramBytes } = options;
  if (guest !== undefined) return readGuest(guest, guest, ramBytes);
  const hint = "deno task guests builds it";
  return readGuest(bundledPath(BUNDLED_GUEST), BUNDLED_GUEST, ramBytes, hint);
}

/** A path of this project, wherever the user is. */
function bundledPath(path: string): string {
  return `${import.meta.dirname}/../../${path}`;
}

async function runToEnd(
  disks: CompareDisksOptions,
  options: CompareOptions,
  streams: Streams,
): Promise<CompareOutcome> {
  const serial = new SerialSink(streams.stderr);
  const progress = await chooseProgress(options, true, options.count * DISK_PATHS.length);
  using signals = new StopSignals();
  try {
    return await compareDisks({
      ...disks,
      ...limits(options),
      onSerialByte: (byte) => serial.push(byte),
      onHostError: ({ message }) => writeError(streams, message),
      interrupted: () => signals.requested,
      onSlice: (machine, recorder) => {
        if (!progress.shown) serial.flush();
        progress.update(() => ({
          counters: machine.counters(),
          done: recorder.requests,
          label: recorder.path ?? "",
        }));
      },
    });
  } finally {
    progress.stop();
    serial.flush();
  }
}

function writeFile(folder: string, record: CompareRecord): void {
  onHost(`Cannot write ${folder}/compare.json`, () => {
    Deno.mkdirSync(folder, { recursive: true });
    Deno.writeTextFileSync(`${folder}/compare.json`, stableJson(record));
  });
}

function report(outcome: CompareOutcome, options: CompareOptions, streams: Streams): number {
  const { result, record, failure } = outcome;
  if (record === undefined) {
    writeError(streams, failure ?? endOf(result));
    if (result.dump !== undefined) writeText(streams.stderr, `${result.dump.trimEnd()}\n`);
    const { reason } = result;
    return reason === "limit" || reason === "interrupted" ? result.code : EXIT_CODE.GUEST_CRASH;
  }
  if (options.out !== undefined) writeFile(options.out, record);
  if (!options.quiet) {
    writeText(options.json ? streams.stderr : streams.stdout, formatCompare(record));
  }
  if (options.json) writeText(streams.stdout, stableJson(record));
  if (record.sameData) return EXIT_CODE.POWER_OFF;
  writeError(streams, "The paths moved different data", "sha256 in --json tells which");
  return EXIT_CODE.GUEST_CRASH;
}
