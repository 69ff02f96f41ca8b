/**
 * What each step of both disk paths costs, in virtual time.
 *
 * Numbers are CPU cycles in the tables below and integer nanoseconds in a {@link CostPreset}. Every
 * number names its source, or says `model`: then nobody has published it, and it is an estimate to
 * be varied. Guest instructions are not here: each takes one nanosecond.
 *
 * Sources: Landau et al., "SplitX", WIOV 2011; Agesen et al., "Software Techniques for Avoiding
 * Hardware Virtualization Exits", USENIX ATC 2012; Adams and Agesen, ASPLOS 2006; Linux commit
 * 0a8704a51f38 "xen/blkback: Persistent grant maps for xen blk drivers" (measurements with 24 dom0
 * vCPUs).
 * @module
 */

import type { Ns } from "../types.ts";

/** The steps that have a price. */
const STEPS = [
  "exitEntry",
  "emulation",
  "ioreq",
  "deviceAccess",
  "deviceItem",
  "hypercall",
  "dom0Hypercall",
  "injection",
  "eventSend",
  "grantMap",
  "grantUnmap",
  "grantCopy",
  "grantCopyPage",
  "tlbFlush",
  "tlbFlushPerVcpu",
  "backendWakeup",
  "backendRequest",
  "backendResponse",
  "xenstoreMessage",
  "consoleWakeup",
  "blockSubmit",
  "blockComplete",
  "loopSubmit",
  "loopComplete",
  "pageCacheCopy",
  "tapdiskSubmit",
  "tapdiskComplete",
  "qdiskSubmit",
  "qdiskComplete",
  "biosCall",
  "biosSector",
] as const;

/** A named set of prices. All times are integer nanoseconds. */
export interface CostPreset {
  /** What `--cost` takes. */
  readonly name: string;
  /** One line for `--cost help`. */
  readonly summary: string;
  /** Clock rate that turned cycles into nanoseconds. */
  readonly cpuHz: number;
  /** vCPUs of dom0: an unmapped grant must leave the TLB of each. */
  readonly dom0Vcpus: number;

  /** One VM exit and the VM entry that ends it. */
  readonly exitEntry: Ns;
  /** An access that the hypervisor answers itself. */
  readonly emulation: Ns;
  /**
   * An ioreq there and back: event to dom0, its scheduling, event to the vCPU; without the device's
   * work.
   */
  readonly ioreq: Ns;
  /** Work of the device model for one ioreq. dom0 is busy during it. */
  readonly deviceAccess: Ns;
  /** Work of the device model for each further item of a string access. */
  readonly deviceItem: Ns;

  /** A hypercall of the guest, beyond the VM exit and the {@link hypercallWork} of its name. */
  readonly hypercall: Ns;
  /** By hypercall name, as in Xen's `xen.h`; absent means zero. */
  readonly hypercallWork: Readonly<Record<string, Ns>>;
  /** A hypercall of dom0, which is paravirtualized and has no VM exit. */
  readonly dom0Hypercall: Ns;
  /** Placing an interrupt or an upcall into the guest at a VM entry. */
  readonly injection: Ns;
  /** EVTCHNOP_send by dom0, beyond {@link dom0Hypercall}. */
  readonly eventSend: Ns;

  /** Each page mapped, its share of the hypercall included. */
  readonly grantMap: Ns;
  /** Each page unmapped, without the hypercall and the TLB shootdown of its batch. */
  readonly grantUnmap: Ns;
  /** Each GNTTABOP_copy, without the hypercall and its bytes. */
  readonly grantCopy: Ns;
  /** Copying 4096 bytes. */
  readonly grantCopyPage: Ns;
  /** A TLB shootdown: the initiator's part. */
  readonly tlbFlush: Ns;
  /** A TLB shootdown: each further vCPU of dom0. */
  readonly tlbFlushPerVcpu: Ns;

