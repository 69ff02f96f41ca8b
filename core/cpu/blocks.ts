/**
 * Blocks of decoded code: found by physical page, linear address and mode; dropped when the bytes
 * they came from change.
 *
 * A block is a straight run up to a branch, an instruction that TypeScript executes, or the end of
 * the page. An instruction that crosses a page is never kept: the caller steps it.
 * @module
 */

import { Fault, VECTOR } from "./fault.ts";
import { Decoder } from "./decode.ts";
import type { Insn } from "./insn.ts";
import { JUMP_ROW } from "./opcodes.ts";
import type { Mmu } from "./mmu.ts";
import { REC } from "./record.ts";
import { AT, type CpuState, CS, JUMP, RECORDS, SEG } from "./state.ts";
import { HANDLER, type Threaded } from "./threaded.ts";

/** Instructions of the longest block. */
const MAX_BLOCK = 64;
/** Records a block needs at most: head, instructions, jump to the rest. */
const MAX_RECORDS = MAX_BLOCK + 2;
/** First records: scratch space for a single instruction. */
const SCRATCH = RECORDS.BASE;
const FIRST = SCRATCH + 2 * REC.STRIDE;

/** Decoded code of one physical page. */
interface CodePage {
  /** Head records by mode and linear address. */
  readonly blocks: Map<number, number>;
  /** Bit n: the page's n-th 64-byte chunk holds decoded bytes. Two words of 32. */
  readonly chunks: Uint32Array;
}

/** Thrown in front of a store that would change the running block's own page. */
export const RESTART: unique symbol = Symbol("restart after self-modification");

/** Builds, finds and drops blocks. */
export class Blocks {
  readonly #state: CpuState;
  readonly #mmu: Mmu;
  readonly #threaded: Threaded;
  readonly #decoder: Decoder;
  readonly #pages: (CodePage | undefined)[];
  /** Instructions behind complex records, by the record's TARGET word. */
  #complex: Insn[] = [];
  #next: number = FIRST;
  /** Linear page that a look-ahead must not leave: nothing behind it may be touched. -1 = none. */
  #onlyPage = -1;
  /** Generated code of a kept block is running. */
  running = false;

  /** @param features CPUID bits the decoder goes by */
  constructor(state: CpuState, mmu: Mmu, threaded: Threaded, features: number) {
    this.#state = state;
    this.#mmu = mmu;
    this.#threaded = threaded;
    this.#decoder = new Decoder({ byteAt: (eip) => this.#byteAt(eip) }, features);
    this.#pages = new Array(state.bytes.length >> 12);
    mmu.holdsCode = (host) => this.#pages[host >>> 12] !== undefined;
    mmu.codeWritten = (host, size) => this.#codeWritten(host, size);
  }

  /** The instruction that a complex record stands for. */
  complexInsn(record: number): Insn {
    return this.#complex[this.#state.get(record + REC.TARGET)]!;
  }

  /** Decodes the instruction at EIP, wherever it lies. */
  decode(): Insn {
    return this.#decoder.decode(this.#state.eip, this.#state.get(AT.MODE));
  }

  /** Writes one instruction, whose jumps come back, to the scratch records. */
  scratch(insn: Insn): number {
    this.#threaded.write(SCRATCH, insn, 1, true);
    this.#threaded.writeSpecial(SCRATCH + REC.STRIDE, HANDLER.STOP, insn.next, 0);
    this.#threaded.flush();
    return SCRATCH;
  }

  /**
   * The block at EIP.
   * @returns its head record, or 0 when the instruction there must be stepped
   * @throws {Fault} when its page cannot be fetched from
   */
  find(): number {
    const eip = this.#state.eip;
    const mode = this.#state.get(AT.MODE);
    const linear = (this.#state.segmentBase(CS) + eip) >>> 0;
    const host = this.#mmu.fetchAddress(linear);
    if (host < 0) return 0;
    const known = this.#recall(linear, mode, host - linear);
    if (known) return known;
    const page = this.#page(host >>> 12);
    const key = (mode >>> 0) * 0x1_0000_0000 + linear;
    let head = page.blocks.get(key);
    if (head === undefined) {
      if (this.#next + MAX_RECORDS * REC.STRIDE > RECORDS.END) {
        this.dropAll();
        return this.find();
      }
      head = this.#build(eip, mode, linear, host, page);
      if (!head) return 0;
      page.blocks.set(key, head);
    }
    this.#remember(linear, mode, host - linear, head);
    return head;
  }

  #page(number: number): CodePage {
    let page = this.#pages[number];
    if (!page) {
      page = { blocks: new Map(), chunks: new Uint32Array(2) };
      this.#pages[number] = page;
      this.#mmu.forbidWrites(number);
    }
    return page;
  }

