/**
 * The text of a case's instruction.
 * @module
 */

import { disassemble } from "../../core/cpu/disasm.ts";
import { MODE } from "../../core/cpu/state.ts";
import { unhex } from "../helpers/oracle.ts";

/** Instruction bytes and what they say. */
export function disassembly(bytes: string, code32: boolean): string {
  const code = unhex(bytes);
  const found = disassemble({ byteAt: (at) => code[at] ?? 0 }, 0, code32 ? MODE.CODE32 : 0);
  return `${bytes}  ${found?.text ?? "(bad)"}`;
}
