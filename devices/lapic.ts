/**
 * The local APIC of the one processor: interrupts from the I/O APIC, from its own timer, errors and
 * commands, and from the 8259 pair over LINT0.
 *
 * What the processor asks at every instruction boundary, {@link LocalApic.pending}, is kept up to
 * date by whatever changes it. An interrupt of the 8259 pair goes before the APIC's own requests, in
 * the order in which Xen looks (hvm_vcpu_has_pending_irq of xen/arch/x86/hvm/irq.c).
 * Source: Intel SDM vol. 3, chapter 10; MultiProcessor Specification 1.4, §3.6.2.2 (virtual wire).
 * @module
 */

import { truncate } from "../core/bits.ts";
import type { AccessSize, Clock, Gpa, InterruptLine, MmioDevice } from "../core/types.ts";
import { DELIVERY, deliveryOf, FIRST_VECTOR, isFixed, MESSAGE } from "./apic_message.ts";
import type { MessageBus } from "./apic_message.ts";
import {
  DFR_FLAT,
  DFR_RESERVED,
  ERROR,
  ICR_ASSERT,
  ICR_WRITABLE,
  isLvt,
  isReadOnly,
  lvtIndex,
  REG,
  SHORTHAND,
  SVR_ENABLED,
  SVR_WRITABLE,
  VERSION,
} from "./lapic_registers.ts";
import { LapicRequests } from "./lapic_requests.ts";
import { LapicTimer } from "./lapic_timer.ts";
import { LocalVectors, LVT, LVT_PERIODIC } from "./local_vectors.ts";

/** Bytes of the register page. */
export const LAPIC_BYTES = 0x1000;

/** Bits of IA32_APIC_BASE: the bootstrap processor, and the APIC globally enabled. */
const BASE_BSP = 0x100;
const BASE_ENABLED = 0x800;
const BASE_RESERVED = 0x6ff;
const BASE_RESET = 0xfee00000 | BASE_ENABLED | BASE_BSP;
const BASE_PAGE = ~0xfff;

/** The destination that is everybody. */
const BROADCAST = 0xff;

/** What hangs on LINT0: the 8259 pair's INTR and INTA. */
export interface ExternalInterrupts {
  readonly pending: boolean;
  /** Input of the vector acknowledged last. */
  readonly irq?: number | undefined;
  acknowledge(): number;
}

/** What an APIC does besides interrupting. */
export interface LapicEvents {
  /** The processor gets an NMI. */
  onNmi(): void;
  /** The processor gets an INIT. */
  onInit(): void;
  /** A level-triggered interrupt has ended. */
  onEndOfInterrupt(vector: number): void;
  /** It may take messages that it has refused before. */
  onReceptive(): void;
  /** ISA interrupt that a vector stands for, if it is one's. */
  irqOf?(vector: number): number | undefined;
  /** Where its registers are from now on; `undefined`: the processor has no APIC any more. */
  onMove(base: Gpa | undefined): void;
}

/** The local APIC, with the processor behind it. */
export class LocalApic implements MmioDevice, MessageBus {
  /** LINT0 and LINT1. INTR of the 8259 pair drives the first. */
  readonly inputs: readonly [InterruptLine, InterruptLine];
  readonly #external: ExternalInterrupts;
  readonly #events: LapicEvents;
  readonly #requests = new LapicRequests();
  readonly #vectors: LocalVectors;
  readonly #timer: LapicTimer;
  #base = BASE_RESET;
  #id = 0;
  #ldr = 0;
  #dfr = DFR_FLAT;
  #svr = 0xff;
  #icr = 0;
  #icrHigh = 0;
  #esr = 0;
  /** Errors since the last write to ESR. */
  #errors = 0;
  /** Acknowledged last; `undefined` when that was the 8259 pair's. */
  #vector: number | undefined;

  constructor(clock: Clock, external: ExternalInterrupts, events: LapicEvents) {
    this.#external = external;
    this.#events = events;
    this.#vectors = new LocalVectors((entry, level) => this.#receive(entry, level));
    this.#timer = new LapicTimer(clock, () => this.#vectors.raise(LVT.TIMER));
    this.inputs = this.#vectors.inputs;
  }

  // ---- the processor's side ---------------------------------------------------------------------

  /** An interrupt waits for the processor. */
  get pending(): boolean {
    return this.#requests.ready || this.#externalWaits;
  }

