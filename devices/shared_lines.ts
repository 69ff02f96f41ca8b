/**
 * Interrupt lines with several sources: a line is asserted while any of its inputs is, as level
 * interrupts on open-drain lines are.
 * @module
 */

import type { InterruptLine } from "../core/types.ts";

const LINE_COUNT = 16;

/** The sixteen ISA interrupts, each as often as somebody drives it. */
export class SharedLines {
  readonly #output: (irq: number) => InterruptLine;
  readonly #asserted: Uint8Array = new Uint8Array(LINE_COUNT);

  /** @param output the line that all inputs of an interrupt meet in */
  constructor(output: (irq: number) => InterruptLine) {
    this.#output = output;
  }

  /** One more source of an interrupt, not asserted. */
  input(irq: number): InterruptLine {
    const output = this.#output(irq);
    let level = false;
    return {
      set: (asserted) => {
        if (asserted === level) return;
        level = asserted;
        this.#asserted[irq]! += asserted ? 1 : -1;
        output.set(this.#asserted[irq]! > 0);
      },
    };
  }
}
