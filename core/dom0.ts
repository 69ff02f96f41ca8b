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

interface Task {
  readonly cost: Dom0Cost;
  /** End of the task, before {@link Dom0Timeline} adds what earlier tasks have charged since. */
  readonly endsAt: Ns;
  readonly then: () => void;
}

/** The timeline of dom0 and its books. */
export class Dom0Timeline implements Dom0 {
  readonly #clock: VirtualClock;
  readonly #timer: Timer;
  readonly #tasks: Task[] = [];
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
    this.#tasks.push({ cost, endsAt: this.#freeAt - this.#delay, then });
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
    const task = this.#tasks[0];
    return task !== undefined && task.cost !== DOM0_COST.xenstore &&
      task.cost !== DOM0_COST.console;
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
    this.#timer.armAt(this.#tasks[0]!.endsAt + this.#delay);
  }

  #finish(): void {
    const task = this.#tasks.shift()!;
    task.then();
    if (this.#tasks.length > 0 && this.#timer.deadline === undefined) this.#armForFirst();
  }
}
