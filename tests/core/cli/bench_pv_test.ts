import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { formatPv, measurePv, parsePvArgs, pvResults } from "../../../core/cli/bench_pv.ts";
import { PV_CASES } from "../../../core/cli/bench_pv_cases.ts";
import { UsageError } from "../../../core/errors.ts";

/** A round in which every request of a case takes as many microseconds as is said here. */
function round(microseconds: Readonly<Record<string, number>>) {
  return PV_CASES.map(({ name, count }) => ({
    ...{ name, check: 0, units: count, tsc: count * 1000 },
    cpuNs: count * (microseconds[name] ?? 100) * 1000,
  }));
}

Deno.test("parsePvArgs() knows where images are that are not named", () => {
  assertEquals(parsePvArgs([], "/k"), {
    ...{ kernel: "/k/vmlinux", initrd: "/k/initramfs.gz", rounds: 3, json: false },
  });
  assertEquals(parsePvArgs("--kernel a --initrd b --rounds 1 --json".split(" "), "/k"), {
    ...{ kernel: "a", initrd: "b", rounds: 1, json: true },
  });
  assertStringIncludes(String(parsePvArgs(["--help"], "/k")), "--initrd <file>");
  assertThrows(() => parsePvArgs(["--rounds", "0"], "/k"), UsageError);
});

Deno.test("pvResults() takes medians of rates, and of the ratios of each round", () => {
  const results = pvResults([
    round({ linux_ide_4k: 300, linux_pv_4k: 200 }),
    round({ linux_ide_4k: 600, linux_pv_4k: 500 }),
    round({ linux_ide_4k: 450, linux_pv_4k: 250 }),
  ]);
  assertEquals(results.map(({ name }) => name), PV_CASES.map(({ name }) => name));
  const { value, range, instructions, target, over } = results[1]!;
  assertEquals([value, range, instructions], [4000, [2000, 5000], 1000]);
  assertEquals(target, { of: "unit", value: 4500, met: false });
  assertEquals(over, {
    name: "linux_ide_4k",
    ratio: 1.5,
    target: { of: "unit", value: 1.4, met: true },
  });
  const large = results.find(({ name }) => name === "linux_pv_128k")!;
  assertEquals([large.value, large.target?.met], [1250, true], "MiB/s of 128 KiB in 100 us");
});

Deno.test("formatPv() says which targets are met", () => {
  const lines = formatPv({ rounds: 1, results: pvResults([round({ linux_pv_4k: 50 })]) })
    .split("\n").map((line) => line.replaceAll(/ +/g, " "));
  assertStringIncludes(lines[2]!, "20,000 20,000 20,000 IOPS >= 4,500: met 2.00 >= 1.4: met 1,000");
  assertStringIncludes(lines[5]!, "IOPS >= 150,000: NOT MET");
  assertEquals(lines.at(-2), "medians of 1 rounds; instructions a request");
});

Deno.test({
  name: "measurePv() says where kernels come from",
  ignore: Deno.permissions.querySync({ name: "read" }).state !== "granted",
  async fn() {
    const options = { kernel: "/none/vmlinux", initrd: "/none/i", rounds: 1, json: false };
    const error = await assertRejects(() => measurePv(options, "/none"), UsageError);
    assertEquals(error.message, 'Cannot boot Linux: there is no "/none/vmlinux"');
    assertStringIncludes(error.hint!, "deno task test:stock");
  },
});
