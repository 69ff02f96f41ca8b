import { assertEquals } from "@std/assert";
import { Accounting } from "../../../core/hypervisor/accounting.ts";
import { EXIT } from "../../../core/types.ts";

Deno.test("Accounting.exitCounts() names what happened, keys sorted", () => {
  const accounting = new Accounting();
  accounting.exit(EXIT.IO_INSTRUCTION, 0x100);
  accounting.port(0x1f7, false, 1);
  accounting.exit(EXIT.IO_INSTRUCTION, 0x102);
  accounting.port(0x1f0, false, 256);
  accounting.exit(EXIT.IO_INSTRUCTION, 0x104);
  accounting.port(0xc100, true, 1);
  accounting.exit(EXIT.HLT, 0x106);
  assertEquals(accounting.exitCounts(), {
    total: 4,
    byReason: { HLT: 1, IO_INSTRUCTION: 3 },
    byPort: { "0x1f0:in": 1, "0x1f7:in": 1, "0xc100:out": 1 },
  });
  assertEquals(Object.keys(accounting.exitCounts().byReason), ["HLT", "IO_INSTRUCTION"]);
  assertEquals(accounting.portItems, 258);
});

Deno.test("Accounting.recentExits() shows the last eight, oldest first", () => {
  const accounting = new Accounting();
  assertEquals(accounting.recentExits(), []);
  for (let i = 0; i < 10; i++) accounting.exit(EXIT.CPUID, 0x7c00 + i);
  const lines = accounting.recentExits();
  assertEquals(lines.length, 8);
  assertEquals([lines[0], lines[7]], ["CPUID at 00007c02", "CPUID at 00007c09"]);
  accounting.exit(EXIT.IO_INSTRUCTION, 0x7c10, 0x1f70008);
  assertEquals(
    accounting.recentExits()[7],
    "IO_INSTRUCTION at 00007c10, qualification 01f70008",
  );
});

Deno.test("Accounting.guestError() counts all and keeps the last eight", () => {
  const accounting = new Accounting();
  for (let i = 0; i < 9; i++) accounting.guestError("ide", `mistake ${i}`);
  assertEquals(accounting.guestErrors, 9);
  assertEquals(accounting.recentErrors[0], { source: "ide", text: "mistake 1" });
  assertEquals(accounting.recentErrors.length, 8);
});
