/**
 * Random accesses to everything on the board, and random commands for its drives.
 * @module
 */

import { FIRMWARE, MMIO, PCI_SLOT, PORT } from "../../../core/machine/address_map.ts";
import type { Rng } from "../rng.ts";
import { type Operation, PLACE, type Step, STRING_BUFFER } from "./program.ts";

/** Whether the drives may be given commands that write. */
export type Writing = "never" | "lawful";

const SIZES = [8, 16, 32] as const;
type Size = typeof SIZES[number];

/** Bytes that end the run, by port: a case has few of them, to come far. */
const ENDING = new Map<number, (byte: number) => boolean>([
  ...[0, 1, 2, 3].map((offset) => [PORT.DEBUG_EXIT + offset, () => true] as const),
  [PORT.SYSTEM_CONTROL_A, (byte) => (byte & 0x01) !== 0], // reset
  [PORT.PCI_ADDRESS + 1, (byte) => (byte & 0x04) !== 0], // reset
  [PORT.KEYBOARD_COMMAND, (byte) => byte >= 0xf0 || byte === 0xd1], // reset, by itself or a pin
  [FIRMWARE.PM_BASE + 5, (byte) => (byte & 0x20) !== 0], // sleep
]);
/** Of those that could be. */
const ENDING_PERCENT = 0.1;

const BAR_PORTS: readonly number[] = Object.values(PCI_SLOT)
  .flatMap(({ bars = {} }) => Object.values(bars))
  .filter((base) => base < 0x10000);
const PORTS: readonly number[] = [...Object.values(PORT), FIRMWARE.PM_BASE, ...BAR_PORTS];
const BUS_MASTER = PCI_SLOT.IDE.bars![4]!;

const CHANNELS = [
  [PORT.IDE_COMMAND, PORT.IDE_CONTROL, BUS_MASTER],
  [PORT.IDE2_COMMAND, PORT.IDE2_CONTROL, BUS_MASTER + 8],
] as const;

/** VGA, shadow RAM, PCI space, ROM, besides the registers. */
const REGIONS: readonly number[] = [
  ...Object.values(MMIO),
  ...[0xa0000, 0xb8000, 0xc8000, 0xe0000, 0xf0000, 0xf0000000, 0xfed00000, 0xfffc0000],
];

const TRIM = 0x06;
const WRITE_COMMANDS: readonly number[] = [
  ...[TRIM, 0x30, 0x31, 0x34, 0x35, 0x39, 0x3c, 0xc5, 0xca, 0xcb],
];
const DISK_COMMANDS: readonly number[] = [
  ...[0x00, 0x08, 0x10, 0x20, 0x24, 0x25, 0x27, 0x29, 0x40, 0x42, 0x70, 0x90, 0x91, 0xa0, 0xa1],
  ...[0xb0, 0xc4, 0xc6, 0xc8, 0xe0, 0xe5, 0xe7, 0xea, 0xec, 0xef, 0xf5, 0xf8],
];
const CHANGING: ReadonlySet<number> = new Set(WRITE_COMMANDS);
const PACKETS: readonly number[] = [
  ...[0x00, 0x03, 0x12, 0x1a, 0x1b, 0x1e, 0x25, 0x28, 0x28, 0x28, 0x2b, 0x43, 0x46, 0x4a, 0x51],
  ...[0x5a, 0xa8, 0xa8, 0xbb, 0xbd, 0xbe],
];

/** Makes the steps of a case. */
export class StepMaker {
  readonly steps: Step[] = [];
  readonly #rng: Rng;
  readonly #writing: Writing;

  constructor(rng: Rng, writing: Writing) {
    this.#rng = rng;
    this.#writing = writing;
  }

  /** Adds steps until there are as many. */
  make(count: number): readonly Step[] {
    const kinds = [
      () => this.#port(this.#rng.pick(PORTS) + this.#rng.below(16)),
      () => this.#port(this.#rng.pick(PORTS) + this.#rng.below(4)),
      () => this.#port(this.#rng.below(0x10000)),
      () => this.#memory(),
      () => this.#pci(),
      () => this.#ide(),
      () => this.#ide(),
      () => this.#pause(),
    ];
    while (this.steps.length < count) this.#rng.pick(kinds)();
    return this.steps;
  }

