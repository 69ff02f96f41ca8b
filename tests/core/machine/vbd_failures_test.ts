/**
 * The failure model of virtual disks on the real grant table, event channels and xenstore: whatever
 * ends, no page stays mapped, no channel bound, and the rest of the domain is as it was.
 */

import { assertEquals } from "@std/assert";
import { VirtualClock } from "../../../core/clock.ts";
import { Dom0Timeline } from "../../../core/dom0.ts";
import { Accounting } from "../../../core/hypervisor/accounting.ts";
import { vbdPaths } from "../../../core/hypervisor/toolstack_vbd.ts";
import { XenStore } from "../../../core/hypervisor/xenstore.ts";
import { Books } from "../../../core/ledger.ts";
import { Domain } from "../../../core/machine/domain.ts";
import { MEDIA_PRESETS } from "../../../devices/disk/media.ts";
import { MemoryDisk } from "../../../devices/disk/memory.ts";
import { TimedDisk } from "../../../devices/disk/timed.ts";
import { BLKIF_OP, I386, REQUEST, RESPONSE, SEGMENT } from "../../../devices/xen/blkif.ts";
import { FrontRing } from "../../../devices/xen/ring.ts";
import { COSTS, makeRam } from "../../helpers/host.ts";
import { runUntil } from "../../helpers/pc_devices.ts";

const DOM0 = 0;
const DEVIDS = { hda: 768, hdb: 832 } as const;
/** A page of guest memory for the ring and one for data, by disk; their frames are their grants. */
const FRAMES = { hda: [16, 17], hdb: [18, 19] } as const;
const SETTLE = 20e6;

type Vdev = keyof typeof DEVIDS;

const pathsOf = (vdev: Vdev) => vbdPaths(1, { devid: DEVIDS[vdev], backendType: "phy" });

/** A domain with two disks, and the guest in the test's hands. */
class World {
  readonly clock = new VirtualClock();
  readonly store = new XenStore();
  readonly memory = makeRam(2 << 20, 80);
  readonly images: Readonly<Record<Vdev, Uint8Array>> = {
    hda: new Uint8Array(1 << 16),
    hdb: new Uint8Array(1 << 16),
  };
  readonly removed: Vdev[] = [];
  readonly domain: Domain;

  constructor() {
    const dom0 = new Dom0Timeline(this.clock);
    const disk = (vdev: Vdev) => {
      const bytes = new MemoryDisk(this.images[vdev]);
      return new TimedDisk(this.clock, bytes, MEDIA_PRESETS.ssd, () => {});
    };
    this.domain = new Domain({
      clock: this.clock,
      ledger: new Books(this.clock),
      memory: this.memory,
      physmap: this.memory,
      store: this.store,
      domid: 1,
      dom0,
      errors: new Accounting(),
      costs: COSTS,
      disks: (["hda", "hdb"] as const).map((vdev) => ({
        vdev,
        disk: disk(vdev),
        onRemoved: () => void this.removed.push(vdev),
      })),
      onShutdown: () => {},
    });
    this.settle();
  }

  settle(ns: number = SETTLE): void {
    runUntil(this.clock, this.clock.now + ns);
  }

  get isBusy(): boolean {
    return this.domain.xen.grantTables.guest.isBusy;
  }

  state(vdev: Vdev): string | undefined {
    return this.store.client().read(`${pathsOf(vdev).backend}/state`);
  }
}

/** blkfront, without a shadow. */
class Frontend {
  readonly port: number;
  readonly #world: World;
  readonly #vdev: Vdev;
  readonly #ring: FrontRing;

  constructor(world: World, vdev: Vdev) {
    this.#world = world;
    this.#vdev = vdev;
    const [ringFrame, dataFrame] = FRAMES[vdev];
    for (const frame of [ringFrame, dataFrame]) this.#grant(frame);
    const page = world.memory.page(ringFrame)!;
    page.fill(0);
    this.#ring = new FrontRing(new DataView(page.buffer, page.byteOffset, page.length), I386.SIZE);
    this.#ring.initialise();
    this.port = world.domain.xen.events.allocateUnbound(DOM0);
    this.write("ring-ref", ringFrame);
    this.write("event-channel", this.port);
    this.write("protocol", "x86_32-abi");
    this.write("feature-persistent", 1);
    for (const state of [3, 4]) this.setState(state);
  }

