/**
 * First tier: decoded records, each with the handler of its shape, run one after the other by tail
 * calls. Handlers are made on first sight, all that a block needs in one module.
 * @module
 */

import type { Code, CodeTable } from "./code_table.ts";
import { type Insn, KIND, type Operand } from "./insn.ts";
import { HANDLER, REC, registerAddress, type Shape, shapeKey, shapeOf } from "./record.ts";
import { Recorder, SPECIAL } from "./recorder.ts";
import { AT, type CpuState, CS, SEG } from "./state.ts";
import { FunctionBody } from "./wasm.ts";

/** Makes handlers and writes records. */
export class Threaded {
  readonly #state: CpuState;
  readonly #table: CodeTable;
  readonly #handlers = new Map<number, number>();
  readonly #pending: FunctionBody[] = [];
  readonly #numbers: number[] = [];
  /** Runs from a record until generated code returns. */
  readonly enter: Code;

  constructor(state: CpuState, table: CodeTable) {
    this.#state = state;
    this.#table = table;
    const { stop, head, complex, enter, straddling, interrupt, interruptReturn } = SPECIAL;
    const all = [stop, head, complex, enter, straddling, interrupt, interruptReturn];
    for (const write of all) {
      const body = new FunctionBody();
      write(body);
      this.#promise(body);
    }
    this.flush();
    this.enter = table.get(HANDLER.ENTER);
  }

  /** Compiles the handlers that records written since the last call are waiting for. */
  flush(): void {
    if (this.#pending.length === 0) return;
    this.#table.compile(this.#pending, this.#numbers);
    this.#pending.length = this.#numbers.length = 0;
  }

  #promise(body: FunctionBody): number {
    const number = this.#table.reserve();
    this.#pending.push(body);
    this.#numbers.push(number);
    return number;
  }

  #handler(insn: Insn, shape: Shape): number {
    const key = shapeKey(insn, shape);
    const known = this.#handlers.get(key);
    if (known !== undefined) return known;
    const recorder = new Recorder(insn, shape);
    insn.row.sem!(recorder);
    if (!insn.row.branch) recorder.finish();
    const number = this.#promise(recorder.body);
    this.#handlers.set(key, number);
    return number;
  }

  /**
   * Writes the record of an instruction with semantics.
   * @param left instructions of the block from this one on
   * @param isolated its jumps return to the dispatcher
   * @param patched host address of its immediate if the guest changes it, else 0
   */
  write(at: number, insn: Insn, left: number, isolated: boolean, patched: number): void {
    const shape = shapeOf(
      insn,
      this.#state.get(AT.MODE),
      this.#state.segmentBase(CS),
      isolated,
      patched !== 0,
    );
    const words = this.#state.words;
    const w = at >> 2;
    words[w] = this.#handler(insn, shape);
    words[w + (REC.PC >> 2)] = insn.pc;
    words[w + (REC.IMM >> 2)] = patched || insn.imm;
    words[w + (REC.DISP >> 2)] = insn.disp;
    const { operands, base, index, segment, scale } = insn;
    words[w + (REC.REG >> 2)] = pair(operandWord(operands[0]), operandWord(operands[1]));
    words[w + (REC.REG + 4 >> 2)] = pair(operandWord(operands[2]), left);
    words[w + (REC.BASE >> 2)] = pair(addressPart(base), addressPart(index));
    words[w + (REC.SEGMENT >> 2)] = pair(AT.SEGS + segment * SEG.STRIDE, scale);
    if (!insn.row.branch) return;
    words[w + (REC.NEXT >> 2)] = insn.next;
    words[w + (REC.TARGET >> 2)] = insn.target;
    words[w + (REC.TAKEN >> 2)] = 0;
    words[w + (REC.FALL >> 2)] = 0;
  }

  /** Writes the record of an instruction that TypeScript executes, if need be. */
  writeComplex(at: number, insn: Insn): void {
    this.writeSpecial(at, complexHandler(insn), insn.pc);
    this.#state.set(at + REC.IMM, insn.imm);
    this.#state.set(at + REC.RETURN, insn.next);
  }

  /** Writes a record of {@link HANDLER}, its other fields 0. */
  writeSpecial(at: number, handler: number, pc: number): void {
    const words = this.#state.words;
    words.fill(0, at >> 2, (at + REC.STRIDE) >> 2);
    words[at >> 2] = handler;
    words[(at + REC.PC) >> 2] = pc;
  }
}

function complexHandler({ row, operandSize }: Insn): number {
  if (row.mnemonic === "int") return HANDLER.INTERRUPT;
  if (row.mnemonic === "iret" && operandSize === 4) return HANDLER.INTERRUPT_RETURN;
  return HANDLER.COMPLEX;
}

/** Two 16-bit fields. */
const pair = (first: number, second: number): number => first | second << 16;

function operandWord(operand: Operand | undefined): number {
  if (!operand) return 0;
  const { kind, reg, size } = operand;
  return kind === KIND.REG ? registerAddress(reg, size) : reg;
}

/** Byte address of a base or index register. */
const addressPart = (register: number): number => register < 0 ? AT.ZERO : register * 4;
