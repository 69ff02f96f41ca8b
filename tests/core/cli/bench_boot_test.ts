import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  bootResults,
  formatBoot,
  newestImages,
  parseBootArgs,
  readLinuxImage,
} from "../../../core/cli/bench_boot.ts";
import { benchInitrd } from "../../../core/cli/bench_initrd.ts";
import { UsageError } from "../../../core/errors.ts";

const measurement = (name: string, units: number, seconds: number) => {
  return { name, check: 0, units, tsc: 0, cpuNs: seconds * 1e9 };
};

const runs = new Map([
  ["trapring, vmlinux by PVH", [[measurement("init", 1, 3)], [measurement("init", 1, 5)]]],
  ["trapring, bzImage", [[measurement("init", 1, 7), measurement("dd_4k", 2048, 0.5)]]],
  ["QEMU TCG, bzImage", []],
  ["v86, bzImage", [[measurement("init", 1, 16), measurement("dd_128k", 256, 2)]]],
]);

Deno.test("bootResults() judges medians, the bzImage's by v86", () => {
  const [pvh, bz, dd, v86, v86Dd, ...rest] = bootResults(runs);
  assertEquals([pvh!.value, pvh!.target], [4, { of: "unit", value: 4, met: true }]);
  assertEquals([bz!.value, bz!.target], [7, { of: "v86", value: 2, met: true }]);
  assertEquals([dd!.value, dd!.unit, dd!.target!.met], [4096, "IOPS", true]);
  assertEquals([v86!.name, v86!.target], ["v86, bzImage", undefined]);
  assertEquals([v86Dd!.value, v86Dd!.unit, rest], [16, "MiB/s", []]);
});

Deno.test("formatBoot() has a block for each measure and says what was not measured", () => {
  const results = bootResults(runs);
  const text = formatBoot({ append: "quiet", rounds: 1, results, notes: ["QEMU: not there"] });
  assertStringIncludes(text, "trapring, vmlinux by PVH    4.00     <= 4: met\n");
  assertStringIncludes(text, "trapring, bzImage           7.00  2 x v86: met\n");
  assertStringIncludes(text, "v86, bzImage                         16\n");
  assertStringIncludes(text, "QEMU: not there\n");
});

Deno.test("parseBootArgs() finds images where they are kept unless they are named", () => {
  const parsed = parseBootArgs(["--kernel", "bz", "--rounds", "3"], "/k");
  assertEquals(parsed, {
    ...{ vmlinux: "/k/vmlinux", vmlinuz: "bz", initrd: "/k/initramfs.gz" },
    ...{ rounds: 3, json: false },
  });
  assertThrows(() => parseBootArgs(["--disk", "x"], "/k"), UsageError, "unknown option");
});

Deno.test("parseBootArgs() has help, whatever the environment may be asked", () => {
  assertStringIncludes(String(parseBootArgs(["--help"], "/k")), "--vmlinux <file>");
});

Deno.test("benchInitrd() puts an archive with another /init behind the user's", () => {
  const bytes = benchInitrd(Uint8Array.of(1, 2, 3, 4, 5));
  assertEquals([...bytes.subarray(0, 8)], [1, 2, 3, 4, 5, 0, 0, 0]);
  const archive = new TextDecoder().decode(bytes.subarray(8));
  assertEquals(archive.slice(0, 22), "07070100000001000081ed");
  assertEquals(archive.length % 4, 0);
  assertStringIncludes(archive, "\0init\0".slice(1));
  assertStringIncludes(archive, "#E dd_4k 00000000 00000800 0000000000000000");
  assertEquals(archive.indexOf("TRAILER!!!") > 0, true);
});

Deno.test({
  name: "newestImages() takes the images that were made last",
  ignore: Deno.permissions.querySync({ name: "write" }).state !== "granted",
  fn() {
    const folder = Deno.makeTempDirSync();
    try {
      assertEquals(newestImages(folder), `${folder}/linux`);
      for (const [name, seconds] of [["linux-a", 10], ["linux-b", 20], ["seabios", 30]] as const) {
        Deno.mkdirSync(`${folder}/${name}`);
        Deno.utimeSync(`${folder}/${name}`, seconds, seconds);
      }
      assertEquals(newestImages(folder), `${folder}/linux-b`);
      assertEquals(newestImages(`${folder}/none`), `${folder}/none/linux`);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "readLinuxImage() says what is wrong with a file",
  ignore: Deno.permissions.querySync({ name: "read" }).state !== "granted",
  fn() {
    const read = (path: string) => () => readLinuxImage(path, "a hint");
    assertThrows(read("/no/vmlinuz"), UsageError, 'there is no "/no/vmlinuz"');
    assertThrows(read(import.meta.dirname!), UsageError, "Is a directory");
  },
});
