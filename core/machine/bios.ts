/**
 * The BIOS services that a boot sector may call when no BIOS image is given, and the state in which
 * a BIOS hands over the machine.
 *
 * Each interrupt vector leads to a stub in a page at F000:0000. A stub that has something to do
 * executes VMCALL and is served here; its time is charged as `bios`.
 * Source: IBM PC/AT technical reference (BIOS data area, INT 10h-1Ah); ACPI 1.0b, §14 for INT 15h
 * E820h; interrupt controller and timer set-up as SeaBIOS 1.16 leaves them.
 * @module
 */

import { PCI, PCI_COMMAND } from "../../devices/pci.ts";
import { GuestPanic } from "../errors.ts";
import type { CostPreset } from "../hypervisor/costs.ts";
import type { PortSpace } from "../hypervisor/port_access.ts";
import type { BiosTraps } from "../hypervisor/hypervisor.ts";
import { COST } from "../types.ts";
import type { AccessSize, BlockBackend, GuestMemory, Ledger, VcpuState } from "../types.ts";
import { BiosDisks } from "./bios_disk.ts";
import { BiosFrame } from "./bios_frame.ts";
import { BiosKeyboard } from "./bios_keyboard.ts";
import { PCI_SLOT, PORT } from "./address_map.ts";
import type { PciSlot } from "./address_map.ts";

const ROM_BASE = 0xf0000;
const ROM_SEGMENT = 0xf000;
const STUB_BYTES = 16;
const VECTOR_COUNT = 256;

/** Code of the stubs. `vmcall` is 0F 01 C1. */
const STUB = {
  /** iret */
  IGNORE: [0xcf],
  /** vmcall; iret */
  SERVICE: [0x0f, 0x01, 0xc1, 0xcf],
  /** vmcall; int 1Ch; iret */
  TIMER: [0x0f, 0x01, 0xc1, 0xcd, 0x1c, 0xcf],
  /** again: vmcall; jnc done; sti; hlt; jmp again; done: iret */
  WAIT: [0x0f, 0x01, 0xc1, 0x73, 0x04, 0xfb, 0xf4, 0xeb, 0xf7, 0xcf],
} as const;

/** Places in the BIOS data area. */
const BDA = {
  COM1: 0x400,
  EBDA_SEGMENT: 0x40e,
  EQUIPMENT: 0x410,
  BASE_KIB: 0x413,
  VIDEO_MODE: 0x449,
  VIDEO_COLUMNS: 0x44a,
  CRTC_PORT: 0x463,
  TICKS: 0x46c,
  MIDNIGHT: 0x470,
  DISK_COUNT: 0x475,
  LAST_ROW: 0x484,
  DISK_INTERRUPT: 0x48e,
} as const;

const EBDA_BASE = 0x9fc00;
const LOW_RAM_END = 0xa0000;
const HIGH_RAM_BASE = 0x100000;
const MIB = 1 << 20;
const TICKS_PER_DAY = 0x1800b0;
const VIDEO_MODE_TEXT = 3;
const COLUMNS = 80;
const ROWS = 25;
/** 80x25 colour, one serial port. */
const EQUIPMENT = 0x0220;
/** Cursor shape: scan lines 6 and 7. */
const CURSOR_SHAPE = 0x0607;
const SMAP = 0x534d4150;
const E820_BYTES = 20;
const E820_RAM = 1;
const E820_RESERVED = 2;
const UNSUPPORTED = 0x86;
const EOI = 0x20;
/** IRQ 10 and 11, where the PIRQs go: level-triggered. */
const PIRQ_LEVELS = 0x0c;

/** What the BIOS is built from. */
export interface BiosOptions {
  readonly memory: GuestMemory;
  readonly ports: PortSpace;
  readonly ledger: Ledger;
  readonly costs: CostPreset;
  /** Drives 80h and up. */
  readonly disks: readonly BlockBackend[];
  /** Takes what a guest prints by INT 10h. */
  readonly onByte: (byte: number) => void;
}

/** The built-in BIOS. */
export class Bios implements BiosTraps {
  readonly #memory: GuestMemory;
  readonly #ports: PortSpace;
  readonly #ledger: Ledger;
  readonly #costs: CostPreset;
  readonly #disks: BiosDisks;
  readonly #keyboard: BiosKeyboard;
  readonly #onByte: (byte: number) => void;
  readonly #frame: BiosFrame;
  readonly #services: ReadonlyMap<number, () => void>;

