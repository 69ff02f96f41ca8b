/**
 * `compare --kernel`: stock Linux makes the same requests twice, once over its drivers for the
 * emulated disk and once over its own blkfront.
 *
 * | boot | command line | drivers | path |
 * |---|---|---|---|
 * | emulated | `xen_emul_unplug=never` | ata_piix, sd_mod | `ide-dma`, or PIO if libata is told so |
 * | paravirtual | | xen_blkfront | `pv`, or `pv-persistent` where the two ends agree on that |
 *
 * Both boots show the kernel the same Xen, disk and processor. The benchmark is `guests/linuxcmp`.
 * @module
 */

import { UsageError } from "../errors.ts";
import { loadGuest } from "../load/detect.ts";
import type { GuestFormat, GuestImage } from "../load/image.ts";
import type { NamedFile } from "../load/initrd.ts";
import type { Machine } from "../machine/machine.ts";
import { buildCompareRecord, type CompareInputs } from "../report/compare.ts";
import { DISK_PATHS, type DiskPath, type Phase } from "../report/phases.ts";
import type { BlockBackend } from "../types.ts";
import { compareInitrd } from "./compare_initrd.ts";
import { type Followed, followPhases } from "./compare_run.ts";
import {
  checkSize,
  type CompareOutcome,
  type CompareWorkload,
  recordInputs,
  workloadMachine,
  workloadWords,
} from "./compare_workload.ts";
import { sha256 } from "./files.ts";

/** Inputs of {@link compareLinux}. */
export interface CompareLinuxOptions extends CompareWorkload {
  /** A bzImage, or the ELF file inside of one. */
  readonly kernel: NamedFile;
  /** Has the drivers that are not built into the kernel. */
  readonly initrd?: NamedFile;
  /** What the user tells the kernel. */
  readonly append?: string;
  /** `guests/bin/linuxcmp.bin`. */
  readonly program: Uint8Array;
  /** The image, open once for each boot: no boot sees what another has written. */
  readonly disk: {
    readonly name: string;
    readonly backends: readonly [BlockBackend, BlockBackend];
  };
}

/** One of the two. */
interface Boot {
  /** As which the benchmark knows it. */
  readonly path: DiskPath;
  readonly disk: string;
  readonly append: string;
  /** Modules, with underscores. */
  readonly drivers: readonly string[];
}

/** Both, in the order of the record's columns. */
export const LINUX_BOOTS: readonly [Boot, Boot] = [
  {
    path: "ide-dma",
    disk: "emulated disk",
    append: "xen_emul_unplug=never",
    drivers: ["ata_piix", "sd_mod"],
  },
  { path: "pv", disk: "paravirtual disk", append: "", drivers: ["xen_blkfront"] },
];

/** Messages where the user sees them, no wait after a panic, no self-tests that take minutes. */
const APPEND = "console=ttyS0 quiet panic=-1 mitigations=off cryptomgr.notests";

/** Formats that {@link loadGuest} makes of Linux kernels. */
const LINUX: ReadonlySet<GuestFormat> = new Set(["bzimage", "linux-elf"]);

/** Boots Linux twice and follows the benchmark through its phase in each. */
export async function compareLinux(options: CompareLinuxOptions): Promise<CompareOutcome> {
  const { disk, bs } = options;
  const [first, second] = disk.backends;
  checkSize(disk.name, first, bs);
  const inputs = linuxInputs(options);
  const [emulated, paravirtual] = LINUX_BOOTS;
  const before = await bootLinux(options, emulated, first);
  if (before.failure !== undefined) return { result: before.result, failure: before.failure };
  const { result, failure, phases } = await bootLinux(options, paravirtual, second);
  if (failure !== undefined) return { result, failure };
  return { result, record: buildCompareRecord(inputs, [...before.phases, ...phases]) };
}

function linuxInputs(options: CompareLinuxOptions): CompareInputs {
  const { kernel, initrd, disk: { name, backends: [backend] } } = options;
  return {
    ...recordInputs(options, kernel, { name, backend }),
    ...(initrd === undefined
      ? {}
      : { initrd: { path: initrd.name, sha256: sha256(initrd.bytes) } }),
    append: commandLine(options),
  };
}

/** One boot, its phases under the names of the paths that the disk's requests took. */
async function bootLinux(
  options: CompareLinuxOptions,
  boot: Boot,
  backend: BlockBackend,
): Promise<Followed> {
  const { kernel, initrd, media } = options;
  const { guest, missing } = linuxGuest(options, boot);
  let persistent = false;
  const followed = await followPhases({
    name: kernel.name,
    config: {
      machine: "xenfv",
      ...workloadMachine(options),
      guest,
      disks: [{ backend, media }],
    },
    atEnd: (machine) => persistent = usesPersistentGrants(machine),
  }, options);
  const phases = followed.phases.map((phase) => ({ ...phase, path: pathOf(phase, persistent) }));
  if (followed.failure === undefined || missing.length === 0) return { ...followed, phases };
  const failure = `${followed.failure}; ${lack(initrd, boot, missing)}`;
  return { ...followed, phases, failure };
}

/** What may be the reason for a failure. */
function lack(
  initrd: NamedFile | undefined,
  { disk }: Boot,
  missing: readonly string[],
): string {
  const names = missing.map((name) => `${name}.ko`).join(", ");
  const where = initrd === undefined
    ? "there is no --initrd with"
    : `initrd "${initrd.name}" lacks`;
  return `${where} ${names} for the ${disk}`;
}

/** A kernel with the RAM disk of a boot. */
export function linuxGuest(
  options: Pick<
    CompareLinuxOptions,
    "kernel" | "initrd" | "append" | "program" | "ramBytes" | "op" | "bs" | "count" | "depth"
  >,
  { path, append, drivers }: Boot,
): { readonly guest: GuestImage; readonly missing: readonly string[] } {
  const { kernel, initrd, program, ramBytes } = options;
  const how = { name: kernel.name, ramBytes, pvh: false };
  if (!LINUX.has(loadGuest(kernel.bytes, how).format)) {
    throw new UsageError(
      `Cannot compare with --kernel "${kernel.name}": it is no Linux kernel`,
      "a benchmark guest that needs no kernel is given without --kernel",
    );
  }
  const line = commandLine(options);
  const { bytes, missing } = compareInitrd(initrd, program, drivers, line);
  const guest = loadGuest(kernel.bytes, {
    ...how,
    append: `${line} ${append} -- path=${path} sum=0 ${workloadWords(options)}`,
    initrd: initrd?.name ?? "benchmark",
    readFile: () => bytes,
  });
  return { guest, missing };
}

function commandLine({ append = "" }: { readonly append?: string }): string {
  return `${APPEND} ${append}`.trimEnd();
}

/** The way that most requests of the disk took. */
function pathOf({ path, disk }: Phase, persistent: boolean): DiskPath {
  const { byPath } = disk.record();
  const [taken] = DISK_PATHS.filter((each) => byPath[each] !== undefined).sort((a, b) =>
    byPath[b]! - byPath[a]!
  );
  return taken === "pv" && persistent ? "pv-persistent" : taken ?? path;
}

/** Both ends must have said so. */
function usesPersistentGrants({ inspector }: Machine): boolean {
  const ends = ["/local/domain/1/device/vbd", "/local/domain/0/backend/vbd"];
  return ends.every((path) =>
    inspector.xenstore(path, { full: true, permissions: false })
      .some((line) => line.endsWith('/feature-persistent = "1"'))
  );
}
