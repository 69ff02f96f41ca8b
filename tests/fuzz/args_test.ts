import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../core/errors.ts";
import { parseFuzzArgs } from "./args.ts";

Deno.test("parseFuzzArgs() runs ten seconds by chance unless told otherwise", () => {
  assertEquals(parseFuzzArgs(["cpu"]), { target: "cpu", seed: undefined, milliseconds: 10_000 });
});

Deno.test("parseFuzzArgs() repeats one case when there is a seed and no time", () => {
  assertEquals(parseFuzzArgs(["cpu", "--seed", "7"]), {
    target: "cpu",
    seed: 7,
    milliseconds: undefined,
  });
  const times = { "500ms": 500, "2": 2000, "1.5s": 1500, "3m": 180_000, "1h": 3_600_000 };
  for (const [time, milliseconds] of Object.entries(times)) {
    const options = parseFuzzArgs(["cpu", "--seed", "7", "--time", time]);
    assertEquals(options, { target: "cpu", seed: 7, milliseconds });
  }
});

Deno.test("parseFuzzArgs() refuses what it does not know, and says what works", () => {
  const wrong: readonly (readonly string[])[] = [
    [],
    ["gpu"],
    ["toString"],
    ["cpu", "--seed", "-1"],
    ["cpu", "--seed", "4294967296"],
    ["cpu", "--time", "soon"],
    ["cpu", "--frob"],
  ];
  for (const args of wrong) {
    const error = assertThrows(() => parseFuzzArgs(args), UsageError);
    assertStringIncludes(error.hint!, "deno task fuzz cpu");
  }
});
