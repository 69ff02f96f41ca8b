/**
 * A CPU in a random world, its memory between canaries, and a host that answers everything and keeps
 * the books.
 * @module
 */

import { Cpu } from "../../../core/cpu/cpu.ts";
import { AT, CS, FLAG, RAM_BASE, SEG, TLB } from "../../../core/cpu/state.ts";
import { EXIT, type VcpuHost, type VmExit } from "../../../core/types.ts";
import { loadState } from "../../helpers/cpu_state.ts";
import { cpuOptions, type Tier } from "../../helpers/oracle.ts";
import { loadFpu } from "../../helpers/oracle_fpu.ts";
import { PREFIXES, STRINGS } from "./code.ts";
import { HOLES, RAM_BYTES } from "./layout.ts";
import type { World } from "./world.ts";
import { plainFrames } from "../../helpers/frames.ts";

const PAGE = 4096, CANARY = 0xa5;
const FRAMES = RAM_BYTES / PAGE;
/** Memory in front of the guest's first byte and behind its last one. */
const MARGIN = 0x8000;

/** Words of the state that say how far the host has got, not where the guest is. */
const INTERNAL: readonly number[] = [
  ...[AT.CA, AT.CB, AT.FR, AT.FO, AT.FX, AT.BUDGET, AT.RECORD, AT.MODE, AT.BANK, AT.LINK],
  ...[AT.TSC_KNOWN, AT.TSC_END, AT.TSC_END + 4],
  ...[AT.HOT, ...Array.from({ length: 4 }, (_, n) => AT.FPU_TEMP + n * 4)],
  ...[...Array.from({ length: 8 }, (_, n) => AT.SEGS + n * SEG.STRIDE + SEG.SPAN)],
];
/** State that a guest can see ends here. */
const VISIBLE_END: number = AT.SIMD_SOURCE;

/** A number that looks random and is the same for the same question. */
function answer(question: number): number {
  return Math.imul(question ^ question >>> 15, 0x2c1b3c6d) >>> 3;
}

class FuzzHost implements VcpuHost {
  vectors: number[] = [];
  /** Instructions that the CPU may still retire, and those it has. */
  left = 0;
  retired = 0;
  /** Order and contents of all accesses and other exits, in one number. */
  trace = 0;
  exits = 0;
  /** Told of memory that the host has written. */
  onWrote: (gpa: number, length: number) => void = () => {};
  readonly #ram: Uint8Array;

  constructor(ram: Uint8Array) {
    this.#ram = ram;
  }

  begin(vectors: readonly number[]): void {
    this.vectors = [...vectors];
    this.retired = this.trace = this.exits = 0;
  }

  book(retired: number): void {
    if (!(retired >= 0)) throw new Error(`books: ${retired} instructions have retired`);
    this.left -= retired;
    this.retired += retired;
  }

  exit(exit: VmExit): number {
    this.book(exit.retired);
    this.exits++;
    if (exit.reason === EXIT.IO_INSTRUCTION) this.#io(exit);
    else if (exit.reason === EXIT.EPT_VIOLATION) this.#mmio(exit);
    else if (exit.reason === EXIT.MSR_READ || exit.reason === EXIT.MSR_WRITE) {
      exit.value = exit.port & 1;
    } else this.#note(exit.reason, exit.rip);
    return this.left;
  }

  passthroughPort(exit: VmExit): void {
    this.#datum(exit, exit.port);
  }

  #note(...values: readonly number[]): void {
    for (const value of values) this.trace = Math.imul(this.trace ^ value, 0x01000193);
  }

  #datum(exit: VmExit, where: number): void {
    this.#note(where, exit.size, exit.write ? exit.value : -1);
    if (!exit.write) exit.value = answer(where) & (exit.size === 4 ? -1 : (1 << exit.size * 8) - 1);
  }

  /** One access, or a run of equal stores. */
  #mmio(exit: VmExit): void {
    for (let item = 0; item < exit.count; item++) this.#datum(exit, exit.gpa + item * exit.size);
  }

  #io(exit: VmExit): void {
    if (!exit.string) return this.#datum(exit, exit.port);
    const { gpa, count, size } = exit;
    const end = gpa + count * size;
    const inside = gpa >= 0 && end <= RAM_BYTES &&
      !HOLES.includes(gpa >>> 12) && (end - 1) >>> 12 === gpa >>> 12;
    if (!inside) throw new Error(`string I/O at ${gpa.toString(16)}, ${count} items of ${size}`);
    // Where a run of items is cut depends on the budget.
    for (let item = 0; item < count; item++) {
      this.#note(exit.port, gpa + (exit.descending ? count - 1 - item : item) * size);
    }
    if (exit.write) return;
    this.#ram.fill(answer(exit.port), gpa, end);
    this.onWrote(gpa, end - gpa);
  }

  get interruptPending(): boolean {
    return this.vectors.length > 0;
  }

  acknowledgeInterrupt(): number {
    return this.vectors.shift()!;
  }

  acknowledgeNmi(): void {}

  timestamp(retired: number): number {
    return this.retired + retired;
  }
}

