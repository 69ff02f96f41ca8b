/**
 * Instructions as text, in Intel syntax as GNU objdump spells it. The bytes are read by
 * {@link Decoder}; names and operand places come from the rows of the opcode table, and what the
 * notation leaves open from the small tables below.
 * @module
 */

import { type CodeBytes, Decoder } from "./decode.ts";
import { operandText, Prefixes, stringOperands, tableText } from "./disasm_operand.ts";
import { Fault, VECTOR } from "./fault.ts";
import type { Insn, Row } from "./insn.ts";
import { ONE_BYTE, TWO_BYTE, UNDEFINED } from "./opcode_table.ts";
import { MODE } from "./state.ts";

/** One instruction as text. */
export interface Disassembly {
  /** Bytes read; 1 where they are no instruction, so that the next byte gets its chance. */
  readonly length: number;
  readonly bytes: Uint8Array;
  /** `mov    eax,DWORD PTR [ebx+0x8]`, or `(bad)`. */
  readonly text: string;
}

/** The NOP that F3 makes a PAUSE, whose meaning is the same here. */
const PAUSE = 0x90;

/** Names that depend on the operand size: 16, 32 bits. */
const BY_OPERAND_SIZE: Readonly<Record<string, readonly [string, string]>> = {
  cbw: ["cbw", "cwde"],
  cwd: ["cwd", "cdq"],
};

/** Names that depend on the address size: 16, 32 bits. */
const BY_ADDRESS_SIZE: Readonly<Record<string, readonly [string, string]>> = {
  jcxz: ["jcxz", "jecxz"],
};

/**
 * Rows, as mnemonic and operands, whose operand size shows nowhere but in a suffix. It is left out
 * when the size is the code segment's own.
 */
const SUFFIXED = new Set([
  ...["pusha", "popa", "pushf", "popf", "iret", "ret", "ret Iw", "retf", "retf Iw"],
  ...["enter Iw,Ib", "leave", "push Iv", "push Is", "jmp Jv", "call Jv"],
  ...["es", "cs", "ss", "ds", "fs", "gs"].flatMap((name) => [`push ${name}`, `pop ${name}`]),
  ...["sgdt", "sidt", "lgdt", "lidt"].map((name) => `${name} Ms`),
  ...["fldenv", "fnstenv", "frstor", "fnsave"].map((name) => `${name} M`),
]);

/** CMPPS and its like, by their immediate. */
const COMPARISONS = ["eq", "lt", "le", "unord", "neq", "nlt", "nle", "ord"];

/** Repeated for as long as (E)CX says, without a condition. */
const REPEATED = new Set(["ins", "outs", "movs", "stos", "lods"]);

/** Code as the decoder reads it, from a function that knows where there is none. */
export function codeFrom(byteAt: (eip: number) => number | undefined): CodeBytes {
  return {
    byteAt(eip: number): number {
      const byte = byteAt(eip);
      if (byte === undefined) throw Fault.of(VECTOR.PF, 0);
      return byte;
    },
  };
}

/**
 * Says in words what stands at an address.
 * @param mode `MODE.CODE32`, or 0 for 16-bit code
 * @returns `undefined` where no byte can be read
 */
export function disassemble(
  code: CodeBytes,
  eip: number,
  mode: number,
): Disassembly | undefined {
  const read: number[] = [];
  try {
    const insn = new Decoder({ byteAt: (at) => read[(at - eip) >>> 0] ??= code.byteAt(at) })
      .decode(eip, mode);
    if (insn.row !== UNDEFINED) {
      const bytes = Uint8Array.from(read);
      return { length: bytes.length, bytes, text: textOf(insn, bytes, mode) };
    }
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
  }
  return read.length === 0
    ? undefined
    : { length: 1, bytes: Uint8Array.of(read[0]!), text: "(bad)" };
}

function textOf(insn: Insn, bytes: Uint8Array, mode: number): string {
  const wide = (mode & MODE.CODE32) !== 0;
  const prefixes = new Prefixes(bytes.subarray(0, insn.prefixes), prefixWords(insn.row, wide));
  useMandatory(insn, prefixes);
  // `push es`, `call far`: what stands behind the name goes before the operands.
  const [name = "", ...rest] = insn.row.mnemonic.split(" ");
  const operands = [...rest, ...operandsOf(insn, prefixes)].join(" ");
  const shown = comparisonName(insn) ?? nameOf(name, insn, prefixes, mode);
  const head = [...prefixes.unused(), shown].join(" ");
  return operands ? `${head.padEnd(6)} ${operands}` : head;
}

function prefixWords({ mnemonic }: Row, wide: boolean): Readonly<Record<number, string>> {
  return {
    0x26: "es",
    0x2e: "cs",
    0x36: "ss",
    0x3e: "ds",
    0x64: "fs",
    0x65: "gs",
    0x66: wide ? "data16" : "data32",
    0x67: wide ? "addr16" : "addr32",
    0xf0: "lock",
    0xf2: "repnz",
    0xf3: REPEATED.has(mnemonic) ? "rep" : "repz",
  };
}

/** A prefix that is part of the opcode is none. */
function useMandatory({ opcode, rep }: Insn, prefixes: Prefixes): void {
  const slot = (opcode > 0xff ? TWO_BYTE : ONE_BYTE)[opcode & 0xff];
  if (slot && "byPrefix" in slot) prefixes.use(rep || 0x66);
}

/** `cmpltps` for `cmpps …,0x1`. */
function comparisonName({ row, imm }: Insn): string | undefined {
  const condition = COMPARISONS[imm];
  if (condition === undefined || !isComparison(row)) return undefined;
  return row.mnemonic.replace("cmp", `cmp${condition}`);
}

function isComparison({ mnemonic, operands }: Row): boolean {
  return mnemonic.startsWith("cmp") && operands.length === 3;
}

/** The name as it is at these sizes. */
function nameOf(name: string, insn: Insn, prefixes: Prefixes, mode: number): string {
  const { row, operandSize, addressSize } = insn;
  if (insn.opcode === PAUSE && insn.rep === 0xf3 && prefixes.use(0xf3)) return "pause";
  const bySize = BY_OPERAND_SIZE[name];
  if (bySize) {
    prefixes.use(0x66);
    return bySize[operandSize === 4 ? 1 : 0];
  }
  const byAddress = BY_ADDRESS_SIZE[name];
  if (byAddress) {
    prefixes.use(0x67);
    return byAddress[addressSize === 4 ? 1 : 0];
  }
  if (!SUFFIXED.has(`${row.mnemonic} ${row.operands.join(",")}`.trim())) return name;
  prefixes.use(0x66);
  const ownSize = mode & MODE.CODE32 ? 4 : 2;
  return name + (operandSize === ownSize ? "" : operandSize === 4 ? "d" : "w");
}

/** All operands, comma between them; none where there are none. */
function operandsOf(insn: Insn, prefixes: Prefixes): string[] {
  const { mnemonic, operands } = insn.row;
  const texts = mnemonic === "xlat"
    ? [tableText(insn, prefixes)]
    : stringOperands(insn, prefixes) ??
      operands.map((spec, n) => operandText(spec, n, insn, prefixes));
  if (isComparison(insn.row) && insn.imm < COMPARISONS.length) texts.pop();
  return texts.length > 0 ? [texts.join(",")] : [];
}
