/**
 * The opcode table, integer and system: every row names the function that says what the instruction
 * does. Decoder, disassembler and coverage read the same rows. Notation: decode.ts. Source: Intel
 * SDM vol. 2 app. A.
 * @module
 */

import { EXIT } from "../types.ts";
import * as alu from "./sem/alu.ts";
import * as bits from "./sem/bits.ts";
import * as flags from "./sem/flags.ts";
import * as move from "./sem/move.ts";
import * as muldiv from "./sem/muldiv.ts";
import * as port from "./sem/port.ts";
import * as segment from "./sem/segment.ts";
import * as shift from "./sem/shift.ts";
import * as stack from "./sem/stack.ts";
import * as string from "./sem/string.ts";
import * as direct from "./sem/system.ts";
import * as control from "./control.ts";
import * as far from "./far.ts";
import { iret } from "./iret.ts";
import * as misc from "./misc.ts";
import * as portio from "./portio.ts";
import * as segments from "./segment_ops.ts";
import * as strings from "./strings.ts";
import * as system from "./system.ts";
import { sysenter, sysexit } from "./sysenter.ts";
import { FEATURE } from "./cpuid.ts";
import type { Row, SystemOp } from "./insn.ts";
import { across, branch, exact, make, member, place, row, sys } from "./opcode_table.ts";
import "./opcodes_fpu.ts";
import "./opcodes_sse.ts";
import type { Sem } from "./x.ts";

const ALU: readonly [string, Sem][] = [
  ["add", alu.addTo],
  ["or", alu.orTo],
  ["adc", alu.adc],
  ["sbb", alu.sbb],
  ["and", alu.andTo],
  ["sub", alu.sub],
  ["xor", alu.xorTo],
  ["cmp", alu.cmp],
];
ALU.forEach(([name, sem], n) => {
  const forms = ["Eb,Gb", "Ev,Gv", "Gb,Eb", "Gv,Ev", "AL,Ib", "eAX,Iv"];
  forms.forEach((operands, i) => row(n * 8 + i, name, operands, sem));
  member(0x80, n, make(name, "Eb,Ib", { sem }));
  member(0x81, n, make(name, "Ev,Iv", { sem }));
  member(0x82, n, make(name, "Eb,Ib", { sem }));
  member(0x83, n, make(name, "Ev,Is", { sem }));
});

const CONDITIONS = "o no b ae e ne be a s ns p np l ge le g".split(" ");
CONDITIONS.forEach((name, cc) => {
  branch(0x70 + cc, `j${name}`, "Jb", flags.jcc(cc));
  branch(0x0f80 + cc, `j${name}`, "Jv", flags.jcc(cc));
  row(0x0f90 + cc, `set${name}`, "Eb", flags.setcc(cc));
  place(
    0x0f40 + cc,
    make(`cmov${name}`, "Gv,Ev", { sem: flags.cmovcc(cc), feature: FEATURE.CMOV }),
  );
});

for (let r = 0; r < 8; r++) {
  row(0x40 + r, "inc", "Zv", alu.inc);
  row(0x48 + r, "dec", "Zv", alu.dec);
  row(0x50 + r, "push", "Zv", stack.push);
  row(0x58 + r, "pop", "Zv", stack.pop);
  if (r) row(0x90 + r, "xchg", "Zv,eAX", move.xchg);
  row(0xb0 + r, "mov", "Zb,Ib", move.mov);
  row(0xb8 + r, "mov", "Zv,Iv", move.mov);
  row(0x0fc8 + r, "bswap", "Zv", bits.bswap);
}
row(0x90, "nop", "", move.nop);

["es", "cs", "ss", "ds"].forEach((name, s) => {
  row(0x06 + s * 8, `push ${name}`, "", segment.pushSegment(s));
  if (s === 2) sys(0x17, "pop ss", "", segments.popStackSegment);
  else if (s !== 1) across(0x07 + s * 8, `pop ${name}`, "", segment.popSegment(s));
});
row(0x0fa0, "push fs", "", segment.pushSegment(4));
across(0x0fa1, "pop fs", "", segment.popSegment(4));
row(0x0fa8, "push gs", "", segment.pushSegment(5));
across(0x0fa9, "pop gs", "", segment.popSegment(5));

sys(0x27, "daa", "", misc.daa);
sys(0x2f, "das", "", misc.das);
sys(0x37, "aaa", "", misc.aaa);
sys(0x3f, "aas", "", misc.aas);
row(0xd4, "aam", "Ib", muldiv.aam);
sys(0xd5, "aad", "Ib", misc.aad);

