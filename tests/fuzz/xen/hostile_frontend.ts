/**
 * A frontend that lies, but for long enough tells the truth that its backend listens.
 * @module
 */

import { GTF_PERMIT_ACCESS, GTF_READONLY } from "../../../core/hypervisor/grants/entry.ts";
import { PAGE_SIZE } from "../../../core/types.ts";
import type { BlkifLayout } from "../../../devices/xen/blkif.ts";
import { BLKIF_OP, I386, REQUEST, RESPONSE, SEGMENT, X86_64 } from "../../../devices/xen/blkif.ts";
import { ringEntries, SRING } from "../../../devices/xen/ring.ts";
import type { Rng } from "../rng.ts";
import { address, FRAMES, framesOf, GREFS } from "./layout.ts";
import type { StoreDriver } from "./store_driver.ts";
import { anyFrame, anyGref, wild } from "./wild.ts";
import { DISK_SECTORS, type World } from "./world.ts";

const RING_FRAMES = framesOf(FRAMES.rings);
const DATA_FRAMES = framesOf(FRAMES.data);
/** The first of the grants are of data, the others of rings. */
const DATA_GREFS: readonly number[] = framesOf(GREFS.hostile).slice(0, DATA_FRAMES.length);
const RING_GREFS: readonly number[] = framesOf(GREFS.hostile).slice(DATA_FRAMES.length);

const OPERATIONS = [BLKIF_OP.READ, BLKIF_OP.WRITE, BLKIF_OP.WRITE, BLKIF_OP.READ] as const;
const STATUSES: readonly number[] = [0, -1, -2];
/** Ids are no grants, should a request be read where another was. */
const FIRST_ID = 0x10000;

/** One ring, as the frontend has made it. */
interface Queue {
  readonly frames: readonly number[];
  readonly grefs: readonly number[];
  readonly port: number;
  readonly entries: number;
  /** Producer of requests. */
  prod: number;
  /** Consumer of responses. */
  cons: number;
}

/** What it has told its backend last. */
type Phase = "closed" | "waiting" | "connected" | "closing";

/** A frontend of one disk. Each method is one step. */
export class HostileFrontend {
  readonly #world: World;
  readonly #store: StoreDriver;
  readonly #home: string;
  #layout: BlkifLayout = I386;
  #queues: readonly Queue[] = [];
  #phase: Phase = "waiting";
  #id = 0;

  constructor(world: World, store: StoreDriver, vdev: number) {
    this.#world = world;
    this.#store = store;
    this.#home = `device/vbd/${vdev}`;
  }

  /** The key of its state, for whoever writes anything there. */
  get home(): string {
    return this.#home;
  }

  /** Goes on to the next state, as a driver does, or sometimes to any. */
  changeState(rng: Rng): string {
    if (rng.chance(3)) return this.#say(rng.pick([0, 1, 2, 3, 4, 5, 6, 7, 8, "", "x", "99999"]));
    switch (this.#phase) {
      case "waiting":
        return this.#connect(rng);
      case "connected":
        if (!rng.chance(5)) return "stays connected";
        this.#phase = "closing";
        return this.#say(5);
      case "closing":
        this.#phase = "closed";
        return this.#say(6);
      case "closed":
        this.#phase = "waiting";
        return this.#say(1);
    }
  }

  /** Ends for good, in an orderly way. */
  close(): void {
    this.#say(6);
  }

