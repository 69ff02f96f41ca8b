/**
 * A random system: memory with code, descriptor tables, task states and page tables in it, and
 * registers that point there. Most of it makes sense, so that code gets somewhere; the rest is chance.
 * @module
 */

import type { SystemState } from "../../helpers/cpu_state.ts";
import type { FpuState } from "../../helpers/oracle_fpu.ts";
import { randomCode } from "./code.ts";
import { Chance, CODE, type Mode, type Paging, RAM_BYTES } from "./layout.ts";
import { makeFpu, makeState } from "./registers.ts";
import { makeAllTables } from "./tables.ts";

/** Bytes of random code; they repeat through code, data and stack. */
const PATTERN = 0x4000;

/** The state in front of a case's first instruction. */
export interface World {
  readonly mode: Mode;
  readonly paging: Paging;
  readonly cpl: number;
  readonly state: SystemState;
  readonly fpu: FpuState;
  /** External interrupts that wait, first to last. */
  readonly vectors: readonly number[];
}

/**
 * Makes a world; writes all of `ram`.
 * @param seed equal seeds give equal worlds
 */
export function makeWorld(seed: number, ram: Uint8Array): World {
  const rng = new Chance(seed);
  const view = new DataView(ram.buffer, ram.byteOffset, ram.length);
  const mode = rng.pick<Mode>(["real", "v86", "pm16", "pm32", "pm32"]);
  const paging = mode === "real" ? "off" : rng.pick<Paging>(["off", "small", "pse", "pae"]);
  const cpl = mode === "real" ? 0 : mode === "v86" ? 3 : rng.pick([0, 0, 1, 2, 3, 3]);
  rng.fill(ram.subarray(0, CODE));
  randomCode(rng, ram.subarray(CODE, CODE + PATTERN));
  for (let at = CODE + PATTERN; at < RAM_BYTES; at += PATTERN) {
    ram.copyWithin(at, CODE, CODE + PATTERN);
  }
  makeAllTables(rng, view, mode, paging);
  return {
    mode,
    paging,
    cpl,
    state: makeState(rng, mode, paging, cpl),
    fpu: makeFpu(rng),
    vectors: Array.from({ length: rng.chance(25) ? rng.below(4) : 0 }, () => rng.below(256)),
  };
}
