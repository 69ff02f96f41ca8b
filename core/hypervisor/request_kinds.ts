/**
 * Sums over disk requests of one kind: same disk, path, command and size.
 * @module
 */

import type { Ns } from "../types.ts";
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
  /** Of each request. */
  readonly bytes: number;
  requests = 0;
  interrupts = 0;
  readonly exits: ExitDistribution = new ExitDistribution();
  /** Those by which the driver has gone to the disk. */
  readonly driverExits: ExitDistribution = new ExitDistribution();
  readonly tally: Tally = new Tally();
  /** From submission to completion. */
  latencyNs: Ns = 0;

  constructor({ disk, path, op, code, bytes }: DiskRequest) {
    this.disk = disk;
    this.path = path;
    this.op = op;
    this.code = code;
    this.bytes = bytes;
  }

  add({ tally, interrupts, submittedAt, completedAt }: DiskRequest): void {
    this.requests++;
    this.interrupts += interrupts;
    this.exits.add(tally.total);
    this.driverExits.add(tally.driverExits);
    this.tally.add(tally);
    this.latencyNs += completedAt - submittedAt;
  }

  holds({ disk, path, op, code, bytes }: DiskRequest): boolean {
    return this.bytes === bytes && this.code === code && this.op === op && this.path === path &&
      this.disk === disk;
  }
}

/** All kinds that there have been. */
export class RequestKinds {
  readonly all: RequestKind[] = [];
  readonly #bySize = new Map<number, RequestKind[]>();
  #last: RequestKind | undefined;

  /** Adds a request that is over. */
  add(request: DiskRequest): void {
    if (!this.#last?.holds(request)) this.#last = this.#find(request);
    this.#last.add(request);
  }

  #find(request: DiskRequest): RequestKind {
    const same = this.#bySize.get(request.bytes) ?? [];
    const found = same.find((kind) => kind.holds(request));
    if (found !== undefined) return found;
    const kind = new RequestKind(request);
    this.all.push(kind);
    this.#bySize.set(request.bytes, [...same, kind]);
    return kind;
  }
}
