/**
 * The x87's words in linear memory: bits, field positions and number formats.
 * Source: Intel SDM vol. 1, ch. 8.
 * @module
 */

import { AT } from "../state.ts";

/** Status word. */
export const SW = {
  IE: 0x1,
  DE: 0x2,
  ZE: 0x4,
  OE: 0x8,
  UE: 0x10,
  PE: 0x20,
  SF: 0x40,
  ES: 0x80,
  C0: 0x100,
  /** Rounded up; with a stack fault: overflow. */
  C1: 0x200,
  C2: 0x400,
  TOP: 0x3800,
  TOP_ONE: 0x800,
  C3: 0x4000,
  B: 0x8000,
  /** IE to PE: as the mask bits of the control word. */
  EXCEPTIONS: 0x3f,
} as const;

/** Condition code bits. */
export const CONDITIONS: number = SW.C0 | SW.C1 | SW.C2 | SW.C3;

/** Rounding control, bits 10–11 of the control word. */
export const RC = { SHIFT: 10, NEAREST: 0, DOWN: 1, UP: 2, CHOP: 3 } as const;
/** Position of precision control in the control word. */
export const PC_SHIFT = 8;

/** Control word after FNINIT. */
export const INITIAL_CONTROL = 0x37f;
/** Control word after RESET. */
export const RESET_CONTROL = 0x40;

/** Bytes from one register to the next. */
export const SLOT = 16;
/** Offset of sign and exponent behind the significand. */
export const SIGN_EXPONENT = 8;

/**
 * The temporary register: not part of the stack, never empty. A memory operand is widened into it;
 * there a number below 1 with its leading bit clear is a denormal of the narrower format.
 */
export const TEMP: number = AT.FPU_TEMP;
/** Offset in {@link TEMP} of the status word that a store will set. */
export const NEW_STATUS = 12;

/** Tag of an empty register. What a filled one holds is found out when the tag word is stored. */
export const EMPTY = 3;

/** Sign bit beside the exponent. */
export const SIGN = 0x8000;
/** Exponent of infinities and NaNs; mask of the exponent. */
export const MAX_EXPONENT = 0x7fff;
/** Exponent of 1. */
export const BIAS = 0x3fff;
/** What an unmasked overflow or underflow takes off, or adds to, the exponent. */
export const WRAP = 0x6000;

/** A binary format by its place in the extended one. */
export interface Format {
  /** Bits that rounding clears at the end of a 64-bit significand. */
  readonly shift: number;
  /** Extended exponents of the smallest and the largest normal number. */
  readonly least: number;
  readonly greatest: number;
}

/** Formats of memory operands, by their bytes. */
export const FORMAT: Readonly<Record<4 | 8 | 10, Format>> = {
  4: { shift: 40, least: BIAS - 126, greatest: BIAS + 127 },
  8: { shift: 11, least: BIAS - 1022, greatest: BIAS + 1023 },
  10: { shift: 0, least: 1, greatest: MAX_EXPONENT - 1 },
};
