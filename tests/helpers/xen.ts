/** A dom0 of fakes for one block backend, and a frontend that drives it as a guest would. */

import { PAGE_SIZE } from "../../core/types.ts";
import type {
  BackendHost,
  Disk,
  EventPort,
  GrantCopy,
  GrantMapper,
  GuestMemory,
  StoreClient,
} from "../../core/types.ts";
import { Blkback, type BlockSize } from "../../devices/xen/blkback.ts";
import { BLKIF_OP, I386, REQUEST, RESPONSE, SEGMENT } from "../../devices/xen/blkif.ts";
import type { BlkifLayout } from "../../devices/xen/blkif.ts";
import { ALL_OFFERS } from "../../devices/xen/frontend_keys.ts";
import type { BlkbackOffers } from "../../devices/xen/frontend_keys.ts";
import { FrontRing } from "../../devices/xen/ring.ts";
import { FakeClock, FakeDom0 } from "./disk.ts";

/** Grants of a guest: pages by reference. */
export class FakeGrants implements GrantMapper {
  readonly log: string[] = [];
  readonly #entries = new Map<number, { page: Uint8Array; readOnly: boolean; mapped: number }>();
  readonly #errors: string[];

  /** @param errors takes what the guest did wrong */
  constructor(errors: string[] = []) {
    this.#errors = errors;
  }

  grant(gref: number, page: Uint8Array, readOnly = false): void {
    this.#entries.set(gref, { page, readOnly, mapped: 0 });
  }

  /** How often a page is mapped now. */
  mapped(gref: number): number {
    return this.#entries.get(gref)?.mapped ?? 0;
  }

  get totalMapped(): number {
    return [...this.#entries.values()].reduce((sum, { mapped }) => sum + mapped, 0);
  }

  map(gref: number, access: "read" | "write"): Uint8Array | undefined {
    const entry = this.#entries.get(gref);
    if (entry === undefined || entry.readOnly && access === "write") {
      this.#errors.push(`grants: ${gref}`);
      return undefined;
    }
    entry.mapped++;
    this.log.push(`map ${gref} ${access}`);
    return entry.page;
  }

  unmap(gref: number): void {
    this.unmapAll([gref]);
  }

  copyAll(copies: readonly GrantCopy[], access: "read" | "write"): boolean {
    return copies.every(({ gref, offset, bytes }) => {
      const entry = this.#entries.get(gref);
      if (entry === undefined || entry.readOnly && access === "write") {
        this.#errors.push(`grants: ${gref}`);
        return false;
      }
      this.log.push(`copy ${gref} ${access} ${offset}+${bytes.length}`);
      const part = entry.page.subarray(offset, offset + bytes.length);
      if (access === "read") bytes.set(part);
      else part.set(bytes);
      return true;
    });
  }

  unmapAll(grefs: readonly number[]): void {
    this.log.push(`unmap ${grefs.join(" ")}`);
    for (const gref of grefs) {
      const entry = this.#entries.get(gref);
      if (entry === undefined || entry.mapped === 0) throw new Error(`${gref} is not mapped`);
      entry.mapped--;
    }
  }
}

/** A flat xenstore with watches. */
export class FakeStore implements StoreClient {
  readonly nodes: Map<string, string> = new Map();
  readonly #watches = new Set<{ path: string; fire: (path: string) => void }>();

  read(path: string): string | undefined {
    return this.nodes.get(path);
  }

  write(path: string, value: string): void {
    this.nodes.set(path, value);
    this.#fire(path);
  }

  list(path: string): readonly string[] {
    return [...this.nodes.keys()].filter((key) => key.startsWith(`${path}/`));
  }

  remove(path: string): void {
    for (const key of [...this.nodes.keys()]) {
      if (key !== path && !key.startsWith(`${path}/`)) continue;
      this.nodes.delete(key);
      this.#fire(key);
    }
  }