  /** Head of a live block that the jump cache holds, else 0. */
  #recall(linear: number, mode: number, addend: number): number {
    const words = this.#state.words;
    const at = (JUMP.BASE + (linear & (JUMP.ENTRIES - 1)) * JUMP.STRIDE) >> 2;
    const head = words[at + (JUMP.RECORD >> 2)]!;
    const hit = words[at + (JUMP.LINEAR >> 2)] === (linear | 0) &&
      words[at + (JUMP.MODE >> 2)] === mode && words[at + (JUMP.ADDEND >> 2)] === (addend | 0) &&
      words[head >> 2] === HANDLER.HEAD;
    return hit ? head : 0;
  }

  #remember(linear: number, mode: number, addend: number, head: number): void {
    const words = this.#state.words;
    const at = (JUMP.BASE + (linear & (JUMP.ENTRIES - 1)) * JUMP.STRIDE) >> 2;
    words[at + (JUMP.LINEAR >> 2)] = linear;
    words[at + (JUMP.MODE >> 2)] = mode;
    words[at + (JUMP.ADDEND >> 2)] = addend;
    words[at + (JUMP.RECORD >> 2)] = head;
  }

  #build(eip: number, mode: number, linear: number, host: number, page: CodePage): number {
    const insns = this.#discover(eip, mode, linear);
    if (insns.length === 0) return 0;
    const last = insns[insns.length - 1]!;
    const complex = isComplex(last);
    const count = complex ? insns.length - 1 : insns.length;
    const head = this.#next;
    this.#threaded.writeSpecial(head, HANDLER.HEAD, eip, count);
    let at = head + REC.STRIDE;
    for (let i = 0; i < count; i++, at += REC.STRIDE) {
      this.#threaded.write(at, insns[i]!, count - i, false);
    }
    if (complex) {
      this.#threaded.writeSpecial(at, HANDLER.COMPLEX, last.pc, this.#complex.push(last) - 1);
      at += REC.STRIDE;
    } else if (!last.row.branch) {
      this.#threaded.write(at, jumpTo(last), 0, false);
      this.#state.set(at + REC.PC, last.next);
      at += REC.STRIDE;
    }
    this.#next = at;
    this.#threaded.flush();
    this.#mark(page, host & 0xfff, last.next - eip);
    return head;
  }

  /** Instructions of the block; none when the first one crosses the page or cannot be fetched. */
  #discover(eip: number, mode: number, linear: number): Insn[] {
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

  #mark(page: CodePage, offset: number, length: number): void {
    for (let chunk = offset >> 6; chunk <= (offset + length - 1) >> 6; chunk++) {
      page.chunks[chunk >> 5]! |= 1 << (chunk & 31);
    }
  }

  #byteAt(eip: number): number {
    const state = this.#state;
    if (eip >>> 0 > state.seg(CS, SEG.LIMIT) >>> 0) throw Fault.of(13, 0);
    const linear = (state.segmentBase(CS) + eip) >>> 0;
    if (this.#onlyPage >= 0 && linear >>> 12 !== this.#onlyPage) throw Fault.of(VECTOR.PF, 0);
    const host = this.#mmu.fetchAddress(linear);
    return host < 0 ? 0xff : state.bytes[host]!;
  }

  /** The jump that missed, if any, will not be followed now. */
  forgetLink(): void {
    this.#state.set(AT.LINK, 0);
  }

  /** Links the jump that missed to the block it led to, when both lie on one page. */
  link(head: number): void {
    const link = this.#state.get(AT.LINK);
    if (!link) return;
    this.#state.set(link, head);
    this.#state.set(AT.LINK, 0);
  }

  // ---- invalidation --------------------------------------------------------------------------

  /** A guest store of `size` bytes at `host` is about to happen on a page with code. */
  #codeWritten(host: number, size: number): void {
    const page = this.#pages[host >>> 12]!;
    if (!this.#overlaps(page, host & 0xfff, size)) return;
    if (this.running && this.#runningPage() === host >>> 12) throw RESTART;
    this.drop(host >>> 12);
  }

  #overlaps(page: CodePage, offset: number, size: number): boolean {
    for (let chunk = offset >> 6; chunk <= (offset + size - 1) >> 6; chunk++) {
      if (page.chunks[chunk >> 5]! & (1 << (chunk & 31))) return true;
    }
    return false;
  }

  #runningPage(): number {
    const pc = this.#state.get(this.#state.get(AT.RECORD) + REC.PC);
    return this.#mmu.fetchAddress((this.#state.segmentBase(CS) + pc) >>> 0) >>> 12;
  }

  /** Bytes of linear memory were changed from outside the CPU. */
  written(offset: number, length: number): void {
    for (let page = offset >>> 12; page <= (offset + length - 1) >>> 12; page++) {
      const code = this.#pages[page];
      if (!code) continue;
      const from = Math.max(offset, page * 4096);
      const to = Math.min(offset + length, (page + 1) * 4096);
      if (this.#overlaps(code, from & 0xfff, to - from)) this.drop(page);
    }
  }

  /** Forgets a page's blocks: their heads stop, so that no link or cache can reach the old code. */
  drop(number: number): void {
    for (const head of this.#pages[number]!.blocks.values()) {
      this.#state.set(head, HANDLER.STOP);
    }
    this.#pages[number] = undefined;
  }

  /** Forgets everything. Only while no generated code runs. */
  dropAll(): void {
    this.#pages.fill(undefined);
    this.#complex = [];
    this.#next = FIRST;
    this.#state.words.fill(0, JUMP.BASE >> 2, (JUMP.BASE + JUMP.ENTRIES * JUMP.STRIDE) >> 2);
    this.#state.set(AT.LINK, 0);
  }
}

/** TypeScript executes it. */
export function isComplex(insn: Insn): boolean {
  return insn.row.system !== undefined || (insn.rep !== 0 && insn.row.rep !== undefined);
}

/** A jump to what follows: ends a block that no branch ends. */
function jumpTo(last: Insn): Insn {
  return { ...last, row: JUMP_ROW, operands: [], index: -1, target: last.next };
}
