/**
 * One program in several tiers at once, cut into the same slices; and what they disagree about.
 * @module
 */

import { hex } from "../../core/bits.ts";
import { Cpu } from "../../core/cpu/cpu.ts";
import { codeFrom, disassemble } from "../../core/cpu/disasm.ts";
import { AT, CS, MODE, RAM_BASE, SEG } from "../../core/cpu/state.ts";
import { EXIT, type VcpuHost, type VmExit } from "../../core/types.ts";
import { Rng } from "../fuzz/rng.ts";
import type { Program } from "./program.ts";
import { enterWorld, HOLE, RAM_BYTES } from "./program_world.ts";
import { plainFrames } from "./frames.ts";

const REGISTERS = "eax ecx edx ebx esp ebp esi edi".split(" ");
const SEGMENTS = "es cs ss ds fs gs".split(" ");
/** Exits that are kept for the reader. */
const KEPT = 4;

/** A host that answers by chance, the same chance for the same exits, and interrupts. */
class ChanceHost implements VcpuHost {
  #rng: Rng = new Rng(0);
  /** What the exits have in common with another host's. */
  sum = 0;
  count = 0;
  retired = 0;
  left = 0;
  /** Interrupts and ends slices at exits. */
  meddles = false;
  readonly last: string[] = [];
  /** Of the CPU, during an access that is no exit. */
  takeRetired: () => number = () => 0;
  #vector = 0;

  begin(seed: number, meddles: boolean): void {
    this.#rng = new Rng(seed ^ 0x5a5a5a5a);
    this.sum =
      this.count =
      this.retired =
      this.left =
      this.#vector =
        0;
    this.meddles = meddles;
    this.last.length = 0;
  }

  exit(exit: VmExit): number {
    this.#note(exit);
    if (!exit.write) exit.value = this.#rng.next();
    if (this.meddles && this.#rng.chance(15)) this.interrupt();
    // In the middle of a block nothing is delivered before the slice's end.
    if (this.interruptPending && exit.reason === EXIT.EPT_VIOLATION) this.left = 0;
    else if (this.meddles && this.#rng.chance(5)) {
      this.left = Math.min(this.left, this.#rng.below(9));
    }
    return this.left;
  }

  /** Other exits than these leave the datum's fields as they were. */
  #note(exit: VmExit): void {
    const { reason, rip, port, gpa } = exit;
    if (reason === EXIT.IO_INSTRUCTION) this.#noteDatum(exit, [reason, rip, port]);
    else if (reason === EXIT.EPT_VIOLATION) this.#noteDatum(exit, [reason, rip, gpa]);
    else this.#noteParts(exit, [reason, rip]);
  }

  #noteDatum(exit: VmExit, parts: readonly number[]): void {
    const { write, size, string, count, gpa, value } = exit;
    const datum = string ? gpa : write ? value : 0;
    this.#noteParts(exit, [...parts, write ? 1 : 0, size, count, datum]);
  }

  #noteParts({ retired }: VmExit, datum: readonly number[]): void {
    this.left -= retired;
    this.retired += retired;
    const parts = [...datum, this.retired];
    for (const part of parts) this.sum = (Math.imul(this.sum, 31) + part) | 0;
    this.count++;
    this.last.push(parts.map((part) => hex(part >>> 0)).join(" "));
    if (this.last.length > KEPT) this.last.shift();
  }

  interrupt(): void {
    this.#vector ||= 0x20 + this.#rng.below(8);
  }

  get interruptPending(): boolean {
    return this.#vector !== 0;
  }

  acknowledgeInterrupt(): number {
    const vector = this.#vector;
    this.#vector = 0;
    return vector;
  }

  acknowledgeNmi(): void {}

  timestamp(retired: number): number {
    return this.retired + retired;
  }

  /** Without a reason and an address. */
  passthroughPort(exit: VmExit): void {
    exit.retired = this.takeRetired();
    this.#noteDatum(exit, [exit.port]);
  }
}

/** A CPU of one tier with its host and memory. */
export class Rig {
  readonly heat: number | undefined;
  readonly cpu: Cpu;
  readonly host: ChanceHost = new ChanceHost();
  readonly #ram: Uint8Array;

