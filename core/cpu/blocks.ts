/**
 * Blocks of decoded code: found by physical page, linear address and mode; dropped when the bytes
 * they came from change.
 *
 * A block is a straight run up to a branch, an instruction that TypeScript executes, or the end of
 * the page. An instruction that lies on two pages is a block that looks at its bytes before each
 * run; if TypeScript executes it, it is not kept: the caller steps it.
 * @module
 */

import type { Code, CodeTable } from "./code_table.ts";
import { CodeMap } from "./code_map.ts";
import { type Block, blockKey, CodePage, PageHistory } from "./code_pages.ts";
import { CodeReader, isComplex, MAX_BLOCK, simpleCount } from "./code_reader.ts";
import type { Insn } from "./insn.ts";
import { Jit } from "./jit.ts";
import { JumpCache } from "./jump_cache.ts";
import { JUMP_ROW } from "./opcodes.ts";
import type { Mmu } from "./mmu.ts";
import { HANDLER, REC } from "./record.ts";
import { AT, type CpuState, CS, MODE, RECORDS } from "./state.ts";
import { Threaded } from "./threaded.ts";
import { chooseUnit } from "./unit_choice.ts";

const { LINK, MODE: AT_MODE, RECORD } = AT;
const {
  BRANCH_STRIDE: REC_BRANCH_STRIDE,
  COUNT: REC_COUNT,
  HEAT: REC_HEAT,
  INSN: REC_INSN,
  PC: REC_PC,
  STRIDE: REC_STRIDE,
} = REC;
const { HEAD, STOP, STRADDLING } = HANDLER;
const { BANK_SHIFT: MODE_BANK_SHIFT } = MODE;

/** Bytes of the records of the longest block: head, instructions, jump to the rest. */
const MAX_BYTES = (MAX_BLOCK + 1) * REC_STRIDE + REC_BRANCH_STRIDE;
/** First records: scratch space for a single instruction. */
const SCRATCH = RECORDS.BASE;
const FIRST = SCRATCH + REC_BRANCH_STRIDE;
/** Code that changes operands is compiled sooner: in the first tier its stores cost so much more. */
const PATCHED = 16;
/** Runs before a block is compiled, on a page that changes all the time. */
const MAX_HEAT = 0x4000_0000;

/** Thrown in front of a store that would change the running block's own page. */
export const RESTART: unique symbol = Symbol("restart after self-modification");

/** What {@link Blocks} is made from. */
export interface BlockOptions {
  readonly table: CodeTable;
  /** CPUID features of the decoder. */
  readonly features: number;
  /** Runs before a block is compiled; doubled each time its page changes. 0 = never. */
  readonly heat: number;
}

/** Builds, finds and drops blocks. */
export class Blocks {
  readonly #state: CpuState;
  readonly #mmu: Mmu;
  readonly #table: CodeTable;
  readonly #threaded: Threaded;
  readonly #jit: Jit;
  readonly #heat: number;
  readonly #reader: CodeReader;
  readonly #jumps: JumpCache;
  readonly #map: CodeMap;
  readonly #pages: (CodePage | undefined)[];
  /** Pages whose code has changed. */
  readonly #histories = new Map<number, PageHistory>();
  /** Instructions behind complex and straddling records, by the record's INSN word. */
  #complex: Insn[] = [];
  #next: number = FIRST;
  /** Generated code of a kept block is running. */
  running = false;
  /** Runs from a record until generated code returns. */
  readonly enter: Code;
  /** Sees each block when it has been decoded: its EIP, and that behind it. */
  onBlock: (eip: number, end: number) => void = () => {};

  constructor(state: CpuState, mmu: Mmu, { table, features, heat }: BlockOptions) {
    this.#state = state;
    this.#mmu = mmu;
    this.#table = table;
    this.#heat = heat;
    this.#threaded = new Threaded(state, table);
    this.#jit = new Jit(table);
    this.enter = this.#threaded.enter;
    this.#jumps = new JumpCache(state);
    this.#reader = new CodeReader(state, mmu, features);
    this.#map = new CodeMap(state);
    this.#pages = new Array(state.get(AT.CODE_MAP) >>> 12);
    mmu.holdsCode = (host) => this.#pages[host >>> 12] !== undefined;
    mmu.codeWritten = (host, size) => this.#codeWritten(host, size);
  }

  /** The instruction that a complex or straddling record stands for. */
  insnOf(record: number): Insn {
    return this.#complex[this.#state.get(record + REC_INSN)]!;
  }

  /** Decodes the instruction at EIP, wherever it lies. */
  decode(): Insn {
    return this.#reader.here();
  }

  /** Writes one instruction, whose jumps come back, to the scratch records. */
  scratch(insn: Insn): number {
    this.#threaded.write(SCRATCH, insn, 1, true, 0);
    if (!insn.row.branch) this.#threaded.writeSpecial(SCRATCH + REC_STRIDE, STOP, insn.next);
    this.#threaded.flush();
    return SCRATCH;
  }

