/**
 * One channel of the 8254: what each mode counts and shows, and how a guest loads and reads it.
 * Time is the number of input clocks since power-on, handed in by the caller; it never goes back.
 * Source: Intel 8254 datasheet (231164), "Programming the 8254", "Mode definitions".
 * @module
 */

const ACCESS_LATCH = 0;
const ACCESS_MSB = 2;
const ACCESS_WORD = 3;
const CONTROL_BCD = 0x01;
const STATUS_OUT = 0x80;
const STATUS_NULL_COUNT = 0x40;

/** Access word, mode 3, count 65536: IRQ 0 at 18.2 Hz, as QEMU resets it. */
const RESET_CONTROL = 0x36;

/**
 * What a mode does `e` clocks after the counting element took the count `n`. `gate` names what the
 * gate does: a low one pauses; or stops until its rising edge reloads; or only its rising edge
 * starts.
 */
interface CountingMode {
  readonly gate: "pauses" | "reloads" | "starts";
  /** OUT while nothing is counted. */
  readonly idle: boolean;
  out(e: number, n: number): boolean;
  /** May leave the range of the counter, which wraps. */
  count(e: number, n: number): number;
  /** Clocks at which OUT changes next, above `e`. */
  nextEdge(e: number, n: number): number;
  /** In periodic modes: the next clock, above `e`, at which a new count is taken. */
  nextLoad?(e: number, n: number): number;
}

const countDown = (e: number, n: number): number => n - e;

const LEVEL_AT_END: Pick<CountingMode, "out" | "count" | "nextEdge"> = {
  out: (e, n) => e >= n,
  count: countDown,
  nextEdge: (e, n) => e < n ? n : Infinity,
};

const PULSE_AT_END: Pick<CountingMode, "out" | "count" | "nextEdge"> = {
  out: (e, n) => e !== n,
  count: countDown,
  nextEdge: (e, n) => e < n ? n : e === n ? n + 1 : Infinity,
};

const RATE_GENERATOR: CountingMode = {
  gate: "reloads",
  idle: true,
  out: (e, n) => e % n !== n - 1,
  count: (e, n) => n - e % n,
  nextEdge: (e, n) => n < 2 ? Infinity : e % n < n - 1 ? e - e % n + n - 1 : e + 1,
  nextLoad: (e, n) => e - e % n + n,
};

/** The first half of a square wave, when OUT is high: the longer one of an odd count. */
const halfOf = (n: number): number => (n + 1) >> 1;

/** Counts by two, from the even number below, in each half. */
const SQUARE_WAVE: CountingMode = {
  gate: "reloads",
  idle: true,
  out: (e, n) => e % n < halfOf(n),
  count: (e, n) => {
    const half = halfOf(n);
    const at = e % n;
    return (n & ~1) - 2 * (at < half ? at : at - half);
  },
  nextEdge: (e, n) => n < 2 ? Infinity : SQUARE_WAVE.nextLoad!(e, n),
  nextLoad: (e, n) => e - e % n + (e % n < halfOf(n) ? halfOf(n) : n),
};

/** By bits 3:1 of the control word. */
const MODES: readonly CountingMode[] = [
  { gate: "pauses", idle: false, ...LEVEL_AT_END },
  { gate: "starts", idle: true, ...LEVEL_AT_END },
  RATE_GENERATOR,
  SQUARE_WAVE,
  { gate: "pauses", idle: true, ...PULSE_AT_END },
  { gate: "starts", idle: true, ...PULSE_AT_END },
  RATE_GENERATOR,
  SQUARE_WAVE,
];

/** One counter: the count register the guest writes, and the counting element it is loaded into. */
export class PitChannel {
  #control = RESET_CONTROL;
  #mode: CountingMode = MODES[3]!;
  #gate: boolean;
  /** Last count written since the control word. */
  #register: number | undefined = 0x10000;
  /** The counting element has not taken it. */
  #registerWaits = false;
  /** Count that the counting element started from. */
  #loaded = 0x10000;
  /** Clock at which the counting element holds `#loaded`; `undefined`: it waits to be started. */
  #start: number | undefined = 0;
  /** Clocks counted when the gate fell. */
  #heldAt: number | undefined;
  /** Clock at which a running periodic mode goes on with `#register`. */
  #reloadAt = Infinity;
  #latchedCount: number | undefined;
  #latchedStatus: number | undefined;
  #readsHigh = false;
  #writesHigh = false;
  #low = 0;

  /** @param gate level of the gate input at power-on */
  constructor(gate: boolean) {
    this.#gate = gate;
    this.#heldAt = gate ? undefined : 0;
  }

  /** Level of the gate input. */
  get gate(): boolean {
    return this.#gate;
  }

