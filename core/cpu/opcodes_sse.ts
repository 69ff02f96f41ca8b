/**
 * The opcode table: MMX, SSE and SSE2, by mandatory prefix. Notation: decode.ts. Source: Intel SDM
 * vol. 2 app. A.3.
 * @module
 */

import { FEATURE } from "./cpuid.ts";
import type { Row, SystemOp } from "./insn.ts";
import { make, member, PREFIX, prefixed, prefixedForms, prefixedMember } from "./opcode_table.ts";
import { nop } from "./sem/move.ts";
import { vector, type VectorOp } from "./sse/access.ts";
import * as arith from "./sse/arith.ts";
import * as compare from "./sse/compare.ts";
import * as control from "./sse/control.ts";
import * as convert from "./sse/convert.ts";
import { DOUBLE, type Format, SINGLE } from "./sse/format.ts";
import * as integer from "./sse/integer.ts";
import * as move from "./sse/move.ts";
import * as shuffle from "./sse/shuffle.ts";

const { NONE, P66, F3, F2 } = PREFIX;
const { MMX, SSE, SSE2, CLFSH } = FEATURE;

/** A row that is undefined without a feature of CPUID. */
function row(feature: number, mnemonic: string, operands: string, op: SystemOp): Row {
  return make(mnemonic, operands, { system: op, feature });
}

/** Puts a row behind 0F, an opcode and a mandatory prefix. */
function put(opcode: number, prefix: number, made: Row): void {
  prefixed(0x0f00 | opcode, prefix, made);
}

// ---- packed integers: MMX registers without a prefix, XMM registers with 66 ---------------------

/** Opcode, name, meaning; MMX, unless the form on MMX registers came with a later feature. */
const PACKED: readonly [number, string, VectorOp, number?][] = [
  [0x63, "packsswb", shuffle.packsswb],
  [0x64, "pcmpgtb", integer.pcmpgtb],
  [0x65, "pcmpgtw", integer.pcmpgtw],
  [0x66, "pcmpgtd", integer.pcmpgtd],
  [0x67, "packuswb", shuffle.packuswb],
  [0x68, "punpckhbw", shuffle.punpckhbw],
  [0x69, "punpckhwd", shuffle.punpckhwd],
  [0x6a, "punpckhdq", shuffle.punpckhdq],
  [0x6b, "packssdw", shuffle.packssdw],
  [0x74, "pcmpeqb", integer.pcmpeqb],
  [0x75, "pcmpeqw", integer.pcmpeqw],
  [0x76, "pcmpeqd", integer.pcmpeqd],
  [0xd4, "paddq", integer.paddq, SSE2],
  [0xd5, "pmullw", integer.pmullw],
  [0xd8, "psubusb", integer.psubusb],
  [0xd9, "psubusw", integer.psubusw],
  [0xda, "pminub", integer.pminub, SSE],
  [0xdb, "pand", integer.pand],
  [0xdc, "paddusb", integer.paddusb],
  [0xdd, "paddusw", integer.paddusw],
  [0xde, "pmaxub", integer.pmaxub, SSE],
  [0xdf, "pandn", integer.pandn],
  [0xe0, "pavgb", integer.pavgb, SSE],
  [0xe3, "pavgw", integer.pavgw, SSE],
  [0xe4, "pmulhuw", integer.pmulhuw, SSE],
  [0xe5, "pmulhw", integer.pmulhw],
  [0xe8, "psubsb", integer.psubsb],
  [0xe9, "psubsw", integer.psubsw],
  [0xea, "pminsw", integer.pminsw, SSE],
  [0xeb, "por", integer.por],
  [0xec, "paddsb", integer.paddsb],
  [0xed, "paddsw", integer.paddsw],
  [0xee, "pmaxsw", integer.pmaxsw, SSE],
  [0xef, "pxor", integer.pxor],
  [0xf4, "pmuludq", integer.pmuludq, SSE2],
  [0xf5, "pmaddwd", integer.pmaddwd],
  [0xf6, "psadbw", integer.psadbw, SSE],
  [0xf8, "psubb", integer.psubb],
  [0xf9, "psubw", integer.psubw],
  [0xfa, "psubd", integer.psubd],
  [0xfb, "psubq", integer.psubq, SSE2],
  [0xfc, "paddb", integer.paddb],
  [0xfd, "paddw", integer.paddw],
  [0xfe, "paddd", integer.paddd],
];
for (const [opcode, name, op, feature = MMX] of PACKED) {
  put(opcode, NONE, row(feature, name, "Pq,Qq", vector(op)));
  put(opcode, P66, row(SSE2, name, "Vx,Wx", vector(op)));
}