  /** @param heat as in `CpuOptions`; `undefined`: the default */
  constructor(heat: number | undefined) {
    this.heat = heat;
    this.cpu = new Cpu(RAM_BYTES, heat === undefined ? {} : { heat });
    this.#ram = new Uint8Array(this.cpu.ram.buffer, this.cpu.ram.base, RAM_BYTES);
    this.host.takeRetired = () => this.cpu.takeRetiredInside();
    this.cpu.connect(
      this.host,
      plainFrames((gfn) =>
        gfn < RAM_BYTES >> 12 && !HOLE.includes(gfn) ? RAM_BASE + gfn * 4096 : -1
      ),
    );
  }

  begin({ seed, world, code, entries }: Program, meddles: boolean): void {
    enterWorld(this.cpu, this.#ram, world, code, entries);
    this.cpu.state.words.fill(0, AT.FPU_REGS >> 2, AT.MXCSR >> 2);
    this.host.begin(seed, meddles);
  }

  /** Runs a slice; one that finds the CPU halted begins with an interrupt. */
  slice(budget: number, interrupted: boolean): void {
    const { cpu, host } = this;
    if (cpu.shutdown) return;
    if (interrupted || cpu.halted) host.interrupt();
    host.left = budget;
    cpu.run(budget);
    const retired = cpu.takeRetired();
    host.left -= retired;
    host.retired += retired;
  }

  /** All that is compared after a slice, by name. */
  look(): Record<string, number> {
    const { host, cpu } = this;
    const { state } = cpu;
    const seen: Record<string, number> = {
      retired: host.retired,
      left: host.left,
      eip: state.eip,
      eflags: state.eflags,
    };
    REGISTERS.forEach((name, n) => seen[name] = state.regs[n]!);
    SEGMENTS.forEach((name, n) => {
      seen[name] = state.selector(n);
      seen[`${name} base`] = state.segmentBase(n);
      seen[`${name} limit`] = state.seg(n, SEG.LIMIT);
      seen[`${name} rights`] = state.seg(n, SEG.RIGHTS);
    });
    for (const n of [0, 2, 3, 4]) seen[`cr${n}`] = state.cr[n]!;
    seen["cpl"] = state.cpl;
    seen["mode"] = state.get(AT.MODE) & ((1 << MODE.CS_SHIFT) - 1);
    seen["fpu"] = sumOf(state.words.subarray(AT.FPU_REGS >> 2, AT.MXCSR >> 2));
    seen["exits"] = host.count;
    seen["exit sum"] = host.sum;
    seen["waits"] = Number(cpu.halted) | Number(cpu.shutdown) << 1 | Number(cpu.shadow) << 2;
    return seen;
  }

  /** A number that is different when any byte of RAM is. */
  hash(): number {
    return sumOf(new Int32Array(this.cpu.ram.buffer, this.cpu.ram.base, RAM_BYTES >> 2));
  }

  /** The first byte of RAM that is different from another's. */
  differsAt(other: Rig): number {
    return this.#ram.findIndex((byte, n) => byte !== other.#ram[n]);
  }

  /** Code around EIP. */
  listing(): string[] {
    const { state } = this.cpu;
    const code = codeFrom((eip) => {
      const gpa = state.linearToGpa((state.segmentBase(CS) + eip) >>> 0);
      return gpa === undefined ? undefined : this.#ram[gpa];
    });
    const lines: string[] = [];
    let eip = state.eip;
    for (let n = 0; n < 6; n++) {
      const insn = disassemble(code, eip, state.get(AT.MODE) & MODE.CODE32);
      if (!insn) break;
      lines.push(`${hex(eip)}  ${insn.text}`);
      eip += insn.length;
    }
    return lines;
  }
}

function sumOf(words: Int32Array): number {
  let sum = 0;
  for (let n = 0; n < words.length; n++) sum = (Math.imul(sum, 31) + words[n]!) | 0;
  return sum;
}

/** How a program is run. */
export interface Plan {
  /** Instructions of each slice. */
  readonly slices: readonly number[];
  /** The host interrupts and ends slices early. */
  readonly meddles: boolean;
}

/** Slices of a seed. Their lengths are small, middling or large, and mixed. */
export function makePlan(seed: number): Plan {
  const rng = new Rng(seed + 0x1000000);
  const longest = rng.pick([3, 30, 400, 5000]);
  const count = rng.pick([5, 12]);
  const slices = Array.from({ length: count }, () => 1 + rng.below(longest));
  slices.unshift(1 + rng.below(5000));
  return { slices, meddles: rng.chance(60) };
}

/**
 * Runs a program in all rigs, slice by slice.
 * @returns lines that say what the first disagreement is
 */
export function compareTiers(
  rigs: readonly Rig[],
  program: Program,
  { slices, meddles }: Plan,
): string[] | undefined {
  for (const rig of rigs) rig.begin(program, meddles);
  const rng = new Rng(program.seed + 0x2000000);
  for (const [n, budget] of slices.entries()) {
    const interrupted = meddles && rng.chance(30);
    const before = rigs[0]!.look();
    for (const rig of rigs) rig.slice(budget, interrupted);
    const found = disagreement(rigs, before);
    if (found) return [`seed ${program.seed} (${program.world.name}), slice ${n}`, ...found];
  }
  const found = different(rigs);
  return found && [`seed ${program.seed} (${program.world.name}), at the end`, ...found];
}

/** Where the memory of the first rig and of one that disagrees is not the same. */
function different(rigs: readonly Rig[]): string[] | undefined {
  const hashes = rigs.map((rig) => rig.hash());
  const odd = hashes.findIndex((hash) => hash !== hashes[0]);
  if (odd < 0) return undefined;
  const at = rigs[0]!.differsAt(rigs[odd]!);
  return [`heat ${rigs[odd]!.heat ?? "default"}: RAM differs at ${hex(at)}`];
}

/**
 * Runs a program in one go in the first rig, and in many short slices in the others.
 * @returns as {@link compareTiers}
 */
export function compareCuts(
  [first, ...others]: readonly Rig[],
  program: Program,
  budget: number,
): string[] | undefined {
  first!.begin(program, false);
  const before = first!.look();
  first!.slice(budget, false);
  for (const rig of others) {
    const rng = new Rng(program.seed + 0x3000000);
    const longest = rng.pick([3, 40, 400]);
    rig.begin(program, false);
    // A slice after HLT would begin with an interrupt, which the first one cannot have.
    for (let left = budget; left > 0 && !rig.cpu.halted;) {
      const slice = Math.min(left, 1 + rng.below(longest));
      rig.slice(slice, false);
      left -= slice;
    }
  }
  const rigs = [first!, ...others];
  // What a slice had left when the CPU shut down is not the guest's.
  const found = disagreement(rigs, before, ["left"]) ?? different(rigs);
  return found && [`seed ${program.seed} (${program.world.name}), cut`, ...found];
}

/** What the first rig that disagrees with the first one sees. */
function disagreement(
  [first, ...others]: readonly Rig[],
  before: Record<string, number>,
  ignored: readonly string[] = [],
): string[] | undefined {
  const wanted = first!.look();
  for (const rig of others) {
    const seen = rig.look();
    const names = Object.keys(wanted).filter((name) =>
      wanted[name] !== seen[name] && !ignored.includes(name)
    );
    if (names.length === 0) continue;
    const show = (name: string): string =>
      `${name}: ${hex(wanted[name]! >>> 0)}, not ${hex(seen[name]! >>> 0)}`;
    return [
      `heat ${rig.heat ?? "default"} against ${first!.heat}`,
      ...names.map(show),
      `before: ${
        Object.entries(before).slice(0, 12).map(([n, v]) => `${n} ${hex(v >>> 0)}`).join(" ")
      }`,
      `exits: ${first!.host.last.join(" | ")}`,
      `   not ${rig.host.last.join(" | ")}`,
      ...first!.listing(),
      "not",
      ...rig.listing(),
    ];
  }
  return undefined;
}
