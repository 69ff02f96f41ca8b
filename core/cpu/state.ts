/**
 * The vCPU's state in linear memory: the layout that generated code and TypeScript share.
 *
 * Everything a guest can observe lies here and is written through at once, so the state is exact at
 * every instruction. Guest RAM follows in the same memory.
 *
 * V8 folds a module's own constants and not those that it imports: so modules on hot paths open
 * with `const { … } = AT`, and put the table's name in front where the member's says too little.
 * @module
 */

import type { VcpuState } from "../types.ts";

/** Byte offsets of single words in linear memory. */
export const AT = {
  /** EAX ECX EDX EBX ESP EBP ESI EDI, four bytes each. */
  REGS: 0,
  /** Carry: CF = `CA <u CB`. */
  CA: 32,
  CB: 36,
  /** Result, sign-extended to 32 bits: ZF = `FR == 0`, SF = sign, PF = parity of the low byte. */
  FR: 40,
  /** Overflow: OF = sign. */
  FO: 44,
  /**
   * Bit 4: AF = `(FX ^ FR) & 16`. Bits 8–15 and 31 correct PF and SF when no result could show
   * them.
   */
  FX: 48,
  EIP: 52,
  /** Instructions that may still retire in this slice. */
  BUDGET: 56,
  /** Always zero: stands in for an absent base or index register. */
  ZERO: 60,
  /** Record of the instruction that called out of generated code. */
  RECORD: 64,
  /** EFLAGS without the six arithmetic flags; bit 1 set. */
  EFLAGS: 68,
  /** Key of everything decoded code depends on: see `MODE`. */
  MODE: 72,
  /** TLB bank of the current privilege: byte address. */
  BANK: 76,
  /** Record whose link word the dispatcher fills in with the block that was missing. */
  LINK: 80,
  CR: 88, // CR0 – CR4: 20 bytes
  CPL: 108,
  GDT_BASE: 112,
  GDT_LIMIT: 116,
  IDT_BASE: 120,
  IDT_LIMIT: 124,
  /** ES CS SS DS FS GS, then LDTR and TR: see `SEG`. */
  SEGS: 128,
  DR: 384, // DR0 – DR7
  SYSENTER: 416, // CS, ESP, EIP
  /** Non-zero: generated code stopped in front of the block with this head, to have it compiled. */
  HOT: 428,
  EFER: 432,
  /** The time stamp counter's end, below, is right. */
  TSC_KNOWN: 436,
  /** What WRMSR has added to the time stamp counter: 64 bits. */
  TSC_OFFSET: 440,
  /** The four page-directory-pointer entries that CR3 was loaded with, 8 bytes each. */
  PDPTES: 448, // to 479
  /** Time stamp counter when the budget will have been used up: 64 bits. */
  TSC_END: 480,
  /**
   * Physical x87 registers R0 – R7, 16 bytes each: 64-bit significand (also MM0 – MM7), sign and
   * exponent.
   */
  FPU_REGS: 512,
  /** Control word, status word (TOP included), and two tag bits for each register: 3 is empty. */
  FPU_CONTROL: 640,
  FPU_STATUS: 644,
  FPU_TAGS: 648,
  /** Last x87 instruction: opcode (11 bits), address, operand address. */
  FPU_OPCODE: 652,
  FPU_IP: 656,
  FPU_CS: 660,
  FPU_DP: 664,
  FPU_DS: 668,
  /** Operand or result on its way between memory and registers: see fpu/layout.ts. */
  FPU_TEMP: 688,
  MXCSR: 672,
  /** XMM0 – XMM7, 16 bytes each. */
  XMM: 704, // to 831
  /** A memory operand of an MMX or SSE instruction, and a result not yet written: 16 bytes each. */
  SIMD_SOURCE: 832,
  SIMD_RESULT: 848,
  /** The handler of an NMI runs, until IRET. */
  NMI_BLOCKED: 864,
  /**
   * A code segment that CS was loaded with after all checks: its descriptor's two words, the ring,
   * and what CS held then. See same_ring.ts.
   */
  PASSED_LOW: 868,
  PASSED_HIGH: 872,
  PASSED_CPL: 876,
  PASSED_SELECTOR: 880,
  PASSED_BASE: 884,
  PASSED_LIMIT: 888,
  PASSED_ATTR: 892,
  /** Address of the map of decoded bytes: see code_map.ts. */
  CODE_MAP: 896,
  /**
   * Non-zero: compiled code stopped in front of the block with this head, since the budget may be
   * enough for it, but not for all that it runs without a look.
   */
  SHORT: 900,
} as const;

