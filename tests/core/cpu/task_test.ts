import { assertEquals } from "@std/assert";
import { AT, CR0, EAX, EBX, FLAG } from "../../../core/cpu/state.ts";
import { CpuBench } from "../../helpers/cpu.ts";
import { SELECTOR, STACK, TABLE, Tables } from "../../helpers/tables.ts";

const LINK = 0, EIP = 0x20, EFLAGS = 0x24, REGS = 0x28;

Deno.test("switchTask() runs a called task, and IRET goes on with its caller", () => {
  const tables = new Tables(new CpuBench());
  const { bench } = tables;
  tables.load(0, 0x4000, "9a 00000000 3000 43 f4"); // call 30:0; inc ebx; hlt
  tables.taskB(0x5000);
  bench.ram.set([0x40, 0xcf], 0x5000); // inc eax; iret
  bench.run(2);
  const { cpu } = bench;
  assertEquals([cpu.state.eip, tables.task, cpu.state.flag(FLAG.NT)], [0x5001, SELECTOR.B, true]);
  assertEquals([tables.access(SELECTOR.A), tables.access(SELECTOR.B)], [0x8b, 0x8b]);
  assertEquals(bench.view.getUint16(TABLE.B + LINK, true), SELECTOR.A);
  assertEquals(cpu.state.get(AT.CR) & CR0.TS, CR0.TS);
  bench.run(3);
  assertEquals([cpu.halted, tables.task, cpu.state.flag(FLAG.NT)], [true, SELECTOR.A, false]);
  assertEquals([tables.access(SELECTOR.A), tables.access(SELECTOR.B)], [0x8b, 0x89]);
  assertEquals([cpu.state.regs[EAX], cpu.state.regs[EBX]], [0, 1]);
  assertEquals(tables.words(TABLE.B + EIP, 2), [0x5002, 2]);
  assertEquals(tables.words(TABLE.B + REGS + EAX * 4, 1), [1]);
});

Deno.test("switchTask() jumps without a way back: the old task is free again", () => {
  const tables = new Tables(new CpuBench());
  tables.load(0, 0x4000, "ea 00000000 3000");
  tables.taskB(0x5000);
  tables.bench.run(1);
  assertEquals([tables.access(SELECTOR.A), tables.access(SELECTOR.B)], [0x89, 0x8b]);
  assertEquals(tables.words(TABLE.B + LINK, 1), [0]);
  assertEquals(tables.words(TABLE.A + EIP, 2), [0x4007, 2]);
});

Deno.test("raise() saves a double fault by a task of its own, with an error code on its stack", () => {
  const tables = new Tables(new CpuBench());
  const { bench } = tables;
  tables.load(0, 0x4000, "0f0b"); // ud2, and no gate but that of vector 8
  tables.taskB(0x5000);
  tables.gate(8, "task", SELECTOR.B);
  bench.run(1);
  const { cpu } = bench;
  assertEquals([cpu.shutdown, tables.task, cpu.state.eip], [false, SELECTOR.B, 0x5000]);
  assertEquals([cpu.state.regs[4], tables.words(STACK.OTHER - 4, 1)], [STACK.OTHER - 4, [0]]);
  assertEquals(tables.words(TABLE.A + EIP, 1), [0x4000]);
  assertEquals(tables.words(TABLE.A + EFLAGS, 1), [FLAG.RF | 2]);
});
