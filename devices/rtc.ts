/**
 * The MC146818 real-time clock with its battery-backed bytes (ports 0x70 and 0x71). Everything is
 * computed from the virtual clock when somebody looks; a timer runs only while an interrupt can
 * come.
 * Source: Motorola MC146818 datasheet (ADI856R2), a 32768 Hz crystal; century and the time before
 * an update as in QEMU 7.2's `pc` machine.
 * @module
 */

import type { Clock, InterruptLine, Ns, Timer } from "../core/types.ts";
import { ByteDevice } from "./bus.ts";
import { dateOf, dayNumber, SECONDS_PER_DAY } from "./calendar.ts";
import { ticksIn, timeOfTick } from "./oscillator.ts";

/** Bytes behind the index register. */
export const CMOS_BYTES = 128;

/** Clock registers. The alarm's are one behind those of the time. */
const REG = {
  SECOND: 0x00,
  MINUTE: 0x02,
  HOUR: 0x04,
  WEEKDAY: 0x06,
  DAY: 0x07,
  MONTH: 0x08,
  YEAR: 0x09,
  A: 0x0a,
  B: 0x0b,
  C: 0x0c,
  D: 0x0d,
  CENTURY: 0x32,
  /** The same byte where PS/2 machines had it. */
  CENTURY_PS2: 0x37,
} as const;
const ALARM = 1;

const A_UIP = 0x80;
const A_DIVIDER = 0x70;
const A_RATE = 0x0f;
/** Divider for a 32768 Hz crystal; every other setting stops it here. */
const DIVIDER_32768 = 0x20;
const A_RESET = DIVIDER_32768 | 0x06;

const B_SET = 0x80;
const B_UIE = 0x10;
const B_BINARY = 0x04;
const B_24_HOURS = 0x02;
const B_RESET = B_24_HOURS;

const C_IRQF = 0x80;
const C_PF = 0x40;
const C_AF = 0x20;
const C_UF = 0x10;
/** Flags of register C, and at the same places their enables in register B. */
const C_CAUSES = C_PF | C_AF | C_UF;

const D_VALID = 0x80;

const HOUR_PM = 0x80;
/** Alarm bytes from here on match anything. */
const ANY = 0xc0;

const CRYSTAL_HZ = 32_768;
const NS_PER_SECOND = 1_000_000_000;
/** Ticks before an update during which UIP warns of it: 244 µs. */
const UPDATE_WARNING = 8;

/** How the clock is set when power comes. */
export interface RtcSettings {
  /**
   * Seconds since 1970-01-01T00:00:00 when the clock stood at 0; the guest takes them for whatever
   * zone it likes.
   */
  readonly base: number;
  /** {@link CMOS_BYTES} bytes; those of the clock are overwritten. */
  readonly cmos: Uint8Array;
}

/** The chip: index at offset 0, data at offset 1. */
export class Rtc extends ByteDevice {
  readonly #clock: Clock;
  readonly #irq: InterruptLine;
  readonly #timer: Timer;
  readonly #bytes: Uint8Array;
  #index = 0;
  /** When the divider stood at 0. */
  #origin: Ns;
  /** Up to which tick of the crystal everything has been done. */
  #tick = 0;

  constructor(clock: Clock, irq: InterruptLine, settings: RtcSettings) {
    super(2);
    this.#clock = clock;
    this.#irq = irq;
    this.#timer = clock.timer("rtc", () => this.#settle());
    this.#bytes = settings.cmos.slice();
    const seconds = Math.floor(clock.now / NS_PER_SECOND);
    const time = settings.base + seconds;
    this.#origin = seconds * NS_PER_SECOND;
    this.#tick = ticksIn(clock.now - this.#origin, CRYSTAL_HZ);
    this.#bytes[REG.A] = A_RESET;
    this.#bytes[REG.B] = B_RESET;
    this.#bytes[REG.C] = 0;
    this.#bytes[REG.D] = D_VALID;
    this.#setTime(time);
    this.#put(REG.WEEKDAY, weekdayOf(Math.floor(time / SECONDS_PER_DAY)));
  }

