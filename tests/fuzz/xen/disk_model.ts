/**
 * What a backend may do to its disk, and what of it: each request is judged once more, by the rules
 * of blkif.h, and the disk is asked for nothing that no accepted request asks for.
 * @module
 */

import { type BlockRequest, type Disk, PAGE_SIZE, SECTOR_SIZE } from "../../../core/types.ts";
import { type BlkifRequest, NO_SECTORS } from "../../../devices/xen/blkif_request.ts";
import type { RingObserver } from "../../../devices/xen/ring_observer.ts";
import type { MemoryWatch } from "./memory_watch.ts";

/** What the backend has told its frontend. */
export interface DiskRules {
  readonly sectorCount: number;
  readonly readOnly: boolean;
  readonly indirect: boolean;
  /** 512-byte sectors of a block. */
  readonly blockSectors: number;
}

/** A request that has been taken. */
interface Accepted {
  readonly op: "read" | "write" | "flush" | "discard";
  readonly sector: number;
  readonly sectors: number;
  /** The disk was asked for it. */
  moved: boolean;
}

const [READ, WRITE, BARRIER, FLUSH, DISCARD, INDIRECT] = [0, 1, 2, 3, 5, 6] as const;

/** One disk of the domain with everything that is under way on it. */
export class DiskModel implements Disk {
  readonly sectorCount: number;
  readonly readOnly: boolean;
  readonly canDiscard: boolean;
  /** Requests taken, by what became of them. */
  readonly counts: Record<"accepted" | "refused", number> = { accepted: 0, refused: 0 };
  readonly #inner: Disk;
  readonly #rules: DiskRules;
  readonly #memory: MemoryWatch;
  readonly #inFlight = new Set<Accepted>();
  /** Requests taken and not answered, by ring and place. */
  readonly #rings: Map<number, Accepted | "refused">[] = [];

  constructor(inner: Disk, rules: DiskRules, memory: MemoryWatch) {
    this.sectorCount = inner.sectorCount;
    this.readOnly = inner.readOnly;
    this.canDiscard = inner.canDiscard ?? false;
    this.#inner = inner;
    this.#rules = rules;
    this.#memory = memory;
  }

  /** Follows one of the backend's rings. */
  observe(): RingObserver {
    const slots = new Map<number, Accepted | "refused">();
    this.#rings.push(slots);
    return {
      begins: () => {},
      event: () => {},
      taken: (slot, request) => {
        if (slots.has(slot)) throw new Error(`place ${slot} is taken twice`);
        slots.set(slot, this.#judge(request as BlkifRequest));
      },
      asked: () => {},
      answered: (slot) => {
        const taken = slots.get(slot);
        if (taken === undefined) throw new Error(`place ${slot} is answered, but not taken`);
        slots.delete(slot);
        if (taken !== "refused") this.#inFlight.delete(taken);
      },
      finish: () => {},
    };
  }

  /** The backend driver has died: what it has taken it never answers. */
  forget(): void {
    for (const slots of this.#rings) slots.clear();
    this.#inFlight.clear();
  }

  /** @throws {Error} when a request has been taken and not answered */
  assertIdle(): void {
    const taken = this.#rings.reduce((sum, { size }) => sum + size, 0);
    if (taken > 0) throw new Error(`${taken} requests are taken and never answered`);
  }

  submit(request: BlockRequest): void {
    const { op, sector, segments, count = 0 } = request;
    const bytes = segments.reduce((sum, { length }) => sum + length, 0);
    const sectors = op === "discard" ? count : bytes / SECTOR_SIZE;
    this.#checkPages(request, "submitted");
    if (op !== "flush") this.#checkRange(op, sector, sectors);
    this.#inner.submit({
      ...{ op, sector, segments, count },
      done: (status, failedAt) => {
        this.#checkPages(request, "completed");
        request.done(status, failedAt);
      },
    });
  }

  #judge(request: BlkifRequest): Accepted | "refused" {
    const accepted = judge(request, this.#rules, this.canDiscard);
    this.counts[accepted === undefined ? "refused" : "accepted"]++;
    if (accepted === undefined) return "refused";
    this.#inFlight.add(accepted);
    return accepted;
  }

  #checkPages({ op, segments }: BlockRequest, when: string): void {
    for (const segment of segments) {
      if (this.#memory.isMapped(segment, op === "read")) continue;
      throw new Error(`${op} ${when} with a page that is not mapped for it`);
    }
  }

  #checkRange(op: BlockRequest["op"], sector: number, sectors: number): void {
    for (const request of this.#inFlight) {
      const isSame = op === request.op && sector === request.sector && sectors === request.sectors;
      if (!isSame || request.moved) continue;
      request.moved = true;
      return;
    }
    throw new Error(`${op} of ${sectors} sectors at ${sector}: no accepted request says so`);
  }
}

/** The rules for what a frontend may ask. @returns what it asks for, `undefined` if it may not */
function judge(
  request: BlkifRequest,
  { sectorCount, readOnly, indirect, blockSectors }: DiskRules,
  canDiscard: boolean,
): Accepted | undefined {
  const { operation, dataOperation, segmentCount, sector } = request;
  if (operation === DISCARD) {
    const { sectors } = request;
    const isInside = sector + sectors <= sectorCount;
    const isAligned = sector % blockSectors === 0 && sectors % blockSectors === 0;
    const refused = readOnly || !canDiscard || request.secure || !isInside || !isAligned;
    return refused ? undefined : { op: "discard", sector, sectors, moved: false };
  }
  if (![READ, WRITE, BARRIER, FLUSH, INDIRECT].includes(operation as typeof READ)) return undefined;
  if (operation === INDIRECT && (!indirect || dataOperation > WRITE)) return undefined;
  if (segmentCount > (operation === INDIRECT ? 256 : 11)) return undefined;
  const mayBeEmpty = operation === BARRIER || operation === FLUSH;
  if (segmentCount === 0) {
    return mayBeEmpty ? { op: "flush", sector: 0, sectors: 0, moved: false } : undefined;
  }
  const op = dataOperation === READ ? "read" : "write";
  if (op === "write" && readOnly) return undefined;
  if (request.sectors === NO_SECTORS) return undefined; // an indirect page out of reach, too
  const sectors = sectorsOf(request, blockSectors);
  if (sectors === undefined || sector + sectors > sectorCount) return undefined;
  if (sector % blockSectors !== 0) return undefined;
  return { op, sector, sectors, moved: false };
}

function sectorsOf(request: BlkifRequest, blockSectors: number): number | undefined {
  let bytes = 0;
  for (let i = 0; i < request.segmentCount; i++) {
    const [start, end] = [request.start(i), request.end(i)];
    if (start >= end || end > PAGE_SIZE) return undefined;
    if ((end - start) % (blockSectors * SECTOR_SIZE) !== 0) return undefined;
    bytes += end - start;
  }
  return bytes / SECTOR_SIZE;
}
