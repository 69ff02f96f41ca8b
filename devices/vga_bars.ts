/**
 * A VGA as a PCI function: what its base address registers show besides the ports and the window of
 * every VGA.
 *
 * | register | what |
 * |---|---|
 * | BAR 0, prefetchable | the memory as one piece, four planes to an address |
 * | BAR 2 | at 400h-41Fh the ports 3C0h-3DFh |
 *
 * There is no Bochs VBE interface, at its ports as in BAR 2: software stays in text modes.
 * Source: QEMU docs/specs/standard-vga.rst (identity, layout of BAR 2).
 * @module
 */

import { allOnes } from "../core/bits.ts";
import type { AccessSize, MmioDevice } from "../core/types.ts";
import type { MovingBars } from "./moving_bar.ts";
import { PciFunction, type PciFunctionSpec } from "./pci.ts";
import { type Vga, VGA_CRTC_PORTS, VGA_PORTS } from "./vga.ts";
import { VGA_MEMORY_BYTES } from "./vga_memory.ts";

const MEMORY_BAR = 0;
const PORTS_BAR = 2;
const PORTS_BAR_BYTES = 0x1000;

/** Offsets in BAR 2. */
const OWN_PORTS = 0x400;
const CRTC_PORTS = 0x414;

const VGA_PCI: PciFunctionSpec = {
  vendor: 0x1234,
  device: 0x1111,
  revision: 0x02,
  classCode: 0x030000,
  subsystemVendor: 0x1af4,
  subsystem: 0x1100,
  bars: {
    [MEMORY_BAR]: { space: "memory", size: VGA_MEMORY_BYTES, prefetchable: true },
    [PORTS_BAR]: { space: "memory", size: PORTS_BAR_BYTES },
  },
};

/**
 * The function at power-on.
 * @param bars where its registers show what they show
 */
export function makeVgaFunction(vga: Vga, bars: MovingBars<MmioDevice>): PciFunction {
  const memory = { name: "vga memory", length: VGA_MEMORY_BYTES, device: vga.memory.linear };
  const device = new PortsInMemory(vga);
  const ports = { name: "vga ports", length: PORTS_BAR_BYTES, device };
  return new PciFunction(VGA_PCI, (bar, base) => {
    bars.move(bar === MEMORY_BAR ? memory : ports, base);
  });
}

/** What BAR 2 shows. */
class PortsInMemory implements MmioDevice {
  readonly #vga: Vga;

  constructor(vga: Vga) {
    this.#vga = vga;
  }

  readMmio(offset: number, size: AccessSize): number {
    const own = offset - OWN_PORTS;
    if (own >= 0 && own < VGA_PORTS) return this.#vga.readPort(own, size);
    const crtc = offset - CRTC_PORTS;
    if (crtc >= 0 && crtc < VGA_CRTC_PORTS) return this.#vga.colorPorts.readPort(crtc, size);
    return allOnes(size);
  }

  writeMmio(offset: number, size: AccessSize, value: number): void {
    const own = offset - OWN_PORTS;
    const crtc = offset - CRTC_PORTS;
    if (own >= 0 && own < VGA_PORTS) this.#vga.writePort(own, size, value);
    else if (crtc >= 0 && crtc < VGA_CRTC_PORTS) this.#vga.colorPorts.writePort(crtc, size, value);
  }
}
