/**
 * Operands of generated instructions: registers that may change, data that is there, numbers that matter.
 * @module
 */

import type { Rng } from "../fuzz/rng.ts";
import type { Assembler, Mem, Width } from "./asm.ts";
import { LAYOUT, type World } from "./program_world.ts";

const ESP = 4, EBP = 5;
const SEGMENTS = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

/** Bytes of code that stores may replace, and the values that keep the program's shape. */
export interface PatchSite {
  readonly at: number;
  readonly size: Width;
  /** Any value will do if absent. */
  readonly values?: readonly number[];
}

/** Chooses operands. */
export class Operands {
  readonly asm: Assembler;
  readonly rng: Rng;
  readonly world: World;
  readonly sites: PatchSite[] = [];
  /** There are locals on the stack, below EBP. */
  framed = false;

  constructor(asm: Assembler, rng: Rng, world: World) {
    this.asm = asm;
    this.rng = rng;
    this.world = world;
  }

  /** A register that may change. */
  target(reserved: number): number {
    const free = [0, 1, 2, 3, 6, 7].filter((r) => !(reserved >> r & 1));
    return free.length ? this.rng.pick(free) : 0;
  }

  /** The same as an operand of a width. */
  protected operand(reserved: number, width: Width): number {
    if (width > 1) return this.target(reserved);
    const free = [0, 1, 2, 3].filter((r) => !(reserved >> r & 1));
    return free.length ? this.rng.pick(free) + this.rng.pick([0, 4]) : 0;
  }

  protected source(): number {
    return this.rng.pick([0, 1, 2, 3, 5, 6, 7]);
  }

  /** An offset in the data, often next to the end of a page. */
  #offset(): number {
    const { rng } = this;
    const page = rng.below(LAYOUT.DATA_PAGES) * 0x1000;
    return rng.chance(30) ? page + 0xffc + rng.below(4) : page + rng.below(0xe00);
  }

  /** Linear address of some data. */
  protected data(): number {
    const { rng, world } = this;
    const area = world.lazy && rng.chance(35) ? LAYOUT.LAZY : LAYOUT.DATA;
    // Lazy pages have one address only, as the handler knows no other.
    const far = world.paging && area === LAYOUT.DATA && rng.chance(15) ? LAYOUT.FAR_ALIAS : 0;
    return area + far + this.#offset();
  }

  /** A memory operand; may write an instruction that prepares it. */
  memory(reserved: number): Mem {
    const { rng, asm } = this;
    const wide = (asm.bits === 32) !== rng.chance(4);
    const segment = rng.chance(6) ? rng.pick(SEGMENTS) : 0;
    const absolute = { wide, base: -1, index: -1, scale: 0, disp: this.data(), segment };
    const kind = rng.below(10);
    if (kind < 4 || (!wide && asm.bits === 32)) return absolute;
    if (kind < 6) {
      const local = rng.below(21) - 24;
      if (!wide) return { ...absolute, base: 6, disp: local };
      const top = this.framed ? rng.below(16) : rng.below(13) - 16;
      const base = rng.pick([ESP, EBP]);
      return { ...absolute, base, disp: base === ESP ? top : local };
    }
    if (!wide) return { ...absolute, base: 4 + rng.below(2), disp: this.data() & 0x7ffe };
    const base = this.operand(reserved, 4);
    if (rng.chance(85)) asm.form(4, 0x0fb6, base, rng.below(8));
    if (rng.chance(60)) return { ...absolute, base };
    const disp = absolute.disp & ~0x2000;
    return { ...absolute, index: base, scale: rng.below(4), disp };
  }

  protected rm(reserved: number, width: Width, percent: number): number | Mem {
    return this.rng.chance(percent) ? this.memory(reserved) : this.operand(reserved, width);
  }

  protected immediate(width: Width): number {
    const { rng } = this;
    return rng.chance(50)
      ? rng.pick([0, 1, -1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0x7fffffff, -0x80000000])
      : rng.next() >>> (width === 4 ? 0 : 16);
  }

  /** The bytes written last can be patched. */
  protected site(size: Width, values?: readonly number[]): void {
    this.sites.push({ at: this.asm.here - size, size, ...values && { values } });
  }
}
