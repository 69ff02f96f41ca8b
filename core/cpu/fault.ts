/**
 * Exceptions: their vectors and error codes. Source: Intel SDM vol. 3, ch. 6.
 * @module
 */

/** Exception vectors by their mnemonics. */
export const VECTOR = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  XM: 19,
} as const;

/** Vectors whose error code is a selector or 0, with EXT in bit 0. */
const WITH_SELECTOR = 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 17;
/** Vectors that push an error code. */
const WITH_CODE = WITH_SELECTOR | 1 << 8 | 1 << 14;
/** Vectors that make a double fault out of a second one. */
const CONTRIBUTORY = 1 << 0 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13;

/** A guest exception on its way to its handler. There is one object: it is never kept. */
export class Fault {
  static readonly #one = new Fault();
  vector = 0;
  code = 0;

  /** @param code error code, ignored by vectors that have none */
  static of(vector: number, code: number): Fault {
    Fault.#one.vector = vector;
    Fault.#one.code = code;
    return Fault.#one;
  }

  /** Sets EXT: it arose while an event from outside the program was being delivered. */
  markExternal(): void {
    if (WITH_SELECTOR >> this.vector & 1) this.code |= 1;
  }
}

/** The exception pushes an error code. */
export function hasErrorCode(vector: number): boolean {
  return (WITH_CODE >> vector & 1) === 1;
}

/** The second exception, met while the first was being delivered, makes a double fault. */
export function makesDouble(first: number, second: number): boolean {
  if (first === VECTOR.PF && second === VECTOR.PF) return true;
  return (first === VECTOR.PF || isContributory(first)) && isContributory(second);
}

const isContributory = (vector: number): boolean => (CONTRIBUTORY >> vector & 1) === 1;
