/**
 * Processors that the CPU can be, and what CPUID says of them.
 * Source: Intel SDM vol. 2, CPUID; Intel application note 485.
 * @module
 */

/**
 * Feature bits as CPUID leaf 1 EDX has them. `NX` is a bit of leaf 80000001; leaf 1 reserves its
 * place.
 */
export const FEATURE = {
  FPU: 0x1,
  VME: 0x2,
  DE: 0x4,
  PSE: 0x8,
  TSC: 0x10,
  MSR: 0x20,
  PAE: 0x40,
  MCE: 0x80,
  CX8: 0x100,
  APIC: 0x200,
  SEP: 0x800,
  PGE: 0x2000,
  CMOV: 0x8000,
  PSE36: 0x20000,
  CLFSH: 0x80000,
  NX: 0x100000,
  MMX: 0x800000,
  FXSR: 0x1000000,
  SSE: 0x2000000,
  SSE2: 0x4000000,
} as const;

/** What Debian's 686 kernel demands, and what costs a guest no work to have. */
const I686 = FEATURE.FPU | FEATURE.DE | FEATURE.PSE | FEATURE.TSC | FEATURE.MSR | FEATURE.PAE |
  FEATURE.CX8 | FEATURE.PGE | FEATURE.CMOV;
const PENTIUM3 = I686 | FEATURE.SEP | FEATURE.MMX | FEATURE.FXSR | FEATURE.SSE;

/** Processors that `-cpu` knows. */
export type Profile = "i686" | "pentium3" | "pentium4";

interface Processor {
  /** Leaf 1 EAX, and EDX after reset: family, model, stepping. */
  readonly signature: number;
  readonly features: number;
}

/**
 * `i686` signs as an Atom (Bonnell), the one i686 that does not speculate: for any other Linux adds
 * page-table isolation and retpolines, whose cost would drown what a guest is run to measure.
 */
const PROCESSORS: Readonly<Record<Profile, Processor>> = {
  i686: { signature: 0x106ca, features: I686 },
  pentium3: { signature: 0x673, features: PENTIUM3 },
  pentium4: { signature: 0xf24, features: PENTIUM3 | FEATURE.CLFSH | FEATURE.SSE2 },
};

/** Their names, the default first. */
export const PROFILES: readonly Profile[] = Object.keys(PROCESSORS) as Profile[];

/** The processor unless another is asked for. */
export const DEFAULT_PROFILE: Profile = "i686";

/** What a processor has: bits of {@link FEATURE}. */
export function profileFeatures(profile: Profile): number {
  return PROCESSORS[profile].features;
}

/** Names of the features a processor has, in the order of their bits. */
export function featureNames(profile: Profile): readonly string[] {
  const names = Object.keys(FEATURE) as (keyof typeof FEATURE)[];
  return names.filter((name) => profileFeatures(profile) & FEATURE[name]);
}

/** Family, model and stepping of a processor, as in leaf 1 EAX. */
export function profileSignature(profile: Profile): number {
  return PROCESSORS[profile].signature;
}

/** Leaf 1 EBX: CLFLUSH works on 8 × 8 bytes. */
const CACHE_LINE = 0x800;
/** Leaf 1 ECX: the CPU only ever runs under a hypervisor, and says so. */
const HYPERVISOR = 1 << 31;
const NOTHING: readonly number[] = [0, 0, 0, 0];

/** EAX EBX ECX EDX; zeros outside the profile. */
export function cpuidLeaf(leaf: number, signature: number, features: number): readonly number[] {
  const extended = features & FEATURE.NX;
  switch (leaf) {
    case 0:
      return [2, 0x756e6547, 0x6c65746e, 0x49656e69]; // "GenuineIntel"
    case 1:
      return [signature, CACHE_LINE, HYPERVISOR, features & ~FEATURE.NX];
    case 2:
      return [1, 0, 0, 0];
    case 0x80000000:
      return extended ? [0x80000001, 0, 0, 0] : NOTHING;
    case 0x80000001:
      return [0, 0, 0, extended];
    default:
      return NOTHING;
  }
}
