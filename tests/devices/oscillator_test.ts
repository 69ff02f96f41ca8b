import { assertEquals } from "@std/assert";
import { ticksIn, timeOfTick } from "../../devices/oscillator.ts";

const HERTZ = [32_768, 1_193_182, 3_579_545];

Deno.test("timeOfTick() is the first nanosecond at which ticksIn() counts the tick", () => {
  for (const hz of HERTZ) {
    for (const tick of [1, 2, 3, hz - 1, hz, hz + 1, 86_400 * hz + 7, 100 * 86_400 * hz - 1]) {
      const time = timeOfTick(tick, hz);
      assertEquals(
        [ticksIn(time - 1, hz), ticksIn(time, hz)],
        [tick - 1, tick],
        `${tick}, ${hz} Hz`,
      );
    }
  }
});

Deno.test("ticksIn() is exact in whole seconds, however late", () => {
  for (const hz of HERTZ) assertEquals(ticksIn(9_000_000e9, hz), 9_000_000 * hz);
});
