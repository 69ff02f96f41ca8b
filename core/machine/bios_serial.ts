/**
 * Serial port services of the built-in BIOS, INT 14h. Nobody waits in them: a byte that has not
 * come when a caller asks for it is a time-out.
 * Source: IBM PS/2 and Personal Computer BIOS Interface Technical Reference, INT 14h.
 * @module
 */

import type { PortSpace } from "../hypervisor/port_access.ts";
import type { BiosFrame } from "./bios_frame.ts";
import { PORT } from "./address_map.ts";

/** Registers of the port. */
const REG = { DATA: 0, DIVISOR_HIGH: 1, LINE_CONTROL: 3, LINE_STATUS: 5, MODEM_STATUS: 6 } as const;
const DIVISOR_ACCESS = 0x80;
const DATA_READY = 0x01;
const ERRORS = 0x1e;
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
        this.#write(REG.DATA, frame.al);
        frame.ah = this.#read(REG.LINE_STATUS);
        return;
      case 0x02:
        return this.#receive(frame);
      case 0x03:
        return this.#tellStatus(frame);
    }
  }

  #setUp(parameters: number): void {
    const divisor = DIVISORS[parameters >> 5]!;
    this.#write(REG.LINE_CONTROL, DIVISOR_ACCESS);
    this.#write(REG.DATA, divisor & 0xff);
    this.#write(REG.DIVISOR_HIGH, divisor >> 8);
    this.#write(REG.LINE_CONTROL, parameters & FORMAT);
  }

  #receive(frame: BiosFrame): void {
    const status = this.#read(REG.LINE_STATUS);
    if ((status & DATA_READY) === 0) frame.ah = status | TIMED_OUT;
    else frame.ax = (status & ERRORS) << 8 | this.#read(REG.DATA);
  }

  #tellStatus(frame: BiosFrame): void {
    frame.ax = this.#read(REG.LINE_STATUS) << 8 | this.#read(REG.MODEM_STATUS);
  }

  #read(register: number): number {
    return this.#ports.read(PORT.COM1 + register, 1);
  }

  #write(register: number, value: number): void {
    this.#ports.write(PORT.COM1 + register, 1, value);
  }
}
