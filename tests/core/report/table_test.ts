import { assertEquals } from "@std/assert";
import { duration, formatTable, grouped } from "../../../core/report/table.ts";

Deno.test("formatTable() aligns the first column left and the others right", () => {
  const text = formatTable([["", "one", "two"], ["row", "1"], [], ["longer", "22", "333"]]);
  assertEquals(text, "        one  two\nrow       1\n\nlonger   22  333\n");
});

Deno.test("grouped() separates thousands", () => {
  assertEquals([0, 999, 1000, 1234567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
});

Deno.test("duration() chooses the unit", () => {
  assertEquals(
    [7, 1500, 2_500_000, 3_000_000_000].map(duration),
    ["7 ns", "1.50 us", "2.50 ms", "3.000 s"],
  );
  assertEquals(
    [999_994, 999_995, 999_994_999, 999_995_000].map(duration),
    ["999.99 us", "1.00 ms", "999.99 ms", "1.000 s"],
  );
});
