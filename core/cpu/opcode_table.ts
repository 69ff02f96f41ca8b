/**
 * The shape of the opcode table, and how rows are put into it. The rows themselves are in
 * opcodes.ts (integer and system), opcodes_fpu.ts and opcodes_sse.ts.
 * @module
 */

import type { Row, SystemOp } from "./insn.ts";
import { undefinedOpcode } from "./misc.ts";
import type { Sem } from "./x.ts";

/** Rows told apart by the ModRM byte: by its reg field, or as a whole. */
export interface Group {
  readonly memory: (Row | undefined)[];
  readonly register: (Row | undefined)[];
  readonly exact?: Record<number, Row>;
}

/** Rows told apart by a mandatory prefix, in the order of {@link PREFIX}. */
export interface Prefixed {
  readonly byPrefix: (Row | Group | undefined)[];
}

/** What stands behind an opcode byte. */
export type Slot = Row | Group | Prefixed;

/** Mandatory prefixes; F2 and F3 win over 66. */
export const PREFIX = { NONE: 0, P66: 1, F3: 2, F2: 3 } as const;

/** Opcodes 00–FF. */
export const ONE_BYTE: (Slot | undefined)[] = new Array(256);
/** Opcodes 0F 00–0F FF. */
export const TWO_BYTE: (Slot | undefined)[] = new Array(256);

/** All rows, by id. */
export const ROWS: Row[] = [];

/** What a row is beside its name and operands. */
export interface Extras {
  readonly sem?: Sem;
  readonly system?: SystemOp;
  readonly rep?: SystemOp;
  readonly branch?: boolean;
  readonly proceeds?: boolean;
  readonly feature?: number;
}

/** Makes a row without giving it an encoding. */
export function make(mnemonic: string, operands: string, extras: Extras): Row {
  const row: Row = {
    id: ROWS.length,
    mnemonic,
    operands: operands ? operands.split(",") : [],
    branch: false,
    ...extras,
  };
  ROWS.push(row);
  return row;
}

function table(opcode: number): (Slot | undefined)[] {
  return opcode > 0xff ? TWO_BYTE : ONE_BYTE;
}

/** Gives a row its opcode; opcodes above FF are 0F xx. */
export function place(opcode: number, row: Row): void {
  table(opcode)[opcode & 0xff] = row;
}

/** A row with semantics. */
export function row(opcode: number, mnemonic: string, operands: string, sem: Sem): void {
  place(opcode, make(mnemonic, operands, { sem }));
}

/** A row whose semantics leave the straight line. */
export function branch(opcode: number, mnemonic: string, operands: string, sem: Sem): void {
  place(opcode, make(mnemonic, operands, { sem, branch: true }));
}

/** A row whose semantics end the block in front of the next instruction. */
export function across(opcode: number, mnemonic: string, operands: string, sem: Sem): void {
  place(opcode, make(mnemonic, operands, { sem, branch: true, proceeds: true }));
}

/** A row that TypeScript executes. */
export function sys(opcode: number, mnemonic: string, operands: string, op: SystemOp): void {
  place(opcode, make(mnemonic, operands, { system: op }));
}

function isGroup(slot: Slot | undefined): slot is Group {
  return slot !== undefined && "memory" in slot;
}

function groupAt(opcode: number): Group {
  const slots = table(opcode);
  const slot = slots[opcode & 0xff];
  if (isGroup(slot)) return slot;
  const group: Group = { memory: new Array(8), register: new Array(8), exact: {} };
  slots[opcode & 0xff] = group;
  return group;
}

/** ModRM forms a group member has. */
export type Form = "memory" | "register" | "both";

function join(group: Group, reg: number, made: Row, form: Form): void {
  if (form !== "register") group.memory[reg] = made;
  if (form !== "memory") group.register[reg] = made;
}

/** Puts a row behind one value of the ModRM reg field. */
export function member(opcode: number, reg: number, made: Row, form: Form = "both"): void {
  join(groupAt(opcode), reg, made, form);
}

/** Puts a row behind one ModRM byte. */
export function exact(opcode: number, modrm: number, made: Row): void {
  groupAt(opcode).exact![modrm] = made;
}

function prefixedAt(opcode: number): Prefixed {
  const slots = table(opcode);
  const slot = slots[opcode & 0xff];
  if (slot && "byPrefix" in slot) return slot;
  const prefixed: Prefixed = { byPrefix: new Array(4) };
  // What stood here without a prefix of its own keeps all that have none.
  if (slot) prefixed.byPrefix[PREFIX.NONE] = slot;
  slots[opcode & 0xff] = prefixed;
  return prefixed;
}

/** Puts a row behind an opcode with a mandatory prefix of {@link PREFIX}. */
export function prefixed(opcode: number, prefix: number, made: Row): void {
  prefixedAt(opcode).byPrefix[prefix] = made;
}

/** Puts a row behind a mandatory prefix and a value of the ModRM reg field. */
export function prefixedMember(
  opcode: number,
  prefix: number,
  reg: number,
  made: Row,
  form: Form = "both",
): void {
  const { byPrefix } = prefixedAt(opcode);
  let group = byPrefix[prefix];
  if (!isGroup(group)) {
    group = { memory: new Array(8), register: new Array(8), exact: {} };
    byPrefix[prefix] = group;
  }
  join(group, reg, made, form);
}

/** Puts rows behind a mandatory prefix and the two kinds of r/m operand. */
export function prefixedForms(opcode: number, prefix: number, memory: Row, register: Row): void {
  for (let reg = 0; reg < 8; reg++) {
    prefixedMember(opcode, prefix, reg, memory, "memory");
    prefixedMember(opcode, prefix, reg, register, "register");
  }
}

/** Raises #UD; stands for every encoding that is not in the table. */
export const UNDEFINED: Row = make("ud", "", { system: undefinedOpcode });
