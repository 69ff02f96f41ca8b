/**
 * The state in which a BIOS hands over the board, for guests that start without one.
 * Source: interrupt controllers, timer, keyboard controller and port 92h as SeaBIOS 1.16 leaves
 * them.
 * @module
 */

import { PCI, PCI_COMMAND } from "../../devices/pci.ts";
import { A20 } from "../../devices/port92.ts";
import type { PortSpace } from "../hypervisor/port_access.ts";
import type { AccessSize } from "../types.ts";
import { PCI_SLOT, type PciSlot, PORT } from "./address_map.ts";

/** IRQ 10 and 11, where the PIRQs go: level-triggered. */
const PIRQ_LEVELS = 0x0c;

/**
 * Leaves interrupt controllers, timer, keyboard, A20 and PCI functions as a BIOS does.
 * @param interrupts false masks every line: the guest enters without real-mode handlers
 */
export function setUpBoard(ports: PortSpace, interrupts: boolean): void {
  setUpInterrupts(ports, interrupts);
  setUpKeyboard(ports);
  ports.write(PORT.SYSTEM_CONTROL_A, 1, A20);
  for (const slot of Object.values(PCI_SLOT)) setUpFunction(ports, slot);
}

function setUpInterrupts(ports: PortSpace, interrupts: boolean): void {
  const out = (port: number, ...values: readonly number[]) => {
    for (const value of values) ports.write(port, 1, value);
  };
  out(PORT.PIC_MASTER, 0x11);
  out(PORT.PIC_MASTER + 1, 0x08, 0x04, 0x01, interrupts ? 0xb8 : 0xff);
  out(PORT.PIC_SLAVE, 0x11);
  out(PORT.PIC_SLAVE + 1, 0x70, 0x02, 0x01, interrupts ? 0x8e : 0xff);
  out(PORT.ELCR, 0);
  out(PORT.ELCR + 1, PIRQ_LEVELS);
  out(PORT.PIT + 3, 0x34); // channel 0, mode 2, 65536 clocks: 18.2 Hz
  out(PORT.PIT, 0, 0);
}

/** The self-test has passed; interrupt and translation on, the mouse off. */
function setUpKeyboard(ports: PortSpace): void {
  ports.write(PORT.KEYBOARD_COMMAND, 1, 0xaa);
  ports.read(PORT.KEYBOARD_DATA, 1);
  ports.write(PORT.KEYBOARD_COMMAND, 1, 0x60);
  ports.write(PORT.KEYBOARD_DATA, 1, 0x61);
}

function setUpFunction(ports: PortSpace, { device, func, bars, bytes = {} }: PciSlot): void {
  const write = (register: number, size: AccessSize, value: number) => {
    const address = 0x80000000 | (device << 11) | (func << 8) | (register & ~3);
    ports.write(PORT.PCI_ADDRESS, 4, address >>> 0);
    ports.write(PORT.PCI_DATA + (register & 3), size, value);
  };
  for (const [at, value] of Object.entries(bytes)) write(Number(at), 1, value);
  for (const [bar, base] of Object.entries(bars ?? {})) {
    write(PCI.BAR0 + 4 * Number(bar), 4, base);
  }
  if (bars !== undefined) write(PCI.COMMAND, 4, PCI_COMMAND.IO | PCI_COMMAND.MEMORY);
}
