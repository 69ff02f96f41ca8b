import { assertEquals } from "@std/assert";
import { sameSegment } from "../../../core/cpu/same_segment.ts";
import { AT, CR0, DS, FLAG, SEG } from "../../../core/cpu/state.ts";
import { CpuBench, firstException } from "../../helpers/cpu.ts";
import { SELECTOR, TABLE, Tables } from "../../helpers/tables.ts";

const DATA = TABLE.GDT + SELECTOR.DATA0;

/** Ring 0, after `mov ds, ax` with its own data selector, so that the TLB knows the table. */
function loaded(): CpuBench {
  const tables = new Tables(new CpuBench());
  tables.load(0, 0x4000, "8ed8 8ed8 a100050000 f4"); // mov ds, ax; mov ds, ax; mov eax, [500]; hlt
  tables.bench.cpu.state.regs[0] = SELECTOR.DATA0;
  tables.bench.run(1);
  return tables.bench;
}

/** What generated code says of a load of DS. */
function holds({ cpu }: CpuBench, selector: number): unknown {
  const { holdsSegment } = sameSegment.instantiate(cpu.state, {});
  return (holdsSegment as (at: number, selector: number) => number)(
    AT.SEGS + DS * SEG.STRIDE,
    selector,
  );
}

Deno.test("HOLDS_SEGMENT is true of the selector whose descriptor is still the same", () => {
  const bench = loaded();
  assertEquals(holds(bench, SELECTOR.DATA0), 1);
  for (const other of [SELECTOR.DATA3, SELECTOR.DATA0 | 4, 0]) {
    assertEquals(holds(bench, other), 0);
  }
});

/** What changes between two loads. */
const CHANGES: Readonly<Record<string, (bench: CpuBench) => void>> = {
  "its limit": ({ ram }) => ram[DATA] = 0xfe,
  "its granularity": ({ ram }) => ram[DATA + 6]! &= 0x7f,
  "its base": ({ ram }) => ram[DATA + 7] = 1,
  "its presence": ({ ram }) => ram[DATA + 5]! &= 0x7f,
  "its right to be written": ({ ram }) => ram[DATA + 5]! &= ~2,
  "the privilege": ({ cpu }) => cpu.state.set(AT.CPL, 3),
  "the table's limit": ({ cpu }) => cpu.state.set(AT.GDT_LIMIT, SELECTOR.DATA0 + 6),
  "virtual-8086 mode": ({ cpu }) => cpu.state.setFlag(FLAG.VM, true),
  "real mode": ({ cpu }) => cpu.state.cr[0]! &= ~CR0.PE,
  "the TLB": ({ cpu }) => cpu.flushTlb(),
};
for (const [what, change] of Object.entries(CHANGES)) {
  Deno.test(`HOLDS_SEGMENT is false when something has changed: ${what}`, () => {
    const bench = loaded();
    change(bench);
    assertEquals(holds(bench, SELECTOR.DATA0), 0);
  });
}

Deno.test("MOV DS loads a descriptor that has changed, in blocks of the old mode and the new", () => {
  const bench = loaded();
  bench.view.setUint32(DATA, 0x1000_00ff, true); // base 1000h, 100h bytes
  bench.view.setUint32(DATA + 4, 0x0040_9300, true);
  assertEquals(firstException(bench, 5), { vector: 13, code: 0, eip: 0x4004 });
  const { state } = bench.cpu;
  assertEquals([state.seg(DS, SEG.BASE), state.seg(DS, SEG.LIMIT)], [0x1000, 0xff]);
});
