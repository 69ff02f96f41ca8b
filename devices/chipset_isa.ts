/**
 * The PIIX3 ISA bridge at work: PCI interrupts become ISA interrupts, and software can ask for a
 * reset.
 *
 * INTA-INTD of device n arrive at PIRQ (n - 1 + pin) mod 4, as the i440FX boards of QEMU and Xen are
 * wired. PIRQRC[A:D] (60h-63h) name the ISA interrupt of each, or none.
 * Source: Intel 82371SB datasheet, §2.2.7 (PIRQRC), §2.5.7 (RC, the reset control register).
 * @module
 */

import { allOnes } from "../core/bits.ts";
import type { AccessSize, InterruptLine, PortDevice } from "../core/types.ts";
import { PIIX3_ISA } from "./chipset.ts";
import { PciFunction } from "./pci.ts";
import { SharedLines } from "./shared_lines.ts";

const PIRQRC_A = 0x60;
const PIRQ_COUNT = 4;
const ROUTE_OFF = 0x80;
const ROUTE_IRQ = 0x0f;
/** Interrupts that PIRQRC can name; the others are reserved and route to nowhere. */
const ROUTABLE = 0xdef8;

/** Function 0:1.0. */
export class IsaBridge {
  /** Its configuration space. */
  readonly function: PciFunction;
  /** Where software asks for a reset: offset 1 of the PCI address latch's ports. */
  readonly resetControl: PortDevice;
  readonly #lines: SharedLines;
  readonly #pirqs = new SharedLines((pirq) => ({ set: (asserted) => this.#drive(pirq, asserted) }));
  readonly #asserted: boolean[] = new Array(PIRQ_COUNT).fill(false);
  /** Where each PIRQ goes. */
  readonly #outputs: (InterruptLine | undefined)[] = new Array(PIRQ_COUNT).fill(undefined);

  /** @param onReset software has asked for a reset of the machine */
  constructor(lines: SharedLines, onReset: () => void) {
    this.#lines = lines;
    this.resetControl = new ResetControl(onReset);
    this.function = new PciFunction(PIIX3_ISA, undefined, (offset, value) => {
      const pirq = offset - PIRQRC_A;
      if (pirq >= 0 && pirq < PIRQ_COUNT) this.#route(pirq, value);
    });
  }

  /**
   * An interrupt pin of a PCI device.
   * @param pin 1 = INTA
   */
  line(device: number, pin: number): InterruptLine {
    return this.#pirqs.input((device + pin + 2) % PIRQ_COUNT);
  }

  #drive(pirq: number, asserted: boolean): void {
    this.#asserted[pirq] = asserted;
    this.#outputs[pirq]?.set(asserted);
  }

  #route(pirq: number, value: number): void {
    const irq = value & ROUTE_IRQ;
    const off = (value & ROUTE_OFF) !== 0 || (ROUTABLE >> irq & 1) === 0;
    this.#outputs[pirq]?.set(false);
    this.#outputs[pirq] = off ? undefined : this.#lines.input(irq);
    this.#outputs[pirq]?.set(this.#asserted[pirq]!);
  }
}

const RC_OFFSET = 1;
/** Hard reset instead of INIT: kept, and nothing else. */
const RC_SYSTEM = 0x02;
const RC_CPU = 0x04;

/** Byte accesses to CF9 under the PCI address latch. */
class ResetControl implements PortDevice {
  readonly #onReset: () => void;
  #value = 0;

  constructor(onReset: () => void) {
    this.#onReset = onReset;
  }

  readPort(offset: number, size: AccessSize): number {
    return offset === RC_OFFSET && size === 1 ? this.#value : allOnes(size);
  }

  writePort(offset: number, size: AccessSize, value: number): void {
    if (offset !== RC_OFFSET || size !== 1) return;
    this.#value = value & RC_SYSTEM;
    if ((value & RC_CPU) !== 0) this.#onReset();
  }
}
