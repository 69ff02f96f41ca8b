import { assertEquals, assertStringIncludes } from "@std/assert";
import { fuzz } from "./main.ts";

Deno.test("fuzz() prints the seed, what happened and how many cases there were", async () => {
  const lines: string[] = [];
  const options = { target: "cpu", seed: 4321, milliseconds: undefined };
  assertEquals(await fuzz(options, (line) => lines.push(line)), 0);
  assertEquals(lines[0], "fuzz cpu: seed 4321, this case alone");
  assertStringIncludes(lines.join("\n"), "instructions: ");
  assertEquals(lines.at(-1), "ok | 1 case");
});