/** Where those that a reset clears end. */
const STATE_BYTES = AT.CODE_MAP;

/** One segment register in linear memory. */
export const SEG = {
  STRIDE: 32,
  BASE: 0,
  /** Lowest valid offset. */
  LOW: 4,
  /** Highest valid offset minus the lowest; meaningless unless a right is set. */
  SPAN: 8,
  /** Bit 0 readable, bit 1 writable. */
  RIGHTS: 12,
  SELECTOR: 16,
  /** In bytes. */
  LIMIT: 20,
  /** Descriptor bits 40–47 in 0–7, AVL 12, D/B 14, G 15; `NULL_ATTR` when unusable. */
  ATTR: 24,
} as const;

/** Attribute word of a segment register that holds no descriptor. */
export const NULL_ATTR = 0x10000;

/** Segment register numbers, as encoded in instructions. */
export const ES = 0, CS = 1, SS = 2, DS = 3, FS = 4, GS = 5, LDTR = 6, TR = 7;

/** General register numbers, as encoded in instructions. */
export const EAX = 0, ECX = 1, EDX = 2, EBX = 3, ESP = 4, EBP = 5, ESI = 6, EDI = 7;

/** EFLAGS bits. */
export const FLAG = {
  CF: 0x1,
  PF: 0x4,
  AF: 0x10,
  ZF: 0x40,
  SF: 0x80,
  TF: 0x100,
  IF: 0x200,
  DF: 0x400,
  OF: 0x800,
  IOPL: 0x3000,
  NT: 0x4000,
  RF: 0x10000,
  VM: 0x20000,
  AC: 0x40000,
  ID: 0x200000,
} as const;

/** The flags that live in CA, CB, FR, FO and FX. */
export const ARITHMETIC: number = FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.OF;

/** CR0 bits. */
export const CR0 = {
  PE: 1,
  MP: 2,
  EM: 4,
  TS: 8,
  ET: 16,
  NE: 32,
  WP: 0x10000,
  AM: 0x40000,
  NW: 0x20000000,
  CD: 0x40000000,
  PG: 0x80000000,
} as const;
/** CR4 bits. Which of them a processor has follows from its features. */
export const CR4 = {
  VME: 1,
  PVI: 2,
  TSD: 4,
  DE: 8,
  PSE: 16,
  PAE: 32,
  MCE: 64,
  PGE: 128,
  PCE: 256,
  OSFXSR: 512,
  OSXMMEXCPT: 1024,
} as const;

/** Extended-feature register bits. */
export const EFER = { NXE: 0x800 } as const;

/**
 * Low bits of the mode word, the TLB bank's number, and from `CS_SHIFT` on that of (CS base, CS
 * limit).
 */
export const MODE = { CODE32: 1, STACK32: 2, FLAT: 4, BANK_SHIFT: 3, CS_SHIFT: 5 } as const;

/** One TLB entry. A tag is the linear page, or 1 where the access must take the slow path. */
export const TLB = {
  STRIDE: 16,
  READ: 0,
  WRITE: 4,
  ADDEND: 8,
  EXECUTE: 12,
  /** Pages of 64 MiB: with fewer, a kernel's code and data evict each other all the time. */
  ENTRIES: 16384,
  /** Supervisor bank, user bank, and one without entries: every access is checked or watched. */
  BASE: 0x8000,
  BANK_BYTES: 0x40000,
  STRICT: 0x88000,
} as const;

/** One entry of the cache that finds the block behind an indirect or cross-page jump. */
export const JUMP = {
  STRIDE: 32,
  LINEAR: 0,
  MODE: 4,
  ADDEND: 8,
  RECORD: 12,
  /** What the record's first word says. */
  HANDLER: 16,
  /** A kernel at one and the same work jumps to thousands of places; few of them shall meet. */
  ENTRIES: 131072,
  /**
   * The address's upper bits move its lower ones: of addresses that are multiples of 16, as those
   * of functions are, more would meet.
   */
  HASH_SHIFT: 16,
  BASE: 0xc8000,
} as const;

/**
 * What single accesses of compiled code translated last: page and addend. A kernel has thousands;
 * only when those of one kind (bank, read or write) are used up, accesses share them.
 */
export const SITES = {
  /**
   * In place of a page. A bit that no address keeps when it is compared: not the page, not the
   * lowest two.
   */
  NONE: 0x800,
  BASE: 0x4c8000,
  STRIDE: 8,
  PAGE: 0,
  ADDEND: 4,
  PER_KIND: 8192,
  KINDS: 4,
} as const;

