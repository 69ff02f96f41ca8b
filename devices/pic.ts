/**
 * The two 8259A interrupt controllers of a PC: the master drives INTR, the slave drives the
 * master's input 2; the edge/level control registers (ELCR) choose the trigger of each input.
 * Source: Intel 8259A datasheet (231468); Intel 82371SB datasheet, ELCR1 and ELCR2.
 * @module
 */

import { InternalError } from "../core/errors.ts";
import type { InterruptLine, PortDevice } from "../core/types.ts";
import { ByteDevice } from "./bus.ts";

const COMMAND = 0; // ICW1, OCW2, OCW3; reads IRR, ISR or the poll word
const DATA = 1; // ICW2-ICW4, OCW1; reads IMR

const ICW1_START = 0x10;
const ICW1_NEED_ICW4 = 0x01;
const ICW1_SINGLE = 0x02;
const ICW4_AUTO_EOI = 0x02;
const ICW4_FULLY_NESTED = 0x10;

const OCW3_SELECT = 0x08;
const OCW3_POLL = 0x04;
const OCW3_READ_CHANGE = 0x02;
const OCW3_READ_ISR = 0x01;
const OCW3_MASK_CHANGE = 0x40;
const OCW3_MASK_SPECIAL = 0x20;

const CASCADE = 2;
const SPURIOUS = 7;
const NO_RANK = 8;

type Icw = 2 | 3 | 4;

/** What one chip's registers hold, for whoever looks at the machine from outside. */
export interface PicRegisters {
  readonly irr: number;
  readonly imr: number;
  readonly isr: number;
  /** Input of the highest priority. */
  readonly top: number;
  readonly vectorBase: number;
  /** Reads of the command port give the ISR. */
  readonly readIsr: boolean;
  readonly elcr: number;
  readonly fullyNested: boolean;
}

/** The 8259A pair and its ELCR. Sixteen lines in, one INTR out. */
export class Pic8259Pair {
  /** Ports 0x20-0x21. */
  readonly master: PortDevice;
  /** Ports 0xA0-0xA1. */
  readonly slave: PortDevice;
  /** Ports 0x4D0-0x4D1. */
  readonly elcr: PortDevice;
  readonly #intr: OutputPin = new OutputPin();
  readonly #master: Pic8259;
  readonly #slave: Pic8259;
  readonly #lines: readonly InterruptLine[];
  #irq: number | undefined;

  constructor() {
    const master = new Pic8259(this.#intr, true);
    const slave = new Pic8259(inputOf(master, CASCADE), false);
    this.master = this.#master = master;
    this.slave = this.#slave = slave;
    this.elcr = new TriggerControl(master, slave);
    this.#lines = Array.from(
      { length: 16 },
      (_, irq) => inputOf(irq < 8 ? master : slave, irq & 7),
    );
  }

  /**
   * Input of one IRQ; always the same object.
   * @param irq 0–15 without 2, which is the cascade
   * @throws {InternalError} when no device can drive that input
   */
  line(irq: number): InterruptLine {
    const line = irq === CASCADE ? undefined : this.#lines[irq];
    if (line === undefined) throw new InternalError(`Cannot wire IRQ ${irq}: no such input`);
    return line;
  }

  /** Wires INTR to somebody who must see it change; {@link pending} shows it to everybody. */
  connect(intr: InterruptLine): void {
    this.#intr.listener = intr;
  }

  /** INTR, the output of the pair. */
  get pending(): boolean {
    return this.#intr.asserted;
  }

  /** Input that {@link acknowledge} has taken last. */
  get irq(): number | undefined {
    return this.#irq;
  }

