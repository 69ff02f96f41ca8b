/**
 * The hypervisor: takes every VM exit, books it, finds who answers, and lets the vCPU go on.
 *
 * | exit | answered by | books |
 * |---|---|---|
 * | port of PIC, PIT, RTC, PCI latch | the hypervisor | exit, emulation |
 * | any other port | device model in dom0, by ioreq | exit, ioreq, device |
 * | registers of local APIC, I/O APIC | the hypervisor | exit, emulation |
 * | registers of any other device in memory | device model in dom0, by ioreq | exit, ioreq, device |
 * | hypercall | Xen's interface | exit, hypercall |
 * | CPUID, MSR, HLT, addresses of nobody | the hypervisor | exit, emulation |
 *
 * A VMCALL from the built-in BIOS is no exit: it stands for instructions that a real BIOS would
 * run.
 * @module
 */

import { allOnes } from "../bits.ts";
import { InternalError } from "../errors.ts";
import { COST, DOM0_COST, EXIT } from "../types.ts";
import type {
  ExitObserver,
  ExitReason,
  Ledger,
  Ns,
  VcpuHost,
  VcpuState,
  VmExit,
} from "../types.ts";
import type { Accounting } from "./books/accounting.ts";
import { answerCpuid, readMsr, writeMsr } from "./cpuid_msr.ts";
import type { ExitBooks } from "./books/exit_books.ts";
import type {
  ApicBase,
  BiosTraps,
  Deadlines,
  HypervisorOptions,
  InterruptController,
  Paravirt,
  ServingDom0,
} from "./hypervisor_parts.ts";
import { DeviceModel, IoreqSlot } from "./ioreq.ts";
import { accessMmio } from "./mmio_access.ts";
import type { MmioSpace } from "./mmio_access.ts";
import { StringPorts } from "./port_access.ts";
import type { PortSpace } from "./port_access.ts";

/** One retired instruction, as QEMU's `-icount shift=0`. */
export const NS_PER_INSTRUCTION: Ns = 1;

/**
 * Most instructions of one budget, whatever the clock says: budgets are 31-bit numbers in the CPU.
 */
const LARGEST_BUDGET = 1 << 30;

// V8 folds a module's own constants, not imported ones: these are on the path of every exit.
const { IO_INSTRUCTION, VMCALL } = EXIT;
const { guest: GUEST, exit: EXIT_ENTRY, ioreq: IOREQ, device: DEVICE } = COST;
const { ioreq: DOM0_IOREQ } = DOM0_COST;

const FLAG_IF = 1 << 9;
const CS = 1;

/** Answer of a VMCALL exit: the instruction is executed once more. */
const CALL_AGAIN = 1;

/** The host of one vCPU. */
export class Hypervisor implements VcpuHost {
  readonly #clock: Deadlines;
  readonly #ledger: Ledger;
  readonly #dom0: ServingDom0;
  readonly #exitEntry: Ns;
  readonly #emulation: Ns;
  readonly #injection: Ns;
  readonly #ioreqTrip: Ns;
  readonly #deviceAccess: Ns;
  readonly #deviceItem: Ns;
  /** From exit to entry, of one read that the device model answers at once. */
  readonly #polledNs: Ns;
  readonly #accounting: Accounting;
  readonly #exits: ExitBooks | undefined;
  readonly #observer: ExitObserver | undefined;
  readonly #ports: PortSpace;
  readonly #ownMmio: MmioSpace;
  readonly #mmio: MmioSpace;
  readonly #strings: StringPorts;
  readonly #interrupts: InterruptController;
  readonly #apic: ApicBase | undefined;
  #xen: Paravirt;
  readonly #bios: BiosTraps;
  readonly #ioreq: IoreqSlot;
  readonly #deviceModel: DeviceModel;
  /** Port → access sizes that the hypervisor answers itself. */
  readonly #ownSizes = new Uint8Array(0x10000);
  readonly #maxInsns: number;
  readonly #maxTime: Ns;
  #vcpu: VcpuState | undefined;
  /** Exits served so far. */
  #served = 0;
  /** Number of the last read that may be a poll, its instruction, its port. */
  #polledExit = 0;
  #polledRip = -1;
  #polledPort = 0;
  #mustLeave = false;
  /** End of the slice or of all time. */
  #endsAt: Ns = Infinity;
  /** VM entries happen with interrupt-window exiting on. */
  #windowArmed = false;

