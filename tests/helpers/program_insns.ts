/**
 * Straight-line code of generated programs: single instructions with random operands, and short
 * runs of them that belong together.
 * @module
 */

import { type Label, newLabel, type Width } from "./asm.ts";
import { writeFloat } from "./program_float.ts";
import { Operands } from "./program_operands.ts";
import { LAYOUT, selectorsOf } from "./program_world.ts";

const ECX = 1, ESP = 4, EBP = 5, ESI = 6, EDI = 7;
const WIDTHS: readonly Width[] = [1, 2, 4, 4];

/** A store whose target is chosen when all sites are known. */
export interface PatchStore {
  /** Where its displacement and immediate lie. */
  readonly disp: number;
  readonly size: Width;
}

/** Writes random instructions. */
export class Straight extends Operands {
  readonly stores: PatchStore[] = [];

  /**
   * One statement.
   * @param reserved registers that it leaves alone, as bits; ESP and EBP always are
   */
  one(reserved: number): void {
    const kinds = this.rng.below(100);
    if (kinds < 34) this.#arithmetic(reserved);
    else if (kinds < 44) this.#shift(reserved);
    else if (kinds < 58) this.#memory(reserved);
    else if (kinds < 66) this.#flags(reserved);
    else if (kinds < 74) this.#bits(reserved);
    else if (kinds < 79) this.#multiply(reserved);
    else if (kinds < 85) this.#stack(reserved);
    else if (kinds < 91) this.#exchange(reserved);
    else if (kinds < 94) this.#string(reserved);
    else if (kinds < 96) this.#patching(reserved);
    else if (kinds < 98) { for (let n = this.rng.below(5); n >= 0; n--) this.#float(reserved); }
    else this.#outside(reserved);
  }

  #arithmetic(reserved: number): void {
    const { rng, asm } = this;
    const width = rng.pick(WIDTHS);
    const wide = width > 1 ? 1 : 0;
    const op = rng.below(8);
    switch (rng.below(6)) {
      case 0:
        return asm.form(width, op * 8 + wide, this.source(), this.rm(reserved, width, 50));
      case 1: {
        const rm = rng.chance(50) ? this.memory(reserved) : this.source();
        return asm.form(width, op * 8 + 2 + wide, this.operand(reserved, width), rm);
      }
      case 2: {
        asm.form(width, 0x80 + wide, op, this.rm(reserved, width, 30));
        asm.value(width, this.immediate(width));
        return this.site(width);
      }
      case 3: {
        asm.form(width, wide ? 0x83 : 0x80, op, this.rm(reserved, width, 30));
        asm.value(1, rng.next());
        return this.site(1);
      }
      case 4:
        return this.#step(reserved);
      default:
        return asm.form(width, 0xf6 + wide, 2 + rng.below(2), this.rm(reserved, width, 30));
    }
  }

