import { assertEquals } from "@std/assert";
import { isCpio, readCpio, withFiles, writeCpio } from "../../../core/load/cpio.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

Deno.test("writeCpio() writes headers in hexadecimal, padded to four bytes", () => {
  const archive = writeCpio({ ab: bytes(7) });
  const text = new TextDecoder().decode(archive);
  assertEquals(text.slice(0, 22), "07070100000001000081ed");
  assertEquals(text.slice(54, 62), "00000001", "bytes of the file");
  assertEquals(text.slice(94, 102), "00000003", "bytes of the name");
  assertEquals([...archive.subarray(110, 120)], [0x61, 0x62, 0, 0, 0, 0, 7, 0, 0, 0].slice(0, 10));
});

Deno.test("readCpio() reads what writeCpio() has written, but for folders", () => {
  const content = { dev: null, init: "#!/bin/sh\n", "lib/x.ko": bytes(1, 2, 3), empty: bytes() };
  const archive = withFiles(bytes(9, 9, 9, 9, 9), content);
  assertEquals(isCpio(archive, 8), true);
  const read = readCpio(archive, 8);
  assertEquals([...read!.files], [
    ["init", new TextEncoder().encode("#!/bin/sh\n")],
    ["lib/x.ko", bytes(1, 2, 3)],
    ["empty", bytes()],
  ]);
  assertEquals(read!.end, archive.length);
});

Deno.test("readCpio() knows a path by whatever it starts with", () => {
  for (const name of ["./a", "/a", "a"]) {
    assertEquals([...readCpio(writeCpio({ [name]: "x" }), 0)!.files.keys()], ["a"]);
  }
});

Deno.test("readCpio() has nothing of a damaged archive", () => {
  const archive = writeCpio({ a: "text" });
  assertEquals(readCpio(archive.subarray(0, 112), 0), undefined);
  assertEquals(readCpio(archive.subarray(0, 116), 0), undefined);
  assertEquals(readCpio(archive.with(55, 0x67), 0), undefined, "g is no digit");
  assertEquals(readCpio(new Uint8Array(200), 0), undefined);
});

Deno.test("readCpio() has nothing of an archive whose sizes are beyond all reason", () => {
  const archive = new Uint8Array(1 << 20);
  archive.set(writeCpio({ a: "text" }));
  const digits = new TextEncoder().encode("000ffff0");
  for (const at of [54, 94]) {
    const damaged = archive.slice();
    damaged.set(digits, at);
    assertEquals(readCpio(damaged, 0), undefined);
  }
});
