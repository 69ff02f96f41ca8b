/**
 * A machine: the vCPU and its world, and the loop that lets time pass.
 *
 * One turn of the loop fires what is due, then either lets the vCPU run until the next deadline or,
 * if it sleeps, skips to that deadline. Both are booked, so the books always add up to the clock.
 * @module
 */

import type { Vga } from "../../devices/vga.ts";
import type { TextScreen } from "../../devices/vga_text.ts";
import type { VirtualClock } from "../clock.ts";
import type { Cpu } from "../cpu/cpu.ts";
import type { Dom0Timeline } from "../dom0.ts";
import { GuestPanic, InternalError } from "../errors.ts";
import type { Accounting } from "../hypervisor/books/accounting.ts";
import type { ExitBooks } from "../hypervisor/books/exit_books.ts";
import type { HiddenXen } from "../hypervisor/hidden_xen.ts";
import { type Hypervisor, NS_PER_INSTRUCTION } from "../hypervisor/hypervisor.ts";
import type { ShutdownReason } from "../hypervisor/hypercalls/sched_op.ts";
import type { XenInterface } from "../hypervisor/xen.ts";
import type { Books } from "../ledger.ts";
import type { GuestMemory, Ns } from "../types.ts";
import { COST } from "../types.ts";
import { Assembly, type Transition } from "./assembly.ts";
import type { Counters, MachineConfig, RunResult, ToolstackCommand } from "./config.ts";
import { showsXen } from "./config.ts";
import type { Drives, NamedBackend } from "./drives.ts";
import { countersOf } from "./counters.ts";
import { crashDump } from "./dump.ts";
import {
  crash,
  type End,
  guestExit,
  instructionLimit,
  INTERRUPTED,
  powerOff,
  timeLimit,
  withHostErrors,
} from "./ends.ts";
import { ExceptionWatch } from "./exceptions.ts";
import { type ExitReport, exitReport } from "./exit_report.ts";
import { HostErrors } from "./host_errors.ts";
import { HostLoop, type RunHooks, SHORTEST_SLICE } from "./host_loop.ts";
import type { Inspector } from "./inspect.ts";
import type { PowerCycle } from "./power_cycle.ts";
import type { HostInput, InputSource, RecordedInput } from "./replay.ts";

/** 25 hours: no alarm of the board is further away, but timers may tick for ever behind a mask. */
const LONGEST_SLEEP: Ns = 90_000_000_000_000;

/** A machine that has been switched on. */
export class Machine {
  /** Guest-physical memory, for whoever looks at the guest from outside. */
  readonly memory: GuestMemory;
  /** For whoever looks closer. */
  readonly inspector: Inspector;
  readonly #config: MachineConfig;
  readonly #clock: VirtualClock;
  readonly #books: Books;
  readonly #dom0: Dom0Timeline;
  readonly #accounting: Accounting;
  readonly #exits: ExitBooks;
  readonly #exceptions = new ExceptionWatch();
  readonly #cpu: Cpu;
  readonly #drives: Drives;
  readonly #parts: Assembly;
  #xen: XenInterface | HiddenXen;
  #hypervisor: Hypervisor;
  #vga: Vga;
  /** Of boards that are no more. */
  #pastScreenChanges = 0;
  readonly #input: HostInput;
  readonly #loop = new HostLoop();
  #end: End | undefined;
  /** Under way: the vCPU stands still. */
  #transition: Transition | undefined;
  #restarts = 0;
  /** The host is to be given way: a start takes it some time. */
  #sliceEnds = false;
  /** When the vCPU ran last. */
  #ranAt: Ns = 0;
  readonly #hostErrors: HostErrors;

  /** Builds the machine, loads the guest and powers on. Nothing has run yet. */
  constructor(config: MachineConfig) {
    this.#config = config;
    this.#hostErrors = new HostErrors((error) => config.onHostError?.(error));
    const parts = new Assembly(config, {
      onExit: (value) => this.#finish(guestExit(value)),
      onShutdown: (reason) => this.#shutDown(reason),
      onReset: (by) => this.#reset(`Guest asked for a reset by ${by}`),
      onSystemReset: () => this.#reset("The monitor asked for a reset"),
      onHostError: (image, error) => this.#hostErrors.add(image, error),
    });
    this.#parts = parts;
    this.memory = parts.memory;
    this.inspector = parts.inspector;
    this.#clock = parts.clock;
    this.#books = parts.books;
    this.#dom0 = parts.dom0;
    this.#accounting = parts.accounting;
    this.#exits = parts.exits;
    this.#cpu = parts.cpu;
    this.#drives = parts.drives;
    this.#xen = parts.cycle.xen;
    this.#hypervisor = parts.cycle.hypervisor;
    this.#vga = parts.cycle.pc.vga;
    this.#input = parts.input;
    this.#cpu.onException = (vector, code) =>
      this.#exceptions.take(vector, code, this.#cpu.state, this.#attempted());
  }

  /** Virtual time since power-on. */
  get now(): Ns {
    return this.#clock.now;
  }

