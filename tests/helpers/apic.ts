/**
 * A processor's interrupts as a guest sees them: 8259 pair, local APIC, I/O APIC, and lines.
 * @module
 */

import { VirtualClock } from "../../core/clock.ts";
import { IoPortBus } from "../../devices/bus.ts";
import { IoApic } from "../../devices/ioapic.ts";
import { LocalApic } from "../../devices/lapic.ts";
import { MmioBus } from "../../devices/mmio.ts";
import { Pic8259Pair } from "../../devices/pic.ts";
import { runUntil } from "./pc_devices.ts";

const IO_APIC = 0xfec00000;
const LOCAL_APIC = 0xfee00000;

/** Offsets of local APIC registers. */
export const LAPIC = {
  ID: 0x20,
  VERSION: 0x30,
  TPR: 0x80,
  PPR: 0xa0,
  EOI: 0xb0,
  LDR: 0xd0,
  DFR: 0xe0,
  SVR: 0xf0,
  ISR: 0x100,
  TMR: 0x180,
  IRR: 0x200,
  ESR: 0x280,
  ICR: 0x300,
  ICR_HIGH: 0x310,
  LVT_TIMER: 0x320,
  LVT_LINT0: 0x350,
  LVT_LINT1: 0x360,
  LVT_ERROR: 0x370,
  INITIAL: 0x380,
  CURRENT: 0x390,
  DIVIDE: 0x3e0,
} as const;

/** Both APICs and the 8259 pair, wired as on the board. */
export class ApicBoard {
  readonly clock: VirtualClock = new VirtualClock();
  readonly pic: Pic8259Pair = new Pic8259Pair();
  readonly ports: IoPortBus = new IoPortBus();
  readonly mmio: MmioBus = new MmioBus();
  /** NMIs, INITs and moves, in order. */
  readonly log: string[] = [];
  readonly lapic: LocalApic;
  readonly ioapic: IoApic;

  constructor() {
    this.lapic = new LocalApic(this.clock, this.pic, {
      onNmi: () => this.log.push("nmi"),
      onInit: () => this.log.push("init"),
      onEndOfInterrupt: (vector) => this.ioapic.endOfInterrupt(vector),
      irqOf: (vector) => this.ioapic.pinOf(vector),
      onReceptive: () => this.ioapic.retry(),
      onMove: (base) => this.log.push(`move ${base?.toString(16)}`),
    });
    this.ioapic = new IoApic(this.lapic);
    this.pic.connect(this.lapic.inputs[0]);
    this.mmio.map("io", IO_APIC, 0x1000, this.ioapic);
    this.mmio.map("local", LOCAL_APIC, 0x1000, this.lapic);
    this.ports.map("pic1", 0x20, 2, this.pic.master);
    this.ports.map("pic2", 0xa0, 2, this.pic.slave);
  }

  /** Vectors 30h and up in the 8259 pair, all unmasked, as real mode or Linux has them. */
  startPic(): void {
    for (const value of [0x11, 0x30, 0x04, 0x01]) this.#out(value === 0x11 ? 0x20 : 0x21, value);
    for (const value of [0x11, 0x38, 0x02, 0x01]) this.#out(value === 0x11 ? 0xa0 : 0xa1, value);
  }
  /** Switches the local APIC on by software; spurious vector FFh. */
  enable(): this {
    this.set(LAPIC.SVR, 0x1ff);
    return this;
  }
  set(register: number, value: number): void {
    this.mmio.write(LOCAL_APIC + register, 4, value);
  }
  get(register: number): number {
    return this.mmio.read(LOCAL_APIC + register, 4);
  }
  /** The vectors in one of the 256-bit registers. */
  vectors(register: number): number[] {
    return Array.from({ length: 256 }, (_, vector) => vector)
      .filter((n) => this.get(register + 16 * (n >> 5)) >>> (n & 31) & 1);
  }
  /** Takes an interrupt, if one waits. */
  take(): number | undefined {
    return this.lapic.pending ? this.lapic.acknowledge() : undefined;
  }
  /** Ends it. */
  end(): void {
    this.set(LAPIC.EOI, 0);
  }
  setIo(register: number, value: number): void {
    this.mmio.write(IO_APIC, 4, register);
    this.mmio.write(IO_APIC + 0x10, 4, value);
  }
  getIo(register: number): number {
    this.mmio.write(IO_APIC, 4, register);
    return this.mmio.read(IO_APIC + 0x10, 4);
  }
  /** Writes a redirection entry. */
  redirect(pin: number, entry: number, destination: number = 0): void {
    this.setIo(0x11 + 2 * pin, destination << 24);
    this.setIo(0x10 + 2 * pin, entry);
  }
  pulse(pin: number): void {
    this.ioapic.line(pin).set(true);
    this.ioapic.line(pin).set(false);
  }
  runTo(time: number): void {
    runUntil(this.clock, time);
  }

  #out(port: number, value: number): void {
    this.ports.write(port, 1, value);
  }
}
