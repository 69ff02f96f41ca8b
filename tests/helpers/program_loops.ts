/**
 * Loops of generated programs, and what all their statements stand on.
 * @module
 */

import { Rng } from "../fuzz/rng.ts";
import { Assembler, type Label, type Mem, newLabel } from "./asm.ts";
import { Straight } from "./program_insns.ts";
import { codeBase, LAYOUT, type World } from "./program_world.ts";

const ECX = 1;
const JMP = 0xeb, JZ = 0x74, JNZ = 0x75, JS = 0x78, LOOP = 0xe2, JCXZ = 0xe3;

/** Writes loops; their bodies are statements. */
export abstract class Loops {
  protected readonly rng: Rng;
  protected readonly world: World;
  protected readonly asm: Assembler;
  protected readonly straight: Straight;
  /** Statements around the one at hand. */
  protected depth = 0;

  constructor(seed: number, world: World) {
    this.rng = new Rng(seed);
    this.world = world;
    this.asm = new Assembler(LAYOUT.CODE - codeBase(world), world.bits);
    this.straight = new Straight(this.asm, this.rng, world);
  }

  /** @param reserved registers, as bits, that it leaves alone */
  protected abstract statement(reserved: number): void;

  protected load(register: number, value: number): void {
    this.asm.bytes(0xb8 + register);
    this.asm.value(this.asm.word, value);
  }

  protected at(disp: number): Mem {
    return { wide: this.asm.bits === 32, base: -1, index: -1, scale: 0, disp, segment: 0 };
  }

  /** Loops end because every way back takes one off the same counter first. */
  protected loop(reserved: number): void {
    const asm = this.asm;
    const rng = this.rng;
    const counter = reserved & 2 ? this.straight.target(reserved) : ECX;
    if (reserved >> counter & 1) return this.straight.one(reserved);
    const inside = reserved | 1 << counter;
    const top = newLabel();
    const middle = newLabel();
    const next = newLabel();
    const out = newLabel();
    this.load(counter, 1 + rng.below(this.depth > 1 ? 6 : 24));
    const walker = this.#walker(inside);
    const held = walker < 0 ? inside : inside | 1 << walker;
    if (rng.chance(25)) this.straight.condition(middle, false);
    asm.place(top);
    const begin = rng.below(3);
    for (let n = 0; n < begin; n++) this.straight.one(held);
    asm.place(middle);
    this.#body(held, walker);
    if (rng.chance(25)) this.straight.condition(next, rng.chance(50));
    if (rng.chance(30)) this.#turn(counter, rng.pick([top, middle]), out, held, true);
    if (rng.chance(50)) this.#body(held, walker);
    if (rng.chance(30)) this.#turn(counter, rng.pick([top, middle]), out, held, true);
    asm.place(next);
    this.#turn(counter, rng.pick([top, top, middle]), out, held, false);
    asm.place(out);
  }

  /** A loop of one short block. */
  protected tight(reserved: number): void {
    const asm = this.asm;
    const rng = this.rng;
    if (reserved >> ECX & 1) return this.straight.one(reserved);
    const top = newLabel();
    this.load(ECX, 1 + rng.below(12));
    asm.place(top);
    for (let n = rng.below(4); n > 0; n--) this.straight.one(reserved | 1 << ECX);
    asm.prefix(asm.word);
    asm.bytes(0x48 + ECX);
    asm.branch(JNZ, top, false);
  }

  /** A register that goes through the data, -1 = none. */
  #walker(reserved: number): number {
    const rng = this.rng;
    const free = [3, 6, 7].filter((r) => !(reserved >> r & 1));
    if (free.length === 0 || rng.chance(40)) return -1;
    const walker = rng.pick(free);
    const area = this.world.lazy && rng.chance(50) ? LAYOUT.LAZY : LAYOUT.DATA;
    this.load(walker, area + 0x1000 * (1 + rng.below(3)) - 24 + rng.below(48));
    return walker;
  }

  #body(held: number, walker: number): void {
    const asm = this.asm;
    const rng = this.rng;
    const statements = rng.below(3);
    if (walker >= 0) {
      const width = rng.pick([1, 2, 4] as const);
      const base = asm.bits === 32 ? walker : [0, 0, 0, 7, 0, 0, 4, 5][walker]!;
      const memory = { ...this.at(rng.below(9) - 4), base };
      const opcode = rng.below(8) * 8 + rng.pick([0, 2]);
      const register = this.straight.target(held);
      if (rng.chance(50)) {
        asm.form(width, rng.pick([0x88, 0x8a]) + (width > 1 ? 1 : 0), register & 3, memory);
      } else if (!(held >> (register & 3) & 1)) {
        asm.form(width, opcode + (width > 1 ? 1 : 0), register & 3, memory);
      }
      asm.form(asm.word, 0x8d, walker, { ...memory, disp: rng.pick([1, -1, -3, 4, -4, 7, -5]) });
    }
    for (let n = 0; n < statements; n++) this.statement(held);
    if (rng.chance(15)) this.straight.one(held);
  }

  /** One way back; `sometimes` on a condition. */
  #turn(counter: number, to: Label, out: Label, held: number, sometimes: boolean): void {
    const asm = this.asm;
    const rng = this.rng;
    const { word } = asm;
    const kind = rng.below(counter === ECX ? 8 : 5);
    if (kind >= 5 && !sometimes) return this.#loopInstruction(to, out);
    if (kind === 0) {
      asm.form(word, 0x83, 5, counter);
      asm.value(1, 1);
    } else if (counter === ECX && kind === 1) {
      // No flag changes on the way back.
      asm.form(4, 0x8d, ECX, { ...this.at(-1), wide: true, base: ECX });
      const stay = newLabel();
      const leave = newLabel();
      asm.branch(JCXZ, leave, true);
      asm.branch(JMP, stay, true);
      asm.place(leave);
      asm.branch(JMP, out, false);
      asm.place(stay);
      if (sometimes) this.straight.condition(to, false);
      else asm.branch(JMP, to, false);
      return;
    } else {
      asm.prefix(word);
      asm.bytes(0x48 + counter);
    }
    if (!sometimes && rng.chance(70)) {
      asm.branch(JNZ, to, false);
      return;
    }
    asm.branch(JZ, out, false);
    asm.branch(JS, out, false);
    if (!sometimes) return asm.branch(JMP, to, false);
    if (rng.chance(50)) this.straight.one(held);
    this.straight.condition(to, false);
  }

  /** LOOP, LOOPE, LOOPNE; the jump is short, so it goes by way of another one. */
  #loopInstruction(to: Label, out: Label): void {
    const asm = this.asm;
    const rng = this.rng;
    const back = newLabel();
    const near = to.at >= 0 && asm.here - to.at < 120;
    const opcode = rng.pick([LOOP, LOOP, 0xe0, 0xe1]);
    if (near) return asm.branch(opcode, to, true);
    asm.branch(opcode, back, true);
    asm.branch(JMP, out, false);
    asm.place(back);
    asm.branch(JMP, to, false);
  }
}
