/**
 * Runs the native cases: single instructions as a real CPU executed them at ring 3, and, where a case
 * says so, the same in real mode.
 * @module
 */

import type { Cpu } from "../../core/cpu/cpu.ts";
import { readDescriptor } from "../../core/cpu/descriptor.ts";
import { setSegment, updateMode } from "../../core/cpu/segment.ts";
import { AT, CR0, FLAG, LDTR, NULL_ATTR, SEG, TR } from "../../core/cpu/state.ts";
import { bareCpu, type Tier, TwinMemory, unhex } from "./oracle.ts";
import { type FpuCase, fpuDifferences, loadFpu } from "./oracle_fpu.ts";

/** One native case; the keys are explained in ../shared/oracles/README.md. */
export interface NativeCase extends FpuCase {
  readonly k: string;
  readonly c: string;
  readonly b: string;
  readonly i: readonly number[];
  readonly ram: readonly [number, string][];
  readonly f: Readonly<Record<string, number>>;
  readonly w?: readonly [number, string][];
  readonly x?: readonly number[];
  readonly u?: number;
  readonly ur?: readonly [string, number][];
  readonly uw?: readonly [number, number][];
  readonly r?: 1;
}

/** CR4.OSFXSR and OSXMMEXCPT. */
const SSE_ON = 0x600;

const REGISTERS = "eax ecx edx ebx esp ebp esi edi eip eflags es cs ss ds fs gs".split(" ");

const RAM_BYTES = 0x40000;
/** Guest-physical page of the tables; linear addresses of the tables that only ring 0 may touch. */
const TABLES = 0x10000, SYSTEM = 0xfff00000;
const DIRECTORY = TABLES, LOW_TABLE = TABLES + 0x1000, HIGH_TABLE = TABLES + 0x2000;
const GDT = 0x3000, LDT = 0x4000, IDT = 0x5000, TSS = 0x6000, STACK = 0x7000;

const BACKGROUND = Uint8Array.from(
  { length: 65536 },
  (_, at) => at >= 0xc000 && at < 0xe000 ? 0xcc : (at * 7 + (at >> 8) * 13 + 5) & 255,
);

class Stop {}

/** A CPU set up as the native cases ask for. */
export class NativeMachine {
  readonly #cpu: Cpu;
  readonly #memory: TwinMemory;
  #exception: number[] | undefined;

  /** @param ldt raw descriptors, as in `index.json` */
  constructor(ldt: Uint8Array, tier: Tier) {
    const { cpu, ram } = bareCpu(RAM_BYTES, tier, "pentium4");
    this.#cpu = cpu;
    this.#memory = new TwinMemory(ram.subarray(0, 65536), BACKGROUND);
    this.#buildTables(ram, ldt);
    cpu.reset({ mode: "protected32", eip: 0, regs: [0, 0, 0, 0, 0, 0, 0, 0] });
    cpu.onException = (vector, code) => {
      this.#exception = vector === 14 ? [vector, code, cpu.state.cr[2]!] : [vector, code];
      throw new Stop();
    };
  }

