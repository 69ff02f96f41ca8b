/**
 * Workers that judge files at the same time; verdicts come back in the order of the jobs.
 * @module
 */

import { GuestPanic, InternalError, UsageError } from "../../core/errors.ts";
import type { Verdict } from "./judge.ts";
import type { Answer, Job, Order } from "./worker.ts";

/** A case that takes this long hangs. */
const HANG_MS = 20_000;

/**
 * Judges all jobs.
 * @param workers threads at the same time
 * @param onVerdict called in the order of `jobs`, as soon as that is possible
 * @throws {UsageError} when a file cannot be read
 * @throws {GuestPanic} when a case does not end
 */
export async function judgeAll(
  jobs: readonly Job[],
  workers: number,
  onVerdict: (verdict: Verdict) => void,
): Promise<void> {
  const verdicts: (Verdict | undefined)[] = new Array(jobs.length);
  let next = 0, told = 0;
  const drain = async (): Promise<void> => {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    try {
      while (next < jobs.length) {
        const at = next++;
        verdicts[at] = await ask(worker, jobs[at]!);
        for (; verdicts[told]; told++) onVerdict(verdicts[told]!);
      }
    } finally {
      worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: Math.min(workers, jobs.length) }, drain));
}

/** Has a worker judge a file. */
async function ask(worker: Worker, job: Job): Promise<Verdict> {
  const { promise, resolve, reject } = Promise.withResolvers<Verdict>();
  const where = `${job.file.name}, tier ${job.tier}`;
  const line = new SharedArrayBuffer(4);
  const running = new Uint32Array(line);
  let last = 0;
  const timer = setInterval(() => {
    const now = Atomics.load(running, 0);
    if (now > 0 && now === last) {
      reject(new GuestPanic(`${where}: the case of line ${now} does not end`));
    }
    last = now;
  }, HANG_MS);
  worker.onmessage = ({ data }: MessageEvent<Answer>) => {
    if ("verdict" in data) resolve(data.verdict);
    else reject(new UsageError(data.unreadable));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new InternalError(`${where}: ${event.message}`));
  };
  worker.postMessage({ job, line } satisfies Order);
  try {
    return await promise;
  } finally {
    clearInterval(timer);
  }
}
