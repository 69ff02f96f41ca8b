/**
 * Names of a guest's functions, by address.
 *
 * Three kinds of file are read: `System.map` and `/proc/kallsyms` of Linux (`c1000000 T _stext`,
 * module symbols with `[module]` behind), 32-bit ELF files with a symbol table, and a `vmlinux`
 * without one.
 * Source: nm(1) for the letters; System V ABI, chapter 4, for sections and symbols.
 * @module
 */

import { viewOf } from "../bits.ts";
import { UsageError } from "../errors.ts";
import { isElf } from "./elf.ts";
import { kernelSymbols } from "./kallsyms.ts";

/** Where a symbol begins. All that follows is its own, up to the next symbol. */
interface Symbol {
  readonly address: number;
  /** Of a function; data and the end of a section have none. */
  readonly name: string | undefined;
}

const LINE = /^([0-9a-f]{8,16}) (\S) (\S+)(?:\s+\[(\S+)\])?$/;
/** Text, and weak symbols, most of which are functions. */
const CODE_LETTERS = "tTwW";
/** Where text ends; module code may follow much later. */
const TEXT_ENDS: ReadonlySet<string> = new Set(["_etext", "_einittext", "_end"]);
/** Absolute: a number, not a place. */
const ABSOLUTE_LETTERS = "aA";

/** Offsets in the ELF file header. */
const EHDR = { shoff: 32, shentsize: 46, shnum: 48 } as const;
/** Offsets in a section header. */
const SHDR = { type: 4, flags: 8, addr: 12, offset: 16, size: 20, link: 24 } as const;
/** Offsets in a symbol. */
const SYM = { name: 0, value: 4, info: 12, shndx: 14, size: 16 } as const;
const SHT_SYMTAB = 2;
const SHF_EXECINSTR = 4;
const STT_SECTION = 3;
const STT_FILE = 4;

/** The functions of one guest. */
export class SymbolTable {
  readonly #symbols: readonly Symbol[];

  private constructor(symbols: readonly Symbol[]) {
    this.#symbols = symbols.toSorted((a, b) => a.address - b.address);
  }

  /**
   * Reads a file of any of the three kinds.
   * @param name the file's name, for messages
   * @throws {UsageError} when there is no function in it
   */
  static parse(file: Uint8Array, name: string): SymbolTable {
    const symbols = isElf(file) ? elfSymbols(file, name) : textSymbols(file);
    const found = hasNames(symbols) ? symbols : ownSymbols(file);
    if (hasNames(found)) return new SymbolTable(found);
    throw new UsageError(
      `Cannot read symbols "${name}": no function in it`,
      "an unpacked vmlinux, System.map, /proc/kallsyms of the guest as root reads it, or an ELF " +
        "file that is not stripped",
    );
  }

  /** Name of the function that an address lies in; `undefined` when none is known. */
  nameAt(address: number): string | undefined {
    let low = 0;
    let high = this.#symbols.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#symbols[middle]!.address <= address) low = middle + 1;
      else high = middle;
    }
    return this.#symbols[low - 1]?.name;
  }
}

/**
 * Of several symbols at one address the first function counts, as it is in the file. The addresses of
 * `/proc/kallsyms` are all 0 for whoever may not see them.
 */
function textSymbols(file: Uint8Array): Symbol[] {
  const found: Symbol[] = [];
  for (const line of new TextDecoder().decode(file).split("\n")) {
    const [, digits, letter = "", name, module] = LINE.exec(line.trimEnd()) ?? [];
    if (digits === undefined || ABSOLUTE_LETTERS.includes(letter)) continue;
    const text = module === undefined ? name! : `${name} [${module}]`;
    found.push(symbolOf(parseInt(digits, 16), letter, text));
  }
  if (found.length > 1 && found.every(({ address }) => address === 0)) return [];
  const symbols = new Map<number, Symbol>();
  for (const symbol of found) add(symbols, symbol);
  return [...symbols.values()];
}

/** What a kernel carries for `/proc/kallsyms`. */
function ownSymbols(file: Uint8Array): Symbol[] {
  const symbols = new Map<number, Symbol>();
  for (const { address, letter, name } of kernelSymbols(file) ?? []) {
    add(symbols, symbolOf(address, letter, name));
  }
  return [...symbols.values()];
}

function symbolOf(address: number, letter: string, name: string): Symbol {
  const isFunction = CODE_LETTERS.includes(letter) && !TEXT_ENDS.has(name);
  return { address, name: isFunction ? name : undefined };
}

function hasNames(symbols: readonly Symbol[]): boolean {
  return symbols.some(({ name }) => name !== undefined);
}

function add(symbols: Map<number, Symbol>, symbol: Symbol): void {
  if (symbols.get(symbol.address)?.name === undefined) symbols.set(symbol.address, symbol);
}

function elfSymbols(file: Uint8Array, name: string): Symbol[] {
  try {
    return readElf(file);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(
      `Cannot read symbols "${name}": the ELF file is damaged, its headers point outside its ` +
        `${file.length} bytes`,
      "copy or link it again",
    );
  }
}

/** @throws {RangeError} when a header points outside the file */
function readElf(file: Uint8Array): Symbol[] {
  const data = viewOf(file);
  const sections = Array.from(
    { length: data.getUint16(EHDR.shnum, true) },
    (_, i) => sectionAt(data, i),
  );
  const symbols = new Map<number, Symbol>();
  for (const { type, flags, addr, size } of sections) {
    if (type !== 0 && (flags & SHF_EXECINSTR) !== 0) {
      add(symbols, { address: addr + size, name: undefined });
    }
  }
  for (const table of sections.filter(({ type }) => type === SHT_SYMTAB)) {
    const strings = sections[table.link];
    if (strings === undefined) throw new RangeError("strings in no section");
    for (let at = table.offset; at < table.offset + table.size; at += SYM.size) {
      const type = data.getUint8(at + SYM.info) & 0xf;
      const section = sections[data.getUint16(at + SYM.shndx, true)];
      if (section === undefined || type === STT_SECTION || type === STT_FILE) continue;
      const isCode = (section.flags & SHF_EXECINSTR) !== 0;
      const text = textAt(file, strings.offset + data.getUint32(at, true));
      const address = data.getUint32(at + SYM.value, true);
      add(symbols, { address, name: isCode && text !== "" ? text : undefined });
    }
  }
  return [...symbols.values()];
}

function sectionAt(data: DataView, index: number): Record<keyof typeof SHDR, number> {
  const at = data.getUint32(EHDR.shoff, true) + index * data.getUint16(EHDR.shentsize, true);
  const field = (offset: number) => data.getUint32(at + offset, true);
  return {
    type: field(SHDR.type),
    flags: field(SHDR.flags),
    addr: field(SHDR.addr),
    offset: field(SHDR.offset),
    size: field(SHDR.size),
    link: field(SHDR.link),
  };
}

function textAt(file: Uint8Array, at: number): string {
  const end = file.indexOf(0, at);
  if (end < 0) throw new RangeError("string outside the file");
  return new TextDecoder().decode(file.subarray(at, end));
}
