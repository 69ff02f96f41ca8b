/**
 * Interrupt lines with several sources: a line is asserted while any of its inputs is, as level
 * interrupts on open-drain lines are.
 * @module
 */

import type { InterruptLine } from "../core/types.ts";

/** As many as there are ISA interrupts. */
const LINE_COUNT = 16;

/** Lines by number, ISA interrupts or PIRQs, each with as many inputs as somebody drives it by. */
export class SharedLines {
  readonly #output: (line: number) => InterruptLine;
  readonly #asserted: Uint8Array = new Uint8Array(LINE_COUNT);

  /** @param output where all inputs of a line meet */
  constructor(output: (line: number) => InterruptLine) {
    this.#output = output;
  }

  /** One more source of a line, not asserted. */
  input(line: number): InterruptLine {
    const output = this.#output(line);
    let level = false;
    return {
      set: (asserted) => {
        if (asserted === level) return;
        level = asserted;
        this.#asserted[line]! += asserted ? 1 : -1;
        output.set(this.#asserted[line]! > 0);
      },
    };
  }
}
