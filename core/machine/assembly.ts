/**
 * A machine's parts, made and connected: what lasts as long as the machine, such as clock and
 * books, the vCPU and the disks; and what each start makes anew.
 * @module
 */

import { VirtualClock } from "../clock.ts";
import { Cpu } from "../cpu/cpu.ts";
import { DEFAULT_PROFILE, FEATURE, profileFeatures } from "../cpu/cpuid.ts";
import { Dom0Timeline } from "../dom0.ts";
import { Accounting } from "../hypervisor/books/accounting.ts";
import { ExitBooks } from "../hypervisor/books/exit_books.ts";
import { HiddenXen } from "../hypervisor/hidden_xen.ts";
import { Books } from "../ledger.ts";
import { PAGE_SIZE } from "../types.ts";
import { IRQ } from "./address_map.ts";
import { type MachineConfig, showsXen } from "./config.ts";
import { Domains } from "./domains.ts";
import { Drives } from "./drives.ts";
import { requestRecord } from "./exit_report.ts";
import { HostCommands } from "./host_commands.ts";
import { type Inspector, MachineInspector } from "./inspect.ts";
import { listBlock } from "./listing.ts";
import { GuestRam } from "./memory.ts";
import type { Pc } from "./pc.ts";
import { type AssemblyEvents, PowerCycle } from "./power_cycle.ts";
import { type HostActors, HostInput, type InputSink, type InputSinks } from "./replay.ts";

/** Pages of Xen's own: grant table, shared_info, ioreq, xenstore, console. Makes 64 KiB units. */
const EXTRA_FRAMES = 80;

/**
 * What becomes of the guest when its vCPU has stopped: the machine starts again; the guest goes on in
 * a new domain, as one that was saved and restored; in the same one, as one that was saved and kept;
 * or in a new one of the same number, as before it starts another kernel by itself.
 */
export type Transition = "restart" | "restore" | "checkpoint" | "soft reset";

/** What SCHEDOP_shutdown answers a guest that has suspended. */
const SUSPEND = { RESUMED: 0, CANCELLED: 1 } as const;
const EAX = 0;

/** Everything that is switched on together, with the guest in memory. Nothing has run yet. */
export class Assembly {
  readonly clock: VirtualClock = new VirtualClock();
  readonly books: Books = new Books(this.clock);
  readonly dom0: Dom0Timeline = new Dom0Timeline(this.clock);
  readonly accounting: Accounting = new Accounting();
  readonly exits: ExitBooks;
  readonly cpu: Cpu;
  readonly memory: GuestRam;
  readonly drives: Drives;
  /** Absent on a board that hides Xen. */
  readonly domains: Domains | undefined;
  readonly input: HostInput;
  readonly inspector: Inspector;
  readonly #config: MachineConfig;
  readonly #events: AssemblyEvents;
  #cycle: PowerCycle;

  constructor(config: MachineConfig, events: AssemblyEvents) {
    this.#config = config;
    this.#events = events;
    this.cpu = this.#makeCpu();
    this.memory = this.#makeMemory();
    this.drives = this.#makeDrives();
    this.exits = this.#makeExitBooks();
    if (showsXen(config)) this.domains = this.#makeDomains();
    this.#cycle = this.#switchOn();
    this.input = new HostInput(
      this.clock,
      this.#inputSinks(),
      this.#hostActors(),
      config.inputs,
    );
    this.inspector = this.#makeInspector();
  }

  /** What the last start has made. */
  get cycle(): PowerCycle {
    return this.#cycle;
  }

  /** The vCPU has stopped. Call {@link finish} when the disks and dom0 have nothing left to do. */
  begin(transition: Transition): void {
    if (transition === "checkpoint") this.domains?.shutDown();
    else this.domains?.destroy();
  }

  /** What was begun comes to its end, and the vCPU may run. */
  finish(transition: Transition): void {
    if (transition === "restart") this.#restart();
    else if (transition === "checkpoint") this.#resumeDomain();
    else this.#rebuildDomain(transition === "soft reset");
  }

