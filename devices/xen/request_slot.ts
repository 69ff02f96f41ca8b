/**
 * A block backend's place for one request: its copy, its pages, and what it asks of the disk.
 * @module
 */

import type { BlockRequest, BlockStatus } from "../../core/types.ts";
import type { BlkifLayout } from "./blkif.ts";
import { BLKIF_OP, BLKIF_RSP } from "./blkif.ts";
import { BlkifRequest } from "./blkif_request.ts";
import type { DataPages } from "./granted_pages.ts";

/** What a slot's steps do. */
export interface SlotSteps {
  submit(slot: RequestSlot): void;
  done(slot: RequestSlot, status: BlockStatus): void;
  settle(slot: RequestSlot): void;
  respond(slot: RequestSlot): void;
}

type Op = BlockRequest["op"];

/** Steps of a request on the disk, by its data operation. */
const PLANS: Readonly<Record<number, readonly Op[]>> = {
  [BLKIF_OP.READ]: ["read"],
  [BLKIF_OP.WRITE]: ["write"],
  [BLKIF_OP.WRITE_BARRIER]: ["flush", "write", "flush"],
  [BLKIF_OP.FLUSH_DISKCACHE]: ["flush", "write"],
  [BLKIF_OP.DISCARD]: ["discard"],
};
const FLUSH_ALONE: readonly Op[] = ["flush"];
const NO_PAGES: readonly Uint8Array[] = [];

/** A request being served, with its steps bound once: serving one allocates nothing. */
export class RequestSlot implements BlockRequest {
  op: Op = "flush";
  sector = 0;
  segments: readonly Uint8Array[] = NO_PAGES;
  count = 0;
  readonly index: number;
  /** Of the response. */
  status: number = BLKIF_RSP.OKAY;
  /** It may be answered as soon as those before it are. */
  isServed = false;
  readonly request: BlkifRequest;
  readonly pages: DataPages;
  readonly submit: () => void;
  readonly settle: () => void;
  readonly respond: () => void;
  readonly #steps: SlotSteps;
  #plan: readonly Op[] = FLUSH_ALONE;
  #stage = 0;

  constructor(index: number, layout: BlkifLayout, pages: DataPages, steps: SlotSteps) {
    this.index = index;
    this.request = new BlkifRequest(layout);
    this.pages = pages;
    this.#steps = steps;
    this.submit = () => steps.submit(this);
    this.settle = () => steps.settle(this);
    this.respond = () => steps.respond(this);
  }

  /** Turns the private copy, checked and mapped, into the first request to the disk. */
  prepare(): void {
    const plan = PLANS[this.request.dataOperation]!;
    this.#plan = plan[0] === "flush" && this.request.sectors === 0 ? FLUSH_ALONE : plan;
    this.#become(0);
  }

  /** A flush with data writes it afterwards. @returns whether there is another step to submit */
  advance(): boolean {
    if (this.#stage + 1 === this.#plan.length) return false;
    this.#become(this.#stage + 1);
    return true;
  }

  done(status: BlockStatus): void {
    this.#steps.done(this, status);
  }

  #become(stage: number): void {
    this.#stage = stage;
    this.op = this.#plan[stage]!;
    this.sector = this.op === "flush" ? 0 : this.request.sector;
    this.segments = this.op === "flush" ? NO_PAGES : this.pages.views;
    this.count = this.op === "discard" ? this.request.sectors : 0;
  }
}
