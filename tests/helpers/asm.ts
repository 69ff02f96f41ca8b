/**
 * A small x86 assembler: encodes ModRM forms, knows labels, and nothing of mnemonics.
 * @module
 */

/** Bytes of an operand. */
export type Width = 1 | 2 | 4;

/** A memory operand. -1 = no such register. */
export interface Mem {
  /** 32-bit addressing: `base` and `index` number registers. Else `base` is the r/m field, -1 = none. */
  readonly wide: boolean;
  readonly base: number;
  readonly index: number;
  /** Shift count of the index. */
  readonly scale: number;
  readonly disp: number;
  /** Prefix byte, 0 = none. */
  readonly segment: number;
}

/** A place in the code, perhaps not known yet. */
export interface Label {
  at: number;
}

/** A label that is still to be placed. */
export const newLabel = (): Label => ({ at: -1 });

interface Fixup {
  readonly offset: number;
  readonly size: Width;
  readonly label: Label;
  /** Subtracted from the label's place. */
  readonly from: number;
}

/** Collects machine code for one place in memory. */
export class Assembler {
  /** 16 or 32: what a code segment's D bit says. */
  readonly bits: 16 | 32;
  /** Address of the first byte. */
  readonly origin: number;
  readonly #bytes: number[] = [];
  readonly #fixups: Fixup[] = [];

  constructor(origin: number, bits: 16 | 32) {
    this.origin = origin;
    this.bits = bits;
  }

  /** Address of the next byte. */
  get here(): number {
    return this.origin + this.#bytes.length;
  }

  /** The native operand width. */
  get word(): 2 | 4 {
    return this.bits === 32 ? 4 : 2;
  }

  bytes(...bytes: readonly number[]): void {
    this.#bytes.push(...bytes);
  }

  value(size: Width, value: number): void {
    for (let n = 0; n < size; n++) this.#bytes.push((value >>> (8 * n)) & 0xff);
  }

  /** Changes bytes that have been written. */
  patch(at: number, size: Width, value: number): void {
    for (let n = 0; n < size; n++) this.#bytes[at - this.origin + n] = (value >>> (8 * n)) & 0xff;
  }

  place(label: Label): void {
    label.at = this.here;
  }

  /** The prefix that makes an operand `width` bytes wide, where one is needed. */
  prefix(width: Width): void {
    if (width !== 1 && width !== this.word) this.bytes(0x66);
  }

  /** An opcode byte, or two: 0x0fXX. */
  opcode(opcode: number): void {
    if (opcode > 0xff) this.bytes(opcode >> 8);
    this.bytes(opcode & 0xff);
  }

  /** Opcode with a ModRM byte: `reg` is a register or the opcode's extension. */
  form(width: Width, opcode: number, reg: number, rm: number | Mem): void {
    if (typeof rm !== "number") {
      if (rm.segment) this.bytes(rm.segment);
      if (rm.wide !== (this.bits === 32)) this.bytes(0x67);
    }
    this.prefix(width);
    this.opcode(opcode);
    if (typeof rm === "number") this.bytes(0xc0 | reg << 3 | rm);
    else if (rm.wide) this.#wide(reg, rm);
    else this.#narrow(reg, rm);
  }

  #wide(reg: number, { base, index, scale, disp }: Mem): void {
    const short = disp >= -128 && disp < 128 && base >= 0;
    const mod = base < 0 ? 0 : short ? 1 : 2;
    if (index >= 0 || base === 4) {
      this.bytes(mod << 6 | reg << 3 | 4);
      this.bytes(scale << 6 | (index < 0 ? 4 : index) << 3 | (base < 0 ? 5 : base));
    } else {
      this.bytes(mod << 6 | reg << 3 | (base < 0 ? 5 : base));
    }
    this.value(short ? 1 : 4, disp);
  }

  #narrow(reg: number, { base, disp }: Mem): void {
    this.bytes((base < 0 ? 0 : 0x80) | reg << 3 | (base < 0 ? 6 : base));
    this.value(2, disp);
  }

  /** Jcc, LOOP, JCXZ: `opcode` is the one of the 8-bit form; 70–7F may become 32-bit wide. */
  branch(opcode: number, target: Label, short: boolean): void {
    const conditional = opcode >> 4 === 7;
    if (!short && conditional) this.opcode(0x0f80 | (opcode & 15));
    else if (!short && opcode === 0xeb) this.bytes(0xe9);
    else return this.#short(opcode, target);
    this.relative(target);
  }

  #short(opcode: number, target: Label): void {
    this.bytes(opcode);
    this.#fix(1, target, this.here + 1);
  }

  call(target: Label): void {
    this.bytes(0xe8);
    this.relative(target);
  }

  /** A displacement of the native width. */
  relative(target: Label): void {
    this.#fix(this.word, target, this.here + this.word);
  }

  /** A word that holds the label's address, plus something. */
  address(target: Label, plus: number = 0): void {
    this.#fix(this.word, target, -plus);
  }

  #fix(size: Width, label: Label, from: number): void {
    this.#fixups.push({ offset: this.#bytes.length, size, label, from });
    this.value(size, 0);
  }

  /** @throws {RangeError} when a label is not placed or out of reach */
  finish(): Uint8Array {
    for (const { offset, size, label, from } of this.#fixups) {
      const value = label.at - from;
      if (label.at < 0) throw new RangeError("Cannot finish code: a label is not placed");
      if (size === 1 && (value < -128 || value > 127)) {
        throw new RangeError(`Cannot finish code: a jump of ${value} is not short`);
      }
      this.patch(this.origin + offset, size, value);
    }
    return Uint8Array.from(this.#bytes);
  }
}
