/**
 * Descriptor tables and task states for tests of protected mode: a flat ring 0, a flat ring 3, and
 * two tasks of which the first is running.
 * @module
 */

import { AT, CR0, NULL_ATTR } from "../../core/cpu/state.ts";
import type { CpuBench } from "./cpu.ts";
import { loadState, type Segment } from "./cpu_state.ts";

/** Selectors of the GDT. */
export const SELECTOR = { CODE0: 0x08, DATA0: 0x10, CODE3: 0x1b, DATA3: 0x23, A: 0x28, B: 0x30 };
/** Where the tables lie. */
export const TABLE = { GDT: 0x1000, IDT: 0x2000, A: 0x3000, B: 0x3100 };
/** Stacks of ring 0, and of ring 3 or task B. */
export const STACK = { RING0: 0x8000, OTHER: 0x9000 };

const GATE = { interrupt: 0x8e, trap: 0x8f, task: 0x85 };
const FLAT_LIMIT = 0xffffffff;
const flat = (selector: number, attributes: number): Segment => [
  selector,
  0,
  FLAT_LIMIT,
  attributes,
];

/** Code in ring 0 or 3 with the tables around it. */
export class Tables {
  readonly bench: CpuBench;

  constructor(bench: CpuBench) {
    this.bench = bench;
  }

  /** Loads code and tables; the code (hexadecimal) begins at `eip` in ring `ring`. */
  load(ring: 0 | 3, eip: number, code: string, eflags: number = 2): void {
    const { bench } = this;
    bench.load("protected32", eip, code);
    [0, 0xc09b, 0xc093, 0xc0fb, 0xc0f3].forEach((attr, n) => {
      if (attr) this.#descriptor(n * 8, 0, 0xfffff, attr);
    });
    this.#descriptor(SELECTOR.A, TABLE.A, 0x67, 0x8b);
    this.#descriptor(SELECTOR.B, TABLE.B, 0x67, 0x89);
    bench.view.setUint32(TABLE.A + 4, STACK.RING0, true);
    bench.view.setUint32(TABLE.A + 8, SELECTOR.DATA0, true);
    const data = ring ? flat(SELECTOR.DATA3, 0xc0f3) : flat(SELECTOR.DATA0, 0xc093);
    const cs = ring ? flat(SELECTOR.CODE3, 0xc0fb) : flat(SELECTOR.CODE0, 0xc09b);
    const esp = ring ? STACK.OTHER : STACK.RING0;
    loadState(bench.cpu, bench.ram, {
      r: [0, 0, 0, 0, esp, 0, 0, 0],
      ip: eip,
      fl: eflags,
      s: [data, cs, data, data, data, data],
      ldt: [0, 0, 0, NULL_ATTR],
      tr: [SELECTOR.A, TABLE.A, 0x67, 0x8b],
      gdt: [TABLE.GDT, 0x37],
      idt: [TABLE.IDT, 0x7ff],
      cr: [CR0.PE | CR0.ET | CR0.AM, 0, 0, 0],
    }, ring);
  }

  #descriptor(selector: number, base: number, limit: number, attr: number): void {
    const { view } = this.bench;
    view.setUint32(TABLE.GDT + selector, base << 16 | limit & 0xffff, true);
    view.setUint32(TABLE.GDT + selector + 4, (limit & 0xf0000) | attr << 8 | base >>> 16, true);
  }

  /** Access byte of a descriptor in the GDT. */
  access(selector: number): number {
    return this.bench.ram[TABLE.GDT + (selector & ~7) + 5]!;
  }

  /** Sets a gate of the IDT, open to ring 3. */
  gate(vector: number, kind: keyof typeof GATE, selector: number, offset: number = 0): void {
    const { view } = this.bench;
    view.setUint32(TABLE.IDT + vector * 8, selector << 16 | offset, true);
    view.setUint32(TABLE.IDT + vector * 8 + 4, (GATE[kind] | 0x60) << 8, true);
  }

  /** Fills in the state that task B begins with: flat segments of ring 0. */
  taskB(eip: number): void {
    const { view } = this.bench;
    view.setUint32(TABLE.B + 0x20, eip, true);
    view.setUint32(TABLE.B + 0x24, 2, true);
    view.setUint32(TABLE.B + 0x38, STACK.OTHER, true);
    for (let segment = 0; segment < 6; segment++) {
      const selector = segment === 1 ? SELECTOR.CODE0 : SELECTOR.DATA0;
      view.setUint32(TABLE.B + 0x48 + segment * 4, selector, true);
    }
  }

  /** `count` 32-bit words of memory. */
  words(at: number, count: number): number[] {
    return Array.from({ length: count }, (_, n) => this.bench.view.getUint32(at + n * 4, true));
  }

  /** The task register's selector. */
  get task(): number {
    return this.bench.cpu.state.get(AT.SEGS + 7 * 32 + 16);
  }
}
