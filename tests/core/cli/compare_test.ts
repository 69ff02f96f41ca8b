import { assertEquals } from "@std/assert";
import { compareDisks, type CompareDisksOptions } from "../../../core/cli/compare_disks.ts";
import { costPresets, mediaPresets, memoryDisk } from "../../../core/machine/storage.ts";
import { bootDisk, elf32, multibootHeader } from "../../helpers/guest_files.ts";

const MIB = 1 << 20;

/** A Multiboot kernel whose code writes AL values: marks to port 0x80, the last one to 0xf4. */
function kernel(marks: readonly number[], exitValue: number): Uint8Array {
  const code = [
    ...marks.flatMap((mark) => [0xb0, mark, 0xe6, 0x80]),
    ...[0xb0, exitValue, 0xe6, 0xf4],
  ];
  const header = multibootHeader(0);
  const bytes = new Uint8Array([...header, ...code]);
  return elf32(MIB + header.length, [{ vaddr: MIB, paddr: MIB, bytes }]);
}

function options(bytes: Uint8Array, more: Partial<CompareDisksOptions> = {}): CompareDisksOptions {
  return {
    guest: { name: "k.bin", bytes },
    disk: { name: "memory", backend: memoryDisk(bootDisk(64)) },
    cost: costPresets()["xen-4.17"]!,
    media: mediaPresets()["ssd"]!,
    op: "read",
    bs: 4096,
    count: 1,
    depth: 1,
    ramBytes: 4 * MIB,
    ...more,
  };
}

Deno.test("compareDisks() makes a path of each phase whose marks pair", async () => {
  const marks = [0x11, 0x40, 0x60, 0x21, 0x14, 0x40, 0x60, 0x24];
  const { record, failure } = await compareDisks(options(kernel(marks, 0x10)));
  assertEquals(failure, undefined);
  assertEquals(record?.paths.map(({ path, requests }) => [path, requests]), [
    ["ide-pio", 1],
    ["pv", 1],
  ]);
  // Between two marks lie mov and out, at one nanosecond each; the passed-through port does not exit.
  assertEquals(record?.paths[0]?.latencyNs.mean, 2);
  assertEquals(record?.paths[0]?.exits.total, 0);
  assertEquals(record?.sameData, true);
});

Deno.test("compareDisks() has no record when the guest fails, marks nothing or marks nonsense", async () => {
  const failure = async (bytes: Uint8Array) => (await compareDisks(options(bytes))).failure;
  assertEquals(
    await failure(kernel([0x11, 0x21], 0x11)),
    'Guest "k.bin" did not finish the comparison: guest-exit, code 35',
  );
  assertEquals(
    await failure(kernel([], 0x10)),
    'Cannot compare with guest "k.bin": it marked no phase at port 0x80',
  );
  assertEquals(
    await failure(kernel([0x11], 0x10)),
    'Cannot compare with guest "k.bin": its marks make no sense, phase ide-pio has no end mark',
  );
});

Deno.test("compareDisks() ends when the caller interrupts it or a limit is reached", async () => {
  const spin = kernel([0x11], 0x10);
  spin.set([0xeb, 0xfe], spin.length - 4);
  const interrupted = await compareDisks(options(spin, { interrupted: () => true }));
  assertEquals(interrupted.result.reason, "interrupted");
  const limited = await compareDisks(options(spin, { maxTime: 10_000 }));
  assertEquals([limited.result.code, limited.record], [124, undefined]);
});
