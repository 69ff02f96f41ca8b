/**
 * The functions that generated code calls by name: see the {@link Callee}s in wasm.ts.
 * @module
 */

import { isHeldUp } from "./boundary.ts";
import { EXCHANGE, HOLDS_SEGMENT } from "./callees.ts";
import type { Cpu } from "./cpu.ts";
import { exchange, slowExchange } from "./exchange.ts";
import { Fault, VECTOR } from "./fault.ts";
import { fpuFunctions } from "./fpu/module.ts";
import { portIn, portOut } from "./portio.ts";
import type { Functions } from "./runtime_module.ts";
import { sameRing } from "./same_ring.ts";
import { sameSegment } from "./same_segment.ts";
import { AT, SEG, SS } from "./state.ts";
import { watchedStores } from "./watched_stores.ts";

/**
 * What modules of generated code import, beside memory and table. What many guests never touch, such
 * as the x87, is made for the first module that asks for it.
 */
export function runtimeImports(cpu: Cpu): Functions {
  const { mmu } = cpu;
  const slow = {
    read8: (linear: number) => mmu.read(linear, 1),
    read16: (linear: number) => mmu.read(linear, 2),
    read32: (linear: number) => mmu.read(linear, 4),
    slowWrite8: (linear: number, value: number) => mmu.write(linear, 1, value),
    slowWrite16: (linear: number, value: number) => mmu.write(linear, 2, value),
    slowWrite32: (linear: number, value: number) => mmu.write(linear, 4, value),
    slowModify8: (linear: number) => mmu.modify(linear, 1),
    slowModify16: (linear: number) => mmu.modify(linear, 2),
    slowModify32: (linear: number) => mmu.modify(linear, 4),
  };
  const accesses = { ...slow, ...watchedStores.instantiate(cpu.state, slow) };
  const functions: Functions = {
    ...accesses,
    execute: (record: number) => cpu.executeRecord(record),
    ...sameRing.instantiate(cpu.state, {}),
    loadSegment: (segment: number, selector: number) => cpu.loadSegment(segment, selector),
    holdInterrupts: () => cpu.holdInterrupts(),
    flagsChanged: () => cpu.flagsChanged(),
    heldUp: () => isHeldUp(cpu) ? 1 : 0,
    lookAgain: (record: number) => cpu.lookAgain(record),
    lookAtClock: () => cpu.lookAtClock(),
    portIn: (port: number, access: number) => portIn(cpu, port, access),
    portOut: (port: number, access: number, value: number) => portOut(cpu, port, access, value),
    fault: (vector: number) => {
      throw Fault.of(vector, 0);
    },
    segmentFault: (address: number) => {
      throw Fault.of(address === AT.SEGS + SS * SEG.STRIDE ? VECTOR.SS : VECTOR.GP, 0);
    },
  };
  const rare: Readonly<Record<string, () => Functions>> = {
    [EXCHANGE.name]: () =>
      exchange.instantiate(cpu.state, {
        slowExchange: (linear: number) => slowExchange(cpu, linear),
      }),
    [HOLDS_SEGMENT.name]: () => sameSegment.instantiate(cpu.state, {}),
  };
  let x87: Functions | undefined;
  const made = (name: string): Functions => rare[name]?.() ?? (x87 ??= fpuFunctions(cpu, accesses));
  return new Proxy(functions, {
    get: (known, name: string) => known[name] ??= made(name)[name]!,
  });
}
