/**
 * How a guest finds Xen: CPUID leaves from 0x40000000, and the MSR that fills the hypercall page.
 * Source: Xen public header arch-x86/cpuid.h; page layout of xen/arch/x86/hvm/vmx/vmx.c.
 * @module
 */

import { PAGE_SIZE } from "../types.ts";
import type { GuestMemory } from "../types.ts";
import { HYPERCALLS } from "./hypercalls/hypercall.ts";
import { tscScale } from "./pvclock.ts";
import { XEN_VERSION } from "./hypercalls/xen_version.ts";

/** First of Xen's CPUID leaves. */
const XEN_CPUID_BASE = 0x40000000;

/** The MSR that leaf 0x40000002 names. */
export const XEN_HYPERCALL_MSR = 0x40000000;

/** Highest leaf. */
const XEN_CPUID_LAST = 0x40000005;

/** "XenVMMXenVMM". */
const SIGNATURE = [0x566e6558, 0x65584d4d, 0x4d4d566e] as const;

/** Leaf 3, EAX bit 1: the host's TSC is reliable. RDTSC is not trapped (bit 0 clear). */
const HOST_TSC_RELIABLE = 2;

/** Leaf 4 EAX. */
export const XEN_HVM_CPUID = {
  IOMMU_MAPPINGS: 0x4,
  VCPU_ID_PRESENT: 0x8,
  DOMID_PRESENT: 0x10,
  UPCALL_VECTOR: 0x40,
} as const;

const { IOMMU_MAPPINGS, VCPU_ID_PRESENT, DOMID_PRESENT, UPCALL_VECTOR } = XEN_HVM_CPUID;

type Registers = readonly [eax: number, ebx: number, ecx: number, edx: number];

const ZEROS: Registers = [0, 0, 0, 0];

/** Xen's CPUID leaves for vCPU 0 of a domain. */
export class XenCpuid {
  readonly #subLeaves: readonly (readonly Registers[])[];
  readonly #answer: Uint32Array = new Uint32Array(4);

  /**
   * @param tscHz rate of the guest's TSC
   * @param upcallVector without, a guest takes the domain's callback vector
   */
  constructor(domid: number, tscHz: number, upcallVector: boolean) {
    const features = IOMMU_MAPPINGS | VCPU_ID_PRESENT | DOMID_PRESENT |
      (upcallVector ? UPCALL_VECTOR : 0);
    const { mul, shift } = tscScale(tscHz);
    const kHz = Math.floor(tscHz / 1000);
    this.#subLeaves = [
      [[XEN_CPUID_LAST, ...SIGNATURE]],
      [[XEN_VERSION, 0, 0, 0]],
      [[1, XEN_HYPERCALL_MSR, 0, 0]],
      [[HOST_TSC_RELIABLE, 0, kHz, 0], [0, 0, mul, shift], [kHz, 0, 0, 0]],
      [[features, 0, domid, 0]],
      [ZEROS],
    ];
  }

  /**
   * Answers one of Xen's leaves; a sub-leaf that it does not have is zeros.
   * @returns EAX, EBX, ECX, EDX, reused by the next call; `undefined` for a leaf that is not Xen's
   */
  read(leaf: number, subLeaf: number): Readonly<Uint32Array> | undefined {
    const subLeaves = this.#subLeaves[leaf - XEN_CPUID_BASE];
    if (subLeaves === undefined) return undefined;
    // Leaves with a single row ignore ECX, which a guest need not have set.
    const row = subLeaves.length === 1 ? subLeaves[0] : subLeaves[subLeaf];
    this.#answer.set(row ?? ZEROS);
    return this.#answer;
  }
}

/** Entries of the hypercall page, 32 bytes each. */
const ENTRY_COUNT = 128;
const ENTRY_SIZE = 32;

const MOV_EAX = 0xb8;
const VMCALL = [0x0f, 0x01, 0xc1] as const;
const UD2 = [0x0f, 0x0b] as const;
const RET = 0xc3;

/**
 * Fills the page that a guest names in {@link XEN_HYPERCALL_MSR}: entry n is `mov eax, n; vmcall;
 * ret`.
 * @param low EAX of WRMSR: page address, bits 11:0 = which page, 0 the only one
 * @param high EDX of WRMSR
 * @returns false when there is no such page or no memory behind it: answer #GP
 */
export function writeHypercallPage(memory: GuestMemory, low: number, high: number): boolean {
  if ((low & (PAGE_SIZE - 1)) !== 0) return false;
  const page = memory.page((high * 2 ** 32 + low) / PAGE_SIZE);
  if (page === undefined) return false;
  page.fill(0);
  for (let number = 0; number < ENTRY_COUNT; number++) {
    const entry = isIret(number)
      ? UD2
      : [MOV_EAX, number & 0xff, number >>> 8, 0, 0, ...VMCALL, RET];
    page.set(entry, number * ENTRY_SIZE);
  }
  memory.wrote(page);
  return true;
}

/** iret is for paravirtualized kernels and has no VMCALL form. */
function isIret(number: number): boolean {
  return (HYPERCALLS as Readonly<Record<number, string>>)[number] === "iret";
}
