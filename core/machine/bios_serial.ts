/**
 * Serial port services of the built-in BIOS, INT 14h. Nobody waits in them: a byte that has not
 * come when a caller asks for it is a time-out.
 * Source: IBM PS/2 and Personal Computer BIOS Interface Technical Reference, INT 14h.
 * @module
 */

import { IER, LCR, LCR_DLAB, LSR, LSR_DR, MSR, RBR_THR } from "../../devices/uart.ts";
import type { PortSpace } from "../hypervisor/port_access.ts";
import type { BiosFrame } from "./bios_frame.ts";
import { PORT } from "./address_map.ts";

/** Overrun, parity, framing, break. */
const LINE_ERRORS = 0x1e;
const TIMED_OUT = 0x80;

/** Parity, stop bits and word length, in the caller's parameters as in the register. */
const FORMAT = 0x1f;
/** By bits 7:5 of the parameters: 110, 150, 300 … 9600 baud. */
const DIVISORS: readonly number[] = [1047, 768, 384, 192, 96, 48, 24, 12];

/** COM1, the one port there is. */
export class BiosSerial {
  readonly #ports: PortSpace;

  constructor(ports: PortSpace) {
    this.#ports = ports;
  }

  /** INT 14h. DX names the port. */
  serve(frame: BiosFrame): void {
    if (frame.dx !== 0) return;
    switch (frame.ah) {
      case 0x00:
        this.#setUp(frame.al);
        return this.#tellStatus(frame);
      case 0x01:
        this.#write(RBR_THR, frame.al);
        frame.ah = this.#read(LSR);
        return;
      case 0x02:
        return this.#receive(frame);
      case 0x03:
        return this.#tellStatus(frame);
    }
  }

  #setUp(parameters: number): void {
    const divisor = DIVISORS[parameters >> 5]!;
    this.#write(LCR, LCR_DLAB);
    this.#write(RBR_THR, divisor & 0xff);
    this.#write(IER, divisor >> 8);
    this.#write(LCR, parameters & FORMAT);
  }

  #receive(frame: BiosFrame): void {
    const status = this.#read(LSR);
    if ((status & LSR_DR) === 0) frame.ah = status | TIMED_OUT;
    else frame.ax = (status & LINE_ERRORS) << 8 | this.#read(RBR_THR);
  }

  #tellStatus(frame: BiosFrame): void {
    frame.ax = this.#read(LSR) << 8 | this.#read(MSR);
  }

  #read(register: number): number {
    return this.#ports.read(PORT.COM1 + register, 1);
  }

  #write(register: number, value: number): void {
    this.#ports.write(PORT.COM1 + register, 1, value);
  }
}
