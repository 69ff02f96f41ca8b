import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ImageError, InternalError } from "../../../core/errors.ts";
import type { BlockBackend, BlockRequest, BlockStatus, Ns } from "../../../core/types.ts";
import { MEDIA_PRESETS, type MediaPreset, TimedDisk } from "../../../devices/disk/timed.ts";
import { MemoryDisk } from "../../../devices/disk/memory.ts";
import { BrokenBackend, FakeClock, pattern } from "../../helpers/disk.ts";

const { ramdisk, ssd, hdd } = MEDIA_PRESETS;

interface Finish {
  readonly at: Ns;
  readonly status: BlockStatus;
}

/** A disk and the completions of what is submitted to it. */
class Bench {
  readonly clock = new FakeClock();
  readonly errors: ImageError[] = [];
  readonly finished: Finish[] = [];
  readonly disk: TimedDisk;

  constructor(preset: MediaPreset, backend: BlockBackend = new MemoryDisk(pattern(1 << 20))) {
    this.disk = new TimedDisk(this.clock, backend, preset, (error) => this.errors.push(error));
  }

  submit(op: BlockRequest["op"], sector = 0, ...segments: Uint8Array[]): void {
    const done = (status: BlockStatus): void => {
      this.finished.push({ at: this.clock.now, status });
    };
    this.disk.submit({ op, sector, segments, done });
  }

  /** Submits a read of `sectors` and returns how long it takes. */
  timeRead(sector: number, sectors = 8): Ns {
    const start = this.clock.now;
    this.submit("read", sector, new Uint8Array(sectors * 512));
    this.clock.run();
    return this.clock.now - start;
  }
}

Deno.test("MEDIA_PRESETS gives a source for every number", () => {
  for (const preset of Object.values(MEDIA_PRESETS)) {
    const numbers = Object.entries({ ...preset, ...preset.spindle })
      .filter(([, value]) => typeof value === "number").map(([key]) => key).sort();
    assertEquals(Object.keys(preset.source).sort(), numbers);
  }
});

Deno.test("TimedDisk.submit() never completes by itself", () => {
  const bench = new Bench(ramdisk);
  bench.submit("flush");
  assertEquals(bench.finished, []);
  assertEquals(bench.disk.inFlight, 1);
  bench.clock.run();
  assertEquals(bench.finished, [{ at: 0, status: "ok" }]);
  assertEquals(bench.disk.inFlight, 0);
});

Deno.test("TimedDisk moves the bytes just before done()", () => {
  const bench = new Bench(ssd);
  const into = new Uint8Array(512);
  bench.submit("read", 3, into);
  assertEquals(into, new Uint8Array(512));
  bench.clock.run();
  assertEquals(into, pattern(1 << 20).subarray(3 * 512, 4 * 512));
});

Deno.test("TimedDisk writes scattered and adjacent segments in order", () => {
  const image = new MemoryDisk(new Uint8Array(16 * 512));
  const bench = new Bench(ramdisk, image);
  const data = pattern(5 * 512);
  const loose = data.slice(0, 512);
  bench.submit("write", 2, loose, data.subarray(512, 1024), data.subarray(1024, 5 * 512));
  bench.clock.run();
  assertEquals(image.bytes.subarray(2 * 512, 7 * 512), data);
  assertEquals(image.bytes.subarray(7 * 512), new Uint8Array(9 * 512));
});

/** Lengths of what a disk reads or writes at once. */
function accessesOf(image: MemoryDisk): number[] {
  const lengths: number[] = [];
  for (const op of ["read", "write"] as const) {
    const access = image[op].bind(image);
    image[op] = (sector, bytes) => {
      lengths.push(bytes.length);
      access(sector, bytes);
    };
  }
  return lengths;
}

Deno.test("TimedDisk joins adjacent segments into one access of the backend", () => {
  const image = new MemoryDisk(pattern(128 * 512));
  const lengths = accessesOf(image);
  const bench = new Bench(ramdisk, image);
  const ram = new Uint8Array(60 * 512);
  const parts = [[0, 4], [4, 40], [42, 59]] as const;
  bench.submit("read", 0, ...parts.map(([from, to]) => ram.subarray(from * 512, to * 512)));
  bench.clock.run();
  assertEquals(lengths, [40 * 512, 17 * 512]);
  assertEquals(bench.disk.stats.tallies.read.merged, 1);
  assertEquals(ram.subarray(42 * 512, 59 * 512), pattern(128 * 512).subarray(40 * 512, 57 * 512));
});

