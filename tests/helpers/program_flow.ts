/**
 * Control flow of generated programs: branches, calls, tables, loops, interpreters.
 * @module
 */

import { Rng } from "../fuzz/rng.ts";
import { Assembler, type Label, type Mem, newLabel } from "./asm.ts";
import { Straight } from "./program_insns.ts";
import { codeBase, LAYOUT, type World } from "./program_world.ts";

const EAX = 0, ECX = 1, ESP = 4, ESI = 6;
const JMP = 0xeb, JZ = 0x74, JNZ = 0x75, JS = 0x78, LOOP = 0xe2, JCXZ = 0xe3;

/** A function of a program. */
export interface Routine {
  readonly label: Label;
  /** Bytes of parameters that it releases itself. */
  readonly released: number;
  /** Calls itself. */
  readonly recursive: boolean;
}

/** Writes statements and what they are made of. */
export class Flow {
  protected readonly rng: Rng;
  protected readonly world: World;
  protected readonly asm: Assembler;
  protected readonly straight: Straight;
  protected readonly routines: readonly Routine[];
  /** Code that stands behind the function that is being written. */
  protected behind: (() => void)[] = [];
  /** Functions from this number on may be called. */
  protected callable = 0;
  #depth = 0;

  constructor(seed: number, world: World) {
    this.rng = new Rng(seed);
    this.world = world;
    this.asm = new Assembler(LAYOUT.CODE - codeBase(world), world.bits);
    this.straight = new Straight(this.asm, this.rng, world);
    this.routines = Array.from({ length: 4 + this.rng.below(4) }, () => ({
      label: newLabel(),
      released: this.rng.pick([0, 0, 4]),
      recursive: this.rng.chance(15),
    }));
  }

  /** A displacement that leads to the same code at its other address. */
  protected alias(): number {
    if (!this.world.paging || this.rng.chance(60)) return 0;
    return this.world.segmented || this.rng.chance(60) ? LAYOUT.ALIAS : LAYOUT.FAR_ALIAS;
  }

  protected load(register: number, value: number): void {
    this.asm.bytes(0xb8 + register);
    this.asm.value(this.asm.word, value);
  }

  protected at(disp: number): Mem {
    return { wide: this.asm.bits === 32, base: -1, index: -1, scale: 0, disp, segment: 0 };
  }

  /** Jumps or calls (opcode FF /2, /4) through the `register`-th word of a table in the code. */
  protected through(table: Label, register: number, opcode: number, extension: number): void {
    const asm = this.asm;
    if (asm.bits === 16) {
      // BX does the indexing.
      asm.form(2, 0x8b, 3, register);
      asm.form(2, 0x03, 3, 3);
      asm.bytes(opcode, 0x80 | extension << 3 | 7);
    } else asm.bytes(opcode, 0x04 | extension << 3, 0x80 | register << 3 | 5);
    asm.address(table, codeBase(this.world));
  }

  protected push(): void {
    this.asm.prefix(4);
    this.asm.bytes(0x50 + this.rng.below(4));
  }

  protected writeBehind(): void {
    const behind = this.behind;
    this.behind = [];
    for (const write of behind) write();
  }

  // ---- statements ----------------------------------------------------------------------------

  protected statement(reserved: number): void {
    const rng = this.rng;
    const kind = this.#depth > 2 ? 0 : rng.below(100);
    this.#depth++;
    if (kind < 38) { for (let n = rng.below(4); n >= 0; n--) this.straight.one(reserved); }
    else if (kind < 46) this.#tight(reserved);
    else if (kind < 62) this.loop(reserved);
    else if (kind < 76) this.#fork(reserved);
    else if (kind < 90) this.#call(reserved);
    else if (kind < 95) this.#switch(reserved);
    else this.#interpreter(reserved);
    this.#depth--;
  }

