/**
 * Decodes guest memory: the instruction at EIP, and the blocks that records are made from.
 * @module
 */

import { Decoder } from "./decode.ts";
import { Fault, VECTOR } from "./fault.ts";
import type { Insn } from "./insn.ts";
import type { Mmu } from "./mmu.ts";
import { AT, type CpuState, CS, SEG } from "./state.ts";
import { StraddlingCode } from "./straddling.ts";

const { MODE: AT_MODE } = AT;
const { LIMIT: SEG_LIMIT } = SEG;
const { GP, PF } = VECTOR;

/** Instructions of the longest block. */
export const MAX_BLOCK = 64;

/** Reads code by the current privilege. */
export class CodeReader {
  readonly #state: CpuState;
  readonly #mmu: Mmu;
  readonly #decoder: Decoder;
  readonly #straddling: StraddlingCode;
  /** Linear page that a look-ahead must not leave: nothing behind it may be touched. -1 = none. */
  #onlyPage = -1;

  /** @param features CPUID features of the decoder */
  constructor(state: CpuState, mmu: Mmu, features: number) {
    this.#state = state;
    this.#mmu = mmu;
    this.#decoder = new Decoder({ byteAt: (eip) => this.#byteAt(eip) }, features);
    this.#straddling = new StraddlingCode(state, mmu);
  }

  /**
   * The instruction at EIP, wherever it lies.
   * @throws {Fault} of its fetch
   */
  here(): Insn {
    const mode = this.#state.get(AT_MODE);
    const known = this.#straddling.find(mode);
    if (known !== undefined) return known;
    const insn = this.#decoder.decode(this.#state.eip, mode);
    this.#straddling.note(insn, mode);
    return insn;
  }

  /** The instruction at EIP if it lies on two pages, and is known and still the same. */
  straddling(mode: number): Insn | undefined {
    return this.#straddling.find(mode);
  }

  /** Instructions of the block; none when the first one crosses the page or cannot be fetched. */
  block(eip: number, mode: number, linear: number): Insn[] {
    const insns: Insn[] = [];
    let at = eip;
    const inPage = 0x1000 - (linear & 0xfff);
    while (insns.length < MAX_BLOCK && at - eip < inPage) {
      const insn = this.#lookAhead(at, mode, linear >>> 12);
      if (!insn || insn.next < insn.pc) break;
      insns.push(insn);
      if (insn.row.branch || isComplex(insn)) break;
      at = insn.next;
    }
    return insns;
  }

  /** Decodes without side effects; nothing where a fetch would fault or leave the page. */
  #lookAhead(eip: number, mode: number, page: number): Insn | undefined {
    this.#onlyPage = page;
    try {
      return this.#decoder.decode(eip, mode);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return undefined;
    } finally {
      this.#onlyPage = -1;
    }
  }

  #byteAt(eip: number): number {
    const state = this.#state;
    if (eip >>> 0 > state.seg(CS, SEG_LIMIT) >>> 0) throw Fault.of(GP, 0);
    const linear = (state.segmentBase(CS) + eip) >>> 0;
    if (this.#onlyPage >= 0 && linear >>> 12 !== this.#onlyPage) throw Fault.of(PF, 0);
    const host = this.#mmu.fetchAddress(linear);
    return host < 0 ? 0xff : state.bytes[host]!;
  }
}

/** Instructions of a block before the one that TypeScript executes, if it ends with such. */
export function simpleCount(insns: readonly Insn[]): number {
  const last = insns[insns.length - 1]!;
  return isComplex(last) ? insns.length - 1 : insns.length;
}

/** TypeScript executes it. */
export function isComplex(insn: Insn): boolean {
  return insn.row.system !== undefined || (insn.rep !== 0 && insn.row.rep !== undefined);
}
