/**
 * First tier: decoded records, each with the handler of its shape, run one after the other by tail
 * calls. Handlers are made on first sight, all that a block needs in one module.
 * @module
 */

import type { Code, CodeTable } from "./code_table.ts";
import { type Insn, KIND } from "./insn.ts";
import { REC, registerAddress, type Shape, shapeKey, shapeOf } from "./record.ts";
import { Recorder, SPECIAL } from "./recorder.ts";
import { AT, type CpuState, CS, SEG } from "./state.ts";
import { FunctionBody } from "./wasm.ts";

/** Handler numbers of {@link SPECIAL}, fixed by the order in which they are made. */
export const HANDLER = { STOP: 0, HEAD: 1, COMPLEX: 2, ENTER: 3 } as const;

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
    for (const write of [SPECIAL.stop, SPECIAL.head, SPECIAL.complex, SPECIAL.enter]) {
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
   */
  write(at: number, insn: Insn, left: number, isolated: boolean): void {
    const shape = shapeOf(
      insn,
      this.#state.get(AT.MODE),
      this.#state.segmentBase(CS),
      isolated,
    );
    const words = this.#state.words;
    const w = at >> 2;
    words[w] = this.#handler(insn, shape);
    insn.operands.forEach((operand, n) => {
      const { kind, reg, size } = operand;
      words[w + (REC.REG >> 2) + n] = kind === KIND.REG ? registerAddress(reg, size) : reg;
    });
    words[w + (REC.BASE >> 2)] = insn.base < 0 ? AT.ZERO : insn.base * 4;
    words[w + (REC.INDEX >> 2)] = insn.index < 0 ? AT.ZERO : insn.index * 4;
    words[w + (REC.SCALE >> 2)] = insn.scale;
    words[w + (REC.DISP >> 2)] = insn.disp;
    words[w + (REC.IMM >> 2)] = insn.imm;
    words[w + (REC.PC >> 2)] = insn.pc;
    words[w + (REC.NEXT >> 2)] = insn.next;
    words[w + (REC.LEFT >> 2)] = left;
    words[w + (REC.SEGMENT >> 2)] = AT.SEGS + insn.segment * SEG.STRIDE;
    words[w + (REC.TARGET >> 2)] = insn.target;
    words[w + (REC.TAKEN >> 2)] = 0;
    words[w + (REC.FALL >> 2)] = 0;
  }

  /** Writes a record of {@link HANDLER}; `word` goes to REC.REG (block length) and REC.TARGET. */
  writeSpecial(at: number, handler: number, pc: number, word: number): void {
    const words = this.#state.words;
    words.fill(0, at >> 2, (at + REC.STRIDE) >> 2);
    words[at >> 2] = handler;
    words[(at + REC.REG) >> 2] = word;
    words[(at + REC.TARGET) >> 2] = word;
    words[(at + REC.PC) >> 2] = pc;
  }
}
