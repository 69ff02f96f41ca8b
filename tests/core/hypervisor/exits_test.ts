import { assertEquals } from "@std/assert";
import { newVmExit } from "../../../core/cpu/exit.ts";
import { EXIT_NAMES, ioQualification } from "../../../core/hypervisor/exits.ts";
import { EXIT } from "../../../core/types.ts";

Deno.test("EXIT_NAMES gives every reason its name", () => {
  assertEquals(EXIT_NAMES[30], "IO_INSTRUCTION");
  assertEquals(EXIT_NAMES.filter((name) => name).length, Object.keys(EXIT).length);
});

Deno.test("ioQualification() is as the SDM lays it out", () => {
  const io = { ...newVmExit(), reason: EXIT.IO_INSTRUCTION };
  // out 0xf4, al
  assertEquals(ioQualification({ ...io, port: 0xf4, write: true, immediate: true }), 0x00f4_0040);
  // in eax, dx
  assertEquals(ioQualification({ ...io, port: 0xcfc, size: 4 }), 0x0cfc_000b);
  // rep insw
  const string = { string: true, count: 256 };
  assertEquals(ioQualification({ ...io, ...string, port: 0x1f0, size: 2 }), 0x01f0_0039);
});
