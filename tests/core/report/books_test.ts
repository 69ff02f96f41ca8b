import { assertEquals } from "@std/assert";
import { BOOK_LABELS, DOM0_LABELS, formatBooks } from "../../../core/report/books.ts";
import { COST_KINDS, DOM0_COST_KINDS } from "../../../core/types.ts";
import { boot, flatGuest, outb } from "../../helpers/small_machine.ts";

Deno.test("formatBooks() shows every book, and that the vCPU's add up to what has elapsed", () => {
  const machine = boot(flatGuest(...outb(0x3f8, 0x41), 0xeb, 0xfe));
  machine.runSlice();
  const [head, columns, ...lines] = formatBooks(machine.counters()).trimEnd().split("\n");
  assertEquals(head, "1.00 ms of virtual time");
  assertEquals(columns!.split(/\s+/), ["TIME", "ns", "Time%"]);
  const own = lines.slice(0, COST_KINDS.length + 1).map((line) => {
    const [label = "", ns = ""] = line.split(/\s{2,}/);
    return [label, Number(ns.replaceAll(",", ""))] as const;
  });
  const labels = COST_KINDS.map((kind) => BOOK_LABELS[kind]);
  assertEquals(own.map(([label]) => label), [...labels, "elapsed"]);
  assertEquals(own.at(-1)![1], machine.now);
  assertEquals(own.slice(0, -1).reduce((sum, [, ns]) => sum + ns, 0), machine.now);
  for (const kind of DOM0_COST_KINDS) {
    assertEquals(lines.some((line) => line.startsWith(`${DOM0_LABELS[kind]} `)), true, kind);
  }
});
