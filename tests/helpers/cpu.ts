/**
 * A bare vCPU for tests: RAM from address 0 up, and a host that writes down what it is asked.
 * @module
 */

import { Cpu, type CpuOptions } from "../../core/cpu/cpu.ts";
import { AT, RAM_BASE } from "../../core/cpu/state.ts";
import type { VcpuHost, VmExit } from "../../core/types.ts";
import { unhex } from "./oracle.ts";
import { plainFrames } from "./frames.ts";

/** A host without devices. It leaves the budget as it is. */
export class ExitLog implements VcpuHost {
  readonly exits: VmExit[] = [];
  /** Vectors to inject, first to last. */
  readonly vectors: number[] = [];
  /** Answers to reads, first to last; then 0. */
  readonly answers: number[] = [];
  /** Called at every exit, after it has been written down. */
  onExit: (exit: VmExit) => void = () => {};
  left = 0;
  passedThrough = 0;
  nmis = 0;

  exit(exit: VmExit): number {
    this.left -= exit.retired;
    this.exits.push({ ...exit });
    if (!exit.write) exit.value = this.answers.shift() ?? 0;
    this.onExit(exit);
    return this.left;
  }

  get interruptPending(): boolean {
    return this.vectors.length > 0;
  }

  acknowledgeInterrupt(): number {
    return this.vectors.shift()!;
  }

  acknowledgeNmi(): void {
    this.nmis++;
  }

  timestamp(retired: number): number {
    return retired;
  }

  passthroughPort(): void {
    this.passedThrough++;
  }
}

/** A CPU, its memory and its host. */
export class CpuBench {
  readonly cpu: Cpu;
  readonly ram: Uint8Array;
  readonly view: DataView;
  readonly host: ExitLog = new ExitLog();

  /** @param ramBytes a multiple of 64 KiB; frames in `hole` have no memory */
  constructor(
    ramBytes: number = 0x20000,
    hole: readonly number[] = [],
    options: CpuOptions = {},
  ) {
    this.cpu = new Cpu(ramBytes, options);
    this.ram = new Uint8Array(this.cpu.ram.buffer, this.cpu.ram.base, ramBytes);
    this.view = new DataView(this.cpu.ram.buffer, this.cpu.ram.base, ramBytes);
    const frames = ramBytes >> 12;
    this.cpu.connect(
      this.host,
      plainFrames((gfn) => gfn < frames && !hole.includes(gfn) ? RAM_BASE + gfn * 4096 : -1),
    );
  }

  /** Fresh registers, all RAM zero but for the code (hexadecimal) at `eip`. */
  load(mode: "real16" | "protected32", eip: number, code: string): void {
    this.ram.fill(0);
    this.ram.set(unhex(code.replaceAll(/\s/g, "")), eip);
    this.cpu.invalidateCode(this.cpu.ram.base, this.ram.length);
    this.cpu.halted = this.cpu.shutdown = this.cpu.shadow = false;
    this.cpu.state.set(AT.CR + 12, 0);
    this.cpu.state.set(AT.CR + 16, 0);
    this.cpu.reset({ mode, eip, regs: [0, 0, 0, 0, 0x8000, 0, 0, 0] });
    this.host.exits.length = 0;
    this.host.passedThrough = 0;
  }

  /** Runs `budget` instructions; returns how many have retired. */
  run(budget: number): number {
    this.host.left = budget;
    this.cpu.run(budget);
    return budget - (this.host.left -= this.cpu.takeRetired());
  }

  /** Everything that a guest can observe of itself, as text. */
  snapshot(): string {
    const { state } = this.cpu;
    const memory = new Uint32Array(this.cpu.ram.buffer, this.cpu.ram.base, this.ram.length >> 2);
    let sum = 0;
    for (let word = 0; word < memory.length; word++) sum = (Math.imul(sum, 31) + memory[word]!) | 0;
    const regs = [...state.regs, state.eip, state.eflags].map((r) => r.toString(16));
    return `${regs.join(" ")} ${sum} ${this.cpu.halted}`;
  }
}

/** An exception, before its delivery. */
export interface Raised {
  readonly vector: number;
  readonly code: number;
  /** Return address. */
  readonly eip: number;
}

/** Runs up to the first exception, which is not delivered; `undefined` when there is none. */
export function firstException(bench: CpuBench, budget: number): Raised | undefined {
  const { cpu } = bench;
  let seen: Raised | undefined;
  cpu.onException = (vector, code) => {
    seen = { vector, code, eip: cpu.state.eip };
    throw new RangeError("stop");
  };
  try {
    bench.run(budget);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return seen;
}
