/**
 * A machine: the vCPU and its world, and the loop that lets time pass.
 *
 * One turn of the loop fires what is due, then either lets the vCPU run until the next deadline or,
 * if it sleeps, skips to that deadline. Both are booked, so the books always add up to the clock.
 * @module
 */

import { FaultyDisk } from "../../devices/disk/faulty.ts";
import { ServedDisk } from "../../devices/disk/served.ts";
import { TimedDisk } from "../../devices/disk/timed.ts";
import type { Vga } from "../../devices/vga.ts";
import type { TextScreen } from "../../devices/vga_text.ts";
import { VirtualClock } from "../clock.ts";
import { Cpu } from "../cpu/cpu.ts";
import { DEFAULT_PROFILE, FEATURE, profileFeatures } from "../cpu/cpuid.ts";
import { Dom0Timeline } from "../dom0.ts";
import { EXIT_CODE, GuestPanic, ImageError, InternalError } from "../errors.ts";
import { Accounting } from "../hypervisor/accounting.ts";
import { ExitBooks } from "../hypervisor/exit_books.ts";
import { HiddenXen } from "../hypervisor/hidden_xen.ts";
import { type BiosTraps, Hypervisor, NS_PER_INSTRUCTION } from "../hypervisor/hypervisor.ts";
import type { ShutdownReason } from "../hypervisor/sched_op.ts";
import type { XenInterface } from "../hypervisor/xen.ts";
import { Books } from "../ledger.ts";
import type { BlockBackend, Disk, GuestMemory, Ns } from "../types.ts";
import { COST, PAGE_SIZE } from "../types.ts";
import { Bios } from "./bios.ts";
import { RomBios } from "./rom.ts";
import type { Counters, DiskConfig, MachineConfig, RunResult } from "./config.ts";
import { Domain } from "./domain.ts";
import { crashDump } from "./dump.ts";
import { ExceptionWatch } from "./exceptions.ts";
import { placeTables } from "./firmware.ts";
import { firmwareContents } from "./fw_cfg_items.ts";
import { type ExitReport, exitReport, requestRecord } from "./exit_report.ts";
import { HostLoop, type RunHooks } from "./host_loop.ts";
import { type Inspector, MachineInspector } from "./inspect.ts";
import { driveName } from "./inspect_board.ts";
import { listBlock } from "./listing.ts";
import { GuestRam } from "./memory.ts";
import { HYPERVISOR_PORTS, IRQ } from "./address_map.ts";
import { Pc, type PcDrive } from "./pc.ts";
import { HostInput, type InputSink, type InputSource, type RecordedInput } from "./replay.ts";

/** Pages of Xen's own: grant table, shared_info, ioreq, xenstore, console. Makes 64 KiB units. */
const EXTRA_FRAMES = 80;
/** 25 hours: no alarm of the board is further away, but timers may tick for ever behind a mask. */
const LONGEST_SLEEP: Ns = 90_000_000_000_000;
/** Virtual time of a slice. A guest that does nothing but exits has some hundred of them in it. */
const SLICE: Ns = 1_000_000;

/** By position on the IDE cables. */
const DRIVE_NAMES: readonly string[] = ["hda", "hdb", "hdc", "hdd"];

type End = Omit<RunResult, "counters" | "exits">;

/** A drive, and the one path to it if not both lead there. */
interface ConnectedDrive extends PcDrive {
  readonly path: DiskConfig["path"];
}

/** A machine that has been switched on. */
export class Machine {
  /** Guest-physical memory, for whoever looks at the guest from outside. */
  readonly memory: GuestMemory;
  /** For whoever looks closer. */
  readonly inspector: Inspector;
  readonly #config: MachineConfig;
  readonly #clock = new VirtualClock();
  readonly #books = new Books(this.#clock);
  readonly #dom0 = new Dom0Timeline(this.#clock);
  readonly #accounting = new Accounting();
  readonly #exits: ExitBooks;
  readonly #exceptions = new ExceptionWatch();
  readonly #cpu: Cpu;
  readonly #media: readonly TimedDisk[];
  /** Absent on a board that hides Xen. */
  readonly #domain: Domain | undefined;
  readonly #xen: XenInterface | HiddenXen;
  readonly #hypervisor: Hypervisor;
  readonly #vga: Vga;
  readonly #input: HostInput;
  readonly #loop = new HostLoop();
  #end: End | undefined;
  /** When the vCPU ran last. */
  #ranAt: Ns = 0;
  #hostError: ImageError | undefined;

