/**
 * `deno task fuzz`: random cases of one target. Prints the seed, which alone repeats a case.
 * Exit code 1 when a case goes wrong or does not end, 2 for a command that makes no sense.
 * @module
 */

import { InternalError } from "../../core/errors.ts";
import { runTool } from "../helpers/command.ts";
import { type FuzzOptions, parseFuzzArgs } from "./args.ts";
import type { FuzzJob, FuzzResult } from "./worker.ts";

/** A case that takes longer hangs. */
const HANG_MS = 10_000;
const LOOK_MS = 500;

/** Fuzzes; returns the exit code. */
export async function fuzz(options: FuzzOptions, print: (line: string) => void): Promise<number> {
  const seed = options.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]!;
  const { target, milliseconds } = options;
  print(`fuzz ${target}: seed ${seed}${milliseconds === undefined ? ", this case alone" : ""}`);
  const result = await watch(options, seed);
  for (const [name, count] of Object.entries(result.counts).sort()) print(`  ${name}: ${count}`);
  if (!result.finding) {
    print(`ok | ${result.cases} ${result.cases === 1 ? "case" : "cases"}`);
    return 0;
  }
  const { what, details } = result.finding;
  const failing = (seed + result.cases - 1) >>> 0;
  print(`FAILED | case ${result.cases}, seed ${failing}: ${what}`);
  for (const line of details) print(`  ${line}`);
  print(`repeat: deno task fuzz ${target} --seed ${failing}`);
  return 1;
}

/** Runs the cases in a worker and looks whether they go on. */
async function watch(options: FuzzOptions, seed: number): Promise<FuzzResult> {
  const begun = new SharedArrayBuffer(4);
  const counter = new Uint32Array(begun);
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  const { promise, resolve, reject } = Promise.withResolvers<FuzzResult>();
  worker.onmessage = ({ data }: MessageEvent<FuzzResult>) => resolve(data);
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new InternalError(event.message));
  };
  worker.postMessage({ options, seed, begun } satisfies FuzzJob);
  let last = 0, since = performance.now();
  const timer = setInterval(() => {
    const now = Atomics.load(counter, 0);
    if (now !== last || now === 0) since = performance.now();
    last = now;
    if (performance.now() - since < HANG_MS) return;
    const finding = { what: `does not end within ${HANG_MS / 1000} s`, details: [] };
    resolve({ cases: now, counts: {}, finding });
  }, LOOK_MS);
  try {
    return await promise;
  } finally {
    clearInterval(timer);
    worker.terminate();
  }
}

if (import.meta.main) Deno.exit(await runTool(() => parseFuzzArgs(Deno.args), fuzz));