  /** Registers of master and slave. */
  get registers(): readonly [PicRegisters, PicRegisters] {
    return [this.#master.registers, this.#slave.registers];
  }

  /** How often each of the sixteen lines has risen. */
  get rises(): readonly number[] {
    return [...this.#master.rises, ...this.#slave.rises];
  }

  /** Both INTA cycles: takes the highest request and returns its vector, or the spurious one. */
  acknowledge(): number {
    const input = this.#master.acknowledge();
    if (input !== CASCADE) {
      this.#irq = input;
      return this.#master.vectorBase | input;
    }
    const second = this.#slave.acknowledge();
    this.#irq = 8 + second;
    return this.#slave.vectorBase | second;
  }
}

/** One chip. An input is latched by its edge and drops out again when it falls before INTA. */
class Pic8259 extends ByteDevice {
  readonly #int: InterruptLine;
  readonly #isMaster: boolean;
  readonly rises: Float64Array = new Float64Array(8);
  vectorBase = 0;
  #levelTriggered = 0;
  #lines = 0;
  #edges = 0;
  #mask = 0;
  #inService = 0;
  /** Input of the highest priority; the others follow in ascending order, cyclically. */
  #top = 0;
  #nextIcw: Icw | undefined;
  #needIcw4 = false;
  #single = false;
  #autoEoi = false;
  #rotateOnAutoEoi = false;
  #fullyNested = false;
  #specialMask = false;
  #readIsr = false;
  #poll = false;

  constructor(int: InterruptLine, isMaster: boolean) {
    super(2);
    this.#int = int;
    this.#isMaster = isMaster;
  }

  get levelTriggered(): number {
    return this.#levelTriggered;
  }

  set levelTriggered(inputs: number) {
    this.#levelTriggered = inputs;
    this.#edges &= ~inputs;
    this.#drive();
  }

  get registers(): PicRegisters {
    return {
      irr: this.#requests(),
      imr: this.#mask,
      isr: this.#inService,
      top: this.#top,
      vectorBase: this.vectorBase,
      readIsr: this.#readIsr,
      elcr: this.#levelTriggered,
      fullyNested: this.#fullyNested,
    };
  }

  setInput(irq: number, asserted: boolean): void {
    const bit = 1 << irq;
    if (asserted === ((this.#lines & bit) !== 0)) return;
    if (asserted) {
      this.rises[irq]!++;
      this.#lines |= bit;
      this.#edges |= bit & ~this.#levelTriggered;
    } else {
      this.#lines &= ~bit;
      this.#edges &= ~bit;
    }
    this.#drive();
  }

  /** INTA: takes the highest request. Answers 7, with nothing in service, when none is left. */
  acknowledge(): number {
    const irq = this.#request();
    if (irq === undefined) return SPURIOUS;
    this.#edges &= ~(1 << irq);
    if (!this.#autoEoi) this.#inService |= 1 << irq;
    else if (this.#rotateOnAutoEoi) this.#makeLowest(irq);
    this.#redrive();
    return irq;
  }

  override readByte(offset: number): number {
    if (this.#poll) return this.#pollWord();
    if (offset === DATA) return this.#mask;
    return this.#readIsr ? this.#inService : this.#requests();
  }

  override writeByte(offset: number, value: number): void {
    if (offset === COMMAND) this.#writeCommand(value);
    else if (this.#nextIcw !== undefined) this.#writeIcw(this.#nextIcw, value);
    else {
      this.#mask = value;
      this.#drive();
    }
  }

  #writeCommand(value: number): void {
    if ((value & ICW1_START) !== 0) this.#initialise(value);
    else if ((value & OCW3_SELECT) !== 0) this.#writeOcw3(value);
    else this.#writeOcw2(value >> 5, value & 7);
  }

  #initialise(icw1: number): void {
    this.#needIcw4 = (icw1 & ICW1_NEED_ICW4) !== 0;
    this.#single = (icw1 & ICW1_SINGLE) !== 0;
    this.#nextIcw = 2;
    this.#edges =
      this.#mask =
      this.#inService =
      this.#top =
        0;
    this.#autoEoi = this.#rotateOnAutoEoi = this.#fullyNested = false;
    this.#specialMask = this.#readIsr = this.#poll = false;
    this.#redrive();
  }

  #writeIcw(icw: Icw, value: number): void {
    if (icw === 2) this.vectorBase = value & 0xf8;
    if (icw === 4) {
      this.#autoEoi = (value & ICW4_AUTO_EOI) !== 0;
      this.#fullyNested = (value & ICW4_FULLY_NESTED) !== 0;
      this.#drive();
    }
    if (icw === 2 && !this.#single) this.#nextIcw = 3;
    else this.#nextIcw = icw !== 4 && this.#needIcw4 ? 4 : undefined;
  }

  #writeOcw3(value: number): void {
    this.#poll = (value & OCW3_POLL) !== 0;
    if ((value & OCW3_READ_CHANGE) !== 0) this.#readIsr = (value & OCW3_READ_ISR) !== 0;
    if ((value & OCW3_MASK_CHANGE) !== 0) this.#specialMask = (value & OCW3_MASK_SPECIAL) !== 0;
    this.#drive();
  }

  #writeOcw2(command: number, irq: number): void {
    switch (command) {
      case 0b000:
      case 0b100:
        this.#rotateOnAutoEoi = command === 0b100;
        break;
      case 0b001:
      case 0b101:
        this.#endHighest(command === 0b101);
        break;
      case 0b011:
      case 0b111:
        this.#end(irq, command === 0b111);
        break;
      case 0b110:
        this.#makeLowest(irq);
        break;
    }
    this.#drive();
  }

  #endHighest(rotate: boolean): void {
    const rank = this.#highestRank(this.#unmaskedService());
    if (rank !== NO_RANK) this.#end((rank + this.#top) & 7, rotate);
  }

  #end(irq: number, rotate: boolean): void {
    this.#inService &= ~(1 << irq);
    if (rotate) this.#makeLowest(irq);
  }

  #makeLowest(irq: number): void {
    this.#top = (irq + 1) & 7;
  }

  /** Bit 7: there was a request, taken as by INTA; bits 2:0 its input. */
  #pollWord(): number {
    this.#poll = false;
    return this.#request() === undefined ? 0 : 0x80 | this.acknowledge();
  }

  #requests(): number {
    return this.#edges | (this.#lines & this.#levelTriggered);
  }

