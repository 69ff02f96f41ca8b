/**
 * Random programs with structure: functions, loops, tables, handlers. They run for ever: whatever
 * goes wrong, the next round begins. Equal seeds give equal programs.
 * @module
 */

import { type Label, newLabel } from "./asm.ts";
import { Flow, type Routine } from "./program_flow.ts";
import { codeBase, type Entries, LAYOUT, type World, WORLDS } from "./program_world.ts";

const EAX = 0, ECX = 1, ESP = 4, EBP = 5;
const JMP = 0xeb, JZ = 0x74;

/** Bytes in front of the code. */
const MARGIN = 0x100;

/** A program and the world that it is made for. */
export interface Program {
  readonly seed: number;
  readonly world: World;
  /** Lies at `LAYOUT.CODE`. */
  readonly code: Uint8Array;
  readonly entries: Entries;
}

/** The program of a seed, in the seed's own world unless another is given. */
export function makeProgram(seed: number, world: World = WORLDS[seed % WORLDS.length]!): Program {
  for (let variant = 0;; variant++) {
    const program = new Generator(seed, variant, world).program();
    if (program.code.length <= LAYOUT.CODE_END - LAYOUT.CODE) return program;
  }
}

/** Writes what stands around the statements. */
class Generator extends Flow {
  readonly #seed: number;

  constructor(seed: number, variant: number, world: World) {
    super(seed + Math.imul(variant, 0x9e3779b9), world);
    this.#seed = seed;
  }

  program(): Program {
    // Data that ends late does not reach the code.
    this.asm.bytes(...new Array<number>(MARGIN).fill(0xcc));
    const begin = this.asm.here;
    const again = this.#main();
    const fault = this.asm.here;
    this.#faultHandler(again);
    const pageFault = this.asm.here;
    this.#pageFaultHandler(again);
    const interrupts = [0, 1, 2].map((n) => this.#interruptHandler(n));
    this.routines.forEach((routine, n) => this.#routine(routine, n));
    this.#aim();
    const code = this.asm.finish();
    const entries = { begin, fault, pageFault, interrupts };
    return { seed: this.#seed, world: this.world, code, entries };
  }

  // ---- the frame -----------------------------------------------------------------------------

  /** Rounds that call one function after the other, for ever. */
  #main(): Label {
    const asm = this.asm;
    const again = newLabel();
    const table = newLabel();
    asm.place(again);
    const { word } = asm;
    const stack = LAYOUT.STACK - 0x100;
    this.load(ESP, stack);
    this.load(EBP, stack + 0x40);
    asm.bytes(0xdb, 0xe3, 0x1e, 0x07, this.rng.pick([0xfb, 0xfc]));
    const rounds = this.at(LAYOUT.ROUNDS);
    asm.form(word, 0xff, 0, rounds);
    asm.form(word, 0x8b, EAX, rounds);
    asm.form(word, 0x83, 4, EAX);
    asm.value(1, 7);
    this.through(table, EAX, 0xff, 2);
    if (this.rng.chance(30)) asm.form(word, 0x8b, ESP, EBP);
    asm.branch(JMP, again, false);
    asm.place(table);
    for (let n = 0; n < 8; n++) {
      const { label } = this.routines[n % this.routines.length]!;
      asm.address(label, this.alias());
    }
    return again;
  }

  /** Begins the next round, whatever was going on. */
  #faultHandler(again: Label): void {
    const asm = this.asm;
    if (this.world.user) {
      this.load(ESP, LAYOUT.INNER_STACK);
      asm.form(4, 0xff, 0, this.at(LAYOUT.FAULTS));
      for (const word of [0x23, LAYOUT.STACK - 0x100, 0x3202, 0x1b]) {
        asm.bytes(0x68);
        asm.value(4, word);
      }
      asm.bytes(0x68);
      asm.address(again);
      asm.bytes(0xcf);
      return;
    }
    this.load(ESP, LAYOUT.STACK - 0x100);
    asm.form(asm.word, 0xff, 0, this.at(LAYOUT.FAULTS));
    asm.branch(JMP, again, false);
  }

  /** Maps what was missing, and sometimes takes something else away. */
  #pageFaultHandler(again: Label): void {
    const asm = this.asm;
    if (!this.world.lazy) return this.#faultHandler(again);
    const other = newLabel();
    const done = newLabel();
    asm.bytes(0x60, 0x0f, 0x20, 0xd0, 0x8d, 0x88);
    asm.value(4, -LAYOUT.LAZY);
    asm.bytes(0x81, 0xf9);
    asm.value(4, LAYOUT.DATA_PAGES * 0x1000);
    asm.branch(0x73, other, false);
    asm.bytes(0xc1, 0xe8, 12, 0x80, 0x0c, 0x85);
    asm.value(4, LAYOUT.TABLE);
    asm.bytes(1);
    if (this.rng.chance(60)) {
      // Every second time another page goes, never one that the same access may need.
      asm.form(4, 0xff, 0, this.at(LAYOUT.FAULTS + 12));
      asm.form(1, 0xf6, 0, this.at(LAYOUT.FAULTS + 12));
      asm.bytes(1);
      asm.branch(0x75, done, false);
      asm.bytes(0x34, 2, 0x80, 0x24, 0x85);
      asm.value(4, LAYOUT.TABLE);
      asm.bytes(0xfe);
      // INVLPG, or CR3 once more.
      if (this.rng.chance(60)) asm.bytes(0xc1, 0xe0, 12, 0x0f, 0x01, 0x38);
      else asm.bytes(0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8);
      asm.place(done);
    }
    asm.bytes(0x61, 0x83, 0xc4, 4, 0xcf);
    asm.place(other);
    this.#faultHandler(again);
  }

