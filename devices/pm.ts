/**
 * The PIIX4's power management function: ACPI's fixed registers, the PM timer, and the ports by
 * which software asks for SMIs.
 *
 * | offset from PMBASE | register |
 * |---|---|
 * | 0, 2 | PM1 status (a written 1 clears) and enable |
 * | 4 | PM1 control: SCI_EN, SLP_TYP, SLP_EN |
 * | 8 | PM timer, 24 bits at 3.579545 MHz, read-only |
 *
 * Source: Intel 82371AB datasheet, §7.2; ACPI 1.0b, §4.7.3; SLP_TYP 0 = S5, general-purpose events
 * and all ones at the registers of none as in QEMU's `pc` machine. There is no SMM: of the commands
 * that SMI code would serve, those that switch ACPI on and off act by themselves.
 * @module
 */

import type { AccessSize, Clock, InterruptLine, Ns, PortDevice, Timer } from "../core/types.ts";
import { ByteDevice } from "./bus.ts";
import { PIIX4_PM } from "./chipset.ts";
import { ticksIn, timeOfTick } from "./oscillator.ts";
import { PciFunction } from "./pci.ts";

/** Ports from PMBASE on. */
export const PM_PORTS = 64;
/** Ports of the general-purpose events. */
export const GPE_PORTS = 4;
/** Ports of the SMI command and status. */
export const SMI_PORTS = 2;

/** Configuration registers. */
const PMBA = 0x40;
const PMBA_END = 0x42;
const PMBA_ADDRESS = 0xffc0;
const PMREGMISC = 0x80;
const PMIOSE = 0x01;

/** Offset of the timer from PMBASE. */
export const PM_TIMER = 8;
/** Offsets from PMBASE. */
const REG = { STATUS: 0, ENABLE: 2, CONTROL: 4, TIMER: PM_TIMER } as const;
const NOT_DECODED = 0xff;

/** Bits of status and enable. */
const TMR_STS = 0x0001;
const PWRBTN_STS = 0x0100;
/** Timer, global lock, power button, RTC alarm. */
const EVENTS = 0x0521;
const STATUS_CLEARABLE = 0x8d31;

/** Bits of control. */
const SCI_EN = 0x0001;
const SLP_EN = 0x2000;
const SLP_TYP = 0x1c00;
const SOFT_OFF = 0;
const CONTROL_KEPT = 0x1c07;

const TIMER_HZ = 3_579_545;
const TIMER_COUNTS = 0x1000000;
/** The timer's highest bit changes that often, and each change sets TMR_STS. */
const CARRY_COUNTS = 0x800000;

/** Function 0:1.3. */
export class PowerManagement {
  /** Its configuration space. */
  readonly function: PciFunction;
  /** What appears at PMBASE. */
  readonly registers: PortDevice;
  /** General-purpose events. */
  readonly gpe: PortDevice = new GeneralPurposeEvents();
  /** APMC and APMS: the SMI command and its status. */
  readonly smi: PortDevice;
  readonly #registers: PmRegisters;

  /**
   * @param sci the interrupt of ACPI events
   * @param onMove the registers appear at a port, move, or vanish
   * @param onPowerOff software has switched the machine off
   */
  constructor(
    clock: Clock,
    sci: InterruptLine,
    onMove: (base: number | undefined) => void,
    onPowerOff: () => void,
  ) {
    const registers = new PmRegisters(clock, sci, onPowerOff);
    this.registers = this.#registers = registers;
    this.smi = new SmiPorts((on) => registers.enableAcpi(on));
    const fn: PciFunction = new PciFunction(PIIX4_PM, undefined, (offset) => {
      if ((offset >= PMBA && offset < PMBA_END) || offset === PMREGMISC) onMove(decoded(fn));
    });
    this.function = fn;
  }

  /** Somebody pushes the power button. */
  pressButton(): void {
    this.#registers.pressButton();
  }
}

function decoded(fn: PciFunction): number | undefined {
  const base = fn.read(PMBA, 2) & PMBA_ADDRESS;
  return base !== 0 && (fn.read(PMREGMISC, 1) & PMIOSE) !== 0 ? base : undefined;
}

/** Status, enable, control, timer. */
class PmRegisters extends ByteDevice {
  readonly #clock: Clock;
  readonly #sci: InterruptLine;
  readonly #onPowerOff: () => void;
  /** Waits for the next carry while that would interrupt. */
  readonly #carry: Timer;
  #status = 0;
  #enable = 0;
  #control = 0;
  /** When the timer's highest bit changes for the first time since TMR_STS was cleared. */
  #carriesAt: Ns;

