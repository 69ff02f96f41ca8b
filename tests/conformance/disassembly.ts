/**
 * The text of a case's instruction.
 * @module
 */

/** Instruction bytes for reading. */
// deno-lint-ignore require-await
export async function disassembly(bytes: string, _code32: boolean): Promise<string> {
  return bytes;
}
