import { assertEquals } from "@std/assert";
import { codeFrom, disassemble } from "../../../core/cpu/disasm.ts";
import { MODE } from "../../../core/cpu/state.ts";
import {
  addressForms,
  type CodeSize,
  disassembleAt,
  objdump,
  objdumpMissing,
  opcodeForms,
  plainSpelling,
} from "../../helpers/objdump.ts";
import { unhex } from "../../helpers/oracle.ts";

const NOP = 0x90;

for (const size of [16, 32] as const) {
  for (const length of [1, 2] as const) {
    Deno.test({
      name: `disassemble() agrees with objdump on every ${length}-byte opcode, ${size}-bit code`,
      ignore: objdumpMissing,
      fn: () => compareWithObjdump(opcodeForms(length, size), size),
    });
  }
  Deno.test({
    name: `disassemble() agrees with objdump on every memory operand, ${size}-bit code`,
    ignore: objdumpMissing,
    fn: () => compareWithObjdump(addressForms(size), size),
  });
}

/** Forms of one listing: fewer than 64 KiB, so that 16-bit branches stay in their segment. */
const LISTING = 5000;

async function compareWithObjdump(forms: readonly Uint8Array[], size: CodeSize): Promise<void> {
  const differing: string[] = [];
  for (let from = 0; from < forms.length; from += LISTING) {
    differing.push(...await differences(forms.slice(from, from + LISTING), size));
  }
  assertEquals(differing.slice(0, 20), [], `${differing.length} of ${forms.length} differ`);
}

/** Each form is followed by a NOP, which must be found where the form ends. */
async function differences(forms: readonly Uint8Array[], size: CodeSize): Promise<string[]> {
  const code = Uint8Array.from(forms.flatMap((form) => [...form, NOP]));
  const theirs = await objdump(code, size);
  const differing: string[] = [];
  let at = 0;
  for (const form of forms) {
    const ours = plainSpelling(disassembleAt(code, at, size)!.text);
    const said = plainSpelling(theirs.get(at) ?? "nothing");
    const length = theirs.has(at + form.length) ? "" : ", of another length";
    if (ours !== said || length) differing.push(`${form.toHex()}: ${ours} | ${said}${length}`);
    at += form.length + 1;
  }
  return differing;
}

/** Code size, bytes, text. */
const CASES: readonly (readonly [size: CodeSize, bytes: string, text: string])[] = [
  [32, "b8 78 56 34 12", "mov    eax,0x12345678"],
  [16, "b8 34 12", "mov    ax,0x1234"],
  [16, "66 b8 78 56 34 12", "mov    eax,0x12345678"],
  [32, "64 8b 44 8b f0", "mov    eax,DWORD PTR fs:[ebx+ecx*4-0x10]"],
  [16, "8b 46 02", "mov    ax,WORD PTR [bp+0x2]"],
  [32, "83 c0 ff", "add    eax,0xffffffff"],
  [32, "f0 0f b1 0b", "lock cmpxchg DWORD PTR [ebx],ecx"],
  [32, "f0 01 c0", "(bad)"], // LOCK needs a memory operand
  [32, "0f ff c0", "(bad)"],
  [32, "f3 a5", "rep movs DWORD PTR es:[edi],DWORD PTR ds:[esi]"],
  [16, "f3 6d", "rep ins WORD PTR es:[di],dx"],
  [32, "f2 ae", "repnz scas al,BYTE PTR es:[edi]"],
  [32, "f3 90", "pause"],
  [32, "66 98", "cbw"],
  [32, "99", "cdq"],
  [16, "e3 fe", "jcxz   0x0"],
  [32, "e8 fb ff ff ff", "call   0x0"],
  [32, "66 60", "pushaw"],
  [16, "66 cf", "iretd"],
  [32, "66 06", "pushw  es"],
  [32, "66 ff 1b", "call   far DWORD PTR [ebx]"],
  [32, "ea 00 00 10 00 08 00", "jmp    far 0x8:0x100000"],
  [32, "0f 20 45", "mov    ebp,cr0"], // mod = 1 is ignored: no displacement
  [32, "0f 1f 44 00 00", "nop    DWORD PTR [eax+eax*1]"],
  [32, "0f 18 00", "prefetchnta BYTE PTR [eax]"],
  [32, "d6", "salc"],
  [32, "0f c2 c1 02", "cmpleps xmm0,xmm1"],
  [32, "0f c2 c1 08", "cmpps  xmm0,xmm1,0x8"],
  [32, "66 0f 6f 00", "movdqa xmm0,XMMWORD PTR [eax]"],
  [32, "66 f3 0f 10 00", "data16 movss xmm0,DWORD PTR [eax]"],
  [32, "0f ae ff", "sfence"],
  [32, "d8 c1", "fadd   st,st(1)"],
  [32, "de c9", "fmulp  st(1),st"],
  [32, "db 28", "fld    TBYTE PTR [eax]"],
  [32, "66 d9 27", "fldenvw [edi]"],
  [32, "df e0", "fnstsw ax"],
  [32, "d9 d8", "fstp   st(0)"],
  [32, "2e 3e 90", "cs ds nop"],
];

for (const [size, bytes, text] of CASES) {
  Deno.test(`disassemble() makes "${text}" of ${bytes} in ${size}-bit code`, () => {
    const code = unhex(bytes.replaceAll(" ", ""));
    const found = disassembleAt(code, 0, size)!;
    assertEquals(found.text, text);
    assertEquals(found.bytes, text === "(bad)" ? code.slice(0, 1) : code);
    assertEquals(found.length, found.bytes.length);
  });
}

Deno.test("disassemble() has words for whatever two bytes begin with", () => {
  const code = Uint8Array.from({ length: 16 }, (_, i) => i * 0x1b);
  for (let first = 0; first < 0x10000; first++) {
    code.set([first >> 8, first & 0xff]);
    const { text, length, bytes } = disassembleAt(code, 0, first % 2 ? 16 : 32)!;
    const wellFormed = /^[a-z(]/.test(text) && !/undefined|NaN| $/.test(text);
    if (!wellFormed || bytes.length !== length) assertEquals(text, bytes.toHex());
  }
});

Deno.test("disassemble() calls an instruction bad that is cut short or longer than 15 bytes", () => {
  assertEquals(disassembleAt(unhex("b878"), 0, 32)!.text, "(bad)");
  assertEquals(disassembleAt(unhex(`${"66".repeat(14)}90`), 0, 32)!.length, 15);
  assertEquals(disassembleAt(unhex(`${"66".repeat(15)}90`), 0, 32)!.text, "(bad)");
});

Deno.test("disassemble() has nothing to say where nothing can be read", () => {
  assertEquals(disassemble(codeFrom(() => undefined), 0x1000, MODE.CODE32), undefined);
});

Deno.test("disassemble() goes on at 0 behind the last byte of 4 GiB", () => {
  const code = codeFrom((eip) => eip === 0xffffffff ? 0xb0 : eip === 0 ? 0x7f : undefined);
  const found = disassemble(code, 0xffffffff, MODE.CODE32)!;
  assertEquals([found.text, found.length], ["mov    al,0x7f", 2]);
});
