/**
 * Generated functions that are there from the start, the same for every CPU.
 * @module
 */

import type { CpuState } from "./state.ts";
import { encodeModule, type FunctionBody } from "./wasm.ts";

/** Functions by the names of their callees. */
export type Functions = Record<string, WebAssembly.ImportValue>;

/** A module that is made when the first CPU needs it. */
export class RuntimeModule {
  readonly #write: () => readonly FunctionBody[];
  #module: WebAssembly.Module | undefined;
  /** Names of its functions, in the order of their export numbers. */
  #names: readonly string[] = [];

  /** @param write writes the functions, each named as its callee is */
  constructor(write: () => readonly FunctionBody[]) {
    this.#write = write;
  }

  /** @returns its functions for one CPU */
  instantiate({ memory }: CpuState, imports: Functions): Functions {
    const table = new WebAssembly.Table({ element: "anyfunc", initial: 1 });
    const x = { ...imports, memory, table };
    const { exports } = new WebAssembly.Instance(this.#made(), { x });
    const functions: Functions = {};
    this.#names.forEach((name, n) => {
      functions[name] = exports[String(n)] as WebAssembly.ImportValue;
    });
    return functions;
  }

  #made(): WebAssembly.Module {
    if (this.#module) return this.#module;
    const bodies = this.#write();
    this.#names = bodies.map(({ type }) => type.name);
    return this.#module = new WebAssembly.Module(encodeModule(bodies));
  }
}
