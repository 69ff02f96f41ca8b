/**
 * Emulators under measurement, each run in a process of its own: a host that boots one disk image and
 * prints a {@link HostReport}.
 * @module
 */

import { join } from "@std/path";
import { GuestPanic, UsageError } from "../errors.ts";
import type { HostReport } from "./bench_report.ts";

/** How a host is started. */
export interface Host {
  readonly name: "trapring" | "v86";
  /** File beside this one. */
  readonly script: string;
  /** What `deno run` gets. */
  readonly flags: readonly string[];
}

/**
 * V8's flags in the task `run`. Its best code comes early for WebAssembly, late for TypeScript: that
 * takes it 4 ms a function, which a few thousand calls do not pay back.
 */
export const V8_FLAGS =
  "--v8-flags=--wasm-tiering-budget=500000,--invocation-count-for-turbofan=10000";

/** trapring. */
export const TRAPRING: Host = {
  name: "trapring",
  script: "bench_trapring.ts",
  flags: [V8_FLAGS, "--allow-read"],
};

/** trapring with Linux. */
export const BOOT_TRAPRING: Host = { ...TRAPRING, script: "bench_boot_trapring.ts" };

/** trapring with disk requests of one kind. */
export const PV_TRAPRING: Host = { ...TRAPRING, script: "bench_pv_trapring.ts" };

/** v86, where its package is in Deno's cache: the benchmark installs nothing. */
export const V86: Host = {
  name: "v86",
  script: "bench_v86.ts",
  flags: ["--cached-only", "--no-lock", "--allow-read"],
};

/** The slowest emulator wants half a minute for the longest guest. */
const LIMIT_MS = 300_000;

/** A process that runs a script of this folder. */
export function denoCommand(
  flags: readonly string[],
  script: string,
  args: readonly string[],
): Deno.Command {
  const config = join(import.meta.dirname!, "../../deno.json");
  const path = join(import.meta.dirname!, script);
  return new Deno.Command("deno", {
    args: ["run", "--no-prompt", `--config=${config}`, ...flags, path, ...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(LIMIT_MS),
  });
}

/**
 * Boots a guest.
 * @returns what the host has measured, or what is missing
 * @throws {GuestPanic} when the host or the guest fails
 */
export async function runHost(host: Host, args: readonly string[]): Promise<HostReport> {
  const { success, signal, stdout, stderr } = await startDeno(() =>
    denoCommand(host.flags, host.script, args).output()
  );
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  if (!success) {
    const [complaint] = text(stderr).split("\n");
    throw new GuestPanic(`Benchmark on ${host.name} failed: ${signal ?? complaint}`);
  }
  const report: HostReport = JSON.parse(text(stdout));
  if (report.failure === undefined) return report;
  throw new GuestPanic(`Benchmark guest on ${host.name} did not end: ${report.failure}`);
}

/**
 * Starts a {@link denoCommand}.
 * @throws {UsageError} when there is no deno to start
 */
export async function startDeno<T>(start: () => T | Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) {
      throw new UsageError("Cannot run deno: it is not on PATH", "npx --yes deno@2.9.6 task bench");
    }
    throw error;
  }
}
