/**
 * Writes WebAssembly: bytes, expressions, statements, and a module around function bodies.
 * @module
 */

import { isLoad, load32, local, num, OP, type Val } from "./ir.ts";

/** Growable byte buffer with the encodings of the binary format. */
export class ByteWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#grow(this.#length * 2);
    this.#bytes[this.#length++] = value;
  }

  bytes(...values: readonly number[]): void {
    for (const value of values) this.byte(value);
  }

  /** Unsigned LEB128 of a 32-bit value. */
  u32(value: number): void {
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  /** Signed LEB128 of a 32-bit value. */
  s32(value: number): void {
    let rest = value | 0;
    while (rest > 63 || rest < -64) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>= 7;
    }
    this.byte(rest & 0x7f);
  }

  append(other: ByteWriter): void {
    const end = this.#length + other.length;
    if (end > this.#bytes.length) this.#grow(Math.max(end, this.#bytes.length * 2));
    this.#bytes.set(other.view(), this.#length);
    this.#length = end;
  }

  #grow(length: number): void {
    const grown = new Uint8Array(length);
    grown.set(this.#bytes);
    this.#bytes = grown;
  }

  /** Overwrites two bytes with a number below 2^14, padded to that length. */
  patch14(at: number, value: number): void {
    this.#bytes[at] = (value & 0x7f) | 0x80;
    this.#bytes[at + 1] = value >> 7;
  }

  text(value: string): void {
    this.u32(value.length);
    for (let i = 0; i < value.length; i++) this.byte(value.charCodeAt(i));
  }

  view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** Value type of 32-bit integers. */
export const I32 = 0x7f;
/** Value type of 64-bit integers. */
export const I64 = 0x7e;
const VOID = 0x40;
/** The largest constant of two bytes. */
const LATER = 0x1fff;

/** A function that generated code calls: of its own module, or imported under its name. */
export interface Callee {
  readonly name: string;
  readonly params: readonly number[];
  readonly results: readonly number[];
}

/** A function of 32-bit values. */
export const callee = (name: string, params: number, results: number): Callee => ({
  name,
  params: new Array(params).fill(I32),
  results: new Array(results).fill(I32),
});

/** Every record handler and every compiled block: parameter 0 is a record. */
export const HANDLER_TYPE: Callee = callee("", 1, 0);

/** Body of one function; its parameters are the first locals, further ones are made on demand. */
export class FunctionBody {
  readonly code: ByteWriter = new ByteWriter();
  readonly type: Callee;
  readonly #locals: number[] = [];
  /** Blocks and loops open at this point. */
  #depth = 0;
  readonly #hints: { readonly at: number; readonly likely: boolean }[] = [];
  /** Where a callee's number goes, two bytes each. */
  readonly calls: { readonly at: number; readonly callee: Callee }[] = [];

  constructor(type: Callee = HANDLER_TYPE) {
    this.type = type;
  }

  /** @returns index of a new local */
  local(type: number = I32): number {
    return this.type.params.length + this.#locals.push(type) - 1;
  }

  expr(v: Val): void {
    if (v.a) this.expr(v.a);
    if (v.b) this.expr(v.b);
    if (v.c) this.expr(v.c);
    this.code.byte(v.op);
    if (v.op === OP.I32_CONST || v.op === OP.I64_CONST) this.code.s32(v.n);
    else if (v.op === OP.LOCAL) this.code.u32(v.n);
    else if (isLoad(v)) this.#memarg(v.n);
  }

  #memarg(offset: number): void {
    this.code.byte(0);
    this.code.u32(offset);
  }

  setLocal(index: number, v: Val): void {
    this.expr(v);
    this.assign(index);
  }

  /** Sets a local to the value on the stack. */
  assign(index: number): void {
    this.code.byte(0x21);
    this.code.u32(index);
  }

  /** Stores the low `size` bytes of `v` at `address` + `offset` of linear memory. */
  store(address: Val, offset: number, v: Val, size: number): void {
    this.expr(address);
    this.expr(v);
    this.code.byte(size === 4 ? 0x36 : size === 2 ? 0x3b : 0x3a);
    this.#memarg(offset);
  }

  /** Stores a 64-bit value. */
  store64(address: Val, offset: number, v: Val): void {
    this.expr(address);
    this.expr(v);
    this.code.byte(0x37);
    this.#memarg(offset);
  }

  /** @param likely what `cond` probably is, where that is known */
  if(cond: Val, then: () => void, otherwise?: () => void, likely?: boolean): void {
    this.expr(cond);
    this.#if(then, otherwise, likely);
  }

  #if(then: () => void, otherwise?: () => void, likely?: boolean): void {
    this.#hint(likely);
    this.code.bytes(0x04, VOID);
    this.#depth++;
    then();
    if (otherwise) {
      this.code.byte(0x05);
      otherwise();
    }
    this.#depth--;
    this.code.byte(0x0b);
  }

  /**
   * Does something if a local is below a number, which probably it is not.
   * @returns what sets that number, at most {@link LATER}, when it is known
   */
  ifBelow(index: number, then: () => void): (limit: number) => void {
    this.expr(local(index));
    this.expr(num(LATER));
    const at = this.code.length - 2;
    this.code.byte(OP.LT_S);
    this.#if(then, undefined, false);
    return (limit) => {
      if (limit > LATER) throw new RangeError(`Cannot write ${limit} where two bytes are reserved`);
      this.code.patch14(at, limit);
    };
  }

  #hint(likely: boolean | undefined): void {
    if (likely !== undefined) this.#hints.push({ at: this.code.length, likely });
  }

  /** Code that {@link branch} to its label starts again. @param body is given the label */
  loop(body: (label: number) => void): void {
    this.#nest(0x03, body);
  }

  /** Code that {@link branch} to its label leaves. @param body is given the label */
  block(body: (label: number) => void): void {
    this.#nest(0x02, body);
  }

  #nest(op: number, body: (label: number) => void): void {
    this.code.bytes(op, VOID);
    body(this.#depth++);
    this.#depth--;
    this.code.byte(0x0b);
  }

  /** Jumps to a label, always or if `cond`. */
  branch(label: number, cond?: Val, likely?: boolean): void {
    if (cond) this.expr(cond);
    this.#hint(likely);
    this.code.byte(cond ? 0x0d : 0x0c);
    this.code.u32(this.#depth - label - 1);
  }

  /** Jumps to the label of that number, or to `other` if there are not so many. */
  branchTable(index: Val, labels: readonly number[], other: number): void {
    this.expr(index);
    this.code.byte(0x0e);
    this.code.u32(labels.length);
    for (const label of [...labels, other]) this.code.u32(this.#depth - label - 1);
  }

  call(callee: Callee, ...args: readonly Val[]): void {
    this.#callWith(0x10, callee, args);
  }

  callTo(index: number, callee: Callee, ...args: readonly Val[]): void {
    this.call(callee, ...args);
    this.code.byte(0x21);
    this.code.u32(index);
  }

  /** Ends the function with a call; the callee returns to this function's caller. */
  tailCall(callee: Callee, ...args: readonly Val[]): void {
    this.#callWith(0x12, callee, args);
  }

  #callWith(op: number, callee: Callee, args: readonly Val[]): void {
    for (const arg of args) this.expr(arg);
    this.code.byte(op);
    this.calls.push({ at: this.code.length, callee });
    this.code.bytes(0, 0);
  }

  return(v?: Val): void {
    if (v) this.expr(v);
    this.code.byte(0x0f);
  }

  unreachable(): void {
    this.code.byte(0x00);
  }

  /** Tail call of a record's handler, whose number stands in the first word. */
  dispatch(record: Val, handler: Val = load32(record)): void {
    this.expr(record);
    this.expr(handler);
    this.code.bytes(0x13, HANDLER_TYPE_INDEX, 0);
  }

  #declarations(): ByteWriter {
    const locals = new ByteWriter();
    locals.u32(this.#locals.length);
    for (const type of this.#locals) locals.bytes(1, type);
    return locals;
  }

  /** The function's branch hints: offsets count from its local declarations. */
  encodeHints(into: ByteWriter, number: number): void {
    const start = this.#declarations().length;
    into.u32(number);
    into.u32(this.#hints.length);
    for (const { at, likely } of this.#hints) {
      into.u32(start + at);
      into.bytes(1, likely ? 1 : 0);
    }
  }

  /** The body in the code section: size, locals, code with callees numbered. */
  encode(into: ByteWriter, numberOf: (callee: Callee) => number): void {
    for (const { at, callee } of this.calls) this.code.patch14(at, numberOf(callee));
    const body = this.#declarations();
    body.append(this.code);
    body.byte(0x0b);
    into.u32(body.length);
    into.append(body);
  }
}

/** The first type of every module. */
const HANDLER_TYPE_INDEX = 0;

function section(into: ByteWriter, id: number, fill: (body: ByteWriter) => void): void {
  const body = new ByteWriter();
  fill(body);
  into.byte(id);
  into.u32(body.length);
  into.append(body);
}

/** Function types of a module, each once. */
class Types {
  readonly list: Callee[] = [HANDLER_TYPE];

  index({ params, results }: Callee): number {
    const same = (a: readonly number[], b: readonly number[]): boolean =>
      a.length === b.length && a.every((type, n) => type === b[n]);
    const known = this.list.findIndex((t) => same(t.params, params) && same(t.results, results));
    return known >= 0 ? known : this.list.push({ name: "", params, results }) - 1;
  }
}

/**
 * A module with the given functions, exported as "0", "1", …. It imports memory, table and every
 * callee that is not the name of one of its functions.
 * @param pages all memories it will run with have this many, of 64 KiB: no access to a constant
 * address needs a check
 */
export function encodeModule(
  bodies: readonly FunctionBody[],
  pages?: number,
): Uint8Array<ArrayBuffer> {
  const types = new Types();
  const imports: Callee[] = [];
  const numbers = new Map<string, number>();
  const own = new Set(bodies.map(({ type }) => type.name));
  for (const { calls } of bodies) {
    for (const { callee } of calls) {
      if (own.has(callee.name) || numbers.has(callee.name)) continue;
      numbers.set(callee.name, imports.push(callee) - 1);
    }
  }
  bodies.forEach(({ type }, n) => {
    if (type.name) numbers.set(type.name, imports.length + n);
  });
  const importTypes = imports.map((each) => types.index(each));
  const bodyTypes = bodies.map(({ type }) => types.index(type));
  const out = new ByteWriter();
  out.bytes(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  section(out, 1, (s) => {
    s.u32(types.list.length);
    for (const { params, results } of types.list) {
      s.bytes(0x60, params.length, ...params, results.length, ...results);
    }
  });
  section(out, 2, (s) => {
    s.u32(imports.length + 2);
    imports.forEach(({ name }, n) => {
      s.text("x");
      s.text(name);
      s.bytes(0, importTypes[n]!);
    });
    s.text("x");
    s.text("memory");
    s.bytes(2, pages === undefined ? 0 : 1);
    s.u32(pages ?? 1);
    if (pages !== undefined) s.u32(pages);
    s.text("x");
    s.text("table");
    s.bytes(1, 0x70, 0, 1);
  });
  section(out, 3, (s) => {
    s.u32(bodies.length);
    for (const type of bodyTypes) s.byte(type);
  });
  section(out, 7, (s) => {
    s.u32(bodies.length);
    bodies.forEach((_, i) => {
      s.text(String(i));
      s.byte(0);
      s.u32(imports.length + i);
    });
  });
  section(out, 0, (s) => {
    s.text("metadata.code.branch_hint");
    s.u32(bodies.length);
    bodies.forEach((body, n) => body.encodeHints(s, imports.length + n));
  });
  section(out, 10, (s) => {
    s.u32(bodies.length);
    for (const body of bodies) body.encode(s, ({ name }) => numbers.get(name)!);
  });
  return out.view();
}
