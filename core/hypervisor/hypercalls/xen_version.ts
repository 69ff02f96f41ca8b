/**
 * The xen_version hypercall: EBX = command, ECX = pointer.
 * Source: Xen public headers version.h and features.h.
 * @module
 */

import { PAGE_SIZE } from "../../types.ts";
import { ERRNO } from "./errno.ts";
import type { GuestCall } from "./guest_pointer.ts";
import type { XenOffers } from "../xen_offers.ts";

/** 4.17, as CPUID leaf 0x40000001 and XENVER_version give it. */
export const XEN_VERSION: number = 4 << 16 | 17;

/** Bits of submap 0 (XENFEAT_*). */
export const XENFEAT = {
  WRITABLE_PAGE_TABLES: 0,
  AUTO_TRANSLATED_PHYSMAP: 2,
  HVM_CALLBACK_VECTOR: 8,
  HVM_SAFE_PVCLOCK: 9,
} as const;

/** Numbers of the commands. */
export const XENVER = {
  VERSION: 0,
  EXTRAVERSION: 1,
  COMPILE_INFO: 2,
  CAPABILITIES: 3,
  CHANGESET: 4,
  PLATFORM_PARAMETERS: 5,
  GET_FEATURES: 6,
  PAGESIZE: 7,
  GUEST_HANDLE: 8,
  COMMANDLINE: 9,
  BUILD_ID: 10,
} as const;

/** Offsets of xen_feature_info. */
export const XEN_FEATURE_INFO = { SUBMAP_IDX: 0, SUBMAP: 4, SIZE: 8 } as const;

/** Offsets of xen_compile_info. */
export const XEN_COMPILE_INFO = {
  COMPILER: 0,
  COMPILE_BY: 64,
  COMPILE_DOMAIN: 80,
  COMPILE_DATE: 112,
  SIZE: 144,
} as const;

const { COMPILER, COMPILE_BY, COMPILE_DOMAIN, COMPILE_DATE } = XEN_COMPILE_INFO;

/** A fixed-size answer: strings at their offsets, zeros between them. */
interface Text {
  readonly length: number;
  readonly strings: readonly (readonly [offset: number, text: string])[];
}

/** By XENVER_* number. Xen keeps its command line from an unprivileged guest, and says so. */
const TEXTS: Readonly<Record<number, Text>> = {
  [XENVER.EXTRAVERSION]: { length: 16, strings: [[0, ".7"]] },
  [XENVER.COMPILE_INFO]: {
    length: XEN_COMPILE_INFO.SIZE,
    strings: [
      [COMPILER, "gcc"],
      [COMPILE_BY, "trapring"],
      [COMPILE_DOMAIN, "localdomain"],
      [COMPILE_DATE, "2026-01-01"],
    ],
  },
  [XENVER.CAPABILITIES]: {
    length: 1024,
    strings: [[0, "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p "]],
  },
  [XENVER.CHANGESET]: { length: 64, strings: [[0, "unavailable"]] }, // as when built from a tarball
  [XENVER.PLATFORM_PARAMETERS]: { length: 4, strings: [] }, // virt_start
  [XENVER.COMMANDLINE]: { length: 1024, strings: [[0, "<denied>"]] },
};

/** Submap 0. Not hvm_pirqs (10): it would move each interrupt line to an event channel. */
export function xenFeatures({ callbackVector, pvclock }: XenOffers): number {
  return 1 << XENFEAT.WRITABLE_PAGE_TABLES | 1 << XENFEAT.AUTO_TRANSLATED_PHYSMAP |
    Number(callbackVector) << XENFEAT.HVM_CALLBACK_VECTOR |
    Number(pvclock) << XENFEAT.HVM_SAFE_PVCLOCK;
}

/** What differs from domain to domain. */
export interface XenVersionAnswers {
  /** Of submap 0. */
  readonly features: number;
  /** The domain's UUID. */
  readonly handle: Uint8Array;
}

/** Serves one xen_version. */
export function xenVersion({ features, handle }: XenVersionAnswers, call: GuestCall): number {
  switch (call.first) {
    case XENVER.VERSION:
      return XEN_VERSION;
    case XENVER.GET_FEATURES:
      return getFeatures(features, call);
    case XENVER.PAGESIZE:
      return PAGE_SIZE;
    case XENVER.GUEST_HANDLE:
      call.bytes.set(handle);
      return call.store(call.second, handle.length) ? 0 : -ERRNO.EFAULT;
    case XENVER.BUILD_ID:
      return -ERRNO.EPERM; // dom0's, as the command line
    default:
      return answerText(call);
  }
}

function getFeatures(features: number, call: GuestCall): number {
  const { SUBMAP_IDX, SUBMAP, SIZE } = XEN_FEATURE_INFO;
  if (!call.load(call.second, SIZE)) return -ERRNO.EFAULT;
  if (call.fields.getUint32(SUBMAP_IDX, true) !== 0) return -ERRNO.EINVAL;
  call.fields.setUint32(SUBMAP, features, true);
  return call.store(call.second + SUBMAP, SIZE - SUBMAP, SUBMAP) ? 0 : -ERRNO.EFAULT;
}

function answerText(call: GuestCall): number {
  const answer = TEXTS[call.first];
  if (answer === undefined) return -ERRNO.ENOSYS;
  call.bytes.fill(0, 0, answer.length);
  for (const [offset, text] of answer.strings) {
    for (let i = 0; i < text.length; i++) call.bytes[offset + i] = text.charCodeAt(i);
  }
  return call.store(call.second, answer.length) ? 0 : -ERRNO.EFAULT;
}