  #buildTables(ram: Uint8Array, ldt: Uint8Array): void {
    const view = new DataView(ram.buffer, ram.byteOffset, ram.length);
    view.setUint32(DIRECTORY, LOW_TABLE | 7, true);
    view.setUint32(DIRECTORY + (SYSTEM >>> 22) * 4, HIGH_TABLE | 3, true);
    for (let page = 0; page < 16; page++) {
      const rights = page === 10 ? 0 : page === 11 ? 0x65 : 0x67;
      view.setUint32(LOW_TABLE + page * 4, page << 12 | rights, true);
    }
    for (let page = 0; page < 16; page++) {
      const at = HIGH_TABLE + ((SYSTEM >>> 12 & 0x3ff) + page) * 4;
      view.setUint32(at, (TABLES + page * 4096) | 0x63, true);
    }
    // Ring-0 code and stack for the two gates that ring 3 may use.
    view.setBigUint64(TABLES + GDT + 8, 0x00cf9b000000ffffn, true);
    view.setBigUint64(TABLES + GDT + 16, 0x00cf93000000ffffn, true);
    for (const vector of [3, 4]) {
      view.setUint32(TABLES + IDT + vector * 8, 0x00080000, true);
      view.setUint32(TABLES + IDT + vector * 8 + 4, 0xfff0ee00, true);
    }
    view.setUint32(TABLES + TSS + 4, SYSTEM + STACK + 0x1000, true);
    view.setUint32(TABLES + TSS + 8, 16, true);
    view.setUint16(TABLES + TSS + 102, 0x68, true);
    ram.set(ldt, TABLES + LDT);
    // The index sets AVL; the CPU that ran the cases had it clear.
    for (let entry = 0; entry < ldt.length; entry += 8) ram[TABLES + LDT + entry + 6]! &= 0xef;
  }

  /** Executes a case, in real mode too where it says so; returns what differs. */
  run(c: NativeCase): string[] {
    const found = this.#runIn(c, false);
    if (c.r) found.push(...this.#runIn(c, true).map((text) => `real mode: ${text}`));
    return found;
  }

  /** @param real in real mode, with all segment registers 0 */
  #runIn(c: NativeCase, real: boolean): string[] {
    const { state } = this.#cpu;
    this.#exception = undefined;
    this.#begin(c);
    if (real) this.#enterReal();
    else this.#enterProtected(c);
    c.i.slice(0, 8).forEach((value, n) => state.regs[n] = value);
    state.eip = c.i[8]!;
    loadFpu(state, c.fi);
    this.#execute(c, real);
    return this.#compare(c, real);
  }

  #begin(c: NativeCase): void {
    const code = (c.i[11] === 0x6f ? 0x100 : 0) + c.i[8]!;
    this.#memory.begin([
      ...c.ram.map(([at, hex]) => [at, unhex(hex)] as const),
      [code, unhex(c.b).subarray(0, 65536 - code)],
    ]);
    this.#cpu.forgetCode();
    this.#cpu.halted = this.#cpu.shutdown = this.#cpu.shadow = false;
  }

  #enterReal(): void {
    const { state } = this.#cpu;
    state.set(AT.CR, CR0.ET | CR0.NE);
    state.set(AT.CPL, 0);
    state.set(AT.IDT_BASE, 0);
    state.set(AT.IDT_LIMIT, 0x3ff);
    for (let segment = 0; segment < 6; segment++) {
      const attr = segment === 1 ? 0x9b : 0x93;
      setSegment(this.#cpu, segment, { selector: 0, base: 0, limit: 0xffff, attr, at: 0 });
    }
    this.#cpu.flushTlb();
  }

  #enterProtected(c: NativeCase): void {
    const { state } = this.#cpu;
    state.set(AT.CR, CR0.PE | CR0.PG | CR0.NE | CR0.ET | CR0.AM | CR0.WP);
    state.set(AT.CR + 8, 0);
    state.set(AT.CR + 12, DIRECTORY);
    state.set(AT.CR + 16, SSE_ON);
    state.set(AT.GDT_BASE, SYSTEM + GDT);
    state.set(AT.GDT_LIMIT, 127);
    state.set(AT.IDT_BASE, SYSTEM + IDT);
    state.set(AT.IDT_LIMIT, 0x7ff);
    this.#system(LDTR, 0x88, LDT, 21 * 8 - 1, 0x82);
    this.#system(TR, 0x80, TSS, 0x67, 0x8b);
    this.#cpu.flushTlb();
    state.eflags = c.i[9]!;
    state.set(AT.CPL, 3);
    for (let segment = 0; segment < 6; segment++) {
      const selector = c.i[10 + segment]!;
      const none = { selector, base: 0, limit: 0, attr: NULL_ATTR, at: 0 };
      const found = selector & 0xfffc ? readDescriptor(this.#cpu, selector, 13) : none;
      setSegment(this.#cpu, segment, found);
    }
    updateMode(this.#cpu);
  }

  #system(segment: number, selector: number, base: number, limit: number, attr: number): void {
    const { state } = this.#cpu;
    state.setSeg(segment, SEG.SELECTOR, selector);
    state.setSeg(segment, SEG.BASE, SYSTEM + base);
    state.setSeg(segment, SEG.LIMIT, limit);
    state.setSeg(segment, SEG.ATTR, attr);
  }

  /** One instruction, with all its repetitions. */
  #execute(c: NativeCase, real: boolean): void {
    const { state } = this.#cpu;
    state.eflags = c.i[9]!;
    const repeated = /^(26|2e|36|3e|64|65|66|67)*(f2|f3)/.test(c.b);
    try {
      if (repeated) this.#cpu.step();
      else this.#cpu.run(1);
      // A jump into code goes on to the breakpoint behind the instruction, or to a fault.
      const end = c.f.eip ?? c.i[8]!;
      for (
        let more = 0;
        more < 64 && !real && state.cpl === 3 && (c.x || state.eip !== end);
        more++
      ) {
        this.#cpu.run(1);
      }
    } catch (error) {
      if (!(error instanceof Stop)) throw error;
    }
  }

  #compare(c: NativeCase, real: boolean): string[] {
    const { state } = this.#cpu;
    if (!real && state.cpl === 0) this.#takeFrame();
    const got = [...state.regs, state.eip, state.eflags];
    for (let segment = 0; segment < 6; segment++) got.push(state.selector(segment));
    const differences: string[] = [];
    const undefinedBits = new Map(c.ur ?? []);
    for (let n = 0; n < (real ? 10 : 16); n++) {
      const name = REGISTERS[n]!;
      const want = c.f[name] ?? c.i[n]!;
      let ignore = undefinedBits.get(name) ?? 0;
      if (n === 9) ignore = (c.u ?? 0) | FLAG.RF | (real ? FLAG.IF | FLAG.IOPL : 0);
      if (((got[n]! ^ want) & ~ignore) !== 0) {
        differences.push(`${name} ${(got[n]! >>> 0).toString(16)} not ${want.toString(16)}`);
      }
    }
    for (const [at, hex] of c.w ?? []) this.#memory.expect(at, unhex(hex));
    for (const [at, length] of c.uw ?? []) this.#memory.ignore(at, length);
    const parts = (x: readonly number[] | undefined): string =>
      x === undefined ? "none" : real ? String(x[0]) : x.join(",");
    if (parts(this.#exception) !== parts(c.x)) {
      differences.push(`exception ${parts(this.#exception)} not ${parts(c.x)}`);
    }
    differences.push(...fpuDifferences(state, c), ...this.#memory.differences().slice(0, 8));
    return differences;
  }

  /** An event has gone through a gate: the interrupted state is on the inner stack. */
  #takeFrame(): void {
    const { state } = this.#cpu;
    const word = (n: number): number => this.#cpu.mmu.systemRead(state.regs[4]! + 4 * n, 4);
    const [eip, cs, eflags, esp, ss] = [word(0), word(1), word(2), word(3), word(4)];
    this.#exception = [(state.eip - 0xfff00000) >>> 0 === 0 ? 4 : 3, 0];
    state.eip = eip!;
    state.eflags = eflags!;
    state.regs[4] = esp!;
    state.setSeg(1, SEG.SELECTOR, cs!);
    state.setSeg(2, SEG.SELECTOR, ss!);
  }
}
