/**
 * An IDE channel on a bench: ports as a driver uses them, guest RAM, disks that complete when told.
 * @module
 */

import { IdeChannel } from "../../devices/ide/channel.ts";
import { DiskDrive } from "../../devices/ide/disk_drive.ts";
import { PAGE_SIZE, SECTOR_SIZE } from "../../core/types.ts";
import type {
  BlockRequest,
  BlockStatus,
  Disk,
  Gpa,
  GuestMemory,
  InterruptLine,
} from "../../core/types.ts";

/** A disk in memory. Requests wait in {@link queue} until the test completes them. */
export class BenchDisk implements Disk {
  readonly readOnly: boolean;
  canDiscard = false;
  readonly bytes: Uint8Array;
  readonly queue: BlockRequest[] = [];
  /** `"read 7+2"` for every request submitted. */
  readonly log: string[] = [];
  /** Outcome of the requests to come. */
  status: BlockStatus = "ok";
  /** First bad sector of those that do not end well. */
  failedAt: number | undefined;

  constructor(sectors: number, readOnly: boolean = false) {
    this.bytes = new Uint8Array(sectors * SECTOR_SIZE).map((_, i) => patternByte(i));
    this.readOnly = readOnly;
  }

  get sectorCount(): number {
    return this.bytes.length / SECTOR_SIZE;
  }

  submit(request: BlockRequest): void {
    const length = request.segments.reduce((sum, segment) => sum + segment.length, 0);
    const sectors = request.op === "discard" ? request.count : length / SECTOR_SIZE;
    this.log.push(`${request.op} ${request.sector}+${sectors}`);
    this.queue.push(request);
  }

  /** Moves the bytes of the oldest request and reports it done. */
  complete(): void {
    const request = this.queue.shift()!;
    let at = request.sector * SECTOR_SIZE;
    const isServed = this.status === "ok" || this.failedAt !== undefined;
    for (const segment of isServed ? request.segments : []) {
      if (request.op === "read") segment.set(this.bytes.subarray(at, at + segment.length));
      else this.bytes.set(segment, at);
      at += segment.length;
    }
    request.done(this.status, this.failedAt);
  }

  sectors(first: number, count: number): Uint8Array {
    return this.bytes.slice(first * SECTOR_SIZE, (first + count) * SECTOR_SIZE);
  }
}

/** A byte for every position, different in every sector. */
export function patternByte(position: number): number {
  return position * 7 + Math.floor(position / SECTOR_SIZE) * 13 + 1 & 0xff;
}

/** RAM from address 0. With `pieces`, pages are not neighbours on the host. */
export class BenchMemory implements GuestMemory {
  readonly size: number;
  readonly wroteAt: number[] = [];
  readonly #pages: Uint8Array[];
  readonly #bytes: Uint8Array;
  readonly #inPieces: boolean;

  constructor(pages: number, inPieces: boolean = false) {
    this.size = pages * PAGE_SIZE;
    this.#bytes = new Uint8Array(this.size);
    this.#inPieces = inPieces;
    this.#pages = Array.from(
      { length: pages },
      (_, gfn) => this.#bytes.subarray(gfn * PAGE_SIZE, (gfn + 1) * PAGE_SIZE),
    );
  }

  page(gfn: number): Uint8Array | undefined {
    return this.#pages[gfn];
  }

  range(gpa: Gpa, length: number): Uint8Array | undefined {
    if (gpa + length > this.size) return undefined;
    if (this.#inPieces && gpa % PAGE_SIZE + length > PAGE_SIZE) return undefined;
    return this.#bytes.subarray(gpa, gpa + length);
  }

  read8(gpa: Gpa): number {
    return this.#bytes[gpa] ?? 0xff;
  }

  read16(gpa: Gpa): number {
    return this.read8(gpa) | this.read8(gpa + 1) << 8;
  }

  read32(gpa: Gpa): number {
    return (this.read16(gpa) | this.read16(gpa + 2) << 16) >>> 0;
  }

  write8(gpa: Gpa, value: number): void {
    this.#bytes[gpa] = value;
  }

  write16(gpa: Gpa, value: number): void {
    this.write8(gpa, value);
    this.write8(gpa + 1, value >>> 8);
  }

  write32(gpa: Gpa, value: number): void {
    this.write16(gpa, value);
    this.write16(gpa + 2, value >>> 16);
  }

  wrote(view: Uint8Array): void {
    this.wroteAt.push(view.byteOffset);
  }

  /** A copy of some bytes. */
  slice(gpa: Gpa, length: number): Uint8Array {
    return this.#bytes.slice(gpa, gpa + length);
  }

  set(gpa: Gpa, bytes: Uint8Array): void {
    this.#bytes.set(bytes, gpa);
  }
}

