/**
 * Everything that is new each time the machine starts: memory as at power-on, the board with its
 * devices, the built-in BIOS, the hypervisor's state of the vCPU, and the guest, loaded.
 * @module
 */

import { ClockScope, type VirtualClock } from "../clock.ts";
import type { Cpu } from "../cpu/cpu.ts";
import { DEFAULT_PROFILE } from "../cpu/cpuid.ts";
import type { Dom0Timeline } from "../dom0.ts";
import { type ImageError, InternalError } from "../errors.ts";
import type { Accounting } from "../hypervisor/books/accounting.ts";
import type { ExitBooks } from "../hypervisor/books/exit_books.ts";
import type { HiddenXen } from "../hypervisor/hidden_xen.ts";
import { Hypervisor } from "../hypervisor/hypervisor.ts";
import type { BiosTraps } from "../hypervisor/hypervisor_parts.ts";
import type { ShutdownReason } from "../hypervisor/hypercalls/sched_op.ts";
import type { XenInterface } from "../hypervisor/xen.ts";
import type { Books } from "../ledger.ts";
import type { BlockBackend, Disk } from "../types.ts";
import { HYPERVISOR_PORTS } from "./address_map.ts";
import { Bios } from "./bios.ts";
import { DOMAIN_UUID } from "./domain.ts";
import { setUpBoard } from "./bios_setup.ts";
import { DRIVE_NAMES, type MachineConfig, showsXen } from "./config.ts";
import type { Drive } from "./drives.ts";
import { placeTables } from "./firmware.ts";
import { firmwareContents } from "./fw_cfg_items.ts";
import { placeHvmFirmware } from "./hvm_firmware.ts";
import type { GuestRam } from "./memory.ts";
import { Pc } from "./pc.ts";
import { RomBios } from "./rom.ts";

/** How a domain's firmware names what it runs on. */
const DOMU = { version: "4.17.7", uuid: DOMAIN_UUID } as const;

/** What happens to the parts and concerns the machine. */
export interface AssemblyEvents {
  /** A write to the debug exit port. */
  onExit(value: number): void;
  /** The guest has switched itself off, or shut its domain down. */
  onShutdown(reason: ShutdownReason): void;
  /** @param by what the guest used, to be read behind "by" */
  onReset(by: string): void;
  /** The user wants the machine to start again. */
  onSystemReset(): void;
  /** The host has failed to read or write an image. */
  onHostError(image: BlockBackend, error: ImageError): void;
}

/** What lasts from one start to the next. */
export interface LastingParts {
  readonly config: MachineConfig;
  readonly events: AssemblyEvents;
  readonly clock: VirtualClock;
  readonly books: Books;
  readonly dom0: Dom0Timeline;
  readonly accounting: Accounting;
  readonly exits: ExitBooks;
  readonly cpu: Cpu;
  readonly memory: GuestRam;
  readonly drives: readonly Drive[];
}

/** The machine from one start to the next. Nothing has run yet. */
export class PowerCycle {
  readonly pc: Pc;
  readonly hypervisor: Hypervisor;
  readonly #parts: LastingParts;
  readonly #config: MachineConfig;
  readonly #clock: ClockScope;
  #xen: XenInterface | HiddenXen;

  /**
   * Switches on.
   * @param makeXen makes what the guest sees of Xen, in memory that is as at power-on
   */
  constructor(parts: LastingParts, makeXen: () => XenInterface | HiddenXen) {
    const { config, cpu, memory, exits } = parts;
    this.#parts = parts;
    this.#config = config;
    this.#clock = new ClockScope(parts.clock);
    if (config.guest.rom !== undefined) this.#installFirmware(config.guest.rom);
    cpu.hidesApic = false;
    cpu.maskA20(false);
    const pc = this.pc = this.#makePc();
    for (const bus of pc.buses) bus.onRemap(() => exits.remapped());
    this.#xen = makeXen();
    this.hypervisor = this.#makeHypervisor(this.#makeBios());
    this.hypervisor.attach(cpu.state);
    cpu.connect(this.hypervisor, memory);
    if (!setsUpItself(config)) {
      setUpBoard(pc.ports, config.guest.mode === "real16");
      pc.localApic.becomeVirtualWire();
    }
    this.#loadGuest();
  }

  /** What the guest sees of Xen. */
  get xen(): XenInterface | HiddenXen {
    return this.#xen;
  }

  /** The guest goes on in another domain. */
  moveTo(xen: XenInterface): void {
    this.#xen = xen;
    this.hypervisor.moveTo(xen);
  }

