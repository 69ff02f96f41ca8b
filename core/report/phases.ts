/**
 * Follows a disk benchmark guest through the marks it writes to port 0x80:
 *
 * | mark | meaning |
 * |---|---|
 * | 0x10 + p | path p begins (1 ide-pio, 2 ide-pio-multiple, 3 ide-dma, 4 pv, 5 pv-persistent) |
 * | 0x20 + p | path p ends |
 * | 0x40 + t | the request with tag t begins, t below 32 |
 * | 0x60 + t | it ends; EBX = linear address of its data, ECX = their length in bytes |
 *
 * Other values are POST codes and are ignored. The data of each request is hashed at its end mark, so
 * that the paths can be compared, and with the image itself, without trusting the guest's checksum.
 *
 * What the guest's requests are is not always what its disk gets: an operating system merges, splits
 * and caches. So the requests of the disk that were submitted in a phase are summed beside the marks.
 * @module
 */

import { createHash, type Hash } from "node:crypto";
import { PAGE_SIZE } from "../types.ts";
import type { Gpa, GuestMemory, Ns, VcpuState } from "../types.ts";
import type { Counters } from "../machine/config.ts";
import type { RequestRecord } from "../machine/exit_report.ts";
import { DiskSums } from "./disk_sums.ts";

/** The paths of a comparison, in the order of their numbers in a mark, from 1. */
export const DISK_PATHS = [
  "ide-pio",
  "ide-pio-multiple",
  "ide-dma",
  "pv",
  "pv-persistent",
] as const;

/** A way from the guest to its disk. */
export type DiskPath = typeof DISK_PATHS[number];

const PHASE_BEGIN = 0x10;
const PHASE_END = 0x20;
const REQUEST_BEGIN = 0x40;
const REQUEST_END = 0x60;
const TAGS = 32;

/** Indexes into {@link VcpuState.regs}. */
const ECX = 1;
const EBX = 3;

/** What the recorder asks of a machine. */
export interface PhaseSource {
  /** Virtual time. */
  readonly now: Ns;
  /** Where the data of requests lie. */
  readonly memory: Pick<GuestMemory, "page">;
  /** Walks the page tables; `undefined` where nothing is mapped. */
  linearToGpa(linear: number): Gpa | undefined;
  /** All sums up to now. */
  counters(): Counters;
}

/** One path, from its begin mark to its end mark. */
export interface Phase {
  /** Which path. */
  readonly path: DiskPath;
  /** Sums at the begin mark. */
  readonly before: Counters;
  /** Sums at the end mark. */
  readonly after: Counters;
  /** Requests that ended. */
  readonly requests: number;
  /** Bytes they moved. */
  readonly bytes: number;
  /** SHA-256 of the data of all requests in the order of their end marks, hexadecimal. */
  readonly sha256: string;
  /** End minus begin of each request, in the order of the end marks. */
  readonly latencies: readonly Ns[];
  /** What the disk was asked for meanwhile; complete once the machine has ended. */
  readonly disk: DiskSums;
}

/** Turns the stream of marks into phases. The first mark out of place ends the recording. */
export class PhaseRecorder {
  readonly #source: PhaseSource;
  readonly #phases: Phase[] = [];
  /** Begin of the request with that tag; -1 while none is open. */
  readonly #begun: Float64Array = new Float64Array(TAGS).fill(-1);
  #open: OpenPhase | undefined;
  #requests = 0;
  #fault: string | undefined;

  /** Listens for the marks of one machine. */
  constructor(source: PhaseSource) {
    this.#source = source;
  }

  /** Phases that have ended. */
  get phases(): readonly Phase[] {
    return this.#phases;
  }

  /** Path of the phase that is running. */
  get path(): DiskPath | undefined {
    return this.#open?.path;
  }

  /** Requests that have ended, in all phases. */
  get requests(): number {
    return this.#requests;
  }

