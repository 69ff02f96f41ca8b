/**
 * A guest with one hostile frontend in the test's hands, and one that behaves on another disk. Xen,
 * xenstored and the backends are real; what an attack must leave alone is looked at afterwards.
 * @module
 */

import { assertEquals } from "@std/assert";
import { PAGE_SIZE, SECTOR_SIZE } from "../../core/types.ts";
import type { BlkifLayout } from "../../devices/xen/blkif.ts";
import { BLKIF_OP, I386, REQUEST, RESPONSE, SEGMENT, X86_64 } from "../../devices/xen/blkif.ts";
import { FrontRing } from "../../devices/xen/ring.ts";
import { HostileGuest } from "../fuzz/xen/guest.ts";
import { address, FRAMES, GREFS } from "../fuzz/xen/layout.ts";
import { DISK_SECTORS, World } from "../fuzz/xen/world.ts";
import { Rng } from "../fuzz/rng.ts";

/** Where data lies: a grant and sectors of it, inclusive. */
export interface HostileSegment {
  readonly gref: number;
  readonly first?: number;
  readonly last?: number;
}

/** A request, word by word; what is not given is 0. */
export interface HostileRequest {
  readonly operation: number;
  readonly id?: number;
  readonly sector?: bigint;
  readonly segments?: readonly HostileSegment[];
  /** Instead of the number of `segments`. */
  readonly count?: number;
  /** Of DISCARD. */
  readonly sectors?: bigint;
  readonly flag?: number;
  /** Of INDIRECT: the operation, and the pages of its segments. */
  readonly indirectOp?: number;
  readonly indirectGrefs?: readonly number[];
}

/** What came back. */
export interface HostileAnswer {
  readonly id: number;
  readonly operation: number;
  readonly status: number;
  /** Bytes of the response that mean nothing. */
  readonly pad: readonly number[];
}

/** What a test may set up differently. */
export interface HostileOptions {
  readonly layout?: BlkifLayout;
  readonly readOnly?: boolean;
  readonly persistent?: boolean;
  readonly indirect?: boolean;
  readonly grantVersion?: 1 | 2;
}

const VDEV = 768;
const RING_FRAME = FRAMES.rings[0];
const RING_GREF = GREFS.hostile[1] - 1;
/** Data pages have grants of their numbers from here on. */
const FIRST_GREF = GREFS.hostile[0];
const PATTERN = 0x5a;

/** The frame that a data grant is for. */
export function frameOf(gref: number): number {
  return FRAMES.data[0] + gref - FIRST_GREF;
}

/** The grant of a data page. */
export function dataGref(page: number): number {
  return FIRST_GREF + page;
}

/** The guest. */
export class HostileBench {
  readonly world: World;
  readonly guest: HostileGuest;
  readonly layout: BlkifLayout;
  readonly ring: FrontRing;
  readonly answers: HostileAnswer[] = [];
  port: number;
  readonly #rng = new Rng(1);

  constructor(options: HostileOptions = {}) {
    const { layout = I386, readOnly = false, persistent = false, indirect = true } = options;
    const offers = { persistent, indirect, ringPages: 16, queues: 4 };
    const blockSize = { logical: SECTOR_SIZE, physical: SECTOR_SIZE };
    const disk = (vdev: string, readOnly: boolean) => {
      return { vdev, readOnly, offers, backendType: "phy" as const, blockSize };
    };
    const disks = [disk("hda", readOnly), disk("hdb", true), disk("hdd", false)];
    this.layout = layout;
    this.world = new World(disks);
    this.image.fill(PATTERN);
    this.world.images.get("hdb")!.bytes.fill(PATTERN);
    const plan = { disks, offers: {}, grantVersion: options.grantVersion ?? 1 };
    this.guest = new HostileGuest(this.world, plan);
    this.ring = new FrontRing(this.world.page(RING_FRAME), layout.SIZE);
    this.port = this.world.allocateUnbound();
    this.connect();
  }

  /** The hostile frontend's disk. */
  get image(): Uint8Array {
    return this.world.images.get("hda")!.bytes;
  }

  /** Makes its ring, of one page, and connects. */
  connect(index: number = 0): void {
    for (let page = 0; page < 32; page++) {
      this.world.grant(dataGref(page), frameOf(dataGref(page)));
    }
    this.world.grant(RING_GREF, RING_FRAME);
    this.ring.initialise(index);
    this.wrote(RING_FRAME);
    const { store } = this.guest;
    store.write(`${this.home}/ring-ref`, RING_GREF);
    store.write(`${this.home}/event-channel`, this.port);
    store.write(`${this.home}/protocol`, this.layout === X86_64 ? "x86_64-abi" : "x86_32-abi");
    store.write(`${this.home}/feature-persistent`, 1);
    this.setState(3);
    assertEquals(this.backendState, "4");
  }

  /** Its directory in xenstore. */
  get home(): string {
    return `device/vbd/${VDEV}`;
  }

  /** The backend's state, `undefined` when it is gone. */
  get backendState(): string | undefined {
    const lines = this.world.domain.listStore("/local/domain/0/backend/vbd/1", FULL);
    const key = `/local/domain/0/backend/vbd/1/${VDEV}/state = `;
    return lines.find((line) => line.startsWith(key))?.slice(key.length + 1, -1);
  }

  setState(state: number): void {
    this.guest.store.write(`${this.home}/state`, state);
    this.guest.store.flush();
    this.world.pass(100_000_000);
  }

  /** Closes and connects again. */
  reconnect(): void {
    for (const state of [5, 6, 1]) this.setState(state);
    this.connect();
  }

