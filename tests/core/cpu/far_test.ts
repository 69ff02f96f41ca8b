import { assertEquals } from "@std/assert";
import { AT, SEG, SS } from "../../../core/cpu/state.ts";
import { CpuBench, firstException } from "../../helpers/cpu.ts";
import { SELECTOR, STACK, TABLE, Tables } from "../../helpers/tables.ts";

const INVALID_TSS = 10, STACK_FAULT = 12;
const GATE = 0x38, PARAMETERS = 2, ENTRY = 0x4000;

/** Ring 3 in front of CALL 38:0, a gate to ring 0 with two parameters on a stack that holds one. */
function beforeCall(): Tables {
  const tables = new Tables(new CpuBench());
  tables.load(3, 0x5000, "9a 00000000 3800");
  const { cpu, view } = tables.bench;
  view.setUint32(TABLE.GDT + GATE, SELECTOR.CODE0 << 16 | ENTRY, true);
  view.setUint32(TABLE.GDT + GATE + 4, 0xec00 | PARAMETERS, true);
  cpu.state.set(AT.GDT_LIMIT, GATE + 7);
  cpu.state.setSeg(SS, SEG.SPAN, STACK.OTHER + 3);
  return tables;
}

Deno.test("callFar() through a gate checks the inner stack before it reads the parameters", () => {
  const tables = beforeCall();
  const { view } = tables.bench;
  assertEquals(firstException(tables.bench, 1)?.vector, STACK_FAULT);
  view.setUint32(TABLE.A + 8, SELECTOR.DATA3, true);
  const raised = firstException(tables.bench, 1);
  assertEquals([raised?.vector, raised?.code], [INVALID_TSS, SELECTOR.DATA3 & ~3]);
});