  /** Builds the machine, loads the guest and powers on. Nothing has run yet. */
  constructor(config: MachineConfig) {
    this.#config = config;
    const profile = config.cpu ?? DEFAULT_PROFILE;
    this.#cpu = new Cpu(config.ramBytes + this.#extraFrames() * PAGE_SIZE, {
      profile,
      features: profileFeatures(profile) | (this.#showsXen() ? 0 : FEATURE.APIC),
      ...config.heat !== undefined && { heat: config.heat },
    });
    const memory = this.#makeMemory();
    this.memory = memory;
    this.#media = config.disks.map((disk) => this.#makeMedia(disk));
    const drives = config.disks.map((disk, place) => this.#connect(disk, place));
    this.#exits = this.#makeExitBooks(() => pc);
    const pc: Pc = this.#makePc(memory, drives);
    for (const bus of pc.buses) bus.onRemap(() => this.#exits.remapped());
    this.#vga = pc.vga;
    this.#input = new HostInput(
      this.#clock,
      { serial: pc.com1, break: breakLine(pc.com1), keyboard: pc.typist },
      pc.ports,
      config.inputs,
    );
    if (this.#showsXen()) this.#domain = this.#makeDomain(memory, drives);
    this.#xen = this.#domain?.xen ?? new HiddenXen();
    const bios = this.#makeBios(pc);
    this.#hypervisor = this.#makeHypervisor(memory, pc, bios);
    this.#hypervisor.attach(this.#cpu.state);
    this.#cpu.connect(this.#hypervisor, memory);
    this.#cpu.onException = (vector, code) =>
      this.#exceptions.take(vector, code, this.#cpu.state, this.#attempted());
    const { onBlock } = config;
    if (onBlock) {
      this.#cpu.traceBlocks((eip, end) => onBlock(listBlock(this.#cpu.state, memory, eip, end)));
    }
    bios.handOver(config.guest.mode === "real16");
    this.inspector = this.#makeInspector(memory, pc);
    if (config.guest.rom === undefined) pc.localApic?.becomeVirtualWire();
    this.#loadGuest();
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

  /** What the video card shows; `undefined` in a graphics mode. */
  screen(): TextScreen | undefined {
    return this.#vga.screen();
  }

  /** Grows whenever something is written to the video card: the screen may have changed since. */
  get screenChanges(): number {
    return this.#vga.changes;
  }

  /** Sums since power-on. */
  counters(): Counters {
    const { instructions, portItems, ioreqs, interrupts, guestErrors } = this.#accounting;
    const { hypercalls, grants, events } = this.#xen.stats();
    return {
      elapsedNs: this.#clock.now,
      instructions,
      books: this.#books.snapshot(),
      dom0Books: this.#dom0.snapshot(),
      exits: this.#accounting.exitCounts(),
      portItems,
      ioreqs,
      hypercalls,
      events: {
        sent: events.sentByGuest + events.sentByDom0,
        suppressed: this.#domain?.suppressedEvents ?? 0,
      },
      grants,
      interrupts,
      guestErrors,
    };
  }

  /** The VM exits since power-on, by device and by disk request. */
  exits(): ExitReport {
    return exitReport(this.#exits);
  }

  /**
   * Runs until the machine ends, or the caller interrupts it. Everything that the guest was told is
   * written is durable then.
   * @throws {ImageError} when the host fails to read or write an image
   */
  async run(hooks: RunHooks = {}): Promise<RunResult> {
    if (await this.#loop.run(this, hooks)) {
      this.#finish({ reason: "interrupted", code: EXIT_CODE.INTERRUPTED });
    }
    this.flush();
    return this.#result(this.#end!);
  }

  /**
   * Lets about a millisecond of virtual time pass, without giving way to the event loop.
   * @returns the end of the run, when it has come
   * @throws {ImageError} when the host fails to read or write an image
   */
  runSlice(): RunResult | undefined {
    const endsAt = this.#clock.now + SLICE;
    this.#hypervisor.sliceEndsAt = endsAt;
    while (this.#end === undefined && this.#clock.now < Math.min(endsAt, this.#loop.horizon)) {
      this.#turn();
      if (this.#hostError !== undefined) throw this.#hostError;
    }
    return this.#end === undefined ? undefined : this.#result(this.#end);
  }

  /** Makes durable what the disks have completed. */
  flush(): void {
    for (const { backend } of this.#config.disks) {
      if (!backend.readOnly) backend.flush();
    }
  }

  /** Closes the disk images. The machine cannot run on. */
  close(): void {
    for (const { backend } of this.#config.disks) backend.close();
  }

  // ---- construction -----------------------------------------------------------------------------

  #showsXen(): boolean {
    return this.#config.machine !== "pc";
  }

  #makeMemory(): GuestRam {
    const cpu = this.#cpu;
    const { ramBytes, guest: { rom } } = this.#config;
    const memory = new GuestRam({ ...cpu.ram, ramBytes, extraFrames: this.#extraFrames() });
    memory.onWrote((offset, length) => cpu.invalidateCode(offset, length));
    memory.onRemap(() => cpu.flushTlb());
    if (rom !== undefined) memory.installRom(rom);
    return memory;
  }

  #extraFrames(): number {
    return EXTRA_FRAMES + Math.ceil((this.#config.guest.rom?.length ?? 0) / PAGE_SIZE);
  }

  #makeMedia({ backend, media }: DiskConfig): TimedDisk {
    return new TimedDisk(this.#clock, backend, media, (error) => {
      this.#hostError ??= error;
      this.#hypervisor.stop();
    });
  }

  #connect({ index, kind = "disk", path, faults }: DiskConfig, place: number): ConnectedDrive {
    const { blockSubmit, blockComplete } = this.#config.cost;
    const costs = { submit: blockSubmit, complete: blockComplete };
    const served = new ServedDisk(this.#dom0, this.#media[place]!, costs);
    const disk = faults === undefined ? served : new FaultyDisk(served, faults);
    return { index: index ?? place, kind, path: kind === "cdrom" ? "ide" : path, disk };
  }

  /** @param pc called when a device is looked for, not before there is a board */
  #makeExitBooks(pc: () => Pc): ExitBooks {
    const { exitSites = false, onRequest } = this.#config;
    return new ExitBooks({
      clock: this.#clock,
      devices: {
        ofPort: (port) => pc().ports.rangeAt(port),
        ofAddress: (gpa) => pc().hypervisorMmio.rangeAt(gpa) ?? pc().mmio.rangeAt(gpa),
      },
      ideIrqs: [IRQ.IDE, IRQ.IDE2],
      sites: exitSites,
      onRequest: onRequest && ((request) => onRequest(requestRecord(request))),
    });
  }

  #makePc(memory: GuestRam, drives: readonly ConnectedDrive[]): Pc {
    const { vgaRom, serialScreen } = this.#config;
    const { onSerialByte, onDebugByte, onFirmwareByte, onMark } = this.#config;
    return new Pc({
      clock: this.#clock,
      memory,
      a20: { set: (open) => this.#cpu.maskA20(!open) },
      errors: this.#accounting,
      drives: drives.filter(({ path }) => path !== "xen").map((drive) => this.#watch(drive)),
      xenPlatform: this.#showsXen(),
      apic: !this.#showsXen(),
      rtcBase: this.#config.rtcBase,
      firmware: firmwareContents({ ramBytes: memory.size, vgaRom, serialScreen }),
      events: {
        onSerialByte: (byte) => onSerialByte?.(byte),
        onDebugByte: (byte) => onDebugByte?.(byte),
        onFirmwareByte: (byte) => onFirmwareByte?.(byte),
        onMark: (value) => onMark?.(value, this.#cpu.state),
        onExit: (value) => this.#finish({ reason: "guest-exit", code: exitCode(value) }),
        onUnplug: () => drives.forEach(({ disk }) => drain(disk)),
        onPowerOff: () => this.#shutDown("poweroff"),
        onReset: (by) => this.#powerOff(`Guest asked for a reset by ${by}`),
        onNmi: () => this.#cpu.raiseNmi(),
        onApic: (enabled) => this.#cpu.hidesApic = !enabled,
      },
    });
  }

  #watch(drive: ConnectedDrive): ConnectedDrive {
    const { index, disk } = drive;
    return { ...drive, disk: this.#exits.watchIde(index, DRIVE_NAMES[index]!, disk) };
  }

  #makeDomain(memory: GuestRam, drives: readonly ConnectedDrive[]): Domain {
    return new Domain({
      clock: this.#clock,
      ledger: this.#books,
      memory,
      dom0: this.#dom0,
      errors: this.#accounting,
      costs: this.#config.cost,
      disks: drives.filter(({ path }) => path !== "ide"),
      exits: this.#exits,
      onShutdown: (reason) => this.#shutDown(reason),
    });
  }

  #makeBios(pc: Pc): Bios | RomBios {
    if (this.#config.guest.rom !== undefined) return new RomBios();
    return new Bios({
      memory: this.memory,
      ports: pc.ports,
      ledger: this.#books,
      costs: this.#config.cost,
      disks: this.#bootDisks(),
      onByte: (byte) => this.#config.onSerialByte?.(byte),
    });
  }

  /** The disks that a BIOS finds on IDE, in the order of their positions. */
  #bootDisks(): BlockBackend[] {
    return this.#config.disks
      .map((disk, place) => ({ ...disk, index: disk.index ?? place }))
      .filter(({ kind, path }) => kind !== "cdrom" && path !== "xen")
      .sort((a, b) => a.index - b.index)
      .map(({ backend }) => backend);
  }

  #makeHypervisor(memory: GuestRam, pc: Pc, bios: BiosTraps): Hypervisor {
    const { cost, maxInsns, maxTime } = this.#config;
    return new Hypervisor({
      clock: this.#clock,
      ledger: this.#books,
      dom0: this.#dom0,
      costs: cost,
      accounting: this.#accounting,
      exits: this.#exits,
      memory,
      ports: pc.ports,
      ownPorts: HYPERVISOR_PORTS,
      ownMmio: pc.hypervisorMmio,
      mmio: pc.mmio,
      interrupts: pc.localApic ?? pc.pic,
      apic: pc.localApic,
      xen: this.#xen,
      bios,
      maxInsns,
      maxTime,
    });
  }

  #makeInspector(memory: GuestRam, pc: Pc): Inspector {
    const disks = this.#config.disks.map(({ index, kind = "disk" }, place) => ({
      name: driveName(index ?? place, kind),
      disk: this.#media[place]!,
    }));
    return new MachineInspector({
      clock: this.#clock,
      cpu: this.#cpu,
      memory,
      pc,
      input: this.#input,
      disks,
    });
  }

  #loadGuest(): void {
    const { segments, mode, eip, regs, gdt, rom } = this.#config.guest;
    for (const { gpa, bytes, zero } of segments) {
      const place = this.memory.range(gpa, bytes.length + zero);
      if (place === undefined) throw new InternalError(`Cannot load a guest at ${gpa}: no memory`);
      place.set(bytes);
      place.fill(0, bytes.length);
      this.memory.wrote(place);
    }
    if (rom === undefined) {
      placeTables(this.memory, this.#config.cpu ?? DEFAULT_PROFILE, !this.#showsXen());
    }
    this.#cpu.reset({ mode, eip, regs, gdt });
  }

  // ---- the loop ---------------------------------------------------------------------------------

  #turn(): void {
    this.#fireTimers();
    if (this.#end !== undefined || this.#isAtLimit()) return;
    if (this.#isAsleep()) this.#sleep();
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
    const message = instructions >= maxInsns
      ? `Stopped after ${instructions} instructions: the limit is ${maxInsns}`
      : this.#clock.now >= maxTime
      ? `Stopped at ${this.#clock.now / 1e9} s of virtual time: the limit is ${maxTime / 1e9} s`
      : undefined;
    if (message === undefined) return false;
    this.#finish({ reason: "limit", code: EXIT_CODE.LIMIT, message });
    return true;
  }

  /** In HLT or in a blocking hypercall, and nothing that the guest can take is pending. */
  #isAsleep(): boolean {
    const cpu = this.#cpu;
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
    const isOverdue = now - this.#ranAt >= LONGEST_SLEEP && maxTime === Infinity;
    const wakesAt = isOverdue ? Infinity : Math.min(nextDeadline, maxTime, this.#loop.horizon);
    if (wakesAt < Infinity) {
      this.#books.charge(this.#isDiskBusy() ? COST.media : COST.idle, wakesAt - now);
    } else if (!this.#loop.awaitInput(now)) this.#crash("the guest waits for ever");
  }

  #isDiskBusy(): boolean {
    return this.#dom0.servesDisk || this.#media.some(({ inFlight }) => inFlight > 0);
  }

  #runVcpu(): void {
    const cpu = this.#cpu;
    this.#xen.unblock();
    let panic: GuestPanic | undefined;
    try {
      cpu.run(this.#hypervisor.budget);
    } catch (error) {
      if (!(error instanceof GuestPanic)) throw this.#withDump(error);
      panic = error;
    } finally {
      this.#hypervisor.retire(cpu.takeRetired());
      this.#ranAt = this.#clock.now;
    }
    if (panic !== undefined) this.#crash(panic.message);
    else if (cpu.shutdown) this.#crash("triple fault");
  }

  // ---- the end ----------------------------------------------------------------------------------

  /** The first end counts. */
  #finish(end: End): void {
    this.#end ??= end;
    this.#hypervisor.stop();
  }

  #crash(cause: string): void {
    this.#finish({
      reason: "guest-crash",
      code: EXIT_CODE.GUEST_CRASH,
      message: `Guest crashed: ${cause}`,
      dump: this.#dump(),
    });
  }

  /**
   * Nothing can wake the vCPU. Xen powers such a domain off, and stock systems that cannot do it
   * themselves end like this; a guest made for Xen has other means, and has given up.
   */
  #halt(cause: string): void {
    if (this.#showsXen()) this.#crash(cause);
    else {
      const message = `Guest halted: ${cause}`;
      this.#finish({ reason: "power-off", code: EXIT_CODE.POWER_OFF, message });
    }
  }

  #shutDown(reason: ShutdownReason): void {
    if (reason === "crash" || reason === "watchdog") this.#crash(`it shut down, reason ${reason}`);
    else if (reason === "poweroff") {
      this.#finish({ reason: "power-off", code: EXIT_CODE.POWER_OFF });
    } else this.#powerOff(`Guest asked for ${reason}`);
  }

  #powerOff(cause: string): void {
    const message = `${cause}: this machine does not start again`;
    this.#finish({ reason: "power-off", code: EXIT_CODE.POWER_OFF, message });
  }

  #result(end: End): RunResult {
    this.#books.assertClosed();
    this.#exits.finish();
    const counters = this.counters();
    this.#exits.assertClosed(counters.exits, counters.books);
    return { ...end, counters, exits: this.exits() };
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

/** Sends a break for every byte; a break waits for no room. */
function breakLine(port: Pc["com1"]): InputSink {
  return { hasRoom: true, onRoom: () => {}, receive: () => port.receiveBreak() };
}

/** As QEMU's isa-debug-exit: never 0, so that it cannot be taken for power-off. */
function exitCode(value: number): number {
  return ((value << 1) | 1) & 0xff;
}

/** The device model flushes an emulated disk before a frontend takes it over. */
function drain(disk: Disk): void {
  disk.submit({ op: "flush", sector: 0, segments: [], done: () => {} });
}
