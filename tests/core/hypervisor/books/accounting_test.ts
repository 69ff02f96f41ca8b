import { assertEquals } from "@std/assert";
import { newVmExit } from "../../../../core/cpu/exit.ts";
import { Accounting } from "../../../../core/hypervisor/books/accounting.ts";
import { EXIT } from "../../../../core/types.ts";

Deno.test("Accounting.exitCounts() names what happened, keys sorted", () => {
  const accounting = new Accounting();
  accounting.exit({ ...newVmExit(), reason: EXIT.IO_INSTRUCTION, rip: 0x100 });
  accounting.port(0x1f7, false, 1);
  accounting.exit({ ...newVmExit(), reason: EXIT.IO_INSTRUCTION, rip: 0x102 });
  accounting.port(0x1f0, false, 256);
  accounting.exit({ ...newVmExit(), reason: EXIT.IO_INSTRUCTION, rip: 0x104 });
  accounting.port(0xc100, true, 1);
  accounting.eventExit(EXIT.INTERRUPT_WINDOW, 0x106, 0);
  assertEquals(accounting.exitCounts(), {
    total: 4,
    byReason: { INTERRUPT_WINDOW: 1, IO_INSTRUCTION: 3 },
    byPort: { "0x1f0:in": 1, "0x1f7:in": 1, "0xc100:out": 1 },
  });
  assertEquals(Object.keys(accounting.exitCounts().byReason), [
    "INTERRUPT_WINDOW",
    "IO_INSTRUCTION",
  ]);
  assertEquals(accounting.portItems, 258);
});

Deno.test("Accounting.guestError() counts all and keeps the last eight", () => {
  const accounting = new Accounting();
  for (let i = 0; i < 9; i++) accounting.guestError("ide", `mistake ${i}`);
  assertEquals(accounting.guestErrors, 9);
  assertEquals(accounting.recentErrors[0], { source: "ide", text: "mistake 1" });
  assertEquals(accounting.recentErrors.length, 8);
});
