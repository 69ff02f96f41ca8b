import { assertEquals } from "@std/assert";
import { FEATURE, profileFeatures } from "../../../core/cpu/cpuid.ts";
import { AT, CR0, CR4, CS, FLAG, SEG, SS } from "../../../core/cpu/state.ts";
import { CpuBench, firstException } from "../../helpers/cpu.ts";

const GP = 13;

/** Runs code in ring 0; `ecx` is what it writes. */
function run(code: string, ecx: number, features: number = profileFeatures("i686")) {
  const bench = new CpuBench(0x20000, [], { features });
  bench.load("protected32", 0x1000, `${code} f4`);
  bench.cpu.state.regs[1] = ecx;
  return { state: bench.cpu.state, vector: firstException(bench, 5)?.vector };
}

const refused: readonly [why: string, cr0: number][] = [
  ["paging without protection", CR0.PG],
  ["NW without CD", CR0.PE | CR0.NW],
];
for (const [why, value] of refused) {
  Deno.test(`MOV CR0 refuses ${why}`, () => {
    const { state, vector } = run("0f22c1", value);
    assertEquals([vector, state.cr[0]], [GP, CR0.PE | CR0.ET]);
  });
}

Deno.test("MOV CR0 keeps ET and drops bits that do not exist", () => {
  const { state, vector } = run("0f22c1", 0x0000ffe3);
  assertEquals([vector, state.cr[0]], [undefined, CR0.PE | CR0.MP | CR0.NE | CR0.ET]);
});

const bits: readonly [name: string, bit: number, feature: number][] = [
  ["VME", CR4.VME, FEATURE.VME],
  ["PVI", CR4.PVI, FEATURE.VME],
  ["TSD", CR4.TSD, FEATURE.TSC],
  ["DE", CR4.DE, FEATURE.DE],
  ["PSE", CR4.PSE, FEATURE.PSE],
  ["PAE", CR4.PAE, FEATURE.PAE],
  ["MCE", CR4.MCE, FEATURE.MCE],
  ["PGE", CR4.PGE, FEATURE.PGE],
  ["OSFXSR", CR4.OSFXSR, FEATURE.FXSR],
  ["OSXMMEXCPT", CR4.OSXMMEXCPT, FEATURE.SSE],
];
for (const [name, bit, feature] of bits) {
  Deno.test(`MOV CR4 takes ${name} with its feature only`, () => {
    assertEquals(run("0f22e1", bit, feature).vector, undefined);
    assertEquals(run("0f22e1", bit, ~feature).vector, GP);
  });
}

Deno.test("MOV CR4 refuses bits that no processor of the family has", () => {
  for (let bit = 11; bit < 32; bit++) assertEquals(run("0f22e1", 1 << bit, -1).vector, GP);
});

Deno.test("RDTSC is not for ring 3 under CR4.TSD", () => {
  for (const [cpl, tsd, vector] of [[3, true, GP], [3, false, undefined], [0, true, undefined]]) {
    const bench = new CpuBench();
    bench.load("protected32", 0x1000, "0f31");
    bench.cpu.state.set(AT.CR + 16, tsd ? CR4.TSD : 0);
    bench.cpu.state.set(AT.CPL, Number(cpl));
    assertEquals(firstException(bench, 1)?.vector, vector);
  }
});

// ---- SYSENTER, SYSEXIT -------------------------------------------------------------------------

function fastCall(code: string, cs: number, prepare: (bench: CpuBench) => void = () => {}) {
  const bench = new CpuBench(0x20000, [], { profile: "pentium3" });
  bench.load("protected32", 0x1000, code);
  const { state } = bench.cpu;
  [cs, 0x7000, 0x3000].forEach((value, n) => state.set(AT.SYSENTER + n * 4, value));
  state.regs[1] = 0x6000;
  state.regs[2] = 0x4000;
  prepare(bench);
  return { state, vector: firstException(bench, 1)?.vector };
}

Deno.test("sysenter() goes to ring 0 with flat segments and interrupts off", () => {
  const { state } = fastCall("0f34", 0x63, ({ cpu }) => {
    cpu.state.set(AT.CPL, 3);
    cpu.state.setFlag(FLAG.IF, true);
  });
  assertEquals([state.eip, state.regs[4], state.cpl], [0x3000, 0x7000, 0]);
  assertEquals([state.selector(CS), state.selector(SS)], [0x60, 0x68]);
  assertEquals([state.seg(CS, SEG.ATTR), state.seg(SS, SEG.ATTR)], [0xc09b, 0xc093]);
  assertEquals(state.flag(FLAG.IF), false);
});

Deno.test("sysexit() goes to ring 3 at EDX with the stack at ECX", () => {
  const { state } = fastCall("0f35", 0x60);
  assertEquals([state.eip, state.regs[4], state.cpl], [0x4000, 0x6000, 3]);
  assertEquals([state.selector(CS), state.selector(SS)], [0x73, 0x7b]);
  assertEquals([state.seg(CS, SEG.ATTR), state.seg(SS, SEG.ATTR)], [0xc0fb, 0xc0f3]);
});

Deno.test("sysenter() and sysexit() refuse a null selector, real mode, and SYSEXIT ring 3", () => {
  assertEquals([fastCall("0f34", 3).vector, fastCall("0f35", 3).vector], [GP, GP]);
  const real = ({ cpu }: CpuBench) =>
    cpu.reset({ mode: "real16", eip: 0x1000, regs: [...cpu.state.regs] });
  assertEquals([fastCall("0f34", 8, real).vector, fastCall("0f35", 8, real).vector], [GP, GP]);
  const outer = ({ cpu }: CpuBench) => cpu.state.set(AT.CPL, 3);
  assertEquals(fastCall("0f35", 8, outer).vector, GP);
});
