/**
 * The vCPU's registers as QEMU's monitor prints them, and by the names its expressions know.
 * Source: output of QEMU 7.2's `info registers` for a qemu32 CPU.
 * @module
 */

import { hex } from "../bits.ts";
import type { Cpu } from "../cpu/cpu.ts";
import { AT, type CpuState, CR0, CS, FLAG, NULL_ATTR, SEG } from "../cpu/state.ts";

const GENERAL = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"] as const;
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"] as const;
/** Order of the two rows of general registers. */
const ROWS: readonly (readonly typeof GENERAL[number][])[] = [
  ["eax", "ebx", "ecx", "edx"],
  ["esi", "edi", "ebp", "esp"],
];
const FLAG_LETTERS = [
  ["D", FLAG.DF],
  ["O", FLAG.OF],
  ["S", FLAG.SF],
  ["Z", FLAG.ZF],
  ["A", FLAG.AF],
  ["P", FLAG.PF],
  ["C", FLAG.CF],
] as const;
/** System descriptors by type. */
const SYSTEM_TYPES: readonly string[] = [
  ..."Reserved TSS16-avl LDT TSS16-busy CallGate16 TaskGate IntGate16 TrapGate16".split(" "),
  ..."Reserved TSS32-avl Reserved TSS32-busy CallGate32 Reserved IntGate32 TrapGate32".split(" "),
];

/** Bits of a descriptor's attribute byte. */
const ACCESSED = 0x01;
const READ_WRITE = 0x02;
const CONFORMING_DOWN = 0x04;
const CODE = 0x08;
const CODE_OR_DATA = 0x10;
const PRESENT = 0x80;
/** In the attribute word. */
const BIG = 0x4000;
const PAGES = 0x8000;
const ATTRIBUTES = 0xf0ff;

const FPU_COUNT = 8;
const XMM_COUNT = 8;
const EMPTY = 3;

/** All of `info registers`. */
export function registerLines(cpu: Cpu, a20: boolean): string[] {
  const { state } = cpu;
  return [
    "CPU#0",
    ...ROWS.map((row) =>
      row.map((name) => `${name.toUpperCase()}=${general(state, name)}`).join(" ")
    ),
    `EIP=${hex(state.eip)} EFL=${hex(state.eflags)} [${flagLetters(state.eflags)}] ` +
    `CPL=${state.cpl} II=${Number(cpu.shadow)} A20=${Number(a20)} SMM=0 HLT=${Number(cpu.halted)}`,
    ...[...SEGMENTS, "ldt", "tr"].map((name, i) => segmentLine(state, name.toUpperCase(), i)),
    `GDT=     ${hex(state.get(AT.GDT_BASE))} ${hex(state.get(AT.GDT_LIMIT))}`,
    `IDT=     ${hex(state.get(AT.IDT_BASE))} ${hex(state.get(AT.IDT_LIMIT))}`,
    [0, 2, 3, 4].map((n) => `CR${n}=${hex(state.cr[n]!)}`).join(" "),
    [0, 1, 2, 3].map((n) => `DR${n}=${debugRegister(state, n)}`).join(" "),
    `DR6=${debugRegister(state, 6)} DR7=${debugRegister(state, 7)}`,
    `EFER=${hex(state.get(AT.EFER), 16)}`,
    ...fpuLines(state),
    ...pairs(XMM_COUNT, (n) => `XMM${String(n).padStart(2, "0")}=${xmm(state, n)}`),
  ];
}

/** A register that an expression may name: `$eax`, `$cs` (its selector), `$pc` (linear). */
export function registerValue(state: CpuState, name: string): number | undefined {
  if (name === "eip") return state.eip;
  if (name === "pc") return (state.segmentBase(CS) + state.eip) >>> 0;
  if (name === "eflags") return state.eflags;
  const [, control] = /^cr([0234])$/.exec(name) ?? [];
  if (control !== undefined) return state.cr[Number(control)];
  const at = GENERAL.findIndex((each) => each === name);
  if (at >= 0) return state.regs[at];
  const segment = SEGMENTS.findIndex((each) => each === name);
  return segment >= 0 ? state.selector(segment) : undefined;
}

function general(state: CpuState, name: typeof GENERAL[number]): string {
  return hex(state.regs[GENERAL.indexOf(name)]!);
}

function flagLetters(eflags: number): string {
  return FLAG_LETTERS.map(([letter, mask]) => (eflags & mask) !== 0 ? letter : "-").join("");
}

function debugRegister(state: CpuState, n: number): string {
  return hex(state.get(AT.DR + 4 * n));
}

function segmentLine(state: CpuState, name: string, segment: number): string {
  const word = state.seg(segment, SEG.ATTR);
  const attr = word === NULL_ATTR ? 0 : word & ATTRIBUTES;
  const limit = state.seg(segment, SEG.LIMIT) >>> 0;
  const field = (attr & PAGES) !== 0 ? limit >>> 12 : limit;
  const flags = ((attr << 8) | (field & 0xf0000)) >>> 0;
  const base = hex(state.segmentBase(segment));
  const line = `${name.padEnd(3)}=${hex(state.selector(segment), 4)} ${base} ${hex(limit)} ` +
    hex(flags);
  const shown = (state.cr[0]! & CR0.PE) !== 0 && (attr & PRESENT) !== 0;
  return shown ? `${line} DPL=${(attr >> 5) & 3} ${descriptorText(attr)}` : line;
}

function descriptorText(attr: number): string {
  if ((attr & CODE_OR_DATA) === 0) return SYSTEM_TYPES[attr & 15]!;
  const letter = (mask: number, text: string) => (attr & mask) !== 0 ? text : "-";
  const big = (attr & BIG) !== 0;
  return (attr & CODE) !== 0
    ? `${big ? "CS32" : "CS16"} [${letter(CONFORMING_DOWN, "C")}${letter(READ_WRITE, "R")}` +
      `${letter(ACCESSED, "A")}]`
    : `${big ? "DS  " : "DS16"} [${letter(CONFORMING_DOWN, "E")}${letter(READ_WRITE, "W")}` +
      `${letter(ACCESSED, "A")}]`;
}

function fpuLines(state: CpuState): string[] {
  const status = state.get(AT.FPU_STATUS);
  const tags = state.get(AT.FPU_TAGS);
  let valid = 0;
  for (let n = 0; n < FPU_COUNT; n++) {
    if (((tags >> (2 * n)) & 3) !== EMPTY) valid |= 1 << n;
  }
  return [
    `FCW=${hex(state.get(AT.FPU_CONTROL), 4)} FSW=${hex(status, 4)} [ST=${(status >> 11) & 7}] ` +
    `FTW=${hex(valid, 2)} MXCSR=${hex(state.get(AT.MXCSR))}`,
    ...pairs(FPU_COUNT, (n) => {
      const at = AT.FPU_REGS + 16 * n;
      return `FPR${n}=${quad(state, at)} ${hex(state.view.getUint16(at + 8, true), 4)}`;
    }),
  ];
}

function xmm(state: CpuState, n: number): string {
  const at = AT.XMM + 16 * n;
  return `${quad(state, at + 8)} ${quad(state, at)}`;
}

function quad(state: CpuState, at: number): string {
  return state.view.getBigUint64(at, true).toString(16).padStart(16, "0");
}

/** Two in a line. */
function pairs(count: number, text: (n: number) => string): string[] {
  return Array.from({ length: count / 2 }, (_, row) => `${text(2 * row)} ${text(2 * row + 1)}`);
}
