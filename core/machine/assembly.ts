/**
 * A machine's parts, made and connected: clock and books, the vCPU, memory, disks, the board, the
 * Xen side, the hypervisor.
 * @module
 */

import { FaultyDisk } from "../../devices/disk/faulty.ts";
import { ServedDisk } from "../../devices/disk/served.ts";
import { TimedDisk } from "../../devices/disk/timed.ts";
import { VirtualClock } from "../clock.ts";
import { Cpu } from "../cpu/cpu.ts";
import { DEFAULT_PROFILE, FEATURE, profileFeatures } from "../cpu/cpuid.ts";
import { Dom0Timeline } from "../dom0.ts";
import { type ImageError, InternalError } from "../errors.ts";
import { Accounting } from "../hypervisor/accounting.ts";
import { ExitBooks } from "../hypervisor/exit_books.ts";
import { HiddenXen } from "../hypervisor/hidden_xen.ts";
import { type BiosTraps, Hypervisor } from "../hypervisor/hypervisor.ts";
import type { ShutdownReason } from "../hypervisor/sched_op.ts";
import type { XenInterface } from "../hypervisor/xen.ts";
import { Books } from "../ledger.ts";
import type { BlockBackend, Disk } from "../types.ts";
import { PAGE_SIZE } from "../types.ts";
import { HYPERVISOR_PORTS, IRQ } from "./address_map.ts";
import { Bios } from "./bios.ts";
import { setUpBoard } from "./bios_setup.ts";
import { type DiskConfig, DRIVE_NAMES, type MachineConfig } from "./config.ts";
import { Domain } from "./domain.ts";
import { requestRecord } from "./exit_report.ts";
import { placeTables } from "./firmware.ts";
import { firmwareContents } from "./fw_cfg_items.ts";
import { type Inspector, MachineInspector } from "./inspect.ts";
import { driveName } from "./inspect_board.ts";
import { listBlock } from "./listing.ts";
import { GuestRam } from "./memory.ts";
import { Pc, type PcDrive } from "./pc.ts";
import { HostInput, type InputSink } from "./replay.ts";
import { RomBios } from "./rom.ts";

/** Pages of Xen's own: grant table, shared_info, ioreq, xenstore, console. Makes 64 KiB units. */
const EXTRA_FRAMES = 80;

/** A drive, and the one path to it if not both lead there. */
interface ConnectedDrive extends PcDrive {
  readonly path: DiskConfig["path"];
  readonly offers: DiskConfig["offers"];
}

/** What happens to the parts and concerns the machine. */
export interface AssemblyEvents {
  /** A write to the debug exit port. */
  onExit(value: number): void;
  /** The guest has switched itself off, or shut its domain down. */
  onShutdown(reason: ShutdownReason): void;
  /** @param by what the guest used, to be read behind "by" */
  onReset(by: string): void;
  /** The host has failed to read or write an image. */
  onHostError(image: BlockBackend, error: ImageError): void;
}

/** The guest sees Xen. */
export function showsXen({ machine }: MachineConfig): boolean {
  return machine !== "pc";
}

/** Everything that is switched on together, with the guest in memory. Nothing has run yet. */
export class Assembly {
  readonly clock: VirtualClock = new VirtualClock();
  readonly books: Books = new Books(this.clock);
  readonly dom0: Dom0Timeline = new Dom0Timeline(this.clock);
  readonly accounting: Accounting = new Accounting();
  readonly exits: ExitBooks;
  readonly cpu: Cpu;
  readonly memory: GuestRam;
  readonly media: readonly TimedDisk[];
  readonly pc: Pc;
  /** Absent on a board that hides Xen. */
  readonly domain: Domain | undefined;
  readonly xen: XenInterface | HiddenXen;
  readonly hypervisor: Hypervisor;
  readonly input: HostInput;
  readonly inspector: Inspector;
  readonly #config: MachineConfig;
  readonly #events: AssemblyEvents;

  constructor(config: MachineConfig, events: AssemblyEvents) {
    this.#config = config;
    this.#events = events;
    this.cpu = this.#makeCpu();
    const memory = this.memory = this.#makeMemory();
    this.media = config.disks.map((disk) => this.#makeMedia(disk));
    const drives = config.disks.map((disk, place) => this.#connect(disk, place));
    this.exits = this.#makeExitBooks(() => pc);
    const pc: Pc = this.pc = this.#makePc(memory, drives);
    for (const bus of pc.buses) bus.onRemap(() => this.exits.remapped());
    this.input = this.#makeInput(pc);
    if (showsXen(config)) this.domain = this.#makeDomain(memory, drives);
    this.xen = this.domain?.xen ?? new HiddenXen();
    const bios = this.#makeBios(pc);
    this.hypervisor = this.#makeHypervisor(memory, pc, bios);
    this.hypervisor.attach(this.cpu.state);
    this.cpu.connect(this.hypervisor, memory);
    this.inspector = this.#makeInspector(memory, pc);
    if (config.guest.rom === undefined) {
      setUpBoard(pc.ports, config.guest.mode === "real16");
      pc.localApic?.becomeVirtualWire();
    }
    this.#loadGuest();
  }

  #makeCpu(): Cpu {
    const { ramBytes, cpu: profile = DEFAULT_PROFILE, heat, onBlock } = this.#config;
    const cpu = new Cpu(ramBytes + this.#extraFrames() * PAGE_SIZE, {
      profile,
      features: profileFeatures(profile) | (showsXen(this.#config) ? 0 : FEATURE.APIC),
      ...heat !== undefined && { heat },
    });
    if (onBlock) {
      cpu.traceBlocks((eip, end) => onBlock(listBlock(cpu.state, this.memory, eip, end)));
    }
    return cpu;
  }

  #makeInput({ com1, typist, ports }: Pc): HostInput {
    const sinks = { serial: com1, break: breakLine(com1), keyboard: typist };
    return new HostInput(this.clock, sinks, ports, this.#config.inputs);
  }

  #makeMemory(): GuestRam {
    const cpu = this.cpu;
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
    return new TimedDisk(
      this.clock,
      backend,
      media,
      (error) => this.#events.onHostError(backend, error),
    );
  }

  #connect(config: DiskConfig, place: number): ConnectedDrive {
    const { index = place, kind = "disk", path, faults, offers } = config;
    const { blockSubmit, blockComplete } = this.#config.cost;
    const costs = { submit: blockSubmit, complete: blockComplete };
    const served = new ServedDisk(this.dom0, this.media[place]!, costs);
    const disk = faults === undefined ? served : new FaultyDisk(served, faults);
    return { index, kind, path: kind === "cdrom" ? "ide" : path, disk, offers };
  }

