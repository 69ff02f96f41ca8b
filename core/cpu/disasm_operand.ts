/**
 * Operands as text: the notation of decode.ts, in words. Every look at a size or a segment marks
 * the prefix behind it as shown; what is left over is printed in front of the mnemonic.
 * @module
 */

import { type Insn, KIND, type Operand } from "./insn.ts";
import { EAX, EBX, EDI, ESI } from "./state.ts";

const REG8 = ["al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"];
const REG16 = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
const REG32 = REG16.map((name) => `e${name}`);
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"];

const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
/** What a memory operand is called, by its bytes. */
const SIZE_WORDS: Readonly<Record<number, string>> = {
  1: "BYTE PTR ",
  2: "WORD PTR ",
  4: "DWORD PTR ",
  6: "FWORD PTR ",
  8: "QWORD PTR ",
  10: "TBYTE PTR ",
  16: "XMMWORD PTR ",
};

/** Bytes by the size letters of the notation; those of `v`, `p` and `a` follow the operand size. */
const FIXED_SIZES: Readonly<Record<string, number>> = {
  "": 0,
  b: 1,
  w: 2,
  d: 4,
  q: 8,
  t: 10,
  x: 16,
  s: 0,
};

/** Stores of a word whose register form has the operand size. */
const WORDS_IN_MEMORY = new Set(["sldt", "str", "smsw", "mov Ev,Sw"]);

/** The prefixes of one instruction, in order. */
export class Prefixes {
  readonly #left: (number | undefined)[];
  readonly #words: Readonly<Record<number, string>>;

  /**
   * @param bytes all prefixes
   * @param words what the others are called
   */
  constructor(bytes: Uint8Array, words: Readonly<Record<number, string>>) {
    this.#left = [...bytes];
    this.#words = words;
  }

  /** The text says what the last of these prefixes does, if there is one. Returns whether. */
  use(...prefixes: readonly number[]): boolean {
    const at = this.#left.findLastIndex((byte) => byte !== undefined && prefixes.includes(byte));
    if (at >= 0) this.#left[at] = undefined;
    return at >= 0;
  }

  /** Words for all that the text has not shown. */
  unused(): string[] {
    return this.#left.flatMap((byte) => byte === undefined ? [] : this.#words[byte]!);
  }
}

/**
 * One operand.
 * @param spec its notation
 * @param n its place in `insn.operands`
 */
export function operandText(spec: string, n: number, insn: Insn, prefixes: Prefixes): string {
  const operand = insn.operands[n];
  switch (operand?.kind) {
    case KIND.REG:
      return registerText(operand, spec, prefixes);
    case KIND.ST:
      return spec === "ST" ? "st" : `st(${operand.reg})`;
    case KIND.MMX:
      return `mm${operand.reg}`;
    case KIND.XMM:
      return `xmm${operand.reg}`;
  }
  switch (spec[0]) {
    case "J":
      if (spec === "Jv") prefixes.use(0x66);
      return number(insn.target);
    case "A":
      prefixes.use(0x66);
      return `${number(insn.imm2)}:${number(insn.imm)}`;
    case "I":
      if (spec === "Iv" || spec === "Is") prefixes.use(0x66);
      return number(isSecond(insn, n) ? insn.imm2 : insn.imm);
    case "1":
      return "1";
  }
  return memoryText(spec, insn, prefixes);
}

const number = (value: number): string => `0x${(value >>> 0).toString(16)}`;

function isSecond(insn: Insn, n: number): boolean {
  return insn.operands.findIndex(({ kind }) => kind === KIND.IMM) < n;
}

/** Bytes of a place, by the size letter of its notation; 0 = not said. */
function sizeOf(spec: string, insn: Insn, prefixes: Prefixes): number {
  const { mnemonic, operands } = insn.row;
  const isWord = WORDS_IN_MEMORY.has(mnemonic) ||
    WORDS_IN_MEMORY.has(`${mnemonic} ${operands.join(",")}`);
  const fixed = isWord ? 2 : FIXED_SIZES[spec.slice(1)];
  if (fixed !== undefined) return fixed;
  prefixes.use(0x66);
  const { operandSize } = insn;
  return spec[1] === "p" ? operandSize + 2 : spec[1] === "a" ? operandSize * 2 : operandSize;
}

