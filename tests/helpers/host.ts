/**
 * A hypervisor over plain memory, ports that remember, and a vCPU that exits when a test says so.
 * @module
 */

import { IoPortBus } from "../../devices/bus.ts";
import { MmioBus } from "../../devices/mmio.ts";
import { VirtualClock } from "../../core/clock.ts";
import { Dom0Timeline } from "../../core/dom0.ts";
import { Accounting } from "../../core/hypervisor/books/accounting.ts";
import { COST_PRESETS, DEFAULT_COST } from "../../core/hypervisor/costs.ts";
import type { CostPreset } from "../../core/hypervisor/costs.ts";
import { newVmExit } from "../../core/cpu/exit.ts";
import { Hypervisor } from "../../core/hypervisor/hypervisor.ts";
import type { HypervisorOptions, Paravirt } from "../../core/hypervisor/hypervisor_parts.ts";
import { Books } from "../../core/ledger.ts";
import { GuestRam } from "../../core/machine/memory.ts";
import { truncate } from "../../core/bits.ts";
import type { AccessSize, MmioDevice, PortDevice, VcpuState, VmExit } from "../../core/types.ts";

/** The preset that the tests of the books use. */
export const COSTS: CostPreset = COST_PRESETS[DEFAULT_COST]!;

const FLAGS_IF = 1 << 9;

/** Plain memory with some extra frames. */
export function makeRam(ramBytes: number = 2 << 20, extraFrames: number = 8): GuestRam {
  const base = 0x1000;
  const buffer = new ArrayBuffer(base + ramBytes + extraFrames * 4096);
  return new GuestRam({ buffer, base, ramBytes, extraFrames });
}

/** A vCPU's registers, in real mode or flat. */
export class FakeVcpu implements VcpuState {
  readonly regs: Uint32Array = new Uint32Array(8);
  readonly cr: Uint32Array = new Uint32Array(5);
  readonly segments: number[] = [0, 0, 0, 0, 0, 0];
  eip = 0;
  eflags = 2;
  readonly cpl = 0;

  selector(segment: number): number {
    return this.segments[segment]!;
  }
  segmentBase(segment: number): number {
    return this.segments[segment]! * 16;
  }
  linearToGpa(linear: number): number {
    return linear;
  }
  set interruptsEnabled(enabled: boolean) {
    this.eflags = enabled ? 2 | FLAGS_IF : 2;
  }
}

/** A port device that answers what it is told to and remembers what it was told. */
export class NotingPort implements PortDevice {
  readonly log: string[] = [];
  answer = 0x50;

  readPort(offset: number, size: number): number {
    this.log.push(`in ${offset} size ${size}`);
    return this.answer;
  }
  writePort(offset: number, size: number, value: number): void {
    this.log.push(`out ${offset} size ${size} ${value.toString(16)}`);
  }
}

/** A device in memory that answers what it is told to and remembers what it was told. */
export class NotingMmio implements MmioDevice {
  readonly log: string[] = [];
  answer = 0xa0b0c0d0;

  readMmio(offset: number, size: AccessSize): number {
    this.log.push(`read ${offset} size ${size}`);
    return truncate(this.answer, size);
  }
  writeMmio(offset: number, size: AccessSize, value: number): void {
    this.log.push(`write ${offset} size ${size} ${value.toString(16)}`);
  }
}

/** Xen as the hypervisor sees it, without a guest interface behind it. */
export class FakeXen implements Paravirt {
  upcallPending = false;
  upcallVector: number | undefined = undefined;
  callbackVector: number | undefined = undefined;
  callbackAsserted = false;
  blocked = false;
  readonly calls: VcpuState[] = [];

  /** The guest makes so many calls once more. */
  again = 0;

  hypercall(vcpu: VcpuState): boolean {
    this.calls.push(vcpu);
    return this.again-- > 0;
  }
  cpuid(leaf: number, subLeaf: number): Readonly<Uint32Array> | undefined {
    return leaf === 0x40000000 ? Uint32Array.of(1, 2, 3, subLeaf) : undefined;
  }
  settleCallback(): void {
    this.callbackAsserted = false;
  }
  readMsr(msr: number): bigint | undefined {
    return msr === 0x40000000 ? 0x1_0000_0002n : undefined;
  }
  writeMsr(msr: number, _low: number, high: number): boolean | undefined {
    return msr === 0x40000000 ? high === 0 : undefined;
  }
}

/** What {@link makeHost} builds; parts can be replaced by `options`. */
export interface TestHost {
  readonly clock: VirtualClock;
  readonly books: Books;
  readonly dom0: Dom0Timeline;
  readonly accounting: Accounting;
  readonly memory: GuestRam;
  readonly ports: IoPortBus;
  readonly ownMmio: MmioBus;
  readonly mmio: MmioBus;
  readonly pic: { pending: boolean; acknowledge(): number };
  readonly xen: FakeXen;
  readonly vcpu: FakeVcpu;
  readonly hypervisor: Hypervisor;
  /** Makes the vCPU exit with these fields; returns the budget. The exit itself is `last`. */
  exit(fields: Partial<VmExit>): number;
  readonly last: VmExit;
}

/** A hypervisor with a vCPU attached. Interrupt 0x20 comes from a fake 8259. */
export function makeHost(options: Partial<HypervisorOptions> = {}): TestHost {
  const clock = new VirtualClock();
  const books = new Books(clock);
  const dom0 = new Dom0Timeline(clock);
  const accounting = new Accounting();
  const memory = makeRam();
  const ports = new IoPortBus();
  const ownMmio = new MmioBus();
  const mmio = new MmioBus();
  const xen = new FakeXen();
  const vcpu = new FakeVcpu();
  const pic = {
    pending: false,
    acknowledge() {
      this.pending = false;
      return 0x20;
    },
  };
  const hypervisor = new Hypervisor({
    clock,
    ledger: books,
    dom0,
    costs: COSTS,
    accounting,
    memory,
    ports,
    ownPorts: [{ base: 0x20, length: 2, sizes: 7 }, { base: 0xcf8, length: 1, sizes: 4 }],
    ownMmio,
    mmio,
    interrupts: pic,
    xen,
    bios: { covers: () => false, call: () => {} },
    ...options,
  });
  hypervisor.attach(vcpu);
  const last = newVmExit();
  const exit = (fields: Partial<VmExit>): number =>
    hypervisor.exit(Object.assign(last, newVmExit(), fields));
  return {
    clock,
    books,
    dom0,
    accounting,
    memory,
    ports,
    ownMmio,
    mmio,
    pic,
    xen,
    vcpu,
    hypervisor,
    exit,
    last,
  };
}