row(0x60, "pusha", "", stack.pusha);
row(0x61, "popa", "", stack.popa);
sys(0x62, "bound", "Gv,Ma", misc.bound);
sys(0x63, "arpl", "Ew,Gw", segments.arpl);
row(0x68, "push", "Iv", stack.push);
row(0x69, "imul", "Gv,Ev,Iv", muldiv.imul(1));
row(0x6a, "push", "Is", stack.push);
row(0x6b, "imul", "Gv,Ev,Is", muldiv.imul(1));
row(0x0faf, "imul", "Gv,Ev", muldiv.imul(0));

row(0x84, "test", "Eb,Gb", alu.test);
row(0x85, "test", "Ev,Gv", alu.test);
row(0x86, "xchg", "Eb,Gb", move.xchg);
row(0x87, "xchg", "Ev,Gv", move.xchg);
row(0x88, "mov", "Eb,Gb", move.mov);
row(0x89, "mov", "Ev,Gv", move.mov);
row(0x8a, "mov", "Gb,Eb", move.mov);
row(0x8b, "mov", "Gv,Ev", move.mov);
// A row for each register: a handler knows which one it stores.
for (let s = 0; s < 8; s++) {
  member(0x8c, s, make("mov", "Ev,Sw", { sem: segment.storeSegment(s) }));
}
row(0x8d, "lea", "Gv,M", move.lea);
for (let s = 0; s < 8; s++) {
  const isData = s !== 1 && s !== 2;
  const meaning = isData
    ? { sem: segment.loadSegment(s), branch: true, proceeds: true }
    : { system: segments.loadSegment };
  member(0x8e, s, make("mov", "Sw,Ew", meaning));
}
member(0x8f, 0, make("pop", "Ev", { sem: stack.pop }), "register");
member(0x8f, 0, make("pop", "Ev", { system: misc.popMemory }), "memory");

row(0x98, "cbw", "", alu.cbw);
row(0x99, "cwd", "", alu.cwd);
sys(0x9a, "call far", "A", far.callFar);
row(0x9c, "pushf", "", direct.pushf);
across(0x9d, "popf", "", direct.popf);
row(0x9e, "sahf", "", flags.sahf);
row(0x9f, "lahf", "", flags.lahf);
row(0xa0, "mov", "AL,Ob", move.mov);
row(0xa1, "mov", "eAX,Ov", move.mov);
row(0xa2, "mov", "Ob,AL", move.mov);
row(0xa3, "mov", "Ov,eAX", move.mov);
row(0xa8, "test", "AL,Ib", alu.test);
row(0xa9, "test", "eAX,Iv", alu.test);

const STRING: readonly [number, string, Sem, SystemOp][] = [
  [0xa4, "movs", string.movs, strings.repMovs],
  [0xa6, "cmps", string.cmps, strings.repCompare("cmps")],
  [0xaa, "stos", string.stos, strings.repStos],
  [0xac, "lods", string.lods, strings.repLods],
  [0xae, "scas", string.scas, strings.repCompare("scas")],
];
for (const [opcode, name, sem, rep] of STRING) {
  place(opcode, make(name, "Xb", { sem, rep }));
  place(opcode + 1, make(name, "Xv", { sem, rep }));
}
sys(0x6c, "ins", "Xb", portio.ins);
sys(0x6d, "ins", "Xv", portio.ins);
sys(0x6e, "outs", "Xb", portio.outs);
sys(0x6f, "outs", "Xv", portio.outs);

const SHIFTS: readonly [string, Sem][] = [
  ["rol", shift.rol],
  ["ror", shift.ror],
  ["rcl", shift.rcl],
  ["rcr", shift.rcr],
  ["shl", shift.shl],
  ["shr", shift.shr],
  ["shl", shift.shl],
  ["sar", shift.sar],
];
SHIFTS.forEach(([name, sem], n) => {
  const forms: [number, string][] = [
    [0xc0, "Eb,Ib"],
    [0xc1, "Ev,Ib"],
    [0xd0, "Eb,1"],
    [0xd1, "Ev,1"],
    [0xd2, "Eb,CL"],
    [0xd3, "Ev,CL"],
  ];
  for (const [opcode, operands] of forms) member(opcode, n, make(name, operands, { sem }));
});
row(0x0fa4, "shld", "Ev,Gv,Ib", shift.shld);
row(0x0fa5, "shld", "Ev,Gv,CL", shift.shld);
row(0x0fac, "shrd", "Ev,Gv,Ib", shift.shrd);
row(0x0fad, "shrd", "Ev,Gv,CL", shift.shrd);