  /**
   * The block at EIP.
   * @returns its head record, or 0 when the instruction there must be stepped
   * @throws {Fault} when it cannot be fetched
   */
  find(): number {
    const eip = this.#state.eip;
    const mode = this.#state.get(AT_MODE);
    const linear = (this.#state.segmentBase(CS) + eip) >>> 0;
    return this.#jumps.recall(linear, mode) || this.#look(eip, mode, linear);
  }

  /** Runs `count` instructions of a block from a record on, but not the last one. */
  enterPart(record: number, count: number): void {
    const { words } = this.#state;
    const end = (record + REC_STRIDE * count) >> 2;
    const handler = words[end]!;
    words[end] = STOP;
    try {
      this.enter(record);
    } finally {
      words[end] = handler;
    }
  }

  #look(eip: number, mode: number, linear: number): number {
    const host = this.#mmu.fetchAddress(linear);
    if (host < 0) return 0;
    const page = this.#page(host >>> 12);
    const key = blockKey(mode, linear);
    let block = page.blocks.get(key);
    if (block === undefined) {
      if (page.unfit.has(key)) return 0;
      if (this.#next + MAX_BYTES > RECORDS.END) {
        this.dropAll();
        return this.#look(eip, mode, linear);
      }
      const head = this.#build(eip, mode, linear, host, page);
      if (!head) {
        page.unfit.add(key);
        return 0;
      }
      this.#state.set(head + REC.ADDEND, host - linear);
      block = { head, linear, compiled: 0 };
      page.blocks.set(key, block);
    }
    this.#jumps.remember(linear, mode, host - linear, block.head);
    return block.head;
  }

  #page(number: number): CodePage {
    let page = this.#pages[number];
    if (!page) {
      page = new CodePage(this.#map, number * 4096, this.#histories.get(number));
      this.#pages[number] = page;
      this.#mmu.watchStores(number);
    }
    return page;
  }

