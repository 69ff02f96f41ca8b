/**
 * CPUID of the i686 profile: the smallest processor that Debian's 686 kernel accepts, less what this
 * CPU does not have yet (x87, PAE, SYSENTER).
 * @module
 */

/** Feature bits of CPUID leaf 1 EDX. */
export const FEATURE = {
  FPU: 0x1,
  DE: 0x4,
  PSE: 0x8,
  TSC: 0x10,
  MSR: 0x20,
  PAE: 0x40,
  CX8: 0x100,
  SEP: 0x800,
  PGE: 0x2000,
  CMOV: 0x8000,
  CLFSH: 0x80000,
  MMX: 0x800000,
  FXSR: 0x1000000,
  SSE: 0x2000000,
  SSE2: 0x4000000,
} as const;

/** Processors that `-cpu` knows. */
export type Profile = "i686" | "pentium3" | "pentium4";

/** Leaf 1 EDX: DE, PSE, TSC, MSR, CX8, PGE, CMOV. */
const FEATURES = 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 13 | 1 << 15;

/** CPUID leaf 1 EDX of a profile. */
export function profileFeatures(profile: Profile): number {
  const { MMX, FXSR, SSE, SSE2, CLFSH } = FEATURE;
  if (profile === "i686") return FEATURES;
  const pentium3 = FEATURES | MMX | FXSR | SSE;
  return profile === "pentium3" ? pentium3 : pentium3 | SSE2 | CLFSH;
}

/** Leaf 1 ECX: the CPU only ever runs under a hypervisor, and says so. */
const HYPERVISOR = 1 << 31;

const LEAVES: Readonly<Record<number, readonly number[]>> = {
  0: [2, 0x756e6547, 0x6c65746e, 0x49656e69], // "GenuineIntel"
  1: [0, 0x800, HYPERVISOR, FEATURES],
  2: [1, 0, 0, 0],
};

/** EAX EBX ECX EDX; zeros outside the profile. */
export function cpuidLeaf(leaf: number, signature: number): readonly number[] {
  const [eax, ebx, ecx, edx] = LEAVES[leaf] ?? [0, 0, 0, 0];
  return [leaf === 1 ? signature : eax!, ebx!, ecx!, edx!];
}
