/**
 * `compare`: the same sectors are moved over every path to one disk.
 * @module
 */

import { EXIT_CODE, ImageError } from "../errors.ts";
import { openDisk } from "../machine/storage.ts";
import type { CompareRecord } from "../report/compare.ts";
import { stableJson } from "../report/json.ts";
import { DISK_PATHS } from "../report/phases.ts";
import { formatCompare } from "../report/summary.ts";
import type { BlockBackend } from "../types.ts";
import type { CompareOptions } from "./compare_args.ts";
import { compareDisks } from "./compare_disks.ts";
import { ensureCompareImage } from "./compare_image.ts";
import { compareLinux, LINUX_BOOTS } from "./compare_linux.ts";
import { endOf } from "./compare_run.ts";
import type { CompareOutcome, CompareWorkload } from "./compare_workload.ts";
import { type GuestFile, hostReason, onHost, readGuest, readInitrd } from "./files.ts";
import {
  type ByteStream,
  createFile,
  SerialSink,
  type Streams,
  writeError,
  writeText,
} from "./output.ts";
import { choosePresets, chooseProgress, dropFileAccess, limits, StopSignals } from "./session.ts";

/** The bundled guest and the image made on first use, as messages and records name them. */
const BUNDLED_GUEST = "guests/bin/diskcmp.bin";
const DEFAULT_DISK = "out/compare.img";
/** The same requests, as a process of Linux. */
const LINUX_PROGRAM = "guests/bin/linuxcmp.bin";
const GUESTS_HINT = "deno task guests builds it";

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
  const name = options.disk ?? DEFAULT_DISK;
  const path = options.disk ?? bundledPath(DEFAULT_DISK);
  const start = options.linux === undefined ? ownGuest(options) : stockLinux(options);
  if (options.disk === undefined) {
    makeDefaultImage(path);
  }
  const backends = Array.from(
    { length: start.boots },
    () => openDisk(path, { readOnly: false, snapshot: true }),
  );
  try {
    const out = options.out === undefined ? undefined : createRecordFile(options.out);
    dropFileAccess(["read", "write"]);
    const outcome = await runToEnd(
      start.paths,
      options,
      streams,
      (workload) => start.compare(workload, name, backends),
    );
    return report(outcome, options, streams, out);
  } finally {
    for (const backend of backends) backend.close();
  }
}

/** A comparison whose files have been read. */
interface Comparison {
  /** How often the image is opened. */
  readonly boots: number;
  /** Phases that make requests. */
  readonly paths: number;
  readonly compare: (
    workload: CompareWorkload,
    disk: string,
    backends: readonly BlockBackend[],
  ) => Promise<CompareOutcome>;
}

function ownGuest(options: CompareOptions): Comparison {
  const guest = readCompareGuest(options);
  return {
    boots: 1,
    paths: DISK_PATHS.length,
    compare: (workload, name, [backend]) =>
      compareDisks({ ...workload, guest, disk: { name, backend: backend! } }),
  };
}

function stockLinux({ linux, ramBytes }: CompareOptions): Comparison {
  const { kernel: name, initrd, append } = linux!;
  const kernel = readGuest(name, name, ramBytes);
  const program = readGuest(bundledPath(LINUX_PROGRAM), LINUX_PROGRAM, ramBytes, GUESTS_HINT);
  const files = {
    kernel,
    program: program.bytes,
    ...(append === undefined ? {} : { append }),
    ...(initrd === undefined
      ? {}
      : { initrd: { name: initrd, bytes: readInitrd(initrd, ramBytes) } }),
  };
  return {
    boots: LINUX_BOOTS.length,
    paths: LINUX_BOOTS.length,
    compare: (workload, name, [first, second]) =>
      compareLinux({ ...workload, ...files, disk: { name, backends: [first!, second!] } }),
  };
}

function readCompareGuest(options: CompareOptions): GuestFile {
  const { guest, ramBytes } = options;
  if (guest !== undefined) return readGuest(guest, guest, ramBytes);
  return readGuest(bundledPath(BUNDLED_GUEST), BUNDLED_GUEST, ramBytes, GUESTS_HINT);
}

/** A path of this project, wherever the user is. */
function bundledPath(path: string): string {
  return `${import.meta.dirname}/../../${path}`;
}

async function runToEnd(
  paths: number,
  options: CompareOptions,
  streams: Streams,
  compare: (workload: CompareWorkload) => Promise<CompareOutcome>,
): Promise<CompareOutcome> {
  const { op, bs, count, depth, ramBytes } = options;
  const serial = new SerialSink(streams.stderr);
  const progress = await chooseProgress(options, true, count * paths);
  using signals = new StopSignals();
  try {
    return await compare({
      ...choosePresets(options),
      ...limits(options),
      ...{ op, bs, count, depth, ramBytes },
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

/** The file of `--out`. */
function createRecordFile(folder: string): ByteStream {
  const path = `${folder}/compare.json`;
  const what = `Cannot write ${path}`;
  onHost(what, () => Deno.mkdirSync(folder, { recursive: true }));
  return createFile(what, path);
}

function print(record: CompareRecord, { json, quiet }: CompareOptions, streams: Streams): void {
  if (!quiet) writeText(json ? streams.stderr : streams.stdout, formatCompare(record));
  if (json) writeText(streams.stdout, stableJson(record));
}

/** @param out gets the record, too */
function report(
  outcome: CompareOutcome,
  options: CompareOptions,
  streams: Streams,
  out: ByteStream | undefined,
): number {
  const { result, record, failure } = outcome;
  if (record === undefined) {
    writeError(streams, failure ?? endOf(result));
    if (result.dump !== undefined) writeText(streams.stderr, `${result.dump.trimEnd()}\n`);
    const { reason } = result;
    return reason === "limit" || reason === "interrupted" ? result.code : EXIT_CODE.GUEST_CRASH;
  }
  try {
    if (out !== undefined) writeText(out, stableJson(record));
  } finally {
    print(record, options, streams);
  }
  if (record.sameData) return EXIT_CODE.POWER_OFF;
  writeError(streams, "The paths moved different data", "sha256 in --json tells which");
  return EXIT_CODE.GUEST_CRASH;
}
