import { assertEquals } from "@std/assert";
import {
  cpuidLeaf,
  DEFAULT_PROFILE,
  FEATURE,
  featureNames,
  profileFeatures,
  PROFILES,
  profileSignature,
} from "../../../core/cpu/cpuid.ts";
import { Cpu } from "../../../core/cpu/cpu.ts";
import { CpuBench, firstException } from "../../helpers/cpu.ts";

Deno.test("profileFeatures() of i686 are those that Debian's 686 kernel was seen to boot with", () => {
  assertEquals(profileFeatures("i686"), 0xa17d);
});

Deno.test("profileFeatures() grow from profile to profile", () => {
  const [i686, pentium3, pentium4] = PROFILES.map(profileFeatures) as [number, number, number];
  const added = FEATURE.SEP | FEATURE.MMX | FEATURE.FXSR | FEATURE.SSE;
  assertEquals(pentium3, i686 | added);
  assertEquals(pentium4, pentium3 | FEATURE.CLFSH | FEATURE.SSE2);
  assertEquals(PROFILES[0], DEFAULT_PROFILE);
});

Deno.test("featureNames() are in the order of their bits", () => {
  assertEquals(featureNames("i686").join(" "), "FPU DE PSE TSC MSR PAE CX8 PGE CMOV");
});

Deno.test("cpuidLeaf() has signature and features in leaf 1, zeros beyond the last leaf", () => {
  const features = profileFeatures("i686");
  const [max, ...vendor] = cpuidLeaf(0, 0x106ca, features);
  const text = new TextDecoder().decode(Uint32Array.of(vendor[0]!, vendor[2]!, vendor[1]!));
  assertEquals([max, text], [2, "GenuineIntel"]);
  assertEquals(cpuidLeaf(1, 0x106ca, features), [0x106ca, 0x800, 1 << 31, 0xa17d]);
  for (const leaf of [3, 0x80000000, 0x80000001, 0xffffffff]) {
    assertEquals(cpuidLeaf(leaf, 0x106ca, features), [0, 0, 0, 0]);
  }
});

Deno.test("cpuidLeaf() shows NX in leaf 80000001 and nowhere else", () => {
  const features = profileFeatures("i686") | FEATURE.NX;
  assertEquals(cpuidLeaf(1, 0, features)[3], 0xa17d);
  assertEquals(cpuidLeaf(0x80000000, 0, features)[0], 0x80000001);
  assertEquals(cpuidLeaf(0x80000001, 0, features)[3], 1 << 20);
});

Deno.test("Cpu.signature is the profile's", () => {
  for (const profile of PROFILES) {
    assertEquals(new Cpu(0x10000, { profile }).signature, profileSignature(profile));
  }
});

const gated: readonly [name: string, code: string, feature: number][] = [
  ["rdtsc", "0f31", FEATURE.TSC],
  ["rdmsr", "0f32", FEATURE.MSR],
  ["wrmsr", "0f30", FEATURE.MSR],
  ["sysenter", "0f34", FEATURE.SEP],
  ["sysexit", "0f35", FEATURE.SEP],
  ["cmovz eax, ecx", "0f44c1", FEATURE.CMOV],
  ["cmpxchg8b [5000]", "0fc70d00500000", FEATURE.CX8],
];
for (const [name, code, feature] of gated) {
  Deno.test(`Cpu.run() takes ${name} for undefined without its feature`, () => {
    const vector = (features: number): number | undefined => {
      const bench = new CpuBench(0x20000, [], { features });
      bench.load("protected32", 0x1000, `${code} f4`);
      return firstException(bench, 1)?.vector;
    };
    assertEquals(vector(-1 & ~feature), 6);
    assertEquals(vector(-1) === 6, false);
  });
}

Deno.test("CPUID shows a local APIC unless it is switched off", () => {
  const features = profileFeatures("i686") | FEATURE.APIC;
  const bench = new CpuBench(0x20000, [], { features });
  const seen = [false, true].map((hidden) => {
    bench.load("protected32", 0x1000, "b801000000 0fa2 f4"); // mov eax, 1; cpuid; hlt
    bench.cpu.hidesApic = hidden;
    bench.run(10);
    return bench.cpu.state.regs[2];
  });
  assertEquals(seen, [0xa37d, 0xa17d]);
});
