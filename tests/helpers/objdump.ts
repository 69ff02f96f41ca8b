/**
 * GNU objdump as the judge of the disassembler, and every form of the opcode table to judge it by.
 * @module
 */

import { hex } from "../../core/bits.ts";
import { codeFrom, disassemble, type Disassembly } from "../../core/cpu/disasm.ts";
import { ONE_BYTE, TWO_BYTE } from "../../core/cpu/opcode_table.ts";
import { MODE } from "../../core/cpu/state.ts";

/** Code size that a listing is made for. */
export type CodeSize = 16 | 32;

/** objdump cannot be started, or not be given a file: tests against it are to be ignored. */
export const objdumpMissing: boolean = isMissing();

function isMissing(): boolean {
  const granted = [{ name: "run", command: "objdump" }, { name: "write" }, {
    name: "read",
  }] as const;
  if (granted.some((wanted) => Deno.permissions.querySync(wanted).state !== "granted")) return true;
  try {
    return !new Deno.Command("objdump", { args: ["--version"] }).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

/** Text of each instruction by its address, from a linear sweep. */
export async function objdump(code: Uint8Array, size: CodeSize): Promise<Map<number, string>> {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeFile(file, code);
    const machine = size === 32 ? "i386" : "i8086";
    const args = ["-D", "-b", "binary", "-m", machine, "-M", "intel", "--insn-width=15", file];
    const { stdout, success } = await new Deno.Command("objdump", { args }).output();
    if (!success) throw new Error("objdump failed");
    const lines = new TextDecoder().decode(stdout).matchAll(/^ *([0-9a-f]+):\t[^\t\n]*\t(.*)$/gm);
    return new Map([...lines].map(([, address, text]) => [parseInt(address!, 16), text!.trim()]));
  } finally {
    await Deno.remove(file);
  }
}

// ---- spelling ----------------------------------------------------------------------------------

/**
 * Where we and objdump 2.40 spell otherwise: a pattern, what both become, and why. Applied to both
 * texts, in this order.
 */
const SPELLING: readonly (readonly [pattern: RegExp, both: string, why: string])[] = [
  [/\s+/g, " ", "columns"],
  [/(?<!..:)\[eiz\*\d\+(0x\w+)\]/, "ds:$1", "a SIB byte without registers is not shown"],
  [/\[eiz\*\d\+(0x\w+)\]/, "$1", "nor behind a segment"],
  [/\+eiz\*\d/, "", "a SIB byte without an index is not shown"],
  [/\+0x0(?=\])/, "", "a displacement of zero is left out"],
  [/addr(?:16|32) (.*\b[c-gs]s:0x)/, "$1", "the size of an address without registers shows"],
  [/\b(call|jmp) far /, "$1 ", "a far pointer is said to be one"],
  [/\bmov ([c-gs]s),e(..)$/, "mov $1,$2", "a segment register takes 16 bits"],
  [/\bdata(?:16|32) (.*\bmov [c-gs]s,)/, "$1", "of any operand size"],
  [/\b(lar|lsl) (\w+),e(..)$/, "$1 $2,$3", "a selector has 16 bits"],
  [/\b([sl][gi]dt)[wd]/, "$1", "tables have 6 bytes for either operand size"],
  [/\b(?:bnd|xacquire) /, "repnz ", "prefixes of MPX and TSX"],
  [/\bxrelease /, "repz ", "prefixes of TSX"],
  [/\btzcnt /, "repz bsf ", "BMI1"],
  [/\blzcnt /, "repz bsr ", "ABM"],
  [/\bfn(eni|disi|setpm)\(.*\)/, "f$1", "instructions of earlier coprocessors"],
  [/\bdata(?:16|32) (?=(addr(16|32) )?nop$)/, "", "90 with an operand size"],
  [/\bxchg e?ax,e?ax$/, "nop", "90 with an operand size"],
];

/** A text of ours or objdump's, without the differences that only the spelling makes. */
export function plainSpelling(text: string): string {
  return SPELLING.reduce((said, [pattern, both]) => said.replace(pattern, both), text);
}

/** Forms that mean something else to objdump, which knows later processors; the first bytes. */
const LEFT_OUT: readonly (readonly [bytes: RegExp, why: string])[] = [
  [/^(..)?d6/, "SALC is not documented"],
  [
    /^(..)?0f(0d|18[2367a-f]|1[9a-e])/,
    "hint NOPs have become PREFETCH, BND…, CLDEMOTE, ENDBR32, RDSSP",
  ],
  [/^(..)?(d9d[89a-f]|dcd|ddc[89a-f]|ded[0-7]|dfc[89a-f]|dfd)/, "387 aliases in no manual"],
  [/^(66|f2|f3)0f01d9/, "VMGEXIT"],
  [/^(..)?0fae(e[9a-f]|f[1-79a-f])/, "the r/m field of a fence is ignored"],
  [/^(66|f2|f3)0f09/, "WBNOINVD"],
  [/^f20fb[cd]/, "F2 is no prefix of BSF since TZCNT"],
];