  /** Takes the waiting interrupt; returns its vector, or the spurious one. */
  acknowledge(): number {
    if (this.#externalWaits) {
      this.#vector = undefined;
      return this.#external.acknowledge();
    }
    return this.#vector = this.#requests.ready ? this.#requests.take() : this.#svr & MESSAGE.VECTOR;
  }

  /** ISA interrupt that {@link acknowledge} has taken last, if it was one. */
  get irq(): number | undefined {
    return this.#vector === undefined ? this.#external.irq : this.#events.irqOf?.(this.#vector);
  }

  /** IA32_APIC_BASE, its low word; the high one is 0. */
  get base(): number {
    return this.#base >>> 0;
  }

  /**
   * Writes IA32_APIC_BASE. An APIC that is switched off forgets everything.
   * @returns false when the register cannot hold that: #GP for the guest
   */
  setBase(low: number, high: number): boolean {
    if (high !== 0 || (low & BASE_RESERVED) !== 0) return false;
    if (this.#base === (low | 0)) return true;
    this.#base = low | 0;
    if (!this.#isEnabled) this.#reset();
    this.#events.onMove(this.#isEnabled ? (low & BASE_PAGE) >>> 0 : undefined);
    return true;
  }

  /** What a BIOS leaves behind: LINT0 passes the 8259 pair's interrupts on, LINT1 the NMI. */
  becomeVirtualWire(): void {
    this.#writeSvr(SVR_ENABLED | 0xff);
    this.#vectors.write(LVT.LINT0, DELIVERY.EXT_INT << 8);
    this.#vectors.write(LVT.LINT1, DELIVERY.NMI << 8);
  }

  /**
   * The hypervisor requests a vector, edge-triggered: Xen's vlapic_set_irq. Nobody sends it again,
   * so it waits while software has the APIC switched off.
   * @param vector from 16 on
   */
  request(vector: number): void {
    if (this.#isEnabled) this.#requests.add(vector, false);
  }

  get #isEnabled(): boolean {
    return (this.#base & BASE_ENABLED) !== 0;
  }

  get #externalWaits(): boolean {
    return this.#external.pending && (this.#vectors.passesExternal || !this.#isEnabled);
  }

  // ---- messages ---------------------------------------------------------------------------------

  send(message: number, destination: number): boolean {
    if (!this.#isEnabled || !this.#isMeant(message, destination)) return false;
    if (isFixed(message) && (this.#svr & SVR_ENABLED) === 0) return false;
    this.#receive(message, (message & MESSAGE.LEVEL) !== 0);
    return true;
  }

  #isMeant(message: number, destination: number): boolean {
    if (destination === BROADCAST) return true;
    if ((message & MESSAGE.LOGICAL) === 0) return destination === this.#id;
    const common = destination & this.#ldr;
    if (this.#dfr === DFR_FLAT) return common !== 0;
    return destination >> 4 === this.#ldr >> 4 && (common & 0xf) !== 0;
  }

  #receive(message: number, level: boolean): void {
    const vector = message & MESSAGE.VECTOR;
    const mode = deliveryOf(message);
    if (mode === DELIVERY.NMI) this.#events.onNmi();
    else if (mode === DELIVERY.INIT) this.#events.onInit();
    else if (!isFixed(message)) return;
    else if (vector < FIRST_VECTOR) this.#noteError(ERROR.RECEIVED_VECTOR);
    else this.#requests.add(vector, level);
  }

  /** There are no other processors: what is not for this one is for nobody. */
  #command(): void {
    const icr = this.#icr;
    if (isFixed(icr) && (icr & MESSAGE.VECTOR) < FIRST_VECTOR) {
      return this.#noteError(ERROR.SEND_VECTOR);
    }
    // The end of an INIT sets arbitration numbers, and there are none.
    const ends = (icr & (MESSAGE.LEVEL | ICR_ASSERT)) === MESSAGE.LEVEL;
    if (deliveryOf(icr) === DELIVERY.INIT && ends) return;
    const shorthand = icr >> 18 & 3;
    const message = icr & ~MESSAGE.LEVEL;
    if (shorthand === SHORTHAND.NONE) this.send(message, this.#icrHigh);
    else if (shorthand !== SHORTHAND.OTHERS && isFixed(icr)) this.send(message, BROADCAST);
  }

  #endInterrupt(): void {
    const vector = this.#requests.end();
    if (vector < 0 || !this.#requests.levels.has(vector)) return;
    this.#vectors.end(vector);
    this.#events.onEndOfInterrupt(vector);
  }

  /** An error is told of once, until ESR is written. */
  #noteError(error: number): void {
    if ((this.#errors & error) !== 0) return;
    this.#errors |= error;
    this.#vectors.raise(LVT.ERROR);
  }

  // ---- registers --------------------------------------------------------------------------------

  readMmio(offset: number, size: AccessSize): number {
    const value = (offset & 0xc) === 0 ? this.#read(offset & ~3) : 0;
    return truncate(value >>> 8 * (offset & 3), size);
  }

  /** Registers are written as a whole; what an instruction leaves out is as it reads. */
  writeMmio(offset: number, size: AccessSize, value: number): void {
    if ((offset & 0xc) !== 0) return;
    if (size === 4) return this.#write(offset, value);
    const shift = 8 * (offset & 3);
    const lanes = (1 << 8 * size) - 1 << shift;
    const register = offset & ~3;
    this.#write(register, this.#read(register) & ~lanes | value << shift & lanes);
  }

  #read(register: number): number {
    switch (register) {
      case REG.ID:
        return this.#id << 24;
      case REG.VERSION:
        return VERSION;
      case REG.TPR:
        return this.#requests.taskPriority;
      case REG.PPR:
        return this.#requests.priority;
      case REG.APR:
      case REG.EOI:
      case REG.REMOTE_READ:
        return 0;
      case REG.LDR:
        return this.#ldr << 24;
      case REG.DFR:
        return this.#dfr << 28 | DFR_RESERVED;
      case REG.SVR:
        return this.#svr;
      case REG.ESR:
        return this.#esr;
      case REG.ICR:
        return this.#icr;
      case REG.ICR_HIGH:
        return this.#icrHigh << 24;
      case REG.TIMER_INITIAL:
        return this.#timer.initial;
      case REG.TIMER_CURRENT:
        return this.#timer.count;
      case REG.TIMER_DIVIDE:
        return this.#timer.divide;
    }
    return this.#readRow(register);
  }

  /** The registers that come in rows. */
  #readRow(register: number): number {
    if (isLvt(register)) return this.#vectors.read(lvtIndex(register));
    const word = register >> 4 & 7;
    switch (register & ~0x7f) {
      case REG.ISR:
        return this.#requests.served.word(word);
      case REG.TMR:
        return this.#requests.levels.word(word);
      case REG.IRR:
        return this.#requests.requested.word(word);
    }
    this.#noteError(ERROR.REGISTER);
    return 0;
  }

  #write(register: number, value: number): void {
    switch (register) {
      case REG.ID:
        this.#id = value >>> 24;
        return this.#events.onReceptive();
      case REG.TPR:
        this.#requests.taskPriority = value;
        return;
      case REG.EOI:
        return this.#endInterrupt();
      case REG.LDR:
        this.#ldr = value >>> 24;
        return this.#events.onReceptive();
      case REG.DFR:
        this.#dfr = value >>> 28;
        return this.#events.onReceptive();
      case REG.SVR:
        return this.#writeSvr(value);
      case REG.ESR:
        this.#esr = this.#errors;
        this.#errors = 0;
        return;
      case REG.ICR:
        this.#icr = value & ICR_WRITABLE;
        return this.#command();
      case REG.ICR_HIGH:
        this.#icrHigh = value >>> 24;
        return;
      case REG.TIMER_INITIAL:
        this.#timer.initial = value >>> 0;
        return;
      case REG.TIMER_DIVIDE:
        this.#timer.divide = value;
        return;
    }
    if (isLvt(register)) this.#writeLvt(lvtIndex(register), value);
    else if (!isReadOnly(register)) this.#noteError(ERROR.REGISTER);
  }

  #writeSvr(value: number): void {
    this.#svr = value & SVR_WRITABLE;
    this.#vectors.off = (value & SVR_ENABLED) === 0;
    this.#events.onReceptive();
  }

  #writeLvt(index: number, value: number): void {
    this.#vectors.write(index, value);
    if (index === LVT.TIMER) this.#timer.periodic = (value & LVT_PERIODIC) !== 0;
  }

  #reset(): void {
    this.#requests.reset();
    this.#vectors.reset();
    this.#timer.reset();
    this.#id =
      this.#ldr =
      this.#icr =
      this.#icrHigh =
      this.#esr =
      this.#errors =
        0;
    this.#dfr = DFR_FLAT;
    this.#svr = 0xff;
  }
}
