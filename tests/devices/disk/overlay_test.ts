import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ImageError } from "../../../core/errors.ts";
import { MemoryDisk } from "../../../devices/disk/memory.ts";
import { OverlayDisk } from "../../../devices/disk/overlay.ts";
import { BrokenBackend, pattern } from "../../helpers/disk.ts";

const SECTORS = 37; // the last chunk is short

/** An image that, unlike one in memory, fails past its end. */
function strictImage(): MemoryDisk {
  const image = new MemoryDisk(pattern(SECTORS * 512));
  const read = image.read.bind(image);
  image.read = (sector, into) => {
    assert(sector + into.length / 512 <= SECTORS, `read ${into.length} bytes at ${sector}`);
    read(sector, into);
  };
  return image;
}

Deno.test("OverlayDisk reads as one image and leaves the base alone, whatever is written or discarded", () => {
  const write = fc.record({
    sector: fc.nat(SECTORS - 1),
    count: fc.integer({ min: 1, max: 20 }),
    seed: fc.option(fc.nat(255)), // null: discard
  });
  fc.assert(
    fc.property(fc.array(write, { maxLength: 12 }), write, (writes, probe) => {
      const base = strictImage();
      const overlay = new OverlayDisk(base);
      const expected = pattern(SECTORS * 512);
      for (const { sector, count, seed } of writes) {
        const sectors = Math.min(count, SECTORS - sector);
        const data = seed === null ? new Uint8Array(sectors * 512) : pattern(sectors * 512, seed);
        if (seed === null) overlay.discard(sector, sectors);
        else overlay.write(sector, data);
        expected.set(data, sector * 512);
      }
      const into = new Uint8Array(Math.min(probe.count, SECTORS - probe.sector) * 512);
      overlay.read(probe.sector, into);
      const start = probe.sector * 512;
      assertEquals(into, expected.subarray(start, start + into.length));
      assertEquals(base.bytes, pattern(SECTORS * 512));
    }),
    { numRuns: 100, seed: 7 },
  );
});

Deno.test("OverlayDisk is writable over a read-only base", () => {
  const overlay = new OverlayDisk(new MemoryDisk(new Uint8Array(512), { readOnly: true }));
  overlay.write(0, pattern(512));
  const into = new Uint8Array(512);
  overlay.read(0, into);
  assertEquals(overlay.readOnly, false);
  assertEquals(into, pattern(512));
});

Deno.test("OverlayDisk stays unchanged when the base fails under a partial write", () => {
  const overlay = new OverlayDisk(new BrokenBackend());
  assertThrows(() => overlay.write(1, new Uint8Array(512)), ImageError);
  assertThrows(() => overlay.read(1, new Uint8Array(512)), ImageError);
});

Deno.test("MemoryDisk refuses an image that is not whole sectors", () => {
  for (const length of [0, 511, 1000]) {
    assertThrows(
      () => new MemoryDisk(new Uint8Array(length)),
      ImageError,
      `length ${length} is not`,
    );
  }
});

Deno.test("MemoryDisk.write() throws when it is read-only", () => {
  const disk = new MemoryDisk(new Uint8Array(512), { readOnly: true });
  assertThrows(() => disk.write(0, new Uint8Array(512)), ImageError, "read-only");
});