  /** The first mark that made no sense, as a clause; also a phase that has not ended. */
  get fault(): string | undefined {
    if (this.#fault !== undefined || this.#open === undefined) return this.#fault;
    return `phase ${this.#open.path} has no end mark`;
  }

  /** Takes one byte that the guest wrote to port 0x80. */
  mark(value: number, vcpu: Pick<VcpuState, "regs">): void {
    if (this.#fault !== undefined) return;
    const low = value & (TAGS - 1);
    if (value >= REQUEST_END && value < REQUEST_END + TAGS) this.#endRequest(low, vcpu.regs);
    else if (value >= REQUEST_BEGIN && value < REQUEST_BEGIN + TAGS) this.#beginRequest(low);
    else if (isPhase(value, PHASE_BEGIN)) this.#beginPhase(DISK_PATHS[(value & 0xf) - 1]!);
    else if (isPhase(value, PHASE_END)) this.#endPhase(DISK_PATHS[(value & 0xf) - 1]!);
  }

  /**
   * Takes a request of the disk to which no further exit can belong. The last ones of a phase may
   * come when it is over.
   */
  request(request: RequestRecord): void {
    const at = request.submitNs;
    const open = this.#open;
    const phase = open !== undefined && at >= open.before.elapsedNs
      ? open
      : this.#phases.findLast(({ before, after }) =>
        at >= before.elapsedNs && at <= after.elapsedNs
      );
    phase?.disk.add(request);
  }

  #beginPhase(path: DiskPath): void {
    if (this.#open !== undefined) {
      this.#fault = `phase ${path} begins inside phase ${this.#open.path}`;
      return;
    }
    this.#open = {
      path,
      before: this.#source.counters(),
      bytes: 0,
      hash: createHash("sha256"),
      latencies: [],
      disk: new DiskSums(),
    };
  }

  #endPhase(path: DiskPath): void {
    const open = this.#open;
    if (open?.path !== path) {
      this.#fault = `phase ${path} ends but has not begun`;
      return;
    }
    if (this.#begun.some((at) => at >= 0)) {
      this.#fault = `phase ${path} ends while a request is open`;
      return;
    }
    const { before, bytes, hash, latencies, disk } = open;
    const requests = latencies.length;
    const sha256 = hash.digest("hex");
    const after = this.#source.counters();
    this.#phases.push({ path, before, after, requests, bytes, sha256, latencies, disk });
    this.#open = undefined;
  }

  #beginRequest(tag: number): void {
    if (this.#open === undefined) this.#fault = `request ${tag} begins outside a phase`;
    else if (this.#begun[tag]! >= 0) this.#fault = `request ${tag} begins twice`;
    else this.#begun[tag] = this.#source.now;
  }

  #endRequest(tag: number, regs: Uint32Array): void {
    const open = this.#open;
    const begun = this.#begun[tag]!;
    if (open === undefined || begun < 0) {
      this.#fault = `request ${tag} ends but has not begun`;
      return;
    }
    const length = regs[ECX]!;
    if (!hashMemory(open.hash, this.#source, regs[EBX]!, length)) {
      this.#fault = `request ${tag} names data outside RAM`;
      return;
    }
    open.latencies.push(this.#source.now - begun);
    open.bytes += length;
    this.#begun[tag] = -1;
    this.#requests += 1;
  }
}

interface OpenPhase {
  readonly path: DiskPath;
  readonly before: Counters;
  bytes: number;
  readonly hash: Hash;
  readonly latencies: Ns[];
  readonly disk: DiskSums;
}

function isPhase(value: number, base: number): boolean {
  return value > base && value <= base + DISK_PATHS.length;
}

/** @returns false when some of the range is not mapped, or not to RAM */
function hashMemory(hash: Hash, source: PhaseSource, linear: number, length: number): boolean {
  for (let at = linear; at < linear + length;) {
    const offset = at % PAGE_SIZE;
    const size = Math.min(PAGE_SIZE - offset, linear + length - at);
    const gpa = source.linearToGpa(at - offset);
    const page = gpa === undefined ? undefined : source.memory.page(gpa / PAGE_SIZE);
    if (page === undefined) return false;
    hash.update(page.subarray(offset, offset + size));
    at += size;
  }
  return true;
}
