/**
 * QEMU's software CPU under measurement. It takes no time itself, so its marks are timed here, by
 * what the kernel has booked on the process; that is done in ticks of 10 ms.
 * @module
 */

import { GuestPanic } from "../errors.ts";
import { MarkReader, type Measurement } from "./bench_marks.ts";
import { LINUX_RAM_BYTES } from "./bench_report.ts";

const PROGRAM = "qemu-system-i386";
/** USER_HZ, which is the same on all machines (proc(5)). */
const NS_PER_TICK = 1e7;
/** Fields of /proc/PID/stat behind the name: user and system time of all threads. */
const [UTIME, STIME] = [11, 12] as const;
const LIMIT_MS = 300_000;

/** What is booted. */
export interface LinuxBoot {
  readonly kernel: string;
  readonly initrd: string;
  readonly disk: string;
  readonly append: string;
}

/**
 * Boots Linux.
 * @returns what was measured; `undefined` when QEMU is not installed
 * @throws {GuestPanic} when the guest does not come to its end
 */
export async function measureQemu(linux: LinuxBoot): Promise<readonly Measurement[] | undefined> {
  const qemu = start(linux);
  if (qemu === undefined) return undefined;
  const marks = new MarkReader(() => cpuNsOf(qemu.pid));
  for await (const bytes of qemu.stdout) {
    bytes.forEach((byte) => marks.push(byte));
    if (marks.done) break;
  }
  if (marks.done) qemu.kill("SIGKILL");
  const { signal } = await qemu.status;
  if (marks.done) return marks.measurements;
  const why = [...marks.messages.slice(-1), signal ?? "it has ended"].join("; ");
  throw new GuestPanic(`Benchmark guest on qemu did not end: ${why}`);
}

function start({ kernel, initrd, disk, append }: LinuxBoot): Deno.ChildProcess | undefined {
  try {
    return new Deno.Command(PROGRAM, {
      args: [
        ...["-accel", "tcg", "-machine", "pc", "-m", `${LINUX_RAM_BYTES >> 20}`],
        ...["-display", "none", "-nodefaults", "-serial", "stdio", "-no-reboot"],
        ...["-kernel", kernel, "-initrd", initrd, "-append", append],
        ...["-drive", `file=${disk},format=raw,if=ide,snapshot=on`],
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
      signal: AbortSignal.timeout(LIMIT_MS),
    }).spawn();
  } catch (error) {
    // A task may run only what was there when it started.
    const { NotFound, NotCapable } = Deno.errors;
    if (error instanceof NotFound || error instanceof NotCapable) return undefined;
    throw error;
  }
}

/** Deno keeps /proc from programs that may read any file; `cat` may read it. */
function cpuNsOf(pid: number): number {
  const { stdout } = new Deno.Command("cat", { args: [`/proc/${pid}/stat`] }).outputSync();
  const fields = new TextDecoder().decode(stdout).split(") ").at(-1)!.split(" ");
  return (Number(fields[UTIME]) + Number(fields[STIME])) * NS_PER_TICK;
}
