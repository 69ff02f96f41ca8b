/**
 * The opcode table: x87. Notation: decode.ts. Source: Intel SDM vol. 2 app. A.5; the aliases that
 * no manual lists (DC D0 and others) are those of the 387.
 * @module
 */

import { FEATURE } from "./cpuid.ts";
import { type Operation, RARE } from "./fpu/callees.ts";
import * as fpu from "./fpu/sem.ts";
import { exact, make, member, place, PREFIX, prefixedMember } from "./opcode_table.ts";
import type { Sem } from "./x.ts";

const { FPU, CMOV, FXSR } = FEATURE;

/** Row behind a ModRM reg field, for memory operands. */
function memory(opcode: number, reg: number, mnemonic: string, operands: string, sem: Sem): void {
  member(opcode, reg, make(mnemonic, operands, { sem, feature: FPU }), "memory");
}

/** Row behind a ModRM reg field, for registers. */
function register(
  opcode: number,
  reg: number,
  mnemonic: string,
  operands: string,
  sem: Sem,
  feature: number = FPU,
): void {
  member(opcode, reg, make(mnemonic, operands, { sem, feature }), "register");
}

/** Row behind one ModRM byte. */
function single(
  opcode: number,
  modrm: number,
  mnemonic: string,
  sem: Sem,
  operands: string = "",
): void {
  exact(opcode, modrm, make(mnemonic, operands, { sem, feature: FPU }));
}

/** By reg field; with ST(i) as destination the encodings of two pairs are swapped. */
const ARITHMETIC: readonly [number, number, string, Operation, boolean][] = [
  [0, 0, "add", "add", false],
  [1, 1, "mul", "mul", false],
  [4, 5, "sub", "sub", false],
  [5, 4, "subr", "sub", true],
  [6, 7, "div", "div", false],
  [7, 6, "divr", "div", true],
];
for (const [reg, regTo, name, operation, reversed] of ARITHMETIC) {
  memory(0xd8, reg, `f${name}`, "Md", fpu.arithmeticMemory(operation, reversed, 4));
  memory(0xdc, reg, `f${name}`, "Mq", fpu.arithmeticMemory(operation, reversed, 8));
  memory(0xda, reg, `fi${name}`, "Md", fpu.arithmeticInteger(operation, reversed, 4));
  memory(0xde, reg, `fi${name}`, "Mw", fpu.arithmeticInteger(operation, reversed, 2));
  register(0xd8, reg, `f${name}`, "ST,STi", fpu.arithmetic(operation, reversed));
  register(0xdc, regTo, `f${name}`, "STi,ST", fpu.arithmetic(operation, reversed));
  register(0xde, regTo, `f${name}p`, "STi,ST", fpu.arithmetic(operation, reversed, true));
}

["fcom", "fcomp"].forEach((name, pops) => {
  memory(0xd8, 2 + pops, name, "Md", fpu.compareMemory(4, pops));
  memory(0xdc, 2 + pops, name, "Mq", fpu.compareMemory(8, pops));
  memory(0xda, 2 + pops, `fi${name.slice(1)}`, "Md", fpu.compareInteger(4, pops));
  memory(0xde, 2 + pops, `fi${name.slice(1)}`, "Mw", fpu.compareInteger(2, pops));
  register(0xd8, 2 + pops, name, "STi", fpu.compare(false, pops));
  register(0xdc, 2 + pops, name, "STi", fpu.compare(false, pops));
});
register(0xde, 2, "fcomp", "STi", fpu.compare(false, 1));
register(0xdd, 4, "fucom", "STi", fpu.compare(true, 0));
register(0xdd, 5, "fucomp", "STi", fpu.compare(true, 1));
single(0xde, 0xd9, "fcompp", fpu.compareTwo(false));
single(0xda, 0xe9, "fucompp", fpu.compareTwo(true));
register(0xdb, 5, "fucomi", "ST,STi", fpu.compareFlags(true, 0), FPU | CMOV);
register(0xdb, 6, "fcomi", "ST,STi", fpu.compareFlags(false, 0), FPU | CMOV);
register(0xdf, 5, "fucomip", "ST,STi", fpu.compareFlags(true, 1), FPU | CMOV);
register(0xdf, 6, "fcomip", "ST,STi", fpu.compareFlags(false, 1), FPU | CMOV);

["b", "e", "be", "u"].forEach((condition, n) => {
  register(0xda, n, `fcmov${condition}`, "ST,STi", fpu.move(n, true), FPU | CMOV);
  register(0xdb, n, `fcmovn${condition}`, "ST,STi", fpu.move(n, false), FPU | CMOV);
});

memory(0xd9, 0, "fld", "Md", fpu.load(4));
memory(0xdd, 0, "fld", "Mq", fpu.load(8));
memory(0xdb, 5, "fld", "Mt", fpu.loadExtended);
register(0xd9, 0, "fld", "STi", fpu.loadRegister);
memory(0xdf, 0, "fild", "Mw", fpu.loadInteger(2));
memory(0xdb, 0, "fild", "Md", fpu.loadInteger(4));
memory(0xdf, 5, "fild", "Mq", fpu.loadInteger(8));
memory(0xdf, 4, "fbld", "Mt", fpu.loadDecimal);

