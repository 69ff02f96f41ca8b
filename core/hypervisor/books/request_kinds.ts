/**
 * Sums over disk requests of one kind: same disk, path, command and size.
 * @module
 */

import type { Ns } from "../../types.ts";
import type { DiskRequest, RequestOp, RequestPath } from "./requests.ts";
import { Tally } from "./tally.ts";

/** How often a number of exits was seen, of which there are few different ones. */
export class ExitDistribution {
  readonly #times = new Map<number, number>();

  add(exits: number): void {
    this.#times.set(exits, (this.#times.get(exits) ?? 0) + 1);
  }

  spread(): ExitSpread {
    const sorted = [...this.#times].sort(([a], [b]) => a - b);
    const total = sorted.reduce((sum, [, times]) => sum + times, 0);
    let seen = 0;
    const middle = sorted.find(([, times]) => (seen += times) * 2 >= total);
    return { min: sorted[0]?.[0] ?? 0, median: middle?.[0] ?? 0, max: sorted.at(-1)?.[0] ?? 0 };
  }
}

/** Of a number of exits that every request has. */
export interface ExitSpread {
  /** The smallest. */
  readonly min: number;
  /** The middle one; the lower of two. */
  readonly median: number;
  /** The largest. */
  readonly max: number;
}

/** The requests of one kind. */
export class RequestKind {
  readonly disk: string;
  readonly path: RequestPath;
  readonly op: RequestOp;
  /** ATA command or blkif operation. */
  readonly code: number;
  /** Each request moves at most so many bytes, and more than half of them; 0 when none does. */
  readonly size: number;
  requests = 0;
  bytes = 0;
  interrupts = 0;
  readonly exits: ExitDistribution = new ExitDistribution();
  /** Those by which the driver has gone to the disk. */
  readonly driverExits: ExitDistribution = new ExitDistribution();
  readonly tally: Tally = new Tally();
  /** From submission to completion. */
  latencyNs: Ns = 0;

  constructor({ disk, path, op, code }: DiskRequest, size: number) {
    this.disk = disk;
    this.path = path;
    this.op = op;
    this.code = code;
    this.size = size;
  }

  add({ bytes, tally, interrupts, submittedAt, completedAt }: DiskRequest): void {
    this.requests++;
    this.bytes += bytes;
    this.interrupts += interrupts;
    this.exits.add(tally.total);
    this.driverExits.add(tally.driverExits);
    this.tally.add(tally);
    this.latencyNs += completedAt - submittedAt;
  }

  holds({ disk, path, op, code }: DiskRequest, size: number): boolean {
    return this.size === size && this.code === code && this.op === op && this.path === path &&
      this.disk === disk;
  }
}

/** All kinds that there have been: a few dozen, as sizes are rounded up. */
export class RequestKinds {
  readonly all: RequestKind[] = [];
  #last: RequestKind | undefined;

  /** Adds a request that is over. */
  add(request: DiskRequest): void {
    const size = roundUp(request.bytes);
    if (!this.#last?.holds(request, size)) this.#last = this.#find(request, size);
    this.#last.add(request);
  }

  #find(request: DiskRequest, size: number): RequestKind {
    const found = this.all.find((kind) => kind.holds(request, size));
    if (found !== undefined) return found;
    const kind = new RequestKind(request, size);
    this.all.push(kind);
    return kind;
  }
}

/** To a power of two. */
function roundUp(bytes: number): number {
  return bytes === 0 ? 0 : 2 ** Math.ceil(Math.log2(bytes));
}
