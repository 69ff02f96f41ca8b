/**
 * What the hypervisor is put together from: clock, dom0, devices, interrupts, and Xen's interface, as
 * far as it needs each.
 * @module
 */

import type {
  Dom0Cost,
  ExitObserver,
  GuestMemory,
  Ledger,
  Ns,
  Physmap,
  VcpuState,
} from "../types.ts";
import type { Accounting } from "./books/accounting.ts";
import type { CostPreset } from "./costs.ts";
import type { ExitBooks } from "./books/exit_books.ts";
import type { MmioSpace } from "./mmio_access.ts";
import type { PortSpace } from "./port_access.ts";
import type { XenInterface } from "./xen.ts";

/** When the vCPU must be interrupted next. */
export interface Deadlines {
  readonly now: Ns;
  readonly nextDeadline: Ns;
}

/** dom0 as a vCPU waits for it. */
export interface ServingDom0 {
  /** Does a task; returns how long dom0's earlier tasks keep it waiting. */
  serve(cost: Dom0Cost, ns: Ns): Ns;
}

/** What interrupts the vCPU: its local APIC, or the 8259 pair alone. */
export interface InterruptController {
  readonly pending: boolean;
  /** ISA interrupt of the vector acknowledged last; `undefined` when it was another's. */
  readonly irq?: number | undefined;
  /** Takes the pending interrupt; returns its vector. */
  acknowledge(): number;
}

/** IA32_APIC_BASE. */
export interface ApicBase {
  readonly base: number;
  /** @returns false for a value that the register cannot hold */
  setBase(low: number, high: number): boolean;
}

/** Xen's own interface to the guest, as exits and VM entries reach it. */
export type Paravirt = Pick<
  XenInterface,
  | "upcallPending"
  | "upcallVector"
  | "callbackVector"
  | "callbackAsserted"
  | "settleCallback"
  | "blocked"
  | "hypercall"
  | "cpuid"
  | "readMsr"
  | "writeMsr"
>;

/** The built-in BIOS services. */
export interface BiosTraps {
  /** A VMCALL at that linear address belongs to the BIOS. */
  covers(rip: number): boolean;
  /** Serves it and books its time. */
  call(rip: number, vcpu: VcpuState): void;
}

/** Ports `base` up to `base + length - 1`, for accesses of these sizes only. */
export interface HypervisorPorts {
  readonly base: number;
  readonly length: number;
  /** Sum of the access sizes in bytes: 7 = all, 4 = dword only. */
  readonly sizes: number;
}

/** What the hypervisor is built from. */
export interface HypervisorOptions {
  readonly clock: Deadlines;
  readonly ledger: Ledger;
  readonly dom0: ServingDom0;
  readonly costs: CostPreset;
  readonly accounting: Accounting;
  /** Where every exit is told, if anywhere. */
  readonly exits?: ExitBooks | undefined;
  /** Who follows the exits one by one, if anyone. */
  readonly observer?: ExitObserver | undefined;
  readonly memory: GuestMemory & Physmap;
  readonly ports: PortSpace;
  /** Ports that the hypervisor answers itself. */
  readonly ownPorts: readonly HypervisorPorts[];
  /** Registers in memory that the hypervisor answers itself. */
  readonly ownMmio: MmioSpace;
  /** Those that the device model answers. */
  readonly mmio: MmioSpace;
  readonly interrupts: InterruptController;
  /** Absent where there is no local APIC. */
  readonly apic?: ApicBase | undefined;
  readonly xen: Paravirt;
  readonly bios: BiosTraps;
  /** Budgets end there, in retired instructions since power-on. */
  readonly maxInsns?: number | undefined;
  /** Budgets end there. */
  readonly maxTime?: Ns | undefined;
}