  constructor(clock: Clock, sci: InterruptLine, onPowerOff: () => void) {
    super(PM_PORTS);
    this.#clock = clock;
    this.#sci = sci;
    this.#onPowerOff = onPowerOff;
    this.#carry = clock.timer("pm timer carry", () => this.#update());
    this.#carriesAt = nextCarry(clock.now);
  }

  pressButton(): void {
    this.#status |= PWRBTN_STS;
    this.#update();
  }

  /** What SMI code does on the commands that the FADT names. */
  enableAcpi(on: boolean): void {
    this.#control = on ? this.#control | SCI_EN : this.#control & ~SCI_EN;
    this.#update();
  }

  override readPort(offset: number, size: AccessSize): number {
    if (offset === REG.TIMER && size === 4) {
      return ticksIn(this.#clock.now, TIMER_HZ) % TIMER_COUNTS;
    }
    return super.readPort(offset, size);
  }

  readByte(offset: number): number {
    const shift = 8 * (offset % 2);
    switch (offset & ~1) {
      case REG.STATUS:
        return this.#currentStatus() >> shift & 0xff;
      case REG.ENABLE:
        return this.#enable >> shift & 0xff;
      case REG.CONTROL:
        return this.#control >> shift & 0xff;
      case REG.TIMER:
      case REG.TIMER + 2:
        return ticksIn(this.#clock.now, TIMER_HZ) % TIMER_COUNTS >> 8 * (offset - REG.TIMER) & 0xff;
      default:
        return NOT_DECODED;
    }
  }

  writeByte(offset: number, value: number): void {
    const shift = 8 * (offset % 2);
    const bits = value << shift;
    const others = 0xff00 >> shift;
    switch (offset & ~1) {
      case REG.STATUS:
        this.#clear(bits & STATUS_CLEARABLE);
        break;
      case REG.ENABLE:
        this.#enable = (this.#enable & others) | (bits & EVENTS);
        break;
      case REG.CONTROL:
        this.#control = (this.#control & others) | (bits & CONTROL_KEPT);
        if ((bits & SLP_EN) !== 0) this.#sleep();
        break;
    }
    this.#update();
  }

  #currentStatus(): number {
    if (this.#clock.now >= this.#carriesAt) this.#status |= TMR_STS;
    return this.#status;
  }

  #clear(bits: number): void {
    this.#status = this.#currentStatus() & ~bits;
    if ((bits & TMR_STS) !== 0) this.#carriesAt = nextCarry(this.#clock.now);
  }

  /** There is nothing that would wake the machine from another sleep state. */
  #sleep(): void {
    if ((this.#control & SLP_TYP) === SOFT_OFF) this.#onPowerOff();
  }

  #update(): void {
    const on = (this.#control & SCI_EN) !== 0;
    const due = (this.#currentStatus() & this.#enable & EVENTS) !== 0;
    this.#sci.set(on && due);
    if (on && (this.#enable & TMR_STS & ~this.#status) !== 0) this.#carry.armAt(this.#carriesAt);
    else this.#carry.cancel();
  }
}

/** The first time after `now` at which the timer's highest bit changes. */
function nextCarry(now: Ns): Ns {
  const carries = Math.floor(ticksIn(now, TIMER_HZ) / CARRY_COUNTS);
  return timeOfTick((carries + 1) * CARRY_COUNTS, TIMER_HZ);
}

/** Status and enable of events that this board has no source of. */
class GeneralPurposeEvents extends ByteDevice {
  readonly #enable: Uint8Array = new Uint8Array(GPE_PORTS);

  constructor() {
    super(GPE_PORTS);
  }

  readByte(offset: number): number {
    return this.#enable[offset]!;
  }

  writeByte(offset: number, value: number): void {
    if (offset >= GPE_PORTS / 2) this.#enable[offset] = value;
  }
}

const APMC = 0;
/** Commands at APMC. */
const ACPI_ENABLE = 0xf1;
const ACPI_DISABLE = 0xf0;

/** Two latches, and what the commands would lead to. */
class SmiPorts extends ByteDevice {
  readonly #latches: Uint8Array = new Uint8Array(SMI_PORTS);
  readonly #onAcpi: (on: boolean) => void;

  constructor(onAcpi: (on: boolean) => void) {
    super(SMI_PORTS);
    this.#onAcpi = onAcpi;
  }

  readByte(offset: number): number {
    return this.#latches[offset]!;
  }

  writeByte(offset: number, value: number): void {
    this.#latches[offset] = value;
    if (offset !== APMC) return;
    if (value === ACPI_ENABLE) this.#onAcpi(true);
    else if (value === ACPI_DISABLE) this.#onAcpi(false);
  }
}