  #add(op: Operation, at: number, value: number = 0, count: number = 0): void {
    this.steps.push({ op, at, value, count });
  }

  #value(): number {
    const rng = this.#rng;
    switch (rng.below(5)) {
      case 0:
        return 0;
      case 1:
        return 0xffffffff;
      case 2:
        return 1 << rng.below(32) >>> 0;
      case 3:
        return rng.below(0x100);
      default:
        return rng.next();
    }
  }

  #port(port: number): void {
    const rng = this.#rng;
    const size = rng.pick(SIZES);
    if (rng.chance(8)) this.#string(port, size);
    else if (rng.chance(40)) this.#add(`in${size}`, port);
    else this.#out(port, size, this.#value());
  }

  #string(port: number, size: Size): void {
    const count = 1 + this.#rng.below(300);
    if (this.#rng.chance(50)) this.#add(`ins${size}`, port, 0, count);
    else if (!this.#isUnwanted(port, size)) this.#add(`outs${size}`, port, 0, count);
  }

  #out(port: number, size: Size, value: number): void {
    if (!this.#isUnwanted(port, size, value)) this.#add(`out${size}`, port, value);
  }

  /** Without `value`: the bytes are not known. */
  #isUnwanted(port: number, size: Size, value?: number): boolean {
    for (let i = 0; i * 8 < size; i++) {
      const byte = value === undefined ? undefined : value >>> i * 8 & 0xff;
      if (this.#changesDisk(port + i, byte)) return true;
      const ends = ENDING.get(port + i);
      if (ends === undefined || byte !== undefined && !ends(byte)) continue;
      if (!this.#rng.chance(ENDING_PERCENT)) return true;
    }
    return false;
  }

  /** A command that could change an image which must not change. */
  #changesDisk(port: number, byte: number | undefined): boolean {
    if (this.#writing === "lawful") return false;
    const isCommand = port === PORT.IDE_COMMAND + 7 || port === PORT.IDE2_COMMAND + 7;
    return isCommand && (byte === undefined || CHANGING.has(byte));
  }

  #memory(): void {
    const rng = this.#rng;
    const at = rng.pick(REGIONS) + (rng.chance(50) ? rng.below(0x400) : rng.below(0x8000));
    const size = rng.pick(SIZES);
    if (rng.chance(5)) this.#add("fill", at, this.#value(), 1 + rng.below(200));
    else if (rng.chance(40)) this.#add(`load${size}`, at);
    else this.#add(`store${size}`, at, this.#value());
  }

  /** A configuration access; of a base address, mostly one that leads somewhere. */
  #pci(): void {
    const rng = this.#rng;
    const slot = rng.pick(Object.values(PCI_SLOT));
    const device = rng.chance(90) ? slot.device : rng.below(32);
    const func = rng.chance(90) ? slot.func : rng.below(8);
    const register = rng.below(0x100);
    const address = 0x80000000 + (device << 11 | func << 8 | register & 0xfc);
    this.#add("out32", PORT.PCI_ADDRESS, address);
    const size = rng.pick(SIZES);
    if (rng.chance(40)) return this.#add(`in${size}`, PORT.PCI_DATA + (register & 3));
    const isBar = (register & 0xfc) === 0x20 && rng.chance(80);
    this.#add(`out${size}`, PORT.PCI_DATA + (register & 3), isBar ? BUS_MASTER : this.#value());
  }

  #pause(): void {
    const rng = this.#rng;
    if (rng.chance(1)) this.#sleep();
    else if (rng.chance(50)) this.#add("allow", 0);
    else this.#add("wait", 0, 0, 1 + rng.below(2000));
  }

  /** Sleeps until the timer ticks; if other writes have kept it from that, for ever. */
  #sleep(): void {
    for (const value of [0x11, 0x20, 0x04, 0x01, 0xfe]) {
      this.#add("out8", PORT.PIC_MASTER + (value === 0x11 ? 0 : 1), value);
    }
    for (const offset of [3, 0, 0]) {
      this.#add("out8", PORT.PIT + offset, offset === 3 ? 0x34 : this.#rng.below(256));
    }
    this.#add("sleep", 0);
  }

  // ---- drives -------------------------------------------------------------------------------------

  /** A command that a driver could give, with registers, data phase and DMA as they come. */
  #ide(): void {
    const rng = this.#rng;
    const [command, control, busMaster] = rng.pick(CHANNELS);
    if (rng.chance(60)) { for (const value of [0x04, 0x00]) this.#out(control, 8, value); }
    const unit = rng.below(2);
    this.#out(command + 6, 8, 0xa0 | unit << 4 | (rng.chance(80) ? 0x40 : 0) | rng.below(2));
    for (const offset of [1, 2, 3, 4, 5]) {
      if (rng.chance(30)) this.#out(command + offset, 8, 0);
      if (rng.chance(80)) this.#out(command + offset, 8, rng.below(offset < 4 ? 64 : 3));
    }
    const isPacket = rng.chance(40);
    const opcode = isPacket ? 0xa0 : rng.pick(this.#commands());
    if (isPacket || opcode === TRIM) this.#out(command + 1, 8, rng.below(2));
    this.#out(command + 7, 8, opcode);
    if (isPacket) this.#packet(command);
    this.#dma(busMaster);
    this.#data(command);
  }

  #commands(): readonly number[] {
    return this.#writing === "lawful" && this.#rng.chance(50) ? WRITE_COMMANDS : DISK_COMMANDS;
  }

  #packet(command: number): void {
    const rng = this.#rng;
    const block = rng.below(200);
    const opcode = rng.pick(PACKETS);
    this.#out(command, 32, opcode | rng.below(4) << 8 | (rng.chance(30) ? 0x2a0000 : 0));
    this.#out(command, 32, (rng.chance(80) ? 18 : 0) | block << 8 | rng.below(2) << 24);
    this.#out(command, 32, rng.chance(80) ? rng.below(8) | rng.below(20) << 8 : rng.next());
  }

  #dma(busMaster: number): void {
    const rng = this.#rng;
    if (rng.chance(40)) return;
    const table = rng.chance(90) ? PLACE.SCRATCH + rng.below(0x4000) * 4 : rng.next();
    if (rng.chance(50)) this.#out(busMaster, 8, 0);
    this.#out(busMaster + 4, 32, table);
    this.#out(busMaster, 8, rng.chance(50) ? 9 : 1);
    this.#add("wait", 0, 0, 1 + rng.below(400));
    this.#add("in8", busMaster + 2);
    if (rng.chance(50)) this.#out(busMaster + 2, 8, 0x06);
  }

  #data(command: number): void {
    const rng = this.#rng;
    for (let turn = rng.below(4); turn > 0; turn--) {
      this.#add("wait", 0, 0, 1 + rng.below(3000));
      this.#add("in8", command + 7);
      if (rng.chance(50)) this.#string(command, rng.pick(SIZES));
    }
  }
}

/** Descriptor tables at the begin of scratch memory, of buffers behind them; the rest is by chance. */
export function makeScratch(rng: Rng): Uint8Array {
  const bytes = new Uint8Array(PLACE.END - PLACE.SCRATCH);
  rng.fill(bytes.subarray(STRING_BUFFER - PLACE.SCRATCH, STRING_BUFFER - PLACE.SCRATCH + 0x2000));
  const words = new Uint32Array(bytes.buffer);
  for (let at = 0; at < 0x10000 / 4; at += 2) {
    words[at] = STRING_BUFFER + rng.below(0x60000);
    const isWhole = rng.chance(70);
    words[at + 1] = (isWhole ? rng.below(128) * 512 : rng.below(0x10000)) |
      (rng.chance(30) ? 0x80000000 : 0);
  }
  return bytes;
}
