/**
 * Instructions that lie on two pages. They are no part of any block, as the pages may be mapped and
 * written apart, but loops hold them, too: each is decoded once for as long as its bytes stay.
 * @module
 */

import type { Insn } from "./insn.ts";
import type { Mmu } from "./mmu.ts";
import { type CpuState, CS, SEG } from "./state.ts";

/** An instruction as it was decoded, and of what. */
interface Straddling {
  readonly insn: Insn;
  readonly mode: number;
  readonly bytes: Uint8Array;
}

const PAGE_MASK = 0xfff;
/** Enough for any program's loops; a program that makes code all the time must not fill memory. */
const MOST = 4096;

/** What has been decoded across the end of a page. */
export class StraddlingCode {
  readonly #state: CpuState;
  readonly #mmu: Mmu;
  /** By linear address. */
  readonly #known = new Map<number, Straddling>();

  constructor(state: CpuState, mmu: Mmu) {
    this.#state = state;
    this.#mmu = mmu;
  }

  /**
   * The instruction at EIP if it is known and still the same.
   * @throws {Fault} as fetching it does
   */
  find(mode: number): Insn | undefined {
    const { eip } = this.#state;
    const linear = (this.#state.segmentBase(CS) + eip) >>> 0;
    const known = this.#known.get(linear);
    if (known === undefined || known.mode !== mode || known.insn.pc !== eip) return undefined;
    const last = eip + known.bytes.length - 1;
    const isInside = last <= this.#state.seg(CS, SEG.LIMIT) >>> 0;
    return isInside && this.#holds(linear, known.bytes) ? known.insn : undefined;
  }

  /** Remembers an instruction that has been decoded at EIP, if it lies on two pages. */
  note(insn: Insn, mode: number): void {
    const linear = (this.#state.segmentBase(CS) + insn.pc) >>> 0;
    const length = insn.next - insn.pc;
    if (length <= 0 || (linear & PAGE_MASK) + length <= PAGE_MASK + 1) return;
    if (this.#known.size === MOST) this.#known.clear();
    const bytes = Uint8Array.from({ length }, (_, i) => this.#byteAt((linear + i) >>> 0));
    this.#known.set(linear, { insn, mode, bytes });
  }

  /** The second page is not touched while the bytes on the first are others. */
  #holds(linear: number, bytes: Uint8Array): boolean {
    const onFirst = PAGE_MASK + 1 - (linear & PAGE_MASK);
    return this.#holdsFrom(linear, bytes, 0, onFirst) &&
      this.#holdsFrom((linear + onFirst) >>> 0, bytes, onFirst, bytes.length);
  }

  /** Bytes `from` up to `end`, which are on one page, begin at `linear`. */
  #holdsFrom(linear: number, bytes: Uint8Array, from: number, end: number): boolean {
    const host = this.#mmu.fetchAddress(linear);
    const memory = this.#state.bytes;
    for (let i = from; i < end; i++) {
      if ((host < 0 ? 0xff : memory[host + i - from]!) !== bytes[i]) return false;
    }
    return true;
  }

  /** As the decoder fetches it. */
  #byteAt(linear: number): number {
    const host = this.#mmu.fetchAddress(linear);
    return host < 0 ? 0xff : this.#state.bytes[host]!;
  }
}