/** Decoded records of the first tier. */
export const RECORDS = { BASE: 0x508000, END: 0x4000000 } as const;

/** Where guest RAM begins, 64 KiB-aligned. */
export const RAM_BASE = 0x4000000;

const PARITY = Uint8Array.from({ length: 256 }, (_, byte) => {
  let odd = 0;
  for (let bits = byte; bits; bits &= bits - 1) odd ^= 1;
  return odd ^ 1;
});

/** Typed access to the state words. */
export class CpuState implements VcpuState {
  readonly memory: WebAssembly.Memory;
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly regs: Uint32Array;
  readonly cr: Uint32Array;
  /** Set by the MMU: the walk behind {@link linearToGpa}. */
  translate: (linear: number) => number | undefined = (linear) => linear;

  /** @param ramBytes guest RAM and extra frames, a multiple of 64 KiB */
  constructor(ramBytes: number) {
    const codeMap = RAM_BASE + ramBytes;
    const pages = Math.ceil(codeMap * (1 + 1 / 8) / 65536);
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const buffer = this.memory.buffer;
    this.words = new Int32Array(buffer);
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.regs = new Uint32Array(buffer, AT.REGS, 8);
    this.cr = new Uint32Array(buffer, AT.CR, 5);
    this.set(AT.CODE_MAP, codeMap);
  }

  /** Zeroes everything that {@link AT} names, but for the map's address. */
  clear(): void {
    this.bytes.fill(0, 0, STATE_BYTES);
  }

  get(at: number): number {
    return this.words[at >> 2]!;
  }

  set(at: number, value: number): void {
    this.words[at >> 2] = value;
  }

  get eip(): number {
    return this.words[AT.EIP >> 2]! >>> 0;
  }

  set eip(value: number) {
    this.words[AT.EIP >> 2] = value;
  }

  get cpl(): number {
    return this.words[AT.CPL >> 2]!;
  }

  get eflags(): number {
    const w = this.words;
    const fr = w[AT.FR >> 2]!;
    const fx = w[AT.FX >> 2]!;
    let flags = w[AT.EFLAGS >> 2]!;
    if (w[AT.CA >> 2]! >>> 0 < w[AT.CB >> 2]! >>> 0) flags |= FLAG.CF;
    if (PARITY[(fr ^ (fx >>> 8)) & 0xff]) flags |= FLAG.PF;
    flags |= (fx ^ fr) & FLAG.AF;
    if (fr === 0) flags |= FLAG.ZF;
    if ((fr ^ fx) < 0) flags |= FLAG.SF;
    if (w[AT.FO >> 2]! < 0) flags |= FLAG.OF;
    return flags >>> 0;
  }

  set eflags(flags: number) {
    const w = this.words;
    w[AT.EFLAGS >> 2] = (flags & ~ARITHMETIC) | 2;
    w[AT.CA >> 2] = 0;
    w[AT.CB >> 2] = flags & FLAG.CF;
    w[AT.FO >> 2] = flags & FLAG.OF ? -1 : 0;
    // With ZF set the result must be 0: SF, AF and PF = 0 then come from the corrections in FX.
    const fr = flags & FLAG.ZF ? 0 : 1;
    const parity = flags & FLAG.PF ? 1 : 0;
    w[AT.FR >> 2] = fr;
    w[AT.FX >> 2] = (flags & FLAG.AF) | (PARITY[fr] === parity ? 0 : 0x100) |
      (flags & FLAG.SF ? 0x80000000 : 0);
  }

  flag(mask: number): boolean {
    return (this.words[AT.EFLAGS >> 2]! & mask) !== 0;
  }

  setFlag(mask: number, on: boolean): void {
    if (on) this.words[AT.EFLAGS >> 2]! |= mask;
    else this.words[AT.EFLAGS >> 2]! &= ~mask;
  }

  /** One word of a segment register: `field` is an offset of {@link SEG}. */
  seg(segment: number, field: number): number {
    return this.words[(AT.SEGS + segment * SEG.STRIDE + field) >> 2]!;
  }

  setSeg(segment: number, field: number, value: number): void {
    this.words[(AT.SEGS + segment * SEG.STRIDE + field) >> 2] = value;
  }

  selector(segment: number): number {
    return this.seg(segment, SEG.SELECTOR);
  }

  segmentBase(segment: number): number {
    return this.seg(segment, SEG.BASE) >>> 0;
  }

  linearToGpa(linear: number): number | undefined {
    return this.translate(linear);
  }
}
