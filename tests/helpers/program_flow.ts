/**
 * Control flow of generated programs: branches, calls, tables, graphs, interpreters.
 * @module
 */

import { type Label, newLabel } from "./asm.ts";
import { Loops } from "./program_loops.ts";
import { codeBase, LAYOUT, type World } from "./program_world.ts";

const EAX = 0, ECX = 1, ESP = 4, ESI = 6;
const JMP = 0xeb, JNZ = 0x75, JS = 0x78;

/** A function of a program. */
export interface Routine {
  readonly label: Label;
  /** Bytes of parameters that it releases itself. */
  readonly released: number;
  /** Calls itself. */
  readonly recursive: boolean;
}

/** Writes statements and what they are made of. */
export class Flow extends Loops {
  protected readonly routines: readonly Routine[];
  /** Code that stands behind the function that is being written. */
  protected behind: (() => void)[] = [];
  /** Functions from this number on may be called. */
  protected callable = 0;

  constructor(seed: number, world: World) {
    super(seed, world);
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

  protected override statement(reserved: number): void {
    const rng = this.rng;
    const kind = this.depth > 2 ? 0 : rng.below(100);
    this.depth++;
    if (kind < 38) { for (let n = rng.below(4); n >= 0; n--) this.straight.one(reserved); }
    else if (kind < 46) this.tight(reserved);
    else if (kind < 62) this.loop(reserved);
    else if (kind < 76) this.#fork(reserved);
    else if (kind < 90) this.#call(reserved);
    else if (kind < 94) this.#switch(reserved);
    else if (kind < 97) this.#graph(reserved);
    else this.#interpreter(reserved);
    this.depth--;
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
    const out = newLabel();
    this.#jumpTo(cases);
    for (const label of cases) {
      asm.place(label);
      if (rng.chance(70)) this.straight.one(reserved);
      if (rng.chance(60)) asm.branch(JMP, out, false);
    }
    asm.place(out);
  }

  /**
   * Short blocks with jumps to any of them: loops are entered in their middles, lead into each other,
   * and are cases of one table. Most ways back cost fuel; a program may stay in the others for ever.
   */
  #graph(reserved: number): void {
    const asm = this.asm;
    const rng = this.rng;
    if (reserved >> ECX & 1) return this.straight.one(reserved);
    const blocks = Array.from({ length: 4 + rng.below(6) }, newLabel);
    const out = newLabel();
    const fuel = this.at(LAYOUT.FUEL);
    asm.form(asm.word, 0xc7, 0, fuel);
    asm.value(asm.word, 20 + rng.below(200));
    for (const [n, block] of blocks.entries()) {
      asm.place(block);
      for (let more = rng.below(3); more > 0; more--) this.straight.one(reserved | 1 << ECX);
      this.#edge(reserved, blocks, n, out);
    }
    asm.form(asm.word, 0xff, 1, fuel); // dec
    asm.branch(JS, out, false);
    asm.branch(JMP, rng.pick(blocks), false);
    asm.place(out);
  }

  /** What ends the `n`-th block of a graph. */
  #edge(reserved: number, blocks: readonly Label[], n: number, out: Label): void {
    const asm = this.asm;
    const rng = this.rng;
    const to = rng.pick(blocks);
    const kind = rng.below(100);
    if (kind < 40) {
      // A loop of this block alone, which ends.
      asm.prefix(asm.word);
      asm.bytes(0x48 + ECX);
      asm.form(asm.word, 0x83, 4, ECX);
      asm.value(1, rng.pick([1, 3, 7, 15]));
      return asm.branch(JNZ, blocks[n]!, false);
    }
    if (rng.chance(80)) {
      asm.form(asm.word, 0xff, 1, this.at(LAYOUT.FUEL));
      asm.branch(JS, out, false);
    }
    if (kind < 75) this.straight.condition(to, false);
    else if (kind < 88 && !(reserved & 1) && !(asm.bits === 16 && reserved & 8)) {
      this.#jumpTo([to, rng.pick(blocks), rng.pick(blocks), rng.pick(blocks)]);
    } else if (kind < 92) asm.branch(JMP, to, false);
  }

  /** Jumps to the one of four labels that EAX says. */
  #jumpTo(labels: readonly Label[]): void {
    const asm = this.asm;
    const table = newLabel();
    asm.form(asm.word, 0x83, 4, EAX);
    asm.value(1, 3);
    this.through(table, EAX, 0xff, 4);
    this.behind.push(() => {
      asm.place(table);
      for (const label of labels) asm.address(label);
    });
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