  watch(path: string, fire: (path: string) => void): () => void {
    const watch = { path, fire };
    this.#watches.add(watch);
    fire(path);
    return () => this.#watches.delete(watch);
  }

  get watchCount(): number {
    return this.#watches.size;
  }

  #fire(path: string): void {
    for (const watch of [...this.#watches]) {
      if (path === watch.path || path.startsWith(`${watch.path}/`)) watch.fire(path);
    }
  }
}

/** Where data lies: a granted page and sectors of it, inclusive. */
export interface Segment {
  readonly gref: number;
  readonly first?: number;
  readonly last?: number;
}

/** What a ring answered. */
export interface Answer {
  readonly id: number;
  readonly operation: number;
  readonly status: number;
}

export const FRONTEND = "/local/domain/1/device/vbd/768";
export const BACKEND = "/local/domain/0/backend/vbd/1/768";
export const RING_REF = 8;
export const PORT = 5;
export const COSTS = { wakeup: 2_000, perRequest: 1_000, perResponse: 500 };

/** What a test may set up differently. */
export interface GuestOptions {
  readonly disk: Disk;
  readonly persistent?: boolean;
  readonly mode?: "r" | "w";
  readonly clock?: FakeClock;
  readonly layout?: BlkifLayout;
  readonly offers?: Partial<BlkbackOffers>;
  readonly blockSize?: BlockSize;
  /** The backend copies data and maps none. */
  readonly copies?: boolean;
  /** The toolstack has made it a CD-ROM. */
  readonly cdrom?: boolean;
  /** 1 unless given; their grants are {@link ringRef}. */
  readonly ringPages?: number;
  /** Event channels from {@link PORT} on, 1 unless given. */
  readonly ports?: number;
}

/** Grant of a page of a ring. */
export function ringRef(page: number): number {
  return page === 0 ? RING_REF : 1000 - page;
}

/** A guest with one vbd: a frontend in the test's hands, its pages, and the backend under test. */
export class BlkfrontGuest {
  readonly clock: FakeClock;
  readonly dom0: FakeDom0;
  readonly errors: string[] = [];
  readonly grants: FakeGrants = new FakeGrants(this.errors);
  readonly store: FakeStore = new FakeStore();
  readonly wrote: Uint8Array[] = [];
  readonly layout: BlkifLayout;
  /** All pages of the ring, one after the other. */
  readonly ringPage: Uint8Array<ArrayBuffer>;
  readonly ring: FrontRing;
  readonly answers: Answer[] = [];
  events = 0;
  sent = 0;
  suppressed = 0;
  /** Requests that the backend took without an event of their own. */
  unannounced = 0;
  /** Reasons of refusals. */
  readonly refused: string[] = [];
  /** The driver has removed itself. */
  gone = 0;
  readonly #options: GuestOptions;
  readonly #ports: number;
  #backend: Blkback;
  /** By port, those that are bound. */
  readonly #onEvent = new Map<number, () => void>();

  constructor(options: GuestOptions) {
    this.#options = options;
    this.clock = options.clock ?? new FakeClock();
    this.dom0 = new FakeDom0(this.clock);
    this.layout = options.layout ?? I386;
    this.#ports = options.ports ?? 1;
    const pages = options.ringPages ?? 1;
    this.ringPage = new Uint8Array(pages * PAGE_SIZE);
    this.ring = new FrontRing(new DataView(this.ringPage.buffer), this.layout.SIZE);
    this.#writeDirectories(options.mode ?? "w", options.cdrom ?? false);
    this.ring.initialise();
    this.#grantRing(pages);
    this.#backend = this.#startBackend(false);
    this.clock.run();
  }

  get #directory(): "vbd" | "qdisk" {
    return this.#options.copies === true ? "qdisk" : "vbd";
  }

  get #path(): string {
    return BACKEND.replace("vbd", this.#directory);
  }

