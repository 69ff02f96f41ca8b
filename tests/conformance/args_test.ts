import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../core/errors.ts";
import { type ConformanceOptions, DEFAULT_FOLDERS, parseConformanceArgs } from "./args.ts";

Deno.test("parseConformanceArgs() judges the oracles in both tiers unless told otherwise", () => {
  const options = parseConformanceArgs([]);
  assertEquals(options, { paths: DEFAULT_FOLDERS, tiers: [1, 2], jobs: 2 });
});

Deno.test("parseConformanceArgs() takes folders relative to -C, a tier and jobs", () => {
  const options = parseConformanceArgs(
    ["-C", "/a/b", "c", "/d", "--tier", "2", "--jobs", "7"],
  ) as ConformanceOptions;
  assertEquals(options, { paths: ["/a/b/c", "/d"], tiers: [2], jobs: 7 });
});

Deno.test("parseConformanceArgs() refuses what it does not know, and says what works", () => {
  const wrong: readonly (readonly string[])[] = [
    ["--frob"],
    ["--tier", "3"],
    ["--tier", "toString"],
    ["--jobs", "0"],
    ["--jobs", "1e1"],
    ["--jobs"],
  ];
  for (const args of wrong) {
    const error = assertThrows(() => parseConformanceArgs(args), UsageError);
    assertStringIncludes(error.hint!, "deno task conformance");
  }
});

Deno.test("parseConformanceArgs() returns the help text when asked", () => {
  assertStringIncludes(parseConformanceArgs(["--help"]) as string, "--tier <1|2|both>");
});