  /** Event to a running blkback thread. */
  readonly backendWakeup: Ns;
  /** Reading and checking one ring request. */
  readonly backendRequest: Ns;
  /** Writing one ring response. */
  readonly backendResponse: Ns;
  /** One message to or from xenstored. */
  readonly xenstoreMessage: Ns;
  /** One wake-up of xenconsoled: all that is on the ring. */
  readonly consoleWakeup: Ns;
  /** dom0's block layer, down to the disk. */
  readonly blockSubmit: Ns;
  /** dom0's block layer, back up from the disk. */
  readonly blockComplete: Ns;
  /** A loop device: from the request to its worker. */
  readonly loopSubmit: Ns;
  /** A loop device: from its worker's file operation to the end of the request. */
  readonly loopComplete: Ns;
  /** The page cache: looking a page up and copying 4096 bytes. */
  readonly pageCacheCopy: Ns;
  /** tapdisk: waking the process, taking the request from its ring, io_submit(). */
  readonly tapdiskSubmit: Ns;
  /** tapdisk: waking the process for the completion, io_getevents(), the answer on its ring. */
  readonly tapdiskComplete: Ns;
  /** QEMU as backend: waking its main loop, then a thread of its pool, a system call. */
  readonly qdiskSubmit: Ns;
  /** QEMU as backend: waking its main loop for the completion. */
  readonly qdiskComplete: Ns;

  /** One call of a built-in BIOS service. */
  readonly biosCall: Ns;
  /** Each sector that such a call moves. */
  readonly biosSector: Ns;
}

type Cycles = Readonly<Record<typeof STEPS[number], number>>;
type Head = Pick<CostPreset, "name" | "summary" | "cpuHz" | "dom0Vcpus">;

/**
 * A 2020s server: EPT, VPID, dom0 on other cores than the guest. The default.
 * The TLB shootdown is the slope and the only term of a fit to the measurement cited above:
 * 5 guests reach 650,000 IOPS together, 1.538 us per unmap, which 23 remote vCPUs share.
 */
const XEN_4_17: Cycles = {
  exitEntry: 2_000, // SplitX: direct cost of an exit, Xeon X5570
  emulation: 600, // model: dispatch and the 8259/8254/RTC model's lock
  ioreq: 24_000, // model: about 10 us for the round trip together with deviceAccess
  deviceAccess: 6_000, // model: QEMU leaves its main loop, finds the region, runs the handler
  deviceItem: 60, // model: one more port handler call and guest memory access
  hypercall: 300, // model
  dom0Hypercall: 1_000, // model: entry and exit of a PV hypercall
  injection: 400, // model
  eventSend: 500, // model
  grantMap: 1_500, // model
  grantUnmap: 1_500, // model
  grantCopy: 700, // model
  grantCopyPage: 1_024, // model: 0.25 cycles a byte
  tlbFlush: 0, // see above
  tlbFlushPerVcpu: 201, // 0a8704a51f38: 1.538 us / 23 remote vCPUs
  backendWakeup: 6_000, // model: upcall, wake-up of the kernel thread
  backendRequest: 1_500, // model
  backendResponse: 1_000, // model
  xenstoreMessage: 30_000, // model: a daemon in user space
  consoleWakeup: 30_000, // model: another
  blockSubmit: 6_000, // model
  blockComplete: 3_000, // model
  loopSubmit: 6_000, // model: as backendWakeup, a kernel thread is woken
  loopComplete: 1_500, // model
  pageCacheCopy: 1_400, // model: a lookup, then 0.25 cycles a byte
  tapdiskSubmit: 12_000, // model: waking a process, two system calls
  tapdiskComplete: 10_000, // model: the same, without io_submit()
  qdiskSubmit: 15_000, // model: a process and a thread are woken, a system call
  qdiskComplete: 8_000, // model
  biosCall: 2_000, // model: a real BIOS's own instructions
  biosSector: 128_000, // model: four ioreq round trips, as SeaBIOS needs in PIO
};

