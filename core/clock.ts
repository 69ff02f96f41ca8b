/**
 * The virtual clock: the only time there is.
 * @module
 */

import { InternalError } from "./errors.ts";
import type { Clock, Ns, Timer } from "./types.ts";

/** The armed timers, earliest first. */
class Agenda {
  first: Alarm | undefined = undefined;
  /** Of the first alarm, `Infinity` if there is none. */
  deadline: Ns = Infinity;

  /** Puts an alarm behind all others of the same deadline. */
  insert(alarm: Alarm, deadline: Ns): void {
    let before: Alarm | undefined = undefined;
    let after = this.first;
    while (after !== undefined && after.deadline! <= deadline) {
      before = after;
      after = after.next;
    }
    alarm.deadline = deadline;
    alarm.next = after;
    this.#relink(before, alarm);
  }

  remove(alarm: Alarm): void {
    let before: Alarm | undefined = undefined;
    for (let link = this.first; link !== alarm; link = link!.next) before = link;
    this.#relink(before, alarm.next);
    alarm.deadline = undefined;
    alarm.next = undefined;
  }

  removeAll(owner: object): void {
    for (let alarm = this.first; alarm !== undefined;) {
      const { next } = alarm;
      if (alarm.owner === owner) this.remove(alarm);
      alarm = next;
    }
  }

  #relink(before: Alarm | undefined, next: Alarm | undefined): void {
    if (before === undefined) {
      this.first = next;
      this.deadline = next?.deadline ?? Infinity;
    } else before.next = next;
  }
}

class Alarm implements Timer {
  readonly #clock: VirtualClock;
  readonly #agenda: Agenda;
  readonly #name: string;
  readonly fire: () => void;
  readonly owner: object | undefined;
  deadline: Ns | undefined = undefined;
  next: Alarm | undefined = undefined;

  constructor(
    clock: VirtualClock,
    agenda: Agenda,
    name: string,
    fire: () => void,
    owner: object | undefined,
  ) {
    this.#clock = clock;
    this.#agenda = agenda;
    this.#name = name;
    this.fire = fire;
    this.owner = owner;
  }
  armAt(deadline: Ns): void {
    if (!Number.isSafeInteger(deadline)) {
      throw new InternalError(`timer ${this.#name}: deadline ${deadline} is not a whole number`);
    }
    this.cancel();
    this.#agenda.insert(this, deadline);
  }
  armAfter(delay: Ns): void {
    this.armAt(this.#clock.now + delay);
  }
  cancel(): void {
    if (this.deadline !== undefined) this.#agenda.remove(this);
  }
}

/**
 * Time since power-on. A machine has a dozen timers, most of them disarmed: a sorted list is the
 * fastest queue for that.
 */
export class VirtualClock implements Clock {
  readonly #agenda = new Agenda();
  /**
   * A double from the start: when a field outgrows V8's small integers, all code that reads it is
   * compiled anew.
   */
  #now: Ns = NaN;

  constructor() {
    this.#now = 0;
  }

  get now(): Ns {
    return this.#now;
  }

  /** The earliest armed deadline, `Infinity` if there is none. */
  get nextDeadline(): Ns {
    return this.#agenda.deadline;
  }

  /** @param owner for {@link cancelAll} */
  timer(name: string, fire: () => void, owner?: object): Timer {
    return new Alarm(this, this.#agenda, name, fire, owner);
  }

  /** Cancels all timers of an owner. */
  cancelAll(owner: object): void {
    this.#agenda.removeAll(owner);
  }

  /** Moves time and fires nothing. Only the books may call it. */
  advance(ns: Ns): void {
    this.#now += ns;
  }

  /** Fires every timer that is due, in the order of deadlines, equal ones in arming order. */
  fireDue(): void {
    while (this.nextDeadline <= this.now) {
      const due = this.#agenda.first!;
      due.cancel();
      due.fire();
    }
  }
}

/**
 * The clock for parts that end before it does: their timers end with them. It remembers none of
 * them, as some of its parts, such as connections that a guest makes, come and go without end.
 */
export class ClockScope implements Clock {
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  get now(): Ns {
    return this.#clock.now;
  }

  timer(name: string, fire: () => void): Timer {
    return this.#clock.timer(name, fire, this);
  }

  /** Cancels all timers. Whoever has them must not be reached any more. */
  end(): void {
    this.#clock.cancelAll(this);
  }
}
