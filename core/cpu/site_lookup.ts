/**
 * What compiled code calls when an access's site does not know its page: the TLB may, and the site
 * then does. Out of line, as most of what is compiled would consist of it.
 * @module
 */

import { FIND_READ, FIND_WRITE } from "./callees.ts";
import { lastPage, tlbIndex, word } from "./lookups.ts";
import { add, eq, load32, local, num } from "./ir.ts";
import { RuntimeModule } from "./runtime_module.ts";
import { AT, SITES, TLB } from "./state.ts";
import { type Callee, FunctionBody } from "./wasm.ts";

/** The functions of {@link FIND_READ} and {@link FIND_WRITE}. */
export const siteLookup: RuntimeModule = new RuntimeModule(() =>
  ([1, 2, 4] as const).flatMap((size) => [
    find(FIND_READ[size], TLB.READ, size),
    find(FIND_WRITE[size], TLB.WRITE, size),
  ])
);

/** @returns 1 when the site holds the access's page now, else 0 */
function find(callee: Callee, tag: number, size: number): FunctionBody {
  const body = new FunctionBody(callee);
  const [linear, site, entry] = [local(0), local(1), local(body.local())];
  body.setLocal(entry.n, add(tlbIndex(linear), word(AT.BANK)));
  const page = lastPage(linear, size);
  body.if(eq(load32(entry, tag), page), () => {
    body.store(site, SITES.ADDEND, load32(entry, TLB.ADDEND), 4);
    body.store(site, SITES.PAGE, page, 4);
    body.return(num(1));
  });
  body.expr(num(0));
  return body;
}
