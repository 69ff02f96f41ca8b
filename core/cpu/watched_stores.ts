/**
 * Stores to pages that hold code, and bytes that have not been decoded beside it: what generated
 * code calls when the TLB's fast path does not do. All else goes on to TypeScript.
 * @module
 */

import { MODIFY, SLOW_MODIFY, SLOW_WRITE, WRITE } from "./callees.ts";
import { tlbIndex, word } from "./lookups.ts";
import { add, and, eq, eqz, load16, load32, load8, local, num, or, shr, type Val } from "./ir.ts";
import { REC } from "./record.ts";
import { RuntimeModule } from "./runtime_module.ts";
import { AT, TLB } from "./state.ts";
import { WATCHED } from "./tlb.ts";
import { FunctionBody } from "./wasm.ts";

const LINEAR = local(0);
const VALUE = local(1);

/** The functions of {@link WRITE} and {@link MODIFY}. */
export const watchedStores: RuntimeModule = new RuntimeModule(() =>
  ([1, 2, 4] as const).flatMap((size) => [storing(size), opening(size)])
);

function storing(size: 1 | 2 | 4): FunctionBody {
  const body = new FunctionBody(WRITE[size]);
  onWatchedPage(body, size, (host) => {
    const byte = add(word(AT.CODE_MAP), shr(host, num(3)));
    const bits = shr(load16(byte), and(host, num(7)));
    body.if(eqz(and(bits, num((1 << size) - 1))), () => {
      body.store(host, 0, VALUE, size);
      body.return();
    });
  });
  body.tailCall(SLOW_WRITE[size], LINEAR, VALUE);
  return body;
}

function opening(size: 1 | 2 | 4): FunctionBody {
  const body = new FunctionBody(MODIFY[size]);
  onWatchedPage(body, size, (host) => {
    body.return(size === 4 ? load32(host) : size === 2 ? load16(host) : load8(host));
  });
  body.tailCall(SLOW_MODIFY[size], LINEAR);
  return body;
}

/** @param then is given the host address */
function onWatchedPage(body: FunctionBody, size: number, then: (host: Val) => void): void {
  const entry = body.local();
  body.setLocal(entry, add(tlbIndex(LINEAR), word(AT.BANK)));
  const page = and(add(LINEAR, num(size - 1)), num(~0xfff));
  body.if(eq(load32(local(entry), TLB.WRITE), or(page, num(WATCHED))), () => {
    const host = body.local();
    body.setLocal(host, add(LINEAR, load32(local(entry), TLB.ADDEND)));
    body.store(word(AT.RECORD), REC.SLOW, num(1), 1);
    then(local(host));
  });
}
