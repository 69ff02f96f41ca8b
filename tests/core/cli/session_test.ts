import { assertEquals, assertThrows } from "@std/assert";
import { parseArgs } from "../../../core/cli/args.ts";
import type { CommonOptions } from "../../../core/cli/common_args.ts";
import { choosePresets } from "../../../core/cli/session.ts";
import { UsageError } from "../../../core/errors.ts";

const options = (...args: string[]) => parseArgs(["run", "g", ...args]) as CommonOptions;

Deno.test("choosePresets() finds processor and presets by name", () => {
  const chosen = choosePresets(options("-cpu", "pentium4", "-cost", "xen-2007", "-media", "hdd"));
  assertEquals(
    [chosen.cpu, chosen.cost.name, chosen.media.name],
    ["pentium4", "xen-2007", "hdd"],
  );
});

for (const option of ["cpu", "cost", "media"]) {
  Deno.test(`choosePresets() refuses an unknown --${option}, a name of every object too`, () => {
    for (const name of ["pentium9", "constructor", ""]) {
      const error = assertThrows(() => choosePresets(options(`--${option}=${name}`)), UsageError);
      assertEquals(error.message, `Cannot find --${option} "${name}": there is none`);
      assertEquals(error.exitCode, 2);
    }
  });
}
