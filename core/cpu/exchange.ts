/**
 * CMPXCHG8B's access to memory: EDX:EAX is compared with eight bytes, which ECX:EBX replaces if they
 * are equal. Out of line, in generated code for a page that may be stored to without a look.
 * @module
 */

import { EXCHANGE, SLOW_EXCHANGE } from "./callees.ts";
import type { Cpu } from "./cpu.ts";
import { add, and, eq, load32, load64, local } from "./ir.ts";
import { lastPage, tlbIndex, word } from "./lookups.ts";
import { RuntimeModule } from "./runtime_module.ts";
import { AT, EAX, EBX, ECX, EDX, TLB } from "./state.ts";
import { FunctionBody, I64 } from "./wasm.ts";

/** The function of {@link EXCHANGE}. */
export const exchange: RuntimeModule = new RuntimeModule(() => {
  const body = new FunctionBody(EXCHANGE);
  const linear = local(0), entry = local(body.local()), host = local(body.local());
  const old = local(body.local(I64));
  const register = (n: number) => word(n * 4);
  body.setLocal(entry.n, add(tlbIndex(linear), word(AT.BANK)));
  body.if(eq(load32(entry, TLB.WRITE), lastPage(linear, 8)), () => {
    body.setLocal(host.n, add(linear, load32(entry, TLB.ADDEND)));
    body.setLocal(old.n, load64(host));
    const equal = and(
      eq(load32(host), register(EAX)),
      eq(load32(host, 4), register(EDX)),
    );
    // Memory is written in either case, but nobody can see that here.
    body.if(equal, () => {
      body.store(host, 0, register(EBX), 4);
      body.store(host, 4, register(ECX), 4);
    });
    body.return(old);
  });
  body.tailCall(SLOW_EXCHANGE, linear);
  return [body];
});

/** {@link SLOW_EXCHANGE}: writes memory in either case. */
export function slowExchange({ state, mmu }: Cpu, linear: number): bigint {
  const { regs } = state;
  mmu.checkAlignment(linear >>> 0, 8);
  const low = mmu.modify(linear >>> 0, 4) >>> 0;
  const high = mmu.modify((linear + 4) >>> 0, 4) >>> 0;
  const equal = low === regs[EAX] && high === regs[EDX];
  mmu.writeTwice(linear >>> 0, equal ? regs[EBX]! : low, equal ? regs[ECX]! : high);
  return BigInt(high) << 32n | BigInt(low);
}
