/**
 * The names of its own functions that a Linux kernel carries, for `/proc/kallsyms`: they are in its
 * read-only data, so a stripped `vmlinux` has them, too.
 *
 * | in memory, each aligned to 4 bytes | |
 * |---|---|
 * | offsets | dword a symbol, from the base, ascending |
 * | base | dword |
 * | number of symbols | dword |
 * | names | length in bytes (7 bits, bit 7 = 7 bits more follow), then tokens |
 * | markers | where every 256th name begins, dwords |
 * | order | the symbols by name, three bytes each; from 6.2 and stable 6.1 on |
 * | token table | 256 strings, zero-terminated |
 * | token index | where each string begins, words |
 *
 * The first character of a name is the symbol's letter, as nm prints it. Nothing says where the
 * tables are: they are found by the token index, 256 ascending words behind the strings that they
 * point to, and then backwards.
 * Source: scripts/kallsyms.c and kernel/kallsyms.c of Linux 6.1, 32-bit, KALLSYMS_BASE_RELATIVE.
 * @module
 */

import { viewOf } from "../bits.ts";

const TOKENS = 256;
const INDEX_BYTES = 2 * TOKENS;
/** Symbols from marker to marker. */
const STRIDE = 256;
/** Characters of a symbol, at most: its names are searched in so many bytes for each. */
const LONGEST_NAME = 512;
/** From the markers to the token table, at most. */
const FARTHEST = 4 << 20;
/** The tokens of the digits are the digits; the search begins with them. */
const DIGITS = new TextEncoder().encode([..."0123456789"].map((digit) => `${digit}\0`).join(""));
const FIRST_DIGIT = 0x30;

/** One symbol. */
export interface KernelSymbol {
  readonly address: number;
  /** As nm prints it: `t` and `T` are text. */
  readonly letter: string;
  readonly name: string;
}

/** The symbols of a kernel's image, `undefined` where no tables are. */
export function kernelSymbols(image: Uint8Array): KernelSymbol[] | undefined {
  for (let at = find(image, 0); at >= 0; at = find(image, at + 1)) {
    const symbols = new Tables(image).readAround(at);
    if (symbols !== undefined) return symbols;
  }
  return undefined;
}

function find(image: Uint8Array, from: number): number {
  for (
    let at = image.indexOf(FIRST_DIGIT, from);
    at >= 0;
    at = image.indexOf(FIRST_DIGIT, at + 1)
  ) {
    if (DIGITS.every((byte, i) => image[at + i] === byte)) return at;
  }
  return -1;
}

/** The tables of one image. */
class Tables {
  readonly #image: Uint8Array;
  readonly #data: DataView;
  #tokens: readonly string[] = [];

  constructor(image: Uint8Array) {
    this.#image = image;
    this.#data = viewOf(image);
  }

  /** @param digits where the strings of the digits are */
  readAround(digits: number): KernelSymbol[] | undefined {
    const table = this.#findTokens(digits);
    const count = table === undefined ? undefined : this.#findCountBefore(table);
    return count === undefined ? undefined : this.#read(count);
  }

  /** The index says where the table begins: its word for "0" is as far from there as "0" is. */
  #findTokens(digits: number): number | undefined {
    let end = digits;
    for (let token = FIRST_DIGIT; token < TOKENS; token++) end = this.#image.indexOf(0, end) + 1;
    const index = align4(end);
    if (end === 0 || index + INDEX_BYTES > this.#image.length) return undefined;
    const offset = (token: number) => this.#data.getUint16(index + 2 * token, true);
    const table = digits - offset(FIRST_DIGIT);
    if (table < 0 || offset(0) !== 0) return undefined;
    const ascends = (token: number) => token === 0 || offset(token) > offset(token - 1);
    const numbers = Array.from({ length: TOKENS }, (_, token) => token);
    if (!numbers.every(ascends)) return undefined;
    this.#tokens = numbers.map((token) => this.#text(table + offset(token)));
    return table;
  }

  /** The nearest before the token table that begin with 0 and ascend by what 256 names can take. */
  #findCountBefore(table: number): number | undefined {
    const least = Math.max(table - FARTHEST, 4);
    for (let markers = align4(table) - 8; markers >= least; markers -= 4) {
      if (this.#word(markers) !== 0 || !this.#isStride(markers)) continue;
      let end = markers;
      while (this.#isStride(end)) end += 4;
      const count = this.#findCount(markers, (end - markers) / 4 + 1);
      if (count !== undefined) return count;
    }
    return undefined;
  }

  #isStride(marker: number): boolean {
    if (marker + 8 > this.#image.length) return false;
    const bytes = this.#word(marker + 4) - this.#word(marker);
    return bytes >= 2 * STRIDE && bytes <= STRIDE * LONGEST_NAME;
  }

  /** Behind the number of symbols are the names, and the 256th begins where the marker says. */
  #findCount(markers: number, length: number): number | undefined {
    const last = markers - this.#word(markers + 4 * (length - 1));
    for (let at = align4(last) - 8; at >= 8 && at > last - STRIDE * LONGEST_NAME; at -= 4) {
      const count = this.#word(at);
      const fits = Math.ceil(count / STRIDE) === length && at >= 4 * count + 4;
      if (fits && this.#skip(at + 4, STRIDE) === at + 4 + this.#word(markers + 4)) return at;
    }
    return undefined;
  }

  #skip(at: number, names: number): number {
    for (let i = 0; i < names; i++) {
      const [begin, length] = this.#nameAt(at);
      at = begin + length;
    }
    return at;
  }

  /** Where the tokens of a name begin, and how many there are. */
  #nameAt(at: number): [number, number] {
    const length = this.#image[at]!;
    if (length < 0x80) return [at + 1, length];
    return [at + 2, length & 0x7f | this.#image[at + 1]! << 7];
  }

  #read(countAt: number): KernelSymbol[] {
    const count = this.#word(countAt);
    const base = this.#word(countAt - 4);
    const offsets = countAt - 4 - 4 * count;
    const symbols: KernelSymbol[] = [];
    let at = countAt + 4;
    for (let i = 0; i < count; i++) {
      const [begin, length] = this.#nameAt(at);
      at = begin + length;
      let text = "";
      for (const token of this.#image.subarray(begin, at)) text += this.#tokens[token]!;
      const address = (base + this.#word(offsets + 4 * i)) >>> 0;
      symbols.push({ address, letter: text.charAt(0), name: text.slice(1) });
    }
    return symbols;
  }

  #word(at: number): number {
    return this.#data.getUint32(at, true);
  }

  #text(at: number): string {
    return new TextDecoder("latin1").decode(this.#image.subarray(at, this.#image.indexOf(0, at)));
  }
}

function align4(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}
