/**
 * The board: makes its devices and wires them to the addresses and interrupts of address_map.ts.
 * @module
 */

import { IoPortBus } from "../../devices/bus.ts";
import { Dma8237, DMA_PAGE_PORTS, DmaPages } from "../../devices/dma8237.ts";
import { HostBridge, type ShadowRam } from "../../devices/chipset_host.ts";
import { IsaBridge } from "../../devices/chipset_isa.ts";
import { type BootDevice, cmosBytes } from "../../devices/cmos.ts";
import { DebugConsole, DebugExit, PostPort } from "../../devices/debug_ports.ts";
import { I8042 } from "../../devices/i8042.ts";
import { AtapiDrive } from "../../devices/ide/atapi_drive.ts";
import { CD_ROM } from "../../devices/ide/atapi_pages.ts";
import { FW_CFG_DMA_PORTS, FW_CFG_PORTS, FwCfg, type FwCfgContents } from "../../devices/fw_cfg.ts";
import { IdeChannel } from "../../devices/ide/channel.ts";
import { DiskDrive, geometryOf } from "../../devices/ide/disk_drive.ts";
import { HARD_DISK } from "../../devices/ide/identify.ts";
import { BUS_MASTER_PORTS, PIIX3_IDE, PIIX3_IDE_BAR } from "../../devices/ide/piix.ts";
import type { Geometry } from "../../devices/ide/taskfile.ts";
import { IoApic, IOAPIC_BYTES, XEN_PIN_COUNT } from "../../devices/ioapic.ts";
import { Keyboard } from "../../devices/keyboard.ts";
import { Typist } from "../../devices/keyboard_typist.ts";
import { LAPIC_BYTES, LocalApic } from "../../devices/lapic.ts";
import { MmioBus } from "../../devices/mmio.ts";
import { Mouse } from "../../devices/mouse.ts";
import { MovingBars } from "../../devices/moving_bar.ts";
import { PciBus, PciConfigPorts, PciFunction } from "../../devices/pci.ts";
import { Pic8259Pair } from "../../devices/pic.ts";
import { Pit } from "../../devices/pit.ts";
import { GPE_PORTS, PM_PORTS, PowerManagement, SMI_PORTS } from "../../devices/pm.ts";
import { SystemControlPortA } from "../../devices/port92.ts";
import { Rtc } from "../../devices/rtc.ts";
import { SharedLines } from "../../devices/shared_lines.ts";
import { Uart16550 } from "../../devices/uart.ts";
import { Vga, VGA_CRTC_PORTS, VGA_PORTS } from "../../devices/vga.ts";
import { makeVgaFunction } from "../../devices/vga_bars.ts";
import { VGA_WINDOW_BYTES } from "../../devices/vga_memory.ts";
import {
  PLATFORM_BAR1,
  PLATFORM_BAR1_BYTES,
  UNPLUG,
  XEN_PLATFORM_PCI,
  XenPlatform,
} from "../../devices/xen/platform.ts";
import { hex } from "../bits.ts";
import type {
  Clock,
  Disk,
  GuestErrors,
  GuestMemory,
  InterruptLine,
  MmioDevice,
  PortDevice,
} from "../types.ts";
import {
  CASCADE,
  gsiOfPin,
  IRQ,
  MMIO,
  PCI_SLOT,
  type PciSlot,
  PORT,
  TIMER_PIN,
} from "./address_map.ts";
import { ROM_AREA, SHADOW } from "./memory.ts";

const ISA_INTERRUPTS: readonly number[] = Array.from({ length: 16 }, (_, irq) => irq);

const PLATFORM_BAR_PORTS = 0x100;

/** What a BIOS tries to start, in this order. */
const BOOT_ORDER: readonly BootDevice[] = ["disk", "cdrom"];
/** 2026-01-01T00:00:00. */
const RTC_BASE = 1_767_225_600;

