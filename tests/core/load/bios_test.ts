import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../core/errors.ts";
import { loadBios } from "../../../core/load/bios.ts";

Deno.test("loadBios() starts an image at its reset vector", () => {
  const file = new Uint8Array(128 << 10).fill(0xea);
  const image = loadBios(file, "b");
  assertEquals([image.mode, image.eip, image.rom], ["reset", 0xfff0, file]);
});

Deno.test("loadBios() refuses what cannot be a BIOS", () => {
  for (const length of [0, 512, (128 << 10) + 1, 2 << 20]) {
    assertThrows(() => loadBios(new Uint8Array(length).fill(1), "b"), UsageError, "its length");
  }
  for (const blank of [0, 0xff]) {
    const file = new Uint8Array(64 << 10).fill(blank);
    assertThrows(() => loadBios(file, "b"), UsageError, "nothing is at its reset vector");
  }
});
