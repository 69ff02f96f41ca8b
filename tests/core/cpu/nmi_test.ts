import { assertEquals } from "@std/assert";
import { EXIT } from "../../../core/types.ts";
import { CpuBench } from "../../helpers/cpu.ts";

/** Real mode: vector 2 at 2000h. */
function bench(code: string, handler: string): CpuBench {
  const made = new CpuBench();
  made.load("real16", 0x1000, code);
  made.view.setUint32(2 * 4, 0x2000, true);
  made.ram.set(handler.split(" ").map((byte) => parseInt(byte, 16)), 0x2000);
  return made;
}

Deno.test("Cpu.raiseNmi() interrupts with IF = 0, once", () => {
  const made = bench("fa 40 40 40 f4", "43 cf"); // cli; inc ax × 3; hlt — inc bx; iret
  made.run(2);
  made.cpu.raiseNmi();
  made.cpu.raiseNmi();
  made.run(100);
  const { regs, eip } = made.cpu.state;
  assertEquals([regs[0], regs[3], eip, made.cpu.halted], [3, 1, 0x1005, true]);
  assertEquals(made.host.nmis, 1);
});

Deno.test("Cpu.raiseNmi() wakes a CPU that has halted with IF = 0", () => {
  const made = bench("fa f4 40 f4", "43 cf"); // cli; hlt; inc ax; hlt
  made.run(100);
  made.cpu.raiseNmi();
  assertEquals(made.cpu.nmiDue, true);
  made.run(100);
  const { regs, eip } = made.cpu.state;
  assertEquals([regs[0], regs[3], eip], [1, 1, 0x1004]);
});

Deno.test("Cpu.raiseNmi() waits for the IRET of an NMI's handler, and keeps one", () => {
  const made = bench("40 f4", "43 90 90 cf"); // inc ax; hlt — inc bx; nop; nop; iret
  made.cpu.raiseNmi();
  made.run(1);
  assertEquals([made.cpu.state.regs[3], made.cpu.nmiDue], [1, false]);
  made.cpu.raiseNmi();
  made.cpu.raiseNmi();
  assertEquals(made.cpu.nmiDue, false);
  made.run(100);
  assertEquals([made.cpu.state.regs[0], made.cpu.state.regs[3], made.host.nmis], [1, 2, 2]);
});

Deno.test("Cpu.raiseNmi() goes before an interrupt, and is held back behind MOV SS", () => {
  // sti; nop; mov ss, dx; mov sp, 0x9000; hlt
  const made = bench("fb 90 8ed2 bc0090 f4", "89 e3 cf"); // mov bx, sp; iret
  made.view.setUint32(0x20 * 4, 0x2100, true);
  made.ram.set([0x89, 0xe1, 0xcf], 0x2100); // mov cx, sp; iret
  made.run(3);
  made.host.vectors.push(0x20);
  made.cpu.raiseNmi();
  made.run(100);
  const { regs } = made.cpu.state;
  // The interrupt comes after the handler's IRET has let it in: at the same depth.
  assertEquals([regs[3], regs[1]], [0x9000 - 6, 0x9000 - 6]);
});

Deno.test("Cpu.raiseNmi() during an exit takes effect behind the instruction that made it", () => {
  const made = bench("e6e9 40 40 f4", "89 c3 cf"); // out 0e9h, al; inc ax × 2; hlt — mov bx, ax
  made.host.onExit = ({ reason }) => {
    if (reason === EXIT.IO_INSTRUCTION) made.cpu.raiseNmi();
  };
  made.cpu.state.regs[3] = 99;
  made.run(100);
  const { regs } = made.cpu.state;
  assertEquals([regs[0], regs[3]], [2, 0]);
});
