import { assertEquals } from "@std/assert";
import { CpuBench } from "../../helpers/cpu.ts";

/** l: add ebx, imm32, which lies at 1ffd; dec ecx; jnz l; hlt. */
function looping(): CpuBench {
  const bench = new CpuBench();
  bench.load("protected32", 0x1ffd, "81c301000000 49 75f7 f4");
  bench.cpu.state.regs[1] = 1000;
  assertEquals(bench.run(300), 300);
  return bench;
}

Deno.test("StraddlingCode.find() takes no instruction whose bytes on either page have changed", () => {
  for (const [at, byte, sum] of [[0x1fff, 2, 100 + 2 * 900], [0x2000, 1, 100 + 0x101 * 900]]) {
    const bench = looping();
    bench.ram[at!] = byte!;
    bench.cpu.invalidateCode(bench.cpu.ram.base + at!, 1);
    bench.run(5000);
    assertEquals([bench.cpu.halted, bench.cpu.state.regs[3]], [true, sum]);
  }
});
