import { assertEquals } from "@std/assert";
import { CR0, FLAG, NULL_ATTR } from "../../../core/cpu/state.ts";
import { CpuBench } from "../../helpers/cpu.ts";
import { loadState, type Segment } from "../../helpers/cpu_state.ts";

const GDT = 0x1000, IDT = 0x2000, HANDLER = 0x3000, CODE = 0x4000;
/** Flat, for ring 3. */
const CODE3: Segment = [0xb, 0, 0xffffffff, 0xc0fb];
const DATA3: Segment = [0x13, 0, 0xffffffff, 0xc0f3];
const NONE: Segment = [0, 0, 0, NULL_ATTR];

Deno.test("raise() shuts down when #AC recurs on the stack that its handler must use", () => {
  const bench = new CpuBench();
  const raised: number[] = [];
  bench.cpu.onException = (vector) => raised.push(vector);
  const begin = (esp: number): void => {
    bench.load("protected32", CODE, "0f0b"); // ud2
    bench.view.setBigUint64(GDT + 8, 0x00cffb000000ffffn, true);
    for (const vector of [6, 17]) {
      bench.view.setUint32(IDT + vector * 8, 0xb << 16 | HANDLER, true);
      bench.view.setUint32(IDT + vector * 8 + 4, 0x8e00, true);
    }
    loadState(bench.cpu, bench.ram, {
      r: [0, 0, 0, 0, esp, 0, 0, 0],
      ip: CODE,
      fl: FLAG.AC | 2,
      s: [DATA3, CODE3, DATA3, DATA3, DATA3, DATA3],
      ldt: NONE,
      tr: NONE,
      gdt: [GDT, 0xf],
      idt: [IDT, 0x7ff],
      cr: [CR0.PE | CR0.ET | CR0.AM, 0, 0, 0],
    }, 3);
    raised.length = 0;
  };
  begin(0x8000);
  bench.run(1);
  assertEquals([bench.cpu.state.eip, bench.cpu.shutdown, raised], [HANDLER, false, [6]]);
  begin(0x8001);
  bench.run(1);
  assertEquals([bench.cpu.shutdown, raised.slice(0, 3)], [true, [6, 17, 17]]);
});