  write(key: string, value: string | number): void {
    const { frontend } = pathsOf(this.#vdev);
    this.#world.store.client().write(`${frontend}/${key}`, String(value));
  }

  setState(state: number): void {
    this.write("state", state);
    this.#world.settle();
  }

  /** Writes the data page at a sector, and sends an event. */
  put(id: number, sector: number): void {
    const { page } = this.#ring;
    const at = this.#ring.nextRequest();
    page.setUint8(at + REQUEST.OPERATION, BLKIF_OP.WRITE);
    page.setUint8(at + REQUEST.NR_SEGMENTS, 1);
    page.setBigUint64(at + I386.ID, BigInt(id), true);
    page.setBigUint64(at + I386.SECTOR_NUMBER, BigInt(sector), true);
    page.setUint32(at + I386.SEG + SEGMENT.GREF, FRAMES[this.#vdev][1], true);
    page.setUint8(at + I386.SEG + SEGMENT.LAST_SECT, 7);
    if (this.#ring.pushRequests()) this.#world.domain.xen.events.send(this.port);
  }

  collect(): string[] {
    const { page } = this.#ring;
    const answers: string[] = [];
    while (this.#ring.unconsumed() > 0) {
      const at = this.#ring.takeResponse();
      const id = page.getBigUint64(at + RESPONSE.ID, true);
      answers.push(`${id}: ${page.getInt16(at + RESPONSE.STATUS, true)}`);
    }
    return answers;
  }

  get channel(): string | undefined {
    return this.#world.domain.xen.events.channel(this.port)?.state;
  }

  #grant(frame: number): void {
    const table = this.#world.domain.xen.grantTables.guest.frames.at(0)!;
    const entry = new DataView(table.buffer, table.byteOffset + frame * 8, 8);
    entry.setUint16(2, DOM0, true);
    entry.setUint32(4, frame, true);
    entry.setUint16(0, 1, true);
  }
}

/** Two disks at work: the second one's frontend is what must not be disturbed. */
function busyWorld() {
  const world = new World();
  const [a, b] = [new Frontend(world, "hda"), new Frontend(world, "hdb")];
  world.memory.page(FRAMES.hda[1])!.fill(0xaa);
  world.memory.page(FRAMES.hdb[1])!.fill(0xbb);
  for (let id = 1; id <= 4; id++) {
    a.put(id, 8 * id);
    b.put(id, 8 * id);
  }
  world.settle(40_000); // the first requests are on their way
  return { world, a, b };
}

function assertServed({ world, b }: ReturnType<typeof busyWorld>): void {
  world.settle();
  assertEquals(b.collect(), ["1: 0", "2: 0", "3: 0", "4: 0"]);
  assertEquals([b.channel, world.state("hdb")], ["interdomain", "4"]);
  assertEquals(world.images.hdb.subarray(8 * 512, 40 * 512), new Uint8Array(32 * 512).fill(0xbb));
}

/** Nothing of hda is left in dom0; then nothing of hdb either. */
function assertLetGo({ world, a, b }: ReturnType<typeof busyWorld>): void {
  assertEquals(a.channel, "unbound");
  assertEquals(world.isBusy, true, "hdb is connected");
  for (const state of [5, 6]) b.setState(state);
  assertEquals([b.channel, world.isBusy], ["unbound", false]);
}

Deno.test("A disk removed by force under load answers all that it had, and nothing else is disturbed", () => {
  const busy = busyWorld();
  const { world, a } = busy;
  world.domain.vbds.detach("hda", true);
  world.settle();
  assertEquals(a.collect().map((text) => text.slice(0, 1)), ["1", "2", "3", "4"]);
  assertEquals([world.removed, world.state("hda")], [["hda"], undefined]);
  assertServed(busy);
  assertLetGo(busy);
});

Deno.test("A disk detached under load ends when its frontend closes", () => {
  const busy = busyWorld();
  const { world, a } = busy;
  world.domain.vbds.detach("hda", false);
  world.settle();
  assertEquals([world.removed, world.state("hda")], [[], "5"]);
  assertEquals(a.collect(), ["1: 0", "2: 0", "3: 0", "4: 0"]);
  a.setState(6);
  assertEquals([world.removed, world.state("hda")], [["hda"], undefined]);
  assertServed(busy);
  assertLetGo(busy);
});

Deno.test("A backend that dies under load goes on with the ring: all is answered once, and on disk", () => {
  const busy = busyWorld();
  const { world, a } = busy;
  for (let deaths = 0; deaths < 5; deaths++) {
    world.domain.vbds.restartDriver("hda", false);
    world.settle(deaths === 4 ? SETTLE : 300_000);
  }
  assertEquals(a.collect(), ["1: 0", "2: 0", "3: 0", "4: 0"]);
  assertEquals(world.images.hda.subarray(8 * 512, 40 * 512), new Uint8Array(32 * 512).fill(0xaa));
  assertEquals([a.channel, world.state("hda")], ["interdomain", "4"]);
  assertServed(busy);
  for (const state of [5, 6]) a.setState(state);
  assertLetGo(busy);
});

Deno.test("A frontend that dies under load is followed by one that resets the states", () => {
  const busy = busyWorld();
  const { world, a } = busy;
  for (const state of [5, 6]) a.setState(state);
  assertEquals([a.channel, world.state("hda")], ["unbound", "6"]);
  a.setState(1);
  assertEquals(world.state("hda"), "2");
  const next = new Frontend(world, "hda");
  next.put(9, 0);
  world.settle();
  assertEquals(next.collect(), ["9: 0"]);
  assertServed(busy);
  for (const state of [5, 6]) next.setState(state);
  assertLetGo(busy);
});

Deno.test("A kernel that is started by kexec closes its predecessor's ports; the backend lets go all the same", () => {
  const busy = busyWorld();
  const { world, a } = busy;
  world.domain.xen.events.close(a.port);
  for (const state of [5, 6, 1]) a.setState(state);
  assertEquals([a.channel, world.state("hda")], [undefined, "2"]);
  const next = new Frontend(world, "hda");
  next.put(9, 0);
  world.settle();
  assertEquals(next.collect(), ["9: 0"]);
});

Deno.test("A domain destroyed with requests in flight leaves no page mapped and no backend", () => {
  const { world, a, b } = busyWorld();
  world.domain.closeDevices();
  world.settle();
  assertEquals([a.channel, b.channel, world.isBusy], ["unbound", "unbound", false]);
  assertEquals([world.state("hda"), world.state("hdb")], ["6", "6"]);
  world.domain.end();
  assertEquals(world.store.client().list("/local/domain/0/backend/vbd"), []);
});

Deno.test("A domain destroyed while a backend is dead has none afterwards", () => {
  const { world, a } = busyWorld();
  world.domain.vbds.restartDriver("hda", false);
  world.domain.closeDevices();
  world.settle();
  assertEquals([a.channel, world.isBusy, world.state("hda")], ["unbound", false, "6"]);
});
