/**
 * The BIOS services that a boot sector may call when no BIOS image is given.
 *
 * Each interrupt vector leads to a stub in a page at F000:0000. A stub that has something to do
 * executes VMCALL and is served here; its time is charged as `bios`.
 * Source: IBM PC/AT technical reference (BIOS data area, INT 10h-1Ah); ACPI 1.0b, §14 for INT 15h
 * E820h.
 * @module
 */

import { PIT_HZ } from "../../devices/pit.ts";
import { A20 } from "../../devices/port92.ts";
import { GuestPanic, type ImageError } from "../errors.ts";
import type { CostPreset } from "../hypervisor/costs.ts";
import type { PortSpace } from "../hypervisor/port_access.ts";
import type { BiosTraps } from "../hypervisor/hypervisor_parts.ts";
import { HOLE, LOW_MEMORY_END, memoryMap } from "../load/memory_map.ts";
import { COST } from "../types.ts";
import type { BlockBackend, GuestMemory, Ledger, VcpuState } from "../types.ts";
import { BiosDisks } from "./bios_disk.ts";
import { BiosFrame } from "./bios_frame.ts";
import { BiosKeyboard } from "./bios_keyboard.ts";
import { BiosSerial } from "./bios_serial.ts";
import { PORT } from "./address_map.ts";

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
  VIDEO_PAGE_BYTES: 0x44c,
  CURSOR_SHAPE: 0x460,
  CRTC_PORT: 0x463,
  TICKS: 0x46c,
  MIDNIGHT: 0x470,
  DISK_COUNT: 0x475,
  LAST_ROW: 0x484,
  CHARACTER_LINES: 0x485,
  DISK_INTERRUPT: 0x48e,
  KEYBOARD_TYPE: 0x496,
} as const;

const EBDA_BASE = LOW_MEMORY_END;
const MIB = 1 << 20;
const TICKS_PER_DAY = 0x1800b0;
/** Of the timer's input. */
const CLOCKS_OF_TICK = 0x10000;
/** Hours, minutes, seconds. */
const CLOCK_REGISTERS: readonly number[] = [4, 2, 0];
const VIDEO_MODE_TEXT = 3;
const COLUMNS = 80;
const ROWS = 25;
const VIDEO_PAGE_BYTES = 0x1000;
const CHARACTER_LINES = 16;
const KEYS_101 = 0x10;
/** Mathematics coprocessor, PS/2 mouse, 80x25 colour, one serial port. */
const EQUIPMENT = 0x0226;
/** Cursor shape: scan lines 6 and 7. */
const CURSOR_SHAPE = 0x0607;
const SMAP = 0x534d4150;
const E820_BYTES = 20;
const UNSUPPORTED = 0x86;
const EOI = 0x20;

/** What the BIOS is built from. */
export interface BiosOptions {
  readonly memory: GuestMemory;
  readonly ports: PortSpace;
  readonly ledger: Ledger;
  readonly costs: CostPreset;
  /** Drives 80h and up. */
  readonly disks: readonly BlockBackend[];
  /** The host has failed to read or write an image. */
  readonly onHostError: (disk: BlockBackend, error: ImageError) => void;
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
  readonly #serial: BiosSerial;
  readonly #onByte: (byte: number) => void;
  readonly #frame: BiosFrame;
  readonly #services: ReadonlyMap<number, () => void>;

  constructor(options: BiosOptions) {
    this.#memory = options.memory;
    this.#ports = options.ports;
    this.#ledger = options.ledger;
    this.#costs = options.costs;
    this.#disks = new BiosDisks(options.memory, options.disks, options.onHostError);
    this.#keyboard = new BiosKeyboard(options.memory, options.ports);
    this.#serial = new BiosSerial(options.ports);
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
      [0x14, () => this.#serial.serve(this.#frame)],
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
    memory.write16(BDA.VIDEO_PAGE_BYTES, VIDEO_PAGE_BYTES);
    memory.write16(BDA.CURSOR_SHAPE, CURSOR_SHAPE);
    memory.write16(BDA.CRTC_PORT, 0x3d4);
    memory.write32(BDA.TICKS, this.#ticksSinceMidnight());
    memory.write8(BDA.DISK_COUNT, disks);
    memory.write8(BDA.LAST_ROW, ROWS - 1);
    memory.write16(BDA.CHARACTER_LINES, CHARACTER_LINES);
    memory.write8(BDA.KEYBOARD_TYPE, KEYS_101);
  }

  /** By the clock chip, which stands in BCD and 24 hours at power-on. */
  #ticksSinceMidnight(): number {
    const [hours, minutes, seconds] = CLOCK_REGISTERS.map((register) => {
      this.#ports.write(PORT.RTC, 1, register);
      const digits = this.#ports.read(PORT.RTC + 1, 1);
      return (digits >> 4) * 10 + (digits & 0x0f);
    });
    const time = (hours! * 60 + minutes!) * 60 + seconds!;
    return Math.min(Math.floor(time * PIT_HZ / CLOCKS_OF_TICK), TICKS_PER_DAY - 1);
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
      case 0x2400: // A20 off
      case 0x2401: // A20 on
        this.#gateA20(frame.al !== 0);
        frame.ah = 0;
        return;
      case 0x2402: // A20 as it stands
        frame.ax = this.#hasA20() ? 1 : 0;
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
      frame.ax = Math.min(0xfc00, (this.#memory.size - HOLE.end) / 1024);
      return;
    }
    frame.ah = UNSUPPORTED;
    frame.carry = true;
  }

  /** Of the gates, this BIOS uses the fast one. */
  #gateA20(open: boolean): void {
    const rest = this.#ports.read(PORT.SYSTEM_CONTROL_A, 1) & ~A20;
    this.#ports.write(PORT.SYSTEM_CONTROL_A, 1, open ? rest | A20 : rest);
  }

  #hasA20(): boolean {
    return (this.#ports.read(PORT.SYSTEM_CONTROL_A, 1) & A20) !== 0;
  }

  /** E801h: KiB between 1 and 16 MiB, units of 64 KiB above. */
  #tellLargeMemory(): void {
    const frame = this.#frame;
    const { size } = this.#memory;
    frame.ax = (Math.min(size, 16 * MIB) - HOLE.end) / 1024;
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
    const { base, length, type } = entry;
    const at = frame.esDi;
    [base, 0, length, 0, type].forEach((word, i) => this.#memory.write32(at + i * 4, word));
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

/** Ends a guest that asks what this BIOS cannot do: there is no second device, no second start. */
function giveUp(cause: string): never {
  throw new GuestPanic(cause);
}

function range(first: number, last: number, service: () => void): [number, () => void][] {
  return Array.from({ length: last - first + 1 }, (_, i) => [first + i, service]);
}