memory(0xd9, 2, "fst", "Md", fpu.store(4, false));
memory(0xd9, 3, "fstp", "Md", fpu.store(4, true));
memory(0xdd, 2, "fst", "Mq", fpu.store(8, false));
memory(0xdd, 3, "fstp", "Mq", fpu.store(8, true));
memory(0xdb, 7, "fstp", "Mt", fpu.store(10, true));
memory(0xdf, 2, "fist", "Mw", fpu.storeInteger(2, false));
memory(0xdf, 3, "fistp", "Mw", fpu.storeInteger(2, true));
memory(0xdb, 2, "fist", "Md", fpu.storeInteger(4, false));
memory(0xdb, 3, "fistp", "Md", fpu.storeInteger(4, true));
memory(0xdf, 7, "fistp", "Mq", fpu.storeInteger(8, true));
memory(0xdf, 6, "fbstp", "Mt", fpu.storeDecimal);
register(0xdd, 2, "fst", "STi", fpu.storeRegister(false));
register(0xdd, 3, "fstp", "STi", fpu.storeRegister(true));
register(0xd9, 3, "fstp", "STi", fpu.storeRegister(true));
register(0xdf, 2, "fstp", "STi", fpu.storeRegister(true));
register(0xdf, 3, "fstp", "STi", fpu.storeRegister(true));
register(0xd9, 1, "fxch", "STi", fpu.exchange);
register(0xdd, 1, "fxch", "STi", fpu.exchange);
register(0xdf, 1, "fxch", "STi", fpu.exchange);

/** From D9 E8 on. */
const CONSTANTS: readonly [string, fpu.Constant][] = [
  ["fld1", { high: 0x80000000, low: 0, exponent: 0x3fff, toOther: 0 }],
  ["fldl2t", { high: 0xd49a784b, low: 0xcd1b8afe, exponent: 0x4000, toOther: 1 }],
  ["fldl2e", { high: 0xb8aa3b29, low: 0x5c17f0bc, exponent: 0x3fff, toOther: -1 }],
  ["fldpi", { high: 0xc90fdaa2, low: 0x2168c235, exponent: 0x4000, toOther: -1 }],
  ["fldlg2", { high: 0x9a209a84, low: 0xfbcff799, exponent: 0x3ffd, toOther: -1 }],
  ["fldln2", { high: 0xb17217f7, low: 0xd1cf79ac, exponent: 0x3ffe, toOther: -1 }],
  ["fldz", { high: 0, low: 0, exponent: 0, toOther: 0 }],
];
CONSTANTS.forEach(([name, constant], n) => {
  single(0xd9, 0xe8 + n, name, fpu.loadConstant(constant));
});

/** D9 F0 – FF, but for what {@link RARE} does not have. */
const TOP_OPERATIONS =
  "f2xm1 fyl2x fptan fpatan fxtract fprem1 fdecstp fincstp fprem fyl2xp1 fsqrt fsincos frndint " +
  "fscale fsin fcos";
const OTHERS: Readonly<Record<string, Sem>> = {
  fdecstp: fpu.turn(-1),
  fincstp: fpu.turn(1),
  fsqrt: fpu.sqrt,
  frndint: fpu.rndint,
};
TOP_OPERATIONS.split(" ").forEach((name, n) => {
  const rare = RARE.find((each) => each === name);
  single(0xd9, 0xf0 + n, name, rare ? fpu.rare(rare) : OTHERS[name]!);
});
single(0xd9, 0xe0, "fchs", fpu.changeSign);
single(0xd9, 0xe1, "fabs", fpu.absolute);
single(0xd9, 0xe4, "ftst", fpu.test);
single(0xd9, 0xe5, "fxam", fpu.rare("fxam"));
single(0xd9, 0xd0, "fnop", fpu.nop);
register(0xdd, 0, "ffree", "STi", fpu.free(false));
register(0xdf, 0, "ffreep", "STi", fpu.free(true));

memory(0xd9, 4, "fldenv", "M", fpu.loadEnvironment);
memory(0xd9, 5, "fldcw", "Mw", fpu.loadControl);
memory(0xd9, 6, "fnstenv", "M", fpu.storeEnvironment);
memory(0xd9, 7, "fnstcw", "Mw", fpu.storeControl);
memory(0xdd, 4, "frstor", "M", fpu.restore);
memory(0xdd, 6, "fnsave", "M", fpu.save);
memory(0xdd, 7, "fnstsw", "Mw", fpu.storeStatus);
single(0xdf, 0xe0, "fnstsw ax", fpu.storeStatusAx);
single(0xdb, 0xe0, "feni", fpu.ignored);
single(0xdb, 0xe1, "fdisi", fpu.ignored);
single(0xdb, 0xe2, "fnclex", fpu.clear);
single(0xdb, 0xe3, "fninit", fpu.initialize);
single(0xdb, 0xe4, "fsetpm", fpu.ignored);
place(0x9b, make("fwait", "", { sem: fpu.wait }));

prefixedMember(
  0x0fae,
  PREFIX.NONE,
  0,
  make("fxsave", "M", { sem: fpu.fxsave, feature: FXSR }),
  "memory",
);
prefixedMember(
  0x0fae,
  PREFIX.NONE,
  1,
  make("fxrstor", "M", { sem: fpu.fxrstor, feature: FXSR }),
  "memory",
);
