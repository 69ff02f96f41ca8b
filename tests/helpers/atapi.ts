/**
 * A CD-ROM drive on a bench, and a driver's hands for packets.
 * @module
 */

import { AtapiDrive } from "../../devices/ide/atapi_drive.ts";
import { BenchDisk, BM, IdeBench } from "./ide.ts";

/** How a packet command ended, and what came of it. */
export interface PacketResult {
  readonly data: Uint8Array;
  /** Of each burst, as the byte count registers told them. */
  readonly bursts: readonly number[];
  readonly status: number;
  readonly error: number;
  /** Interrupt reason. */
  readonly reason: number;
}

/** Where {@link CdBench.dma} has its descriptors and its buffer. */
const TABLE = 0x1000;
export const BUFFER = 0x3000;

/** A channel with a disc in its master or slave. */
export class CdBench {
  readonly disc: BenchDisk;
  readonly ide: IdeBench;
  readonly #unit: 0 | 1;

  constructor(blocks: number, unit: 0 | 1 = 0) {
    this.disc = new BenchDisk(blocks * 4, true);
    this.#unit = unit;
    this.ide = new IdeBench(unit === 1 ? { master: new BenchDisk(64) } : {});
    this.ide.channel.attach(unit, new AtapiDrive(this.ide.channel.cable, this.disc));
    this.select();
  }

  select(): void {
    this.ide.out8(0x1f6, 0xa0 | this.#unit << 4);
  }

  /** PACKET up to the drive's taking of the twelve bytes. */
  start(packet: readonly number[], limit: number = 0xfffe, features: number = 0): void {
    this.select();
    this.ide.out8(0x1f1, features);
    this.ide.out8(0x1f4, limit & 0xff);
    this.ide.out8(0x1f5, limit >>> 8);
    this.ide.out8(0x1f7, 0xa0);
    this.ide.outsl(Uint8Array.from({ length: 12 }, (_, i) => packet[i] ?? 0));
  }

  /** A whole command by PIO; the disc is read at once. */
  pio(packet: readonly number[], limit: number = 0xfffe): PacketResult {
    const data: number[] = [];
    const bursts: number[] = [];
    this.start(packet, limit);
    for (;;) {
      while (this.disc.queue.length > 0) this.disc.complete();
      if ((this.ide.in8(0x3f6) & 8) === 0) return this.#ended(Uint8Array.from(data), bursts);
      const bytes = this.ide.in8(0x1f4) | this.ide.in8(0x1f5) << 8;
      bursts.push(bytes);
      data.push(...this.#words(bytes).subarray(0, bytes));
    }
  }

  /** A whole command by DMA into `room` bytes at {@link BUFFER}. */
  dma(packet: readonly number[], room: number): PacketResult {
    this.ide.prds(TABLE, [[BUFFER, room]]);
    this.ide.out32(BM + 4, TABLE);
    this.start(packet, 0, 1);
    this.ide.out8(BM, 9);
    while (this.disc.queue.length > 0) this.disc.complete();
    return this.#ended(this.ide.memory.slice(BUFFER, room), []);
  }

  /** Sense key, code and qualifier. */
  sense(): number[] {
    const { data } = this.pio([0x03, 0, 0, 0, 18]);
    return [data[2]!, data[12]!, data[13]!];
  }

  /** The bytes of some blocks of the disc. */
  blocks(first: number, count: number): Uint8Array {
    return this.disc.sectors(first * 4, count * 4);
  }

  #words(bytes: number): Uint8Array {
    const into = new Uint8Array(bytes + bytes % 2);
    this.ide.channel.commandBlock.readPortString!(0, 2, into);
    return into;
  }

  #ended(data: Uint8Array, bursts: readonly number[]): PacketResult {
    const { ide } = this;
    return { data, bursts, reason: ide.in8(0x1f2), error: ide.in8(0x1f1), status: ide.in8(0x1f7) };
  }
}