for (const op of ["read", "write"] as const) {
  Deno.test(`TimedDisk makes one access of pages that lie apart: ${op}`, () => {
    const image = new MemoryDisk(pattern(256 * 512));
    const lengths = accessesOf(image);
    const bench = new Bench(ramdisk, image);
    const pages = Array.from({ length: 16 }, (_, i) => pattern(4096, i));
    for (const start of [8, 100]) bench.submit(op, start, ...pages);
    bench.clock.run();
    assertEquals(lengths, [65536, 65536]);
    assertEquals(bench.disk.stats.tallies[op].merged, 30);
    for (const [i, page] of pages.entries()) {
      assertEquals(page, image.bytes.subarray((100 + 8 * i) * 512, (108 + 8 * i) * 512));
    }
  });

  Deno.test(`TimedDisk that fails at one of them has served those before: ${op}`, () => {
    const image = new MemoryDisk(pattern(64 * 512));
    const access = image[op].bind(image);
    image[op] = (sector, bytes) => {
      if (sector * 512 + bytes.length > 17 * 512) throw new ImageError("bad sector");
      access(sector, bytes);
    };
    const bench = new Bench(ramdisk, image);
    const pages = [1, 2, 3].map((seed) => pattern(4096, seed));
    bench.submit(op, 0, ...pages);
    bench.clock.run();
    assertEquals(bench.finished.map(({ status }) => status), ["error"]);
    for (const [i, page] of pages.slice(0, 2).entries()) {
      assertEquals(page, image.bytes.subarray(8 * i * 512, 8 * (i + 1) * 512));
    }
  });
}

Deno.test("TimedDisk moves nothing beside the segments, however they lie (XSA-229)", () => {
  const PLACES = 12;
  const places = fc.shuffledSubarray(Array.from({ length: PLACES }, (_, i) => i), { minLength: 1 });
  fc.assert(fc.property(places, fc.constantFrom("read" as const, "write" as const), (order, op) => {
    const image = new MemoryDisk(pattern(64 * 512));
    const bench = new Bench(ramdisk, image);
    const ram = pattern(PLACES * 512, 77);
    const [wantedRam, wantedImage] = [ram.slice(), image.bytes.slice()];
    order.forEach((place, i) => {
      const inRam = wantedRam.subarray(place * 512, place * 512 + 512);
      const onDisk = wantedImage.subarray((3 + i) * 512, (4 + i) * 512);
      if (op === "read") inRam.set(onDisk);
      else onDisk.set(inRam);
    });
    bench.submit(op, 3, ...order.map((place) => ram.subarray(place * 512, place * 512 + 512)));
    bench.clock.run();
    assertEquals([ram, image.bytes], [wantedRam, wantedImage]);
  }));
});

Deno.test("TimedDisk completes in the order of submission when a write is faster than a read", () => {
  const bench = new Bench(ssd);
  bench.submit("read", 0, new Uint8Array(512));
  bench.submit("write", 8, new Uint8Array(512));
  bench.clock.run();
  const [read, write] = bench.finished;
  assert(read!.at < write!.at);
  assert(write!.at - read!.at < ssd.writeLatencyNs);
});

Deno.test("TimedDisk takes latency plus transfer for a lone request", () => {
  assertEquals(new Bench(ssd).timeRead(0), 80_000 + 4096 * 2);
  assertEquals(new Bench(ramdisk).timeRead(0), 1_000 + 410);
});

Deno.test("TimedDisk works on as many requests at once as the preset allows", () => {
  const bench = new Bench(ssd);
  for (let i = 0; i < 7; i++) bench.submit("read", i, new Uint8Array(512));
  bench.clock.run();
  const at = bench.finished.map((finish) => finish.at);
  assertEquals(at.slice(0, 6), [1, 2, 3, 4, 5, 6].map((k) => 80_000 + k * 1024));
  assertEquals(at[6], at[0]! + 80_000 + 1024);
});

Deno.test("TimedDisk flushes after everything submitted before", () => {
  const bench = new Bench(ssd);
  bench.submit("write", 0, new Uint8Array(512));
  bench.submit("flush");
  bench.clock.run();
  assertEquals(bench.finished[1]!.at, bench.finished[0]!.at + ssd.flushLatencyNs);
});

Deno.test("TimedDisk keeps the order when the queue grows while it wraps", () => {
  const image = new MemoryDisk(pattern(256 * 512));
  const bench = new Bench(ramdisk, image);
  const buffers = Array.from({ length: 200 }, () => new Uint8Array(512));
  buffers.slice(0, 30).forEach((buffer, i) => bench.submit("read", i, buffer));
  bench.clock.run();
  buffers.slice(30).forEach((buffer, i) => bench.submit("read", 30 + i, buffer));
  assertEquals(bench.disk.inFlight, 170);
  bench.clock.run();
  buffers.forEach((buffer, i) =>
    assertEquals(buffer, image.bytes.subarray(i * 512, i * 512 + 512))
  );
  assertEquals(
    bench.finished.map((f) => f.at),
    bench.finished.map((f) => f.at).sort((a, b) => a - b),
  );
});

Deno.test("TimedDisk accepts a request from inside done()", () => {
  const bench = new Bench(ramdisk);
  const done = (): void => bench.submit("flush");
  bench.disk.submit({ op: "flush", sector: 0, segments: [], done });
  bench.clock.run();
  assertEquals(bench.finished.length, 1);
});

