import { assertEquals, assertMatch } from "@std/assert";
import { listText } from "../../../core/cli/list.ts";
import { costPresets, mediaPresets } from "../../../core/machine/storage.ts";

Deno.test("listText() has one line a preset and marks the default", async () => {
  for (const [what, presets] of [["cost", costPresets()], ["media", mediaPresets()]] as const) {
    const lines = (await listText(what)).trimEnd().split("\n");
    assertEquals(lines.map((line) => line.split(/\s/)[0]), Object.keys(presets));
    assertEquals(lines.filter((line) => line.includes("(default)")).length, 1);
  }
});

Deno.test("listText() prints the JSON schema", async () => {
  assertMatch(await listText("schema"), /^\{\n {2}"\$schema": "https:\/\/json-schema.org/);
});
