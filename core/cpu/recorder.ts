/**
 * The first tier's reading of the semantics: {@link X} in record mode. One handler serves every
 * instruction of the same shape; what differs between them (registers, displacement, immediate,
 * addresses) it reads from the instruction's record.
 * @module
 */

import { ENTER_SAME_RING, EXECUTE, HELD_UP, LOOK_AGAIN, RETURN_SAME_RING } from "./callees.ts";
import { Emitter } from "./emitter.ts";
import { type Insn, KIND } from "./insn.ts";
import {
  add,
  and,
  eq,
  eqz,
  geS,
  load16,
  load32,
  load8,
  local,
  ltS,
  ne,
  num,
  shl,
  sub,
  type Val,
} from "./ir.ts";
import { jumpThroughCache, tlbIndex, word } from "./lookups.ts";
import { MEMORY_FLAGS } from "./memory_flags.ts";
import { byteRegister, HANDLER, REC, type Shape } from "./record.ts";
import { SAME_RING } from "./same_ring.ts";
import { AT, CS, SEG, TLB } from "./state.ts";
import { type Callee, FunctionBody } from "./wasm.ts";
import type { FlagWords } from "./x.ts";

const RECORD: Val = local(0);
const field = (offset: number): Val => load32(RECORD, offset);
const half = (offset: number): Val => load16(RECORD, offset);

/** Writes one handler. */
export class Recorder extends Emitter {
  override readonly body: FunctionBody = new FunctionBody();
  protected override readonly insn: Insn;
  protected override readonly shape: Shape;
  protected override readonly bank: Val = word(AT.BANK);
  protected override readonly mode: Val = word(AT.MODE);
  protected override readonly operandSegment: Val = half(REC.SEGMENT);
  protected override readonly target: Val = field(REC.TARGET);
  override readonly pc: Val = field(REC.PC);
  override readonly next: Val = field(REC.NEXT);
  override readonly budgetLeft: Val = add(word(AT.BUDGET), load8(RECORD, REC.LEFT));

  override get immediate(): Val {
    return this.shape.patched ? this.patched(field(REC.IMM)) : field(REC.IMM);
  }

  constructor(insn: Insn, shape: Shape) {
    super();
    this.insn = insn;
    this.shape = shape;
  }

  /** Goes on with the record behind this one. */
  finish(): void {
    this.body.dispatch(add(RECORD, num(REC.STRIDE)));
  }

  protected override temporary(type?: number): number {
    return this.body.local(type);
  }

  protected override escape(): void {
    this.body.store(num(AT.RECORD), 0, RECORD, 4);
  }

  override if(cond: Val, then: () => void, otherwise?: () => void): void {
    this.body.if(cond, then, otherwise);
  }

  protected override direct(n: number): Val {
    if (this.insn.operands[n]!.kind === KIND.IMM) return this.let(this.immediate);
    const address = half(REC.REG + 2 * n);
    const size = this.sizeOf(n);
    return this.let(size === 4 ? load32(address) : size === 2 ? load16(address) : load8(address));
  }

  protected override setDirect(n: number, v: Val): void {
    this.body.store(half(REC.REG + 2 * n), 0, v, this.sizeOf(n));
  }

  override vectorIndex(n: number): Val {
    return half(REC.REG + 2 * n);
  }

  override address(_n: number): Val {
    let offset = add(load32(half(REC.BASE)), field(REC.DISP));
    if (this.insn.index >= 0) {
      offset = add(offset, shl(load32(half(REC.INDEX)), half(REC.SCALE)));
    }
    return this.addressSize === 4 ? offset : and(offset, num(0xffff));
  }

  override reg(register: number, size: 1 | 2 | 4 = 4): Val {
    if (size === 4) return word(register * 4);
    if (size === 2) return load16(num(register * 4));
    return load8(num(byteRegister(register)));
  }

  override setReg(register: number, v: Val, size: 1 | 2 | 4 = 4): void {
    this.body.store(num(size === 1 ? byteRegister(register) : register * 4), 0, v, size);
  }

  // ---- flags ---------------------------------------------------------------------------------

  override setFlags(words: FlagWords): void {
    const put = (at: number, v: Val | undefined): void => {
      if (v) this.body.store(num(at), 0, v, 4);
    };
    put(AT.CA, words.ca);
    put(AT.CB, words.cb);
    put(AT.FR, words.fr);
    put(AT.FO, words.fo);
    put(AT.FX, words.fx);
  }

  override readonly carry: Val = MEMORY_FLAGS.carry;
  override readonly zero: Val = MEMORY_FLAGS.zero;
  override readonly parity: Val = MEMORY_FLAGS.parity;
  override readonly adjust: Val = MEMORY_FLAGS.adjust;
  override readonly sign: Val = MEMORY_FLAGS.sign;
  override readonly overflow: Val = MEMORY_FLAGS.overflow;
  override readonly less: Val = MEMORY_FLAGS.less;
  override readonly notGreater: Val = MEMORY_FLAGS.notGreater;
  override readonly notAbove: Val = MEMORY_FLAGS.notAbove;

  // ---- control flow --------------------------------------------------------------------------

  override jump(): void {
    this.#leave(REC.TARGET, REC.TAKEN, this.shape.nearTarget);
  }

  override jumpIf(cond: Val): void {
    this.body.if(cond, () => this.jump());
    this.proceed();
  }

  override proceed(): void {
    this.#leave(REC.NEXT, REC.FALL, this.shape.nearNext);
  }