branch(0xc2, "ret", "Iw", stack.retParameters);
branch(0xc3, "ret", "", stack.ret);
sys(0xc4, "les", "Gv,Mp", segments.loadFarPointer(0));
sys(0xc5, "lds", "Gv,Mp", segments.loadFarPointer(3));
sys(0x0fb2, "lss", "Gv,Mp", segments.loadFarPointer(2));
sys(0x0fb4, "lfs", "Gv,Mp", segments.loadFarPointer(4));
sys(0x0fb5, "lgs", "Gv,Mp", segments.loadFarPointer(5));
member(0xc6, 0, make("mov", "Eb,Ib", { sem: move.mov }));
member(0xc7, 0, make("mov", "Ev,Iv", { sem: move.mov }));
sys(0xc8, "enter", "Iw,Ib", misc.enter);
row(0xc9, "leave", "", stack.leave);
sys(0xca, "retf", "Iw", far.retFar);
sys(0xcb, "retf", "", far.retFar);
sys(0xcc, "int3", "", system.int3);
sys(0xcd, "int", "Ib", system.intN);
sys(0xce, "into", "", system.into);
sys(0xcf, "iret", "", iret);
sys(0xf1, "int1", "", system.int1);
row(0xd6, "salc", "", flags.salc);
row(0xd7, "xlat", "", move.xlat);

branch(0xe0, "loopne", "Jb", flags.loop(0));
branch(0xe1, "loope", "Jb", flags.loop(1));
branch(0xe2, "loop", "Jb", flags.loop());
branch(0xe3, "jcxz", "Jb", flags.jcxz);
across(0xe4, "in", "AL,Ib", port.in_(true));
across(0xe5, "in", "eAX,Ib", port.in_(true));
across(0xe6, "out", "Ib,AL", port.out(true));
across(0xe7, "out", "Ib,eAX", port.out(true));
across(0xec, "in", "AL,DX", port.in_(false));
across(0xed, "in", "eAX,DX", port.in_(false));
across(0xee, "out", "DX,AL", port.out(false));
across(0xef, "out", "DX,eAX", port.out(false));
branch(0xe8, "call", "Jv", stack.call);
branch(0xe9, "jmp", "Jv", stack.jmp);
sys(0xea, "jmp far", "A", far.jmpFar);
branch(0xeb, "jmp", "Jb", stack.jmp);

sys(0xf4, "hlt", "", system.hlt);
row(0xf5, "cmc", "", flags.cmc);
row(0xf8, "clc", "", flags.clc);
row(0xf9, "stc", "", flags.stc);
row(0xfa, "cli", "", direct.cli);
across(0xfb, "sti", "", direct.sti);
row(0xfc, "cld", "", direct.cld);
row(0xfd, "std", "", direct.std);

for (const [opcode, e, i] of [[0xf6, "Eb", "Ib"], [0xf7, "Ev", "Iv"]] as const) {
  const unary: [string, Sem][] = [
    ["not", alu.not],
    ["neg", alu.neg],
    ["mul", muldiv.mul],
    ["imul", muldiv.imul1],
    ["div", muldiv.div],
    ["idiv", muldiv.idiv],
  ];
  member(opcode, 0, make("test", `${e},${i}`, { sem: alu.test }));
  member(opcode, 1, make("test", `${e},${i}`, { sem: alu.test }));
  unary.forEach(([name, sem], n) => member(opcode, n + 2, make(name, e, { sem })));
}
member(0xfe, 0, make("inc", "Eb", { sem: alu.inc }));
member(0xfe, 1, make("dec", "Eb", { sem: alu.dec }));
member(0xff, 0, make("inc", "Ev", { sem: alu.inc }));
member(0xff, 1, make("dec", "Ev", { sem: alu.dec }));
member(0xff, 2, make("call", "Ev", { sem: stack.callTo, branch: true }));
member(0xff, 3, make("call far", "Mp", { system: far.callFarIndirect }), "memory");
member(0xff, 4, make("jmp", "Ev", { sem: stack.jmpTo, branch: true }));
member(0xff, 5, make("jmp far", "Mp", { system: far.jmpFarIndirect }), "memory");
member(0xff, 6, make("push", "Ev", { sem: stack.push }));

