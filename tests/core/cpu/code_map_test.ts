import { assertEquals } from "@std/assert";
import { CodeMap } from "../../../core/cpu/code_map.ts";
import { CpuState, RAM_BASE } from "../../../core/cpu/state.ts";

const PAGE = RAM_BASE >>> 12;

Deno.test("CodeMap.overlaps() tells decoded bytes from their neighbours", () => {
  const map = new CodeMap(new CpuState(0x10000));
  map.clear(PAGE);
  map.mark(RAM_BASE + 30, 5);
  const found = [[20, 10], [20, 11], [34, 1], [35, 4000]].map(([at, length]) =>
    map.overlaps(RAM_BASE + at!, length!)
  );
  assertEquals(found, [false, true, true, false]);
});

Deno.test("CodeMap.close() has every store to the page looked at, and to no other", () => {
  const map = new CodeMap(new CpuState(0x10000));
  map.clear(PAGE);
  map.close(PAGE + 1);
  assertEquals(map.overlaps(RAM_BASE, 0x1000), false);
  assertEquals(map.overlaps(RAM_BASE + 0x1fff, 1), true);
  assertEquals(map.overlaps(RAM_BASE + 0x2000, 0x1000), false);
});
