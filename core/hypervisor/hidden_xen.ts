/**
 * Xen as a guest meets it that must not know of it: the same exits are served, and nothing tells
 * whose they are. Stock firmware and kernels turn into Xen guests as soon as they see a leaf.
 * @module
 */

import type { VcpuState } from "../types.ts";
import { ERRNO } from "./hypercalls/errno.ts";
import type { Paravirt } from "./hypervisor_parts.ts";
import type { XenStats } from "./xen.ts";

const EAX = 0;

const NOTHING: XenStats = {
  hypercalls: { total: 0, byName: {} },
  grants: { map: 0, unmap: 0, copy: 0 },
  events: { sentByGuest: 0, sentByDom0: 0 },
};

/** No leaf, no MSR, no hypercall, no upcall. */
export class HiddenXen implements Paravirt {
  readonly upcallPending: boolean = false;
  readonly upcallVector: undefined = undefined;
  readonly callbackVector: undefined = undefined;
  readonly callbackAsserted: boolean = false;
  readonly blocked: boolean = false;

  /** Any hypercall is one that does not exist. */
  hypercall(vcpu: VcpuState): boolean {
    vcpu.regs[EAX] = -ERRNO.ENOSYS;
    return false;
  }

  slept(): void {}

  settleCallback(): void {}

  unblock(): void {}

  cpuid(): undefined {
    return undefined;
  }

  readMsr(): undefined {
    return undefined;
  }

  writeMsr(): undefined {
    return undefined;
  }

  stats(): XenStats {
    return NOTHING;
  }
}
