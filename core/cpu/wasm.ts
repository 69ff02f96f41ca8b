/**
 * Writes WebAssembly: bytes, expressions, statements, and a module around function bodies.
 * @module
 */

import { OP, type Val } from "./ir.ts";

/** Growable byte buffer with the encodings of the binary format. */
export class ByteWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  byte(value: number): void {
    if (this.#length === this.#bytes.length) {
      const grown = new Uint8Array(this.#length * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
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
    for (const value of other.view()) this.byte(value);
  }

  text(value: string): void {
    this.u32(value.length);
    for (let i = 0; i < value.length; i++) this.byte(value.charCodeAt(i));
  }

  view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }
}

export const I32 = 0x7f;
export const I64 = 0x7e;
const VOID = 0x40;

/** Functions that generated code may call; the order is the import order. */
export const IMPORTS = [
  "read8",
  "read16",
  "read32",
  "write8",
  "write16",
  "write32",
  "modify8",
  "modify16",
  "modify32",
  "fault",
  "segmentFault",
] as const;

/** Name of a function that generated code may call. */
export type ImportName = typeof IMPORTS[number];

/** Signatures: handler (i32)→(), read (i32)→i32, write (i32,i32)→(). */
const TYPE = { HANDLER: 0, READ: 1, WRITE: 2 } as const;

function importType(name: ImportName): number {
  if (name.startsWith("read") || name.startsWith("modify")) return TYPE.READ;
  return name.startsWith("write") ? TYPE.WRITE : TYPE.HANDLER;
}

/** Body of one handler: parameter 0 is the record, further locals are made on demand. */
export class FunctionBody {
  readonly code: ByteWriter = new ByteWriter();
  readonly #locals: number[] = [];

  /** @returns index of a new local */
  local(type: number = I32): number {
    this.#locals.push(type);
    return this.#locals.length;
  }

  expr(v: Val): void {
    if (v.a) this.expr(v.a);
    if (v.b) this.expr(v.b);
    if (v.c) this.expr(v.c);
    this.code.byte(v.op);
    if (v.op === OP.I32_CONST || v.op === OP.I64_CONST) this.code.s32(v.n);
    else if (v.op === OP.LOCAL) this.code.u32(v.n);
    else if (v.op >= OP.LOAD && v.op <= 0x35) this.#memarg(v.n);
  }

  #memarg(offset: number): void {
    this.code.byte(0);
    this.code.u32(offset);
  }

  setLocal(index: number, v: Val): void {
    this.expr(v);
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

  if(cond: Val, then: () => void, otherwise?: () => void): void {
    this.expr(cond);
    this.code.bytes(0x04, VOID);
    then();
    if (otherwise) {
      this.code.byte(0x05);
      otherwise();
    }
    this.code.byte(0x0b);
  }

  call(name: ImportName, ...args: readonly Val[]): void {
    for (const arg of args) this.expr(arg);
    this.code.byte(0x10);
    this.code.u32(IMPORTS.indexOf(name));
  }

  callTo(index: number, name: ImportName, ...args: readonly Val[]): void {
    this.call(name, ...args);
    this.code.byte(0x21);
    this.code.u32(index);
  }

  return(): void {
    this.code.byte(0x0f);
  }

  unreachable(): void {
    this.code.byte(0x00);
  }

  /** Tail call of the handler whose number stands in the record's first word. */
  dispatch(record: Val): void {
    this.expr(record);
    this.expr({ op: OP.LOAD, a: record, n: 0 });
    this.code.bytes(0x13, TYPE.HANDLER, 0);
  }

  /** The body in the code section: size, locals, code. */
  encode(into: ByteWriter): void {
    const body = new ByteWriter();
    body.u32(this.#locals.length);
    for (const type of this.#locals) body.bytes(1, type);
    body.append(this.code);
    body.byte(0x0b);
    into.u32(body.length);
    into.append(body);
  }
}

function section(into: ByteWriter, id: number, fill: (body: ByteWriter) => void): void {
  const body = new ByteWriter();
  fill(body);
  into.byte(id);
  into.u32(body.length);
  into.append(body);
}

/** A module with the given handlers, exported as "0", "1", …; it imports memory, table and {@link IMPORTS}. */
export function encodeModule(bodies: readonly FunctionBody[]): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter();
  out.bytes(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  section(out, 1, (s) => {
    s.u32(3);
    s.bytes(0x60, 1, I32, 0);
    s.bytes(0x60, 1, I32, 1, I32);
    s.bytes(0x60, 2, I32, I32, 0);
  });
  section(out, 2, (s) => {
    s.u32(IMPORTS.length + 2);
    for (const name of IMPORTS) {
      s.text("x");
      s.text(name);
      s.bytes(0, importType(name));
    }
    s.text("x");
    s.text("memory");
    s.bytes(2, 0, 1);
    s.text("x");
    s.text("table");
    s.bytes(1, 0x70, 0, 1);
  });
  section(out, 3, (s) => {
    s.u32(bodies.length);
    for (let i = 0; i < bodies.length; i++) s.byte(TYPE.HANDLER);
  });
  section(out, 7, (s) => {
    s.u32(bodies.length);
    bodies.forEach((_, i) => {
      s.text(String(i));
      s.byte(0);
      s.u32(IMPORTS.length + i);
    });
  });
  section(out, 10, (s) => {
    s.u32(bodies.length);
    for (const body of bodies) body.encode(s);
  });
  return out.view();
}
