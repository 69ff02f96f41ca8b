/**
 * Memory as generated code accesses it: segments are checked, the TLB translates, and TypeScript
 * does what neither allows.
 * @module
 */

import { MODIFY, READ, SEGMENT_FAULT, WRITE } from "./callees.ts";
import type { Insn } from "./insn.ts";
import {
  add,
  and,
  eq,
  gtU,
  load16,
  load32,
  load8,
  local,
  ltU,
  ne,
  num,
  or,
  sub,
  type Val,
} from "./ir.ts";
import { lastPage, segmentAddress, tlbIndex, word } from "./lookups.ts";
import type { Shape } from "./record.ts";
import { CS, FS, SEG, SITES, TLB } from "./state.ts";
import { type FunctionBody, I64 } from "./wasm.ts";

/** Bytes of an access. */
export type Size = 1 | 2 | 4;

/** The half of an `Emitter` that reads and writes memory. */
export abstract class Accesses {
  abstract readonly body: FunctionBody;
  protected abstract readonly insn: Insn;
  protected abstract readonly shape: Shape;
  /** Address of the TLB bank. */
  protected abstract readonly bank: Val;
  /** Address of the segment register of the memory operand. */
  protected abstract readonly operandSegment: Val;
  /** Host address (0 = slow) and linear address of the operand last opened to be modified. */
  #host = -1;
  /** It may be slow. */
  #maybeSlow = false;
  #linear: Val = num(0);

  /** Tells TypeScript which instruction calls it, and makes the state in memory exact. */
  protected abstract escape(): void;
  /** After such a call. */
  protected resume(): void {}
  /**
   * Instead of such a call: leaves the instruction to the first tier, which begins it anew. What it
   * has stored by then it stores again.
   * @returns whether that can be done here
   */
  protected bailOut(): boolean {
    return false;
  }
  /** A new local of the function. */
  protected abstract temporary(type?: number): number;
  /** A local, until it is given to somebody else, holds no more than that many bits. */
  protected narrow(_index: number, _width: number): void {}
  /** Address of the site of an access, if it has one: see `SITES` in state.ts. */
  protected site(_segment: number, _write: boolean): number | undefined {
    return undefined;
  }

  /** In front of each instruction. */
  protected begin(): void {
    this.#host = -1;
  }

  let(v: Val): Val {
    const index = this.temporary();
    this.body.setLocal(index, v);
    return local(index);
  }

  let64(v: Val): Val {
    const index = this.temporary(I64);
    this.body.setLocal(index, v);
    return local(index);
  }