/** On MMX registers these read four bytes of memory. */
const UNPACK_LOW: readonly [number, string, VectorOp][] = [
  [0x60, "punpcklbw", shuffle.punpcklbw],
  [0x61, "punpcklwd", shuffle.punpcklwd],
  [0x62, "punpckldq", shuffle.punpckldq],
];
for (const [opcode, name, op] of UNPACK_LOW) {
  put(opcode, NONE, row(MMX, name, "Pq,Qd", vector(op)));
  put(opcode, P66, row(SSE2, name, "Vx,Wx", vector(op)));
}
put(0x6c, P66, row(SSE2, "punpcklqdq", "Vx,Wx", vector(shuffle.punpcklqdq)));
put(0x6d, P66, row(SSE2, "punpckhqdq", "Vx,Wx", vector(shuffle.punpckhqdq)));

/** Opcode by operand; opcode and reg field by immediate. */
const SHIFTS: readonly [number, number, number, string, integer.ShiftOp][] = [
  [0xd1, 0x71, 2, "psrlw", integer.psrlw],
  [0xd2, 0x72, 2, "psrld", integer.psrld],
  [0xd3, 0x73, 2, "psrlq", integer.psrlq],
  [0xe1, 0x71, 4, "psraw", integer.psraw],
  [0xe2, 0x72, 4, "psrad", integer.psrad],
  [0xf1, 0x71, 6, "psllw", integer.psllw],
  [0xf2, 0x72, 6, "pslld", integer.pslld],
  [0xf3, 0x73, 6, "psllq", integer.psllq],
];
for (const [opcode, group, reg, name, op] of SHIFTS) {
  const { byOperand, byImmediate } = integer.shifted(op);
  put(opcode, NONE, row(MMX, name, "Pq,Qq", byOperand));
  put(opcode, P66, row(SSE2, name, "Vx,Wx", byOperand));
  prefixedMember(0x0f00 | group, NONE, reg, row(MMX, name, "Nq,Ib", byImmediate), "register");
  prefixedMember(0x0f00 | group, P66, reg, row(SSE2, name, "Ux,Ib", byImmediate), "register");
}
const psrldq = row(SSE2, "psrldq", "Ux,Ib", integer.shifted(integer.psrldq).byImmediate);
const pslldq = row(SSE2, "pslldq", "Ux,Ib", integer.shifted(integer.pslldq).byImmediate);
prefixedMember(0x0f73, P66, 3, psrldq, "register");
prefixedMember(0x0f73, P66, 7, pslldq, "register");

put(0x70, NONE, row(SSE, "pshufw", "Pq,Qq,Ib", vector(shuffle.pshufw)));
put(0x70, P66, row(SSE2, "pshufd", "Vx,Wx,Ib", vector(shuffle.pshufd)));
put(0x70, F3, row(SSE2, "pshufhw", "Vx,Wx,Ib", vector(shuffle.pshufhw)));
put(0x70, F2, row(SSE2, "pshuflw", "Vx,Wx,Ib", vector(shuffle.pshuflw)));

for (const [prefix, feature, to] of [[NONE, SSE, "Pq"], [P66, SSE2, "Vx"]] as const) {
  const memory = row(feature, "pinsrw", `${to},Mw,Ib`, vector(shuffle.pinsrw));
  const register = row(feature, "pinsrw", `${to},Rd,Ib`, vector(shuffle.pinsrw));
  prefixedForms(0x0fc4, prefix, memory, register);
}
put(0xc5, NONE, row(SSE, "pextrw", "Gd,Nq,Ib", vector(shuffle.pextrw(8))));
put(0xc5, P66, row(SSE2, "pextrw", "Gd,Ux,Ib", vector(shuffle.pextrw(16))));
put(0xd7, NONE, row(SSE, "pmovmskb", "Gd,Nq", vector(shuffle.signs(1, 8))));
put(0xd7, P66, row(SSE2, "pmovmskb", "Gd,Ux", vector(shuffle.signs(1, 16))));

