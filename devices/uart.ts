/**
 * 16550A serial port. Its transmitter is infinitely fast: a byte written is sent at once. Bytes that
 * wait below the FIFO's trigger level are reported after four character times of silence.
 * Source: National Semiconductor PC16550D datasheet; OUT2 gates the interrupt as on the PC's cards.
 * @module
 */

import type { Clock, InterruptLine, Ns, Timer } from "../core/types.ts";
import { ByteDevice } from "./bus.ts";

/** Receiver buffer and transmitter holding register; low byte of the divisor while LCR_DLAB. */
export const RBR_THR = 0;
/** Interrupt enable register; high byte of the divisor while LCR_DLAB. */
export const IER = 1;
const IIR_FCR = 2;
/** Line control register. */
export const LCR = 3;
const MCR = 4;
/** Line status register. */
export const LSR = 5;
/** Modem status register. */
export const MSR = 6;
const SCR = 7;

const IER_RX = 0x01;
const IER_THRE = 0x02;
const IER_LINE = 0x04;
const IER_MODEM = 0x08;
const IER_WRITABLE = 0x0f;

const IIR_NONE = 0x01;
const IIR_MODEM = 0x00;
const IIR_THRE = 0x02;
const IIR_RX = 0x04;
const IIR_LINE = 0x06;
const IIR_RX_TIMEOUT = 0x0c;
const IIR_FIFO_ON = 0xc0;

const FCR_ENABLE = 0x01;
const FCR_CLEAR_RX = 0x02;

const LCR_WORD_LENGTH = 0x03;
const LCR_TWO_STOP_BITS = 0x04;
const LCR_PARITY = 0x08;
const LCR_BREAK = 0x40;
/** The divisor is accessed. */
export const LCR_DLAB = 0x80;

const MCR_DTR = 0x01;
const MCR_RTS = 0x02;
const MCR_OUT1 = 0x04;
const MCR_OUT2 = 0x08;
const MCR_LOOPBACK = 0x10;
const MCR_WRITABLE = 0x1f;

/** A byte has come. */
export const LSR_DR = 0x01;
const LSR_OE = 0x02;
const LSR_BI = 0x10;
const LSR_THRE = 0x20;
const LSR_TEMT = 0x40;
const LSR_FIFO_ERROR = 0x80;

const MSR_CTS = 0x10;
const MSR_DSR = 0x20;
const MSR_RI = 0x40;
const MSR_DCD = 0x80;
/** What a connected modem shows. */
const MSR_CONNECTED = MSR_CTS | MSR_DSR | MSR_DCD;

const FIFO_BYTES = 16;
/** By FCR bits 7:6. */
const FIFO_TRIGGERS: readonly number[] = [1, 4, 8, 14];
/** 9600 baud. */
const RESET_DIVISOR = 12;
/** A bit takes 16 cycles of the input clock for each unit of the divisor. */
const INPUT_HZ = 1_843_200;
const CYCLES_OF_BIT = 16;
const NS_PER_SECOND = 1_000_000_000;
const TIMEOUT_CHARACTERS = 4;

/** A received byte's errors, as LSR shows them, stand above the byte. */
const ERRORS_SHIFT = 8;

/** The serial port: registers at offsets 0–7, one interrupt, one byte stream each way. */
export class Uart16550 extends ByteDevice {
  readonly #irq: InterruptLine;
  readonly #onByte: (byte: number) => void;
  /** Bytes with their errors. */
  readonly #received: number[] = [];
  readonly #silence: Timer;
  /** Bytes wait, and nothing has come or been taken for {@link TIMEOUT_CHARACTERS}. */
  #timedOut = false;
  #lastReceived = 0;
  #fifoEnabled = false;
  #trigger = 1;
  #overrun = false;
  #transmitterEmptied = false;
  #interruptEnable = 0;
  #lineControl = 0;
  #modemControl = MCR_OUT2;
  #modemLines = MSR_CONNECTED;
  #modemDeltas = 0;
  #scratch = 0;
  #divisor = RESET_DIVISOR;
  /** Called when {@link hasRoom} may have become true. */
  onRoom: () => void = () => {};

  /** @param onByte gets every byte the guest sends, at the moment it writes it */
  constructor(clock: Clock, irq: InterruptLine, onByte: (byte: number) => void) {
    super(8);
    this.#silence = clock.timer("uart time-out", () => this.#timeOut());
    this.#irq = irq;
    this.#onByte = onByte;
  }