  /** @param pc called when a device is looked for, not before there is a board */
  #makeExitBooks(pc: () => Pc): ExitBooks {
    const { exitSites = false, onRequest } = this.#config;
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

  #makePc(memory: GuestRam, drives: readonly ConnectedDrive[]): Pc {
    const { vgaRom, serialScreen } = this.#config;
    const { onSerialByte, onDebugByte, onFirmwareByte } = this.#config;
    return new Pc({
      clock: this.clock,
      memory,
      a20: { set: (open) => this.cpu.maskA20(!open) },
      errors: this.accounting,
      drives: drives.filter(({ path }) => path !== "xen").map((drive) => this.#watch(drive)),
      xenPlatform: showsXen(this.#config),
      apic: !showsXen(this.#config),
      rtcBase: this.#config.rtcBase,
      firmware: () => firmwareContents({ ramBytes: memory.size, vgaRom, serialScreen }),
      events: {
        onSerialByte: (byte) => onSerialByte?.(byte),
        onDebugByte: (byte) => onDebugByte?.(byte),
        onFirmwareByte: (byte) => onFirmwareByte?.(byte),
        onMark: (value) => this.#mark(value),
        onExit: (value) => this.#events.onExit(value),
        onUnplug: () => drives.forEach(({ disk }) => drain(disk)),
        onPowerOff: () => this.#events.onShutdown("poweroff"),
        onReset: (by) => this.#events.onReset(by),
        onNmi: () => this.cpu.raiseNmi(),
        onApic: (enabled) => this.cpu.hidesApic = !enabled,
      },
    });
  }

  /** Not an exit, so that the guest's time up to the mark is still to be booked. */
  #mark(value: number): void {
    const { onMark } = this.#config;
    if (onMark === undefined) return;
    this.hypervisor.retire(this.cpu.takeRetiredInside());
    onMark(value, this.cpu.state);
  }

  #watch(drive: ConnectedDrive): ConnectedDrive {
    const { index, disk } = drive;
    return { ...drive, disk: this.exits.watchIde(index, DRIVE_NAMES[index]!, disk) };
  }

  #makeDomain(memory: GuestRam, drives: readonly ConnectedDrive[]): Domain {
    return new Domain({
      clock: this.clock,
      ledger: this.books,
      memory,
      dom0: this.dom0,
      errors: this.accounting,
      costs: this.#config.cost,
      disks: drives.filter(({ path }) => path !== "ide"),
      exits: this.exits,
      onShutdown: (reason) => this.#events.onShutdown(reason),
      onStoreMessage: this.#config.onStoreMessage,
    });
  }

  #makeBios(pc: Pc): Bios | RomBios {
    if (this.#config.guest.rom !== undefined) return new RomBios();
    return new Bios({
      memory: this.memory,
      ports: pc.ports,
      ledger: this.books,
      costs: this.#config.cost,
      disks: this.#bootDisks(),
      onHostError: (disk, error) => this.#events.onHostError(disk, error),
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
    const { cost, observer, maxInsns, maxTime } = this.#config;
    return new Hypervisor({
      clock: this.clock,
      ledger: this.books,
      dom0: this.dom0,
      costs: cost,
      accounting: this.accounting,
      exits: this.exits,
      observer,
      memory,
      ports: pc.ports,
      ownPorts: HYPERVISOR_PORTS,
      ownMmio: pc.hypervisorMmio,
      mmio: pc.mmio,
      interrupts: pc.localApic ?? pc.pic,
      apic: pc.localApic,
      xen: this.xen,
      bios,
      maxInsns,
      maxTime,
    });
  }

  #makeInspector(memory: GuestRam, pc: Pc): Inspector {
    const disks = this.#config.disks.map(({ index, kind = "disk" }, place) => ({
      name: driveName(index ?? place, kind),
      disk: this.media[place]!,
    }));
    return new MachineInspector({
      clock: this.clock,
      cpu: this.cpu,
      memory,
      pc,
      input: this.input,
      disks,
      domain: this.domain,
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
      placeTables(this.memory, this.#config.cpu ?? DEFAULT_PROFILE, !showsXen(this.#config));
    }
    this.cpu.reset({ mode, eip, regs, gdt });
  }
}

/** Sends a break for every byte; a break waits for no room. */
function breakLine(port: Pc["com1"]): InputSink {
  return { hasRoom: true, onRoom: () => {}, receive: () => port.receiveBreak() };
}

/** The device model flushes an emulated disk before a frontend takes it over. */
function drain(disk: Disk): void {
  disk.submit({ op: "flush", sector: 0, segments: [], done: () => {} });
}
