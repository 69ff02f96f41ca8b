/**
 * Puts the two halves of the x87 together: one generated module, and the TypeScript that it
 * imports.
 * @module
 */

import type { Cpu } from "../cpu.ts";
import { Fault, VECTOR } from "../fault.ts";
import { type Functions, RuntimeModule } from "../runtime_module.ts";
import { AT, CR0 } from "../state.ts";
import * as callees from "./callees.ts";
import { CORE_CODE } from "./core.ts";
import { loadDecimal, narrowDecimal } from "./decimal.ts";
import * as environment from "./environment.ts";
import { SW } from "./layout.ts";
import { MEMORY_CODE } from "./memory.ts";
import { OPERATION_CODE } from "./operations.ts";
import { RARE_OPERATIONS } from "./rare.ts";
import * as special from "./special.ts";
import { STACK_CODE } from "./stack.ts";
import * as store from "./store.ts";
import { type Core, FpuUnit } from "./unit.ts";

/** CR0.NE clear: the error goes to a pin that nothing is connected to, and the x87 goes on. */
function raisePending(cpu: Cpu): void {
  const pending = cpu.state.get(AT.FPU_STATUS) & SW.ES;
  if (pending && cpu.state.get(AT.CR) & CR0.NE) throw Fault.of(VECTOR.MF, 0);
}

function unready(cpu: Cpu, waits: number): void {
  if (cpu.state.get(AT.CR) & (CR0.EM | CR0.TS)) throw Fault.of(VECTOR.NM, 0);
  if (waits) raisePending(cpu);
}

function wait(cpu: Cpu): void {
  const both = CR0.MP | CR0.TS;
  if ((cpu.state.get(AT.CR) & both) === both) throw Fault.of(VECTOR.NM, 0);
  raisePending(cpu);
}

/** The TypeScript half. */
function slowFunctions(cpu: Cpu, fpu: FpuUnit): Functions {
  const functions: Functions = {};
  const provide = <A extends unknown[], R>(name: string, call: (...args: A) => R): void => {
    functions[name] = call as WebAssembly.ImportValue;
  };
  const onUnit = <A extends unknown[], R>(
    { name }: { readonly name: string },
    call: (fpu: FpuUnit, ...args: A) => R,
  ): void => provide(name, (...args: A) => call(fpu, ...args));
  const onMemory = <A extends unknown[], R>(
    { name }: { readonly name: string },
    call: (cpu: Cpu, fpu: FpuUnit, ...args: A) => R,
  ): void => provide(name, (...args: A) => call(cpu, fpu, ...args));
  provide(callees.UNREADY.name, (waits: number) => unready(cpu, waits));
  provide(callees.WAIT.name, () => wait(cpu));
  onUnit(callees.OUT_OF_RANGE, special.outOfRange);
  onUnit(callees.ARITHMETIC_SLOW, special.arithmeticSlow);
  onUnit(callees.SQRT_SLOW, special.sqrtSlow);
  onUnit(callees.RNDINT_SLOW, special.rndintSlow);
  onUnit(callees.PUSH_SLOW, special.pushSlow);
  onUnit(callees.COPY_SLOW, special.copySlow);
  onUnit(callees.EXCHANGE_SLOW, special.exchangeSlow);
  onUnit(callees.SIGN_SLOW, special.signSlow);
  onUnit(callees.COMPARE_SLOW, special.compareSlow);
  onUnit(callees.FREE, special.free);
  onUnit(callees.TURN, special.turn);
  onUnit(callees.CLEAR, environment.clear);
  onUnit(callees.INITIALIZE, environment.initialize);
  onMemory(callees.READ_WIDE, store.readWide);
  onMemory(callees.WRITE_WIDE, store.writeWide);
  onUnit(callees.NARROW_SLOW, store.narrowSlow);
  onUnit(callees.NARROW_INTEGER_SLOW, store.narrowIntegerSlow);
  onUnit(callees.NARROW_DECIMAL, narrowDecimal);
  onMemory(callees.LOAD_DECIMAL, loadDecimal);
  onMemory(callees.STORE_ENVIRONMENT, environment.storeEnvironment);
  onMemory(callees.LOAD_ENVIRONMENT, environment.loadEnvironment);
  onMemory(callees.SAVE, environment.save);
  onMemory(callees.RESTORE, environment.restore);
  onMemory(callees.FXSAVE, environment.fxsave);
  onMemory(callees.FXRSTOR, environment.fxrstor);
  for (const name of callees.RARE) onUnit(callees.rare(name), RARE_OPERATIONS[name]);
  return functions;
}

/**
 * Makes the x87 of a CPU.
 * @param accesses functions behind READ and WRITE of wasm.ts, by name
 * @returns all its functions, by the names of their callees
 */
export function fpuFunctions(cpu: Cpu, accesses: Functions): Functions {
  const fpu = new FpuUnit(cpu.state);
  const functions = slowFunctions(cpu, fpu);
  const made = generated.instantiate(cpu.state, { ...accesses, ...functions });
  const core: Record<string, unknown> = {};
  for (const { name } of [...Object.values(callees.CORE), callees.ROUND, callees.RAISE]) {
    core[plainName(name)] = made[name];
  }
  core[plainName(callees.TO_INTEGER.name)] = made[callees.TO_INTEGER.name];
  fpu.core = core as unknown as Core;
  return { ...functions, ...made };
}

const plainName = (name: string): string => name.slice(name.indexOf(".") + 1);

/** The generated half. */
const generated = new RuntimeModule(() =>
  [...CORE_CODE, ...OPERATION_CODE, ...STACK_CODE, ...MEMORY_CODE].map((make) => make())
);
