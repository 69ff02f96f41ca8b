/**
 * A disk reached through a layer of dom0: submitting and completing take dom0's time.
 * @module
 */

import type { BlockRequest, BlockStatus, Disk, Dom0, Dom0Cost, Ns } from "../../core/types.ts";

/** What a layer takes for one request, and where that is booked. */
export interface LayerCosts {
  readonly kind: Dom0Cost;
  readonly submit: Ns;
  readonly complete: Ns;
}

/** Posts both ends of every request on dom0. Order is kept: dom0 is serial. */
export class ServedDisk implements Disk {
  readonly sectorCount: number;
  readonly readOnly: boolean;
  readonly canDiscard: boolean;
  readonly #dom0: Dom0;
  readonly #inner: Disk;
  readonly #costs: LayerCosts;
  readonly #free: Passage[] = [];

  constructor(dom0: Dom0, inner: Disk, costs: LayerCosts) {
    this.sectorCount = inner.sectorCount;
    this.readOnly = inner.readOnly;
    this.canDiscard = inner.canDiscard === true;
    this.#dom0 = dom0;
    this.#inner = inner;
    this.#costs = costs;
  }

  submit(request: BlockRequest): void {
    const passage = this.#free.pop() ?? this.#newPassage();
    passage.carry(request);
    this.#dom0.post(this.#costs.kind, this.#costs.submit, passage.submit);
  }

  #newPassage(): Passage {
    const { kind, complete } = this.#costs;
    return new Passage(
      (passage) => this.#inner.submit(passage),
      (passage) => this.#dom0.post(kind, complete, passage.complete),
      (passage) => this.#free.push(passage),
    );
  }
}

/** A request on its way, reused. */
class Passage implements BlockRequest {
  op: BlockRequest["op"] = "flush";
  sector = 0;
  segments: readonly Uint8Array[] = [];
  count = 0;
  readonly submit: () => void;
  readonly complete: () => void;
  readonly #onDone: (passage: Passage) => void;
  #request: BlockRequest | undefined;
  #status: BlockStatus = "ok";
  #failedAt: number | undefined;

  constructor(
    onSubmit: (passage: Passage) => void,
    onDone: (passage: Passage) => void,
    onEnd: (passage: Passage) => void,
  ) {
    this.#onDone = onDone;
    this.submit = () => onSubmit(this);
    this.complete = () => {
      const request = this.#request!;
      this.#request = undefined;
      onEnd(this);
      request.done(this.#status, this.#failedAt);
    };
  }

  carry(request: BlockRequest): void {
    this.#request = request;
    this.op = request.op;
    this.sector = request.sector;
    this.segments = request.segments;
    this.count = request.count ?? 0;
  }

  done(status: BlockStatus, failedAt?: number): void {
    this.#status = status;
    this.#failedAt = failedAt;
    this.#onDone(this);
  }
}
