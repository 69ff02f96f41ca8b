/**
 * PCI configuration space: functions on bus 0, reached by configuration mechanism #1.
 * Source: PCI Local Bus Specification 2.1, §3.7.4.1 (mechanism #1) and chapter 6 (header, base
 * address registers). Bytes from 40h up keep what is written unless a table says otherwise, as in
 * QEMU.
 * @module
 */

import { allOnes } from "../core/bits.ts";
import { InternalError } from "../core/errors.ts";
import type { AccessSize, PortDevice } from "../core/types.ts";

/** Offsets in configuration space, type 0 header. */
export const PCI = {
  VENDOR_ID: 0x00,
  DEVICE_ID: 0x02,
  COMMAND: 0x04,
  STATUS: 0x06,
  REVISION_ID: 0x08,
  CLASS_CODE: 0x09,
  CACHE_LINE_SIZE: 0x0c,
  HEADER_TYPE: 0x0e,
  BAR0: 0x10,
  SUBSYSTEM_VENDOR_ID: 0x2c,
  SUBSYSTEM_ID: 0x2e,
  INTERRUPT_LINE: 0x3c,
  INTERRUPT_PIN: 0x3d,
} as const;

/** Bits of the command register. */
export const PCI_COMMAND = {
  IO: 0x0001,
  MEMORY: 0x0002,
  MASTER: 0x0004,
  SERR: 0x0100,
  INTX_DISABLE: 0x0400,
} as const;

const CONFIG_BYTES = 256;
const DEVICE_SPECIFIC = 0x40;
const BAR_COUNT = 6;
const BARS_END = PCI.BAR0 + 4 * BAR_COUNT;
const BAR_IO = 0x1;
const BAR_PREFETCHABLE = 0x8;
const COMMAND_WRITABLE = PCI_COMMAND.IO | PCI_COMMAND.MEMORY | PCI_COMMAND.MASTER |
  PCI_COMMAND.SERR | PCI_COMMAND.INTX_DISABLE;
/** Error bits of the status register: a written one clears. */
const STATUS_CLEARABLE = 0xf900;

const ADDRESS_ENABLE = 0x80000000;

/** What a base address register asks for. */
export interface PciBar {
  readonly space: "io" | "memory";
  /** Bytes, a power of two; at least 4 (I/O) or 16 (memory). */
  readonly size: number;
  readonly prefetchable?: boolean;
}

/** A base address register as a guest has set it. */
export interface PciBarState extends PciBar {
  readonly number: number;
  /** First port or gpa; `undefined` when nothing is decoded. */
  readonly base: number | undefined;
}

/** A byte of configuration space at power-on, and its writable bits (all when left out). */
export type PciRegister = readonly [offset: number, value: number, writable?: number];

/** Everything a function has at power-on. */
export interface PciFunctionSpec {
  readonly vendor: number;
  readonly device: number;
  readonly revision: number;
  /** Base class, subclass and programming interface in 24 bits. */
  readonly classCode: number;
  readonly subsystemVendor: number;
  readonly subsystem: number;
  /** Bit 7: there are functions besides 0. */
  readonly headerType?: number;
  readonly command?: number;
  readonly status?: number;
  /** 1 = INTA. */
  readonly interruptPin?: number;
  /** By number, 0–5. */
  readonly bars?: Readonly<Record<number, PciBar>>;
  readonly registers?: readonly PciRegister[];
}

/**
 * Called when a base address register starts, stops or moves its decoding. Two registers that a
 * guest lets overlap are both announced: whoever maps them decides.
 * @param bar its number, 0–5
 * @param base first port or gpa; `undefined` when nothing is decoded
 */
export type BarListener = (bar: number, base: number | undefined) => void;

/**
 * Called when a byte behind the header has been written.
 * @param value what the register holds now
 */
export type RegisterListener = (offset: number, value: number) => void;

/** One PCI function: 256 bytes of configuration space, what may be written, and its decoders. */
export class PciFunction {
  readonly #config: DataView = new DataView(new ArrayBuffer(CONFIG_BYTES));
  readonly #writable: DataView = new DataView(new ArrayBuffer(CONFIG_BYTES));
  readonly #clearable: DataView = new DataView(new ArrayBuffer(CONFIG_BYTES));
  readonly #bars: Readonly<Record<number, PciBar>>;
  readonly #decoded: (number | undefined)[] = new Array(BAR_COUNT).fill(undefined);
  readonly #onBar: BarListener | undefined;
  readonly #onRegister: RegisterListener | undefined;