/** What happens on the board and concerns the machine. */
export interface PcEvents {
  onSerialByte(byte: number): void;
  onDebugByte(byte: number): void;
  /** The log of a BIOS. */
  onFirmwareByte(byte: number): void;
  onMark(value: number): void;
  /** A write to the debug exit port. */
  onExit(value: number): void;
  /** Emulated disks have been taken away. */
  onUnplug(): void;
  /** Software has switched the machine off. */
  onPowerOff(): void;
  /**
   * Software wants the machine to start again.
   * @param by what it used, to be read behind "by"
   */
  onReset(by: string): void;
  /** The processor gets an NMI. */
  onNmi(): void;
  /** The processor's local APIC has been switched on or off. */
  onApic(enabled: boolean): void;
}

/** A drive on an IDE cable. */
export interface PcDrive {
  /** 0, 1 = master, slave of the primary channel; 2, 3 = of the secondary. */
  readonly index: number;
  readonly kind: "disk" | "cdrom";
  readonly disk: Disk;
}

/** What the board is built from. */
export interface PcParts {
  readonly clock: Clock;
  readonly memory: GuestMemory & ShadowRam;
  /** Asserted lets address line 20 through, as at power-on. */
  readonly a20: InterruptLine;
  readonly errors: GuestErrors;
  /** What hangs on the IDE cables; every position at most once. */
  readonly drives: readonly PcDrive[];
  /** The platform device is there. */
  readonly xenPlatform: boolean;
  /** What the real-time clock shows at power-on, in seconds since 1970; fixed unless given. */
  readonly rtcBase?: number | undefined;
  /** What fw_cfg tells a BIOS. */
  readonly firmware: () => FwCfgContents;
  readonly events: PcEvents;
}

/** The board, wired and powered. */
export class Pc {
  readonly ports: IoPortBus = new IoPortBus();
  /** Registers in memory that the device model answers. */
  readonly mmio: MmioBus = new MmioBus();
  /** Registers in memory that the hypervisor answers itself. */
  readonly hypervisorMmio: MmioBus = new MmioBus();
  readonly pic: Pic8259Pair = new Pic8259Pair();
  /** Interrupts the processor. */
  readonly localApic: LocalApic;
  readonly ioApic: IoApic;
  readonly pci: PciBus = new PciBus();
  /** Primary and secondary channel. */
  readonly ide: readonly [IdeChannel, IdeChannel];
  readonly com1: Uart16550;
  /** Types on the keyboard what the host's terminal sends. */
  readonly typist: Typist;
  readonly vga: Vga;
  readonly #keyboard: Keyboard = new Keyboard();
  readonly #parts: PcParts;
  readonly #power: PowerManagement;
  /** ISA interrupts for those who share them: SCI and the PIRQs. */
  readonly #sharedLines = new SharedLines((irq) => this.line(irq));
  readonly #isa: IsaBridge;
  /** What base address registers and PMBASE show. */
  readonly #portBars: MovingBars<PortDevice>;
  readonly #mmioBars: MovingBars<MmioDevice>;
  /** ISA interrupts, which APICs and the 8259A pair share. */
  readonly #lines: readonly (InterruptLine | undefined)[];

