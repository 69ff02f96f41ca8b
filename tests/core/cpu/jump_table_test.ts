import { assertEquals } from "@std/assert";
import { Decoder } from "../../../core/cpu/decode.ts";
import { isTableJump, tableEntries } from "../../../core/cpu/jump_table.ts";
import { MODE } from "../../../core/cpu/state.ts";
import { Assembler, newLabel } from "../../helpers/asm.ts";
import { CpuBench } from "../../helpers/cpu.ts";

const PC = 0x1000;

function decode(...bytes: number[]) {
  const decoder = new Decoder({ byteAt: (eip) => bytes[eip - PC] ?? 0x90 }, 0);
  return decoder.decode(PC, MODE.CODE32 | MODE.STACK32 | MODE.FLAT);
}

const JUMP = decode(0xff, 0x24, 0x85, 0, 0x20, 0, 0); // jmp [eax * 4 + 2000h]

const OTHERS: readonly [what: string, ...bytes: number[]][] = [
  ["a call", 0xff, 0x14, 0x85, 0, 0x20, 0, 0],
  ["bytes for an index", 0xff, 0x24, 0x05, 0, 0x20, 0, 0],
  ["a base", 0xff, 0x24, 0x83],
  ["no index", 0xff, 0x25, 0, 0x20, 0, 0],
  ["a register", 0xff, 0xe0],
  ["16-bit targets", 0x66, 0xff, 0x24, 0x85, 0, 0x20, 0, 0],
  ["16-bit addresses", 0x67, 0xff, 0x64, 0],
];

Deno.test("isTableJump() knows a jump through a table of offsets", () => {
  assertEquals(isTableJump(JUMP), true);
  for (const [what, ...bytes] of OTHERS) {
    assertEquals(isTableJump(decode(...bytes)), false, what);
  }
});

Deno.test("tableEntries() ends where an entry leads far away, is not known, or is the 64th", () => {
  const read = (...words: (number | undefined)[]) =>
    tableEntries(JUMP, (offset) => words[(offset - 0x2000) / 4]);
  assertEquals(read(PC + 7, PC, PC + 4095, PC + 4096), [PC + 7, PC, PC + 4095]);
  assertEquals(read(PC + 7, -1), [PC + 7]);
  assertEquals(read(PC + 7, undefined, PC), [PC + 7]);
  assertEquals(tableEntries(JUMP, () => PC).length, 64);
});

const ECX = 1, EDX = 2, EBX = 3, EDI = 7;
const JMP = 0xeb, JNZ = 0x75;
const CODES = 5;

/** ECX times: one of {@link CODES} pieces of code, the next one each time, that counts in EBX. */
function machine(): { readonly code: Uint8Array; readonly table: number; readonly last: number } {
  const asm = new Assembler(PC, 32);
  const [top, table, next] = [newLabel(), newLabel(), newLabel()];
  const pieces = Array.from({ length: CODES }, newLabel);
  asm.place(top);
  asm.bytes(0x40 + EDX, 0x83, 0xf8 | EDX, CODES, 0x72, 2, 0x31, 0xd2); // inc; cmp; jb +2; xor
  asm.bytes(0xff, 0x24, 0x85 | EDX << 3);
  asm.address(table);
  for (const [n, piece] of pieces.entries()) {
    asm.place(piece);
    asm.bytes(0x81, 0xc0 | EBX); // add ebx, 16 ** n
    asm.value(4, 16 ** n);
    asm.branch(JMP, next, false);
  }
  asm.place(next);
  asm.bytes(0x48 + ECX); // dec ecx
  asm.branch(JNZ, top, false);
  asm.bytes(0xf4);
  asm.place(table);
  for (const piece of pieces) asm.address(piece);
  return { code: asm.finish(), table: table.at, last: pieces[CODES - 1]!.at };
}

const ROUNDS = 600;
/** Each code runs this many instructions; one of them one more. */
const ONE = 8;