  /** The run has ended. */
  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** When a sleeping guest is woken at the latest; `undefined` while it runs. */
  get sleepsUntil(): Ns | undefined {
    return this.#isAsleep() ? this.#clock.nextDeadline : undefined;
  }

  /** Everything that the host has typed, and when: a config of the same else replays the run. */
  get inputs(): readonly RecordedInput[] {
    return this.#input.recorded;
  }

  /** Bytes typed that the guest has not had room for. */
  waitingInput(source: InputSource): number {
    return this.#input.waiting(source);
  }

  /** Types on one of the machine's lines, now; not from inside one of the machine's callbacks. */
  input(source: InputSource, bytes: Uint8Array): void {
    this.#input.add(source, bytes);
    this.#loop.wake();
  }

  /**
   * Asks the toolstack for something, now; not from inside one of the machine's callbacks. The
   * machine closes the image of a disk that it gets when the disk is detached, or with itself.
   * @throws {UsageError} when it cannot be
   */
  toolstack(command: ToolstackCommand): void {
    this.#input.command(command);
    this.#loop.wake();
  }

  /** The drives that there are, by the names of their places. */
  get drives(): readonly NamedBackend[] {
    return this.#drives.backends;
  }

  /** What the video card shows; `undefined` in a graphics mode. */
  screen(): TextScreen | undefined {
    return this.#vga.screen();
  }

  /** Grows whenever something is written to the video card: the screen may have changed since. */
  get screenChanges(): number {
    return this.#pastScreenChanges + this.#vga.changes;
  }

