import { assertAlmostEquals, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { benchCommand, parseBenchArgs } from "../../../core/cli/bench.ts";
import { assemble, imageBytes } from "../../../core/cli/bench_image.ts";
import { MarkReader, type Measurement } from "../../../core/cli/bench_marks.ts";
import {
  buildBenchRecord,
  formatBench,
  geometricMean,
  rateOf,
  sectionResults,
} from "../../../core/cli/bench_result.ts";
import { BENCH_SUITES } from "../../../core/cli/bench_suites.ts";
import { UsageError } from "../../../core/errors.ts";

const [cpu, disk] = BENCH_SUITES;

const canRead = Deno.permissions.querySync({ name: "read" }).state === "granted";

function say(reader: MarkReader, text: string): void {
  for (const byte of new TextEncoder().encode(text)) reader.push(byte);
}

function measured(name: string, part: Partial<Measurement> = {}): Measurement {
  return { name, check: 0, units: 1, tsc: 1000, cpuNs: 1000, ...part };
}

Deno.test("MarkReader.push() takes the CPU time between the two marks of a section", () => {
  let now = 100;
  const reader = new MarkReader(() => now);
  say(reader, "#BOOT\n#B sieve\n");
  now = 350;
  say(reader, "#E sieve 00014069 00000014 000000010e6b770c\n");
  assertEquals(reader.measurements, [
    { name: "sieve", check: 0x14069, units: 20, tsc: 0x10e6b770c, cpuNs: 250 },
  ]);
  assertEquals(reader.messages, []);
});

Deno.test("MarkReader.done tells a guest that ended from one that gave up", () => {
  const reader = new MarkReader(() => 0);
  say(reader, "#B pio_4k_random\n#IDEERR 00000051\r\n");
  assertEquals(reader.done, false);
  assertEquals(reader.messages, ["#IDEERR 00000051"]);
  say(reader, "#DONE\n");
  assertEquals(reader.done, true);
});

Deno.test("rateOf() relates work to CPU seconds in the section's unit", () => {
  const check = { full: 0, quick: 0 };
  const half = { tsc: 50_000_000, units: 2 << 20, cpuNs: 500_000_000 };
  const rate = (section: Parameters<typeof rateOf>[0]) => rateOf(section, measured("x", half));
  assertEquals(rate({ name: "x", unit: "MIPS", check }), 100);
  assertEquals(rate({ name: "x", unit: "MiB/s", unitBytes: 1, check }), 4);
  assertEquals(rate({ name: "x", unit: "IOPS", check }), 4 << 20);
  assertAlmostEquals(rate({ name: "x", unit: "ns/op", check }), 238.4, 0.1);
});

Deno.test("geometricMean() is the root of the product", () => {
  assertAlmostEquals(geometricMean([2, 8]), 4);
  assertAlmostEquals(geometricMean([100, 100, 100]), 100);
});

Deno.test("buildBenchRecord() means integer kernels only, and none without them", () => {
  const measurements = [
    measured("sieve", { tsc: 200_000 }),
    measured("fib", { tsc: 50_000 }),
    measured("fill", { tsc: 1 }),
    measured("in_1f7"),
  ];
  const record = buildBenchRecord("full", [cpu!], sectionResults(cpu!, "full", measurements));
  assertAlmostEquals(record.geometricMeanMips!, 100_000);
  assertEquals(record.sections.length, 4);
  assertEquals(buildBenchRecord("full", [disk!], []).geometricMeanMips, undefined);
});

Deno.test("sectionResults() takes the check value of the mode", () => {
  const right = [measured("crc32", { check: 0x3389d48b })];
  const [quick] = sectionResults(cpu!, "quick", right);
  const [full] = sectionResults(cpu!, "full", right);
  assertEquals(quick!.check, quick!.expected);
  assertEquals([full!.check, full!.expected], ["3389d48b", "90217af8"]);
});

Deno.test("formatBench() shows a wrong check value, the target, and what was left out", () => {
  const measurements = [measured("crc32"), measured("sieve", { check: 0x14069 })];
  const sections = sectionResults(cpu!, "full", measurements);
  const text = formatBench(buildBenchRecord("full", [cpu!], sections));
  assertStringIncludes(text, "00000000, not 90217af8");
  assertStringIncludes(text, "geometric mean, integer  1,000");
  assertStringIncludes(text, "10.00\n");
  assertStringIncludes(text, "fpu: left out, no x87 yet\n");
});

Deno.test("BENCH_SUITES names every section once", () => {
  const names = BENCH_SUITES.flatMap(({ sections }) => sections.map(({ name }) => name));
  assertEquals(new Set(names).size, names.length);
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

Deno.test("parseBenchArgs() runs both guests in full unless told otherwise", () => {
  const names = (args: string[]) => {
    const options = parseBenchArgs(args);
    return typeof options === "string" ? [] : options.suites.map(({ name }) => name);
  };
  assertEquals(names([]), ["cpu", "disk"]);
  assertEquals(names(["disk", "--quick"]), ["disk"]);
  assertEquals(parseBenchArgs(["--quick", "--json", "cpu"]), {
    suites: [cpu!],
    mode: "quick",
    json: true,
  });
});

Deno.test("parseBenchArgs() refuses what it does not know and says what there is", () => {
  for (const args of [["gpu"], ["--fast"], ["cpu", "disk"]]) {
    const error = assertThrows(() => parseBenchArgs(args), UsageError);
    assertStringIncludes(error.hint ?? "", "cpu|disk");
  }
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
