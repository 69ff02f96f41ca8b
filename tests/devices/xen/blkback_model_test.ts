/**
 * Any interleaving of requests, time, crashes of the driver and restarts of the frontend, against
 * what a disk owes its user: what was acknowledged is on it, and is never written again; every
 * request is answered once; and when a driver ends, it has no page mapped and no channel bound.
 *
 * A write whose response was never seen may be done twice: its second execution moves the same bytes
 * again, and begins when the first has ended.
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { MemoryDisk } from "../../../devices/disk/memory.ts";
import { MEDIA_PRESETS, TimedDisk } from "../../../devices/disk/timed.ts";
import { BLKIF_OP } from "../../../devices/xen/blkif.ts";
import { FakeClock } from "../../helpers/disk.ts";
import { BlkfrontGuest, FRONTEND } from "../../helpers/xen.ts";

/** Pages of the disk; each has one writer at a time. */
const PLACES = 6;
const NOWHERE: number = PLACES;
const PAGE_SECTORS = 8;
const GREF = 100;

/** What may happen next. */
type Event =
  | { readonly kind: "write"; readonly place: number }
  | { readonly kind: "nonsense" }
  | { readonly kind: "push" }
  | { readonly kind: "steps"; readonly count: number }
  | { readonly kind: "collect" }
  | { readonly kind: "crash"; readonly afresh: boolean }
  | { readonly kind: "reconnect" };

const EVENT: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("write" as const), place: fc.nat(PLACES - 1) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "nonsense" } as const) },
  { weight: 4, arbitrary: fc.constant({ kind: "push" } as const) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("steps" as const), count: fc.nat(12) }) },
  { weight: 3, arbitrary: fc.constant({ kind: "collect" } as const) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("crash" as const), afresh: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "reconnect" } as const) },
);

/** A write as its frontend remembers it: the shadow of blkfront's ring. */
interface Pending {
  /** {@link NOWHERE} is behind the end of the disk, and refused. */
  readonly place: number;
  readonly value: number;
}

/** A frontend with a shadow ring, its backend, and a disk that logs what it writes. */
class World {
  readonly clock = new FakeClock();
  readonly bytes = new Uint8Array(PLACES * PAGE_SECTORS * 512);
  readonly guest: BlkfrontGuest;
  readonly #pages: Uint8Array[];
  readonly #pending = new Map<number, Pending>();
  /** By place: the value acknowledged last. */
  readonly #acknowledged: number[] = new Array(PLACES).fill(0);
  readonly #done = new Set<number>();
  #nextValue = 1;
  #nextId = 1;
  #crashing = false;

  constructor(persistent: boolean) {
    const memory = new MemoryDisk(this.bytes);
    const logged = {
      sectorCount: memory.sectorCount,
      readOnly: false,
      read: (sector: number, into: Uint8Array) => memory.read(sector, into),
      write: (sector: number, from: Uint8Array) => {
        assert(!this.#done.has(from[0]!), `write ${from[0]} is done again after its response`);
        memory.write(sector, from);
      },
      flush: () => {},
      close: () => {},
    };
    const disk = new TimedDisk(this.clock, logged, MEDIA_PRESETS.ssd, () => {});
    this.guest = new BlkfrontGuest({ disk, clock: this.clock, persistent });
    this.#pages = Array.from({ length: PLACES + 1 }, (_, i) => this.guest.page(GREF + i));
    this.#connect();
  }

  apply(event: Event): void {
    switch (event.kind) {
      case "write":
        return this.#write(event.place);
      case "nonsense":
        if (this.guest.ring.free > 0) this.#put({ place: NOWHERE, value: 0 });
        return;
      case "push":
        return void this.guest.push();
      case "steps":
        for (let i = 0; i < event.count; i++) this.clock.step();
        return this.#check();
      case "collect":
        return this.#collect();
      case "crash":
        return this.#crash(event.afresh);
      case "reconnect":
        return this.#reconnect();
    }
  }

  /** Everything comes to rest, and the device goes away. */
  finish(): void {
    this.guest.push();
    this.clock.run();
    if (this.guest.backendKey("state") !== "4") this.#reconnect();
    this.#collect();
    assertEquals(this.#pending.size, 0);
    this.#check();
    this.guest.store.remove(FRONTEND);
    this.clock.run();
    this.#assertLetGo();
    assertEquals(this.guest.gone, 1);
  }

  #write(place: number): void {
    const { ring } = this.guest;
    const isTaken = [...this.#pending.values()].some((other) => other.place === place);
    if (isTaken || ring.free === 0 || this.#nextValue > 255) return;
    const value = this.#nextValue++;
    this.#pages[place]!.fill(value);
    this.#put({ place, value });
  }

  #put(request: Pending): void {
    const { place } = request;
    this.#pending.set(this.#nextId, request);
    this.guest.put(BLKIF_OP.WRITE, this.#nextId++, place * PAGE_SECTORS, { gref: GREF + place });
  }

  #collect(): void {
    for (const { id, status } of this.guest.collect()) {
      const request = this.#pending.get(id);
      if (request === undefined) throw new Error(`response to ${id}, which is not pending`);
      this.#pending.delete(id);
      assertEquals(status, request.place === NOWHERE ? -1 : 0);
      if (request.place === NOWHERE) continue;
      this.#acknowledged[request.place] = request.value;
      this.#done.add(request.value);
    }
    this.#check();
  }

  /** What was acknowledged is on the disk, unless its next write is on its way. */
  #check(): void {
    const busy = new Map([...this.#pending.values()].map(({ place, value }) => [place, value]));
    for (const [place, value] of this.#acknowledged.entries()) {
      const start = place * PAGE_SECTORS * 512;
      const found = new Set(this.bytes.subarray(start, start + PAGE_SECTORS * 512));
      assertEquals(found.size, 1, "a torn write");
      const [byte] = found;
      assert(byte === value || byte === busy.get(place), `${byte} at ${place}, not ${value}`);
    }
  }

  #crash(afresh: boolean): void {
    if (this.#crashing) return;
    this.#crashing = true;
    this.guest.crash(afresh, () => {
      this.#crashing = false;
      this.#assertLetGo();
    });
  }

  /** As a new kernel does, or blkfront when it recovers: what has no response is put again. */
  #reconnect(): void {
    this.clock.run();
    this.#collect();
    for (const state of [5, 6]) this.guest.setState(state);
    this.#collect();
    this.#assertLetGo();
    this.guest.setState(1);
    this.guest.ringPage.fill(0);
    this.guest.ring.initialise();
    this.#connect();
    const shadow = [...this.#pending.values()];
    this.#pending.clear();
    for (const request of shadow) this.#put(request);
    this.guest.push();
    this.clock.run();
  }

  #connect(): void {
    this.guest.connect();
    this.guest.setState(4);
  }

  #assertLetGo(): void {
    assertEquals([this.guest.grants.totalMapped, this.guest.bound], [0, false]);
  }
}

for (const persistent of [false, true]) {
  Deno.test(`Blkback keeps what it has acknowledged, whoever dies and when (persistent: ${persistent})`, () => {
    fc.assert(
      fc.property(fc.array(EVENT, { maxLength: 60 }), (events) => {
        const world = new World(persistent);
        for (const event of events) world.apply(event);
        world.finish();
      }),
      { numRuns: 150 },
    );
  });
}
