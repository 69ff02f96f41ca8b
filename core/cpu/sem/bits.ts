/**
 * Bit tests, bit strings, scans, and byte swaps.
 * @module
 */

import {
  and,
  clz,
  ctz,
  eqz,
  not,
  num,
  or,
  rotl,
  sar,
  shl,
  shr,
  signed,
  sub,
  type Val,
  xor,
} from "../ir.ts";
import type { Sem, X } from "../x.ts";

type Change = (value: Val, mask: Val) => Val;

/** BT and friends. A register bit index reaches beyond a memory operand; an immediate does not. */
const bitTest = (change?: Change): Sem => (x) => {
  const bits = x.size * 8;
  const index = x.read(1);
  const string = x.isMemory(0) && x.sizeOf(1) !== 1;
  const shift = num(x.size === 4 ? 5 : 4);
  const value = string
    ? x.readAt(
      0,
      shl(sar(signed(index, x.size), shift), num(x.size === 4 ? 2 : 1)),
      change !== undefined,
    )
    : change
    ? x.modify(0)
    : x.read(0);
  const bit = x.let(and(index, num(bits - 1)));
  if (change) x.write(0, change(value, shl(num(1), bit)));
  x.setFlags({ ca: num(0), cb: and(shr(value, bit), num(1)) });
};

export const bt: Sem = bitTest();
export const bts: Sem = bitTest(or);
export const btr: Sem = bitTest((value, mask) => and(value, not(mask)));
export const btc: Sem = bitTest(xor);

/** BSF, BSR: with a source of 0 the destination stays and ZF is set. */
function scan(x: X, position: (v: Val) => Val): void {
  const source = x.read(1);
  x.setFlags({ fr: source, fx: num(0), ca: num(0), cb: num(0), fo: num(0) });
  x.if(eqz(eqz(source)), () => x.write(0, position(source)));
}
export const bsf: Sem = (x) => scan(x, ctz);
export const bsr: Sem = (x) => scan(x, (v) => sub(num(31), clz(v)));

/** BSWAP. With a 16-bit operand the result is undefined; processors give 0. */
export const bswap: Sem = (x) => {
  if (x.size === 2) return x.write(0, num(0));
  const v = x.read(0);
  const even = and(rotl(v, num(8)), num(0x00ff00ff));
  const odd = and(rotl(v, num(24)), num(0xff00ff00));
  x.write(0, or(even, odd));
};
