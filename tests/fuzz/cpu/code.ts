/**
 * Random code: bytes by chance, and instructions whose opcodes exist more often than chance has it.
 * @module
 */

import type { Rng } from "../rng.ts";

/** Prefix bytes; the frequent ones twice. */
export const PREFIXES: readonly number[] = [
  0x26,
  0x2e,
  0x36,
  0x3e,
  0x64,
  0x65,
  0x66,
  0x66,
  0x67,
  0xf0,
  0xf2,
  0xf3,
];

/** Instructions that reach the system's state, as bytes in front of random ones. */
const SYSTEM: readonly (readonly number[])[] = [
  ...[0x00, 0x01, 0x02, 0x03, 0x06, 0x20, 0x21, 0x22, 0x23].map((byte) => [0x0f, byte]),
  ...[0x30, 0x32, 0x34, 0x35, 0xa2, 0xae, 0xb2, 0xb4, 0xb5, 0xc7].map((byte) => [0x0f, byte]),
  ...[0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x8c, 0x8e, 0x8f].map((byte) => [byte]),
  ...[0x9a, 0x9b, 0x9c, 0x9d, 0xc4, 0xc5, 0xca, 0xcb, 0xcc, 0xcd].map((byte) => [byte]),
  ...[0xce, 0xcf, 0xea, 0xf1, 0xf4, 0xfa, 0xfb, 0xff].map((byte) => [byte]),
];

/** String instructions, port I/O among them. */
export const STRINGS: readonly number[] = [
  0x6c,
  0x6d,
  0x6e,
  0x6f,
  0xa4,
  0xa5,
  0xa6,
  0xa7,
  0xaa,
  0xab,
  0xac,
  0xad,
  0xae,
  0xaf,
];

/** Fills memory with code. */
export function randomCode(rng: Rng, into: Uint8Array): void {
  rng.fill(into);
  for (let at = 0; at < into.length;) {
    at += put(into, at, rng.chance(15) ? [] : instruction(rng));
    at += rng.below(6);
  }
}

function put(into: Uint8Array, at: number, bytes: readonly number[]): number {
  bytes.forEach((byte, n) => into[at + n] = byte);
  return bytes.length;
}

/** Prefixes, opcode and ModRM byte; what follows is there already. */
function instruction(rng: Rng): number[] {
  const bytes: number[] = [];
  while (rng.chance(20)) bytes.push(rng.pick(PREFIXES));
  const kind = rng.below(100);
  if (kind < 12) bytes.push(...rng.pick(SYSTEM));
  else if (kind < 20) bytes.push(...rng.chance(60) ? [0xf3] : [], rng.pick(STRINGS));
  else if (kind < 35) bytes.push(0x0f, rng.below(256));
  else if (kind < 45) bytes.push(0xd8 + rng.below(8));
  else bytes.push(rng.below(256));
  bytes.push(modRm(rng));
  return bytes;
}

/** Registers and short displacements rather than addresses by chance. */
function modRm(rng: Rng): number {
  const mod = rng.pick([0, 1, 1, 2, 3, 3, 3]);
  return mod << 6 | rng.below(64);
}
