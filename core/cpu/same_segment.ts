/**
 * Loads of DS, ES, FS and GS with what they hold: what a kernel does at every entry and exit. Found
 * out in generated code, for data segments of the GDT; all other loads are made in segment.ts.
 * @module
 */

import { HOLDS_SEGMENT } from "./callees.ts";
import { tlbIndex, word } from "./lookups.ts";
import {
  add,
  and,
  eqz,
  gtU,
  load32,
  local,
  ltU,
  ne,
  num,
  or,
  select,
  shl,
  shr,
  type Val,
  xor,
} from "./ir.ts";
import { RuntimeModule } from "./runtime_module.ts";
import { AT, CR0, FLAG, SEG, TLB } from "./state.ts";
import { FunctionBody } from "./wasm.ts";

/** Descriptor bits in `SEG.ATTR`: present, not of the system, no code, accessed; and their values. */
const KIND_MASK = 0x99, KIND = 0x91;
/** G bit of a descriptor's high word. */
const PAGES = 1 << 23;

/** The function of {@link HOLDS_SEGMENT}. */
export const sameSegment: RuntimeModule = new RuntimeModule(() => {
  const body = new FunctionBody(HOLDS_SEGMENT);
  const [segment, selector] = [local(0), local(1)];
  const keep = (v: Val): Val => {
    const index = body.local();
    body.setLocal(index, v);
    return local(index);
  };
  const refuseIf = (cond: Val): void => body.if(cond, () => body.return(num(0)), undefined, false);
  const held = (field: number): Val => load32(segment, field);
  refuseIf(or(xor(selector, held(SEG.SELECTOR)), and(selector, num(4))));
  refuseIf(or(eqz(and(word(AT.CR), num(CR0.PE))), and(word(AT.EFLAGS), num(FLAG.VM))));
  const attr = keep(held(SEG.ATTR));
  refuseIf(ne(and(attr, num(KIND_MASK)), num(KIND)));
  const dpl = keep(and(shr(attr, num(5)), num(3)));
  refuseIf(or(ltU(dpl, word(AT.CPL)), ltU(dpl, and(selector, num(3)))));
  refuseIf(ne(held(SEG.RIGHTS), or(num(1), and(attr, num(2)))));
  // The descriptor, as the TLB knows it.
  refuseIf(gtU(or(selector, num(7)), word(AT.GDT_LIMIT)));
  refuseIf(gtU(word(AT.BANK), num(TLB.STRICT - 1)));
  const at = keep(add(word(AT.GDT_BASE), and(selector, num(0xfff8))));
  const entry = keep(add(tlbIndex(at), num(TLB.BASE)));
  refuseIf(ne(load32(entry, TLB.READ), and(add(at, num(7)), num(~0xfff))));
  const host = keep(add(at, load32(entry, TLB.ADDEND)));
  const low = keep(load32(host)), high = keep(load32(host, 4));
  const base = or(
    or(shr(low, num(16)), shl(and(high, num(0xff)), num(16))),
    and(high, num(0xff000000)),
  );
  const units = keep(or(and(low, num(0xffff)), and(high, num(0xf0000))));
  const bytes = or(shl(units, num(12)), num(0xfff));
  const limit = select(and(high, num(PAGES)), bytes, units);
  const changed = or(xor(base, held(SEG.BASE)), xor(limit, held(SEG.LIMIT)));
  body.expr(eqz(or(changed, xor(and(shr(high, num(8)), num(0xf0ff)), attr))));
  return [body];
});
