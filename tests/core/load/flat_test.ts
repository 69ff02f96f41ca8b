import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../core/errors.ts";
import { loadFlat, parsePlacement } from "../../../core/load/flat.ts";

Deno.test("parsePlacement() reads both modes, hexadecimal and decimal", () => {
  assertEquals(parsePlacement("flat@0x100000"), { mode: "protected32", gpa: 0x100000 });
  assertEquals(parsePlacement("flat16@31744"), { mode: "real16", gpa: 0x7c00 });
});

Deno.test("parsePlacement() refuses anything else", () => {
  for (
    const text of [
      "",
      "flat",
      "flat@",
      "flat@12z",
      "elf@0x1000",
      "constructor@0x1000",
      "flat@0x100000000",
    ]
  ) {
    assertThrows(() => parsePlacement(text), UsageError, "wanted flat@ADDRESS");
  }
});

Deno.test("parsePlacement() refuses real mode above what CS = 0 reaches", () => {
  assertThrows(() => parsePlacement("flat16@0x10000"), UsageError, "must be below 0x10000");
});

Deno.test("loadFlat() enters at the first byte with the stack below", () => {
  const image = loadFlat(new Uint8Array([0xf4]), parsePlacement("flat16@0x8000"));
  assertEquals(image.mode, "real16");
  assertEquals(image.eip, 0x8000);
  assertEquals(image.regs[4], 0x8000);
  assertEquals(image.segments, [{ gpa: 0x8000, bytes: new Uint8Array([0xf4]), zero: 0 }]);
});
