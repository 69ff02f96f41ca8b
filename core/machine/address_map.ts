/**
 * Where everything on the board is: every device, every address, every interrupt number.
 *
 * | ports | device | IRQ | answered by |
 * |---|---|---|---|
 * | 0000-000F, 00C0-00DF | 8237A pair, no DMA device | | device model |
 * | 0010-001F | Xen platform device (unplug) | | device model |
 * | 0020-0021, 00A0-00A1, 04D0-04D1 | 8259A pair, ELCR | | hypervisor |
 * | 0040-0043, 0061 | 8254, system control port | 0 | hypervisor |
 * | 0060, 0064 | 8042: keyboard, mouse | 1, 12 | device model |
 * | 0070-0071 | RTC, CMOS | 8 | hypervisor |
 * | 0080 | POST code | | no exit |
 * | 0081-008F | DMA page registers | | device model |
 * | 0092 | system control port A: A20, reset | | device model |
 * | 00B2-00B3 | PIIX4 SMI command and status | | device model |
 * | 00E9, 00F4 | debug console, debug exit | | device model |
 * | 0170-0177, 0376 | secondary IDE channel | 15 | device model |
 * | 01F0-01F7, 03F6 | primary IDE channel | 14 | device model |
 * | 03B4-03BA, 03C0-03CF, 03D4-03DA | VGA | | device model |
 * | 03F8-03FF | COM1 | 4 | device model |
 * | 0402 | debug console of the BIOS | | device model |
 * | 0510-0511, 0514-051B | fw_cfg, its DMA interface | | device model |
 * | 0600-063F | PIIX4 power management at PMBASE of 0:1.3 | 9 | device model |
 * | 0608 dword | PM timer | | hypervisor |
 * | 0CF8 dword | PCI address | | hypervisor |
 * | 0CF9 byte | PIIX3 reset control | | device model |
 * | 0CFC-0CFF | PCI data | | device model |
 * | AFE0-AFE3 | general-purpose events of 0:1.3 | 9 | device model |
 * | C000-C0FF | BAR 0 of 0:3.0, Xen platform device | | device model |
 * | C100-C10F | BAR 4 of 0:1.1, IDE bus masters | | device model |
 *
 * | memory | device | answered by |
 * |---|---|---|
 * | 000A0000-000BFFFF | window of the VGA | device model |
 * | F0000000-F0FFFFFF | BAR 1 of 0:3.0, Xen platform device: room for grant frames | device model |
 * | F1000000-F103FFFF, F1040000-F1040FFF | BARs 0 and 2 of 0:2.0, VGA | device model |
 * | FEC00000 | I/O APIC: inputs as the 8259A pair's, but IRQ 0 at input 2; PCI pins from 16 | hypervisor |
 * | FEE00000, or where IA32_APIC_BASE puts it | local APIC | hypervisor |
 *
 * BARs and PMBASE are shown where the firmware puts them (BARs as hvmloader does, PMBASE as SeaBIOS);
 * a guest may move them.
 * Source: Intel 82371SB datasheet; which ports Xen answers: xen/arch/x86/hvm/io.c, hvm.c and
 * pmtimer.c.
 * @module
 */

import { PM_TIMER } from "../../devices/pm.ts";
import type { HypervisorPorts } from "../hypervisor/hypervisor_parts.ts";

/** First port of each device. */
export const PORT = {
  DMA: 0x00,
  XEN_PLATFORM: 0x10,
  PIC_MASTER: 0x20,
  PIT: 0x40,
  KEYBOARD_DATA: 0x60,
  SYSTEM_CONTROL: 0x61,
  KEYBOARD_COMMAND: 0x64,
  RTC: 0x70,
  POST: 0x80,
  DMA_PAGES: 0x81,
  SYSTEM_CONTROL_A: 0x92,
  PIC_SLAVE: 0xa0,
  SMI_COMMAND: 0xb2,
  DMA2: 0xc0,
  DEBUG_CONSOLE: 0xe9,
  DEBUG_EXIT: 0xf4,
  IDE2_COMMAND: 0x170,
  IDE_COMMAND: 0x1f0,
  IDE2_CONTROL: 0x376,
  VGA_CRTC_MONO: 0x3b4,
  VGA: 0x3c0,
  VGA_CRTC: 0x3d4,
  IDE_CONTROL: 0x3f6,
  COM1: 0x3f8,
  FIRMWARE_CONSOLE: 0x402,
  ELCR: 0x4d0,
  FW_CFG: 0x510,
  FW_CFG_DMA: 0x514,
  PCI_ADDRESS: 0xcf8,
  PCI_DATA: 0xcfc,
  GPE: 0xafe0,
} as const;

