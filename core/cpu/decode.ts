/**
 * Bytes to {@link Insn}: the only place that knows the encoding. Source: Intel SDM vol. 2, ch. 2
 * and appendix A; the rows are in opcodes.ts.
 *
 * Operand notation of a row: a letter for the place and one for the size.
 * E r/m · G reg field · M memory only · I immediate · J relative · O absolute offset · S segment
 * register · C, D control, debug register · R r/m as register · Z register in the opcode ·
 * X implicit memory (string) · A far pointer · P, N, Q MMX register of the reg field, of r/m, r/m ·
 * V, U, W the same for XMM. Sizes: b byte, w word, d dword, q 8, t 10, x 16 bytes, v operand size,
 * p far pointer, a pair of bounds, s table register, none: an address alone.
 * `Is` is a byte sign-extended to the operand size; `STi` is the x87 register of r/m. `1`, `AL`,
 * `CL`, `DX`, `eAX`, `ST` are themselves.
 * @module
 */

import { Fault, VECTOR } from "./fault.ts";
import { type Insn, KIND, type Operand, type OperandSize, type Row } from "./insn.ts";
import { ONE_BYTE, PREFIX, type Slot, TWO_BYTE, UNDEFINED } from "./opcode_table.ts";
import "./opcodes.ts";
import { CS, DS, EAX, ECX, EDX, ES, FS, GS, MODE, SS } from "./state.ts";

/** Longest legal instruction. */
const MAX_LENGTH = 15;

/** First of the eight opcodes of the x87. */
const ESCAPE = 0xd8;

/** Gives the instruction's bytes one by one; throws {@link Fault} where they cannot be fetched. */
export interface CodeBytes {
  byteAt(eip: number): number;
}

const LOCKABLE = new Set(
  "add adc and btc btr bts cmpxchg cmpxchg8b dec inc neg not or sbb sub xor xadd xchg".split(" "),
);

const SEGMENT_PREFIX: Readonly<Record<number, number>> = {
  0x26: ES,
  0x2e: CS,
  0x36: SS,
  0x3e: DS,
  0x64: FS,
  0x65: GS,
};

/** 16-bit addressing: base and index register for each r/m; -1 = absent. */
const BASE_16 = [3, 3, 5, 5, 6, 7, 5, 3];
const INDEX_16 = [6, 7, 6, 7, -1, -1, -1, -1];

/** EIP wraps at 4 GiB; whether it may pass 64 KiB is the segment limit's business. */
const wrap = (eip: number): number => eip >>> 0;

/** Decodes one instruction at a time; reused, so it is not re-entrant. */
export class Decoder {
  readonly #code: CodeBytes;
  /** CPUID feature bits of the CPU; rows that need others are undefined. */
  readonly #features: number;
  /** The code segment is 32-bit. */
  #codeWide = true;
  #list: Operand[] = [];
  #opcode = 0;
  #start = 0;
  #at = 0;
  #operandSize: 2 | 4 = 4;
  #addressSize: 2 | 4 = 4;
  #override = -1;
  #rep = 0;
  #lock = false;
  #prefix66 = false;
  #prefixCount = 0;
  #modrm = -1;
  #base = -1;
  #index = -1;
  #scale = 0;
  #disp = 0;
  #stackBased = false;
  #imm = 0;
  #imm2 = 0;
  #immediateBytes = 0;
  #target = 0;

  /** @param features CPUID leaf 1 EDX: see `FEATURE` in cpuid.ts */
  constructor(code: CodeBytes, features: number = -1) {
    this.#code = code;
    this.#features = features;
  }

  /**
   * @param eip offset in the code segment
   * @param mode see `MODE` in state.ts
   * @throws {Fault} #PF or #GP of the fetch, #GP when longer than 15 bytes
   */
  decode(eip: number, mode: number): Insn {
    this.#begin(eip, mode);
    const row = this.#row(this.#prefixes());
    const legal = this.#operands(row);
    const chosen = legal && this.#lockLegal(row) ? row : UNDEFINED;
    const operands = chosen === row ? this.#list : [];
    if (this.#opcode >> 3 === ESCAPE >> 3) this.#imm = (this.#opcode & 7) << 8 | this.#modrm;
    return {
      row: chosen,
      opcode: this.#opcode,
      modrm: this.#modrm,
      operands,
      operandSize: this.#operandSize,
      addressSize: this.#addressSize,
      segment: this.#override >= 0 ? this.#override : this.#stackBased ? SS : DS,
      base: this.#base,
      index: this.#index,
      scale: this.#scale,
      disp: this.#disp,
      imm: this.#imm,
      imm2: this.#imm2,
      immediateBytes: this.#immediateBytes,
      rep: this.#rep,
      prefixes: this.#prefixCount,
      pc: eip,
      next: wrap(this.#at),
      target: this.#target,
    };
  }

  #begin(eip: number, mode: number): void {
    this.#start = this.#at = eip;
    this.#codeWide = (mode & MODE.CODE32) !== 0;
    this.#operandSize = this.#addressSize = this.#codeWide ? 4 : 2;
    this.#override =
      this.#modrm =
      this.#base =
      this.#index =
        -1;
    this.#rep =
      this.#scale =
      this.#disp =
      this.#imm =
      this.#imm2 =
      this.#immediateBytes =
      this.#target =
        0;
    this.#lock = this.#prefix66 = this.#stackBased = false;
    this.#list = [];
  }

  #byte(): number {
    if (this.#at - this.#start >= MAX_LENGTH) throw Fault.of(VECTOR.GP, 0);
    const value = this.#code.byteAt(this.#at >>> 0);
    this.#at++;
    return value;
  }

  #word(): number {
    const first = this.#byte();
    return first | (this.#byte() << 8);
  }

  #dword(): number {
    const first = this.#word();
    return first | (this.#word() << 16);
  }

  #immediate(size: number): number {
    return size === 1 ? this.#byte() : size === 2 ? this.#word() : this.#dword() >>> 0;
  }