  #startBackend(startsAfresh: boolean): Blkback {
    const { disk, persistent = false, offers, blockSize } = this.#options;
    const memory = { wrote: (view: Uint8Array) => this.wrote.push(view) };
    return new Blkback(
      this.#host(),
      this.dom0,
      disk,
      memory as unknown as GuestMemory,
      { guestError: (source, text) => this.errors.push(`${source}: ${text}`) },
      {
        clock: this.clock,
        vdev: 768,
        costs: COSTS,
        offers: { ...ALL_OFFERS, persistent, ...offers },
        blockSize: blockSize ?? { logical: 512, physical: 512 },
        directory: this.#directory,
        stats: {
          notifySent: () => this.sent++,
          notifySuppressed: () => this.suppressed++,
          requestWithoutEvent: () => this.unannounced++,
          refused: (reason) => this.refused.push(reason),
        },
        startsAfresh,
        onGone: () => this.gone++,
      },
    );
  }

  /** The driver. */
  get backend(): Blkback {
    return this.#backend;
  }

  /**
   * The driver dies, and as soon as it holds nothing any more the next one starts.
   * @param onBuried called in between
   */
  crash(startsAfresh: boolean = false, onBuried: () => void = () => {}): void {
    this.#backend.crash(() => {
      onBuried();
      this.#backend = this.#startBackend(startsAfresh);
    });
  }

  #grantRing(pages: number): void {
    if (pages === 1) return this.grants.grant(RING_REF, this.ringPage);
    for (let i = 0; i < pages; i++) {
      const page = this.ringPage.subarray(i * PAGE_SIZE, (i + 1) * PAGE_SIZE);
      this.grants.grant(ringRef(i), page);
    }
  }

  #writeDirectories(mode: string, cdrom: boolean): void {
    this.store.write(`${FRONTEND}/state`, "1");
    this.store.write(`${this.#path}/frontend`, FRONTEND);
    this.store.write(`${this.#path}/mode`, mode);
    this.store.write(`${this.#path}/online`, "1");
    this.store.write(`${this.#path}/device-type`, cdrom ? "cdrom" : "disk");
    this.store.write(`${this.#path}/removable`, cdrom ? "1" : "0");
    this.store.write(`${this.#path}/state`, "1");
  }

  #host(): BackendHost {
    return {
      domid: 1,
      grants: this.grants,
      store: this.store,
      bindInterdomain: (remotePort, onEvent): EventPort | undefined => {
        const allocated = remotePort >= PORT && remotePort < PORT + this.#ports;
        if (!allocated || this.#onEvent.has(remotePort)) return undefined;
        this.#onEvent.set(remotePort, onEvent);
        return { notify: () => this.events++, close: () => this.#onEvent.delete(remotePort) };
      },
    };
  }

  get bound(): boolean {
    return this.#onEvent.size > 0;
  }

  /** A page under a fresh grant. */
  page(gref: number, readOnly = false): Uint8Array {
    const page = new Uint8Array(PAGE_SIZE);
    this.grants.grant(gref, page, readOnly);
    return page;
  }

  setState(state: number | string): void {
    this.store.write(`${FRONTEND}/state`, String(state));
    this.clock.run();
  }

  backendKey(key: string): string | undefined {
    return this.store.read(`${this.#path}/${key}`);
  }

  /** Writes the keys of a frontend that has made its ring, and state 3. */
  connect(keys: Record<string, string | undefined> = {}): void {
    const all: Record<string, string | undefined> = {
      "ring-ref": String(RING_REF),
      "event-channel": String(PORT),
      protocol: "x86_32-abi",
      "feature-persistent": "1",
      ...keys,
    };
    for (const [key, value] of Object.entries(all)) {
      if (value !== undefined) this.store.write(`${FRONTEND}/${key}`, value);
    }
    this.setState(3);
  }

  /** Puts a request on the ring without telling anyone. */
  put(operation: number, id: number, sector: number, ...segments: Segment[]): number {
    const at = this.#start(operation, id, sector);
    this.ring.page.setUint8(at + REQUEST.NR_SEGMENTS, segments.length);
    this.ring.page.setUint16(at + REQUEST.HANDLE, 768, true);
    writeSegments(this.ring.page, at + this.layout.SEG, segments);
    return at;
  }

  /** Puts a request whose segments are written into a granted page. */
  putIndirect(
    operation: number,
    id: number,
    sector: number,
    { gref, page, segments }: { gref: number; page: Uint8Array; segments: readonly Segment[] },
  ): number {
    const at = this.#start(BLKIF_OP.INDIRECT, id, sector);
    this.ring.page.setUint8(at + REQUEST.INDIRECT_OP, operation);
    this.ring.page.setUint16(at + REQUEST.INDIRECT_NR_SEGMENTS, segments.length, true);
    this.ring.page.setUint16(at + this.layout.INDIRECT_HANDLE, 768, true);
    this.ring.page.setUint32(at + this.layout.INDIRECT_GREFS, gref, true);
    writeSegments(new DataView(page.buffer, page.byteOffset, page.length), 0, segments);
    return at;
  }

  /** Puts a DISCARD. */
  putDiscard(id: number, sector: number, sectors: bigint, flag = 0): number {
    const at = this.#start(BLKIF_OP.DISCARD, id, sector);
    this.ring.page.setUint8(at + REQUEST.FLAG, flag);
    this.ring.page.setBigUint64(at + this.layout.NR_SECTORS, sectors, true);
    return at;
  }

  #start(operation: number, id: number, sector: number): number {
    const at = this.ring.nextRequest();
    const { page } = this.ring;
    page.setUint8(at + REQUEST.OPERATION, operation);
    page.setBigUint64(at + this.layout.ID, BigInt(id), true);
    page.setBigUint64(at + this.layout.SECTOR_NUMBER, BigInt(sector), true);
    return at;
  }

  /** Publishes requests, and sends the event if the backend wants it. @returns whether it did */
  push(): boolean {
    const wanted = this.ring.pushRequests();
    if (wanted) this.kick();
    return wanted;
  }

  /** The event itself, wanted or not. */
  kick(port: number = PORT): void {
    this.#onEvent.get(port)?.();
  }

  /** Takes the responses as an interrupt handler does, the final check included. */
  collect(): Answer[] {
    const { page } = this.ring;
    const fresh: Answer[] = [];
    do {
      while (this.ring.unconsumed() > 0) {
        const at = this.ring.takeResponse();
        fresh.push({
          id: Number(page.getBigUint64(at + RESPONSE.ID, true)),
          operation: page.getUint8(at + RESPONSE.OPERATION),
          status: page.getInt16(at + RESPONSE.STATUS, true),
        });
      }
    } while (this.ring.finalCheck());
    this.answers.push(...fresh);
    return fresh;
  }

  /** One request from the ring to its response. */
  request(operation: number, sector: number, ...segments: Segment[]): Answer {
    this.put(operation, 77, sector, ...segments);
    return this.serve();
  }

  /** The last of the requests put from the ring to its response. */
  serve(): Answer {
    this.push();
    this.clock.run();
    const answer = this.collect().at(-1);
    if (answer === undefined) throw new Error("no response");
    return answer;
  }

  read(sector: number, ...segments: Segment[]): Answer {
    return this.request(BLKIF_OP.READ, sector, ...segments);
  }

  write(sector: number, ...segments: Segment[]): Answer {
    return this.request(BLKIF_OP.WRITE, sector, ...segments);
  }
}

function writeSegments(view: DataView, offset: number, segments: readonly Segment[]): void {
  segments.forEach(({ gref, first = 0, last = 7 }, i) => {
    const at = offset + i * SEGMENT.SIZE;
    view.setUint32(at + SEGMENT.GREF, gref, true);
    view.setUint8(at + SEGMENT.FIRST_SECT, first);
    view.setUint8(at + SEGMENT.LAST_SECT, last);
  });
}
