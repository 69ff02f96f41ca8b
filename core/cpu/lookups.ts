/**
 * How generated code finds things in linear memory: words of the state, entries of the TLB, blocks
 * in the jump cache.
 * @module
 */

import { add, and, load32, ne, num, shl, shr, type Val, xor } from "./ir.ts";
import { AT, JUMP, SEG, TLB } from "./state.ts";
import type { FunctionBody } from "./wasm.ts";

const JUMP_SHIFT = Math.log2(JUMP.STRIDE);

/** Page of an access's last byte. */
export const lastPage = (linear: Val, size: number): Val =>
  and(size === 1 ? linear : add(linear, num(size - 1)), num(~0xfff));

/** The word at a fixed address of linear memory. */
export const word = (at: number): Val => load32(num(at));
/** The segment register of that number. */
export const segmentAddress = (segment: number): Val => num(AT.SEGS + segment * SEG.STRIDE);

/** Byte offset of the entry for a linear address in its TLB bank. */
export const tlbIndex = (linear: Val): Val => and(shr(linear, num(8)), num((TLB.ENTRIES - 1) << 4));

/**
 * Goes to the block at a linear address if the jump cache has it and the TLB agrees; else goes on.
 * @param keep puts a value in a local
 * @param enter goes to a head record whose handler is known
 */
export function jumpThroughCache(
  body: FunctionBody,
  keep: (v: Val) => Val,
  linear: Val,
  mode: Val,
  bank: Val,
  enter: (head: Val, handler: Val) => void,
): void {
  const hash = xor(linear, shr(linear, num(JUMP.HASH_SHIFT)));
  const slot = shl(and(hash, num(JUMP.ENTRIES - 1)), num(JUMP_SHIFT));
  const entry = keep(add(slot, num(JUMP.BASE)));
  const tlb = keep(add(tlbIndex(linear), bank));
  body.block((miss) => {
    const expect = (found: Val, wanted: Val): void => body.branch(miss, ne(found, wanted), false);
    expect(load32(entry, JUMP.LINEAR), linear);
    expect(load32(entry, JUMP.MODE), mode);
    expect(load32(tlb, TLB.EXECUTE), and(linear, num(~0xfff)));
    expect(load32(tlb, TLB.ADDEND), load32(entry, JUMP.ADDEND));
    enter(load32(entry, JUMP.RECORD), load32(entry, JUMP.HANDLER));
  });
}
