/**
 * The locals of a function in compiled code, used again when nobody refers to them any more.
 * @module
 */

import { OP, type Val } from "./ir.ts";
import type { Knowledge } from "./loop.ts";
import { type FunctionBody, I32 } from "./wasm.ts";

/** Gives them out. */
export class Locals {
  readonly #body: FunctionBody;
  readonly #all: { readonly index: number; readonly type: number }[] = [];
  readonly #free = new Map<number, number[]>();

  constructor(body: FunctionBody) {
    this.#body = body;
  }

  /** @returns index of a local that holds nothing */
  take(type: number): number {
    const free = this.#free.get(type)?.pop();
    if (free !== undefined) return free;
    const index = this.#body.local(type);
    this.#all.push({ index, type });
    return index;
  }

  typeOf(index: number): number {
    return this.#all.find((each) => each.index === index)?.type ?? I32;
  }

  /** Those that none of the registers and flags refers to may be given out again. */
  keep(knowledge: readonly Knowledge[]): void {
    const live = new Set<number>();
    for (const { registers, flags } of knowledge) {
      for (const register of registers) mark(register, live);
      for (const v of Object.values(flags)) mark(v, live);
    }
    this.#free.clear();
    for (const { index, type } of this.#all) {
      if (live.has(index)) continue;
      const list = this.#free.get(type);
      if (list) list.push(index);
      else this.#free.set(type, [index]);
    }
  }
}

function mark(v: Val | undefined, live: Set<number>): void {
  if (!v) return;
  if (v.op === OP.LOCAL) live.add(v.n);
  mark(v.a, live);
  mark(v.b, live);
  mark(v.c, live);
}