  #say(state: number | string): string {
    this.#store.write(`${this.#home}/state`, state);
    return `${this.#home}/state = ${state}`;
  }

  // ---- connecting --------------------------------------------------------------------------

  #connect(rng: Rng): string {
    this.#phase = "connected";
    this.#layout = rng.chance(70) ? I386 : X86_64;
    const pages = rng.pick([1, 1, 1, 2, 4, 16]);
    const count = rng.pick([1, 1, 1, 2, 4]);
    for (const { port } of this.#queues) this.#world.closePort(port);
    this.regrant();
    this.#queues = Array.from({ length: count }, () => this.#makeQueue(rng, pages));
    this.#writeKeys(rng, pages);
    this.#say(rng.chance(95) ? 3 : 4);
    return `connects ${this.#home} with ${count} x ${pages} pages`;
  }

  #makeQueue(rng: Rng, pages: number): Queue {
    const grefs = Array.from({ length: pages }, () => rng.pick(RING_GREFS));
    const frames = grefs.map((gref) => ringFrame(gref));
    const entries = ringEntries(pages * PAGE_SIZE, this.#layout.SIZE);
    const begin = rng.pick([0, 0, 0xffffffff - rng.below(40), rng.next()]);
    const queue = { frames, grefs, port: this.#world.allocateUnbound(), entries };
    const header = address(frames[0]!);
    this.#world.store32(header + SRING.REQ_PROD, begin);
    this.#world.store32(header + SRING.RSP_PROD, begin);
    this.#world.store32(header + SRING.REQ_EVENT, begin + 1);
    this.#world.store32(header + SRING.RSP_EVENT, begin + 1);
    return { ...queue, prod: begin, cons: begin };
  }

  #writeKeys(rng: Rng, pages: number): void {
    const count = this.#queues.length;
    this.#key(rng, "protocol", this.#layout === I386 ? "x86_32-abi" : "x86_64-abi");
    this.#key(rng, "feature-persistent", rng.below(2));
    this.#key(rng, "multi-queue-num-queues", count);
    this.#key(rng, "ring-page-order", Math.log2(pages));
    this.#queues.forEach(({ grefs, port }, i) => {
      const directory = count === 1 ? "" : `queue-${i}/`;
      this.#key(rng, `${directory}event-channel`, port);
      const name = (page: number) => pages === 1 ? "ring-ref" : `ring-ref${page}`;
      grefs.forEach((gref, page) => this.#key(rng, `${directory}${name(page)}`, gref));
    });
  }

  #key(rng: Rng, key: string, value: number | string): void {
    const sent = rng.chance(0.5) ? rng.pick(["", "-1", "4294967296", "1e3", wild(rng)]) : value;
    this.#store.write(`${this.#home}/${key}`, sent);
  }

  /** Grants all of its pages once more, as they should be. */
  regrant(): string {
    DATA_GREFS.forEach((gref, i) => this.#world.grant(gref, DATA_FRAMES[i]!));
    for (const gref of RING_GREFS) this.#world.grant(gref, ringFrame(gref));
    return "grants everything again";
  }

  // ---- requests ----------------------------------------------------------------------------

  /** Writes requests onto a ring. */
  put(rng: Rng): string {
    const queue = this.#queue(rng);
    if (queue === undefined) return "has no ring";
    let count = 1 + rng.below(rng.chance(10) ? 32 : 4);
    let put = 0;
    for (; count > 0 && (queue.prod - queue.cons) >>> 0 < queue.entries; count--, put++) {
      this.#putOne(rng, queue, queue.prod);
      queue.prod = (queue.prod + 1) >>> 0;
    }
    return `puts ${put} requests`;
  }

  #putOne(rng: Rng, queue: Queue, index: number): void {
    const { ID, SECTOR_NUMBER } = this.#layout;
    const kind = rng.below(20);
    const operation = kind === 0
      ? BLKIF_OP.FLUSH_DISKCACHE
      : kind === 1
      ? BLKIF_OP.WRITE_BARRIER
      : kind === 2
      ? BLKIF_OP.DISCARD
      : kind < 7
      ? BLKIF_OP.INDIRECT
      : rng.pick(OPERATIONS);
    this.#entry8(queue, index, REQUEST.OPERATION, rng.chance(2) ? rng.below(256) : operation);
    this.#entry32(queue, index, ID, rng.chance(10) ? 7 : FIRST_ID + ++this.#id);
    this.#entry32(queue, index, ID + 4, 0);
    this.#entry32(queue, index, SECTOR_NUMBER, this.#sector(rng));
    this.#entry32(queue, index, SECTOR_NUMBER + 4, rng.chance(3) ? wild(rng) : 0);
    if (operation === BLKIF_OP.DISCARD) this.#putDiscard(rng, queue, index);
    else if (operation === BLKIF_OP.INDIRECT) this.#putIndirect(rng, queue, index);
    else this.#putSegments(rng, queue, index, operation);
  }

  #putDiscard(rng: Rng, queue: Queue, index: number): void {
    const { NR_SECTORS } = this.#layout;
    this.#entry8(queue, index, REQUEST.FLAG, rng.chance(10) ? rng.below(256) : 0);
    this.#entry32(queue, index, NR_SECTORS, rng.chance(10) ? wild(rng) : rng.below(64));
    this.#entry32(queue, index, NR_SECTORS + 4, rng.chance(5) ? wild(rng) : 0);
  }

  #putIndirect(rng: Rng, queue: Queue, index: number): void {
    const { INDIRECT_GREFS } = this.#layout;
    const count = rng.chance(3) ? wild(rng) & 0xffff : 1 + rng.below(rng.pick([4, 32, 256]));
    this.#entry8(queue, index, REQUEST.INDIRECT_OP, rng.chance(3) ? wild(rng) : rng.below(2));
    this.#entry8(queue, index, REQUEST.INDIRECT_NR_SEGMENTS, count & 0xff);
    this.#entry8(queue, index, REQUEST.INDIRECT_NR_SEGMENTS + 1, count >>> 8);
    const gref = rng.chance(3) ? anyGref(rng) : rng.pick(DATA_GREFS);
    const page = address(DATA_FRAMES[gref - DATA_GREFS[0]!] ?? DATA_FRAMES[0]!);
    this.#entry32(queue, index, INDIRECT_GREFS, gref);
    for (let i = 0; i < Math.min(count, 256); i++) {
      const at = page + i * SEGMENT.SIZE;
      const { first, last, data } = this.#segment(rng, 0.2);
      this.#world.store32(at + SEGMENT.GREF, data);
      this.#world.store8(at + SEGMENT.FIRST_SECT, first);
      this.#world.store8(at + SEGMENT.LAST_SECT, last);
    }
  }

  #putSegments(rng: Rng, queue: Queue, index: number, operation: number): void {
    const isFlush = operation === BLKIF_OP.FLUSH_DISKCACHE || operation === BLKIF_OP.WRITE_BARRIER;
    const some = isFlush && rng.chance(50) ? 0 : 1 + rng.below(11);
    const count = rng.chance(3) ? rng.pick([0, 12, 255, rng.below(256)]) : some;
    this.#entry8(queue, index, REQUEST.NR_SEGMENTS, count);
    for (let i = 0; i < Math.min(count, 11); i++) {
      const at = this.#layout.SEG + i * SEGMENT.SIZE;
      const { first, last, data } = this.#segment(rng, 2);
      this.#entry32(queue, index, at + SEGMENT.GREF, data);
      this.#entry8(queue, index, at + SEGMENT.FIRST_SECT, first);
      this.#entry8(queue, index, at + SEGMENT.LAST_SECT, last);
    }
  }

  #segment(rng: Rng, wildPercent: number): { first: number; last: number; data: number } {
    const data = rng.chance(wildPercent) ? anyGref(rng) : rng.pick(DATA_GREFS);
    if (rng.chance(wildPercent)) return { first: rng.below(256), last: rng.below(256), data };
    if (rng.chance(40)) return { first: 0, last: 7, data };
    const first = rng.below(8);
    return { first, last: first + rng.below(8 - first), data };
  }

  #sector(rng: Rng): number {
    return rng.chance(5) ? wild(rng) : rng.below(DISK_SECTORS - 88) & (rng.chance(50) ? ~7 : ~0);
  }

  // ---- the ring ----------------------------------------------------------------------------

  /** Publishes what it has put, sometimes more, and sends the event. */
  push(rng: Rng): string {
    const queue = this.#queue(rng);
    if (queue === undefined) return "has no ring";
    const far = rng.chance(0.3) ? wild(rng) : 0;
    this.#world.store32(address(queue.frames[0]!) + SRING.REQ_PROD, queue.prod + far);
    this.#world.send(queue.port);
    return far === 0 ? "pushes" : `pushes req_prod ahead by ${far}`;
  }

  /** Sends an event for nothing. */
  kick(rng: Rng): string {
    const queue = this.#queue(rng);
    return queue === undefined ? "has no ring" : `kicks: ${this.#world.send(queue.port)}`;
  }

  /** Takes the responses. They have no bytes but those of their fields. */
  reap(rng: Rng): string {
    const queue = this.#queue(rng);
    if (queue === undefined) return "has no ring";
    const header = address(queue.frames[0]!);
    const prod = this.#world.memory.read32(header + SRING.RSP_PROD);
    const there = (prod - queue.cons) >>> 0;
    if (there > queue.entries) return "sees more responses than there can be"; // has scribbled
    for (; queue.cons !== prod; queue.cons = (queue.cons + 1) >>> 0) {
      const at = queue.cons;
      const status = this.#read32(queue, at, RESPONSE.OPERATION) >> 16;
      this.#world.count(
        STATUSES.includes(status) ? `status ${status}` : "status of its own making",
      );
    }
    this.#world.store32(header + SRING.RSP_EVENT, prod + 1);
    return `takes ${there} responses`;
  }

  /** Changes a word of a ring or of an indirect page while the backend may be at it. */
  scribble(rng: Rng): string {
    const page = rng.chance(50) ? rng.pick(RING_FRAMES) : rng.pick(DATA_FRAMES);
    const offset = rng.below(rng.chance(50) ? 0x100 : PAGE_SIZE) & ~3;
    const isIndex = offset < SRING.RING;
    if (isIndex && !rng.chance(1)) return "does not scribble on indexes";
    const gpa = address(page) + offset;
    if (rng.chance(50)) this.#world.store8(gpa + rng.below(4), rng.below(256));
    else this.#world.store32(gpa, wild(rng));
    const [first, end] = GREFS.good; // two bytes can make one of them
    const word = this.#world.memory.read32(gpa);
    if (word >= first && word < end) this.#world.store32(gpa, 0);
    return `scribbles at ${gpa.toString(16)}h`;
  }

  /** Changes a grant, which may be in use. */
  changeGrant(rng: Rng): string {
    const gref = rng.pick(rng.chance(90) ? DATA_GREFS : RING_GREFS);
    switch (rng.below(5)) {
      case 0:
        this.#world.grant(gref, 0, 0);
        return `revokes ${gref}`;
      case 1:
        this.#world.grant(gref, anyFrame(rng), GTF_PERMIT_ACCESS | GTF_READONLY);
        return `grants ${gref} for reading only`;
      case 2:
        this.#world.grant(
          gref,
          anyFrame(rng),
          GTF_PERMIT_ACCESS,
          rng.pick([1, wild(rng) & 0xffff]),
        );
        return `grants ${gref} to somebody else`;
      case 3:
        this.#world.grant(gref, anyFrame(rng), wild(rng) & 0xffff);
        return `grants ${gref} with any flags`;
      default:
        this.#world.grant(gref, rng.chance(80) ? anyFrame(rng) : (wild(rng) | 0x100) >>> 0); // no RAM
        return `grants ${gref} with another frame`;
    }
  }

  #queue(rng: Rng): Queue | undefined {
    return this.#queues.length === 0 ? undefined : rng.pick(this.#queues);
  }

  #at(queue: Queue, index: number, offset: number): number {
    const at = SRING.RING + (index & (queue.entries - 1)) * this.#layout.SIZE + offset;
    return address(queue.frames[Math.floor(at / PAGE_SIZE)]!) + at % PAGE_SIZE;
  }

  #entry8(queue: Queue, index: number, offset: number, value: number): void {
    this.#world.store8(this.#at(queue, index, offset), value & 0xff);
  }

  #entry32(queue: Queue, index: number, offset: number, value: number): void {
    this.#world.store32(this.#at(queue, index, offset), value);
  }

  #read32(queue: Queue, index: number, offset: number): number {
    return this.#world.memory.read32(this.#at(queue, index, offset));
  }
}

/** Every ring page is granted several times. */
function ringFrame(gref: number): number {
  return RING_FRAMES[gref % RING_FRAMES.length]!;
}