  /** Moves the gate input. */
  setGate(gate: boolean, tick: number): void {
    if (gate === this.#gate) return;
    const elapsed = this.#elapsed(tick);
    this.#gate = gate;
    if (!gate) this.#hold(elapsed);
    else if (this.#mode.gate !== "pauses") this.#begin(tick + 1);
    else if (this.#start !== undefined) {
      this.#start = tick - elapsed;
      this.#heldAt = undefined;
    }
  }

  /** Level of OUT. */
  out(tick: number): boolean {
    const elapsed = this.#elapsed(tick);
    const stopped = this.#heldAt !== undefined && this.#mode.gate === "reloads";
    if (this.#start === undefined || stopped) return this.#mode.idle;
    return this.#mode.out(elapsed, this.#loaded);
  }

  /** First clock after `tick` at which OUT changes by itself; `Infinity` if never. */
  nextEdge(tick: number): number {
    const elapsed = this.#elapsed(tick);
    if (this.#start === undefined || this.#heldAt !== undefined) return Infinity;
    return this.#start + this.#mode.nextEdge(elapsed, this.#loaded);
  }

  /**
   * Takes a control word: stops the channel until a count is written, or latches the count.
   * @param word bits 5:0 of what port 0x43 got
   */
  control(word: number, tick: number): void {
    const access = word >> 4;
    if (access === ACCESS_LATCH) return this.latchCount(tick);
    this.#control = word;
    this.#mode = MODES[(word >> 1) & 7]!;
    this.#register = this.#start = this.#heldAt = undefined;
    this.#reloadAt = Infinity;
    this.#latchedCount = this.#latchedStatus = undefined;
    this.#readsHigh = this.#writesHigh = access === ACCESS_MSB;
  }

  /** Takes one byte of a count. */
  write(byte: number, tick: number): void {
    const word = this.#control >> 4 === ACCESS_WORD;
    if (word && !this.#writesHigh) {
      this.#low = byte;
      this.#writesHigh = true;
      if (this.#mode === MODES[0]) this.#stop(tick); // the first byte already stops it
      return;
    }
    const count = !this.#writesHigh ? byte : byte << 8 | (word ? this.#low : 0);
    if (word) this.#writesHigh = false;
    this.#load(this.#decode(count), tick);
  }

  /** Gives a latched status, else the next byte of the latched or running count. */
  read(tick: number): number {
    if (this.#latchedStatus !== undefined) {
      const status = this.#latchedStatus;
      this.#latchedStatus = undefined;
      return status;
    }
    const count = this.#latchedCount ?? this.#count(tick);
    const word = this.#control >> 4 === ACCESS_WORD;
    const high = this.#readsHigh;
    if (word) this.#readsHigh = !high;
    if (high || !word) this.#latchedCount = undefined;
    return high ? count >> 8 : count & 0xff;
  }

  /** Freezes the count until it is read. */
  latchCount(tick: number): void {
    this.#latchedCount ??= this.#count(tick);
  }

  /** Freezes the status byte for the next read. */
  latchStatus(tick: number): void {
    const out = this.out(tick) ? STATUS_OUT : 0;
    const nullCount = this.#isLoaded(tick) ? 0 : STATUS_NULL_COUNT;
    this.#latchedStatus ??= out | nullCount | this.#control;
  }

  /** The counting element stands at what it has come to. */
  #stop(tick: number): void {
    this.#loaded = this.#mode.count(this.#elapsed(tick), this.#loaded);
    this.#start = undefined;
  }

  /** The gate has fallen. A periodic mode waits for it even to take a new count. */
  #hold(elapsed: number): void {
    this.#heldAt = this.#mode.gate === "starts" ? undefined : elapsed;
    this.#reloadAt = Infinity;
  }

  /**
   * A running periodic mode finishes its period first, or its half period, or waits for its gate;
   * so do the modes that a gate starts.
   */
  #load(count: number, tick: number): void {
    const elapsed = this.#elapsed(tick);
    this.#register = count;
    this.#registerWaits = true;
    if (this.#mode.gate === "starts") return;
    if (this.#mode.gate === "pauses" || this.#start === undefined) this.#begin(tick + 1);
    else if (this.#heldAt === undefined) {
      this.#reloadAt = this.#start + this.#mode.nextLoad!(elapsed, this.#loaded);
    }
  }

  /** The counting element takes the count register at the clock `start`. */
  #begin(start: number): void {
    if (this.#register === undefined) return;
    this.#loaded = this.#register;
    this.#registerWaits = false;
    this.#start = start;
    this.#heldAt = this.#gate || this.#mode.gate === "starts" ? undefined : 0;
    this.#reloadAt = Infinity;
  }

  /** A square wave goes on with the other half, of the new count. */
  #reload(at: number): void {
    const isLow = !this.#mode.out(at - this.#start!, this.#loaded);
    this.#begin(this.#mode === SQUARE_WAVE && isLow ? at - halfOf(this.#register!) : at);
  }

  #elapsed(tick: number): number {
    if (tick >= this.#reloadAt) this.#reload(this.#reloadAt);
    if (this.#start === undefined) return 0;
    return this.#heldAt ?? Math.max(0, tick - this.#start);
  }

  #isLoaded(tick: number): boolean {
    this.#elapsed(tick);
    return this.#start !== undefined && tick >= this.#start && !this.#registerWaits;
  }

  /** The counter as it reads: 16 bits, or four decimal digits. */
  #count(tick: number): number {
    const count = this.#mode.count(this.#elapsed(tick), this.#loaded);
    if ((this.#control & CONTROL_BCD) === 0) return count & 0xffff;
    return toBcd((count % 10000 + 10000) % 10000);
  }

  #decode(written: number): number {
    if ((this.#control & CONTROL_BCD) === 0) return written || 0x10000;
    return fromBcd(written) || 10000;
  }
}

function fromBcd(digits: number): number {
  return (digits >> 12) * 1000 + (digits >> 8 & 15) * 100 + (digits >> 4 & 15) * 10 + (digits & 15);
}

function toBcd(value: number): number {
  return Math.floor(value / 1000) << 12 | (Math.floor(value / 100) % 10) << 8 |
    (Math.floor(value / 10) % 10) << 4 | value % 10;
}