  constructor(options: BiosOptions) {
    this.#memory = options.memory;
    this.#ports = options.ports;
    this.#ledger = options.ledger;
    this.#costs = options.costs;
    this.#disks = new BiosDisks(options.memory, options.disks);
    this.#keyboard = new BiosKeyboard(options.memory, options.ports);
    this.#onByte = options.onByte;
    this.#frame = new BiosFrame(options.memory);
    this.#services = new Map([
      ...range(0x0a, 0x0f, () => this.#endInterrupt(1)),
      ...range(0x70, 0x77, () => this.#endInterrupt(2)),
      [0x08, () => this.#tick()],
      [0x09, () => this.#keyboardInterrupt()],
      [0x10, () => this.#video()],
      [0x11, () => this.#answer(EQUIPMENT)],
      [0x12, () => this.#answer(EBDA_BASE / 1024)],
      [0x13, () => this.#disk()],
      [0x15, () => this.#system()],
      [0x16, () => this.#frame.ownCarry = this.#keyboard.serve(this.#frame)],
      [0x18, () => giveUp("INT 18h: the boot sector found nothing to boot")],
      [0x19, () => giveUp("INT 19h: the boot sector asked to boot again")],
      [0x1a, () => this.#timeOfDay()],
      [0x76, () => this.#diskInterrupt()],
    ]);
    this.#installVectors();
    this.#installDataArea(options.disks.length);
  }

  covers(rip: number): boolean {
    return rip >= ROM_BASE && rip < ROM_BASE + VECTOR_COUNT * STUB_BYTES;
  }

  call(rip: number, vcpu: VcpuState): void {
    this.#ledger.charge(COST.bios, this.#costs.biosCall);
    this.#frame.begin(vcpu);
    this.#services.get(Math.floor((rip - ROM_BASE) / STUB_BYTES))?.();
  }

  /**
   * Leaves interrupt controllers, timer and PCI functions as a BIOS does.
   * @param interrupts false masks every line: the guest enters without real-mode handlers
   */
  handOver(interrupts: boolean): void {
    this.#setUpInterrupts(interrupts);
    this.#setUpKeyboard();
    for (const slot of Object.values(PCI_SLOT)) this.#setUpFunction(slot);
  }

  #setUpInterrupts(interrupts: boolean): void {
    const out = (port: number, ...values: readonly number[]) => {
      for (const value of values) this.#ports.write(port, 1, value);
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

  /** Interrupt and translation on, the mouse off. */
  #setUpKeyboard(): void {
    this.#ports.write(PORT.KEYBOARD_COMMAND, 1, 0x60);
    this.#ports.write(PORT.KEYBOARD_DATA, 1, 0x65);
  }

  #setUpFunction({ device, func, bars, bytes = {} }: PciSlot): void {
    const write = (register: number, size: AccessSize, value: number) => {
      const address = 0x80000000 | (device << 11) | (func << 8) | (register & ~3);
      this.#ports.write(PORT.PCI_ADDRESS, 4, address >>> 0);
      this.#ports.write(PORT.PCI_DATA + (register & 3), size, value);
    };
    for (const [at, value] of Object.entries(bytes)) write(Number(at), 1, value);
    for (const [bar, base] of Object.entries(bars ?? {})) {
      write(PCI.BAR0 + 4 * Number(bar), 4, base);
    }
    if (bars !== undefined) write(PCI.COMMAND, 4, PCI_COMMAND.IO | PCI_COMMAND.MEMORY);
  }

  #installVectors(): void {
    for (let vector = 0; vector < VECTOR_COUNT; vector++) {
      const offset = vector * STUB_BYTES;
      this.#stub(vector).forEach((byte, i) => this.#memory.write8(ROM_BASE + offset + i, byte));
      this.#memory.write32(vector * 4, ((ROM_SEGMENT << 16) | offset) >>> 0);
    }
  }

  #stub(vector: number): readonly number[] {
    switch (vector) {
      case 0x08:
        return STUB.TIMER;
      case 0x16:
        return STUB.WAIT;
      default:
        return this.#services.has(vector) ? STUB.SERVICE : STUB.IGNORE;
    }
  }

  #installDataArea(disks: number): void {
    const memory = this.#memory;
    memory.write16(BDA.COM1, PORT.COM1);
    memory.write16(BDA.EBDA_SEGMENT, EBDA_BASE >> 4);
    memory.write8(EBDA_BASE, 1); // its size in KiB
    memory.write16(BDA.EQUIPMENT, EQUIPMENT);
    memory.write16(BDA.BASE_KIB, EBDA_BASE / 1024);
    memory.write8(BDA.VIDEO_MODE, VIDEO_MODE_TEXT);
    memory.write16(BDA.VIDEO_COLUMNS, COLUMNS);
    memory.write16(BDA.CRTC_PORT, 0x3d4);
    memory.write8(BDA.DISK_COUNT, disks);
    memory.write8(BDA.LAST_ROW, ROWS - 1);
  }

  #answer(ax: number): void {
    this.#frame.ax = ax;
  }

  // ---- hardware interrupts ----------------------------------------------------------------------

  /** INT 08h. */
  #tick(): void {
    const ticks = this.#memory.read32(BDA.TICKS) + 1;
    const midnight = ticks >= TICKS_PER_DAY;
    this.#memory.write32(BDA.TICKS, midnight ? 0 : ticks);
    if (midnight) this.#memory.write8(BDA.MIDNIGHT, 1);
    this.#endInterrupt(1);
  }

  /** INT 09h. */
  #keyboardInterrupt(): void {
    this.#keyboard.interrupt();
    this.#endInterrupt(1);
  }

  /** INT 76h. */
  #diskInterrupt(): void {
    this.#memory.write8(BDA.DISK_INTERRUPT, 0xff);
    this.#endInterrupt(2);
  }

  #endInterrupt(controllers: 1 | 2): void {
    if (controllers === 2) this.#ports.write(PORT.PIC_SLAVE, 1, EOI);
    this.#ports.write(PORT.PIC_MASTER, 1, EOI);
  }

  // ---- services ---------------------------------------------------------------------------------

  /**
   * INT 10h. There is a console instead of a screen: what is printed goes out, the rest is
   * accepted.
   */
  #video(): void {
    const frame = this.#frame;
    switch (frame.ah) {
      case 0x03: // cursor: shape and position
        frame.cx = CURSOR_SHAPE;
        frame.dx = 0;
        break;
      case 0x09: // print CX times, with and without attribute
      case 0x0a:
        for (let i = 0; i < frame.cx; i++) this.#onByte(frame.al);
        break;
      case 0x0e: // teletype
        this.#onByte(frame.al);
        break;
      case 0x0f: // mode: columns in AH, page 0
        frame.ax = (COLUMNS << 8) | VIDEO_MODE_TEXT;
        frame.bx &= 0xff;
        break;
      case 0x13: // print a string; AL bit 1: attributes between the characters
        this.#printString(frame.esBp, frame.cx, (frame.al & 2) !== 0 ? 2 : 1);
        break;
    }
  }