  #interruptHandler(number: number): number {
    const asm = this.asm;
    const { here } = asm;
    asm.bytes(0x50, 0x51);
    for (let n = 0; n <= number; n++) this.straight.one(~3);
    if (number === 2) this.loop(~3);
    asm.form(asm.word, 0xff, 0, this.at(LAYOUT.FAULTS + 4));
    asm.bytes(0x59, 0x58, 0xcf);
    this.writeBehind();
    return here;
  }

  // ---- functions -----------------------------------------------------------------------------

  #routine(routine: Routine, number: number): void {
    const asm = this.asm;
    const rng = this.rng;
    if (rng.chance(40)) this.#approachPageEnd();
    asm.place(routine.label);
    this.callable = number + 1;
    const frame = rng.chance(70);
    this.straight.framed = frame;
    if (frame) {
      asm.bytes(0x50 + EBP);
      asm.form(asm.word, 0x8b, EBP, ESP);
      asm.form(asm.word, 0x83, 5, ESP);
      asm.value(1, 0x20);
    }
    if (frame && routine.recursive) this.#recursion(routine);
    const statements = 2 + rng.below(5);
    for (let n = 0; n < statements; n++) this.statement(0);
    if (frame) asm.bytes(0xc9);
    this.#return(routine);
    this.writeBehind();
  }

  /** The next function crosses into another page. */
  #approachPageEnd(): void {
    const linear = this.asm.here + codeBase(this.world);
    const room = 0x1000 - (linear & 0xfff) - 8 - this.rng.below(60);
    if (room < 0 || linear + room > LAYOUT.CODE_END - 0x1800) return;
    this.asm.bytes(...new Array<number>(room).fill(0xcc));
  }

  /** Calls itself until a counter on the stack, which the caller leaves to chance, is used up. */
  #recursion({ label, released }: Routine): void {
    const asm = this.asm;
    const out = newLabel();
    const { word } = asm;
    asm.bytes(0xa1);
    asm.value(word, LAYOUT.FAULTS + 8);
    asm.form(word, 0xff, 0, EAX);
    asm.bytes(0xa3);
    asm.value(word, LAYOUT.FAULTS + 8);
    asm.bytes(0xa8, this.rng.pick([1, 3, 7]));
    asm.branch(JZ, out, false);
    if (released) this.push();
    asm.call(label);
    asm.place(out);
  }

  #return({ released }: Routine): void {
    const asm = this.asm;
    if (released) return asm.bytes(0xc2, released, 0);
    switch (this.rng.below(6)) {
      case 0: // POP; JMP to it
        asm.bytes(0x58 + ECX);
        return asm.bytes(0xff, 0xe0 + ECX);
      case 1: // POP; PUSH; RET
        asm.bytes(0x58 + ECX, 0x50 + ECX);
        return asm.bytes(0xc3);
      default:
        return asm.bytes(0xc3);
    }
  }

  // ---- stores into code ----------------------------------------------------------------------

  /** Gives every store into code a target: the same block, another, another page. */
  #aim(): void {
    const asm = this.asm;
    const rng = this.rng;
    const { sites, stores } = this.straight;
    for (const { disp, size } of stores) {
      const fitting = sites.filter((site) => site.size === size);
      const near = fitting.filter((site) => Math.abs(site.at - disp) < 80);
      const choice = near.length && rng.chance(50) ? near : fitting;
      const site = choice.length ? rng.pick(choice) : undefined;
      const at = site === undefined ? LAYOUT.DATA : site.at + codeBase(this.world) + this.alias();
      asm.patch(disp, asm.word, at);
      asm.patch(disp + asm.word, size, site?.values ? rng.pick(site.values) : rng.next());
    }
  }
}