// ---- moves --------------------------------------------------------------------------------------

const LOAD_4 = vector(move.load(4));
const LOAD_8 = vector(move.load(8));
const LOAD_16 = vector(move.load(16));
const UNALIGNED = vector(move.load(16), false);
const LOW_TO_LOW = vector(move.quad(0, 0));
const LOW_TO_HIGH = vector(move.quad(1, 0));
const HIGH_TO_LOW = vector(move.quad(0, 1));

put(0x6e, NONE, row(MMX, "movd", "Pq,Ed", LOAD_4));
put(0x6e, P66, row(SSE2, "movd", "Vx,Ed", LOAD_4));
put(0x7e, NONE, row(MMX, "movd", "Ed,Pq", LOAD_4));
put(0x7e, P66, row(SSE2, "movd", "Ed,Vx", LOAD_4));
put(0x7e, F3, row(SSE2, "movq", "Vx,Wq", LOAD_8));
put(0xd6, P66, row(SSE2, "movq", "Wq,Vx", LOAD_8));
put(0xd6, F3, row(SSE2, "movq2dq", "Vx,Nq", LOAD_8));
put(0xd6, F2, row(SSE2, "movdq2q", "Pq,Ux", LOAD_8));
put(0x6f, NONE, row(MMX, "movq", "Pq,Qq", LOAD_8));
put(0x7f, NONE, row(MMX, "movq", "Qq,Pq", LOAD_8));
put(0x6f, P66, row(SSE2, "movdqa", "Vx,Wx", LOAD_16));
put(0x7f, P66, row(SSE2, "movdqa", "Wx,Vx", LOAD_16));
put(0x6f, F3, row(SSE2, "movdqu", "Vx,Wx", UNALIGNED));
put(0x7f, F3, row(SSE2, "movdqu", "Wx,Vx", UNALIGNED));

put(0xe7, NONE, row(SSE, "movntq", "Mq,Pq", LOAD_8));
put(0xe7, P66, row(SSE2, "movntdq", "Mx,Vx", LOAD_16));
put(0xf7, NONE, row(SSE, "maskmovq", "Pq,Nq", move.maskMove));
put(0xf7, P66, row(SSE2, "maskmovdqu", "Vx,Ux", move.maskMove));

/** Last letter of the names, format, mandatory prefixes of packed and scalar forms, feature. */
const MOVES: readonly [string, Format, number, number, number][] = [
  ["s", SINGLE, NONE, F3, SSE],
  ["d", DOUBLE, P66, F2, SSE2],
];
for (const [letter, { bytes }, packed, scalar, feature] of MOVES) {
  const both = (name: string, operands: string, op: SystemOp): Row =>
    row(feature, name + letter, operands, op);
  const size = bytes === 4 ? "d" : "q";
  put(0x10, packed, both("movup", "Vx,Wx", UNALIGNED));
  put(0x11, packed, both("movup", "Wx,Vx", UNALIGNED));
  put(0x28, packed, both("movap", "Vx,Wx", LOAD_16));
  put(0x29, packed, both("movap", "Wx,Vx", LOAD_16));
  put(0x2b, packed, both("movntp", "Mx,Vx", LOAD_16));
  const alone = vector(move.merge(bytes));
  const load = both("movs", `Vx,M${size}`, vector(move.load(bytes)));
  prefixedForms(0x0f10, scalar, load, both("movs", `Vx,U${size}`, alone));
  put(0x11, scalar, both("movs", `W${size},Vx`, alone));
  put(0x13, packed, both("movlp", "Mq,Vx", LOW_TO_LOW));
  put(0x17, packed, both("movhp", "Mq,Vx", HIGH_TO_LOW));
  put(0x50, packed, both("movmskp", "Gd,Ux", vector(shuffle.signs(bytes, 16))));
}
put(0x12, P66, row(SSE2, "movlpd", "Vx,Mq", LOW_TO_LOW));
put(0x16, P66, row(SSE2, "movhpd", "Vx,Mq", LOW_TO_HIGH));
const movlps = row(SSE, "movlps", "Vx,Mq", LOW_TO_LOW);
const movhps = row(SSE, "movhps", "Vx,Mq", LOW_TO_HIGH);
prefixedForms(0x0f12, NONE, movlps, row(SSE, "movhlps", "Vx,Ux", HIGH_TO_LOW));
prefixedForms(0x0f16, NONE, movhps, row(SSE, "movlhps", "Vx,Ux", LOW_TO_HIGH));