  /** A domain's BIOS finds the machine set up, and itself in RAM. */
  #installFirmware(bios: Uint8Array): void {
    const { memory } = this.#parts;
    memory.installRom(bios);
    if (!showsXen(this.#config)) return;
    memory.uncoverRam();
    placeHvmFirmware(memory, { bios, cpu: this.#config.cpu ?? DEFAULT_PROFILE, ...DOMU });
  }

  /** Switches off. */
  end(): void {
    this.#clock.end();
    this.#parts.exits.restarted();
  }

  #makePc(): Pc {
    const { memory, drives, accounting, cpu, events } = this.#parts;
    const { vgaRom, serialScreen } = this.#config;
    const { onSerialByte, onDebugByte, onFirmwareByte } = this.#config;
    return new Pc({
      clock: this.#clock,
      memory,
      a20: { set: (open) => cpu.maskA20(!open) },
      errors: accounting,
      drives: drives.filter(({ path }) => path !== "xen").map((drive) => this.#watch(drive)),
      xenPlatform: showsXen(this.#config),
      rtcBase: this.#config.rtcBase,
      firmware: () =>
        firmwareContents({
          ...{ ramBytes: memory.size, vgaRom, serialScreen },
          isSetUp: showsXen(this.#config),
        }),
      events: {
        onSerialByte: (byte) => onSerialByte?.(byte),
        onDebugByte: (byte) => onDebugByte?.(byte),
        onFirmwareByte: (byte) => onFirmwareByte?.(byte),
        onMark: (value) => this.#mark(value),
        onExit: (value) => events.onExit(value),
        onUnplug: () => drives.forEach(({ disk }) => drain(disk)),
        onPowerOff: () => events.onShutdown("poweroff"),
        onReset: (by) => events.onReset(by),
        onNmi: () => cpu.raiseNmi(),
        onApic: (enabled) => cpu.hidesApic = !enabled,
      },
    });
  }

  /** Not an exit, so that the guest's time up to the mark is still to be booked. */
  #mark(value: number): void {
    const { onMark } = this.#config;
    if (onMark === undefined) return;
    this.hypervisor.retire(this.#parts.cpu.takeRetiredInside());
    onMark(value, this.#parts.cpu.state);
  }

  #watch(drive: Drive): Drive {
    const { index, disk } = drive;
    return { ...drive, disk: this.#parts.exits.watchIde(index, DRIVE_NAMES[index]!, disk) };
  }

  #makeBios(): Bios | RomBios {
    if (this.#config.guest.rom !== undefined) return new RomBios();
    const { memory, books, events } = this.#parts;
    return new Bios({
      memory,
      ports: this.pc.ports,
      ledger: books,
      costs: this.#config.cost,
      disks: this.#bootDisks(),
      onHostError: (disk, error) => events.onHostError(disk, error),
      onByte: (byte) => this.#config.onSerialByte?.(byte),
    });
  }

  /** The disks that a BIOS finds on IDE, in the order of their positions. */
  #bootDisks(): BlockBackend[] {
    return this.#parts.drives
      .filter(({ kind, path }) => kind !== "cdrom" && path !== "xen")
      .sort((a, b) => a.index - b.index)
      .map(({ backend }) => backend);
  }

  #makeHypervisor(bios: BiosTraps): Hypervisor {
    const { cost, observer, maxInsns, maxTime } = this.#config;
    const { clock, books, dom0, accounting, exits, memory } = this.#parts;
    const { pc } = this;
    return new Hypervisor({
      clock,
      ledger: books,
      dom0,
      costs: cost,
      accounting,
      exits,
      observer,
      memory,
      ports: pc.ports,
      ownPorts: HYPERVISOR_PORTS,
      ownMmio: pc.hypervisorMmio,
      mmio: pc.mmio,
      interrupts: pc.localApic,
      apic: pc.localApic,
      xen: this.#xen,
      bios,
      maxInsns,
      maxTime,
    });
  }

  #loadGuest(): void {
    const { memory, cpu } = this.#parts;
    const { segments, mode, interrupts, eip, regs, gdt, rom } = this.#config.guest;
    for (const { gpa, bytes, zero } of segments) {
      const place = memory.range(gpa, bytes.length + zero);
      if (place === undefined) throw new InternalError(`Cannot load a guest at ${gpa}: no memory`);
      place.set(bytes);
      place.fill(0, bytes.length);
      memory.wrote(place);
    }
    if (rom === undefined && !setsUpItself(this.#config)) {
      placeTables(memory, this.#config.cpu ?? DEFAULT_PROFILE);
    }
    cpu.reset({ mode, interrupts, eip, regs, gdt });
  }
}

/** The board is left as it is at power-on: the guest is firmware that knows what to do. */
function setsUpItself(config: MachineConfig): boolean {
  const { format, rom } = config.guest;
  return format === "hvmloader" || rom !== undefined && !showsXen(config);
}

/** The device model flushes an emulated disk before a frontend takes it over. */
function drain(disk: Disk): void {
  disk.submit({ op: "flush", sector: 0, segments: [], done: () => {} });
}