  /** The guest's bytes of a frame; {@link wrote} must follow a store. */
  page(gfn: number): Uint8Array {
    const { buffer, byteOffset } = this.world.page(gfn);
    return new Uint8Array(buffer, byteOffset, PAGE_SIZE);
  }

  wrote(gfn: number): void {
    this.world.watch.touch(address(gfn));
  }

  /** Puts a request on the ring without telling anyone. @returns offset of its entry */
  put(request: HostileRequest): number {
    const at = this.ring.nextRequest();
    this.write(at, request);
    return at;
  }

  /** Writes a request over an entry of the ring. */
  write(at: number, request: HostileRequest): void {
    const { page } = this.ring;
    const { ID, SECTOR_NUMBER, NR_SECTORS, SEG, INDIRECT_GREFS, SIZE } = this.layout;
    const { operation, id = 0, sector = 0n, segments = [], count = segments.length } = request;
    new Uint8Array(page.buffer, page.byteOffset + at, SIZE).fill(0);
    page.setUint8(at + REQUEST.OPERATION, operation);
    page.setBigUint64(at + ID, BigInt(id), true);
    page.setBigUint64(at + SECTOR_NUMBER, BigInt.asUintN(64, sector), true);
    if (operation === BLKIF_OP.DISCARD) {
      page.setUint8(at + REQUEST.FLAG, request.flag ?? 0);
      page.setBigUint64(at + NR_SECTORS, request.sectors ?? 0n, true);
    } else if (operation === BLKIF_OP.INDIRECT) {
      page.setUint8(at + REQUEST.INDIRECT_OP, request.indirectOp ?? 0);
      page.setUint16(at + REQUEST.INDIRECT_NR_SEGMENTS, count, true);
      request.indirectGrefs?.forEach((gref, i) => {
        page.setUint32(at + INDIRECT_GREFS + 4 * i, gref, true);
      });
    } else {
      page.setUint8(at + REQUEST.NR_SEGMENTS, count);
      writeSegments(page, at + SEG, segments.slice(0, 11));
    }
    this.wrote(RING_FRAME);
  }

  /** Writes segments into a page of an INDIRECT request. */
  writeSegments(gref: number, segments: readonly HostileSegment[]): void {
    writeSegments(this.world.page(frameOf(gref)), 0, segments);
    this.wrote(frameOf(gref));
  }

  /** Publishes requests and sends the event. */
  push(): void {
    this.ring.pushRequests();
    this.wrote(RING_FRAME);
    this.world.send(this.port);
  }

  /** Takes the responses. */
  collect(): HostileAnswer[] {
    const { page } = this.ring;
    const fresh: HostileAnswer[] = [];
    while (this.ring.unconsumed() > 0) {
      const at = this.ring.takeResponse();
      const bytes = new Uint8Array(page.buffer, page.byteOffset + at, this.layout.RESPONSE_SIZE);
      fresh.push({
        id: page.getUint32(at + RESPONSE.ID, true),
        operation: bytes[RESPONSE.OPERATION]!,
        status: page.getInt16(at + RESPONSE.STATUS, true),
        pad: [bytes[RESPONSE.PAD]!, ...bytes.subarray(RESPONSE.STATUS + 2)],
      });
    }
    this.answers.push(...fresh);
    return fresh;
  }

  /** One request from the ring to its response. */
  request(request: HostileRequest): HostileAnswer | undefined {
    this.put(request);
    this.push();
    this.world.pass(50_000_000);
    return this.collect().at(-1);
  }

  /** Refusals of the disk, by reason. */
  get refused(): Readonly<Record<string, number>> {
    return this.world.refusals.counts["hda"] ?? {};
  }

  /** The disk of the frontend that behaves is served, and its data are right. */
  assertGoodDiskServed(): void {
    const { good } = this.guest;
    const before = this.world.counts["good requests"] ?? 0;
    for (let turn = 0; turn < 30; turn++) {
      good.turn(this.#rng);
      this.world.pass(1_000_000);
    }
    this.world.pass(100_000_000);
    good.reap();
    assertEquals(good.isIdle, true);
    assertEquals(this.world.counts["good requests"]! > before + 10, true);
  }

  /** Nothing has changed that the guest has not granted or written, and the rest goes on. */
  assertUnharmed(imageToo: boolean = true): void {
    assertEquals(this.world.watch.findChange(), undefined);
    this.world.books.assertClosed();
    if (imageToo) assertEquals(this.image.every((byte) => byte === PATTERN), true, "the image");
    assertEquals(this.world.images.get("hdb")!.bytes.every((byte) => byte === PATTERN), true);
    this.assertGoodDiskServed();
    assertEquals(this.world.watch.findChange(), undefined);
  }

  /** Data grants of the hostile frontend that dom0 has mapped. */
  get mapped(): number[] {
    const [first, end] = GREFS.hostile;
    return this.world.watch.mapped.filter((gref) =>
      gref >= first && gref < end && gref !== RING_GREF
    )
      .sort((a, b) => a - b);
  }
}

/** A good request, to be spoiled. */
export const GOOD_WRITE: HostileRequest = {
  operation: BLKIF_OP.WRITE,
  id: 7,
  sector: BigInt(DISK_SECTORS - 8),
  segments: [{ gref: dataGref(0) }],
};

const FULL = { full: true, permissions: false } as const;

function writeSegments(view: DataView, offset: number, segments: readonly HostileSegment[]): void {
  segments.forEach(({ gref, first = 0, last = 7 }, i) => {
    const at = offset + i * SEGMENT.SIZE;
    view.setUint32(at + SEGMENT.GREF, gref, true);
    view.setUint8(at + SEGMENT.FIRST_SECT, first);
    view.setUint8(at + SEGMENT.LAST_SECT, last);
  });
}