/** ISA interrupts. */
export const IRQ = {
  TIMER: 0,
  KEYBOARD: 1,
  COM1: 4,
  RTC: 8,
  SCI: 9,
  MOUSE: 12,
  IDE: 14,
  IDE2: 15,
} as const;

/** ISA interrupt that is none: the 8259A master takes the slave's there. */
export const CASCADE = 2;

/** Input of the I/O APIC that the timer is wired to; the other interrupts keep their numbers. */
export const TIMER_PIN = 2;

/** First address of each device in memory. */
export const MMIO = { VGA: 0xa0000, IO_APIC: 0xfec00000, LOCAL_APIC: 0xfee00000 } as const;

/** What firmware decides: where power management is, and the interrupts of PIRQA to PIRQD. */
export const FIRMWARE = { PM_BASE: 0x600, PIRQ_ROUTES: [10, 10, 11, 11] } as const;

/**
 * ISA interrupt of a PCI interrupt pin, as firmware routes it.
 * @param pin 0 = INTA
 */
export function lineOfPin(slot: number, pin: number): number {
  const { PIRQ_ROUTES } = FIRMWARE;
  return PIRQ_ROUTES[(slot - 1 + pin) % PIRQ_ROUTES.length]!;
}

/**
 * Input of a domain's I/O APIC that a PCI interrupt pin has besides: hvm_pci_intx_gsi() of Xen.
 * @param pin 0 = INTA
 */
export function gsiOfPin(slot: number, pin: number): number {
  return 16 + (slot * 4 + (slot >> 3) + pin) % 32;
}

/** A place on PCI bus 0, and what the firmware writes into its registers. */
export interface PciSlot {
  readonly device: number;
  readonly func: number;
  /** Base address registers. */
  readonly bars?: Readonly<Record<number, number>>;
  /** Bytes of other registers, by offset. */
  readonly bytes?: Readonly<Record<number, number>>;
}

/** Where the PCI functions are. */
export const PCI_SLOT: Readonly<
  Record<"HOST_BRIDGE" | "ISA_BRIDGE" | "IDE" | "POWER" | "VGA" | "XEN_PLATFORM", PciSlot>
> = {
  HOST_BRIDGE: { device: 0, func: 0 },
  ISA_BRIDGE: { device: 1, func: 0, bytes: pirqRoutes() },
  // IDETIM: both channels decode their ports, without which Linux's ata_piix finds no disk
  IDE: { device: 1, func: 1, bars: { 4: 0xc100 }, bytes: { 0x41: 0x80, 0x43: 0x80 } },
  POWER: { device: 1, func: 3, bytes: powerRegisters() },
  VGA: { device: 2, func: 0, bars: { 0: 0xf1000000, 2: 0xf1040000 } },
  XEN_PLATFORM: {
    device: 3,
    func: 0,
    bars: { 0: 0xc000, 1: 0xf0000000 },
    bytes: { 0x3c: lineOfPin(3, 0) },
  },
};

/** PIRQRC[A:D]. */
function pirqRoutes(): Record<number, number> {
  return Object.fromEntries(FIRMWARE.PIRQ_ROUTES.map((irq, pirq) => [0x60 + pirq, irq]));
}

/** Interrupt line, PMBASE, and that it is decoded. */
function powerRegisters(): Record<number, number> {
  const { PM_BASE } = FIRMWARE;
  return { 0x3c: IRQ.SCI, 0x40: PM_BASE & 0xff, 0x41: PM_BASE >> 8, 0x80: 1 };
}

/** Where firmware puts power management; hvmloader takes the second, SeaBIOS either. */
const PM_BASES = [FIRMWARE.PM_BASE, 0xb000] as const;

/** Accesses that do not leave the hypervisor. */
export const HYPERVISOR_PORTS: readonly HypervisorPorts[] = [
  { base: PORT.PIC_MASTER, length: 2, sizes: 7 },
  { base: PORT.PIC_SLAVE, length: 2, sizes: 7 },
  { base: PORT.ELCR, length: 2, sizes: 7 },
  { base: PORT.PIT, length: 4, sizes: 7 },
  { base: PORT.SYSTEM_CONTROL, length: 1, sizes: 7 },
  { base: PORT.RTC, length: 2, sizes: 7 },
  ...PM_BASES.map((base) => ({ base: base + PM_TIMER, length: 1, sizes: 4 })),
  { base: PORT.PCI_ADDRESS, length: 1, sizes: 4 },
];
