import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../core/errors.ts";
import type { Machine } from "../../../core/machine/machine.ts";
import { boot, flatGuest } from "../../helpers/small_machine.ts";

/** PM1 status, and the power button's bit there. */
const PM1_STATUS = 0x600;
const PWRBTN_STS = 0x100;
const SHUTDOWN = { verb: "shutdown", fallback: false, checkpoint: false } as const;

/** A guest that knows nothing of Xen: each start sends a byte to port E9. */
function newMachine(type: "pc" | "xenfv" = "xenfv") {
  const starts: number[] = [];
  const machine = boot(flatGuest(0xb0, 0x41, 0xe6, 0xe9, 0xeb, 0xfe), {
    machine: type,
    reboot: "reset",
    onDebugByte: (byte) => starts.push(byte),
  });
  machine.runSlice();
  return { machine, starts };
}

function isPressed(machine: Machine): boolean {
  return (machine.inspector.readPort(PM1_STATUS, 2) & PWRBTN_STS) !== 0;
}

Deno.test("system_powerdown presses the power button of either board", () => {
  for (const type of ["pc", "xenfv"] as const) {
    const { machine } = newMachine(type);
    assertEquals(isPressed(machine), false);
    machine.toolstack({ verb: "system_powerdown" });
    assertEquals(isPressed(machine), true);
  }
});

Deno.test("system_reset starts either board again", () => {
  for (const type of ["pc", "xenfv"] as const) {
    const { machine, starts } = newMachine(type);
    machine.toolstack({ verb: "system_reset" });
    for (let i = 0; i < 3; i++) machine.runSlice();
    assertEquals(starts.length, 2);
  }
});

Deno.test("shutdown without PV drivers takes ACPI when it may", () => {
  const { machine, starts } = newMachine();
  assertThrows(
    () => machine.toolstack({ ...SHUTDOWN, request: "poweroff" }),
    UsageError,
    "PV control interface not available",
  );
  assertEquals(isPressed(machine), false);
  machine.toolstack({ ...SHUTDOWN, request: "poweroff", fallback: true });
  assertEquals(isPressed(machine), true);
  machine.toolstack({ ...SHUTDOWN, request: "reboot", fallback: true });
  for (let i = 0; i < 3; i++) machine.runSlice();
  assertEquals(starts.length, 2);
});

Deno.test("A guest without PV drivers cannot be suspended, -F or not", () => {
  const { machine, starts } = newMachine();
  for (const fallback of [false, true]) {
    const { hint } = assertThrows(
      () => machine.toolstack({ ...SHUTDOWN, request: "suspend", fallback }),
      UsageError,
      "PV control interface not available: external suspend not possible",
    );
    assertEquals(hint, "it takes a kernel with PV drivers");
  }
  machine.runSlice();
  assertEquals([isPressed(machine), starts.length], [false, 1]);
});

Deno.test("What xl does is refused where the machine hides Xen", () => {
  const { machine } = newMachine("pc");
  for (
    const command of [{ ...SHUTDOWN, request: "reboot" }, { verb: "sysrq", key: "h" }] as const
  ) {
    const message = `Cannot ${command.verb}: the machine hides Xen`;
    assertThrows(() => machine.toolstack(command), UsageError, message);
  }
});
