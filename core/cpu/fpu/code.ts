/**
 * Writes the generated functions of the x87: {@link FunctionBody} with variables, and what they all
 * need to say.
 * @module
 */

import {
  add,
  and,
  eq,
  eqz,
  eqz64,
  load16,
  load32,
  load64,
  local,
  ltS64,
  ltU,
  ne,
  ne64,
  not,
  num,
  num64,
  OP,
  or,
  or64,
  select,
  shl,
  shl64,
  shr,
  shrU64,
  sub,
  type Val,
  wideU,
} from "../ir.ts";
import { AT, TLB } from "../state.ts";
import { type Callee, FunctionBody, I32, I64 } from "../wasm.ts";
import { EMPTY, MAX_EXPONENT, PC_SHIFT, SIGN_EXPONENT, SLOT, SW } from "./layout.ts";

const word = (at: number): Val => load32(num(at));

/** The status word. */
export const STATUS: Val = word(AT.FPU_STATUS);
/** The control word. */
export const CONTROL: Val = word(AT.FPU_CONTROL);
/** Bit 63. */
export const TOP_BIT: Val = shl64(num64(1), num64(63));
/** 64 bits of zero. */
export const ZERO_64: Val = num64(0);

/** Address of the register `index` places below the top of the stack. */
export function stackAddress(index: Val): Val {
  const place = and(add(shr(STATUS, num(7)), shl(index, num(4))), num(7 * SLOT));
  return add(place, num(AT.FPU_REGS));
}
/** Address of ST(0). */
export const ST0: Val = stackAddress(num(0));

/** Significand of the register at an address. */
export const significand = (at: Val): Val => load64(at);
/** Sign and exponent of the register at an address. */
export const signExponent = (at: Val): Val => load16(at, SIGN_EXPONENT);
/** Biased exponent. */
export const exponentOf = (se: Val): Val => and(se, num(MAX_EXPONENT));
/** Sign, 0 or 0x8000. */
export const signOf = (se: Val): Val => and(se, num(0x8000));

/** Twice the number of the register at an address: its place in the tag word. */
const tagShift = (at: Val): Val => shr(sub(at, num(AT.FPU_REGS)), num(3));

/** The register at an address is empty. The temporary one never is. */
export function isEmpty(at: Val): Val {
  return eq(and(shr(word(AT.FPU_TAGS), tagShift(at)), num(EMPTY)), num(EMPTY));
}

/** Normal: exponent inside the format, leading bit set. */
export function isNormal(se: Val, bits: Val): Val {
  const inside = ltU(sub(exponentOf(se), num(1)), num(MAX_EXPONENT - 1));
  return and(inside, ltS64(bits, ZERO_64));
}

/** Zero of either sign. */
export const isZero = (se: Val, bits: Val): Val => and(eqz64(bits), eqz(exponentOf(se)));

/** Bits that the precision control clears at the end of a significand: 40, -, 11, 0. */
export const precisionShift: Val = and(
  shr(num(0x000b_0028), shl(and(shr(CONTROL, num(PC_SHIFT)), num(3)), num(3))),
  num(0xff),
);

/** One function of the generated half. */
export class FpuCode extends FunctionBody {
  constructor(type: Callee) {
    super(type);
  }

  /** A parameter. */
  arg(n: number): Val {
    return local(n);
  }

  let(v: Val): Val {
    return this.set(local(this.local(I32)), v);
  }

  let64(v: Val): Val {
    return this.set(local(this.local(I64)), v);
  }

  /** Assigns to a variable: a parameter or the result of `let`. */
  set(variable: Val, v: Val): Val {
    if (variable.op !== OP.LOCAL) throw new TypeError("not a variable");
    this.setLocal(variable.n, v);
    return variable;
  }

  /** Result of a call. */
  callFor(callee: Callee, ...args: readonly Val[]): Val {
    const index = this.local(callee.results[0]);
    this.callTo(index, callee, ...args);
    return local(index);
  }