/** Whether objdump is to be asked about an instruction. */
function isComparable(bytes: Uint8Array): boolean {
  const text = [...bytes].filter((byte) => byte !== 0x67).map((byte) => hex(byte, 2)).join("");
  return !LEFT_OUT.some(([first]) => first.test(text));
}

// ---- forms -------------------------------------------------------------------------------------

/** Prefixes tried with every opcode: sizes, repetitions, LOCK where it is legal, a segment. */
const PREFIXES: readonly (readonly number[])[] = [
  [],
  [0x66],
  [0x67],
  [0x66, 0x67],
  [0xf2],
  [0xf3],
  [0xf0],
  [0x64],
];

/** One ModRM byte for each register and each kind of memory operand, its reg field 0. */
const SHAPES = [
  ...[0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07],
  ...[0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47],
  ...[0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87],
];

/** Bytes behind the opcode: of either sign, none twice. */
function filler(turn: number): number[] {
  return Array.from({ length: 12 }, (_, i) => (turn * 37 + i * 59 + 0x12) & 0xff);
}

/** One half of the opcode table. */
export type OpcodeBytes = 1 | 2;

/** Opcodes that have a slot in the table, with their escape byte. */
function opcodes(length: OpcodeBytes): number[][] {
  const table = length === 1 ? ONE_BYTE : TWO_BYTE;
  const present = [...table.keys()].filter((n) => table[n]);
  return present.map((n) => length === 1 ? [n] : [0x0f, n]);
}

/** The instruction at an offset. */
export function disassembleAt(
  code: Uint8Array,
  offset: number,
  size: CodeSize,
): Disassembly | undefined {
  return disassemble(codeFrom((at) => code[at]), offset, size === 32 ? MODE.CODE32 : 0);
}

/** The bytes of the instruction at the begin of these, `undefined` if they are none. */
function firstOf(bytes: readonly number[], size: CodeSize): Uint8Array | undefined {
  const found = disassembleAt(Uint8Array.from(bytes), 0, size);
  return found === undefined || found.text === "(bad)" ? undefined : found.bytes;
}

/** ModRM bytes that are an opcode of their own. */
function ownModrm(opcode: readonly number[]): number[] {
  const slot = (opcode.length === 1 ? ONE_BYTE : TWO_BYTE)[opcode.at(-1)!];
  return slot && "exact" in slot ? Object.keys(slot.exact!).map(Number) : [];
}

/** Whether a ModRM byte follows: then a register and a displacement are of unequal length. */
function hasModrm(opcode: readonly number[], size: CodeSize): boolean {
  const [register, memory] = [0xc0, 0x80].map((modrm) =>
    firstOf([...opcode, modrm, ...filler(0)], size)?.length
  );
  return register === undefined || register !== memory;
}

/** Instructions, none twice. */
class Forms {
  readonly #found = new Map<string, Uint8Array>();
  readonly #size: CodeSize;
  /** Counts attempts, so that operands vary. */
  turn = 0;

  constructor(size: CodeSize) {
    this.#size = size;
  }

  add(...bytes: readonly number[]): void {
    const form = firstOf([...bytes, ...filler(this.turn++)], this.#size);
    if (form !== undefined && isComparable(form)) this.#found.set(form.join(), form);
  }

  get all(): Uint8Array[] {
    return [...this.#found.values()];
  }
}

/** Every opcode of the table, with every reg field, several operands, and the prefixes. */
export function opcodeForms(length: OpcodeBytes, size: CodeSize): Uint8Array[] {
  const forms = new Forms(size);
  for (const opcode of opcodes(length)) {
    const modrm = hasModrm(opcode, size);
    for (const prefixes of PREFIXES) {
      if (!modrm) {
        forms.add(...prefixes, ...opcode);
        continue;
      }
      for (const own of ownModrm(opcode)) forms.add(...prefixes, ...opcode, own);
      for (let reg = 0; reg < 0x40; reg += 8) {
        forms.add(...prefixes, ...opcode, 0xc0 | reg | forms.turn & 7);
        forms.add(...prefixes, ...opcode, SHAPES[forms.turn % SHAPES.length]! | reg);
      }
    }
  }
  return forms.all;
}

/** Every way to name memory: all ModRM and SIB bytes, and each segment. */
export function addressForms(size: CodeSize): Uint8Array[] {
  const forms = new Forms(size);
  const mov = 0x8b;
  const segments = [[], ...[0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65].map((prefix) => [prefix])];
  for (const address of [[], [0x67]]) {
    for (let sib = 0; sib < 0x100; sib++) {
      // Without registers it is an address to us, a negative displacement to objdump.
      const disp = (sib & 0x3f) === 0x25 ? [0x10, 0x32, 0x54, 0x76] : [];
      forms.add(...address, mov, 0x04, sib, ...disp);
      for (const modrm of [0x44, 0x84]) forms.add(...address, mov, modrm, sib);
    }
    for (const segment of segments) {
      for (const modrm of SHAPES) forms.add(...address, ...segment, mov, modrm);
      forms.add(...address, ...segment, 0xa1);
      forms.add(...address, ...segment, 0xa5);
      forms.add(...address, ...segment, 0xd7);
    }
  }
  return forms.all;
}
