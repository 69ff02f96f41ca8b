/**
 * IN and OUT: the access is made outside, between two blocks.
 * @module
 */

import { PORT_IN, PORT_OUT } from "../callees.ts";
import { num } from "../ir.ts";
import type { Sem } from "../x.ts";

/** Bit of an access that says that the port is an immediate. */
export const IMMEDIATE_PORT = 8;

const accessOf = (size: number, immediate: boolean): number =>
  immediate ? size | IMMEDIATE_PORT : size;

export const in_ = (immediate: boolean): Sem => (x) => {
  x.write(0, x.callFor(PORT_IN, x.read(1), num(accessOf(x.sizeOf(0), immediate))));
  x.proceed();
};

export const out = (immediate: boolean): Sem => (x) => {
  x.call(PORT_OUT, x.read(0), num(accessOf(x.sizeOf(1), immediate)), x.read(1));
  x.proceed();
};
