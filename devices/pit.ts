/**
 * The 8254 interval timer (ports 0x40-0x43) and the system control port 0x61 that gates and reads
 * its channel 2. Everything is computed from the number of input clocks since power-on, so nothing
 * drifts.
 * Source: Intel 8254 datasheet (231164); IBM PC AT Technical Reference (port 0x61).
 * @module
 */

import type { Clock, InterruptLine, PortDevice, Timer } from "../core/types.ts";
import { ByteDevice } from "./bus.ts";
import { ticksIn, timeOfTick } from "./oscillator.ts";
import { PitChannel } from "./pit_channel.ts";

/** Input clock of all three channels, Hz. */
export const PIT_HZ = 1_193_182;

const CONTROL_PORT = 3;

const READ_BACK = 3;
const READ_BACK_NO_COUNT = 0x20;
const READ_BACK_NO_STATUS = 0x10;
const SPEAKER_GATE = 0x01;
const SPEAKER_DATA = 0x02;
const SPEAKER_REFRESH = 0x10;
const SPEAKER_OUT = 0x20;
/** Input clocks between two refresh requests: 15 µs. */
const REFRESH_TICKS = 18;

/** The 8254, as the device of ports 0x40-0x43. OUT of channel 0 is IRQ 0. */
export class Pit extends ByteDevice {
  /** Port 0x61. */
  readonly systemPort: PortDevice;
  readonly #clock: Clock;
  readonly #irq0: InterruptLine;
  readonly #timer: Timer;
  readonly #channels: readonly [PitChannel, PitChannel, PitChannel];
  /** Input clock of the next change of IRQ 0. */
  #edge = 0;

  constructor(clock: Clock, irq0: InterruptLine) {
    super(4);
    this.#clock = clock;
    this.#irq0 = irq0;
    this.#timer = clock.timer("pit0", () => this.#now());
    this.#channels = [new PitChannel(true), new PitChannel(true), new PitChannel(false)];
    this.systemPort = new SystemPort(clock, this.#channels[2]);
    this.#follow(ticksIn(clock.now, PIT_HZ));
  }

  override readByte(offset: number): number {
    const tick = this.#now();
    return offset === CONTROL_PORT ? 0 : this.#channels[offset]!.read(tick);
  }

  override writeByte(offset: number, value: number): void {
    const tick = this.#now();
    if (offset !== CONTROL_PORT) this.#channels[offset]!.write(value, tick);
    else if (value >> 6 === READ_BACK) this.#readBack(value, tick);
    else this.#channels[value >> 6]!.control(value & 0x3f, tick);
    this.#follow(tick);
  }

  #readBack(command: number, tick: number): void {
    this.#channels.forEach((channel, number) => {
      if ((command & (2 << number)) === 0) return;
      if ((command & READ_BACK_NO_STATUS) === 0) channel.latchStatus(tick);
      if ((command & READ_BACK_NO_COUNT) === 0) channel.latchCount(tick);
    });
  }

  /** The current input clock, with every edge of IRQ 0 up to it delivered. */
  #now(): number {
    const tick = ticksIn(this.#clock.now, PIT_HZ);
    while (this.#edge <= tick) this.#follow(this.#edge);
    return tick;
  }

  #follow(tick: number): void {
    const channel = this.#channels[0];
    this.#irq0.set(channel.out(tick));
    this.#edge = channel.nextEdge(tick);
    if (this.#edge === Infinity) this.#timer.cancel();
    else this.#timer.armAt(timeOfTick(this.#edge, PIT_HZ));
  }
}

/**
 * Port 0x61: gate and OUT of channel 2, speaker enable, and the refresh request as a slow clock.
 */
class SystemPort extends ByteDevice {
  readonly #clock: Clock;
  readonly #channel: PitChannel;
  #speakerData = 0;

  constructor(clock: Clock, channel: PitChannel) {
    super(1);
    this.#clock = clock;
    this.#channel = channel;
  }

  override readByte(): number {
    const tick = ticksIn(this.#clock.now, PIT_HZ);
    const refresh = Math.floor(tick / REFRESH_TICKS) % 2 === 0 ? 0 : SPEAKER_REFRESH;
    const out = this.#channel.out(tick) ? SPEAKER_OUT : 0;
    return out | refresh | this.#speakerData | (this.#channel.gate ? SPEAKER_GATE : 0);
  }

  override writeByte(_offset: number, value: number): void {
    this.#speakerData = value & SPEAKER_DATA;
    this.#channel.setGate((value & SPEAKER_GATE) !== 0, ticksIn(this.#clock.now, PIT_HZ));
  }
}