  constructor(parts: PcParts) {
    const { memory, errors, drives, events } = parts;
    this.#parts = parts;
    this.#portBars = new MovingBars(this.ports, errors);
    this.#mmioBars = new MovingBars(this.mmio, errors);
    this.#isa = new IsaBridge(this.#sharedLines, () => events.onReset("port CF9h"));
    [this.localApic, this.ioApic] = this.#makeApics();
    this.#lines = joinedLines(this.pic, this.ioApic);
    this.com1 = new Uart16550(
      parts.clock,
      this.line(IRQ.COM1),
      (byte) => events.onSerialByte(byte),
    );
    this.vga = new Vga(parts.clock);
    this.typist = new Typist(parts.clock, this.#keyboard);
    this.ide = [
      new IdeChannel(this.line(IRQ.IDE), memory, errors),
      new IdeChannel(this.line(IRQ.IDE2), memory, errors),
    ];
    for (const drive of drives) this.#attach(drive);
    this.#mapLegacy();
    this.#mapDebug();
    this.#mapFirmware();
    this.#power = this.#makePower();
    this.#mapPci();
  }

  /** All that devices are mapped on. */
  get buses(): readonly (IoPortBus | MmioBus)[] {
    return [this.ports, this.mmio, this.hypervisorMmio];
  }

  /** An ISA interrupt, at all controllers there are. Always the same object. */
  line(irq: number): InterruptLine {
    return this.#lines[irq] ?? this.pic.line(irq);
  }

  /**
   * An input of the interrupt controllers that level interrupts may share, for one source more.
   * @returns `undefined` where there is none
   */
  gsi(gsi: number): InterruptLine | undefined {
    if (gsi < ISA_INTERRUPTS.length) {
      return gsi === CASCADE ? undefined : this.#sharedLines.input(gsi);
    }
    return gsi < this.ioApic.pinCount ? this.ioApic.line(gsi) : undefined;
  }

  /**
   * An interrupt pin of a PCI device, for one source more. In a domain it also has an input of its
   * own at the I/O APIC.
   * @param pin 0 = INTA
   */
  intx(device: number, pin: number): InterruptLine {
    const pirq = this.#isa.line(device, pin + 1);
    const own = this.#parts.xenPlatform ? this.gsi(gsiOfPin(device, pin)) : undefined;
    return own === undefined ? pirq : bothLines(pirq, own);
  }

  /** Somebody pushes the power button: the guest hears of it if it listens to ACPI. */
  pressPowerButton(): void {
    this.#power.pressButton();
  }

  #makeApics(): [LocalApic, IoApic] {
    const { hypervisorMmio, pic } = this;
    const { clock, events } = this.#parts;
    const local = new LocalApic(clock, pic, {
      onNmi: () => events.onNmi(),
      onInit: () => events.onReset("INIT to itself"),
      onEndOfInterrupt: (vector) => io.endOfInterrupt(vector),
      onReceptive: () => io.retry(),
      irqOf: (vector) => {
        const pin = io.pinOf(vector);
        return pin === TIMER_PIN ? IRQ.TIMER : pin;
      },
      onMove: (base) => this.#moveLocalApic(local, base),
    });
    const io: IoApic = new IoApic(local, this.#parts.xenPlatform ? XEN_PIN_COUNT : undefined);
    pic.connect(local.inputs[0]);
    hypervisorMmio.map("io apic", MMIO.IO_APIC, IOAPIC_BYTES, io);
    hypervisorMmio.map("local apic", MMIO.LOCAL_APIC, LAPIC_BYTES, local);
    return [local, io];
  }

  #moveLocalApic(apic: LocalApic, base: number | undefined): void {
    const { hypervisorMmio } = this;
    const { events, errors } = this.#parts;
    hypervisorMmio.unmap("local apic");
    events.onApic(base !== undefined);
    if (base === undefined) return;
    const owner = hypervisorMmio.ownerOf(base, LAPIC_BYTES);
    if (owner === undefined) hypervisorMmio.map("local apic", base, LAPIC_BYTES, apic);
    else errors.guestError("local APIC", `moved to 0x${hex(base, 8)}: ${owner}`);
  }

