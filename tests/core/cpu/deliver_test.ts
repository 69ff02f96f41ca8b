import { assertEquals } from "@std/assert";
import { AT, EBX, ESP, FLAG, SS } from "../../../core/cpu/state.ts";
import { CpuBench } from "../../helpers/cpu.ts";
import { SELECTOR, STACK, Tables } from "../../helpers/tables.ts";

const HANDLER = 0x6000;

Deno.test("deliver() sets EXT in the error code when an interrupt from outside has no gate", () => {
  const tables = new Tables(new CpuBench());
  const { bench } = tables;
  const raised: [number, number][] = [];
  tables.load(0, 0x4000, "90 cd31", FLAG.IF | 2); // nop; int 31
  tables.gate(13, "trap", SELECTOR.CODE0, HANDLER);
  bench.ram.set([0x83, 0xc4, 0x04, 0xcf], HANDLER); // add esp, 4; iret
  bench.cpu.onException = (vector, code) => raised.push([vector, code]);
  bench.host.vectors.push(0x30);
  bench.run(5);
  assertEquals(raised, [[13, 0x30 * 8 + 3], [13, 0x31 * 8 + 2]]);
});

Deno.test("deliver() to an inner ring checks neither alignment nor rights of the outer one", () => {
  const tables = new Tables(new CpuBench());
  const { bench } = tables;
  tables.load(3, 0x4000, "cd30", FLAG.AC | FLAG.IF | 2);
  tables.gate(0x30, "interrupt", SELECTOR.CODE0, HANDLER);
  const esp0 = STACK.RING0 + 1;
  bench.view.setUint32(0x3004, esp0, true);
  bench.run(1);
  const { state } = bench.cpu;
  assertEquals([state.eip, state.regs[ESP], state.selector(SS)], [HANDLER, esp0 - 20, 0x10]);
  const flags = FLAG.AC | FLAG.IF | 2;
  const frame = [0x4002, SELECTOR.CODE3, flags, STACK.OTHER, SELECTOR.DATA3];
  assertEquals(tables.words(esp0 - 20, 5), frame);
});

Deno.test("deliver() pushes its frame over code that has run, and the new code runs", () => {
  const tables = new Tables(new CpuBench());
  const { bench } = tables;
  // 4b49: int 30; jmp 4b60. 4b60: nop; nop; jmp 4b49, until the return address 4b4b lies there:
  // dec ebx; dec ebx; and the rest of the frame adds to memory at EAX.
  tables.load(0, 0x4b49, "cd30 eb13");
  bench.ram.set([0x90, 0x90, 0xeb, 0xe5], 0x4b60);
  bench.ram[0x4b6c] = 0xf4;
  tables.gate(0x30, "interrupt", SELECTOR.CODE0, HANDLER);
  bench.ram[HANDLER] = 0xcf;
  const { cpu } = bench;
  cpu.state.eip = 0x4b60;
  cpu.state.regs[ESP] = 0x4b6c;
  cpu.state.regs[0] = 0x7000;
  bench.run(20);
  assertEquals([cpu.halted, cpu.state.regs[EBX], cpu.shutdown], [true, 0xfffffffe, false]);
});

Deno.test("deliver() leaves virtual-8086 mode with a frame that IRET goes back by", () => {
  const tables = new Tables(new CpuBench());
  const { bench } = tables;
  const { state } = bench.cpu;
  tables.load(0, 0x4000, "cf");
  const eflags = FLAG.VM | FLAG.IOPL | FLAG.IF | 2;
  const frame = [0x10, 0xa00, eflags, 0x1000, 0xb00, 0x111, 0x222, 0x333, 0x444];
  frame.forEach((word, n) => bench.view.setUint32(STACK.RING0 - 36 + n * 4, word, true));
  state.regs[ESP] = STACK.RING0 - 36;
  bench.ram.set([0xcd, 0x21, 0x43, 0xf4], 0xa010); // int 21; inc bx; hlt
  tables.gate(0x21, "interrupt", SELECTOR.CODE0, HANDLER);
  tables.gate(13, "interrupt", SELECTOR.CODE0, HANDLER + 1);
  bench.ram.set([0xcf, 0xf4], HANDLER); // iret; hlt
  bench.run(2);
  assertEquals([state.eip, state.cpl, state.flag(FLAG.VM)], [HANDLER, 0, false]);
  assertEquals(tables.words(STACK.RING0 - 36, 9), [0x12, ...frame.slice(1)]);
  assertEquals([0, 3, 4, 5].map((segment) => state.selector(segment)), [0, 0, 0, 0]);
  bench.run(1);
  assertEquals([state.eip, state.cpl, state.flag(FLAG.VM)], [0x12, 3, true]);
  assertEquals([0, 3, 4, 5].map((segment) => state.selector(segment)), [
    0x111,
    0x222,
    0x333,
    0x444,
  ]);
  // HLT is privileged, and ring 3 is where virtual-8086 mode runs.
  bench.run(3);
  assertEquals([bench.cpu.halted, state.regs[EBX]], [true, 1]);
  assertEquals(tables.words(STACK.RING0 - 40, 2), [0, 0x13]);
  assertEquals(state.get(AT.CPL), 0);
});
