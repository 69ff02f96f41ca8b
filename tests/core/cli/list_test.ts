import { assertEquals, assertMatch } from "@std/assert";
import { listText } from "../../../core/cli/list.ts";
import { costPresets, cpuPresets, mediaPresets } from "../../../core/machine/storage.ts";

Deno.test("listText() has one line a preset and marks the default", async () => {
  const all = [["cpu", cpuPresets()], ["cost", costPresets()], ["media", mediaPresets()]] as const;
  for (const [what, presets] of all) {
    const lines = (await listText(what)).trimEnd().split("\n");
    assertEquals(lines.map((line) => line.split(/\s/)[0]), Object.keys(presets));
    assertEquals(lines.filter((line) => line.includes("(default)")).length, 1);
  }
});

Deno.test("listText() prints the JSON schema", async () => {
  assertMatch(await listText("schema"), /^\{\n {2}"\$schema": "https:\/\/json-schema.org/);
});
