/**
 * The I/O APIC: 24 inputs, or 48 as Xen's has, each with a redirection entry that makes a message
 * of it.
 *
 * A line says whether its device asks; the polarity of an entry is kept for the guest and changes
 * nothing, as in Xen (xen/arch/x86/hvm/vioapic.c). An edge at a masked input is lost.
 * Source: Intel 82093AA datasheet (290566), §3.
 * @module
 */

import { truncate } from "../core/bits.ts";
import type { AccessSize, InterruptLine, MmioDevice } from "../core/types.ts";
import { DELIVERY, deliveryOf, isFixed, MESSAGE } from "./apic_message.ts";
import type { MessageBus } from "./apic_message.ts";

/** Bytes that the registers take. */
export const IOAPIC_BYTES = 0x1000;

/** Inputs of the chip. */
const PIN_COUNT = 24;
/** Inputs of Xen's: VIOAPIC_NUM_PINS. */
export const XEN_PIN_COUNT = 48;

/** Offsets: the index register selects what the window shows. */
const IOREGSEL = 0x00;
const IOWIN = 0x10;

/** Behind the window. */
const REG = { ID: 0, VERSION: 1, ARBITRATION: 2, REDIRECTION: 0x10 } as const;
const ID_BITS = 0x0f000000;
/** Below the number of the last entry. */
const VERSION = 0x11;

/** A level that has been taken and not ended: a bit of redirection entries. */
export const IOAPIC_REMOTE_IRR = 0x4000;
const REMOTE_IRR = IOAPIC_REMOTE_IRR;
/** Vector, delivery, destination mode, polarity, trigger, mask. */
const WRITABLE = 0x1afff;

/** What the chip holds. */
export interface IoApicRegisters {
  readonly version: number;
  readonly id: number;
  /** The index register. */
  readonly index: number;
  /** By input. */
  readonly entries: readonly { readonly low: number; readonly destination: number }[];
  /** Inputs that are asserted. */
  readonly asserted: readonly number[];
}

/** The I/O APIC. */
export class IoApic implements MmioDevice {
  readonly #bus: MessageBus;
  readonly #lines: readonly InterruptLine[];
  /** Redirection entries: low words, and destinations. */
  readonly #entries: Uint32Array;
  readonly #destinations: Uint8Array;
  /** By input: 1 while it is asserted. */
  readonly #asserted: Uint8Array;
  #index = 0;
  #id = 0;

  constructor(bus: MessageBus, pins: number = PIN_COUNT) {
    this.#bus = bus;
    this.#entries = new Uint32Array(pins).fill(MESSAGE.MASKED);
    this.#destinations = new Uint8Array(pins);
    this.#asserted = new Uint8Array(pins);
    this.#lines = Array.from(
      { length: pins },
      (_, pin) => ({ set: (asserted) => this.#setInput(pin, asserted) }),
    );
  }

  /** Number of inputs. */
  get pinCount(): number {
    return this.#lines.length;
  }

  /** An input, by number; always the same object. */
  line(pin: number): InterruptLine {
    return this.#lines[pin]!;
  }

  /** What it holds now, for a monitor. */
  get registers(): IoApicRegisters {
    return {
      version: VERSION,
      id: this.#id >>> 24,
      index: this.#index,
      entries: Array.from(this.#entries, (low, pin) => {
        return { low, destination: this.#destinations[pin]! };
      }),
      asserted: [...this.#asserted].flatMap((level, pin) => level === 0 ? [] : [pin]),
    };
  }

  /** The first input whose messages have that vector; `undefined` when there is none. */
  pinOf(vector: number): number | undefined {
    for (let pin = 0; pin < this.pinCount; pin++) {
      if ((this.#entries[pin]! & (MESSAGE.VECTOR | MESSAGE.MASKED)) === vector) return pin;
    }
    return undefined;
  }

  /** A local APIC has ended a level-triggered interrupt; a line that is still asserted asks anew. */
  endOfInterrupt(vector: number): void {
    for (let pin = 0; pin < this.pinCount; pin++) {
      const entry = this.#entries[pin]!;
      if ((entry & REMOTE_IRR) === 0 || (entry & MESSAGE.VECTOR) !== vector) continue;
      this.#entries[pin] = entry & ~REMOTE_IRR;
      this.#serveLevel(pin);
    }
  }

  /** Levels that nobody has taken are offered again. */
  retry(): void {
    for (let pin = 0; pin < this.pinCount; pin++) this.#serveLevel(pin);
  }

  // ---- registers --------------------------------------------------------------------------------

  readMmio(offset: number, size: AccessSize): number {
    const value = (offset & ~3) === IOREGSEL
      ? this.#index
      : (offset & ~3) === IOWIN
      ? this.#read(this.#index)
      : 0;
    return truncate(value >>> 8 * (offset & 3), size);
  }

  /** The window takes whole words only. */
  writeMmio(offset: number, size: AccessSize, value: number): void {
    if (offset === IOREGSEL) this.#index = value & 0xff;
    else if (offset === IOWIN && size === 4) this.#write(this.#index, value);
  }

  #read(register: number): number {
    switch (register) {
      case REG.ID:
      case REG.ARBITRATION:
        return this.#id;
      case REG.VERSION:
        return (this.pinCount - 1) << 16 | VERSION;
    }
    const pin = (register - REG.REDIRECTION) >> 1;
    if (pin < 0 || pin >= this.pinCount) return 0;
    return (register & 1) === 0 ? this.#entries[pin]! : this.#destinations[pin]! << 24;
  }

  #write(register: number, value: number): void {
    if (register === REG.ID) this.#id = value & ID_BITS;
    const pin = (register - REG.REDIRECTION) >> 1;
    if (pin < 0 || pin >= this.pinCount) return;
    if ((register & 1) !== 0) this.#destinations[pin] = value >>> 24;
    else this.#redirect(pin, value);
  }

  /** An input that becomes edge-triggered waits for no end of interrupt any more. */
  #redirect(pin: number, value: number): void {
    const kept = (value & MESSAGE.LEVEL) === 0 ? 0 : this.#entries[pin]! & REMOTE_IRR;
    this.#entries[pin] = value & WRITABLE | kept;
    this.#serveLevel(pin);
  }

  // ---- inputs -----------------------------------------------------------------------------------

  #setInput(pin: number, asserted: boolean): void {
    const level = Number(asserted);
    if (level === this.#asserted[pin]) return;
    this.#asserted[pin] = level;
    if (!asserted) return;
    const entry = this.#entries[pin]!;
    if ((entry & MESSAGE.LEVEL) !== 0) this.#serveLevel(pin);
    else if ((entry & MESSAGE.MASKED) === 0) this.#send(pin);
  }

  /** Sends a level that nobody has taken yet. */
  #serveLevel(pin: number): void {
    const entry = this.#entries[pin]!;
    if ((entry & (MESSAGE.LEVEL | MESSAGE.MASKED | REMOTE_IRR)) !== MESSAGE.LEVEL) return;
    if (this.#asserted[pin] === 0 || !this.#send(pin)) return;
    // Only these have an end of interrupt.
    if (isFixed(entry)) this.#entries[pin] = entry | REMOTE_IRR;
  }

  /** The 8259 pair is not behind this chip: there is no external interrupt to pass on. */
  #send(pin: number): boolean {
    const entry = this.#entries[pin]!;
    if (deliveryOf(entry) === DELIVERY.EXT_INT) return false;
    return this.#bus.send(entry & ~REMOTE_IRR, this.#destinations[pin]!);
  }
}
