/**
 * The control domain's CPU: one task at a time, on a timeline of its own.
 *
 * A vCPU that sends an ioreq waits for dom0 and pays for the wait ({@link Dom0Timeline.serve}). A
 * ring notification only posts a task: the guest runs on, and the task's outcome comes from the
 * clock.
 * @module
 */

import type { VirtualClock } from "./clock.ts";
import { DOM0_COST, DOM0_COST_KINDS } from "./types.ts";
import type { Dom0, Dom0Cost, Dom0CostKind, Ns, Timer } from "./types.ts";

const INITIAL_TASKS = 64;
const NOTHING = (): void => {};

/** Posted tasks, first come, first served. */
class TaskQueue {
  #costs: Uint8Array = new Uint8Array(INITIAL_TASKS);
  #ends: Float64Array = new Float64Array(INITIAL_TASKS);
  #thens: (() => void)[] = new Array(INITIAL_TASKS).fill(NOTHING);
  #head = 0;
  length = 0;

  push(cost: Dom0Cost, endsAt: Ns, then: () => void): void {
    if (this.length === this.#thens.length) this.#grow();
    const at = (this.#head + this.length++) % this.#thens.length;
    this.#costs[at] = cost;
    this.#ends[at] = endsAt;
    this.#thens[at] = then;
  }

  get firstCost(): number {
    return this.#costs[this.#head]!;
  }

  /** Before the timeline adds what earlier tasks have charged since it was posted. */
  get firstEndsAt(): Ns {
    return this.#ends[this.#head]!;
  }

  shift(): () => void {
    const then = this.#thens[this.#head]!;
    this.#thens[this.#head] = NOTHING;
    this.#head = (this.#head + 1) % this.#thens.length;
    this.length--;
    return then;
  }

  #grow(): void {
    const length = this.#thens.length;
    const order = Array.from({ length: 2 * length }, (_, i) => (this.#head + i) % length);
    this.#costs = Uint8Array.from(order, (at) => this.#costs[at]!);
    this.#ends = Float64Array.from(order, (at) => this.#ends[at]!);
    this.#thens = order.map((at, i) => i < length ? this.#thens[at]! : NOTHING);
    this.#head = 0;
  }
}

/** The timeline of dom0 and its books. */
export class Dom0Timeline implements Dom0 {
  readonly #clock: VirtualClock;
  readonly #timer: Timer;
  readonly #tasks = new TaskQueue();
  readonly #ns = new Float64Array(DOM0_COST_KINDS.length);
  /** When everything accepted so far is done. */
  #freeAt: Ns = -Infinity;
  /** Sum of all charges that have delayed posted tasks. */
  #delay: Ns = 0;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
    this.#timer = clock.timer("dom0", () => this.#finish());
  }

  charge(cost: Dom0Cost, ns: Ns): void {
    this.#accept(cost, ns);
    if (this.#tasks.length === 0) return;
    this.#delay += ns;
    if (this.#timer.deadline !== undefined) this.#armForFirst();
  }

  post(cost: Dom0Cost, ns: Ns, then: () => void): void {
    this.#accept(cost, ns);
    this.#tasks.push(cost, this.#freeAt - this.#delay, then);
    if (this.#tasks.length === 1) this.#armForFirst();
  }

  /**
   * Does a task for a vCPU that stands still meanwhile.
   * @returns how long earlier tasks of dom0 keep this one waiting
   */
  serve(cost: Dom0Cost, ns: Ns): Ns {
    return this.#accept(cost, ns);
  }

  /** Everything that was posted is done. */
  get isIdle(): boolean {
    return this.#tasks.length === 0;
  }

  /** The task at hand, if there is one, brings a disk request further. */
  get servesDisk(): boolean {
    const { length, firstCost } = this.#tasks;
    return length > 0 && firstCost !== DOM0_COST.xenstore && firstCost !== DOM0_COST.console;
  }

  /** Booked so far, by kind. */
  snapshot(): Record<Dom0CostKind, Ns> {
    const entries = DOM0_COST_KINDS.map((kind, i) => [kind, this.#ns[i]!] as const);
    return Object.fromEntries(entries) as Record<Dom0CostKind, Ns>;
  }

  /** Puts work behind what is accepted; returns how long until it begins. */
  #accept(cost: Dom0Cost, ns: Ns): Ns {
    this.#ns[cost]! += ns;
    const { now } = this.#clock;
    const freeAt = this.#freeAt;
    const isBusy = freeAt > now;
    this.#freeAt = (isBusy ? freeAt : now) + ns;
    return isBusy ? freeAt - now : 0;
  }

  #armForFirst(): void {
    this.#timer.armAt(this.#tasks.firstEndsAt + this.#delay);
  }

  #finish(): void {
    this.#tasks.shift()();
    if (this.#tasks.length > 0 && this.#timer.deadline === undefined) this.#armForFirst();
  }
}
