/**
 * Runs the system cases: one instruction from a given system state, exceptions and interrupts
 * delivered. Format: ../shared/oracles/system/README.md.
 * @module
 */

import type { Cpu } from "../../core/cpu/cpu.ts";
import { FEATURE, profileFeatures } from "../../core/cpu/cpuid.ts";
import { isArmed } from "../../core/cpu/debug.ts";
import { AT, FLAG, LDTR, NULL_ATTR, SEG, TR } from "../../core/cpu/state.ts";
import {
  DEBUG,
  debugRegister,
  loadState,
  NO_SYSENTER,
  type Segment,
  type SystemState,
} from "./cpu_state.ts";
import { bareCpu, type QuietHost, type Tier, TwinMemory, unhex } from "./oracle.ts";

interface Changes extends Partial<Omit<SystemState, "r" | "s">> {
  readonly sh?: number;
  readonly r?: Readonly<Record<string, number>>;
  readonly s?: Readonly<Record<string, Segment>>;
}

/** One system case; the keys are explained in the README of the cases. */
export interface SystemCase {
  readonly id: number;
  readonly m: string;
  readonly cpl: number;
  readonly b: string;
  readonly len: number;
  readonly st: "ok" | "exc" | "int" | "halt" | "shutdown";
  readonly v: string;
  readonly d?: string;
  readonly x?: readonly [number, number][];
  readonly i: SystemState;
  readonly p: readonly [number, string][];
  readonly o: Changes;
  readonly mem: readonly [number, string][];
  readonly um?: number;
  readonly uma?: number;
  readonly ud?: 1;
  readonly rm?: number;
  readonly lar?: number;
  readonly am?: readonly number[];
  readonly io?: readonly [number, number, number, number][];
}

const RAM_BYTES = 0x40000;

/** The cases' processor: a Pentium III with all that a real one has, and with NX where a case says so. */
const FEATURES = profileFeatures("pentium3") | FEATURE.VME | FEATURE.MCE | FEATURE.PSE36 |
  FEATURE.NX;

/** A case lists no more exceptions than these: a triple fault may have raised five. */
const MAX_RAISED = 4;

/** A CPU set up as the system cases ask for. */
export class SystemMachine {
  readonly #cpu: Cpu;
  readonly #host: QuietHost;
  readonly #memory: TwinMemory;
  readonly #raised: [number, number][] = [];

  /** @param image the memory that all cases share */
  constructor(image: Uint8Array, tier: Tier) {
    const { cpu, ram, host } = bareCpu(RAM_BYTES, tier, "pentium3", FEATURES);
    this.#cpu = cpu;
    this.#host = host;
    this.#memory = new TwinMemory(ram, image);
    cpu.onException = (vector, code) => this.#raised.push([vector, code]);
  }

  /** Executes a case; returns what differs. */
  run(c: SystemCase): string[] {
    this.#begin(c);
    if (isRepeated(c)) this.#stepAll(c);
    else this.#cpu.run(1);
    return this.#compare(c);
  }

  #begin(c: SystemCase): void {
    const cpu = this.#cpu;
    this.#memory.begin(c.p.map(([at, hex]) => [at, unhex(hex)] as const));
    cpu.forgetCode();
    this.#raised.length = 0;
    this.#host.answers = (c.io ?? []).filter(([out]) => !out).map((access) => access[3]);
    this.#host.written.length = 0;
    loadState(cpu, this.#memory.bytes, c.i, c.cpl);
  }