member(0x0f00, 0, make("sldt", "Ev", { system: segments.storeSelector(6) }));
member(0x0f00, 1, make("str", "Ev", { system: segments.storeSelector(7) }));
member(0x0f00, 2, make("lldt", "Ew", { system: segments.lldt }));
member(0x0f00, 3, make("ltr", "Ew", { system: segments.ltr }));
member(0x0f00, 4, make("verr", "Ew", { system: segments.verify(false) }));
member(0x0f00, 5, make("verw", "Ew", { system: segments.verify(true) }));
member(0x0f01, 0, make("sgdt", "Ms", { system: system.storeTable("GDT") }), "memory");
member(0x0f01, 1, make("sidt", "Ms", { system: system.storeTable("IDT") }), "memory");
member(0x0f01, 2, make("lgdt", "Ms", { system: system.loadTable("GDT") }), "memory");
member(0x0f01, 3, make("lidt", "Ms", { system: system.loadTable("IDT") }), "memory");
member(0x0f01, 4, make("smsw", "Ev", { system: control.smsw }));
member(0x0f01, 6, make("lmsw", "Ew", { system: control.lmsw }));
member(0x0f01, 7, make("invlpg", "Mb", { system: control.invlpg }), "memory");
exact(0x0f01, 0xc1, make("vmcall", "", { system: system.vmcall }));
exact(0x0f01, 0xd9, make("vmmcall", "", { system: system.vmcall }));
sys(0x0f02, "lar", "Gv,Ew", segments.lar);
sys(0x0f03, "lsl", "Gv,Ew", segments.lsl);
sys(0x0f06, "clts", "", control.clts);
sys(0x0f08, "invd", "", system.cacheFlush(EXIT.INVD));
sys(0x0f09, "wbinvd", "", system.cacheFlush(EXIT.WBINVD));
sys(0x0f0b, "ud2", "", misc.undefinedOpcode);
row(0x0f0d, "nop", "Ev", move.nop);
for (let hint = 0x0f19; hint <= 0x0f1f; hint++) row(hint, "nop", "Ev", move.nop);
sys(0x0f20, "mov", "Rd,Cd", control.readControl);
sys(0x0f21, "mov", "Rd,Dd", control.readDebug);
sys(0x0f22, "mov", "Cd,Rd", control.writeControl);
sys(0x0f23, "mov", "Dd,Rd", control.writeDebug);
place(0x0f30, make("wrmsr", "", { system: control.wrmsr, feature: FEATURE.MSR }));
place(0x0f31, make("rdtsc", "", { sem: direct.rdtsc, feature: FEATURE.TSC }));
place(0x0f32, make("rdmsr", "", { system: control.rdmsr, feature: FEATURE.MSR }));
sys(0x0f33, "rdpmc", "", control.rdpmc);
place(0x0f34, make("sysenter", "", { system: sysenter, feature: FEATURE.SEP }));
place(0x0f35, make("sysexit", "", { system: sysexit, feature: FEATURE.SEP }));
sys(0x0fa2, "cpuid", "", control.cpuid);
row(0x0fa3, "bt", "Ev,Gv", bits.bt);
row(0x0fab, "bts", "Ev,Gv", bits.bts);
row(0x0fb3, "btr", "Ev,Gv", bits.btr);
row(0x0fbb, "btc", "Ev,Gv", bits.btc);
member(0x0fba, 4, make("bt", "Ev,Ib", { sem: bits.bt }));
member(0x0fba, 5, make("bts", "Ev,Ib", { sem: bits.bts }));
member(0x0fba, 6, make("btr", "Ev,Ib", { sem: bits.btr }));
member(0x0fba, 7, make("btc", "Ev,Ib", { sem: bits.btc }));
row(0x0fb0, "cmpxchg", "Eb,Gb", alu.cmpxchg);
row(0x0fb1, "cmpxchg", "Ev,Gv", alu.cmpxchg);
row(0x0fb6, "movzx", "Gv,Eb", move.movzx);
row(0x0fb7, "movzx", "Gv,Ew", move.movzx);
sys(0x0fb9, "ud1", "Gv,Ev", misc.undefinedOpcode);
row(0x0fbc, "bsf", "Gv,Ev", bits.bsf);
row(0x0fbd, "bsr", "Gv,Ev", bits.bsr);
row(0x0fbe, "movsx", "Gv,Eb", move.movsx);
row(0x0fbf, "movsx", "Gv,Ew", move.movsx);
row(0x0fc0, "xadd", "Eb,Gb", alu.xadd);
row(0x0fc1, "xadd", "Ev,Gv", alu.xadd);
member(
  0x0fc7,
  1,
  make("cmpxchg8b", "Mq", { sem: alu.cmpxchg8b, feature: FEATURE.CX8 }),
  "memory",
);

/** The jump that ends a block where no instruction does. */
export const JUMP_ROW: Row = make("jmp", "", { sem: stack.jmp, branch: true });