  override readByte(offset: number): number {
    if (offset === 0) return 0xff;
    this.#advance();
    const value = this.#bytes[this.#index]!;
    if (this.#index === REG.A && this.#isUpdateNear()) return value | A_UIP;
    if (this.#index !== REG.C) return value;
    this.#bytes[REG.C] = 0;
    this.#settle();
    return value | (this.#isAsserted(value) ? C_IRQF : 0);
  }

  override writeByte(offset: number, value: number): void {
    if (offset === 0) {
      const index = value & (CMOS_BYTES - 1); // bit 7 masks the NMI, which has no source here
      this.#index = index === REG.CENTURY_PS2 ? REG.CENTURY : index;
      return;
    }
    this.#advance();
    if (this.#index === REG.A) this.#writeA(value & ~A_UIP);
    else if (this.#index === REG.B) this.#writeB(value);
    else if (this.#index !== REG.C && this.#index !== REG.D) this.#bytes[this.#index] = value;
    this.#settle();
  }

  /** A divider that leaves reset has half a second to go to the first update. */
  #writeA(value: number): void {
    const wasRunning = this.#isRunning();
    this.#bytes[REG.A] = value;
    if (wasRunning || !this.#isRunning()) return;
    this.#tick = CRYSTAL_HZ / 2;
    this.#origin = this.#clock.now - NS_PER_SECOND / 2;
  }

  #writeB(value: number): void {
    this.#bytes[REG.B] = (value & B_SET) !== 0 ? value & ~B_UIE : value;
  }

  // ---- time passes ------------------------------------------------------------------------------

  #isRunning(): boolean {
    return (this.#bytes[REG.A]! & A_DIVIDER) === DIVIDER_32768;
  }

  #isUpdating(): boolean {
    return this.#isRunning() && (this.#bytes[REG.B]! & B_SET) === 0;
  }

  #isUpdateNear(): boolean {
    return this.#isUpdating() && this.#tick % CRYSTAL_HZ >= CRYSTAL_HZ - UPDATE_WARNING;
  }

  #isAsserted(flags: number): boolean {
    return (flags & this.#bytes[REG.B]! & C_CAUSES) !== 0;
  }

  /** Catches up with the clock: time, alarm and flags. */
  #advance(): void {
    if (!this.#isRunning()) return;
    const from = this.#tick;
    const to = this.#tick = ticksIn(this.#clock.now - this.#origin, CRYSTAL_HZ);
    const period = this.#period();
    if (Math.floor(to / period) > Math.floor(from / period)) this.#bytes[REG.C]! |= C_PF;
    const updates = Math.floor(to / CRYSTAL_HZ) - Math.floor(from / CRYSTAL_HZ);
    if (updates > 0 && this.#isUpdating()) this.#update(updates);
  }

  #update(seconds: number): void {
    const time = this.#time();
    if (this.#secondsToAlarm(time) <= seconds) this.#bytes[REG.C]! |= C_AF;
    this.#bytes[REG.C]! |= C_UF;
    const days = Math.floor((time + seconds) / SECONDS_PER_DAY) -
      Math.floor(time / SECONDS_PER_DAY);
    this.#setTime(time + seconds);
    this.#put(REG.WEEKDAY, (this.#get(REG.WEEKDAY) + days - 1) % 7 + 1);
  }

  /** Ticks between periodic flags, `Infinity` when there are none. */
  #period(): number {
    const rate = this.#bytes[REG.A]! & A_RATE;
    if (rate === 0) return Infinity;
    return rate <= 2 ? 1 << (rate + 6) : 1 << (rate - 1);
  }

  /** Drives the interrupt, and sets the timer to what will change it next. */
  #settle(): void {
    this.#advance();
    const asserted = this.#isAsserted(this.#bytes[REG.C]!);
    this.#irq.set(asserted);
    const tick = asserted ? Infinity : this.#nextCause();
    if (tick === Infinity) this.#timer.cancel();
    else this.#timer.armAt(this.#origin + timeOfTick(tick, CRYSTAL_HZ));
  }

  /** The tick of the next flag whose interrupt is enabled. */
  #nextCause(): number {
    if (!this.#isRunning()) return Infinity;
    const enabled = this.#bytes[REG.B]!;
    const after = (period: number) => (Math.floor(this.#tick / period) + 1) * period;
    let next = Infinity;
    if ((enabled & C_PF) !== 0 && this.#period() !== Infinity) next = after(this.#period());
    if (!this.#isUpdating()) return next;
    const update = after(CRYSTAL_HZ);
    if ((enabled & C_UF) !== 0) next = Math.min(next, update);
    if ((enabled & C_AF) !== 0) {
      const seconds = this.#secondsToAlarm(this.#time());
      next = Math.min(next, update + (seconds - 1) * CRYSTAL_HZ);
    }
    return next;
  }

  /** From a time to the next one that the alarm matches, `Infinity` if it never does. */
  #secondsToAlarm(time: number): number {
    const matches = (register: number, value: number) => {
      const alarm = this.#bytes[register + ALARM]!;
      return alarm >= ANY || alarm === this.#encode(register, value);
    };
    const timeOfDay = time - Math.floor(time / SECONDS_PER_DAY) * SECONDS_PER_DAY;
    for (let ahead = 1; ahead <= SECONDS_PER_DAY;) {
      const second = (timeOfDay + ahead) % SECONDS_PER_DAY;
      if (!matches(REG.HOUR, Math.floor(second / 3600))) ahead += 3600 - second % 3600;
      else if (!matches(REG.MINUTE, Math.floor(second / 60) % 60)) ahead += 60 - second % 60;
      else if (!matches(REG.SECOND, second % 60)) ahead++;
      else return ahead;
    }
    return Infinity;
  }

  // ---- the registers as numbers -----------------------------------------------------------------

  /** Seconds since 1970-01-01T00:00:00. What no clock shows counts on into the next unit. */
  #time(): number {
    const date = {
      year: this.#get(REG.CENTURY) * 100 + this.#get(REG.YEAR),
      month: this.#get(REG.MONTH),
      day: this.#get(REG.DAY),
    };
    const minutes = this.#get(REG.HOUR) * 60 + this.#get(REG.MINUTE);
    return dayNumber(date) * SECONDS_PER_DAY + minutes * 60 + this.#get(REG.SECOND);
  }

  #setTime(time: number): void {
    const days = Math.floor(time / SECONDS_PER_DAY);
    const second = time - days * SECONDS_PER_DAY;
    const { year, month, day } = dateOf(days);
    this.#put(REG.SECOND, second % 60);
    this.#put(REG.MINUTE, Math.floor(second / 60) % 60);
    this.#put(REG.HOUR, Math.floor(second / 3600));
    this.#put(REG.DAY, day);
    this.#put(REG.MONTH, month);
    this.#put(REG.YEAR, year % 100);
    this.#put(REG.CENTURY, Math.floor(year / 100) % 100);
  }

  #put(register: number, value: number): void {
    this.#bytes[register] = this.#encode(register, value);
  }

  #get(register: number): number {
    const byte = this.#bytes[register]!;
    if (register !== REG.HOUR || this.#has24Hours()) return this.#toNumber(byte);
    const hour = this.#toNumber(byte & ~HOUR_PM) % 12;
    return (byte & HOUR_PM) !== 0 ? hour + 12 : hour;
  }

  #encode(register: number, value: number): number {
    if (register !== REG.HOUR || this.#has24Hours()) return this.#toByte(value);
    return this.#toByte(value % 12 || 12) | (value >= 12 ? HOUR_PM : 0);
  }

  #has24Hours(): boolean {
    return (this.#bytes[REG.B]! & B_24_HOURS) !== 0;
  }

  #isBinary(): boolean {
    return (this.#bytes[REG.B]! & B_BINARY) !== 0;
  }

  #toNumber(byte: number): number {
    return this.#isBinary() ? byte : (byte >> 4) * 10 + (byte & 0x0f);
  }

  #toByte(value: number): number {
    return this.#isBinary() ? value : Math.floor(value / 10) << 4 | value % 10;
  }
}

/** 1 = Sunday. 1970-01-01 was a Thursday. */
function weekdayOf(days: number): number {
  return (days + 4) % 7 + 1;
}
