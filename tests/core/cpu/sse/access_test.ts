import { assertEquals } from "@std/assert";
import type { Profile } from "../../../../core/cpu/cpuid.ts";
import { AT, CR0, CR4, EAX, EDI, FLAG } from "../../../../core/cpu/state.ts";
import { CpuBench, firstException } from "../../../helpers/cpu.ts";
import { SseBench } from "../../../helpers/sse.ts";
import { Tables } from "../../../helpers/tables.ts";

const UD = 6, NM = 7, GP = 13, PF = 14, MF = 16, AC = 17, XM = 19, NONE = -1;

/** Instructions that are undefined before a processor. */
const FIRST_IN: readonly [text: string, code: string, profiles: readonly Profile[]][] = [
  ["paddb mm0,mm1", "0f fc c1", ["pentium3", "pentium4"]],
  ["emms", "0f 77", ["pentium3", "pentium4"]],
  ["pavgb mm0,mm1", "0f e0 c1", ["pentium3", "pentium4"]],
  ["addps xmm0,xmm1", "0f 58 c1", ["pentium3", "pentium4"]],
  ["sfence", "0f ae f8", ["pentium3", "pentium4"]],
  ["paddq mm0,mm1", "0f d4 c1", ["pentium4"]],
  ["paddb xmm0,xmm1", "66 0f fc c1", ["pentium4"]],
  ["addsd xmm0,xmm1", "f2 0f 58 c1", ["pentium4"]],
  ["movnti [0],eax", "0f c3 05 00 00 00 00", ["pentium4"]],
  ["lfence", "0f ae e8", ["pentium4"]],
  ["clflush [0]", "0f ae 3d 00 00 00 00", ["pentium4"]],
  ["prefetchnta [0]", "0f 18 05 00 00 00 00", ["i686", "pentium3", "pentium4"]],
];

for (const profile of ["i686", "pentium3", "pentium4"] as const) {
  Deno.test(`Decoder knows the vector instructions of a ${profile} and no others`, () => {
    for (const [text, code, profiles] of FIRST_IN) {
      const expected = profiles.includes(profile) ? NONE : UD;
      assertEquals(new SseBench(profile).execute(code), expected, text);
    }
  });
}

/** Bits of CR0 and CR4, and the exceptions that MMX, SSE and fences then raise. */
const CONTROL: readonly [cr0: number, cr4: number, mmx: number, sse: number, fence: number][] = [
  [0, CR4.OSFXSR, NONE, NONE, NONE],
  [0, 0, NONE, UD, NONE],
  [CR0.TS, CR4.OSFXSR, NM, NM, NONE],
  [CR0.TS, 0, NM, UD, NONE],
  [CR0.EM, CR4.OSFXSR, UD, UD, NONE],
  [CR0.EM | CR0.TS, CR4.OSFXSR, UD, UD, NONE],
];

Deno.test("permit() raises #UD for CR0.EM, then for CR4.OSFXSR, then #NM for CR0.TS", () => {
  for (const [cr0, cr4, ...expected] of CONTROL) {
    const found = ["0f ef c0", "0f 57 c0", "0f ae f0"].map((code) => {
      const bench = new SseBench();
      bench.cpu.state.set(AT.CR, CR0.PE | CR0.NE | cr0);
      bench.cpu.state.set(AT.CR + 16, cr4);
      return bench.execute(code);
    });
    assertEquals(found, expected, `CR0 ${cr0}, CR4 ${cr4}`);
  }
});

/** Conversions from memory: no operand is an XMM register. */
const CONVERSIONS: readonly [text: string, code: string][] = [
  ["cvtss2si eax,[0]", "f3 0f 2d 05 00 00 00 00"],
  ["cvttsd2si eax,[0]", "f2 0f 2c 05 00 00 00 00"],
  ["cvtps2pi mm0,[0]", "0f 2d 05 00 00 00 00"],
  ["cvttpd2pi mm0,[0]", "66 0f 2c 05 00 00 00 00"],
];

Deno.test("floating() is refused as SSE is, whatever its operands are", () => {
  for (const [text, code] of CONVERSIONS) {
    for (const [cr0, cr4, , expected] of CONTROL) {
      const bench = new SseBench();
      bench.cpu.state.set(AT.CR, CR0.PE | CR0.NE | cr0);
      bench.cpu.state.set(AT.CR + 16, cr4);
      assertEquals(bench.execute(code), expected, `${text}, CR0 ${cr0}, CR4 ${cr4}`);
    }
  }
});

Deno.test("permitMmx() raises #MF for an x87 exception that is waiting", () => {
  const bench = new SseBench();
  bench.cpu.state.set(AT.FPU_STATUS, 0x80);
  assertEquals([bench.execute("0f ef c0"), bench.execute("0f 57 c0")], [MF, NONE]);
});

Deno.test("writeWide() writes nothing when the second page is read-only", () => {
  for (const [code, size] of [["0f 11 00", 16], ["0f 7f 00", 8], ["0f e7 00", 8]] as const) {
    const bench = new SseBench();
    const { state } = bench.cpu;
    state.bytes.fill(0xff, AT.XMM, AT.XMM + 16);
    state.bytes.fill(0xff, AT.FPU_REGS, AT.FPU_REGS + 8);
    bench.mapPage(6, 1);
    for (let before = 1; before < size; before++) {
      state.regs[EAX] = 0x6000 - before;
      assertEquals([bench.execute(code), state.cr[2]], [PF, 0x6000], `${code}, ${before} bytes`);
    }
    assertEquals(bench.ram.getBigUint64(0x5ff0, true) | bench.ram.getBigUint64(0x5ff8, true), 0n);
    bench.mapPage(6, 3);
    assertEquals(bench.execute(code), NONE);
    assertEquals(bench.ram.getUint8(0x6000 - size + 1), 0xff);
    assertEquals(bench.ram.getUint8(0x6000), 0xff);
  }
});

