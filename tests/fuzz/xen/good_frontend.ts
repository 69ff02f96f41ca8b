/**
 * A frontend that behaves, on a disk of its own: whatever its neighbours do, it reads what it wrote.
 * @module
 */

import type { Ns } from "../../../core/types.ts";
import { BLKIF_OP, I386, REQUEST, RESPONSE, SEGMENT } from "../../../devices/xen/blkif.ts";
import { FrontRing } from "../../../devices/xen/ring.ts";
import type { Rng } from "../rng.ts";
import { address, FRAMES, framesOf, GREFS } from "./layout.ts";
import type { StoreDriver } from "./store_driver.ts";
import { DISK_SECTORS, type World } from "./world.ts";

const PAGE_SECTORS = 8;
const BLOCKS = DISK_SECTORS / PAGE_SECTORS;
/** A backend that takes longer for a request has forgotten it. */
const PATIENCE: Ns = 20_000_000_000;

/** A request without an answer. Its id is the number of its page. */
interface Request {
  readonly write: boolean;
  readonly block: number;
  readonly since: Ns;
}

/** What is on the disk, from one domain to the next. One request at a time is for a block. */
export class DiskContents {
  /** By block: the version written last. */
  readonly #last: Uint32Array = new Uint32Array(BLOCKS);
  /** By block: versions that may be there, as some were never acknowledged. */
  readonly #possible: number[][] = Array.from({ length: BLOCKS }, () => [0]);

  /** Begins to write a block. @returns the version */
  write(block: number): number {
    const version = ++this.#last[block]!;
    this.#possible[block]!.push(version);
    return version;
  }

  /** The write has been acknowledged. */
  wrote(block: number): void {
    this.#possible[block] = [this.#last[block]!];
  }

  /** A block has been read. @param isThere tries a version @returns whether it holds one it may */
  read(block: number, isThere: (version: number) => boolean): boolean {
    const found = this.#possible[block]!.find(isThere);
    if (found !== undefined) this.#possible[block] = [found];
    return found !== undefined;
  }
}

/** One request a page, one at a time for every block of the disk. */
export class GoodFrontend {
  /** Its end of the event channel. */
  readonly port: number;
  readonly #world: World;
  readonly #home: string;
  readonly #ring: FrontRing;
  readonly #ringRef: number = GREFS.good[0];
  readonly #pages: readonly number[] = framesOf(FRAMES.good).slice(1);
  readonly #requests: Map<number, Request> = new Map();
  readonly #disk: DiskContents;

  constructor(world: World, vdev: number, disk: DiskContents) {
    this.#world = world;
    this.#disk = disk;
    this.#home = `device/vbd/${vdev}`;
    this.#ring = new FrontRing(world.page(FRAMES.good[0]), I386.SIZE);
    this.#ring.initialise();
    this.#touch(FRAMES.good[0]);
    world.grant(this.#ringRef, FRAMES.good[0]);
    this.#pages.forEach((gfn, i) => world.grant(this.#gref(i), gfn));
    this.port = world.allocateUnbound();
  }

  /** Sends what connects it. */
  connect(store: StoreDriver): void {
    store.write(`${this.#home}/ring-ref`, this.#ringRef);
    store.write(`${this.#home}/event-channel`, this.port);
    store.write(`${this.#home}/protocol`, "x86_32-abi");
    store.write(`${this.#home}/feature-persistent`, 1);
    store.write(`${this.#home}/state`, 3);
  }

  /** Sends what disconnects it. */
  disconnect(store: StoreDriver): void {
    store.write(`${this.#home}/state`, 6);
  }

  /** Takes answers, makes requests. */
  turn(rng: Rng): void {
    this.reap();
    for (let i = 0; i < this.#pages.length; i++) {
      if (!this.#requests.has(i) && rng.chance(30)) this.#request(rng, i);
    }
    if (this.#ring.pushRequests()) this.#world.send(this.port);
    this.#touch(FRAMES.good[0]);
  }

  /** Nothing waits for an answer. */
  get isIdle(): boolean {
    return this.#requests.size === 0;
  }

  /** Takes the answers. */
  reap(): void {
    if (this.#ring.overrun) throw new Error("the good frontend gets more answers than it asked");
    while (this.#ring.unconsumed() > 0) this.#take(this.#ring.takeResponse());
    for (const { since, block } of this.#requests.values()) {
      if (this.#world.clock.now - since < PATIENCE) continue;
      throw new Error(`the good frontend waits for block ${block} since ${since} ns`);
    }
  }

  #take(at: number): void {
    const { page } = this.#ring;
    const id = page.getUint32(at + RESPONSE.ID, true);
    const request = this.#requests.get(id);
    const operation = page.getUint8(at + RESPONSE.OPERATION);
    const status = page.getInt16(at + RESPONSE.STATUS, true);
    if (request === undefined) throw new Error(`the good frontend gets an answer to ${id}`);
    if (status !== 0 || operation !== (request.write ? BLKIF_OP.WRITE : BLKIF_OP.READ)) {
      throw new Error(`the good frontend gets operation ${operation}, status ${status}`);
    }
    this.#requests.delete(id);
    this.#world.count("good requests");
    if (request.write) this.#disk.wrote(request.block);
    else if (
      !this.#disk.read(request.block, (version) => this.#isThere(id, request.block, version))
    ) {
      throw new Error(`the good frontend does not read from block ${request.block} what it wrote`);
    }
  }

  #request(rng: Rng, index: number): void {
    const block = rng.below(BLOCKS);
    for (const request of this.#requests.values()) if (request.block === block) return;
    const write = rng.chance(50);
    if (write) this.#fill(index, block);
    const at = this.#ring.nextRequest();
    const { page } = this.#ring;
    page.setUint8(at + REQUEST.OPERATION, write ? BLKIF_OP.WRITE : BLKIF_OP.READ);
    page.setUint8(at + REQUEST.NR_SEGMENTS, 1);
    page.setBigUint64(at + I386.ID, BigInt(index), true);
    page.setBigUint64(at + I386.SECTOR_NUMBER, BigInt(block * PAGE_SECTORS), true);
    page.setUint32(at + I386.SEG + SEGMENT.GREF, this.#gref(index), true);
    page.setUint8(at + I386.SEG + SEGMENT.FIRST_SECT, 0);
    page.setUint8(at + I386.SEG + SEGMENT.LAST_SECT, PAGE_SECTORS - 1);
    this.#requests.set(index, { write, block, since: this.#world.clock.now });
  }

  #fill(index: number, block: number): void {
    const version = this.#disk.write(block);
    const gfn = this.#pages[index]!;
    const page = this.#world.page(gfn);
    for (let at = 0; at < page.byteLength; at += 4) {
      page.setUint32(at, pattern(block, version, at), true);
    }
    this.#touch(gfn);
  }

  #isThere(index: number, block: number, version: number): boolean {
    const page = this.#world.page(this.#pages[index]!);
    for (let at = 0; at < page.byteLength; at += 4) {
      if (page.getUint32(at, true) !== (version === 0 ? 0 : pattern(block, version, at))) {
        return false;
      }
    }
    return true;
  }

  #gref(index: number): number {
    return this.#ringRef + 1 + index;
  }

  #touch(gfn: number): void {
    this.#world.watch.touch(address(gfn));
  }
}

function pattern(block: number, version: number, at: number): number {
  return (Math.imul(block + 1, 0x9e3779b1) ^ version << 16 ^ at) >>> 0;
}
