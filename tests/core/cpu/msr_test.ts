import { assertEquals } from "@std/assert";
import { FEATURE, profileFeatures } from "../../../core/cpu/cpuid.ts";
import { AT } from "../../../core/cpu/state.ts";
import { EXIT } from "../../../core/types.ts";
import { CpuBench, firstException } from "../../helpers/cpu.ts";

const RDMSR = "0f32", WRMSR = "0f30";
const I686 = profileFeatures("i686");

function bench(code: string, features: number, regs: { ecx: number; eax?: number; edx?: number }) {
  const made = new CpuBench(0x20000, [], { features });
  made.load("protected32", 0x1000, `${code} f4`);
  made.cpu.state.regs[1] = regs.ecx;
  made.cpu.state.regs[0] = regs.eax ?? 0;
  made.cpu.state.regs[2] = regs.edx ?? 0;
  return made;
}

Deno.test("writeMsr() moves the time stamp counter, all 64 bits of it", () => {
  const made = bench(`${WRMSR} 0f31`, I686, { ecx: 0x10, eax: 0xffffffff, edx: 5 });
  made.run(2);
  const { regs } = made.cpu.state;
  assertEquals([regs[0], regs[2]], [0, 6]); // one instruction later
});

Deno.test("writeMsr() moves the time stamp counter back, long after power-on", () => {
  const made = bench(`${WRMSR} 0f31`, I686, { ecx: 0x10, eax: 7 });
  made.host.timestamp = (retired) => 2 ** 33 + 2 ** 31 + retired;
  made.run(2);
  const { regs } = made.cpu.state;
  assertEquals([regs[0], regs[2]], [8, 0]);
});

Deno.test("readMsr() reads the time stamp counter as RDTSC does", () => {
  const made = bench(`0f31 89c3 ${RDMSR}`, I686, { ecx: 0x10 });
  made.run(3);
  assertEquals(made.cpu.state.regs[0]! - made.cpu.state.regs[3]!, 2);
});

for (const [index, at] of [[0x174, 0], [0x175, 4], [0x176, 8]] as const) {
  Deno.test(`writeMsr() keeps ${index.toString(16)} where there is SYSENTER, else #GP`, () => {
    const regs = { ecx: index, eax: 0x12345678, edx: 9 };
    const made = bench(`${WRMSR} 31c0 ${RDMSR}`, I686 | FEATURE.SEP, regs);
    made.run(3);
    assertEquals(made.cpu.state.get(AT.SYSENTER + at), 0x12345678);
    assertEquals([made.cpu.state.regs[0], made.cpu.state.regs[2]], [0x12345678, 0]);
    assertEquals(firstException(bench(WRMSR, I686, regs), 5)?.vector, 13);
  });
}

Deno.test("readMsr() finds no microcode update, and lets 0 be written in its place", () => {
  const made = bench(`${WRMSR} ${RDMSR}`, I686, { ecx: 0x8b, edx: 7 });
  assertEquals(firstException(made, 5), undefined);
  assertEquals([made.cpu.state.regs[0], made.cpu.state.regs[2]], [0, 0]);
});

Deno.test("readMsr() has fast strings enabled, whatever is written", () => {
  const made = bench(`${WRMSR} ${RDMSR}`, I686, { ecx: 0x1a0, eax: 0, edx: 4 });
  assertEquals(firstException(made, 5), undefined);
  assertEquals([made.cpu.state.regs[0], made.cpu.state.regs[2]], [1, 0]);
});

Deno.test("writeMsr() takes NXE alone into EFER, and only where there is NX", () => {
  const ecx = 0xc0000080;
  const made = bench(WRMSR, I686 | FEATURE.NX, { ecx, eax: 0x800 });
  assertEquals(firstException(made, 5), undefined);
  assertEquals(made.cpu.state.get(AT.EFER), 0x800);
  for (const [features, eax, edx] of [[I686, 0x800, 0], [-1, 0x900, 0], [-1, 0x800, 1]] as const) {
    const refused = bench(WRMSR, features, { ecx, eax, edx });
    assertEquals(firstException(refused, 5), { vector: 13, code: 0, eip: 0x1000 });
  }
});

Deno.test("readMsr() asks the host for what it does not know; nobody's register is #GP", () => {
  const made = bench(RDMSR, I686, { ecx: 0x40000000 });
  made.host.onExit = (exit) => {
    if (exit.reason !== EXIT.MSR_READ) return;
    made.cpu.state.regs[0] = 0x1234;
    exit.value = 1;
  };
  assertEquals(firstException(made, 5), undefined);
  assertEquals([made.host.exits[0]!.port, made.cpu.state.regs[0]], [0x40000000, 0x1234]);
  assertEquals(firstException(bench(RDMSR, I686, { ecx: 0x3a }), 5)?.vector, 13);
});

Deno.test("readMsr() is not for ring 3", () => {
  const made = bench(RDMSR, I686, { ecx: 0x10 });
  made.cpu.state.set(AT.CPL, 3);
  assertEquals(firstException(made, 5)?.vector, 13);
});
