/**
 * Runs the system cases: one instruction from a given system state, exceptions and interrupts
 * delivered. Format: ../shared/oracles/system/README.md.
 * @module
 */

import type { Cpu } from "../../core/cpu/cpu.ts";
import { setSegment, updateMode } from "../../core/cpu/segment.ts";
import { AT, FLAG, LDTR, NULL_ATTR, SEG, TR } from "../../core/cpu/state.ts";
import { GuestPanic } from "../../core/errors.ts";
import {
  bareCpu,
  oraclePath,
  type QuietHost,
  readCases,
  readGzip,
  TwinMemory,
  unhex,
} from "./oracle.ts";

type Segment = readonly [selector: number, base: number, limit: number, attributes: number];

interface SystemState {
  readonly r: readonly number[];
  readonly ip: number;
  readonly fl: number;
  readonly s: readonly Segment[];
  readonly ldt: Segment;
  readonly tr: Segment;
  readonly gdt: readonly [number, number];
  readonly idt: readonly [number, number];
  readonly cr: readonly number[];
  readonly dr?: readonly number[];
}

interface Changes extends Partial<Omit<SystemState, "r" | "s">> {
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

/** What came of a case: differences, or the reason why this CPU does not model it. */
export type Outcome = { readonly differences: readonly string[] } | { readonly omitted: string };

/** A CPU set up as the system cases ask for. */
export class SystemMachine {
  readonly #cpu: Cpu;
  readonly #host: QuietHost;
  readonly #memory: TwinMemory;
  readonly #raised: [number, number][] = [];

  /** @param image the memory that all cases share */
  constructor(image: Uint8Array) {
    const { cpu, ram, host } = bareCpu(RAM_BYTES);
    this.#cpu = cpu;
    this.#host = host;
    this.#memory = new TwinMemory(ram, image);
    cpu.onException = (vector, code) => this.#raised.push([vector, code]);
  }

  run(c: SystemCase): Outcome {
    const omitted = absent(c);
    if (omitted) return { omitted };
    this.#begin(c);
    try {
      if (isRepeated(c)) this.#stepAll(c);
      else this.#cpu.run(1);
    } catch (error) {
      if (!(error instanceof GuestPanic)) throw error;
      return { omitted: error.message };
    }
    return { differences: this.#compare(c) };
  }

  #begin(c: SystemCase): void {
    const cpu = this.#cpu;
    const { state } = cpu;
    this.#memory.begin(c.p.map(([at, hex]) => [at, unhex(hex)] as const));
    cpu.invalidateCode(cpu.ram.base, RAM_BYTES);
    cpu.halted = cpu.shutdown = cpu.shadow = false;
    this.#raised.length = 0;
    this.#host.answers = (c.io ?? []).filter(([out]) => !out).map((access) => access[3]);
    this.#host.written.length = 0;
    [c.i.cr[0]!, 0, ...c.i.cr.slice(1)].forEach((value, n) => state.set(AT.CR + n * 4, value));
    (c.i.dr ?? [0, 0, 0, 0, 0xffff0ff0, 0x400]).forEach((value, n) => {
      state.set(AT.DR + (n < 4 ? n : n + 2) * 4, value);
    });
    state.set(AT.GDT_BASE, c.i.gdt[0]);
    state.set(AT.GDT_LIMIT, c.i.gdt[1]);
    state.set(AT.IDT_BASE, c.i.idt[0]);
    state.set(AT.IDT_LIMIT, c.i.idt[1]);
    state.eflags = c.i.fl;
    state.set(AT.CPL, c.cpl);
    [...c.i.s, c.i.ldt, c.i.tr].forEach(([selector, base, limit, attr], segment) => {
      setSegment(cpu, segment, {
        selector,
        base,
        limit,
        attr: attr & NULL_ATTR ? NULL_ATTR : attr,
        at: 0,
      });
    });
    state.regs.set(c.i.r);
    state.eip = c.i.ip;
    updateMode(cpu);
    cpu.flushTlb();
  }

  /** A repeated instruction runs to its end, or one repetition with TF set. */
  #stepAll(c: SystemCase): void {
    const { state } = this.#cpu;
    if (c.i.fl & FLAG.TF) return this.#cpu.run(1);
    const [base, eip] = [state.segmentBase(1), state.eip];
    do {
      this.#cpu.step();
    } while (
      state.eip === eip && state.segmentBase(1) === base && this.#raised.length === 0 &&
      !this.#cpu.shutdown
    );
  }

  #compare(c: SystemCase): string[] {
    const { state } = this.#cpu;
    if (c.st === "shutdown") return this.#cpu.shutdown ? [] : ["not shut down"];
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
    check("eflags", state.eflags, o.fl ?? i.fl, ~((c.um ?? 0) | FLAG.RF));
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
    check("shutdown", Number(this.#cpu.shutdown), 0);
    const debug = o.dr ?? i.dr;
    if (debug) check("dr6", state.get(AT.DR + 24), debug[4]!);
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
    const raised = JSON.stringify(this.#raised);
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

const PREFIXES = "^(26|2e|36|3e|64|65|66|67|f0|f2|f3)*";
/** Instructions that the cases' CPU has and this one, by its CPUID, has not or answers in its own way. */
const ABSENT: readonly [string, RegExp][] = [
  ["SYSENTER", new RegExp(`${PREFIXES}0f3[45]`)],
  ["MSRs", new RegExp(`${PREFIXES}0f3[02]`)],
  ["VMMCALL", new RegExp(`${PREFIXES}0f01(c1|d9)`)],
];
/** CR4 bits of the cases' CPU: VME PVI MCE PAE PCE OSFXSR OSXMMEXCPT are not this one's. */
const FOREIGN_CR4 = 0x763;

function absent(c: SystemCase): string | undefined {
  if (((c.i.dr?.[5] ?? 0) & 0x20ff) !== 0) return "debug registers";
  if (((c.o.cr?.[3] ?? 0) & FOREIGN_CR4) !== 0) return "CR4 bits";
  return ABSENT.find(([, pattern]) => pattern.test(c.b))?.[0];
}

function isRepeated(c: SystemCase): boolean {
  const prefixes = new RegExp(PREFIXES).exec(c.b)![0];
  const opcode = c.b.slice(prefixes.length, prefixes.length + 2);
  return /f2|f3/.test(prefixes) && /6[c-f]|a[4-7a-f]/.test(opcode);
}

/** A machine for the system cases, and the cases of a family. */
export async function loadSystem(family: string): Promise<[SystemMachine, SystemCase[]]> {
  const directory = oraclePath("system/cases")!;
  const image = await readGzip(`${directory}/image.bin.gz`);
  return [new SystemMachine(image), await readCases<SystemCase>(`${directory}/${family}.jsonl.gz`)];
}

/** Modes that this CPU does not model: virtual-8086 and PAE. */
const OTHER_MODES = ["v86", "pae"];

/** The case is of a mode that this CPU has, and real hardware or two executors agree on it. */
export function isTrusted(c: SystemCase): boolean {
  return !OTHER_MODES.includes(c.m) && (c.v.includes("H") || c.v.length > 1);
}