  /** Writes the register at an address. */
  setRegister(at: Val, bits: Val, se: Val): void {
    this.store64(at, 0, bits);
    this.store(at, SIGN_EXPONENT, se, 2);
  }

  copyRegister(to: Val, from: Val): void {
    this.setRegister(to, significand(from), signExponent(from));
  }

  setStatus(v: Val): void {
    this.store(num(AT.FPU_STATUS), 0, v, 4);
  }

  /** Marks the register at an address as filled. */
  fill(at: Val): void {
    const mask = shl(num(EMPTY), tagShift(at));
    const tags = word(AT.FPU_TAGS);
    this.store(num(AT.FPU_TAGS), 0, and(tags, not(mask)), 4);
  }

  /** Empties ST(0) and turns the stack. */
  pop(): void {
    const tag = shl(num(EMPTY), and(shr(STATUS, num(10)), num(14)));
    this.store(num(AT.FPU_TAGS), 0, or(word(AT.FPU_TAGS), tag), 4);
    this.turn(num(1));
  }

  /** Adds to TOP. */
  turn(by: Val): void {
    const top = and(add(STATUS, shl(by, num(11))), num(SW.TOP));
    this.setStatus(or(and(STATUS, num(~SW.TOP)), top));
  }

  /** Sets C1 and sticky exceptions, and the summary when one of them is not masked. */
  raise(flags: Val): void {
    const unmasked = and(and(flags, num(SW.EXCEPTIONS)), not(CONTROL));
    const summary = select(unmasked, num(SW.ES | SW.B), num(0));
    this.setStatus(or(or(and(STATUS, num(~SW.C1)), flags), summary));
  }

  clearC1(): void {
    this.setStatus(and(STATUS, num(~SW.C1)));
  }

  /**
   * Host address of `size` bytes at a linear address, 0 when TypeScript must make the access.
   * @param tag TLB.READ or TLB.WRITE
   */
  host(linear: Val, size: number, tag: number): Val {
    const index = and(shr(linear, num(8)), num((TLB.ENTRIES - 1) << 4));
    const entry = this.let(add(index, word(AT.BANK)));
    const page = and(add(linear, num(size - 1)), num(~0xfff));
    const missed = ne(load32(entry, tag), page);
    return this.let(select(missed, num(0), add(linear, load32(entry, TLB.ADDEND))));
  }

  /** Goes to another function, under a condition. */
  leaveIf(cond: Val, callee: Callee, ...args: readonly Val[]): void {
    this.if(cond, () => this.tailCall(callee, ...args));
  }
}

/** What is left of bits that were shifted out: 1 if there were any. */
export const sticky = (v: Val): Val => wideU(ne64(v, ZERO_64));

/** Shifts (hi, 0) right by `count`, keeping a sticky bit. */
export function shiftRight(f: FpuCode, hi: Val, count: Val): [Val, Val] {
  const lo = f.let64(ZERO_64);
  f.if(count, () => {
    f.if(
      ltU(count, num(64)),
      () => {
        f.set(lo, shl64(hi, wideU(sub(num(64), count))));
        f.set(hi, shrU64(hi, wideU(count)));
      },
      () => {
        const rest = wideU(sub(num(128), count));
        f.set(lo, num64(1));
        f.if(ltU(count, num(128)), () => {
          const lost = select(eq(count, num(64)), ZERO_64, shl64(hi, rest));
          f.set(lo, or64(shrU64(hi, wideU(count)), sticky(lost)));
        });
        f.set(hi, ZERO_64);
      },
    );
  });
  return [hi, lo];
}

/** A register's halves in variables. */
export interface Loaded {
  readonly se: Val;
  readonly bits: Val;
}

/** Reads the register at an address. */
export function loaded(f: FpuCode, at: Val): Loaded {
  return { se: f.let(signExponent(at)), bits: f.let64(significand(at)) };
}

/** Pops, under a condition. */
export function popIf(f: FpuCode, cond: Val): void {
  f.if(cond, () => f.pop());
}