  constructor(options: HypervisorOptions) {
    const { costs, memory, ports } = options;
    this.#clock = options.clock;
    this.#ledger = options.ledger;
    this.#dom0 = options.dom0;
    this.#exitEntry = costs.exitEntry;
    this.#emulation = costs.emulation;
    this.#injection = costs.injection;
    this.#ioreqTrip = costs.ioreq;
    this.#deviceAccess = costs.deviceAccess;
    this.#deviceItem = costs.deviceItem;
    this.#polledNs = costs.exitEntry + costs.ioreq + costs.deviceAccess;
    this.#accounting = options.accounting;
    this.#exits = options.exits;
    this.#observer = options.observer;
    this.#ports = ports;
    this.#ownMmio = options.ownMmio;
    this.#mmio = options.mmio;
    this.#strings = new StringPorts(ports, memory);
    this.#interrupts = options.interrupts;
    this.#apic = options.apic;
    this.#xen = options.xen;
    this.#bios = options.bios;
    this.#ioreq = new IoreqSlot(memory.allocateFrame(), 0);
    this.#deviceModel = new DeviceModel(ports, options.mmio, memory);
    for (const { base, length, sizes } of options.ownPorts) {
      this.#ownSizes.fill(sizes, base, base + length);
    }
    this.#maxInsns = options.maxInsns ?? Infinity;
    this.#maxTime = options.maxTime ?? Infinity;
    this.#endsAt = this.#maxTime;
  }

  /** Names the vCPU whose exits these are. Before the first exit, once. */
  attach(vcpu: VcpuState): void {
    this.#vcpu = vcpu;
  }

  // ---- what the vCPU asks -----------------------------------------------------------------------

