/**
 * The built-in BIOS with a caller: what `int n` leaves on the stack, and the VMCALL of the stub.
 * @module
 */

import { VirtualClock } from "../../core/clock.ts";
import type { ImageError } from "../../core/errors.ts";
import { Books } from "../../core/ledger.ts";
import { Bios } from "../../core/machine/bios.ts";
import type { GuestRam } from "../../core/machine/memory.ts";
import type { BlockBackend } from "../../core/types.ts";
import { IoPortBus } from "../../devices/bus.ts";
import { COSTS, FakeVcpu, makeRam, NotingPort } from "./host.ts";

/** Where the caller's interrupt frame is; FLAGS at +4. */
const FRAME = 0x7bfa;
const [EAX, ECX, EDX, EBX, ESP] = [0, 1, 2, 3, 4] as const;

/** Registers of one call; what is left out is 0. */
export interface BiosRegisters {
  readonly ax?: number;
  readonly bx?: number;
  readonly cx?: number;
  readonly dx?: number;
}

/** What {@link makeBios} builds. */
export interface TestBios {
  readonly bios: Bios;
  readonly memory: GuestRam;
  readonly books: Books;
  readonly ports: IoPortBus;
  readonly vcpu: FakeVcpu;
  /** Remembers accesses to the master 8259, offset 0 only. */
  readonly pic: NotingPort;
  readonly printed: number[];
  readonly hostErrors: ImageError[];
  /** Makes a call by its stub; afterwards look at the registers and at the flags. */
  call(vector: number, registers: BiosRegisters): void;
  readonly ax: number;
  readonly carry: boolean;
  readonly zero: boolean;
}

/** A BIOS over 16 MiB of RAM. */
export function makeBios(disks: readonly BlockBackend[] = []): TestBios {
  const memory = makeRam(16 << 20);
  const books = new Books(new VirtualClock());
  const vcpu = new FakeVcpu();
  const ports = new IoPortBus();
  const pic = new NotingPort();
  ports.map("pic", 0x20, 1, pic);
  const printed: number[] = [];
  const hostErrors: ImageError[] = [];
  const onHostError = (_disk: BlockBackend, error: ImageError) => hostErrors.push(error);
  const onByte = (byte: number) => printed.push(byte);
  const bios = new Bios({ memory, ports, ledger: books, costs: COSTS, disks, onByte, onHostError });
  const flags = () => memory.read16(FRAME + 4);
  return {
    bios,
    memory,
    books,
    ports,
    vcpu,
    pic,
    printed,
    hostErrors,
    call(vector, { ax = 0, bx = 0, cx = 0, dx = 0 }) {
      [vcpu.regs[EAX], vcpu.regs[EBX], vcpu.regs[ECX], vcpu.regs[EDX]] = [ax, bx, cx, dx];
      vcpu.regs[ESP] = FRAME;
      memory.write16(FRAME + 4, 0x0202);
      const stub = memory.read16(vector * 4 + 2) * 16 + memory.read16(vector * 4);
      bios.call(stub, vcpu);
    },
    get ax() {
      return vcpu.regs[EAX]! & 0xffff;
    },
    get carry() {
      return (flags() & 1) !== 0;
    },
    get zero() {
      return (flags() & 0x40) !== 0;
    },
  };
}
