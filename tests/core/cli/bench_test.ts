import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { benchCommand, parseBenchArgs } from "../../../core/cli/bench.ts";
import { assemble, imageBytes } from "../../../core/cli/bench_image.ts";
import { BENCH_SUITES } from "../../../core/cli/bench_suites.ts";
import { UsageError } from "../../../core/errors.ts";

const canRead = Deno.permissions.querySync({ name: "read" }).state === "granted";

Deno.test("BENCH_SUITES names every section of a suite once", () => {
  for (const { name: suite, sections } of BENCH_SUITES) {
    const names = sections.map(({ name }) => name);
    assertEquals(new Set(names).size, names.length, suite);
  }
});

Deno.test("BENCH_SUITES counts the instructions of what is given in MIPS, and of nothing else", () => {
  for (const { unit, instructions, name } of BENCH_SUITES.flatMap(({ sections }) => sections)) {
    assertEquals(instructions !== undefined, unit === "MIPS", name);
  }
});

Deno.test("imageBytes() gives every sector behind the first MiB words of its own", () => {
  const bytes = imageBytes(Uint8Array.of(0xfa, 0x31), true);
  const view = new DataView(bytes.buffer);
  assertEquals(bytes.length, 66 << 20);
  assertEquals([...bytes.subarray(0, 3)], [0xfa, 0x31, 0]);
  assertEquals(view.getUint32(2047 * 512 + 508, true), 0);
  assertEquals(view.getUint32(2048 * 512, true), (2048 * 0x9e3779b1) % 2 ** 32);
  const last = (67583n * 0x9e3779b1n + 127n * 0x85ebca6bn) & 0xffffffffn;
  assertEquals(view.getUint32(67583 * 512 + 508, true), Number(last));
});

Deno.test("parseBenchArgs() runs both guests in full, three times, unless told otherwise", () => {
  const options = (...args: string[]) => {
    const parsed = parseBenchArgs(args);
    if (typeof parsed === "string") throw new Error(parsed);
    const { suites, ...rest } = parsed;
    return { suites: suites.map(({ name }) => name), ...rest };
  };
  assertEquals(options(), {
    suites: ["cpu", "cpu-paging", "disk"],
    mode: "full",
    rounds: 3,
    json: false,
  });
  assertEquals(options("disk", "--quick").suites, ["disk"]);
  assertEquals(options("--quick", "--json", "--rounds", "1", "cpu"), {
    suites: ["cpu", "cpu-paging"],
    mode: "quick",
    rounds: 1,
    json: true,
  });
});

Deno.test("parseBenchArgs() refuses what it does not know and says what there is", () => {
  for (const args of [["gpu"], ["--fast"], ["cpu", "disk"], ["cpu-paging"]]) {
    const error = assertThrows(() => parseBenchArgs(args), UsageError);
    assertStringIncludes(error.hint ?? "", "cpu|disk");
  }
  assertThrows(() => parseBenchArgs(["--rounds", "0"]), UsageError, '--rounds "0"');
});

Deno.test("benchCommand() prints its help", async () => {
  let text = "";
  const stream = {
    writeSync: (bytes: Uint8Array) => {
      text += new TextDecoder().decode(bytes);
      return bytes.length;
    },
  };
  const code = await benchCommand(["--help"], { stdout: stream, stderr: stream, colour: false });
  assertEquals(code, 0);
  assertStringIncludes(text, "--quick");
});

Deno.test({
  name: "assemble() says which source is missing and where it comes from",
  ignore: !canRead,
  fn: () => {
    const options = { sources: "no/such", name: "cpu", defines: [], output: "no/such/cpu.bin" };
    const error = assertThrows(() => assemble(options), UsageError);
    assertStringIncludes(error.message, "no/such/cpu.asm");
    assertStringIncludes(error.hint ?? "", "shared/");
  },
});