  /**
   * {@inheritDoc VcpuHost.exit}
   * A CPUID or MSR exit whose `value` is 0 afterwards is the CPU's to answer, an unknown MSR with
   * #GP.
   */
  exit(exit: VmExit): number {
    this.retire(exit.retired);
    exit.at = this.#clock.now;
    if (exit.reason === VMCALL && this.#bios.covers(exit.rip)) {
      this.#bios.call(exit.rip, this.#state());
      return this.budget;
    }
    if (this.#xen.callbackAsserted) this.#xen.settleCallback();
    this.#served++;
    this.#accounting.exit(exit);
    this.#observer?.exits(exit, this.#state());
    const row = this.#exits?.begin(exit);
    this.#ledger.charge(EXIT_ENTRY, this.#exitEntry);
    if (exit.reason === IO_INSTRUCTION) this.#accessPort(exit);
    else this.#handle(exit);
    this.#accounting.answered(exit.value);
    if (row !== undefined) {
      this.#exits!.end(exit, row);
      if (exit.steady > 0) this.#exits!.mayRepeat(exit, row);
    }
    this.#observer?.enters(exit, this.#clock.now);
    this.#armWindow();
    return exit.reason === VMCALL && this.#xen.blocked ? 0 : this.budget;
  }

  repeated(times: number, spent: Int32Array): void {
    this.#accounting.repeated(this.#polledPort, times, this.#clock.now, spent);
    this.#exits?.repeated(times);
    this.#dom0.serve(DOM0_IOREQ, this.#deviceAccess * times);
    this.#ledger.charge(EXIT_ENTRY, this.#exitEntry * times);
    this.#ledger.charge(IOREQ, this.#ioreqTrip * times);
    this.#ledger.charge(DEVICE, this.#deviceAccess * times);
  }

  /** An upcall goes before the interrupt controller: Xen looks at it first. */
  get interruptPending(): boolean {
    return this.#upcallVector() !== undefined || this.#interrupts.pending;
  }

  /**
   * Returns the vector. An interrupt that had to wait for IF = 1 comes by an interrupt-window exit.
   */
  acknowledgeInterrupt(): number {
    if (this.#windowArmed) this.#exitWithoutInstruction(EXIT.INTERRUPT_WINDOW);
    this.#windowArmed = false;
    this.#accounting.interrupt();
    this.#ledger.charge(COST.injection, this.#injection);
    const upcall = this.#upcallVector();
    if (upcall !== undefined) {
      this.#exits?.upcall();
      return upcall;
    }
    const vector = this.#interrupts.acknowledge();
    if (vector === this.#xen.upcallVector) this.#exits?.upcall();
    else this.#exits?.interrupt(this.#interrupts.irq);
    return vector;
  }

  acknowledgeNmi(): void {
    this.#accounting.interrupt();
    this.#ledger.charge(COST.injection, this.#injection);
  }

  timestamp(retired: number): number {
    return this.#clock.now + retired * NS_PER_INSTRUCTION;
  }

  passthroughPort(exit: VmExit): void {
    if (exit.write) this.#ports.write(exit.port, exit.size, exit.value);
    else exit.value = this.#ports.read(exit.port, exit.size);
  }

  // ---- what the machine asks --------------------------------------------------------------------

  /** Books instructions that retired since the last report. */
  retire(instructions: number): void {
    this.#accounting.retire(instructions);
    this.#ledger.charge(GUEST, instructions * NS_PER_INSTRUCTION);
  }

  /** Instructions that may retire until something must happen outside the vCPU; 0 = now. */
  get budget(): number {
    if (this.#mustLeave) return 0;
    const { now, nextDeadline } = this.#clock;
    const until = nextDeadline < this.#endsAt ? nextDeadline : this.#endsAt;
    const allowed = this.#maxInsns - this.#accounting.instructions;
    const instructions = (until - now) / NS_PER_INSTRUCTION;
    if (allowed < instructions) return clampBudget(allowed);
    return clampBudget(instructions);
  }

  /** Budgets also end at that time, which shows to nobody but the caller. */
  set sliceEndsAt(at: Ns) {
    this.#endsAt = Math.min(at, this.#maxTime);
  }

  /** Ends the current budget at the next exit and gives no further one. */
  stop(): void {
    this.#mustLeave = true;
  }

  /** Takes {@link stop} back. */
  goOn(): void {
    this.#mustLeave = false;
  }

  /** The guest is another domain from now on. Not while it runs. */
  moveTo(xen: Paravirt): void {
    this.#xen = xen;
  }

  /** A timer has made an interrupt pending while the guest was running. */
  interruptWhileRunning(): void {
    this.#exitWithoutInstruction(EXIT.EXTERNAL_INTERRUPT);
    this.#armWindow();
  }

  // ---- exits ------------------------------------------------------------------------------------

  #state(): VcpuState {
    if (this.#vcpu === undefined) throw new InternalError("VM exit before a vCPU was attached");
    return this.#vcpu;
  }

  #handle(exit: VmExit): void {
    switch (exit.reason) {
      case VMCALL:
        exit.value = this.#xen.hypercall(this.#state()) ? CALL_AGAIN : 0;
        return;
      case EXIT.EPT_VIOLATION:
        this.#accessMmio(exit);
        return;
      case EXIT.CPUID:
        exit.value = Number(answerCpuid(this.#xen, exit.port, this.#state()));
        break;
      case EXIT.MSR_READ:
        exit.value = Number(readMsr(this.#xen, this.#apic, exit.port, this.#state()));
        break;
      case EXIT.MSR_WRITE:
        exit.value = Number(writeMsr(this.#xen, this.#apic, exit.port, this.#state()));
        break;
    }
    this.#ledger.charge(COST.emulation, this.#emulation);
  }

  #accessPort(exit: VmExit): void {
    this.#accounting.port(exit.port, exit.write, exit.count);
    if ((this.#ownSizes[exit.port]! & exit.size) === 0) this.#askDeviceModel(exit);
    else this.#answerPort(exit);
  }

  #answerPort(exit: VmExit): void {
    this.#ledger.charge(COST.emulation, this.#emulation);
    if (exit.string) this.#strings.transfer(exit);
    else if (exit.write) this.#ports.write(exit.port, exit.size, exit.value);
    else exit.value = this.#ports.read(exit.port, exit.size);
  }

  #askDeviceModel(exit: VmExit): void {
    this.#ioreq.request(exit);
    const answer = this.#awaitDeviceModel(exit.count);
    if (exit.string || exit.write) return;
    exit.value = answer;
    if (this.#ports.isSteady(exit.port, exit.size)) this.#polled(exit);
  }

  /** Offers repeats of a read that an instruction makes for the second time running. */
  #polled(exit: VmExit): void {
    const isSecond = this.#served === this.#polledExit + 1 && exit.rip === this.#polledRip;
    this.#polledExit = this.#served;
    this.#polledRip = exit.rip;
    this.#polledPort = exit.port;
    if (isSecond && this.#isUndisturbed(exit)) exit.steady = this.#polledNs;
  }

  /**
   * Nothing but a timer can make the next exit another one than this: dom0 had no work, no interrupt
   * or event is due, nobody follows the exits or counts instructions.
   */
  #isUndisturbed({ at }: VmExit): boolean {
    return this.#clock.now - at === this.#polledNs && this.#observer === undefined &&
      this.#maxInsns === Infinity && !this.interruptPending &&
      this.#xen.callbackVector === undefined && !this.#xen.callbackAsserted;
  }

  /** An address that no device model has registered reads all ones. */
  #accessMmio(exit: VmExit): void {
    const { gpa, size, count } = exit;
    if (this.#ownMmio.ownerOf(gpa, size * count) !== undefined) {
      this.#ledger.charge(COST.emulation, this.#emulation);
      exit.value = accessMmio(this.#ownMmio, exit);
    } else if (this.#mmio.ownerOf(gpa, size * count) !== undefined) {
      this.#ioreq.requestMmio(exit);
      exit.value = this.#awaitDeviceModel(count);
    } else {
      this.#ledger.charge(COST.emulation, this.#emulation);
      if (!exit.write) exit.value = allOnes(exit.size);
    }
  }

  /** The vCPU is blocked from request to response; time passes before the device acts. */
  #awaitDeviceModel(items: number): number {
    const work = this.#deviceAccess + this.#deviceItem * (items - 1);
    this.#accounting.ioreq();
    const wait = this.#dom0.serve(DOM0_IOREQ, work);
    this.#ledger.charge(IOREQ, this.#ioreqTrip + wait);
    this.#ledger.charge(DEVICE, work);
    this.#deviceModel.serve(this.#ioreq);
    return this.#ioreq.complete();
  }

  // ---- interrupts -------------------------------------------------------------------------------

  /** Vector of the upcall that is due, if one is and the guest has named a vector. */
  #upcallVector(): number | undefined {
    return this.#xen.upcallPending ? this.#xen.callbackVector : undefined;
  }

  #exitWithoutInstruction(reason: ExitReason): void {
    const state = this.#state();
    const rip = (state.segmentBase(CS) + state.eip) >>> 0;
    const at = this.#clock.now;
    this.#accounting.eventExit(reason, rip, at);
    this.#exits?.event(reason, rip, this.#exitEntry);
    this.#ledger.charge(EXIT_ENTRY, this.#exitEntry);
    this.#observer?.event(reason, rip, at, this.#clock.now);
  }

  /** At a VM entry: an interrupt that the guest cannot take now is waited for. */
  #armWindow(): void {
    if (!this.interruptPending) this.#windowArmed = false;
    else if (!this.#windowArmed) this.#windowArmed = (this.#state().eflags & FLAG_IF) === 0;
  }
}

function clampBudget(instructions: number): number {
  if (instructions >= LARGEST_BUDGET) return LARGEST_BUDGET;
  return instructions > 0 ? instructions | 0 : 0;
}
