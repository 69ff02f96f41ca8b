/**
 * The table of generated functions, which both tiers share, and the modules that fill it.
 * @module
 */

import type { CpuState } from "./state.ts";
import { encodeModule, type FunctionBody } from "./wasm.ts";

/** Any function of the table: it starts at a record. */
export type Code = (record: number) => void;

/** Functions by number. */
export class CodeTable {
  readonly #imports: WebAssembly.Imports;
  readonly #table: WebAssembly.Table;
  /** 64 KiB each, of the memory. */
  readonly #pages: number;
  readonly #free: number[] = [];
  #next = 0;

  /** @param imports functions by the names of their `Callee`s */
  constructor(state: CpuState, imports: Readonly<Record<string, WebAssembly.ImportValue>>) {
    this.#table = new WebAssembly.Table({ element: "anyfunc", initial: 4096 });
    this.#pages = state.memory.buffer.byteLength / 65536;
    const own = { memory: state.memory, table: this.#table };
    this.#imports = { x: Object.assign(Object.create(imports), own) };
  }

  /** @returns the number of a function that {@link compile} will bring */
  reserve(): number {
    return this.#free.pop() ?? this.#next++;
  }

  /** Compiles functions as one module and puts them at reserved numbers. */
  compile(bodies: readonly FunctionBody[], numbers: readonly number[]): void {
    const module = new WebAssembly.Module(encodeModule(bodies, this.#pages));
    const { exports } = new WebAssembly.Instance(module, this.#imports);
    if (this.#next > this.#table.length) this.#table.grow(this.#next - this.#table.length + 4096);
    numbers.forEach((number, n) => this.#table.set(number, exports[String(n)] as Code));
  }

  get(number: number): Code {
    return this.#table.get(number) as Code;
  }

  /** Lets go of a function that nothing refers to any more. */
  release(number: number): void {
    this.#table.set(number, null);
    this.#free.push(number);
  }
}