Deno.test("TimedDisk ends a request with error and tells the host when the backend fails", () => {
  const bench = new Bench(ramdisk, new BrokenBackend());
  bench.submit("read", 0, new Uint8Array(512));
  bench.submit("flush");
  bench.clock.run();
  assertEquals(bench.finished.map((finish) => finish.status), ["error", "error"]);
  assertEquals(bench.errors.map((error) => error.message), [
    "Cannot read disk image: broken",
    "Cannot flush disk image: broken",
  ]);
});

/** Its sector 5 can be neither read nor written. */
class Scratched extends MemoryDisk {
  override read(sector: number, into: Uint8Array): void {
    refuse(sector, into);
    super.read(sector, into);
  }
  override write(sector: number, from: Uint8Array): void {
    refuse(sector, from);
    super.write(sector, from);
  }
}

function refuse(sector: number, { length }: Uint8Array): void {
  if (sector <= 5 && sector + length / 512 > 5) throw new ImageError("Cannot use sector 5");
}

for (const op of ["read", "write"] as const) {
  Deno.test(`TimedDisk ends a ${op} at the sector that the host refuses, and serves those before`, () => {
    const image = new Scratched(pattern(16 * 512));
    const bench = new Bench(ramdisk, image);
    const buffer = new Uint8Array(4096).fill(0xee);
    const ends: unknown[] = [];
    bench.disk.submit({
      op,
      sector: 2,
      segments: [buffer.subarray(0, 1024), buffer.subarray(1024)],
      done: (status, failedAt) => ends.push(status, failedAt),
    });
    bench.clock.run();
    assertEquals(ends, ["error", 5]);
    assertEquals(bench.errors.length, 1);
    const moved = image.bytes.subarray(2 * 512, 5 * 512);
    assertEquals(buffer.subarray(0, 3 * 512), moved);
    const behind = op === "read"
      ? buffer.subarray(3 * 512)
      : image.bytes.subarray(5 * 512, 10 * 512);
    const before = op === "read"
      ? new Uint8Array(5 * 512).fill(0xee)
      : pattern(16 * 512).subarray(5 * 512, 10 * 512);
    assertEquals(behind, before);
  });
}

Deno.test("TimedDisk.submit() throws InternalError past the end", () => {
  const bench = new Bench(ramdisk);
  assertThrows(
    () => bench.submit("read", 2047, new Uint8Array(1024)),
    InternalError,
    "Cannot read 2 sectors at sector 2047: the disk has 2048 sectors",
  );
});

Deno.test("TimedDisk with a spindle waits for seek and rotation, the same every time", () => {
  const big = {
    sectorCount: 3.8e9,
    readOnly: false,
    read() {},
    write() {},
    flush() {},
    close() {},
  };
  const times = [0, 1, 2].map((far) => new Bench(hdd, big).timeRead(far * 2_240 * 300_000));
  assertEquals(times, [0, 1, 2].map((far) => new Bench(hdd, big).timeRead(far * 2_240 * 300_000)));
  assert(times[0]! < 8_600_000, "no seek, at most one revolution");
  assert(times[1]! > 800_000 + 5_700_000, "a seek over 300000 tracks");
});

Deno.test("TimedDisk with a spindle averages the data sheet's seek plus half a revolution", () => {
  const big = {
    sectorCount: 3.8e9,
    readOnly: false,
    read() {},
    write() {},
    flush() {},
    close() {},
  };
  const bench = new Bench(hdd, big);
  let sector = 1;
  let total = 0;
  for (let i = 0; i < 2000; i++) {
    sector = (sector * 1_103_515_245 + 12_345) % 2 ** 31;
    total += bench.timeRead(Math.floor(sector / 2 ** 31 * 3.8e9));
  }
  assert(Math.abs(total / 2000 - (8_200_000 + 4_166_667 + 100_000)) < 300_000, `${total / 2000}`);
});

Deno.test("TimedDisk with a spindle streams sequential reads at the track rate", () => {
  const big = { sectorCount: 1e6, readOnly: false, read() {}, write() {}, flush() {}, close() {} };
  const bench = new Bench(hdd, big);
  bench.timeRead(0);
  const start = bench.clock.now;
  for (let i = 1; i <= 1000; i++) bench.timeRead(i * 256, 256);
  const rate = 1000 * 256 * 512 / ((bench.clock.now - start) / 1e9);
  assert(rate > 115e6 && rate < 138e6, `${rate} bytes/s`);
});

Deno.test("TimedDisk with a spindle loses a revolution between sequential writes at depth 1", () => {
  const bench = new Bench(hdd);
  const write = (sector: number): Ns => {
    const start = bench.clock.now;
    bench.submit("write", sector, new Uint8Array(4096));
    bench.clock.run();
    return bench.clock.now - start;
  };
  write(0);
  assert(Math.abs(write(8) - 8_333_333) < 100_000);
});