  /** Gives a block another handler, also where the jump cache holds it. */
  #setHandler({ head, linear }: Block, handler: number): void {
    this.#state.words[head >> 2] = handler;
    this.#jumps.update(linear, head);
  }

  #build(eip: number, mode: number, linear: number, host: number, page: CodePage): number {
    const insns = this.#reader.block(eip, mode, linear);
    if (insns.length === 0) return this.#buildStraddling(mode, host, page);
    const count = simpleCount(insns);
    const offset = host & 0xfff;
    const head = this.#next;
    let at = head;
    // A block that only TypeScript executes needs no head: nothing has to be taken off the budget.
    if (count > 0) {
      this.#threaded.writeSpecial(at, HEAD, eip);
      this.#state.set(at + REC_COUNT, count);
      this.#state.set(at + REC_HEAT, this.#heatOf(host >>> 12));
      at += REC_STRIDE;
    }
    for (let i = 0; i < count; i++, at += REC_STRIDE) {
      const insn = insns[i]!;
      const patched = page.patchedOperand(insn, offset + insn.next - insns[0]!.pc);
      this.#threaded.write(at, insn, count - i, false, patched);
    }
    this.#next = this.#buildEnd(at, insns, count);
    this.#threaded.flush();
    page.mark(offset, insns, count);
    this.onBlock(eip, insns[insns.length - 1]!.next);
    return head;
  }

  /** A block of the instruction at EIP, if it lies on two pages and is not left to TypeScript. */
  #buildStraddling(mode: number, host: number, page: CodePage): number {
    this.#reader.here();
    const insn = this.#reader.straddling(mode);
    if (!insn || isComplex(insn)) return 0;
    const head = this.#next;
    const insns = [insn];
    this.#threaded.writeSpecial(head, STRADDLING, insn.pc);
    this.#state.set(head + REC_INSN, this.#complex.push(insn) - 1);
    this.#threaded.write(head + REC_STRIDE, insn, 1, false, 0);
    this.#next = this.#buildEnd(head + 2 * REC_STRIDE, insns, 1);
    this.#threaded.flush();
    page.mark(host & 0xfff, insns, 0);
    this.onBlock(insn.pc, insn.next);
    return head;
  }

  /**
   * The instruction behind a straddling record, at EIP, is still the same; else its block goes.
   * @throws {Fault} when it cannot be fetched
   */
  isCurrent(record: number): boolean {
    const mode = this.#state.get(AT_MODE);
    if (this.#reader.straddling(mode) === this.insnOf(record)) return true;
    const linear = (this.#state.segmentBase(CS) + this.#state.eip) >>> 0;
    const blocks = this.#pages[this.#mmu.fetchAddress(linear) >>> 12]?.blocks;
    const key = blockKey(mode, linear);
    const block = blocks?.get(key);
    if (block?.head === record) {
      this.#setHandler(block, STOP);
      blocks!.delete(key);
    }
    return false;
  }

  /** Writes what follows a block's simple instructions. @returns the next free record */
  #buildEnd(at: number, insns: readonly Insn[], count: number): number {
    const last = insns[insns.length - 1]!;
    if (count < insns.length) {
      this.#threaded.writeComplex(at, last);
      this.#state.set(at + REC_INSN, this.#complex.push(last) - 1);
      return at + REC_STRIDE;
    }
    if (last.row.branch) return at - REC_STRIDE + REC_BRANCH_STRIDE;
    this.#threaded.write(at, jumpTo(last), 0, false, 0);
    this.#state.set(at + REC_PC, last.next);
    return at + REC_BRANCH_STRIDE;
  }

  #heatOf(page: number): number {
    const history = this.#histories.get(page);
    if (!history) return this.#heat;
    const heat = history.patched.size > 0 ? Math.ceil(this.#heat / PATCHED) : this.#heat;
    return Math.min(heat * 2 ** history.changes, MAX_HEAT);
  }

  /** The jump that missed, if any, will not be followed now. */
  forgetLink(): void {
    this.#state.set(LINK, 0);
  }

  /** Links the jump that missed to the block it led to. */
  link(head: number): void {
    const link = this.#state.get(LINK);
    if (!link) return;
    this.#state.set(link, head);
    this.#state.set(LINK, 0);
  }

  // ---- second tier ---------------------------------------------------------------------------

  /** Compiles the block at EIP, with all warm ones that its jumps inside the page lead to. */
  compile(): void {
    const mode = this.#state.get(AT_MODE);
    const base = this.#state.segmentBase(CS);
    const start = this.#state.eip;
    const number = this.#mmu.fetchAddress((base + start) >>> 0) >>> 12;
    const page = this.#pages[number];
    if (!page) return;
    const heat = this.#heatOf(number);
    const { blocks, members } = chooseUnit(page, this.#reader, this.#state, this.#mmu, heat);
    if (members.length === 0) return;
    const numbers = this.#jit.compile({
      mode,
      base,
      bank: mode >> MODE_BANK_SHIFT & 3,
      patchedOperand: (insn) => page.patchedOperand(insn, (base + insn.next - 1 & 0xfff) + 1),
      isSlow: (record) => this.#state.bytes[record + REC.SLOW] !== 0,
      blocks,
      sites: this.#mmu.sites,
      returns: new Map(),
    });
    for (const block of members) {
      const number = numbers.get(block.head);
      if (number === undefined) continue;
      block.compiled = number;
      this.#setHandler(block, number);
    }
  }

  // ---- invalidation --------------------------------------------------------------------------

  /** A guest store of `size` bytes at `host` is about to happen on a page with code. */
  #codeWritten(host: number, size: number): void {
    const number = host >>> 12;
    const page = this.#pages[number]!;
    const offset = host & 0xfff;
    if (!page.overlaps(offset, size)) return;
    if (this.running && this.#runningPage() === number) throw RESTART;
    if (page.learn(offset, size)) this.#forgetPage(number);
    else this.drop(number);
  }

  #runningPage(): number {
    const pc = this.#state.get(this.#state.get(RECORD) + REC_PC);
    return this.#mmu.fetchAddress((this.#state.segmentBase(CS) + pc) >>> 0) >>> 12;
  }

  /** Bytes of linear memory were changed from outside the CPU. */
  written(offset: number, length: number): void {
    for (let page = offset >>> 12; page <= (offset + length - 1) >>> 12; page++) {
      const code = this.#pages[page];
      if (!code) continue;
      const from = Math.max(offset, page * 4096);
      const to = Math.min(offset + length, (page + 1) * 4096);
      if (code.overlaps(from & 0xfff, to - from)) this.drop(page);
    }
  }

  /** Forgets a page's blocks: their heads stop, so that no link or cache can reach the old code. */
  drop(number: number): void {
    const history = this.#histories.get(number) ?? new PageHistory();
    history.changes++;
    this.#histories.set(number, history);
    this.#forgetPage(number);
  }

  #forgetPage(number: number): void {
    this.#forget(this.#pages[number]!);
    this.#pages[number] = undefined;
  }

  #forget(page: CodePage): void {
    page.close();
    for (const block of page.blocks.values()) {
      this.#setHandler(block, STOP);
      if (block.compiled) this.#table.release(block.compiled);
    }
  }

  /** Forgets all code and how often it has changed. Only while no generated code runs. */
  forget(): void {
    if (this.#next !== FIRST) this.dropAll();
    this.#histories.clear();
  }

  /** Forgets everything. Only while no generated code runs. */
  dropAll(): void {
    for (const page of this.#pages) if (page) this.#forget(page);
    this.#pages.fill(undefined);
    this.#complex = [];
    this.#next = FIRST;
    this.#jumps.clear();
    this.#mmu.sites.takeBack();
    this.#state.set(LINK, 0);
  }
}

/** A jump to what follows: ends a block that no branch ends. */
function jumpTo(last: Insn): Insn {
  return { ...last, row: JUMP_ROW, operands: [], index: -1, target: last.next };
}