  /** INC, DEC; the short forms are places to patch. */
  #step(reserved: number): void {
    const { rng, asm } = this;
    const width = rng.pick(WIDTHS);
    if (width === 1 || rng.chance(30)) {
      const rm = this.rm(reserved, width, 40);
      return asm.form(width, width > 1 ? 0xff : 0xfe, rng.below(2), rm);
    }
    const register = this.target(reserved);
    asm.prefix(width);
    asm.bytes((rng.chance(50) ? 0x40 : 0x48) + register);
    this.site(1, [0x40 + register, 0x48 + register]);
  }

  #shift(reserved: number): void {
    const { rng, asm } = this;
    const width = rng.pick(WIDTHS);
    const wide = width > 1 ? 1 : 0;
    const op = rng.below(8);
    const kind = rng.below(8);
    if (kind < 2) {
      asm.form(width, 0xc0 + wide, op, this.rm(reserved, width, 20));
      asm.value(1, rng.pick([0, 1, 7, 8, 15, 16, 17, 31, 32, rng.below(256)]));
      this.site(1);
    } else if (kind < 4) {
      asm.form(width, 0xd0 + wide, op, this.rm(reserved, width, 20));
    } else if (kind < 7) {
      if (!(reserved >> ECX & 1) && rng.chance(40)) asm.bytes(0xb1, rng.below(34));
      asm.form(width, 0xd2 + wide, op, this.rm(reserved, width, 20));
    } else {
      const size = rng.pick([2, 4] as const);
      const right = rng.pick([0x0fa4, 0x0fac]);
      if (rng.chance(50)) {
        asm.form(size, right, this.source(), this.rm(reserved, size, 20));
        asm.value(1, rng.below(34));
      } else asm.form(size, right + 1, this.source(), this.rm(reserved, size, 20));
    }
  }

  #memory(reserved: number): void {
    const { rng, asm } = this;
    const width = rng.pick(WIDTHS);
    const wide = width > 1 ? 1 : 0;
    switch (rng.below(5)) {
      case 0:
        return asm.form(width, 0x88 + wide, this.source(), this.memory(reserved));
      case 1: {
        const memory = this.memory(reserved);
        return asm.form(width, 0x8a + wide, this.operand(reserved, width), memory);
      }
      case 2: {
        asm.form(width, 0xc6 + wide, 0, this.memory(reserved));
        asm.value(width, this.immediate(width));
        return this.site(width);
      }
      case 3: {
        const register = this.target(reserved);
        asm.prefix(asm.word === 2 ? 2 : 4);
        asm.bytes(0xb8 + register);
        asm.value(asm.word, this.immediate(4));
        return this.site(asm.word);
      }
      default: {
        const memory = this.memory(reserved);
        asm.form(rng.pick([2, 4] as const), 0x8d, this.target(reserved), memory);
      }
    }
  }

  #flags(reserved: number): void {
    const { rng, asm } = this;
    const free = !(reserved & 1);
    switch (rng.below(9)) {
      case 0:
        asm.bytes(rng.pick([0xf5, 0xf8, 0xf9]));
        return this.site(1, [0xf5, 0xf8, 0xf9]);
      case 1:
        return asm.form(1, 0x0f90 + rng.below(16), 0, this.rm(reserved, 1, 30));
      case 2:
      case 3: {
        const memory = rng.chance(40) ? this.memory(reserved) : this.source();
        const size = rng.pick([2, 4] as const);
        return asm.form(size, 0x0f40 + rng.below(16), this.target(reserved), memory);
      }
      case 4:
        return asm.bytes(free ? 0x9f : 0xf5);
      case 5:
        return asm.bytes(0x9e);
      case 6:
        return free ? asm.bytes(0xd6) : undefined;
      case 7:
        return rng.chance(50) ? this.#savedFlags() : asm.bytes(rng.pick([0xfc, 0xfc, 0xfd]));
      default:
        return asm.form(4, 0x84 + rng.below(2), this.source(), this.source());
    }
  }

  /** PUSHF; changes of flags; POPF. */
  #savedFlags(): void {
    const { rng, asm } = this;
    asm.bytes(0x9c);
    asm.form(4, 0x39, this.source(), this.source());
    if (rng.chance(30)) {
      const top = { base: ESP, index: -1, scale: 0, disp: 0, segment: 0, wide: true };
      asm.form(1, 0x80, 6, top);
      asm.value(1, rng.pick([1, 4, 16, 64, 0xd5]));
    }
    if (this.world.user && rng.chance(20)) {
      // XOR BYTE PTR [ESP+2],4: accesses are checked for alignment, or no longer.
      asm.bytes(0x80, 0x74, 0x24, 2, 4);
    }
    asm.bytes(0x9d);
  }

  #bits(reserved: number): void {
    const { rng, asm } = this;
    const size = rng.pick([2, 4] as const);
    switch (rng.below(6)) {
      case 0: {
        const rm = this.rm(reserved, size, 40);
        const index = this.source();
        if (typeof rm !== "number" && !(reserved >> index & 1) && index !== EBP) {
          asm.form(4, 0x0fb7, index, index);
          asm.form(4, 0xc1, 7, index);
          asm.value(1, rng.below(6));
        }
        return asm.form(size, rng.pick([0x0fa3, 0x0fab, 0x0fb3, 0x0fbb]), index, rm);
      }
      case 1:
        asm.form(size, 0x0fba, 4 + rng.below(4), this.rm(reserved, size, 30));
        return asm.value(1, rng.next());
      case 2: {
        const rm = rng.chance(30) ? this.memory(reserved) : this.source();
        return asm.form(size, 0x0fbc + rng.below(2), this.target(reserved), rm);
      }
      case 3:
        asm.prefix(4);
        return asm.bytes(0x0f, 0xc8 + this.target(reserved));
      case 4: {
        const rm = rng.chance(50) ? this.memory(reserved) : this.source();
        const opcode = rng.pick([0x0fb6, 0x0fb7, 0x0fbe, 0x0fbf]);
        return asm.form(rng.pick([2, 4] as const), opcode, this.target(reserved), rm);
      }
      default:
        asm.prefix(size);
        return asm.bytes(reserved & 5 ? 0x90 : rng.pick([0x98, 0x99]));
    }
  }

  #multiply(reserved: number): void {
    const { rng, asm } = this;
    const width = rng.pick(WIDTHS);
    const wide = width > 1 ? 1 : 0;
    const rm = rng.chance(30) ? this.memory(reserved) : this.source();
    if (rng.chance(40) || reserved & 5) {
      const size = rng.pick([2, 4] as const);
      if (rng.chance(50)) return asm.form(size, 0x0faf, this.target(reserved), rm);
      asm.form(size, 0x6b, this.target(reserved), rm);
      asm.value(1, rng.next());
      return this.site(1);
    }
    if (rng.chance(50)) return asm.form(width, 0xf6 + wide, 4 + rng.below(2), rm);
    if (rng.chance(92) && typeof rm === "number" && rm !== 0 && rm !== 2 && rm < 4) {
      if (!(reserved >> rm & 1)) {
        asm.form(width, 0x80 + wide, 1, rm);
        asm.value(width, 1);
      }
      if (width === 1) asm.form(4, 0x0fb6, 0, 0);
      else asm.form(4, 0x33, 2, 2);
    }
    asm.form(width, 0xf6 + wide, 6 + rng.below(2), rm);
  }

  #stack(reserved: number): void {
    const { rng, asm } = this;
    const width = rng.chance(80) ? asm.word : rng.pick([2, 4] as const);
    asm.prefix(width);
    if (rng.chance(70)) asm.bytes(0x50 + this.source());
    else asm.bytes(0x6a, rng.below(256));
    if (rng.chance(50)) this.one(reserved);
    if (rng.chance(20)) {
      asm.form(width, 0xff, 6, { ...this.memory(reserved), segment: 0 });
      this.#release(width);
    }
    if (rng.chance(80)) {
      asm.prefix(width);
      asm.bytes(0x58 + this.target(reserved));
    } else this.#release(width);
  }

  /** Takes something off the stack. */
  #release(bytes: number): void {
    this.asm.form(this.asm.word, 0x83, 0, ESP);
    this.asm.value(1, bytes);
  }

  #exchange(reserved: number): void {
    const { rng, asm } = this;
    const width = rng.pick(WIDTHS);
    const wide = width > 1 ? 1 : 0;
    const rm = this.rm(reserved, width, 50);
    const register = this.operand(reserved, width);
    switch (rng.below(5)) {
      case 0:
        return asm.form(width, 0x86 + wide, register, rm);
      case 1:
        return asm.form(width, 0x0fc0 + wide, register, rm);
      case 2:
        return reserved & 1 ? undefined : asm.form(width, 0x0fb0 + wide, register, rm);
      case 3: {
        if (reserved & 5) return;
        // CMPXCHG8B: the second one may find what the first one has read.
        const memory = this.memory(reserved);
        asm.form(asm.word, 0x0fc7, 1, memory);
        return asm.form(asm.word, 0x0fc7, 1, memory);
      }
      default:
        if (reserved & 1) return;
        asm.prefix(asm.word);
        return asm.bytes(0x90 + this.target(reserved));
    }
  }

  /** A string instruction on data, some with REP. */
  #string(reserved: number): void {
    const { rng, asm } = this;
    if (reserved >> ESI & 3) return;
    const repeated = !(reserved >> ECX & 1) && rng.chance(60);
    for (const register of [ESI, EDI]) {
      asm.bytes(0xb8 + register);
      asm.value(asm.word, this.data());
    }
    if (repeated) {
      asm.bytes(0xb8 + ECX);
      asm.value(asm.word, rng.below(12));
    }
    for (let n = rng.below(3); n >= 0; n--) {
      const names = reserved & 1 ? [0xa4, 0xa6, 0xaa, 0xae] : [0xa4, 0xa6, 0xaa, 0xac, 0xae];
      const opcode = rng.pick(names);
      const width = rng.pick(WIDTHS);
      if (repeated) asm.bytes(rng.pick([0xf2, 0xf3]));
      asm.prefix(width);
      asm.bytes(opcode + (width > 1 ? 1 : 0));
    }
  }

  /** A store into code. */
  #patching(reserved: number): void {
    const { rng, asm } = this;
    const size = rng.pick([1, 1, asm.word] as const);
    const wide = asm.bits === 32;
    const memory = { wide, base: -1, index: -1, scale: 0, disp: 0, segment: 0 };
    const again = newLabel();
    const repeats = !(reserved >> ECX & 1) && rng.chance(40);
    if (repeats) {
      asm.bytes(0xb8 + ECX);
      asm.value(asm.word, 1 + rng.below(3));
      asm.place(again);
    }
    if (rng.chance(70)) asm.form(size, size > 1 ? 0xc7 : 0xc6, 0, memory);
    else {
      const register = rng.pick([0, 1, 2, 3]);
      if (!(reserved >> register & 1)) {
        asm.prefix(asm.word);
        asm.bytes(0xb8 + register);
        asm.value(asm.word, 0);
      }
      return;
    }
    this.stores.push({ disp: asm.here - asm.word, size });
    asm.value(size, 0);
    if (repeats) asm.branch(0xe2, again, true);
  }

  /** What leaves the guest: MMIO, ports; and what lets interrupts in. */
  #outside(reserved: number): void {
    const { rng, asm } = this;
    const wide = asm.bits === 32;
    const width = rng.pick(WIDTHS);
    const w = width > 1 ? 1 : 0;
    const disp = LAYOUT.MMIO + rng.below(0x40);
    const memory = { wide, base: -1, index: -1, scale: 0, disp: disp & 0xffff, segment: 0 };
    if (wide) memory.disp = disp;
    switch (rng.below(9)) {
      case 0:
        return asm.form(width, 0x88 + w, this.source(), memory);
      case 1:
        return asm.form(width, 0x8a + w, this.operand(reserved, width), memory);
      case 2:
        return asm.form(width, 0x00 + w + 8 * rng.below(7), this.source(), memory);
      case 3:
        asm.prefix(width);
        return asm.bytes(0xe6 + w, rng.pick([0x20, 0x80, 0xe9]));
      case 4:
        if (reserved & 1) return;
        asm.prefix(width);
        return asm.bytes(0xe4 + w, 0x60);
      case 8:
        return reserved & 5 ? undefined : asm.bytes(0x0f, 0x31);
      case 5:
        return this.#segment(reserved);
      default:
        return asm.bytes(rng.pick([0xfa, 0xfb, 0xfb, 0xfb]));
    }
  }

  /** Another ES, FS or GS for a while. */
  #segment(reserved: number): void {
    const { rng, asm } = this;
    if (reserved & 1) return;
    const segment = rng.pick([0, 0, 4, 5]);
    asm.bytes(0xb8);
    asm.value(asm.word, rng.pick(selectorsOf(this.world)));
    asm.form(asm.word, 0x8e, segment, 0);
    for (let n = rng.below(3); n >= 0; n--) this.one(reserved);
    if (segment === 0) asm.bytes(0x1e, 0x07);
  }

  #float(reserved: number): void {
    writeFloat(this.asm, this.rng, () => this.memory(reserved), !(reserved & 1));
  }

  /** A conditional branch whose condition can be patched where `site` says so. */
  condition(target: Label, site: boolean): void {
    const { rng, asm } = this;
    const at = asm.here;
    const condition = rng.below(16);
    asm.branch(0x70 + condition, target, false);
    if (!site) return;
    const values = [0x80 + condition, 0x80 + (condition ^ 1), 0x80 + rng.below(16)];
    this.sites.push({ at: at + 1, size: 1, values });
  }
}