// ---- floating point -----------------------------------------------------------------------------

/** Suffix, prefix, operands, lane, bytes that change, feature. */
const FORMS: readonly [string, number, string, Format, 4 | 8 | 16, number][] = [
  ["ps", NONE, "Vx,Wx", SINGLE, 16, SSE],
  ["pd", P66, "Vx,Wx", DOUBLE, 16, SSE2],
  ["ss", F3, "Vx,Wd", SINGLE, 4, SSE],
  ["sd", F2, "Vx,Wq", DOUBLE, 8, SSE2],
];
const ARITHMETIC: readonly [number, string, (f: Format) => arith.FloatLane][] = [
  [0x51, "sqrt", arith.sqrt],
  [0x58, "add", arith.add],
  [0x59, "mul", arith.mul],
  [0x5c, "sub", arith.sub],
  [0x5d, "min", compare.min],
  [0x5e, "div", arith.div],
  [0x5f, "max", compare.max],
];
for (const [suffix, prefix, operands, format, bytes, feature] of FORMS) {
  for (const [opcode, name, lane] of ARITHMETIC) {
    put(
      opcode,
      prefix,
      row(feature, name + suffix, operands, arith.lanewise(format, bytes, lane(format))),
    );
  }
  put(0xc2, prefix, row(feature, `cmp${suffix}`, `${operands},Ib`, compare.compare(format, bytes)));
  if (format === DOUBLE) continue;
  put(
    0x52,
    prefix,
    row(SSE, `rsqrt${suffix}`, operands, arith.lanewise(SINGLE, bytes, arith.rsqrt)),
  );
  put(0x53, prefix, row(SSE, `rcp${suffix}`, operands, arith.lanewise(SINGLE, bytes, arith.rcp)));
}

/** The same on both precisions, packed. */
const WHOLE: readonly [number, string, VectorOp, VectorOp][] = [
  [0x14, "unpcklp", shuffle.punpckldq, shuffle.punpcklqdq],
  [0x15, "unpckhp", shuffle.punpckhdq, shuffle.punpckhqdq],
  [0x54, "andp", integer.pand, integer.pand],
  [0x55, "andnp", integer.pandn, integer.pandn],
  [0x56, "orp", integer.por, integer.por],
  [0x57, "xorp", integer.pxor, integer.pxor],
];
for (const [opcode, name, single, double] of WHOLE) {
  put(opcode, NONE, row(SSE, `${name}s`, "Vx,Wx", vector(single)));
  put(opcode, P66, row(SSE2, `${name}d`, "Vx,Wx", vector(double)));
}
put(0xc6, NONE, row(SSE, "shufps", "Vx,Wx,Ib", vector(shuffle.shufps)));
put(0xc6, P66, row(SSE2, "shufpd", "Vx,Wx,Ib", vector(shuffle.shufpd)));

put(0x2e, NONE, row(SSE, "ucomiss", "Vx,Wd", compare.compareToFlags(SINGLE, false)));
put(0x2e, P66, row(SSE2, "ucomisd", "Vx,Wq", compare.compareToFlags(DOUBLE, false)));
put(0x2f, NONE, row(SSE, "comiss", "Vx,Wd", compare.compareToFlags(SINGLE, true)));
put(0x2f, P66, row(SSE2, "comisd", "Vx,Wq", compare.compareToFlags(DOUBLE, true)));

