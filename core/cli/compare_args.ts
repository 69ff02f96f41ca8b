/**
 * The arguments of `compare`.
 * @module
 */

import { Command } from "commander";
import { UsageError } from "../errors.ts";
import { DISK_OPS, type DiskOp } from "../report/compare.ts";
import {
  addCommon,
  common,
  type CommonOptions,
  DEFAULT_RAM,
  type Flags,
  given,
  Listing,
  oneGuest,
} from "./common_args.ts";
import { blockSize, depth, diskOp } from "./option_values.ts";
import { parseCount } from "./units.ts";

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

/** MiB of Linux. */
const LINUX_RAM = "256";

/** The command. @param done takes what the user asked for */
export function compareCommand(done: (options: CompareOptions) => void): Command {
  const command = new Command("compare")
    .description("Move the same sectors over five paths to one disk and compare what it costs.")
    .argument("[guest]", "benchmark guest; the bundled guests/bin/diskcmp.bin unless given")
    .option("--kernel <file>", "Linux, to boot twice: with IDE drivers, then with blkfront")
    .option("--initrd <file>", "has the kernel's drivers; its own programs are not needed")
    .option("--append <text>", "more for the kernel's command line")
    .option("--disk <file>", "raw image, never modified; out/compare.img unless given")
    .option("--op <op>", `what to do: ${DISK_OPS.join(", ")}`, "read")
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
      ...given(flags, "disk", "out"),
      op: diskOp(flags.op as string),
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
  const { kernel } = given(flags, "kernel");
  if (kernel !== undefined) {
    oneGuest(guest, kernel);
    return { linux: { kernel, ...given(flags, "initrd", "append") } };
  }
  const [extra] = Object.keys(given(flags, "append", "initrd"));
  if (extra !== undefined) {
    throw new UsageError(
      `Cannot use --${extra} without --kernel`,
      "deno task compare --kernel vmlinuz --initrd initrd.img",
    );
  }
  return guest === undefined ? {} : { guest };
}
