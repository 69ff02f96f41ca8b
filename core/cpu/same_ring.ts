/**
 * Entries of 32-bit handlers and returns from them that stay in their ring, in generated code: the
 * usual case, where segments are flat, the TLB knows all addresses, and CS was loaded with all
 * checks from a descriptor that is still the same. In any other they do nothing, and TypeScript
 * does all: see deliver.ts and iret.ts.
 * @module
 */

import { ENTER_SAME_RING, RETURN_SAME_RING } from "./callees.ts";
import { Entry } from "./cached.ts";
import type { Cpu } from "./cpu.ts";
import { tlbIndex, word } from "./lookups.ts";
import {
  add,
  and,
  gtU,
  load32,
  local,
  ltU,
  ne,
  num,
  or,
  shl,
  shr,
  sub,
  type Val,
  xor,
} from "./ir.ts";
import { MEMORY_FLAGS } from "./memory_flags.ts";
import { RuntimeModule } from "./runtime_module.ts";
import { flagsByte, flagsOf, overflowBit } from "./sem/flags.ts";
import { AT, CR0, CS, ESP, FLAG, MODE, SEG, TLB } from "./state.ts";
import { FunctionBody } from "./wasm.ts";

/** What {@link RETURN_SAME_RING} and {@link ENTER_SAME_RING} return. */
export const SAME_RING = {
  /** Nothing has happened. */
  REFUSED: 0,
  DONE: 1,
  /** Done, and interrupts are on, which were off. */
  OPENED: 2,
} as const;

/** The two functions as TypeScript calls them. */
export interface SameRing {
  /**
   * @param eip return address
   * @param cpl privilege that the gate must let in
   * @param resume RF if the image of EFLAGS has it set
   */
  enter(vector: number, eip: number, cpl: number, resume: number): number;
}

const FLAT = MODE.FLAT | MODE.STACK32;
const CS_AT = AT.SEGS + CS * SEG.STRIDE;
/** Words of CS, and where the same are kept of the descriptor that has passed all checks. */
const PASSED = [
  [CS_AT + SEG.SELECTOR, AT.PASSED_SELECTOR],
  [CS_AT + SEG.BASE, AT.PASSED_BASE],
  [CS_AT + SEG.LIMIT, AT.PASSED_LIMIT],
  [CS_AT + SEG.ATTR, AT.PASSED_ATTR],
  [AT.CPL, AT.PASSED_CPL],
] as const;

const entry = new Entry();

/** CS as it is now has been loaded from its descriptor in the GDT, after all checks. */
export function rememberCode(cpu: Cpu): void {
  const { state } = cpu;
  const selector = state.selector(CS);
  if (selector & 4) return;
  entry.read(cpu, (state.get(AT.GDT_BASE) + (selector & 0xfff8)) | 0);
  state.set(AT.PASSED_LOW, entry.low);
  state.set(AT.PASSED_HIGH, entry.high);
  for (const [from, to] of PASSED) state.set(to, state.get(from));
}

/** The functions of {@link ENTER_SAME_RING} and {@link RETURN_SAME_RING}. */
export const sameRing: RuntimeModule = new RuntimeModule(() => [enter(), leave()]);

/** High word of a gate: present, type 14 or 15. */
const GATE = 0x8e00, GATE_MASK = 0x9e00, TRAP_GATE = 0x100;
/** Flags that no handler begins with; a gate that is no trap gate clears IF, too. */
const CLEARED = FLAG.TF | FLAG.NT | FLAG.RF | FLAG.VM;
/** Bytes of the frame: EIP, CS, EFLAGS. */
const FRAME = 12;

const EFLAGS = word(AT.EFLAGS);

function enter(): FunctionBody {
  const [vector, eip, cpl, resume] = [local(0), local(1), local(2), local(3)];
  const code = new Transfer(new FunctionBody(ENTER_SAME_RING));
  const { body } = code;
  code.requireFlat();
  const index = code.let(shl(vector, num(3)));
  code.refuseIf(gtU(add(index, num(7)), word(AT.IDT_LIMIT)));
  const gate = code.system(add(index, word(AT.IDT_BASE)));
  const low = code.let(load32(gate));
  const high = code.let(load32(gate, 4));
  code.refuseIf(ne(and(high, num(GATE_MASK)), num(GATE)));
  code.refuseIf(ltU(and(shr(high, num(13)), num(3)), cpl));
  const changed = xor(shr(low, num(16)), word(CS_AT + SEG.SELECTOR));
  code.refuseIf(and(changed, num(0xfffc)));
  code.requirePassed();
  const top = code.let(sub(word(ESP * 4), num(FRAME)));
  const frame = code.translate(top, FRAME, TLB.WRITE, word(AT.BANK));
  const image = or(or(EFLAGS, resume), or(flagsByte(MEMORY_FLAGS), overflowBit(MEMORY_FLAGS)));
  body.store(frame, 8, image, 4);
  body.store(frame, 4, word(CS_AT + SEG.SELECTOR), 4);
  body.store(frame, 0, eip, 4);
  body.store(num(ESP * 4), 0, top, 4);
  // IF is bit 9 and the gate's bit 0 of the type bit 8: clear where the gate is no trap gate.
  const kept = or(num(~(CLEARED | FLAG.IF)), shl(and(high, num(TRAP_GATE)), num(1)));
  body.store(num(AT.EFLAGS), 0, and(EFLAGS, kept), 4);
  const offset = or(and(low, num(0xffff)), and(high, num(0xffff0000)));
  body.store(num(AT.EIP), 0, offset, 4);
  body.expr(num(SAME_RING.DONE));
  return body;
}