/** Counts rising edges, as the PIC does. */
export class BenchLine implements InterruptLine {
  level = false;
  edges = 0;

  set(asserted: boolean): void {
    if (asserted && !this.level) this.edges++;
    this.level = asserted;
  }
}

/** Where the bench has the channel: the primary one, its bus master as Linux places it. */
export const BM = 0x1000;

/** A channel, its neighbours, and a driver's hands. */
export class IdeBench {
  readonly memory: BenchMemory;
  readonly line: BenchLine = new BenchLine();
  readonly errors: string[] = [];
  readonly channel: IdeChannel;

  constructor(disks: { master?: Disk; slave?: Disk }, memory: BenchMemory = new BenchMemory(64)) {
    this.memory = memory;
    this.channel = new IdeChannel(this.line, memory, {
      guestError: (_source, text) => this.errors.push(text),
    });
    for (const [unit, disk] of [[0, disks.master], [1, disks.slave]] as const) {
      if (disk) this.channel.attach(unit, new DiskDrive(this.channel.cable, disk));
    }
  }

  in8(port: number): number {
    const [device, offset] = this.#at(port);
    return device.readPort(offset, 1);
  }

  out8(port: number, value: number): void {
    const [device, offset] = this.#at(port);
    device.writePort(offset, 1, value);
  }

  out32(port: number, value: number): void {
    const [device, offset] = this.#at(port);
    device.writePort(offset, 4, value);
  }

  in32(port: number): number {
    const [device, offset] = this.#at(port);
    return device.readPort(offset, 4);
  }

  /** `rep insl`. */
  insl(dwords: number): Uint8Array {
    const into = new Uint8Array(dwords * 4);
    this.channel.commandBlock.readPortString!(0, 4, into);
    return into;
  }

  /** `rep outsl`. */
  outsl(from: Uint8Array): void {
    this.channel.commandBlock.writePortString!(0, 4, from);
  }

  /** Writes 1f2 to 1f6 for an LBA28 command, then the command. */
  lba28(command: number, lba: number, count: number, unit: number = 0): void {
    this.out8(0x1f2, count & 0xff);
    this.out8(0x1f3, lba & 0xff);
    this.out8(0x1f4, lba >>> 8 & 0xff);
    this.out8(0x1f5, lba >>> 16 & 0xff);
    this.out8(0x1f6, 0xe0 | unit << 4 | lba >>> 24);
    this.out8(0x1f7, command);
  }

  /** Writes the high bytes, then the low ones, as Linux does for an LBA48 command. */
  lba48(command: number, lba: number, count: number): void {
    this.out8(0x1f6, 0xe0);
    this.out8(0x1f2, count >>> 8 & 0xff);
    for (let i = 0; i < 3; i++) this.out8(0x1f3 + i, Math.floor(lba / 2 ** (24 + 8 * i)) & 0xff);
    this.out8(0x1f2, count & 0xff);
    for (let i = 0; i < 3; i++) this.out8(0x1f3 + i, Math.floor(lba / 2 ** (8 * i)) & 0xff);
    this.out8(0x1f7, command);
  }

  /** Error, count, LBA low, mid, high, device. */
  registers(): number[] {
    return [1, 2, 3, 4, 5, 6].map((offset) => this.in8(0x1f0 + offset));
  }

  /** A PRD table; the last entry gets the end bit unless `open`. */
  prds(table: Gpa, regions: [gpa: Gpa, bytes: number][], open: boolean = false): void {
    regions.forEach(([gpa, bytes], i) => {
      const last = i === regions.length - 1 && !open;
      this.memory.write32(table + i * 8, gpa);
      this.memory.write32(table + i * 8 + 4, (bytes & 0xffff) + (last ? 0x80000000 : 0));
    });
  }

  #at(port: number) {
    if (port >= BM) return [this.channel.busMaster, port - BM] as const;
    if (port === 0x3f6) return [this.channel.controlBlock, 0] as const;
    return [this.channel.commandBlock, port - 0x1f0] as const;
  }
}