  constructor(spec: PciFunctionSpec, onBar?: BarListener, onRegister?: RegisterListener) {
    this.#bars = spec.bars ?? {};
    this.#onBar = onBar;
    this.#onRegister = onRegister;
    this.#powerOnHeader(spec);
    this.#powerOnMasks();
    for (const [number, bar] of Object.entries(this.#bars)) this.#powerOnBar(Number(number), bar);
    for (const register of spec.registers ?? []) this.setRegister(register);
  }

  /** The command register. */
  get command(): number {
    return this.#config.getUint16(PCI.COMMAND, true);
  }

  /** Its base address registers. */
  get bars(): PciBarState[] {
    return Object.entries(this.#bars).map(([number, bar]) => {
      return { ...bar, number: Number(number), base: this.#decoded[Number(number)] };
    });
  }

  /**
   * Reads configuration space, little-endian.
   * @param offset below 256; the access stays inside its aligned dword
   */
  read(offset: number, size: AccessSize): number {
    if (size === 1) return this.#config.getUint8(offset);
    return size === 2 ? this.#config.getUint16(offset, true) : this.#config.getUint32(offset, true);
  }

  /**
   * Writes configuration space: read-only bits stay, clearable ones fall, decoders follow.
   * @param offset below 256; the access stays inside its aligned dword
   */
  write(offset: number, size: AccessSize, value: number): void {
    for (let lane = 0; lane < size; lane++) {
      this.#writeByte(offset + lane, (value >>> (8 * lane)) & 0xff);
    }
    if (offset < BARS_END && offset + size > PCI.COMMAND) this.#updateDecoders();
  }

  #writeByte(offset: number, value: number): void {
    const writable = this.#writable.getUint8(offset);
    const cleared = value & this.#clearable.getUint8(offset);
    const old = this.#config.getUint8(offset) & ~cleared;
    this.#config.setUint8(offset, (old & ~writable) | (value & writable));
    if (offset >= DEVICE_SPECIFIC) this.#onRegister?.(offset, this.#config.getUint8(offset));
  }

  /** Changes a byte from the inside, and which of its bits software may write from now on. */
  setRegister([offset, value, writable = 0xff]: PciRegister): void {
    this.#config.setUint8(offset, value);
    this.#writable.setUint8(offset, writable);
  }

  #powerOnHeader(spec: PciFunctionSpec): void {
    const config = this.#config;
    config.setUint16(PCI.VENDOR_ID, spec.vendor, true);
    config.setUint16(PCI.DEVICE_ID, spec.device, true);
    config.setUint16(PCI.COMMAND, spec.command ?? 0, true);
    config.setUint16(PCI.STATUS, spec.status ?? 0, true);
    config.setUint32(PCI.REVISION_ID, (spec.classCode << 8) | spec.revision, true);
    config.setUint8(PCI.HEADER_TYPE, spec.headerType ?? 0);
    config.setUint16(PCI.SUBSYSTEM_VENDOR_ID, spec.subsystemVendor, true);
    config.setUint16(PCI.SUBSYSTEM_ID, spec.subsystem, true);
    config.setUint8(PCI.INTERRUPT_PIN, spec.interruptPin ?? 0);
  }

