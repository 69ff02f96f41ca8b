import { assertEquals } from "@std/assert";
import { SteppedCode } from "../../../core/cpu/stepped.ts";
import { CpuBench } from "../../helpers/cpu.ts";

const EAX = 0;

Deno.test("Cpu.step() executes a known instruction as it is now, not as it was", () => {
  const bench = new CpuBench();
  bench.load("protected32", 0x1000, "40"); // inc eax
  const step = () => {
    bench.cpu.state.eip = 0x1000;
    bench.cpu.step();
    return bench.cpu.state.regs[EAX];
  };
  assertEquals([step(), step()], [1, 2]);
  bench.ram[0x1000] = 0x48; // dec eax
  assertEquals([step(), step()], [1, 0]);
  bench.ram.set([0x83, 0xc0, 0x05], 0x1000); // add eax, 5
  assertEquals([step(), step()], [5, 10]);
  bench.ram[0x1002] = 0x07; // add eax, 7
  assertEquals(step(), 17);
});

Deno.test("Cpu.step() takes a known instruction for another where its address is the same", () => {
  const bench = new CpuBench();
  bench.load("protected32", 0x1000, "b8 01 00 00 00"); // mov eax, 1
  bench.ram.set([0xb8, 0x02, 0x00, 0x00, 0x00], 0x200c); // the same slot: mov eax, 2
  for (const _ of [1, 2]) {
    for (const [eip, value] of [[0x1000, 1], [0x200c, 2]] as const) {
      bench.cpu.state.eip = eip;
      bench.cpu.step();
      assertEquals(bench.cpu.state.regs[EAX], value);
    }
  }
});

Deno.test("SteppedCode.find() decodes again in another mode", () => {
  const bench = new CpuBench();
  bench.load("protected32", 0x1000, "40");
  const { state, mmu } = bench.cpu;
  const stepped = new SteppedCode(state, mmu);
  const insn = { pc: 0x1000, next: 0x1001 } as Parameters<SteppedCode["note"]>[0];
  stepped.note(insn, 1);
  assertEquals([stepped.find(1), stepped.find(0)], [insn, undefined]);
  stepped.note({ ...insn, pc: 0x1fff, next: 0x2001 }, 1);
  state.eip = 0x1fff;
  assertEquals(stepped.find(1), undefined, "it lies on two pages");
});
