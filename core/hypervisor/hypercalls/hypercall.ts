/**
 * Hypercalls: which number is which, who may call, how often each was called.
 * Source: Xen public header xen.h; calling convention of arch-x86/xen-x86_32.h: EAX = number, EBX
 * ECX EDX ESI EDI = arguments, EAX = result.
 * @module
 */

import type { GuestErrors, GuestMemory, VcpuState } from "../../types.ts";
import { ERRNO, errnoName } from "./errno.ts";
import { GuestCall } from "./guest_pointer.ts";
import { Multicalls } from "./multicall.ts";

/** Names by number, as Xen's `xen.h` and its performance counters have them. */
export const HYPERCALLS = {
  0: "set_trap_table",
  1: "mmu_update",
  2: "set_gdt",
  3: "stack_switch",
  4: "set_callbacks",
  5: "fpu_taskswitch",
  6: "sched_op_compat",
  7: "platform_op",
  8: "set_debugreg",
  9: "get_debugreg",
  10: "update_descriptor",
  12: "memory_op",
  13: "multicall",
  14: "update_va_mapping",
  15: "set_timer_op",
  16: "event_channel_op_compat",
  17: "xen_version",
  18: "console_io",
  19: "physdev_op_compat",
  20: "grant_table_op",
  21: "vm_assist",
  22: "update_va_mapping_otherdomain",
  23: "iret",
  24: "vcpu_op",
  26: "mmuext_op",
  28: "nmi_op",
  29: "sched_op",
  30: "callback_op",
  31: "xenoprof_op",
  32: "event_channel_op",
  33: "physdev_op",
  34: "hvm_op",
  35: "sysctl",
  36: "domctl",
  37: "kexec_op",
  40: "xenpmu_op",
  41: "dm_op",
} as const;

/** A hypercall that has a name. */
export type HypercallName = typeof HYPERCALLS[keyof typeof HYPERCALLS];

/** How a number without a name is counted. */
const UNKNOWN_HYPERCALL = "unknown";

/** Serves a hypercall; returns EAX: a result, or a negative error number. */
export type HypercallHandler = (call: GuestCall) => number;

/** Handlers by name. A name without one answers -ENOSYS. */
export type HypercallHandlers = Readonly<Partial<Record<HypercallName, HypercallHandler>>>;

/** What the dispatcher works with. */
export interface HypercallsOptions {
  readonly memory: GuestMemory;
  readonly errors: GuestErrors;
  readonly handlers: HypercallHandlers;
  /** Told before the work is done, so that whoever keeps the books can charge it. */
  readonly onCall?: (name: string) => void;
}

/** Hypercalls made so far. */
export interface HypercallCounters {
  readonly total: number;
  /** Only those that happened; keys sorted. */
  readonly byName: Readonly<Record<string, number>>;
}

const EAX = 0;

/** EFLAGS.VM: virtual-8086 mode, whose code runs at CPL 3. */
const EFLAGS_VM = 1 << 17;

/** A row of the dispatch table. */
interface Row {
  readonly name: string;
  readonly handler: HypercallHandler;
  count: number;
}

const notImplemented: HypercallHandler = () => -ERRNO.ENOSYS;

/** Takes hypercalls from a vCPU's registers and answers into them. */
export class Hypercalls {
  readonly #errors: GuestErrors;
  readonly #onCall: ((name: string) => void) | undefined;
  readonly #call: GuestCall;
  readonly #rows: (Row | undefined)[] = [];
  readonly #unknown: Row = { name: UNKNOWN_HYPERCALL, handler: notImplemented, count: 0 };

  constructor(options: HypercallsOptions) {
    this.#errors = options.errors;
    this.#onCall = options.onCall;
    this.#call = new GuestCall(options.memory);
    const multicalls = new Multicalls(options.memory, (entry) => this.#serve(entry, true));
    const handlers: HypercallHandlers = {
      ...options.handlers,
      multicall: (call) => multicalls.multicall(call),
    };
    for (const [number, name] of Object.entries(HYPERCALLS)) {
      const handler = handlers[name] ?? notImplemented;
      this.#rows[Number(number)] = { name, handler, count: 0 };
    }
  }

  get counters(): HypercallCounters {
    const called = [...this.#rows, this.#unknown].filter((row) => row !== undefined)
      .filter((row) => row.count > 0)
      .sort((a, b) => a.name < b.name ? -1 : 1);
    return {
      total: called.reduce((sum, row) => sum + row.count, 0),
      byName: Object.fromEntries(called.map((row) => [row.name, row.count])),
    };
  }

  /**
   * Serves the hypercall in the registers. EIP is the vCPU's business.
   * @returns true when the vCPU must make it again, for the rest of a long one
   */
  dispatch(vcpu: VcpuState): boolean {
    this.#call.begin(vcpu);
    const allowed = vcpu.cpl === 0 && (vcpu.eflags & EFLAGS_VM) === 0;
    const result = this.#serve(this.#call, allowed);
    if (this.#call.goesOn) return true;
    vcpu.regs[EAX] = result;
    return false;
  }

  #serve(call: GuestCall, allowed: boolean): number {
    const row = this.#rows[call.number] ?? this.#unknown;
    row.count++;
    this.#onCall?.(row.name);
    const result = allowed ? row.handler(call) : -ERRNO.EPERM;
    if (result < 0 && !call.goesOn) this.#tell(row, call, result, allowed);
    return result;
  }

  /** -ENOSYS is how a guest finds out what there is; any other error is a mistake of its. */
  #tell(row: Row, call: GuestCall, result: number, allowed: boolean): void {
    if (result === -ERRNO.ENOSYS && row !== this.#unknown) return;
    const what = row === this.#unknown ? `hypercall ${call.number}` : row.name;
    const where = allowed ? `command ${call.first}` : "not at CPL 0";
    this.#errors.guestError("xen", `${what}, ${where}: ${errnoName(result)}`);
  }
}
