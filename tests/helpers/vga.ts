/**
 * A video card on a board of its own, spoken to through its ports and its window.
 * @module
 */

import { VirtualClock } from "../../core/clock.ts";
import { IoPortBus } from "../../devices/bus.ts";
import { MmioBus } from "../../devices/mmio.ts";
import { Vga, VGA_CRTC_PORTS, VGA_PORTS } from "../../devices/vga.ts";
import { VGA_WINDOW_BYTES } from "../../devices/vga_memory.ts";

/** The card and its addresses. */
export class VgaBoard {
  readonly clock: VirtualClock = new VirtualClock();
  readonly vga: Vga = new Vga(this.clock);
  readonly ports: IoPortBus = new IoPortBus();
  readonly memory: MmioBus = new MmioBus();

  constructor() {
    this.ports.map("vga", 0x3c0, VGA_PORTS, this.vga);
    this.ports.map("color", 0x3d4, VGA_CRTC_PORTS, this.vga.colorPorts);
    this.ports.map("mono", 0x3b4, VGA_CRTC_PORTS, this.vga.monoPorts);
    this.memory.map("vga", 0xa0000, VGA_WINDOW_BYTES, this.vga.memory);
  }

  /** Reads a port. */
  in(port: number): number {
    return this.ports.read(port, 1);
  }

  /** Writes a port. */
  out(port: number, value: number): void {
    this.ports.write(port, 1, value);
  }

  /** Writes a register behind an index, in one access as drivers do. */
  set(port: number, index: number, value: number): void {
    this.ports.write(port, 2, value << 8 | index);
  }

  /** Reads a register behind an index. */
  get(port: number, index: number): number {
    this.out(port, index);
    return this.in(port + 1);
  }

  /** Puts text on the screen. */
  print(row: number, column: number, text: string): void {
    [...text].forEach((character, i) => {
      const gpa = 0xb8000 + 2 * (row * 80 + column + i);
      this.memory.write(gpa, 2, 0x0700 | character.charCodeAt(0));
    });
  }

  /** As a BIOS does to load a font or to draw: all planes in order, at A0000h. */
  selectPlanes(mask: number): void {
    this.set(0x3c4, 2, mask);
    this.set(0x3c4, 4, 0x06);
    this.set(0x3ce, 5, 0x00);
    this.set(0x3ce, 6, 0x05);
  }
}