  load(segment: number | "operand", offset: Val, size: Size): Val {
    const linear = this.checked(segment, offset, size, 1);
    const result = this.temporary();
    const site = this.site(this.#number(segment), false);
    this.#access(linear, TLB.READ, size, site, (host) => this.#take(result, host, size), () => {
      this.body.callTo(result, READ[size], linear);
    });
    this.narrow(result, size * 8);
    return local(result);
  }

  store(segment: number | "operand", offset: Val, size: Size, v: Val): void {
    const linear = this.checked(segment, offset, size, 2);
    const value = this.let(v);
    const site = this.site(this.#number(segment), true);
    const put = (host: Val): void => this.body.store(host, 0, value, size);
    this.#access(linear, TLB.WRITE, size, site, put, () => {
      this.body.call(WRITE[size], linear, value);
    });
  }

  /** Reads a memory operand with the right to write it back. */
  protected open(offset: Val, size: Size): Val {
    const linear = this.checked("operand", offset, size, 3);
    const result = this.temporary();
    const host = this.temporary();
    this.#maybeSlow = false;
    const site = this.site(this.#number("operand"), true);
    this.#access(linear, TLB.WRITE, size, site, (at) => {
      this.body.setLocal(host, at);
      this.#take(result, local(host), size);
    }, () => {
      this.#maybeSlow = true;
      this.body.setLocal(host, num(0));
      this.body.callTo(result, MODIFY[size], linear);
    });
    this.narrow(result, size * 8);
    this.#host = host;
    this.#linear = linear;
    return local(result);
  }

  /** Writes to the operand opened last; if there is none, opens it by its offset. */
  protected close(offset: () => Val, size: Size, v: Val): void {
    if (this.#host < 0) return this.store("operand", offset(), size, v);
    const value = this.let(v);
    if (!this.#maybeSlow) return this.body.store(local(this.#host), 0, value, size);
    this.body.if(
      local(this.#host),
      () => this.body.store(local(this.#host), 0, value, size),
      () => {
        this.escape();
        this.body.call(WRITE[size], this.#linear, value);
        this.resume();
      },
    );
  }

  /**
   * An access through the TLB. One compare covers validity, permission and page crossing.
   * @param fast is given the host address
   * @param slow calls TypeScript
   */
  #access(
    linear: Val,
    tag: number,
    size: Size,
    site: number | undefined,
    fast: (host: Val) => void,
    slow: () => void,
  ): void {
    const { body } = this;
    const addend = site === undefined ? this.temporary() : -1;
    body.block((done) => {
      body.block((hit) => {
        if (site === undefined) {
          this.#look(linear, tag, size, (entry) => {
            body.setLocal(addend, load32(entry, TLB.ADDEND));
            body.branch(hit);
          }, true);
        } else this.#lookAtSite(linear, tag, size, site, hit);
        if (this.bailOut()) return;
        this.escape();
        slow();
        this.resume();
        body.branch(done);
      });
      fast(add(linear, site === undefined ? local(addend) : word(site + SITES.ADDEND)));
    });
  }

  /** @param found is given the access's TLB entry and page */
  #look(
    linear: Val,
    tag: number,
    size: Size,
    found: (entry: Val, page: Val) => void,
    likely?: boolean,
  ): void {
    const entry = this.let(add(tlbIndex(linear), this.bank));
    const page = this.let(lastPage(linear, size));
    this.body.if(eq(load32(entry, tag), page), () => found(entry, page), undefined, likely);
  }

  #lookAtSite(linear: Val, tag: number, size: Size, site: number, hit: number): void {
    const { body } = this;
    // A page has no low bits: an access that is not aligned, and might cross, does not match.
    const aligned = and(linear, num(~0xfff | (size - 1)));
    body.branch(hit, eq(word(site + SITES.PAGE), aligned), true);
    this.#look(linear, tag, size, (entry, page) => {
      body.store(num(site), SITES.ADDEND, load32(entry, TLB.ADDEND), 4);
      body.store(num(site), SITES.PAGE, page, 4);
      body.branch(hit);
    });
  }

  #number(segment: number | "operand"): number {
    return segment === "operand" ? this.insn.segment : segment;
  }

  #take(result: number, host: Val, size: Size): void {
    const value = size === 4 ? load32(host) : size === 2 ? load16(host) : load8(host);
    this.body.setLocal(result, value);
  }

  /** Linear address of an offset, after limit and right (1 read, 2 write, 3 both) are checked. */
  protected checked(segment: number | "operand", offset: Val, size: number, rights: number): Val {
    const flat = segment === "operand"
      ? this.shape.flatMemory
      : this.shape.flat && segment < FS && segment !== CS;
    if (flat) return this.let(offset);
    const at = segment === "operand" ? this.let(this.operandSegment) : segmentAddress(segment);
    const where = this.let(offset);
    const above = this.let(sub(where, load32(at, SEG.LOW)));
    const span = load32(at, SEG.SPAN);
    const outside = or(gtU(above, span), ltU(sub(span, above), num(size - 1)));
    const forbidden = ne(and(load32(at, SEG.RIGHTS), num(rights)), num(rights));
    this.body.if(
      or(outside, forbidden),
      () => {
        if (this.bailOut()) return;
        this.escape();
        this.body.call(SEGMENT_FAULT, at);
      },
      undefined,
      false,
    );
    return this.let(add(where, load32(at, SEG.BASE)));
  }
}