put(0x2a, NONE, row(SSE, "cvtpi2ps", "Vx,Qq", convert.cvtpi2ps));
put(0x2a, P66, row(SSE2, "cvtpi2pd", "Vx,Qq", convert.cvtpi2pd));
put(0x2a, F3, row(SSE, "cvtsi2ss", "Vx,Ed", convert.cvtsi2ss));
put(0x2a, F2, row(SSE2, "cvtsi2sd", "Vx,Ed", convert.cvtsi2sd));
put(0x2c, NONE, row(SSE, "cvttps2pi", "Pq,Wq", convert.cvttps2pi));
put(0x2c, P66, row(SSE2, "cvttpd2pi", "Pq,Wx", convert.cvttpd2pi));
put(0x2c, F3, row(SSE, "cvttss2si", "Gd,Wd", convert.cvttss2si));
put(0x2c, F2, row(SSE2, "cvttsd2si", "Gd,Wq", convert.cvttsd2si));
put(0x2d, NONE, row(SSE, "cvtps2pi", "Pq,Wq", convert.cvtps2pi));
put(0x2d, P66, row(SSE2, "cvtpd2pi", "Pq,Wx", convert.cvtpd2pi));
put(0x2d, F3, row(SSE, "cvtss2si", "Gd,Wd", convert.cvtss2si));
put(0x2d, F2, row(SSE2, "cvtsd2si", "Gd,Wq", convert.cvtsd2si));
put(0x5a, NONE, row(SSE2, "cvtps2pd", "Vx,Wq", convert.cvtps2pd));
put(0x5a, P66, row(SSE2, "cvtpd2ps", "Vx,Wx", convert.cvtpd2ps));
put(0x5a, F3, row(SSE2, "cvtss2sd", "Vx,Wd", convert.cvtss2sd));
put(0x5a, F2, row(SSE2, "cvtsd2ss", "Vx,Wq", convert.cvtsd2ss));
put(0x5b, NONE, row(SSE2, "cvtdq2ps", "Vx,Wx", convert.cvtdq2ps));
put(0x5b, P66, row(SSE2, "cvtps2dq", "Vx,Wx", convert.cvtps2dq));
put(0x5b, F3, row(SSE2, "cvttps2dq", "Vx,Wx", convert.cvttps2dq));
put(0xe6, P66, row(SSE2, "cvttpd2dq", "Vx,Wx", convert.cvttpd2dq));
put(0xe6, F3, row(SSE2, "cvtdq2pd", "Vx,Wq", convert.cvtdq2pd));
put(0xe6, F2, row(SSE2, "cvtpd2dq", "Vx,Wx", convert.cvtpd2dq));

// ---- state, caches, order -----------------------------------------------------------------------

put(0x77, NONE, row(MMX, "emms", "", control.emms));
put(0xc3, NONE, row(SSE2, "movnti", "Md,Gd", control.movnti));
["prefetchnta", "prefetcht0", "prefetcht1", "prefetcht2"].forEach((name, reg) => {
  // Older processors take them for the NOPs that they are.
  member(0x0f18, reg, make(name, "Mb", { sem: nop }), "memory");
  member(0x0f18, reg, make("nop", "Ev", { sem: nop }), "register");
  member(0x0f18, reg + 4, make("nop", "Ev", { sem: nop }));
});

/** Reg fields of 0F AE. */
prefixedMember(0x0fae, NONE, 2, row(SSE, "ldmxcsr", "Md", control.ldmxcsr), "memory");
prefixedMember(0x0fae, NONE, 3, row(SSE, "stmxcsr", "Md", control.stmxcsr), "memory");
prefixedMember(0x0fae, NONE, 7, row(CLFSH, "clflush", "Mb", control.clflush), "memory");
prefixedMember(0x0fae, NONE, 5, row(SSE2, "lfence", "", control.fence), "register");
prefixedMember(0x0fae, NONE, 6, row(SSE2, "mfence", "", control.fence), "register");
prefixedMember(0x0fae, NONE, 7, row(SSE, "sfence", "", control.fence), "register");