  protected override enterBlock(head: Val, handler: Val): void {
    enterBlock(this.body, (v) => this.let(v), head, handler);
  }

  /**
   * Goes to a block on another page that has been linked, is still there, and has its memory where
   * the TLB leads to. Another block may stand there by now: then the jump cache knows.
   */
  #leap(target: Val, link: Val): void {
    const head = this.let(load32(link));
    this.body.if(head, () => {
      const handler = this.let(load32(head));
      this.body.if(ne(handler, num(HANDLER.STOP)), () => {
        const linear = this.linearOf(target);
        const entry = this.let(add(tlbIndex(linear), this.bank));
        const page = eq(load32(entry, TLB.EXECUTE), and(linear, num(~0xfff)));
        const memory = eq(load32(entry, TLB.ADDEND), load32(head, REC.ADDEND));
        this.body.if(and(page, memory), () => this.enterBlock(head, handler));
        this.jumpTo(target);
      });
    });
    this.askForLink(target, link);
  }

  #leave(target: number, link: number, near: boolean): void {
    const to = add(RECORD, num(link));
    if (near) this.follow(field(target), to);
    else this.#leap(this.let(field(target)), to);
  }
}

/**
 * Does what most heads do in the place of their handler, which saves a jump that the host's
 * processor has to guess.
 */
function enterBlock(body: FunctionBody, keep: (v: Val) => Val, head: Val, handler: Val): void {
  const [record, number] = [keep(head), keep(handler)];
  body.if(eq(number, num(HANDLER.HEAD)), () => {
    const heat = keep(sub(load32(record, REC.HEAT), num(1)));
    const rest = keep(sub(word(AT.BUDGET), load32(record, REC.COUNT)));
    body.if(
      and(ne(heat, num(0)), geS(rest, num(0))),
      () => {
        body.store(record, REC.HEAT, heat, 4);
        body.store(num(AT.BUDGET), 0, rest, 4);
        body.dispatch(add(record, num(REC.STRIDE)));
      },
      undefined,
      true,
    );
  });
  body.dispatch(record, number);
}

/** Goes to the block at EIP if the jump cache has it. */
function goToEip(body: FunctionBody): void {
  const keep = (v: Val): Val => {
    const index = body.local();
    body.setLocal(index, v);
    return local(index);
  };
  const linear = keep(add(word(AT.EIP), word(AT.SEGS + CS * SEG.STRIDE + SEG.BASE)));
  const enter = (head: Val, handler: Val): void => enterBlock(body, keep, head, handler);
  jumpThroughCache(body, keep, linear, word(AT.MODE), word(AT.BANK), enter);
}

/** Calls one of the functions of same_ring.ts; where it refuses, TypeScript executes the record. */
function transfer(body: FunctionBody, callee: Callee, ...args: Val[]): void {
  const outcome = body.local();
  body.if(ltS(num(0), word(AT.BUDGET)), () => {
    body.callTo(outcome, callee, ...args);
    body.if(local(outcome), () => {
      body.store(num(AT.BUDGET), 0, sub(word(AT.BUDGET), num(1)), 4);
      body.if(eq(local(outcome), num(SAME_RING.OPENED)), () => {
        body.callTo(outcome, HELD_UP);
        body.if(local(outcome), () => body.return());
      });
      goToEip(body);
      body.return();
    });
  });
  SPECIAL.complex(body);
}

/** Handlers that belong to no instruction. */
export const SPECIAL = {
  /** Stops in front of the record's PC: end of a scratch run, dropped block. */
  stop(body: FunctionBody): void {
    body.store(num(AT.EIP), 0, field(REC.PC), 4);
    body.return();
  },
  /** Takes the block's length off the budget, or stops in front of it: maybe to be compiled. */
  head(body: FunctionBody): void {
    const heat = body.local();
    body.setLocal(heat, sub(field(REC.HEAT), num(1)));
    body.store(RECORD, REC.HEAT, local(heat), 4);
    body.if(eqz(local(heat)), () => {
      body.store(num(AT.HOT), 0, RECORD, 4);
      SPECIAL.stop(body);
    });
    const rest = body.local();
    body.setLocal(rest, sub(word(AT.BUDGET), field(REC.COUNT)));
    body.if(ltS(local(rest), num(0)), () => SPECIAL.stop(body));
    body.store(num(AT.BUDGET), 0, local(rest), 4);
    body.dispatch(add(RECORD, num(REC.STRIDE)));
  },
  /** An instruction that TypeScript executes. */
  complex(body: FunctionBody): void {
    const goesOn = body.local();
    body.callTo(goesOn, EXECUTE, RECORD);
    body.if(eqz(local(goesOn)), () => body.return());
    goToEip(body);
  },
  /** INT n. */
  interrupt(body: FunctionBody): void {
    transfer(body, ENTER_SAME_RING, field(REC.IMM), field(REC.RETURN), word(AT.CPL), num(0));
  },
  /** IRET. */
  interruptReturn(body: FunctionBody): void {
    transfer(body, RETURN_SAME_RING);
  },
  /** In front of an instruction that lies on two pages. */
  straddling(body: FunctionBody): void {
    const goesOn = body.local();
    body.callTo(goesOn, LOOK_AGAIN, RECORD);
    body.if(eqz(local(goesOn)), () => body.return());
    body.dispatch(add(RECORD, num(REC.STRIDE)));
  },
  /** Goes to the record given: how TypeScript enters. */
  enter(body: FunctionBody): void {
    body.dispatch(RECORD);
  },
} as const;