  /** A byte that arrives now is not lost. */
  get hasRoom(): boolean {
    return !this.#hasLoopback() && this.#received.length < this.#capacity();
  }

  /** A byte arrives on the line. Without room it is lost, and the guest sees an overrun. */
  receive(byte: number): void {
    if (this.#hasLoopback()) return;
    this.#accept(byte & 0xff);
  }

  /** The line is held at space for longer than a byte takes: a zero byte that LSR marks. */
  receiveBreak(): void {
    if (!this.#hasLoopback()) this.#accept(LSR_BI << ERRORS_SHIFT);
  }

  override readByte(offset: number): number {
    switch (offset) {
      case RBR_THR:
        return this.#hasDivisorAccess() ? this.#divisor & 0xff : this.#takeReceived();
      case IER:
        return this.#hasDivisorAccess() ? this.#divisor >> 8 : this.#interruptEnable;
      case IIR_FCR:
        return this.#readInterruptId();
      case LCR:
        return this.#lineControl;
      case MCR:
        return this.#modemControl;
      case LSR:
        return this.#readLineStatus();
      case MSR:
        return this.#readModemStatus();
      default:
        return this.#scratch;
    }
  }

  override writeByte(offset: number, value: number): void {
    switch (offset) {
      case RBR_THR:
        if (this.#hasDivisorAccess()) this.#divisor = (this.#divisor & 0xff00) | value;
        else this.#transmit(value);
        break;
      case IER:
        if (this.#hasDivisorAccess()) this.#divisor = (this.#divisor & 0xff) | (value << 8);
        else this.#writeInterruptEnable(value & IER_WRITABLE);
        break;
      case IIR_FCR:
        this.#writeFifoControl(value);
        break;
      case LCR:
        this.#writeLineControl(value);
        break;
      case MCR:
        this.#writeModemControl(value & MCR_WRITABLE);
        break;
      case SCR:
        this.#scratch = value;
        break;
    }
  }

  #hasDivisorAccess(): boolean {
    return (this.#lineControl & LCR_DLAB) !== 0;
  }

  #hasLoopback(): boolean {
    return (this.#modemControl & MCR_LOOPBACK) !== 0;
  }

  /** The holding register is busy for no time, but long enough to end and begin the interrupt. */
  #transmit(byte: number): void {
    this.#transmitterEmptied = false;
    this.#updateInterrupt();
    if (this.#hasLoopback()) this.#accept(byte);
    else this.#onByte(byte);
    this.#transmitterEmptied = true;
    this.#updateInterrupt();
  }

  /**
   * A full FIFO keeps what it has; the single register of a 16450 keeps the newest.
   * @param entry a byte with its errors
   */
  #accept(entry: number): void {
    if (this.#received.length < this.#capacity()) this.#received.push(entry);
    else {
      this.#overrun = true;
      if (!this.#fifoEnabled) this.#received[0] = entry;
    }
    this.#awaitSilence();
    this.#updateInterrupt();
  }

  #awaitSilence(): void {
    this.#timedOut = false;
    if (!this.#fifoEnabled || this.#received.length === 0) this.#silence.cancel();
    else this.#silence.armAfter(TIMEOUT_CHARACTERS * this.#characterTime());
  }

  #timeOut(): void {
    this.#timedOut = true;
    this.#updateInterrupt();
  }

  /** Start bit, 5 to 8 data bits, parity if any, one or two stop bits. */
  #characterTime(): Ns {
    const control = this.#lineControl;
    const bits = 7 + (control & LCR_WORD_LENGTH) + ((control & LCR_PARITY) !== 0 ? 1 : 0) +
      ((control & LCR_TWO_STOP_BITS) !== 0 ? 1 : 0);
    const cycles = bits * CYCLES_OF_BIT * Math.max(this.#divisor, 1);
    return Math.ceil(cycles * NS_PER_SECOND / INPUT_HZ);
  }

  #capacity(): number {
    return this.#fifoEnabled ? FIFO_BYTES : 1;
  }

  #takeReceived(): number {
    this.#lastReceived = (this.#received.shift() ?? this.#lastReceived) & 0xff;
    this.#awaitSilence();
    this.#updateInterrupt();
    this.onRoom();
    return this.#lastReceived;
  }

  #readInterruptId(): number {
    const cause = this.#cause();
    if (cause === IIR_THRE) {
      this.#transmitterEmptied = false;
      this.#updateInterrupt();
    }
    return cause | (this.#fifoEnabled ? IIR_FIFO_ON : 0);
  }

  /** In loopback a break arrives as one byte of zeros. */
  #writeLineControl(value: number): void {
    const begins = (value & ~this.#lineControl & LCR_BREAK) !== 0;
    this.#lineControl = value;
    if (begins && this.#hasLoopback()) this.#accept(LSR_BI << ERRORS_SHIFT);
  }

  /**
   * Enabling the transmitter interrupt while the transmitter is empty, as it always is, raises it.
   */
  #writeInterruptEnable(value: number): void {
    if ((value & ~this.#interruptEnable & IER_THRE) !== 0) this.#transmitterEmptied = true;
    this.#interruptEnable = value;
    this.#updateInterrupt();
  }

  #writeFifoControl(value: number): void {
    const enabled = (value & FCR_ENABLE) !== 0;
    if (enabled !== this.#fifoEnabled || (enabled && (value & FCR_CLEAR_RX) !== 0)) {
      this.#received.length = 0;
    }
    this.#fifoEnabled = enabled;
    this.#trigger = enabled ? FIFO_TRIGGERS[value >> 6]! : 1;
    if (this.#received.length === 0) this.#awaitSilence();
    this.#updateInterrupt();
    this.onRoom();
  }

  #writeModemControl(value: number): void {
    this.#modemControl = value;
    this.#setModemLines(this.#hasLoopback() ? loopedLines(value) : MSR_CONNECTED);
    this.#updateInterrupt();
    this.onRoom();
  }

  /** Deltas are bits 3:0 in the order of the lines; that of RI is set by its falling edge only. */
  #setModemLines(lines: number): void {
    const changed = (lines ^ this.#modemLines) & ~(lines & MSR_RI);
    this.#modemDeltas |= changed >> 4;
    this.#modemLines = lines;
  }

  /** Shows the errors of the byte that is read next, and forgets them. */
  #readLineStatus(): number {
    const received = this.#received;
    const status = LSR_THRE | LSR_TEMT | this.#lineErrors() | (received.length > 0 ? LSR_DR : 0) |
      (this.#fifoEnabled && received.some(hasErrors) ? LSR_FIFO_ERROR : 0);
    this.#overrun = false;
    if (received.length > 0) received[0] = received[0]! & 0xff;
    this.#updateInterrupt();
    return status;
  }

  #lineErrors(): number {
    return (this.#received[0] ?? 0) >> ERRORS_SHIFT | (this.#overrun ? LSR_OE : 0);
  }

  #readModemStatus(): number {
    const status = this.#modemLines | this.#modemDeltas;
    this.#modemDeltas = 0;
    this.#updateInterrupt();
    return status;
  }

  /** The enabled cause of the highest priority, as IIR bits 3:0 name it. */
  #cause(): number {
    const enabled = this.#interruptEnable;
    if ((enabled & IER_LINE) !== 0 && this.#lineErrors() !== 0) return IIR_LINE;
    if ((enabled & IER_RX) !== 0) {
      if (this.#received.length >= this.#trigger) return IIR_RX;
      if (this.#timedOut) return IIR_RX_TIMEOUT;
    }
    if ((enabled & IER_THRE) !== 0 && this.#transmitterEmptied) return IIR_THRE;
    if ((enabled & IER_MODEM) !== 0 && this.#modemDeltas !== 0) return IIR_MODEM;
    return IIR_NONE;
  }

  #updateInterrupt(): void {
    this.#irq.set((this.#modemControl & MCR_OUT2) !== 0 && this.#cause() !== IIR_NONE);
  }
}

function hasErrors(entry: number): boolean {
  return entry >> ERRORS_SHIFT !== 0;
}

/** Loopback wires the four modem outputs to the four inputs. */
function loopedLines(modemControl: number): number {
  return ((modemControl & MCR_RTS) !== 0 ? MSR_CTS : 0) |
    ((modemControl & MCR_DTR) !== 0 ? MSR_DSR : 0) |
    ((modemControl & MCR_OUT1) !== 0 ? MSR_RI : 0) |
    ((modemControl & MCR_OUT2) !== 0 ? MSR_DCD : 0);
}