Deno.test("maskMove() writes the chosen bytes, and touches nothing for an empty mask", () => {
  const bench = new SseBench();
  const { state } = bench.cpu;
  const data = bench.xmm(0), mask = bench.xmm(1);
  for (let n = 0; n < 16; n++) state.bytes[data + n] = 0x40 + n;
  state.regs[EDI] = 0x5ff8;
  bench.mapPage(6, 1);
  assertEquals(bench.execute("66 0f f7 c1"), NONE);
  state.bytes[mask + 3] = 0x80;
  assertEquals(bench.execute("66 0f f7 c1"), PF);
  bench.mapPage(6, 3);
  state.bytes[mask + 9] = 0xff;
  assertEquals(bench.execute("66 0f f7 c1"), NONE);
  const written = Array.from({ length: 16 }, (_, n) => bench.ram.getUint8(0x5ff8 + n));
  assertEquals(written, [0, 0, 0, 0x43, 0, 0, 0, 0, 0, 0x49, 0, 0, 0, 0, 0, 0]);
});

Deno.test("vector() raises #GP before a page fault, where a form must be aligned", () => {
  const bench = new SseBench();
  bench.mapPage(6, 0);
  bench.cpu.state.regs[EAX] = 0x6008;
  assertEquals([bench.execute("0f 28 00"), bench.execute("0f 10 00")], [GP, PF]);
});

Deno.test("turnToMmx() fills all registers and sets the exponent of the written one", () => {
  const bench = new SseBench();
  const { state } = bench.cpu;
  state.set(AT.FPU_STATUS, 0x3800);
  state.set(AT.FPU_TAGS, 0xffff);
  assertEquals(bench.execute("0f 76 db"), NONE); // pcmpeqd mm3,mm3
  assertEquals([state.get(AT.FPU_STATUS), state.get(AT.FPU_TAGS)], [0, 0]);
  const at = AT.FPU_REGS + 3 * 16;
  assertEquals(state.bytes.slice(at, at + 10), new Uint8Array(10).fill(0xff));
  assertEquals(bench.execute("0f 77"), NONE);
  assertEquals(state.get(AT.FPU_TAGS), 0xffff);
});

Deno.test("FloatUnit.finish() keeps the result back when a flag is not masked", () => {
  for (const [osxmmexcpt, vector] of [[CR4.OSXMMEXCPT, XM], [0, UD]] as const) {
    const bench = new SseBench();
    const { state } = bench.cpu;
    state.set(AT.CR + 16, CR4.OSFXSR | osxmmexcpt);
    // 1/0 in the lowest lane, 1/3 above: a division by zero hides that the other is inexact.
    for (let n = 0; n < 4; n++) {
      state.view.setFloat32(bench.xmm(0) + n * 4, 1, true);
      state.view.setFloat32(bench.xmm(1) + n * 4, n === 0 ? 0 : 3, true);
    }
    state.set(AT.MXCSR, 0x1f80 & ~0x200);
    assertEquals(bench.execute("0f 5e c1"), vector);
    assertEquals(state.get(AT.MXCSR), 0x1d84);
    assertEquals(state.view.getFloat32(bench.xmm(0) + 4, true), 1);
  }
});

Deno.test("ldmxcsr() refuses reserved bits, and DAZ without SSE2", () => {
  for (const [profile, daz] of [["pentium3", GP], ["pentium4", NONE]] as const) {
    const bench = new SseBench(profile);
    const load = (value: number): number => {
      bench.ram.setUint32(0x5000, value, true);
      return bench.execute("0f ae 15 00 50 00 00");
    };
    assertEquals([load(0xffbf), load(0x1fc0), load(0x11f80)], [NONE, daz, GP]);
  }
});

/** Instructions on 16 bytes at EDI, and the distances from 16-byte alignment that raise #AC. */
const UNALIGNED: readonly [text: string, code: string, raise: (offset: number) => boolean][] = [
  ["movups xmm0,[edi]", "0f 10 07", () => false],
  ["movups [edi],xmm0", "0f 11 07", () => false],
  ["movdqu xmm0,[edi]", "f3 0f 6f 07", () => false],
  ["movdqu [edi],xmm0", "f3 0f 7f 07", () => false],
  ["maskmovdqu xmm0,xmm0", "66 0f f7 c0", (offset) => offset % 8 !== 0],
  ["movlps xmm0,[edi]", "0f 12 07", (offset) => offset % 8 !== 0],
];

Deno.test("vector() checks no alignment of the forms that need none, as processors do", () => {
  const tables = new Tables(new CpuBench(0x20000, [], { profile: "pentium4" }));
  const { bench } = tables;
  const { state } = bench.cpu;
  for (const [text, code, raises] of UNALIGNED) {
    for (let offset = 0; offset < 16; offset++) {
      tables.load(3, 0x4000, code, FLAG.AC | 2);
      state.set(AT.CR + 16, CR4.OSFXSR);
      const bytes = Array.from({ length: 16 }, (_, n) => 0x80 + n);
      state.bytes.set(bytes, AT.XMM);
      bench.ram.set(bytes, 0x5040 + offset);
      state.regs[EDI] = 0x5040 + offset;
      const vector = firstException(bench, 1)?.vector;
      assertEquals(vector, raises(offset) ? AC : undefined, `${text}, ${offset}`);
      assertEquals(state.bytes.slice(AT.XMM, AT.XMM + 16), Uint8Array.from(bytes));
      assertEquals(bench.ram.slice(0x5040 + offset, 0x5050 + offset), Uint8Array.from(bytes));
    }
  }
});
