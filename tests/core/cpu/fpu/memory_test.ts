import { assertEquals } from "@std/assert";
import { updateMode } from "../../../../core/cpu/segment.ts";
import { AT, CR0, FLAG } from "../../../../core/cpu/state.ts";
import { CpuBench, firstException } from "../../../helpers/cpu.ts";
import { FpuBench, fromDouble } from "../../../helpers/fpu.ts";

const PAGE_FAULT = 14, NO_MATH = 7, MATH_FAULT = 16, GENERAL_PROTECTION = 13, UNDEFINED = 6;
/** Page 6 can be read only; an operand at EBX = 5FFC lies on pages 5 and 6. */
const READ_ONLY = 1, BEFORE = 0x5ffc, EBX = 3;

function benchAt(ebx: number): FpuBench {
  const bench = new FpuBench();
  bench.state.regs[EBX] = ebx;
  bench.setSt(0, fromDouble(-1.1));
  return bench;
}

function ram(bench: FpuBench, at: number, length: number): number[] {
  return Array.from({ length }, (_, n) => bench.machine.ram.getUint8(at + n));
}

for (
  const [name, code] of [["FSTP m64", "dd1b"], ["FSTP m80", "db3b"], ["FNSTENV", "d933"], [
    "FNSAVE",
    "dd33",
  ]]
) {
  Deno.test(`${name} across a page changes nothing when the second page cannot be written`, () => {
    const bench = benchAt(BEFORE);
    bench.machine.mapPage(6, READ_ONLY);
    const before = bench.visible();
    assertEquals(bench.execute(code!), PAGE_FAULT);
    assertEquals(bench.state.get(AT.CR + 8), 0x6000);
    assertEquals(bench.visible(), before);
    assertEquals(ram(bench, BEFORE, 4), [0, 0, 0, 0]);
  });
}

Deno.test("FSTP m64 across a page stores all bytes and pops", () => {
  const bench = benchAt(BEFORE);
  assertEquals(bench.execute("dd1b"), -1);
  assertEquals(bench.machine.ram.getFloat64(BEFORE, true), -1.1);
  assertEquals(bench.status >> 11 & 7, 1);
  assertEquals(bench.state.get(AT.FPU_TAGS), 0xffff);
});

Deno.test("FSTP m32 does not look at memory when an unmasked exception forbids the store", () => {
  const bench = benchAt(0x6000);
  bench.machine.mapPage(6, READ_ONLY);
  bench.state.set(AT.FPU_CONTROL, 0x37e);
  bench.state.set(AT.FPU_TAGS, 0xffff);
  assertEquals(bench.execute("d91b"), -1);
  assertEquals(bench.status & 0x80c1, 0x80c1);
  assertEquals(bench.execute("9b"), MATH_FAULT);
});

Deno.test("FLD m64 that faults leaves stack and status alone", () => {
  const bench = benchAt(BEFORE);
  bench.machine.mapPage(6, 0);
  const before = bench.visible();
  assertEquals(bench.execute("dd03"), PAGE_FAULT);
  assertEquals(bench.visible(), before);
});

Deno.test("x87 instructions note opcode, address and operand; control instructions do not", () => {
  const bench = benchAt(0x5000);
  bench.execute("dc43 10"); // fadd qword [ebx+10h]
  const noted = [AT.FPU_OPCODE, AT.FPU_IP, AT.FPU_DP].map((at) => bench.state.get(at));
  assertEquals(noted, [0x443, bench.state.eip - 3, 0x5010]);
  bench.execute("d97b 20"); // fnstcw [ebx+20h]
  assertEquals(bench.state.get(AT.FPU_DP), 0x5010);
});

Deno.test("FNSTENV stores tags by contents, masks exceptions; FLDENV brings all of it back", () => {
  const bench = benchAt(0x5000);
  bench.state.set(AT.FPU_CONTROL, 0x340);
  bench.setSt(1, { se: 0, bits: 0n });
  bench.setSt(2, { se: 0x7fff, bits: 1n << 63n });
  bench.execute("dc43 10");
  const before = bench.visible();
  bench.execute("d973 40");
  const view = bench.machine.ram;
  assertEquals(view.getUint32(0x5048, true), 0xffffffe4);
  assertEquals(view.getUint32(0x5050, true) >>> 16, 0x443);
  assertEquals(bench.state.get(AT.FPU_CONTROL), 0x37f);
  bench.execute("dbe3"); // fninit
  bench.execute("d963 40");
  assertEquals(bench.visible(), before);
});

Deno.test("FNSAVE and FRSTOR keep registers in the order of the stack", () => {
  const bench = benchAt(0x5000);
  bench.execute("d9e8"); // fld1
  const before = bench.visible();
  bench.execute("dd33");
  assertEquals(bench.state.get(AT.FPU_TAGS), 0xffff);
  assertEquals(bench.machine.ram.getUint16(0x5000 + 28 + 8, true), 0x3fff);
  bench.execute("dd23");
  assertEquals(bench.visible(), before);
});

Deno.test("FXSAVE and FXRSTOR keep x87, MXCSR and XMM registers; their area is aligned", () => {
  const bench = benchAt(0x5000);
  bench.execute("d9e8");
  bench.state.set(AT.MXCSR, 0x1fa0);
  bench.state.view.setBigUint64(AT.XMM + 16, 0x123456789abcdef0n, true);
  const before = bench.visible();
  assertEquals(bench.execute("0fae03"), -1);
  assertEquals(bench.machine.ram.getUint8(0x5004), 0x81);
  bench.reset();
  bench.state.set(AT.MXCSR, 0x1f80);
  bench.state.view.setBigUint64(AT.XMM + 16, 0n, true);
  assertEquals(bench.execute("0fae0b"), -1);
  assertEquals(bench.visible(), before);
  assertEquals(bench.state.get(AT.MXCSR), 0x1fa0);
  assertEquals(bench.state.view.getBigUint64(AT.XMM + 16, true), 0x123456789abcdef0n);
  bench.state.regs[EBX] = 0x5008;
  assertEquals(bench.execute("0fae03"), GENERAL_PROTECTION);
});