  /** The request that INT stands for: unmasked, and above everything that blocks. */
  #request(): number | undefined {
    const wanted = this.#highestRank(this.#requests() & ~this.#mask);
    if (wanted >= this.#highestRank(this.#blocking())) return undefined;
    return (wanted + this.#top) & 7;
  }

  #blocking(): number {
    const service = this.#unmaskedService();
    return this.#fullyNested && this.#isMaster ? service & ~(1 << CASCADE) : service;
  }

  /** In special mask mode a masked input in service neither blocks nor is ended unasked. */
  #unmaskedService(): number {
    return this.#specialMask ? this.#inService & ~this.#mask : this.#inService;
  }

  /** 0 for the input at `#top` … 7; {@link NO_RANK} when no bit is set. */
  #highestRank(inputs: number): number {
    const rotated = ((inputs | (inputs << 8)) >> this.#top) & 0xff;
    return rotated === 0 ? NO_RANK : 31 - Math.clz32(rotated & -rotated);
  }

  #drive(): void {
    this.#int.set(this.#request() !== undefined);
  }

  /** INT falls first, so that a further request is a new edge for the master. */
  #redrive(): void {
    this.#int.set(false);
    this.#drive();
  }
}

/** ELCR: one bit an input, 1 = level. Timer, keyboard, cascade, RTC and FPU are edges for ever. */
class TriggerControl extends ByteDevice {
  static readonly #WRITABLE: readonly number[] = [0xf8, 0xde];
  readonly #chips: readonly Pic8259[];

  constructor(master: Pic8259, slave: Pic8259) {
    super(2);
    this.#chips = [master, slave];
  }

  override readByte(offset: number): number {
    return this.#chips[offset]!.levelTriggered;
  }

  override writeByte(offset: number, value: number): void {
    this.#chips[offset]!.levelTriggered = value & TriggerControl.#WRITABLE[offset]!;
  }
}

class OutputPin implements InterruptLine {
  asserted = false;
  listener: InterruptLine | undefined;

  set(asserted: boolean): void {
    this.asserted = asserted;
    this.listener?.set(asserted);
  }
}

function inputOf(chip: Pic8259, irq: number): InterruptLine {
  return { set: (asserted) => chip.setInput(irq, asserted) };
}