  /** Sums since power-on. */
  counters(): Counters {
    const [restarts, hostErrors] = [this.#restarts, this.#hostErrors.count];
    return { ...countersOf(this.#parts), restarts, hostErrors };
  }

  /** The VM exits since power-on, by device and by disk request. */
  exits(): ExitReport {
    return exitReport(this.#exits);
  }

  /**
   * Runs until the machine ends, or the caller interrupts it. Everything that the guest was told is
   * written is durable then, unless the result says that the host has failed.
   */
  async run(hooks: RunHooks = {}): Promise<RunResult> {
    if (await this.#loop.run(this, hooks)) this.#finish(INTERRUPTED);
    this.flush();
    return this.#result(this.#end!);
  }

  /**
   * Lets that much virtual time pass, or a little more, without giving way to the event loop.
   * @returns the end of the run, when it has come
   */
  runSlice(length: Ns = SHORTEST_SLICE): RunResult | undefined {
    const endsAt = this.#clock.now + length;
    this.#hypervisor.sliceEndsAt = endsAt;
    this.#sliceEnds = false;
    while (this.#mayTurn(endsAt)) this.#turn();
    return this.#end === undefined ? undefined : this.#result(this.#end);
  }

  #mayTurn(endsAt: Ns): boolean {
    if (this.#end !== undefined || this.#sliceEnds) return false;
    return this.#clock.now < endsAt && this.#clock.now < this.#loop.horizon;
  }

  /** Makes durable what the disks have completed. */
  flush(): void {
    this.#drives.flush();
  }

  /** Closes the disk images. The machine cannot run on. */
  close(): void {
    this.#drives.close();
  }

  // ---- the loop ---------------------------------------------------------------------------------

  #turn(): void {
    this.#fireTimers();
    if (this.#end !== undefined || this.#isAtLimit()) return;
    if (this.#transition !== undefined) this.#settle(this.#transition);
    else if (this.#isAsleep()) this.#sleep();
    else this.#runVcpu();
  }

  /** A physical interrupt tells of what has happened, so a running guest exits for it. */
  #fireTimers(): void {
    const hypervisor = this.#hypervisor;
    if (this.#input.isDue) this.#input.deliver();
    if (this.#clock.nextDeadline > this.#clock.now) return;
    const wasPending = hypervisor.interruptPending;
    const wasAsleep = this.#isAsleep();
    this.#clock.fireDue();
    if (hypervisor.interruptPending && !wasPending && !wasAsleep) {
      hypervisor.interruptWhileRunning();
    }
  }

  #isAtLimit(): boolean {
    const { maxInsns = Infinity, maxTime = Infinity } = this.#config;
    const { instructions } = this.#accounting;
    const { now } = this.#clock;
    if (instructions >= maxInsns) this.#finish(instructionLimit(instructions, maxInsns));
    else if (now >= maxTime) this.#finish(timeLimit(now, maxTime));
    else return false;
    return true;
  }

  /** In HLT or in a blocking hypercall, and nothing that the guest can take is pending. */
  #isAsleep(): boolean {
    const cpu = this.#cpu;
    if (this.#transition !== undefined) return true;
    if ((!cpu.halted && !this.#xen.blocked) || cpu.nmiDue) return false;
    return !(this.#hypervisor.interruptPending && cpu.canTakeInterrupt);
  }

  #sleep(): void {
    const { maxTime = Infinity } = this.#config;
    if (this.#cpu.halted && !this.#cpu.canTakeInterrupt) {
      this.#halt("HLT with interrupts disabled");
      return;
    }
    const { now, nextDeadline } = this.#clock;
    const isOverdue = now - Math.max(this.#ranAt, this.#input.cameAt) >= LONGEST_SLEEP &&
      maxTime === Infinity;
    const wakesAt = isOverdue ? Infinity : Math.min(nextDeadline, maxTime, this.#loop.horizon);
    if (wakesAt < Infinity) this.#idle(wakesAt);
    else if (!this.#loop.awaitInput(now)) this.#crash("the guest waits for ever");
  }

  #idle(until: Ns): void {
    const { now } = this.#clock;
    this.#books.charge(this.#isDiskBusy() ? COST.media : COST.idle, until - now);
    this.#xen.slept(until - now);
    this.#config.observer?.slept(now, until);
  }

  #isDiskBusy(): boolean {
    return this.#dom0.servesDisk || this.#drives.isBusy;
  }

  #runVcpu(): void {
    const cpu = this.#cpu;
    this.#xen.unblock();
    let failure: unknown;
    try {
      cpu.run(this.#hypervisor.budget);
    } catch (error) {
      failure = error;
    }
    this.#hypervisor.retire(cpu.takeRetired());
    this.#ranAt = this.#clock.now;
    if (failure instanceof GuestPanic) this.#crash(failure.message);
    else if (failure !== undefined) throw this.#withDump(failure);
    else if (cpu.shutdown) this.#crash("triple fault");
  }

  // ---- between two runs of the vCPU -------------------------------------------------------------

  #reset(cause: string): void {
    if (this.#config.reboot === "reset") this.#begin("restart");
    else this.#finish(powerOff(`${cause}: this machine does not start again`));
  }

  /** The vCPU stands still; what the disks and dom0 have begun is finished first. */
  #begin(transition: Transition): void {
    if (this.#transition !== undefined) return;
    this.#transition = transition;
    this.#hypervisor.stop();
    this.#parts.begin(transition);
  }

  #settle(transition: Transition): void {
    if (this.#isDiskBusy() || !this.#dom0.isIdle) {
      const { maxTime = Infinity } = this.#config;
      return this.#idle(Math.min(this.#clock.nextDeadline, maxTime, this.#loop.horizon));
    }
    this.flush();
    const { vga } = this.#parts.cycle.pc;
    this.#parts.finish(transition);
    if (transition === "restart") this.#restarts++;
    this.#adopt(this.#parts.cycle, vga);
    this.#transition = undefined;
    this.#sliceEnds = true;
  }

  /** @param before the video card until now */
  #adopt({ xen, hypervisor, pc }: PowerCycle, before: Vga): void {
    if (pc.vga !== before) this.#pastScreenChanges += before.changes + 1;
    this.#xen = xen;
    this.#hypervisor = hypervisor;
    this.#vga = pc.vga;
  }

  // ---- the end ----------------------------------------------------------------------------------

  /** The first end counts. */
  #finish(end: End): void {
    this.#end ??= end;
    this.#parts.domains?.current.console.close();
    this.#hypervisor.stop();
  }

  #crash(cause: string): void {
    this.#finish(crash(cause, this.#dump()));
  }

  /**
   * Nothing can wake the vCPU. Xen powers such a domain off, and stock systems that cannot do it
   * themselves end like this; a guest made for Xen has other means, and has given up.
   */
  #halt(cause: string): void {
    if (showsXen(this.#config)) this.#crash(cause);
    else this.#finish(powerOff(`Guest halted: ${cause}`));
  }

  /** A domain that has shut down does not do so again. */
  #shutDown(reason: ShutdownReason): void {
    if (this.#transition !== undefined) return;
    if (reason === "crash" || reason === "watchdog") this.#crash(`it shut down, reason ${reason}`);
    else if (reason === "poweroff") this.#finish(powerOff());
    else if (reason === "reboot") this.#reset("Guest asked for reboot");
    else if (reason === "soft_reset") this.#begin("soft reset");
    else {
      const { control } = this.#parts.domains!.current;
      this.#begin(control.isCheckpoint ? "checkpoint" : "restore");
    }
  }

  #result(end: End): RunResult {
    this.#books.assertClosed();
    this.#exits.finish();
    const counters = this.counters();
    this.#exits.assertClosed(counters.exits, counters.books);
    return { ...withHostErrors(end, counters.hostErrors), counters, exits: this.exits() };
  }

  /** Instructions that have retired or faulted, with those that the vCPU has not reported yet. */
  #attempted(): number {
    const unreported = this.#cpu.timestamp() - this.#clock.now;
    return this.#accounting.instructions + unreported / NS_PER_INSTRUCTION;
  }

  #dump(): string {
    return crashDump({
      vcpu: this.#cpu.state,
      memory: this.memory,
      accounting: this.#accounting,
      exceptions: this.#exceptions,
      now: this.#clock.now,
    });
  }

  #withDump(error: unknown): unknown {
    if (!(error instanceof InternalError)) return error;
    return new InternalError(`${error.message}\n${this.#dump()}`, { cause: error });
  }
}

/** Builds and switches on a machine. */
export function bootMachine(config: MachineConfig): Machine {
  return new Machine(config);
}