Deno.test("Cpu.run() goes where a jump table leads, when it is compiled and when it has changed", () => {
  const bench = new CpuBench(0x20000, [], { heat: 100 });
  const { code, table, last } = machine();
  bench.load("protected32", PC, code.toHex());
  const { cpu } = bench;
  cpu.state.regs[ECX] = 2 * ROUNDS * CODES;
  bench.run(ROUNDS * (CODES * ONE + 1));
  assertEquals(cpu.state.regs[ECX], ROUNDS * CODES);
  assertEquals(cpu.state.regs[EBX], 0x11111 * ROUNDS);
  // Now the last piece runs in place of the first.
  bench.view.setUint32(table, last, true);
  cpu.invalidateCode(cpu.ram.base + table, 4);
  bench.run(ROUNDS * (CODES * ONE + 1));
  assertEquals(cpu.state.regs[ECX], 0);
  assertEquals(cpu.state.regs[EBX], 0x11111 * ROUNDS + 0x21110 * ROUNDS);
});

/** ECX times, from the second half on: a loop whose table leads there only, and which ends where a page does. */
function atPageEnd(page: number): { readonly code: Uint8Array; readonly origin: number } {
  const asm = new Assembler(page - 16, 32);
  const [top, table, next] = [newLabel(), newLabel(), newLabel()];
  asm.branch(JMP, next, true);
  asm.place(top);
  asm.bytes(0x40 + EDX, 0x83, 0xe0 | EDX, 3, 0xff, 0x24, 0x85 | EDX << 3); // inc edx; and edx, 3
  asm.address(table);
  asm.place(next);
  asm.bytes(0x48 + ECX);
  asm.branch(JNZ, top, true);
  asm.bytes(0x90);
  asm.bytes(0xf4);
  asm.place(table);
  for (let n = 0; n < 4; n++) asm.address(next);
  return { code: asm.finish(), origin: asm.origin };
}

Deno.test("Cpu.run() leaves a compiled page behind a jump through a table", () => {
  const bench = new CpuBench(0x20000, [], { heat: 100 });
  const { code, origin } = atPageEnd(0x3000);
  bench.load("protected32", origin, code.toHex());
  const { cpu } = bench;
  cpu.state.regs[ECX] = ROUNDS;
  bench.run(10 * ROUNDS);
  assertEquals([cpu.halted, cpu.state.eip, cpu.state.regs[EDX]], [true, 0x3002, (ROUNDS - 1) % 4]);
});

/**
 * Two short loops that are the cases of one table: inc eax; sub ecx,1; jnz; inc ebp; sub edx,1; jnz;
 * mov ecx,9; mov edx,7; inc edi; and edi,3; jmp [edi*4+table]
 */
function loopsAsCases(): Uint8Array {
  const asm = new Assembler(PC, 32);
  const [first, second, table, out] = [newLabel(), newLabel(), newLabel(), newLabel()];
  asm.bytes(0x46); // inc esi
  asm.branch(JMP, first, false);
  asm.place(first);
  asm.bytes(0x40, 0x83, 0xe8 | ECX, 1);
  asm.branch(JNZ, first, false);
  asm.place(second);
  asm.bytes(0x45, 0x83, 0xe8 | EDX, 1);
  asm.branch(JNZ, second, false);
  asm.bytes(0xb8 | ECX, 9, 0, 0, 0, 0xb8 | EDX, 7, 0, 0, 0);
  asm.bytes(0x40 | EDI, 0x83, 0xe0 | EDI, 3, 0xff, 0x24, 0x85 | EDI << 3);
  asm.address(table);
  asm.place(out);
  asm.bytes(0xff, 0xe0 | EBX);
  asm.place(table);
  for (const each of [first, second, out, first]) asm.address(each);
  return asm.finish();
}

Deno.test("Cpu.run() goes from a table to the loops that lead to it", () => {
  const code = loopsAsCases().toHex();
  const seen = [0, 8, 16, 30, 100].map((heat) => {
    const bench = new CpuBench(0x20000, [], { heat });
    bench.load("protected32", PC, code);
    const { regs } = bench.cpu.state;
    [regs[ECX], regs[EDX], regs[EBX]] = [9, 7, PC];
    return Array.from({ length: 60 }, (_, n) => {
      bench.run(500 + 7 * n);
      return bench.snapshot();
    });
  });
  for (const each of seen.slice(1)) assertEquals(each, seen[0]);
});