  /** Consumes prefixes in any order; the last of a group counts. Returns the opcode byte. */
  #prefixes(): number {
    for (;;) {
      const byte = this.#byte();
      const segment = SEGMENT_PREFIX[byte];
      if (segment !== undefined) this.#override = segment;
      else if (byte === 0x66) this.#narrowOrWiden();
      else if (byte === 0x67) this.#addressSize = this.#codeWide ? 2 : 4;
      else if (byte === 0xf0) this.#lock = true;
      else if (byte === 0xf2 || byte === 0xf3) this.#rep = byte;
      else {
        this.#prefixCount = this.#at - this.#start - 1;
        return byte;
      }
    }
  }

  #narrowOrWiden(): void {
    this.#prefix66 = true;
    this.#operandSize = this.#codeWide ? 2 : 4;
  }

  #row(first: number): Row {
    this.#opcode = first === 0x0f ? 0x0f00 | this.#byte() : first;
    const row = this.#choose((first === 0x0f ? TWO_BYTE : ONE_BYTE)[this.#opcode & 0xff]);
    const wanted = row.feature ?? 0;
    return (wanted & this.#features) === wanted ? row : UNDEFINED;
  }

  #choose(slot: Slot | undefined): Row {
    if (!slot) return UNDEFINED;
    if ("mnemonic" in slot) return slot;
    if ("byPrefix" in slot) return this.#choose(slot.byPrefix[this.#mandatoryPrefix()]);
    const modrm = this.#fetchModrm();
    const isMemory = modrm < 0xc0;
    return slot.exact?.[modrm] ?? (isMemory ? slot.memory : slot.register)[(modrm >> 3) & 7] ??
      UNDEFINED;
  }

  #mandatoryPrefix(): number {
    if (this.#rep) return this.#rep === 0xf3 ? PREFIX.F3 : PREFIX.F2;
    return this.#prefix66 ? PREFIX.P66 : PREFIX.NONE;
  }

  #fetchModrm(): number {
    if (this.#modrm < 0) {
      this.#modrm = this.#byte();
      if (this.#modrm < 0xc0) {
        if (this.#addressSize === 4) this.#address32();
        else this.#address16();
      }
    }
    return this.#modrm;
  }

  /** MOV to and from control and debug registers takes any mod field as a register's. */
  #registerModrm(): number {
    if (this.#modrm < 0) this.#modrm = this.#byte();
    return this.#modrm;
  }

  #address32(): void {
    const mod = this.#modrm >> 6;
    let base = this.#modrm & 7;
    if (base === 4) {
      const sib = this.#byte();
      base = sib & 7;
      const index = (sib >> 3) & 7;
      if (index !== 4) {
        this.#index = index;
        this.#scale = sib >> 6;
      }
    }
    if (base === 5 && mod === 0) this.#disp = this.#dword();
    else this.#base = base;
    this.#stackBased = this.#base === 4 || this.#base === 5;
    this.#displacement(mod, 4);
  }

  #address16(): void {
    const mod = this.#modrm >> 6;
    const rm = this.#modrm & 7;
    if (mod === 0 && rm === 6) {
      this.#disp = this.#word();
      return;
    }
    this.#base = BASE_16[rm]!;
    this.#index = INDEX_16[rm]!;
    this.#stackBased = this.#base === 5;
    this.#displacement(mod, 2);
  }

  #displacement(mod: number, size: number): void {
    if (mod === 1) this.#disp = (this.#byte() << 24) >> 24;
    else if (mod === 2) this.#disp = size === 4 ? this.#dword() : this.#word();
  }

  /** @returns false where the form is undefined (a register where only memory will do) */
  #operands(row: Row): boolean {
    for (const spec of row.operands) {
      if (!this.#operand(spec)) return false;
    }
    return true;
  }

  #operand(spec: string): boolean {
    if (spec === "STi") return this.#push(KIND.ST, this.#fetchModrm() & 7, 10);
    const fixed = FIXED[spec];
    if (fixed) return this.#push(fixed.kind, fixed.reg, fixed.size || this.#operandSize, spec);
    const size = this.#sizeOf(spec);
    switch (spec[0]) {
      case "E":
      case "M":
        return this.#rm(spec[0], size);
      case "R":
        return this.#push(KIND.REG, this.#registerModrm() & 7, size);
      case "G":
        return this.#push(KIND.REG, (this.#fetchModrm() >> 3) & 7, size);
      case "S":
        return this.#segment();
      case "C":
      case "D":
        return this.#push(KIND.REG, (this.#registerModrm() >> 3) & 7, 4);
      case "Z":
        return this.#push(KIND.REG, this.#opcode & 7, size);
      case "X":
        return this.#push(KIND.NONE, 0, size);
      case "P":
      case "V":
        return this.#push(VECTOR_KIND[spec[0]]!, (this.#fetchModrm() >> 3) & 7, size);
      case "Q":
      case "N":
      case "W":
      case "U":
        return this.#vector(spec[0], size);
      default:
        return this.#constant(spec, size);
    }
  }

  #sizeOf(spec: string): OperandSize {
    return SIZE[spec[1]!] ?? this.#operandSize;
  }

  #push(kind: number, reg: number, size: OperandSize, spec?: string): boolean {
    if (spec === "1") this.#imm = 1;
    this.#list.push({ kind, reg, size });
    return true;
  }

  #vector(place: string, size: OperandSize): boolean {
    const modrm = this.#fetchModrm();
    const memory = place === "Q" || place === "W";
    if (modrm < 0xc0) return memory && this.#push(KIND.MEM, 0, size);
    return this.#push(VECTOR_KIND[place]!, modrm & 7, size);
  }

  #rm(place: string, size: OperandSize): boolean {
    const modrm = this.#fetchModrm();
    if (modrm < 0xc0) return this.#push(KIND.MEM, 0, size);
    return place !== "M" && this.#push(KIND.REG, modrm & 7, size);
  }

  #segment(): boolean {
    const segment = (this.#fetchModrm() >> 3) & 7;
    return segment <= GS && this.#push(KIND.REG, segment, 2);
  }

  #constant(spec: string, size: OperandSize): boolean {
    switch (spec[0]) {
      case "I":
        if (spec === "Is") {
          const value = (this.#byte() << 24) >> 24;
          this.#imm = this.#operandSize === 4 ? value >>> 0 : value & 0xffff;
          this.#immediateBytes = 1;
          return this.#push(KIND.IMM, 0, this.#operandSize);
        }
        if (this.#list.some((o) => o.kind === KIND.IMM)) {
          this.#imm2 = this.#immediate(size);
          this.#immediateBytes = 0;
        } else {
          this.#imm = this.#immediate(size);
          this.#immediateBytes = size;
        }
        return this.#push(KIND.IMM, 0, size);
      case "J": {
        const relative = size === 1 ? (this.#byte() << 24) >> 24 : this.#immediate(size) | 0;
        const target = wrap(this.#at + relative);
        this.#target = this.#operandSize === 2 ? target & 0xffff : target;
        return true;
      }
      case "O":
        this.#disp = this.#immediate(this.#addressSize);
        return this.#push(KIND.MEM, 0, size);
      case "A":
        this.#imm = this.#immediate(this.#operandSize);
        this.#imm2 = this.#word();
        return true;
    }
    throw new TypeError(`operand notation ${spec}`);
  }

  #lockLegal(row: Row): boolean {
    return !this.#lock || (LOCKABLE.has(row.mnemonic) && this.#list[0]?.kind === KIND.MEM) ||
      (row.mnemonic === "xchg" && this.#list[1]?.kind === KIND.MEM);
  }
}

const SIZE: Readonly<Record<string, OperandSize>> = { b: 1, w: 2, d: 4, q: 8, t: 10, x: 16 };

const VECTOR_KIND: Readonly<Record<string, number>> = {
  P: KIND.MMX,
  N: KIND.MMX,
  Q: KIND.MMX,
  V: KIND.XMM,
  U: KIND.XMM,
  W: KIND.XMM,
};

const FIXED: Readonly<Record<string, { kind: number; reg: number; size: 0 | 1 | 2 | 10 }>> = {
  ST: { kind: KIND.ST, reg: 0, size: 10 },
  AL: { kind: KIND.REG, reg: EAX, size: 1 },
  CL: { kind: KIND.REG, reg: ECX, size: 1 },
  DX: { kind: KIND.REG, reg: EDX, size: 2 },
  eAX: { kind: KIND.REG, reg: EAX, size: 0 },
  "1": { kind: KIND.IMM, reg: 0, size: 1 },
};
