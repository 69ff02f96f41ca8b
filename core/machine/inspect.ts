/**
 * A machine seen from outside, while it stands between two instructions: what a monitor shows.
 *
 * Looking changes nothing and takes no virtual time. A port access does to a device what the guest's
 * does, so it goes through `replay.ts` like everything else that comes from the host.
 * @module
 */

import type { Cpu } from "../cpu/cpu.ts";
import { AT, MODE } from "../cpu/state.ts";
import { codeFrom } from "../cpu/disasm.ts";
import type { MmioBus } from "../../devices/mmio.ts";
import type { ListStyle } from "../hypervisor/xenstore/ls.ts";
import type { AccessSize, Clock, Gpa } from "../types.ts";
import { PAGE_SIZE } from "../types.ts";
import type { Domain } from "./domain.ts";
import type { Drives } from "./drives.ts";
import { ioApicLines, localApicLines } from "./inspect_apic.ts";
import { blockStatLines, irqLines, pciLines, picLines } from "./inspect_board.ts";
import { blockListLines } from "./inspect_vbds.ts";
import { registerLines, registerValue } from "./inspect_cpu.ts";
import { grantLines } from "./inspect_grants.ts";
import { storeLines } from "./inspect_xenstore.ts";
import { listCode, type Listed } from "./listing.ts";
import type { GuestRam } from "./memory.ts";
import type { Pc } from "./pc.ts";
import type { HostInput } from "./replay.ts";

/** Line 20 of the address bus, where it shows. */
const A20_FRAME = 0x100000 / PAGE_SIZE;

/** What an inspector looks at. */
export interface InspectorParts {
  readonly clock: Clock;
  readonly cpu: Cpu;
  readonly memory: GuestRam;
  /** The board that there is. */
  readonly pc: () => Pc;
  readonly input: HostInput;
  readonly drives: Drives;
  /** Absent when the machine hides Xen. */
  readonly domain: () => Domain | undefined;
}

/** Everything a monitor may ask of a machine. */
export interface Inspector {
  /** Registers in QEMU's layout. */
  registers(): string[];
  /** A register by the name it has in expressions; `undefined` when there is none. */
  register(name: string): number | undefined;
  /** The interrupt controllers. */
  pic(): string[];
  /** The processor's local APIC. */
  localApic(): string[];
  /** Interrupts so far. */
  irq(): string[];
  /** The functions on PCI bus 0. */
  pci(): string[];
  /** What the disks have done. */
  blockStats(): string[];
  /** What `xl block-list` prints. */
  blockList(): string[];
  /** The grant tables, as Xen prints them. */
  grants(): string[];
  /** What `xenstore-ls` prints of a path, or why it prints nothing. */
  xenstore(path: string, style: ListStyle): string[];
  /** Walks the page tables; `undefined` where nothing is mapped. */
  linearToGpa(linear: number): Gpa | undefined;
  /**
   * One byte of memory, or of a device's registers, which may notice; `undefined` where neither is.
   */
  read8(gpa: Gpa): number | undefined;
  /**
   * Instructions as the vCPU would decode them now.
   * @param byteAt a byte of code; `undefined` where none can be had
   */
  list(address: number, count: number, byteAt: (at: number) => number | undefined): Listed[];
  /** An IN as the guest's. */
  readPort(port: number, size: AccessSize): number;
  /** An OUT as the guest's. */
  writePort(port: number, size: AccessSize, value: number): void;
}

/** The inspector of a machine. */
export class MachineInspector implements Inspector {
  readonly #parts: InspectorParts;

  constructor(parts: InspectorParts) {
    this.#parts = parts;
  }

  registers(): string[] {
    return registerLines(this.#parts.cpu, this.#hasA20());
  }

  register(name: string): number | undefined {
    return registerValue(this.#parts.cpu.state, name);
  }

  pic(): string[] {
    const { pic, ioApic } = this.#parts.pc();
    return [...ioApicLines(ioApic), ...picLines(pic)];
  }

  localApic(): string[] {
    const { localApic } = this.#parts.pc();
    return localApicLines(localApic);
  }

  irq(): string[] {
    return irqLines(this.#parts.pc().pic);
  }

  pci(): string[] {
    return pciLines(this.#parts.pc().pci);
  }

  blockStats(): string[] {
    return blockStatLines(this.#parts.drives.named, this.#parts.clock.now);
  }

  blockList(): string[] {
    return blockListLines(this.#parts.domain());
  }

  grants(): string[] {
    return grantLines(this.#parts.domain());
  }

  xenstore(path: string, style: ListStyle): string[] {
    return storeLines(this.#parts.domain(), path, style);
  }

  linearToGpa(linear: number): Gpa | undefined {
    return this.#parts.cpu.state.linearToGpa(linear >>> 0);
  }

  read8(gpa: Gpa): number | undefined {
    const { memory } = this.#parts;
    const pc = this.#parts.pc();
    if (memory.frameOffset(Math.floor(gpa / PAGE_SIZE)) >= 0) return memory.read8(gpa);
    const bus = [pc.mmio, pc.hypervisorMmio].find((bus: MmioBus) => bus.ownerOf(gpa) !== undefined);
    return bus?.read(gpa, 1);
  }

  list(address: number, count: number, byteAt: (at: number) => number | undefined): Listed[] {
    const mode = this.#parts.cpu.state.get(AT.MODE) & MODE.CODE32;
    return listCode({ bytes: codeFrom(byteAt), mode }, address, count);
  }

  readPort(port: number, size: AccessSize): number {
    return this.#parts.input.access({ port, size });
  }

  writePort(port: number, size: AccessSize, value: number): void {
    this.#parts.input.access({ port, size, value });
  }

  /** With the line held low, what is at 1 MiB is what is at 0. */
  #hasA20(): boolean {
    const { memory } = this.#parts;
    return memory.frameOffset(A20_FRAME) !== memory.frameOffset(0);
  }
}