  /** A repeated instruction runs to its end, or one repetition with TF set. */
  #stepAll(c: SystemCase): void {
    const { state } = this.#cpu;
    if (c.i.fl & FLAG.TF) return this.#cpu.run(1);
    const [base, eip] = [state.segmentBase(1), state.eip];
    do {
      if (isArmed(state)) this.#cpu.run(1);
      else this.#cpu.step();
    } while (
      state.eip === eip && state.segmentBase(1) === base && this.#raised.length === 0 &&
      !this.#cpu.shutdown
    );
  }

  #compare(c: SystemCase): string[] {
    const { state } = this.#cpu;
    const differences: string[] = [];
    const check = (name: string, got: number, want: number, mask = -1): void => {
      if (((got ^ want) & mask) === 0) return;
      differences.push(`${name} ${(got >>> 0).toString(16)} not ${(want >>> 0).toString(16)}`);
    };
    const { o, i } = c;
    for (let n = 0; n < 8; n++) {
      const mask = c.lar === n ? ~0xf0000 : c.rm ?? -1;
      if (!(c.ud && state.regs[n] === i.r[n])) {
        check(`r${n}`, state.regs[n]!, o.r?.[n] ?? i.r[n]!, mask);
      }
    }
    check("eip", state.eip, o.ip ?? i.ip);
    const down = c.st === "shutdown";
    // The executor clears IF when it shuts down.
    const ignored = (c.um ?? 0) | FLAG.RF | (down ? FLAG.IF : 0);
    check("eflags", state.eflags, o.fl ?? i.fl, ~ignored);
    const crs = o.cr ?? i.cr;
    [0, 2, 3, 4].forEach((cr, n) => check(`cr${cr}`, state.cr[cr]!, crs[n]!));
    check("gdt", state.get(AT.GDT_BASE), (o.gdt ?? i.gdt)[0]);
    check("gdt limit", state.get(AT.GDT_LIMIT), (o.gdt ?? i.gdt)[1]);
    check("idt", state.get(AT.IDT_BASE), (o.idt ?? i.idt)[0]);
    check("idt limit", state.get(AT.IDT_LIMIT), (o.idt ?? i.idt)[1]);
    const real = (crs[0]! & 1) === 0;
    for (let n = 0; n < 6; n++) this.#compareSegment(n, o.s?.[n] ?? i.s[n]!, real, check);
    this.#compareSegment(LDTR, o.ldt ?? i.ldt, false, check);
    this.#compareSegment(TR, o.tr ?? i.tr, false, check);
    check("halted", Number(this.#cpu.halted), Number(c.st === "halt"));
    check("shutdown", Number(this.#cpu.shutdown), Number(down));
    // With TF set the executors were beyond the shadow already.
    if (!(i.fl & FLAG.TF)) check("shadow", Number(this.#cpu.shadow), o.sh ? 1 : 0);
    (o.dr ?? i.dr ?? DEBUG).forEach((want, n) => {
      check(`dr${debugRegister(n)}`, state.get(AT.DR + debugRegister(n) * 4), want);
    });
    (o.se ?? i.se ?? NO_SYSENTER).forEach((want, n) => {
      check(`sysenter ${n}`, state.get(AT.SYSENTER + n * 4), want);
    });
    this.#compareEvents(c, differences);
    return differences;
  }

  #compareSegment(
    n: number,
    [selector, base, limit, attr]: Segment,
    real: boolean,
    check: (name: string, got: number, want: number, mask?: number) => void,
  ): void {
    const { state } = this.#cpu;
    const name = ["es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"][n]!;
    const none = (attr & NULL_ATTR) !== 0;
    check(name, state.selector(n), selector, none ? ~3 : -1);
    if (none) return check(`${name} attr`, state.seg(n, SEG.ATTR), NULL_ATTR);
    check(`${name} base`, state.segmentBase(n), base);
    check(`${name} limit`, state.seg(n, SEG.LIMIT), limit);
    check(`${name} attr`, state.seg(n, SEG.ATTR), attr, real ? ~0x1f : -1);
  }

  #compareEvents(c: SystemCase, differences: string[]): void {
    const memory = this.#memory;
    for (const [at, hex] of c.mem) memory.expect(at, unhex(hex));
    if (c.uma !== undefined) this.#maskFlags(c.uma, c.um ?? 0);
    for (const at of c.am ?? []) {
      const accessed = memory.bytes[at]! & 0x20;
      memory.expect(at, Uint8Array.of((memory.expected(at) & ~0x20) | accessed));
    }
    differences.push(...memory.differences().slice(0, 6));
    const raised = JSON.stringify(this.#raised.slice(0, MAX_RAISED));
    const expected = JSON.stringify(c.x ?? []);
    if (raised !== expected) {
      differences.push(`raised ${raised} not ${expected}`);
    }
    const outs = JSON.stringify(this.#host.written);
    const wanted = JSON.stringify(
      (c.io ?? []).filter(([out]) => out).map(([, , port, value]) => [port, value]),
    );
    if (outs !== wanted) differences.push(`out ${outs} not ${wanted}`);
  }

  /** An image of EFLAGS in memory with undefined bits. */
  #maskFlags(at: number, undefinedBits: number): void {
    const { bytes } = this.#memory;
    for (let n = 0; n < 4; n++) {
      const mask = undefinedBits >>> (n * 8) & 0xff;
      if (mask === 0) continue;
      const kept = this.#memory.expected(at + n) & ~mask;
      this.#memory.expect(at + n, Uint8Array.of(kept | (bytes[at + n]! & mask)));
    }
  }
}

const PREFIXES = /^(26|2e|36|3e|64|65|66|67|f0|f2|f3)*/;

function isRepeated(c: SystemCase): boolean {
  const prefixes = PREFIXES.exec(c.b)![0];
  const opcode = c.b.slice(prefixes.length, prefixes.length + 2);
  return /f2|f3/.test(prefixes) && /6[c-f]|a[4-7a-f]/.test(opcode);
}