/** What ring 0 loads of an image of EFLAGS, beside the arithmetic flags. */
const LOADED = FLAG.DF | FLAG.NT | FLAG.ID | FLAG.IF | FLAG.IOPL;
/** What TypeScript must see. */
const TELLING = FLAG.TF | FLAG.RF | FLAG.VM;

function leave(): FunctionBody {
  const code = new Transfer(new FunctionBody(RETURN_SAME_RING));
  const { body } = code;
  code.requireFlat();
  const barred = or(and(EFLAGS, num(FLAG.NT)), or(word(AT.CPL), word(AT.NMI_BLOCKED)));
  code.refuseIf(barred);
  const top = code.let(word(ESP * 4));
  const frame = code.translate(top, FRAME, TLB.READ, word(AT.BANK));
  const image = code.let(load32(frame, 8));
  code.refuseIf(or(and(image, num(TELLING)), and(xor(image, EFLAGS), num(FLAG.AC))));
  const selector = load32(frame, 4);
  code.refuseIf(and(xor(selector, word(CS_AT + SEG.SELECTOR)), num(0xffff)));
  code.requirePassed();
  const opened = code.let(and(and(image, xor(EFLAGS, num(-1))), num(FLAG.IF)));
  body.store(num(AT.EIP), 0, load32(frame), 4);
  body.store(num(ESP * 4), 0, add(top, num(FRAME)), 4);
  const kept = and(EFLAGS, num(~(LOADED | FLAG.RF)));
  body.store(num(AT.EFLAGS), 0, or(kept, and(image, num(LOADED))), 4);
  const { cb, fr, fx } = flagsOf(image);
  body.store(num(AT.CA), 0, num(0), 4);
  body.store(num(AT.CB), 0, cb, 4);
  body.store(num(AT.FR), 0, fr, 4);
  body.store(num(AT.FX), 0, fx, 4);
  body.store(num(AT.FO), 0, shl(image, num(20)), 4);
  body.expr(add(num(SAME_RING.DONE), shr(opened, num(9))));
  return body;
}

/** Writes one of the functions: what must hold before anything is changed. */
class Transfer {
  readonly body: FunctionBody;

  constructor(body: FunctionBody) {
    this.body = body;
  }

  let(v: Val): Val {
    const index = this.body.local();
    this.body.setLocal(index, v);
    return local(index);
  }

  refuseIf(cond: Val): void {
    this.body.if(cond, () => this.body.return(num(SAME_RING.REFUSED)), undefined, false);
  }

  /** Protected mode, flat segments, accesses that nobody watches. */
  requireFlat(): void {
    this.refuseIf(ne(and(word(AT.MODE), num(FLAT)), num(FLAT)));
    this.refuseIf(ne(and(word(AT.CR), num(CR0.PE)), num(CR0.PE)));
    this.refuseIf(or(and(EFLAGS, num(FLAG.VM)), gtU(word(AT.BANK), num(TLB.STRICT - 1))));
  }

  /** CS would be loaded with what it holds. */
  requirePassed(): void {
    const changes = PASSED.map(([now, then]) => xor(word(now), word(then)));
    this.refuseIf(changes.reduce(or));
    const selector = word(CS_AT + SEG.SELECTOR);
    this.refuseIf(gtU(or(selector, num(7)), word(AT.GDT_LIMIT)));
    const descriptor = this.system(add(word(AT.GDT_BASE), and(selector, num(0xfff8))));
    const low = xor(load32(descriptor), word(AT.PASSED_LOW));
    this.refuseIf(or(low, xor(load32(descriptor, 4), word(AT.PASSED_HIGH))));
  }

  /** Host address of eight bytes of a descriptor table. */
  system(linear: Val): Val {
    return this.translate(this.let(linear), 8, TLB.READ, num(TLB.BASE));
  }

  /** Host address of bytes that one look at a TLB bank allows. */
  translate(linear: Val, bytes: number, tag: number, bank: Val): Val {
    const at = this.let(add(tlbIndex(linear), bank));
    const page = and(add(linear, num(bytes - 1)), num(~0xfff));
    this.refuseIf(ne(load32(at, tag), page));
    return this.let(add(linear, load32(at, TLB.ADDEND)));
  }
}