  #fork(reserved: number): void {
    const asm = this.asm;
    const rng = this.rng;
    const other = newLabel();
    const join = newLabel();
    this.straight.condition(other, rng.chance(30));
    this.statement(reserved);
    if (rng.chance(50)) {
      asm.branch(JMP, join, false);
      asm.place(other);
      this.statement(reserved);
    } else if (rng.chance(40)) {
      // The other way stands far away and comes back.
      this.behind.push(() => {
        asm.place(other);
        this.straight.one(reserved);
        asm.branch(JMP, join, false);
      });
    } else asm.place(other);
    asm.place(join);
    if (rng.chance(40)) this.straight.one(reserved);
  }

  #call(reserved: number): void {
    const rng = this.rng;
    if (this.callable >= this.routines.length || rng.chance(15)) return this.#trick();
    const below = this.routines.length - this.callable;
    const routine = this.routines[this.callable + rng.below(below)]!;
    if (rng.chance(25)) this.#callers(routine, reserved);
    else this.#callOne(routine, reserved);
    for (let n = rng.below(3); n > 0; n--) this.straight.one(reserved);
  }

  /** Calls that may be left out, with code behind each. */
  #callers(routine: Routine, reserved: number): void {
    const rng = this.rng;
    for (let n = 2 + rng.below(3); n > 0; n--) {
      const on = newLabel();
      this.straight.condition(on, false);
      this.#callOne(routine, reserved);
      this.asm.place(on);
      for (let more = rng.below(24); more > 0; more--) this.straight.one(reserved);
    }
  }

  #callOne({ label, released }: Routine, reserved: number): void {
    const asm = this.asm;
    const rng = this.rng;
    const kept = [0, 1, 2, 3, 6, 7].filter((r) => reserved >> r & 1);
    for (const r of kept) asm.bytes(0x50 + r);
    if (released) this.push();
    if (rng.chance(20)) {
      asm.bytes(0xb8 + EAX);
      asm.address(label, this.alias());
      asm.bytes(0xff, 0xd0);
    } else asm.call(label);
    for (const r of kept.reverse()) asm.bytes(0x58 + r);
  }

  /** Games with return addresses. */
  #trick(): void {
    const asm = this.asm;
    const rng = this.rng;
    const inner = newLabel();
    const on = newLabel();
    switch (rng.below(3)) {
      case 0: // CALL next; ADD ESP
        asm.call(on);
        asm.place(on);
        asm.form(asm.word, 0x83, 0, ESP);
        return asm.value(1, asm.word);
      case 1: // A function that skips its caller's next byte
        asm.call(inner);
        asm.bytes(0xcc);
        this.behind.push(() => {
          asm.place(inner);
          const top = { ...this.at(0), wide: true, base: ESP };
          asm.form(asm.word, 0x83, 0, top);
          asm.value(1, 1);
          asm.bytes(0xc3);
        });
        return;
      default: // PUSH address; RET
        asm.bytes(0x68);
        asm.address(on);
        if (rng.chance(50)) asm.bytes(0xc3);
        else {
          asm.form(asm.word, 0x83, 0, ESP);
          asm.value(1, asm.word);
          asm.branch(JMP, on, false);
        }
        if (rng.chance(50)) this.straight.one(0);
        return asm.place(on);
    }
  }

  /** A jump through a table. */
  #switch(reserved: number): void {
    const asm = this.asm;
    const rng = this.rng;
    if (reserved & 1 || (asm.bits === 16 && reserved & 8)) return this.straight.one(reserved);
    const cases = Array.from({ length: 4 }, newLabel);
    const table = newLabel();
    const out = newLabel();
    asm.form(asm.word, 0x83, 4, EAX);
    asm.value(1, 3);
    this.through(table, EAX, 0xff, 4);
    this.behind.push(() => {
      asm.place(table);
      for (const label of cases) asm.address(label);
    });
    for (const label of cases) {
      asm.place(label);
      if (rng.chance(70)) this.straight.one(reserved);
      if (rng.chance(60)) asm.branch(JMP, out, false);
    }
    asm.place(out);
  }

  // ---- loops ---------------------------------------------------------------------------------

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
    this.load(counter, 1 + rng.below(this.#depth > 1 ? 6 : 24));
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
  #tight(reserved: number): void {
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

  /** A byte-code interpreter over the data: each code jumps to the next one's by itself or through the top. */
  #interpreter(reserved: number): void {
    const asm = this.asm;
    const rng = this.rng;
    const needed = 1 << EAX | 1 << ECX | 1 << ESI | 8;
    if (reserved & needed) return this.straight.one(reserved);
    const top = newLabel();
    const out = newLabel();
    const table = newLabel();
    const codes = Array.from({ length: 4 }, newLabel);
    this.load(ECX, 5 + rng.below(30));
    this.load(ESI, LAYOUT.DATA + rng.below(0x3f00));
    asm.bytes(0xfc);
    const dispatch = (): void => {
      asm.bytes(0x48 + ECX);
      asm.branch(JS, out, false);
      asm.bytes(0xac, 0x24, 3);
      asm.form(2, 0x0fb6, EAX, EAX);
      if (asm.bits === 32) asm.form(4, 0x0fb6, EAX, EAX);
      this.through(table, EAX, 0xff, 4);
    };
    asm.place(top);
    dispatch();
    asm.place(table);
    for (const label of codes) asm.address(label);
    for (const label of codes) {
      asm.place(label);
      if (rng.chance(80)) this.straight.one(needed);
      if (rng.chance(40)) dispatch();
      else asm.branch(JMP, top, false);
    }
    asm.place(out);
  }
}