  /** QEMU counts serial numbers by position, whether or not there is a drive. */
  #attach({ index, kind, disk }: PcDrive): void {
    const channel = this.ide[index < 2 ? 0 : 1];
    const serial = `QM0000${index + 1}`;
    channel.attach(
      index % 2 === 0 ? 0 : 1,
      kind === "disk"
        ? new DiskDrive(channel.cable, disk, { ...HARD_DISK, serial })
        : new AtapiDrive(channel.cable, disk, { ...CD_ROM, serial }),
    );
  }

  #mapLegacy(): void {
    const { ports, pic, ide } = this;
    const { clock, a20, events } = this.#parts;
    const port92 = new SystemControlPortA(a20, () => events.onReset("port 92h"));
    const pit = new Pit(clock, this.line(IRQ.TIMER));
    ports.map("pic master", PORT.PIC_MASTER, 2, pic.master);
    ports.map("pic slave", PORT.PIC_SLAVE, 2, pic.slave);
    ports.map("elcr", PORT.ELCR, 2, pic.elcr);
    ports.map("pit", PORT.PIT, 4, pit);
    ports.map("system control", PORT.SYSTEM_CONTROL, 1, pit.systemPort);
    ports.map("rtc", PORT.RTC, 2, this.#makeRtc());
    ports.map("dma", PORT.DMA, 16, new Dma8237(0));
    ports.map("dma2", PORT.DMA2, 32, new Dma8237(1));
    ports.map("dma pages", PORT.DMA_PAGES, DMA_PAGE_PORTS, new DmaPages());
    this.#mapKeyboard();
    this.#mapVga();
    ports.map("system control a", PORT.SYSTEM_CONTROL_A, 1, port92);
    ports.map("com1", PORT.COM1, 8, this.com1);
    ports.map("ide command", PORT.IDE_COMMAND, 8, ide[0].commandBlock);
    ports.map("ide control", PORT.IDE_CONTROL, 1, ide[0].controlBlock);
    ports.map("ide2 command", PORT.IDE2_COMMAND, 8, ide[1].commandBlock);
    ports.map("ide2 control", PORT.IDE2_CONTROL, 1, ide[1].controlBlock);
  }

  #mapKeyboard(): void {
    const { a20, events } = this.#parts;
    const controller = new I8042({
      keyboard: this.#keyboard,
      mouse: new Mouse(),
      keyboardIrq: this.line(IRQ.KEYBOARD),
      mouseIrq: this.line(IRQ.MOUSE),
      a20,
      onReset: () => events.onReset("port 64h"),
    });
    this.ports.map("keyboard", PORT.KEYBOARD_DATA, 1, controller.dataPort);
    this.ports.map("keyboard command", PORT.KEYBOARD_COMMAND, 1, controller.commandPort);
  }

  #mapVga(): void {
    const { ports, vga } = this;
    ports.map("vga", PORT.VGA, VGA_PORTS, vga);
    ports.map("vga crtc", PORT.VGA_CRTC, VGA_CRTC_PORTS, vga.colorPorts);
    ports.map("vga crtc mono", PORT.VGA_CRTC_MONO, VGA_CRTC_PORTS, vga.monoPorts);
    this.mmio.map("vga window", MMIO.VGA, VGA_WINDOW_BYTES, vga.memory);
  }

  #makeRtc(): Rtc {
    const { clock, memory, drives, rtcBase = RTC_BASE } = this.#parts;
    const disks: Geometry[] = [];
    for (const { index, kind, disk } of drives) {
      if (kind === "disk") disks[index] = geometryOf(disk.sectorCount);
    }
    const cmos = cmosBytes({ ramBytes: memory.size, disks, bootOrder: BOOT_ORDER });
    return new Rtc(clock, this.line(IRQ.RTC), { base: rtcBase, cmos });
  }

  #mapDebug(): void {
    const { ports } = this;
    const { events } = this.#parts;
    ports.map("post", PORT.POST, 1, new PostPort((value) => events.onMark(value)));
    ports.map(
      "debug console",
      PORT.DEBUG_CONSOLE,
      1,
      new DebugConsole((byte) => events.onDebugByte(byte)),
    );
    ports.map("debug exit", PORT.DEBUG_EXIT, 4, new DebugExit((value) => events.onExit(value)));
  }

  #mapFirmware(): void {
    const { memory, events, firmware } = this.#parts;
    const fwCfg = new FwCfg(memory, firmware);
    const console = new DebugConsole((byte) => events.onFirmwareByte(byte));
    this.ports.map("firmware console", PORT.FIRMWARE_CONSOLE, 1, console);
    this.ports.map("fw_cfg", PORT.FW_CFG, FW_CFG_PORTS, fwCfg);
    this.ports.map("fw_cfg dma", PORT.FW_CFG_DMA, FW_CFG_DMA_PORTS, fwCfg.dma);
  }

  #mapPci(): void {
    const ide = new PciFunction(PIIX3_IDE, (bar, base) => {
      if (bar !== PIIX3_IDE_BAR) return;
      const [primary, secondary] = this.ide;
      const above = base === undefined ? undefined : base + BUS_MASTER_PORTS;
      const length = BUS_MASTER_PORTS;
      this.#portBars.move({ name: "ide bus master", length, device: primary.busMaster }, base);
      this.#portBars.move({ name: "ide2 bus master", length, device: secondary.busMaster }, above);
    });
    const { memory } = this.#parts;
    const isa = this.#isa;
    const bus = this.pci;
    const add = ({ device, func }: PciSlot, fn: PciFunction) => bus.add(device, func, fn);
    add(PCI_SLOT.HOST_BRIDGE, new HostBridge(memory).function);
    add(PCI_SLOT.ISA_BRIDGE, isa.function);
    add(PCI_SLOT.IDE, ide);
    add(PCI_SLOT.POWER, this.#power.function);
    add(PCI_SLOT.VGA, makeVgaFunction(this.vga, this.#mmioBars));
    if (this.#parts.xenPlatform) add(PCI_SLOT.XEN_PLATFORM, this.#makePlatform());
    const config = new PciConfigPorts(bus, isa.resetControl);
    this.ports.map("pci address", PORT.PCI_ADDRESS, 4, config.address);
    this.ports.map("pci data", PORT.PCI_DATA, 4, config.data);
  }

  #makePower(): PowerManagement {
    const { clock, events } = this.#parts;
    const power: PowerManagement = new PowerManagement(
      clock,
      this.#sharedLines.input(IRQ.SCI),
      (base) =>
        this.#portBars.move({ name: "pm", length: PM_PORTS, device: power.registers }, base),
      () => events.onPowerOff(),
    );
    this.ports.map("gpe", PORT.GPE, GPE_PORTS, power.gpe);
    this.ports.map("smi", PORT.SMI_COMMAND, SMI_PORTS, power.smi);
    return power;
  }

  #makePlatform(): PciFunction {
    const { memory } = this.#parts;
    const platform = new XenPlatform({
      onUnplug: (mask) => this.#unplug(mask),
      onLog: (byte) => this.#parts.events.onDebugByte(byte),
      onRomLock: (locked) => {
        const ram = locked ? SHADOW.LOADS : SHADOW.LOADS | SHADOW.STORES;
        memory.shadow(ROM_AREA.first, ROM_AREA.end, ram);
      },
    });
    this.ports.map("xen platform", PORT.XEN_PLATFORM, 16, platform);
    const ports = { name: "xen platform bar", length: PLATFORM_BAR_PORTS, device: platform.bar0 };
    const room = { name: "xen platform", length: PLATFORM_BAR1_BYTES, device: PLATFORM_BAR1 };
    return new PciFunction(XEN_PLATFORM_PCI, (bar, base) => {
      if (bar === 0) this.#portBars.move(ports, base);
      else this.#mmioBars.move(room, base);
    });
  }

  #unplug(mask: number): void {
    if ((mask & (UNPLUG.ALL_DISKS | UNPLUG.AUX_IDE_DISKS)) === 0) return;
    const first = (mask & UNPLUG.ALL_DISKS) !== 0 ? 0 : 1;
    for (const { index, kind } of this.#parts.drives) {
      if (kind === "cdrom" || index < first) continue;
      this.ide[index < 2 ? 0 : 1].detach(index % 2 === 0 ? 0 : 1);
    }
    this.#parts.events.onUnplug();
  }
}

/** ISA interrupts that drive both controllers; the cascade is none. */
function joinedLines(pic: Pic8259Pair, ioApic: IoApic): (InterruptLine | undefined)[] {
  return ISA_INTERRUPTS.map((irq) => {
    if (irq === CASCADE) return undefined;
    return bothLines(pic.line(irq), ioApic.line(irq === IRQ.TIMER ? TIMER_PIN : irq));
  });
}

function bothLines(one: InterruptLine, other: InterruptLine): InterruptLine {
  return {
    set(asserted) {
      one.set(asserted);
      other.set(asserted);
    },
  };
}
