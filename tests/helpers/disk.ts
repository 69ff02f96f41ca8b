/** Fakes for what a disk and its users stand on: a clock, dom0, and a folder for image files. */

import { DOM0_COST_KINDS } from "../../core/types.ts";
import type {
  BlockBackend,
  BlockRequest,
  BlockStatus,
  Clock,
  Disk,
  Dom0,
  Dom0Cost,
  Dom0CostKind,
  Ns,
  Timer,
} from "../../core/types.ts";
import { ImageError } from "../../core/errors.ts";

interface Alarm {
  readonly at: Ns;
  readonly order: number;
  readonly fire: () => void;
}

/** What is alarmed later does not belong to the work at hand. */
const REST: Ns = 10e9;

/** A clock that moves when the test says so. */
export class FakeClock implements Clock {
  now: Ns = 0;
  #order = 0;
  readonly #alarms = new Set<Alarm>();

  timer(_name: string, fire: () => void): Timer {
    const alarms = this.#alarms;
    const order = (): number => this.#order++;
    const now = (): Ns => this.now;
    let alarm: Alarm | undefined;
    const timer: Timer = {
      get deadline(): Ns | undefined {
        return alarm?.at;
      },
      armAt(at: Ns): void {
        timer.cancel();
        const armed: Alarm = {
          at,
          order: order(),
          fire: () => {
            timer.cancel();
            fire();
          },
        };
        alarm = armed;
        alarms.add(armed);
      },
      armAfter: (delay: Ns) => timer.armAt(now() + delay),
      cancel(): void {
        if (alarm !== undefined) alarms.delete(alarm);
        alarm = undefined;
      },
    };
    return timer;
  }

  /** Fires the next alarm. @returns false when there is none */
  step(): boolean {
    let next: Alarm | undefined;
    for (const alarm of this.#alarms) {
      const earlier = next === undefined || alarm.at < next.at ||
        alarm.at === next.at && alarm.order < next.order;
      if (earlier) next = alarm;
    }
    if (next === undefined) return false;
    this.now = Math.max(this.now, next.at);
    next.fire();
    return true;
  }

  /** Fires the alarms up to a time, which it is then. */
  runTo(time: Ns): void {
    for (let steps = 0; this.#firstAt() <= time; steps++) {
      if (steps > 100_000) throw new Error("the clock never comes to rest");
      this.step();
    }
    this.now = Math.max(this.now, time);
  }

  #firstAt(): Ns {
    return Math.min(Infinity, ...[...this.#alarms].map(({ at }) => at));
  }

  /** Fires alarms until none is left for the next seconds. */
  run(): void {
    for (let steps = 0; this.#firstAt() <= this.now + REST; steps++) {
      if (steps > 100_000) throw new Error("the clock never comes to rest");
      this.step();
    }
  }
}

/** dom0 as a serial queue of tasks on a {@link FakeClock}. */
export class FakeDom0 implements Dom0 {
  readonly books: Partial<Record<Dom0CostKind, Ns>> = {};
  readonly #clock: Clock;
  readonly #timer: Timer;
  readonly #tasks: { postedAt: Ns; ns: Ns; then: () => void }[] = [];
  #freeAt: Ns = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#timer = clock.timer("dom0", () => this.#runFirst());
  }

  charge(cost: Dom0Cost, ns: Ns): void {
    this.#book(cost, ns);
    this.#freeAt = Math.max(this.#freeAt, this.#clock.now) + ns;
  }

  post(cost: Dom0Cost, ns: Ns, then: () => void): void {
    this.#book(cost, ns);
    this.#tasks.push({ postedAt: this.#clock.now, ns, then });
    if (this.#tasks.length === 1) this.#arm();
  }

  #book(cost: Dom0Cost, ns: Ns): void {
    const kind = DOM0_COST_KINDS[cost]!;
    this.books[kind] = (this.books[kind] ?? 0) + ns;
  }

  #arm(): void {
    const task = this.#tasks[0];
    if (task === undefined) return;
    this.#timer.armAt(Math.max(this.#freeAt, task.postedAt) + task.ns);
  }

  #runFirst(): void {
    const { then } = this.#tasks[0]!;
    this.#freeAt = this.#clock.now;
    then();
    this.#tasks.shift();
    this.#arm();
  }
}

/** A disk that completes when the test says so, and keeps what it was asked. */
export class ManualDisk implements Disk {
  readonly sectorCount: number;
  readonly readOnly: boolean;
  readonly pending: BlockRequest[] = [];
  readonly asked: string[] = [];

  constructor(sectorCount: number, readOnly = false) {
    this.sectorCount = sectorCount;
    this.readOnly = readOnly;
  }

  submit(request: BlockRequest): void {
    const bytes = request.segments.map((segment) => segment.length).join("+");
    this.asked.push(`${request.op} ${request.sector}${bytes && ` ${bytes}`}`);
    this.pending.push(request);
  }

  complete(status: BlockStatus = "ok"): void {
    this.pending.shift()!.done(status);
  }
}

/** A backend whose every access fails. */
export class BrokenBackend implements BlockBackend {
  readonly sectorCount = 64;
  readonly readOnly = false;
  read(): void {
    throw new ImageError("Cannot read disk image: broken");
  }
  write(): void {
    throw new ImageError("Cannot write disk image: broken");
  }
  flush(): void {
    throw new ImageError("Cannot flush disk image: broken");
  }
  close(): void {}
}

/** Bytes that differ from sector to sector. */
export function pattern(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i * 7 + (i >> 9) * 13 + seed);
}

const OUT = new URL("../../out/", import.meta.url).pathname;

/** The test may read and write under `out/`. Otherwise tests of files are ignored. */
export const mayUseFiles: boolean = (["read", "write"] as const).every((name) =>
  Deno.permissions.querySync({ name, path: OUT }).state === "granted"
);

/** Runs `body` with a fresh folder, removed afterwards. */
export function withFolder(body: (folder: string) => void): void {
  Deno.mkdirSync(OUT, { recursive: true });
  const folder = Deno.makeTempDirSync({ dir: OUT });
  try {
    body(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
