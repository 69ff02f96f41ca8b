/**
 * The software TLB: translations in linear memory, where generated code looks them up, and the
 * notes that keep forgetting them cheap.
 * @module
 */

import { TLB } from "./state.ts";

const {
  ADDEND: TLB_ADDEND,
  BANK_BYTES: TLB_BANK_BYTES,
  BASE: TLB_BASE,
  ENTRIES: TLB_ENTRIES,
  EXECUTE: TLB_EXECUTE,
  READ: TLB_READ,
  STRICT: TLB_STRICT,
  STRIDE: TLB_STRIDE,
  WRITE: TLB_WRITE,
} = TLB;

/** A tag that no page has: the access must be looked at. */
const INVALID = 1;
/** Bit of a write tag: the page may be written, but not without a look at the code on it. */
export const WATCHED = 2;
/** What an entry allows a store to do. */
export const STORES = { NONE: 0, WATCHED: 1, FREE: 2 } as const;
/** A host page that more than one entry may allow writes to. */
const MANY = -1;

const LISTED = 1, GLOBAL = 2, LARGE = 4;

const BANKS = 2;
const WORDS = TLB_STRIDE >> 2;
const READ = TLB_READ >> 2, WRITE = TLB_WRITE >> 2;
const ADDEND = TLB_ADDEND >> 2, EXECUTE = TLB_EXECUTE >> 2;

/** What an entry remembers of its page. */
export interface PageNotes {
  /** Guest-physical frame. */
  readonly gfn: number;
  /** Survives loads of CR3. */
  readonly global: boolean;
  /** A piece of a 2 or 4 MiB page. */
  readonly large: boolean;
}

/** Two banks of direct-mapped entries, supervisor and user. Entries are named by number. */
export class Tlb {
  readonly #words: Int32Array;
  /** Entries filled since they were last forgotten: the first {@link #count}, each once. */
  readonly #used = new Uint16Array(BANKS * TLB_ENTRIES);
  #count = 0;
  readonly #notes = new Uint8Array(BANKS * TLB_ENTRIES);
  readonly #gfns = new Uint32Array(BANKS * TLB_ENTRIES);
  /** By 4 MiB of linear addresses: pieces of a large page may be known. */
  readonly #pieces = new Uint8Array(1024);
  /** By host page: the only entry that may allow writes to it, plus 1; or {@link MANY}; or 0. */
  readonly #writers: Int32Array;

  /** @param words all of linear memory */
  constructor(words: Int32Array) {
    this.#words = words;
    this.#writers = new Int32Array(words.length >> 10);
    words.fill(INVALID, TLB_BASE >> 2, (TLB_STRICT + TLB_BANK_BYTES) >> 2);
  }

  /** The entry that a page may be in. */
  entry(linear: number, user: boolean): number {
    return (user ? TLB_ENTRIES : 0) + (linear >>> 12 & (TLB_ENTRIES - 1));
  }

  /**
   * Host offset of a linear address.
   * @param tag `TLB.READ`, `TLB.WRITE` or `TLB.EXECUTE`
   * @returns -1 when the entry holds another page, or does not allow the access, watched or not
   */
  lookup(entry: number, linear: number, tag: number): number {
    const at = (TLB_BASE >> 2) + entry * WORDS;
    if ((this.#words[at + (tag >> 2)]! & ~WATCHED) !== (linear & ~0xfff)) return -1;
    return (linear + this.#words[at + ADDEND]!) >>> 0;
  }

  /** Guest-physical frame behind an entry. */
  gfn(entry: number): number {
    return this.#gfns[entry]!;
  }

  /**
   * Adds what is known to be allowed to an entry.
   * @param frame host offset of the page
   * @param stores of {@link STORES}: any with the dirty bit set; free ones without code on the page
   */
  fill(
    entry: number,
    linear: number,
    frame: number,
    notes: PageNotes,
    stores: number,
    executable: boolean,
  ): void {
    const words = this.#words;
    const at = (TLB_BASE >> 2) + entry * WORDS;
    const page = linear & ~0xfff;
    const addend = (frame - page) | 0;
    if (words[at + ADDEND] !== addend || words[at + READ] !== page) {
      words[at + WRITE] = words[at + EXECUTE] = INVALID;
    }
    words[at + ADDEND] = addend;
    words[at + READ] = page;
    if (executable) words[at + EXECUTE] = page;
    if (stores !== STORES.NONE) {
      words[at + WRITE] = stores === STORES.FREE ? page : page | WATCHED;
      this.#noteWriter(entry, frame >>> 12);
    }
    this.#gfns[entry] = notes.gfn;
    if (notes.large) this.#pieces[linear >>> 22] = 1;
    if (!(this.#notes[entry]! & LISTED)) this.#used[this.#count++] = entry;
    this.#notes[entry] = LISTED | (notes.global ? GLOBAL : 0) | (notes.large ? LARGE : 0);
  }

  /** Stores through an entry need not be watched any longer. */
  free(entry: number): void {
    const at = (TLB_BASE >> 2) + entry * WORDS + WRITE;
    this.#words[at] = this.#words[at]! & ~WATCHED;
  }

  /** Forgets all translations, or all but the global ones. */
  flush(keepGlobal: boolean): void {
    let kept = 0;
    if (!keepGlobal) this.#pieces.fill(0);
    for (let n = 0; n < this.#count; n++) {
      const entry = this.#used[n]!;
      if (keepGlobal && this.#notes[entry]! & GLOBAL) this.#used[kept++] = entry;
      else {
        this.#clear(entry);
        this.#notes[entry] = 0;
      }
    }
    this.#count = kept;
  }

  /** Forgets a page in both banks, with all pieces when it is one of a large page. */
  invalidate(linear: number): void {
    this.#clear(this.entry(linear, false));
    this.#clear(this.entry(linear, true));
    if (this.#pieces[linear >>> 22]) this.#clearPieces(linear);
  }

  #clearPieces(linear: number): void {
    for (let n = 0; n < this.#count; n++) {
      const entry = this.#used[n]!;
      if (!(this.#notes[entry]! & LARGE)) continue;
      const page = this.#words[(TLB_BASE >> 2) + entry * WORDS + READ]!;
      if ((page ^ linear) >>> 22 === 0) this.#clear(entry);
    }
  }

  #clear(entry: number): void {
    const at = (TLB_BASE >> 2) + entry * WORDS;
    const words = this.#words;
    words[at + READ] = words[at + WRITE] = words[at + EXECUTE] = INVALID;
  }

  /** Stores to the host page of that number are watched from now on. */
  watch(page: number): void {
    const writer = this.#writers[page]!;
    if (writer > 0) this.#forbid(writer - 1, page);
    else if (writer === MANY) {
      for (let n = 0; n < this.#count; n++) this.#forbid(this.#used[n]!, page);
    }
  }

  #forbid(entry: number, page: number): void {
    if (!this.#writesTo(entry, page)) return;
    this.#words[(TLB_BASE >> 2) + entry * WORDS + WRITE]! |= WATCHED;
  }

  #writesTo(entry: number, page: number): boolean {
    const at = (TLB_BASE >> 2) + entry * WORDS;
    const tag = this.#words[at + WRITE]!;
    return tag !== INVALID && ((tag & ~WATCHED) + this.#words[at + ADDEND]!) >>> 12 === page;
  }

  #noteWriter(entry: number, page: number): void {
    const before = this.#writers[page]!;
    const alone = before === 0 || before === entry + 1 ||
      (before > 0 && !this.#writesTo(before - 1, page));
    this.#writers[page] = alone ? entry + 1 : MANY;
  }
}