/** One CPU of a tier. */
export class FuzzMachine {
  readonly ram: Uint8Array;
  readonly #cpu: Cpu;
  readonly #host: FuzzHost;
  /** Memory that the guest does not have. */
  readonly #canaries: readonly Uint32Array[];

  constructor(tier: Tier) {
    this.#cpu = new Cpu(RAM_BYTES + 2 * MARGIN, cpuOptions(tier, "pentium4"));
    const { buffer } = this.#cpu.ram;
    const base = RAM_BASE + MARGIN;
    this.ram = new Uint8Array(buffer, base, RAM_BYTES);
    this.#host = new FuzzHost(this.ram);
    this.#cpu.connect(
      this.#host,
      plainFrames((gfn) => gfn < FRAMES && !HOLES.includes(gfn) ? base + gfn * PAGE : -1),
    );
    this.#host.onWrote = (gpa, length) => this.#cpu.invalidateCode(base + gpa, length);
    const guarded = [base - PAGE, base + RAM_BYTES, ...HOLES.map((gfn) => base + gfn * PAGE)];
    this.#canaries = guarded.map((at) => new Uint32Array(buffer, at, PAGE / 4));
  }

  /** Enters a world whose memory is in {@link ram}. */
  enter(world: World): void {
    const cpu = this.#cpu;
    cpu.forgetCode();
    this.#host.begin(world.vectors);
    loadState(cpu, this.ram, world.state, world.cpl);
    loadFpu(cpu.state, world.fpu);
    for (const canary of this.#canaries) canary.fill(CANARY * 0x01010101);
  }

  /**
   * Runs up to `budget` instructions.
   * @throws {Error} when the books do not close
   */
  run(budget: number): void {
    const host = this.#host, cpu = this.#cpu;
    host.left = budget;
    cpu.run(budget);
    host.book(cpu.takeRetired());
    const early = cpu.halted || cpu.shutdown;
    if (host.left < 0 || (host.left > 0 && !early)) {
      throw new Error(`books: of ${budget} instructions ${host.left} are left`);
    }
  }

  get retired(): number {
    return this.#host.retired;
  }

  get exits(): number {
    return this.#host.exits;
  }

  get stopped(): boolean {
    return this.#cpu.halted || this.#cpu.shutdown;
  }

  /** What came of the run, by name. */
  get fate(): string {
    if (this.#cpu.shutdown) return "ended by triple fault";
    return this.#cpu.halted ? "ended by HLT" : "ended by the budget";
  }

  /**
   * The next instruction is a repeated one, perhaps in its middle. A run that is cut there may see
   * other flags (a fault leaves those that it began with) and other code (it is fetched again).
   */
  get atRepetition(): boolean {
    const { state } = this.#cpu;
    // Between two repetitions RF is set, even if they have changed their own instruction.
    if (state.flag(FLAG.RF)) return true;
    let repeated = false;
    for (let n = 0; n < 15; n++) {
      const gpa = state.linearToGpa((state.segmentBase(CS) + state.eip + n) >>> 0) ?? -1;
      const byte = this.ram[gpa] ?? 0;
      if (STRINGS.includes(byte)) return repeated;
      if (!PREFIXES.includes(byte)) return false;
      if (byte === 0xf2 || byte === 0xf3) repeated = true;
    }
    return false;
  }

  /** What lies outside the guest's memory and has changed. */
  damage(): string | undefined {
    const guard = (CANARY * 0x01010101) >>> 0;
    for (const canary of this.#canaries) {
      const at = canary.findIndex((word) => word !== guard);
      if (at >= 0) return `memory at ${(canary.byteOffset + at * 4).toString(16)} has changed`;
    }
    const { words } = this.#cpu.state;
    const strict = words.subarray(TLB.STRICT >> 2, (TLB.STRICT + TLB.BANK_BYTES) >> 2);
    return strict.every((tag) => tag === 1) ? undefined : "the bank without entries has one";
  }

  /** All that the guest, or a snapshot, can see of the CPU. Memory is in {@link ram}. */
  visible(): number[] {
    const { state, halted, shutdown, shadow } = this.#cpu;
    const words = [...state.words.subarray(0, VISIBLE_END >> 2)];
    for (const at of INTERNAL) words[at >> 2] = 0;
    const { retired, trace } = this.#host;
    return [...words, state.eflags, ...[halted, shutdown, shadow].map(Number), retired, trace];
  }

  /** The registers, for the reader. */
  registers(): string {
    const { state } = this.#cpu;
    const text = (value: number): string => (value >>> 0).toString(16);
    const segments = Array.from({ length: 6 }, (_, n) => text(state.selector(n))).join(" ");
    return `${[...state.regs].map(text).join(" ")} eip ${text(state.eip)} ` +
      `eflags ${text(state.eflags)} segments ${segments} cpl ${state.cpl}`;
  }
}