for (const [name, code] of [["FXSAVE", "0fae03"], ["FXRSTOR", "0fae0b"]] as const) {
  Deno.test(`${name} needs all 512 bytes of its area, and asks for the last one first`, () => {
    const area = 0x6000 - 304;
    const bench = benchAt(area);
    bench.machine.mapPage(6, 0);
    const before = bench.visible();
    assertEquals(bench.execute(code), PAGE_FAULT);
    assertEquals(bench.state.get(AT.CR + 8), area + 511);
    assertEquals(bench.visible(), before);
    assertEquals(ram(bench, area, 304), new Array(304).fill(0));
  });
}

Deno.test("a pending exception raises #MF at the next instruction that waits, if CR0.NE is set", () => {
  const bench = benchAt(0x5000);
  bench.reset(0x37b);
  bench.execute("d9e8");
  bench.execute("d9ee"); // fldz
  assertEquals(bench.execute("def9"), -1); // fdivp: division by zero
  assertEquals(bench.status & 0x8084, 0x8084);
  assertEquals(bench.execute("dfe0"), -1); // fnstsw ax
  for (const code of ["9b", "d9e8", "dd13", "d92b"]) assertEquals(bench.execute(code), MATH_FAULT);
  const { state } = bench;
  state.set(AT.CR, state.get(AT.CR) & ~CR0.NE);
  assertEquals(bench.execute("9b"), -1);
  state.set(AT.CR, state.get(AT.CR) | CR0.NE);
  bench.execute("dbe2"); // fnclex
  assertEquals(bench.execute("9b"), -1);
});

Deno.test("CR0.EM and TS raise #NM for x87 instructions, MP and TS together for FWAIT", () => {
  const bench = benchAt(0x5000);
  const { state } = bench;
  const on = state.get(AT.CR);
  const vectors = (bits: number): number[] => {
    state.set(AT.CR, on & ~(CR0.EM | CR0.TS | CR0.MP) | bits);
    return ["d9c0", "d933", "dbe3", "9b"].map((code) => bench.execute(code));
  };
  assertEquals(vectors(CR0.EM), [NO_MATH, NO_MATH, NO_MATH, -1]);
  assertEquals(vectors(CR0.TS), [NO_MATH, NO_MATH, NO_MATH, -1]);
  assertEquals(vectors(CR0.TS | CR0.MP), [NO_MATH, NO_MATH, NO_MATH, NO_MATH]);
  assertEquals(vectors(CR0.MP), [-1, -1, -1, -1]);
});

Deno.test("encodings that no x87 has are undefined", () => {
  const bench = benchAt(0x5000);
  for (
    const code of [
      "d9d1",
      "d9e2",
      "d9ef",
      "dbe5",
      "dbf8",
      "ddf0",
      "ded8",
      "dfe1",
      "dff8",
      "db23",
      "d90b",
    ]
  ) {
    assertEquals(bench.execute(code), UNDEFINED, code);
  }
});

Deno.test("FNSTENV in real mode stores linear addresses, the opcode beside the first", () => {
  const bench = new CpuBench(0x100000);
  // mov ax, f123; mov ds, ax; fninit; fadd dword [5000]; fnstenv [6000]; o32 fnstenv [7000]; hlt
  bench.load("real16", 0x1000, "b823f1 8ed8 dbe3 d8060050 d9360060 66d9360070 f4");
  bench.run(7);
  const words = Array.from({ length: 7 }, (_, n) => bench.view.getUint16(0xf7230 + n * 2, true));
  assertEquals(words, [0x37f, 0x41, 0xfffe, 0x1007, 0x006, 0x6230, 0xf000]);
  const wide = Array.from({ length: 7 }, (_, n) => bench.view.getUint32(0xf8230 + n * 4, true));
  const reserved = [0xffff037f, 0xffff0041, 0xfffffffe, 0xffff1007, 0x006, 0xffff6230, 0xf000];
  assertEquals(wide, reserved);
});

const ALIGNMENT_CHECK = 17;
const environments: readonly [code: string, ebx: number, vector: number][] = [
  ["d933", 0x5002, ALIGNMENT_CHECK],
  ["66d933", 0x5002, -1],
  ["66d933", 0x5001, ALIGNMENT_CHECK],
  ["dd23", 0x5002, ALIGNMENT_CHECK],
  ["66dd23", 0x5002, -1],
  ["66dd33", 0x5002, -1],
];
for (const [code, ebx, vector] of environments) {
  Deno.test(`an environment is aligned like its fields: ${code} at ${ebx.toString(16)}`, () => {
    const bench = new CpuBench();
    bench.load("protected32", 0x1000, `${code} f4`);
    const { state } = bench.cpu;
    state.regs[EBX] = ebx;
    state.set(AT.CPL, 3);
    state.set(AT.CR, state.get(AT.CR) | CR0.AM);
    state.setFlag(FLAG.AC, true);
    updateMode(bench.cpu);
    assertEquals(firstException(bench, 1)?.vector ?? -1, vector);
  });
}