  #resumeDomain(): void {
    this.#config.onToolstack?.(`Domain ${this.domains!.current.xen.domid} has suspended: resumed`);
    this.#answerShutdown(SUSPEND.CANCELLED);
  }

  #restart(): void {
    this.domains?.end();
    this.#cycle.end();
    this.memory.reset();
    this.#cycle = this.#switchOn();
    this.input.connect(this.#inputSinks());
  }

  /**
   * The guest keeps its memory, its vCPU and the board, and has all of Xen anew. Emulated disks that
   * it has unplugged stay so, as a restored guest unplugs them again before it looks.
   */
  #rebuildDomain(isSame: boolean): void {
    const domains = this.domains!;
    const { domid } = domains.current.xen;
    domains.end();
    const { xen } = domains.build(isSame);
    if (!isSame) {
      this.#config.onToolstack?.(`Domain ${domid} has suspended: restored as domain ${xen.domid}`);
    }
    this.#cycle.moveTo(xen);
    this.input.connect(this.#inputSinks());
    this.#answerShutdown(SUSPEND.RESUMED);
  }

  /** The guest's hypercall returns. */
  #answerShutdown(answer: number): void {
    this.cpu.state.regs[EAX] = answer;
    this.#cycle.hypervisor.goOn();
  }

  #switchOn(): PowerCycle {
    const { clock, books, dom0, accounting, exits, cpu, memory } = this;
    const lasting = { clock, books, dom0, accounting, exits, cpu, memory };
    const drives = this.drives.all;
    const parts = { ...lasting, config: this.#config, events: this.#events, drives };
    return new PowerCycle(parts, () => this.domains?.build().xen ?? new HiddenXen());
  }

  /** The machine's ends of the host's lines. */
  #inputSinks(): InputSinks {
    const { com1, typist } = this.#cycle.pc;
    const xenconsole = this.domains?.current.console ?? DEAF;
    return { serial: com1, break: breakLine(com1), keyboard: typist, xenconsole };
  }

  #makeCpu(): Cpu {
    const { ramBytes, cpu: profile = DEFAULT_PROFILE, heat, onBlock } = this.#config;
    const cpu = new Cpu(ramBytes + this.#extraFrames() * PAGE_SIZE, {
      profile,
      features: profileFeatures(profile) | FEATURE.APIC,
      ...heat !== undefined && { heat },
    });
    if (onBlock) {
      cpu.traceBlocks((eip, end) => onBlock(listBlock(cpu.state, this.memory, eip, end)));
    }
    return cpu;
  }

  #makeMemory(): GuestRam {
    const cpu = this.cpu;
    const { ramBytes } = this.#config;
    const memory = new GuestRam({ ...cpu.ram, ramBytes, extraFrames: this.#extraFrames() });
    memory.onWrote((offset, length) => cpu.invalidateCode(offset, length));
    memory.onRemap(() => cpu.flushTlb());
    return memory;
  }

  #extraFrames(): number {
    return EXTRA_FRAMES + Math.ceil((this.#config.guest.rom?.length ?? 0) / PAGE_SIZE);
  }

  #makeDrives(): Drives {
    const { clock, dom0 } = this;
    const { cost: costs, disks } = this.#config;
    const { onHostError } = this.#events;
    return new Drives({ clock, dom0, costs, onHostError }, disks);
  }

  /** Whatever board there is. */
  #hostActors(): HostActors {
    const ports = () => this.#cycle.pc.ports;
    return {
      ports: {
        read: (port, size) => ports().read(port, size),
        write: (port, size, value) => ports().write(port, size, value),
      },
      toolstack: new HostCommands({
        drives: this.drives,
        domains: this.domains,
        pc: () => this.#cycle.pc,
        onReset: () => this.#events.onSystemReset(),
      }),
    };
  }

  #makeExitBooks(): ExitBooks {
    const { exitSites = false, onRequest } = this.#config;
    const pc = () => this.#cycle.pc;
    return new ExitBooks({
      clock: this.clock,
      devices: {
        ofPort: (port) => pc().ports.rangeAt(port),
        ofAddress: (gpa) => pc().hypervisorMmio.rangeAt(gpa) ?? pc().mmio.rangeAt(gpa),
      },
      ideIrqs: [IRQ.IDE, IRQ.IDE2],
      sites: exitSites,
      onRequest: onRequest && ((request) => onRequest(requestRecord(request))),
    });
  }

  #makeDomains(): Domains {
    return new Domains({
      clock: this.clock,
      ledger: this.books,
      memory: this.memory,
      dom0: this.dom0,
      errors: this.accounting,
      costs: this.#config.cost,
      drives: this.drives,
      exits: this.exits,
      rtcBase: this.#config.rtcBase,
      offers: this.#config.xen,
      onUpcallVector: (vector) => this.#cycle.pc.localApic.request(vector),
      onNmi: () => this.cpu.raiseNmi(),
      onConsoleByte: (byte) => this.#config.onDebugByte?.(byte),
      callbackLines: {
        gsi: (gsi) => this.#cycle.pc.gsi(gsi),
        intx: (device, pin) => this.#cycle.pc.intx(device, pin),
      },
      onShutdown: (reason) => this.#events.onShutdown(reason),
      onStoreMessage: this.#config.onStoreMessage,
      onToolstack: this.#config.onToolstack,
      onXenConsoleByte: this.#config.onXenConsoleByte,
    });
  }

  #makeInspector(): Inspector {
    return new MachineInspector({
      clock: this.clock,
      cpu: this.cpu,
      memory: this.memory,
      pc: () => this.#cycle.pc,
      input: this.input,
      drives: this.drives,
      domain: () => this.domains?.current,
    });
  }
}

/** Nobody listens. */
const DEAF: InputSink = { hasRoom: true, onRoom: () => {}, receive: () => {} };

/** Sends a break for every byte; a break waits for no room. */
function breakLine(port: Pc["com1"]): InputSink {
  return { hasRoom: true, onRoom: () => {}, receive: () => port.receiveBreak() };
}
