import { assertEquals } from "@std/assert";
import {
  COST_PRESETS,
  DEFAULT_COST,
  grantCopyTime,
  hypercallTime,
  tlbShootdownTime,
} from "../../../core/hypervisor/costs.ts";

Deno.test("COST_PRESETS are whole nanoseconds throughout, under their own names", () => {
  for (const [key, preset] of Object.entries(COST_PRESETS)) {
    assertEquals(preset.name, key);
    const numbers = [...Object.values(preset), ...Object.values(preset.hypercallWork)]
      .filter((value) => typeof value === "number");
    assertEquals(numbers.every((n) => Number.isSafeInteger(n) && n >= 0), true, key);
  }
});

Deno.test("COST_PRESETS turn cycles into time by the preset's clock rate", () => {
  assertEquals(COST_PRESETS["xen-4.17"]!.exitEntry, 667); // 2000 cycles at 3 GHz
  assertEquals(COST_PRESETS["xen-2007"]!.exitEntry, 1043); // 3963 cycles at 3.8 GHz
});

Deno.test("tlbShootdownTime() of the default preset is what 24 dom0 vCPUs were measured at", () => {
  const costs = COST_PRESETS[DEFAULT_COST]!;
  assertEquals(tlbShootdownTime(costs), 1541); // 1 / 650,000 IOPS = 1538 ns
  assertEquals(tlbShootdownTime({ ...costs, dom0Vcpus: 1 }), 0);
});

Deno.test("hypercallTime() and grantCopyTime() add what the operation itself does", () => {
  const costs = COST_PRESETS[DEFAULT_COST]!;
  assertEquals(hypercallTime(costs, "xen_version"), 100 + 33);
  assertEquals(hypercallTime(costs, "no such hypercall"), 100);
  assertEquals(grantCopyTime(costs, 2048) - grantCopyTime(costs, 0), 171);
});

Deno.test("The zero preset makes virtualization free", () => {
  const { exitEntry, ioreq, deviceAccess, grantMap, biosSector } = COST_PRESETS["zero"]!;
  assertEquals([exitEntry, ioreq, deviceAccess, grantMap, biosSector], [0, 0, 0, 0, 0]);
});