  #powerOnMasks(): void {
    this.#writable.setUint16(PCI.COMMAND, COMMAND_WRITABLE, true);
    this.#clearable.setUint16(PCI.STATUS, STATUS_CLEARABLE, true);
    this.#writable.setUint8(PCI.CACHE_LINE_SIZE, 0xff);
    this.#writable.setUint8(PCI.INTERRUPT_LINE, 0xff);
    for (let at = DEVICE_SPECIFIC; at < CONFIG_BYTES; at++) this.#writable.setUint8(at, 0xff);
  }

  #powerOnBar(number: number, bar: PciBar): void {
    const type = bar.space === "io" ? BAR_IO : bar.prefetchable ? BAR_PREFETCHABLE : 0;
    this.#config.setUint32(PCI.BAR0 + 4 * number, type, true);
    this.#writable.setUint32(PCI.BAR0 + 4 * number, -bar.size, true);
  }

  #updateDecoders(): void {
    for (let number = 0; number < BAR_COUNT; number++) {
      const bar = this.#bars[number];
      if (bar === undefined) continue;
      const base = this.#decodedBase(number, bar);
      if (base === this.#decoded[number]) continue;
      this.#decoded[number] = base;
      this.#onBar?.(number, base);
    }
  }

  /** Zero and the top of the space, where sizing leaves the register, decode nothing. */
  #decodedBase(number: number, bar: PciBar): number | undefined {
    const io = bar.space === "io";
    if ((this.command & (io ? PCI_COMMAND.IO : PCI_COMMAND.MEMORY)) === 0) return undefined;
    const base = (this.#config.getUint32(PCI.BAR0 + 4 * number, true) & -bar.size) >>> 0;
    const end = base + bar.size;
    return base !== 0 && end < (io ? 0x10000 : 0x100000000) ? base : undefined;
  }
}

/** Bus 0: 32 devices of 8 functions. */
export class PciBus {
  readonly #functions: (PciFunction | undefined)[] = new Array(CONFIG_BYTES).fill(undefined);

  /** @throws {InternalError} when the place is taken */
  add(device: number, func: number, fn: PciFunction): void {
    const devfn = (device << 3) | func;
    if (this.#functions[devfn] !== undefined) {
      throw new InternalError(`Cannot add PCI function 0:${device}.${func}: the place is taken`);
    }
    this.#functions[devfn] = fn;
  }

  /** Every function, by its address: device in bits 7:3, function in 2:0. */
  get functions(): (readonly [devfn: number, fn: PciFunction])[] {
    return this.#functions.flatMap((fn, devfn) => fn === undefined ? [] : [[devfn, fn] as const]);
  }

  /**
   * The function a configuration address selects.
   * @param address as written to 0xCF8; bus in bits 23:16, device and function in 15:8
   */
  select(address: number): PciFunction | undefined {
    if ((address & 0xff0000) !== 0) return undefined;
    return this.#functions[(address >>> 8) & 0xff];
  }
}

/** Mechanism #1: an address latch (0xCF8-0xCFB) and a window onto the register (0xCFC-0xCFF). */
export class PciConfigPorts {
  /** The latch; only 32-bit accesses are its own, all others go to what lies below it. */
  readonly address: PortDevice;
  /** The window: byte lanes of the selected dword; all ones where no function is. */
  readonly data: PortDevice;

  /** @param below at the latch's ports */
  constructor(bus: PciBus, below: PortDevice = NOTHING) {
    const latch = new AddressLatch(below);
    this.address = latch;
    this.data = new DataWindow(bus, latch);
  }
}

const NOTHING: PortDevice = {
  readPort: (_offset, size) => allOnes(size),
  writePort: () => {},
};

class AddressLatch implements PortDevice {
  readonly #below: PortDevice;
  value = 0;

  constructor(below: PortDevice) {
    this.#below = below;
  }

  readPort(offset: number, size: AccessSize): number {
    return offset === 0 && size === 4 ? this.value : this.#below.readPort(offset, size);
  }

  writePort(offset: number, size: AccessSize, value: number): void {
    if (offset === 0 && size === 4) this.value = value >>> 0;
    else this.#below.writePort(offset, size, value);
  }
}

class DataWindow implements PortDevice {
  readonly #bus: PciBus;
  readonly #latch: AddressLatch;

  constructor(bus: PciBus, latch: AddressLatch) {
    this.#bus = bus;
    this.#latch = latch;
  }

  readPort(offset: number, size: AccessSize): number {
    const fn = this.#selected(offset, size);
    return fn === undefined ? allOnes(size) : fn.read((this.#latch.value & 0xfc) + offset, size);
  }

  writePort(offset: number, size: AccessSize, value: number): void {
    this.#selected(offset, size)?.write((this.#latch.value & 0xfc) + offset, size, value);
  }

  /** An access that leaves the dword selects nothing. */
  #selected(offset: number, size: AccessSize): PciFunction | undefined {
    if ((this.#latch.value & ADDRESS_ENABLE) === 0 || offset + size > 4) return undefined;
    return this.#bus.select(this.#latch.value);
  }
}