  #printString(gpa: number, length: number, stride: number): void {
    for (let i = 0; i < length; i++) this.#onByte(this.#memory.read8(gpa + i * stride));
  }

  /** INT 13h. */
  #disk(): void {
    const sectors = this.#disks.call(this.#frame);
    this.#ledger.charge(COST.bios, sectors * this.#costs.biosSector);
  }

  /** INT 15h. */
  #system(): void {
    const frame = this.#frame;
    frame.carry = false;
    switch (frame.ax) {
      case 0x2400: // A20 off: accepted without effect, like a board whose gate is fixed
      case 0x2401: // A20 on
        frame.ah = 0;
        return;
      case 0x2402: // A20 is on
        frame.ax = 1;
        return;
      case 0x2403: // A20 by keyboard controller and port 92h
        frame.ah = 0;
        frame.bx = 3;
        return;
      case 0xe801:
        this.#tellLargeMemory();
        return;
      case 0xe820:
        this.#tellMemoryMap();
        return;
    }
    if (frame.ah === 0x88) {
      frame.ax = Math.min(0xfc00, (this.#memory.size - HIGH_RAM_BASE) / 1024);
      return;
    }
    frame.ah = UNSUPPORTED;
    frame.carry = true;
  }

  /** E801h: KiB between 1 and 16 MiB, units of 64 KiB above. */
  #tellLargeMemory(): void {
    const frame = this.#frame;
    const { size } = this.#memory;
    frame.ax = (Math.min(size, 16 * MIB) - HIGH_RAM_BASE) / 1024;
    frame.bx = Math.max(0, size - 16 * MIB) / 0x10000;
    frame.cx = frame.ax;
    frame.dx = frame.bx;
  }

  /** E820h: one entry a call, EBX counts. */
  #tellMemoryMap(): void {
    const frame = this.#frame;
    const map = memoryMap(this.#memory.size);
    const entry = map[frame.ebx];
    if (entry === undefined || frame.edx !== SMAP || frame.ecx < E820_BYTES) {
      frame.ah = UNSUPPORTED;
      frame.carry = true;
      return;
    }
    const [base, end, type] = entry;
    const at = frame.esDi;
    [base, 0, end - base, 0, type].forEach((word, i) => this.#memory.write32(at + i * 4, word));
    frame.eax = SMAP;
    frame.ecx = E820_BYTES;
    frame.ebx = frame.ebx + 1 < map.length ? frame.ebx + 1 : 0;
  }

  /** INT 1Ah. */
  #timeOfDay(): void {
    const frame = this.#frame;
    if (frame.ah !== 0) {
      frame.carry = true;
      return;
    }
    const ticks = this.#memory.read32(BDA.TICKS);
    frame.cx = ticks >>> 16;
    frame.dx = ticks & 0xffff;
    frame.al = this.#memory.read8(BDA.MIDNIGHT);
    this.#memory.write8(BDA.MIDNIGHT, 0);
    frame.carry = false;
  }
}

/** Memory as E820h tells it: begin, end, type. */
function memoryMap(ramBytes: number): readonly (readonly [number, number, number])[] {
  return [
    [0, EBDA_BASE, E820_RAM],
    [EBDA_BASE, LOW_RAM_END, E820_RESERVED],
    [ROM_BASE, HIGH_RAM_BASE, E820_RESERVED],
    [HIGH_RAM_BASE, ramBytes, E820_RAM],
  ];
}

/** Ends a guest that asks what this BIOS cannot do: there is no second device, no second start. */
function giveUp(cause: string): never {
  throw new GuestPanic(cause);
}

function range(first: number, last: number, service: () => void): [number, () => void][] {
  return Array.from({ length: last - first + 1 }, (_, i) => [first + i, service]);
}
