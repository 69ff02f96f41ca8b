import { assertEquals } from "@std/assert";
import { AT, CR0, CR4 } from "../../../core/cpu/state.ts";
import { CpuBench } from "../../helpers/cpu.ts";

const DIRECTORY = 0x10000, TABLE = 0x11000;
const P = 1, RW = 2, US = 4, A = 0x20, D = 0x40, PS = 0x80;

/** Code at 0x1000, ring 0, paging on, the first 128 KiB mapped one to one. */
function paged(code: string): CpuBench {
  const bench = new CpuBench();
  const { cpu, view } = bench;
  bench.load("protected32", 0x1000, code);
  view.setUint32(DIRECTORY, TABLE | P | RW | US, true);
  for (let page = 0; page < 32; page++) setEntry(bench, page, page << 12 | P | RW | US);
  cpu.state.set(AT.CR + 12, DIRECTORY);
  cpu.state.set(AT.CR, CR0.PE | CR0.PG | CR0.WP);
  cpu.flushTlb();
  return bench;
}

function setEntry(bench: CpuBench, page: number, value: number): void {
  bench.view.setUint32(TABLE + page * 4, value, true);
}

function entry(bench: CpuBench, page: number): number {
  return bench.view.getUint32(TABLE + page * 4, true);
}

/** Exceptions of a run that stops at the first. */
function firstFault(bench: CpuBench, budget: number): number[] | undefined {
  const { cpu } = bench;
  let seen: number[] | undefined;
  cpu.onException = (vector, code) => {
    seen = [vector, code, cpu.state.cr[2]!, cpu.state.eip];
    throw new RangeError("stop");
  };
  try {
    bench.run(budget);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return seen;
}

const LOAD = "a1 04500000 f4"; // mov eax, [5004]; hlt
const STORE = "a3 04500000 f4"; // mov [5004], eax; hlt

Deno.test("Mmu sets the accessed bit on a read and the dirty bit on the first write only", () => {
  const bench = paged(LOAD.replace("f4", "") + STORE);
  bench.run(1);
  assertEquals(entry(bench, 5) & (A | D), A);
  assertEquals(bench.view.getUint32(DIRECTORY, true) & (A | D), A);
  bench.run(1);
  assertEquals(entry(bench, 5) & (A | D), A | D);
  assertEquals(entry(bench, 6) & (A | D), 0);
});

Deno.test("Mmu refuses a supervisor write to a read-only page only while CR0.WP is set", () => {
  const bench = paged(STORE);
  setEntry(bench, 5, 0x5000 | P);
  assertEquals(firstFault(bench, 10), [14, 3, 0x5004, 0x1000]);
  const lenient = paged(STORE);
  setEntry(lenient, 5, 0x5000 | P);
  lenient.cpu.state.set(AT.CR, CR0.PE | CR0.PG);
  assertEquals(firstFault(lenient, 10), undefined);
  assertEquals(lenient.cpu.halted, true);
});

Deno.test("Mmu raises #PF with code 0 for a page that is not present", () => {
  const bench = paged(LOAD);
  setEntry(bench, 5, 0x5000);
  assertEquals(firstFault(bench, 10), [14, 0, 0x5004, 0x1000]);
  assertEquals(entry(bench, 5), 0x5000);
});

Deno.test("Mmu keeps a translation until INVLPG", () => {
  // mov eax, [5004]; mov ebx, [5004]; invlpg [5000]; mov ecx, [5004]; hlt
  const bench = paged("a104500000 8b1d04500000 0f013d00500000 8b0d04500000 f4");
  bench.view.setUint32(0x5004, 5, true);
  bench.view.setUint32(0x6004, 6, true);
  bench.run(1);
  setEntry(bench, 5, 0x6000 | P);
  bench.run(10);
  const { regs } = bench.cpu.state;
  assertEquals([regs[0], regs[3], regs[1]], [5, 5, 6]);
});

Deno.test("Mmu maps 4 MiB with one entry when CR4.PSE is set", () => {
  const bench = paged("a104504000 f4"); // mov eax, [405004]
  bench.view.setUint32(DIRECTORY + 4, P | RW | PS, true);
  bench.view.setUint32(0x5004, 0x1234, true);
  bench.cpu.state.set(AT.CR + 16, CR4.PSE);
  bench.run(10);
  assertEquals(bench.cpu.state.regs[0], 0x1234);
  assertEquals(bench.view.getUint32(DIRECTORY + 4, true) & (A | D), A);
});

Deno.test("Cpu.run() has EIP, registers and count right at a page fault in mid-block", () => {
  // mov ecx, 4f00; l: mov eax, [ecx]; add ecx, 0x40; inc ebx; push ebx; jmp l
  const bench = paged("b9004f0000 8b01 83c140 43 53 ebf7");
  setEntry(bench, 5, 0x5000);
  const fault = firstFault(bench, 1000);
  const { regs } = bench.cpu.state;
  assertEquals(fault, [14, 0, 0x5000, 0x1005]);
  assertEquals([regs[1], regs[3], regs[4]], [0x5000, 4, 0x8000 - 16]);
  // 1 + 4 × 5 have retired; the fault counts for the instruction that it ended.
  assertEquals(bench.host.left - bench.cpu.takeRetired(), 1000 - 21 - 1);
});

Deno.test("Cpu.run() changes nothing when a store across two pages faults on the second", () => {
  const bench = paged("893d fe4f0000 f4"); // mov [4ffe], edi
  bench.cpu.state.regs[7] = 0xffffffff;
  setEntry(bench, 5, 0x5000);
  assertEquals(firstFault(bench, 10), [14, 2, 0x5000, 0x1000]);
  assertEquals(bench.view.getUint16(0x4ffe, true), 0);
});

Deno.test("Cpu.run() runs the code that is mapped now, also through links of code that was", () => {
  // l: call 2000; dec ecx; jnz l; hlt; 2000 and 3000: add eax, 1 resp. 2; ret
  const bench = paged("e8fb0f0000 49 75f8 f4");
  bench.ram.set([0x83, 0xc0, 1, 0xc3], 0x2000);
  bench.ram.set([0x83, 0xc0, 2, 0xc3], 0x3000);
  const { state } = bench.cpu;
  state.regs[1] = 200;
  bench.run(5 * 100);
  assertEquals(state.regs[0], 100);
  setEntry(bench, 2, 0x3000 | P);
  bench.cpu.flushTlb();
  bench.run(5 * 100 + 1);
  assertEquals([state.regs[0], bench.cpu.halted], [300, true]);
});