function registerText(operand: Operand, spec: string, prefixes: Prefixes): string {
  if (spec.endsWith("v") || spec === "eAX") prefixes.use(0x66);
  switch (spec) {
    case "Sw":
      return SEGMENTS[operand.reg]!;
    case "Cd":
      return `cr${operand.reg}`;
    case "Dd":
      return `dr${operand.reg}`;
  }
  return registerNames(operand.size)[operand.reg]!;
}

function registerNames(size: number): readonly string[] {
  return size === 1 ? REG8 : size === 2 ? REG16 : REG32;
}

/** Operands of string instructions: source, target, accumulator, DX. */
const STRINGS: Readonly<Record<string, readonly StringPlace[]>> = {
  movs: ["target", "source"],
  cmps: ["source", "target"],
  stos: ["target", "accumulator"],
  lods: ["accumulator", "source"],
  scas: ["accumulator", "target"],
  ins: ["target", "dx"],
  outs: ["dx", "source"],
};
type StringPlace = "source" | "target" | "accumulator" | "dx";

/** The operands that a string instruction implies; `undefined` for all others. */
export function stringOperands(insn: Insn, prefixes: Prefixes): string[] | undefined {
  return STRINGS[insn.row.mnemonic]?.map((place) => stringOperand(place, insn, prefixes));
}

function stringOperand(place: StringPlace, insn: Insn, prefixes: Prefixes): string {
  const { size } = insn.operands[0]!;
  if (place === "dx") return "dx";
  if (insn.row.operands[0] === "Xv") prefixes.use(0x66);
  if (place === "accumulator") return registerNames(size)[EAX]!;
  prefixes.use(0x67);
  const segment = place === "source" ? segmentText(insn, prefixes) : "es";
  const index = registerNames(insn.addressSize)[place === "source" ? ESI : EDI];
  return `${SIZE_WORDS[size]}${segment}:[${index}]`;
}

/** XLAT's table. */
export function tableText(insn: Insn, prefixes: Prefixes): string {
  prefixes.use(0x67);
  const base = registerNames(insn.addressSize)[EBX];
  return `${SIZE_WORDS[1]}${segmentText(insn, prefixes)}:[${base}]`;
}

function segmentText(insn: Insn, prefixes: Prefixes): string {
  prefixes.use(...SEGMENT_PREFIXES);
  return SEGMENTS[insn.segment]!;
}

/** `DWORD PTR fs:[ebx+esi*4-0x10]`, `ds:0x1234`. */
function memoryText(spec: string, insn: Insn, prefixes: Prefixes): string {
  const size = spec[0] === "O" ? "" : SIZE_WORDS[sizeOf(spec, insn, prefixes)] ?? "";
  const { base, index, addressSize } = insn;
  prefixes.use(0x67);
  const overridden = prefixes.use(...SEGMENT_PREFIXES);
  const segment = `${SEGMENTS[insn.segment]}:`;
  if (base < 0 && index < 0) {
    return `${size}${segment}${number(addressSize === 4 ? insn.disp : insn.disp & 0xffff)}`;
  }
  const registers = registerNames(addressSize);
  const parts: string[] = [];
  if (base >= 0) parts.push(registers[base]!);
  if (index >= 0) {
    parts.push(registers[index]! + (addressSize === 4 ? `*${1 << insn.scale}` : ""));
  }
  return `${size}${overridden ? segment : ""}[${parts.join("+")}${displacement(insn)}]`;
}

/** Signed, as a field of a record is. */
function displacement({ disp, addressSize }: Insn): string {
  const signed = addressSize === 4 ? disp | 0 : disp << 16 >> 16;
  if (signed === 0) return "";
  return signed < 0 ? `-${number(-signed)}` : `+${number(signed)}`;
}