/** The first VT-x machines: a Pentium 4 at 3.8 GHz, Xen 3, dom0 on the same core as the guest. */
const XEN_2007: Cycles = {
  exitEntry: 3_963, // Agesen: hardware round trip, Prescott
  emulation: 3_000, // model: Xen 3 decodes the instruction; ten VMREAD/VMWRITE at 178 and 171 (Adams)
  ioreq: 90_000, // model: two world switches through the scheduler, there and back
  deviceAccess: 15_000, // model
  deviceItem: 150, // model
  hypercall: 800, // model
  dom0Hypercall: 1_500, // model
  injection: 2_000, // model
  eventSend: 1_000, // model
  grantMap: 4_000, // model
  grantUnmap: 3_000, // model
  grantCopy: 1_500, // model
  grantCopyPage: 2_048, // model: 0.5 cycles a byte
  tlbFlush: 2_000, // model
  tlbFlushPerVcpu: 1_000, // model
  backendWakeup: 15_000, // model
  backendRequest: 4_000, // model
  backendResponse: 2_500, // model
  xenstoreMessage: 100_000, // model
  consoleWakeup: 100_000, // model
  blockSubmit: 15_000, // model
  blockComplete: 8_000, // model
  loopSubmit: 15_000, // model
  loopComplete: 4_000, // model
  pageCacheCopy: 3_000, // model: a lookup, then 0.5 cycles a byte
  tapdiskSubmit: 30_000, // model
  tapdiskComplete: 25_000, // model
  qdiskSubmit: 38_000, // model
  qdiskComplete: 20_000, // model
  biosCall: 4_000, // model
  biosSector: 450_000, // model: four ioreq round trips
};

/** Cycles beyond the dispatch, of the hypercalls that do something. All `model`. */
const HYPERCALL_WORK: Readonly<Record<string, number>> = {
  console_io: 2_000,
  event_channel_op: 500,
  grant_table_op: 800,
  hvm_op: 500,
  memory_op: 2_500,
  physdev_op: 500,
  sched_op: 500,
  set_timer_op: 500,
  vcpu_op: 500,
  xen_version: 100,
};

function preset(head: Head, cycles: Cycles, work: Readonly<Record<string, number>>): CostPreset {
  const ns = (n: number): Ns => Math.round(n * 1e9 / head.cpuHz);
  const convert = <K extends string>(table: Readonly<Record<K, number>>): Record<K, Ns> => {
    const entries = Object.entries<number>(table).map(([name, n]) => [name, ns(n)] as const);
    return Object.fromEntries(entries) as Record<K, Ns>;
  };
  return { ...head, ...convert(cycles), hypercallWork: convert(work) };
}

const FREE = Object.fromEntries(STEPS.map((step) => [step, 0])) as Cycles;

/** The preset when the user names none. */
export const DEFAULT_COST = "xen-4.17";

/** All presets by name. */
export const COST_PRESETS: Readonly<Record<string, CostPreset>> = {
  "xen-4.17": preset(
    {
      name: "xen-4.17",
      summary: "2020s server, dom0 with 24 vCPUs on other cores",
      cpuHz: 3_000_000_000,
      dom0Vcpus: 24, // as in the persistent-grants measurement
    },
    XEN_4_17,
    HYPERCALL_WORK,
  ),
  "xen-2007": preset(
    {
      name: "xen-2007",
      summary: "first VT-x machines, dom0 on the guest's core",
      cpuHz: 3_800_000_000,
      dom0Vcpus: 2,
    },
    XEN_2007,
    HYPERCALL_WORK,
  ),
  "zero": preset(
    {
      name: "zero",
      summary: "virtualization is free: only instructions and the disk take time",
      cpuHz: 1_000_000_000,
      dom0Vcpus: 1,
    },
    FREE,
    {},
  ),
};

/** Time of a hypercall of the guest, without its VM exit. */
export function hypercallTime(costs: CostPreset, name: string): Ns {
  return costs.hypercall + (costs.hypercallWork[name] ?? 0);
}

/** Time of one TLB shootdown, which every vCPU of dom0 must acknowledge. */
export function tlbShootdownTime(costs: CostPreset): Ns {
  return costs.tlbFlush + costs.tlbFlushPerVcpu * (costs.dom0Vcpus - 1);
}

/** Time of one GNTTABOP_copy of `bytes` bytes. */
export function grantCopyTime(costs: CostPreset, bytes: number): Ns {
  return costs.grantCopy + Math.round(costs.grantCopyPage * bytes / 4096);
}
