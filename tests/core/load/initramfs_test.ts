import { assertEquals, assertThrows } from "@std/assert";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { UsageError } from "../../../core/errors.ts";
import { writeCpio } from "../../../core/load/cpio.ts";
import { expand, readInitramfs } from "../../../core/load/initramfs.ts";

function joined(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

const names = (bytes: Uint8Array) => [...readInitramfs({ name: "i", bytes }).keys()];

Deno.test("readInitramfs() reads archives one behind the other, the last compressed or not", () => {
  const [microcode, root] = [writeCpio({ "kernel/x86/ucode.bin": "u" }), writeCpio({ init: "i" })];
  for (const last of [root, gzipSync(root), zstdCompressSync(root)]) {
    const whole = joined(microcode, new Uint8Array(512), last);
    assertEquals(names(whole), ["kernel/x86/ucode.bin", "init"]);
  }
});

Deno.test("readInitramfs() has of two files of one path the last", () => {
  const bytes = joined(writeCpio({ init: "first" }), writeCpio({ init: "last" }));
  const files = readInitramfs({ name: "i", bytes });
  assertEquals(new TextDecoder().decode(files.get("init")), "last");
});

Deno.test("readInitramfs() reads all archives that are compressed together, or one by one", () => {
  const [one, two] = [writeCpio({ init: "i" }), writeCpio({ "lib/a.ko": "a" })];
  const both = joined(one, new Uint8Array(512), two);
  for (const whole of [gzipSync(both), joined(gzipSync(one), gzipSync(two))]) {
    assertEquals(names(whole), ["init", "lib/a.ko"]);
  }
});

const faults: readonly [string, Uint8Array, string][] = [
  ["xz", Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0), 'unpack "i": it is compressed by xz'],
  ["text", new TextEncoder().encode("#!/bin/sh"), 'Cannot unpack initrd "i": it is no archive'],
  ["a torn gzip", gzipSync(writeCpio({ a: "b" })).subarray(0, 40), "or damaged"],
  [
    "junk behind a compressed archive",
    gzipSync(joined(writeCpio({}), Uint8Array.of(1))),
    "damaged",
  ],
  ["a torn archive", writeCpio({ a: "b" }).subarray(0, 130), "or damaged"],
];
for (const [what, bytes, message] of faults) {
  Deno.test(`readInitramfs() refuses ${what}`, () => {
    assertThrows(() => names(bytes), UsageError, message);
  });
}

Deno.test("expand() leaves a file alone that is not compressed", () => {
  const plain = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46);
  assertEquals(expand({ name: "x.ko", bytes: plain }), plain);
  assertEquals([...expand({ name: "x.ko.gz", bytes: gzipSync(plain) })], [...plain]);
});
