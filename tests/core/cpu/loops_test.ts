import { assertEquals } from "@std/assert";
import { Assembler, newLabel } from "../../helpers/asm.ts";
import { CpuBench } from "../../helpers/cpu.ts";

/** Loops of one block, and what reads the flags that they leave behind. */
const LOOPS = {
  // add eax,ebx; adc edx,0; dec ecx; jnz
  "whose last turn decides about CF earlier than about ZF": "01d8 83d200 49 75f8",
  // mov [esi],cl; add esi,ecx; cmp ecx,3; dec ecx; jg
  "that stores": "880e 01ce 83f903 49 7ff6",
  // sub ecx,1; jnz
  "of two instructions": "83e901 75fb",
  // inc edx; loop
  "that ends with LOOP": "42 e2fd",
  // lea ecx,[ecx-1]; test ecx,ecx; jnz: LEA keeps the flags of the turn before
  "that sets its flags anew": "8d49ff 85c9 75f9",
  // shl eax,cl; rcl edx,1; dec ecx; jns: flags of a shift by nothing are those before
  "that shifts": "d3e0 d1d2 49 79f9",
} as const;

/**
 * again: and edi,15; lea ecx,[edi+1]; jmp top; top: loop; lahf; seto bl; adc ebp,eax; rol ebp,5; inc edi;
 * cmp edi,64h; jmp again
 */
function program(loop: string): string {
  const body = loop.replaceAll(" ", "");
  const before = "83e70f 8d4f01 eb00".replaceAll(" ", "");
  const after = "9f 0f90c3 11c5 c1c505 47 83ff64".replaceAll(" ", "");
  const length = (before.length + body.length + after.length) / 2 + 2;
  return `${before}${body}${after}eb${(256 - length).toString(16)}`;
}

const STEPS = 1500;

/** What is seen when the run is cut after `first` instructions, and at its end. */
function run(bench: CpuBench, code: string, first: number): string[] {
  bench.load("protected32", 0x1000, code);
  bench.cpu.state.regs[3] = 0x7654_3210;
  bench.cpu.state.regs[6] = 0x4ff8;
  bench.run(first);
  const cut = bench.snapshot();
  bench.run(STEPS - first);
  return [cut, bench.snapshot()];
}

/** The loop alone is compiled; what follows it is known by then. */
const HEATS = [8, 24];

for (const [what, loop] of Object.entries(LOOPS)) {
  Deno.test(`Cpu.run() does the same in both tiers, wherever it stops, in a loop ${what}`, () => {
    const [first, ...others] = [0, ...HEATS].map((heat) => new CpuBench(0x20000, [], { heat }));
    const code = program(loop);
    for (let cut = 600; cut < 660; cut++) {
      const wanted = run(first!, code, cut);
      for (const bench of others) assertEquals(run(bench, code, cut), wanted, `cut after ${cut}`);
    }
  });
}

const ECX = 1, EBX = 3, ESI = 6;
const JMP = 0xeb, JZ = 0x74, JNZ = 0x75;

/**
 * A short loop inside one that begins elsewhere, so that the last code jumps back into the first:
 * start: mov esi,40; outer: inc edi; test edi,7; jz far; inner: inc eax; dec ecx; jnz inner;
 * behind: mov ecx,9; dec esi; jnz outer; jmp ebx; far: inc ebp; add edx,eax; jmp behind
 */
function nested(): Uint8Array {
  const asm = new Assembler(0x1000, 32);
  const [outer, far, inner, behind] = [newLabel(), newLabel(), newLabel(), newLabel()];
  asm.bytes(0xb8 | ESI, 40, 0, 0, 0);
  asm.place(outer);
  asm.bytes(0x47, 0xf7, 0xc7, 7, 0, 0, 0);
  asm.branch(JZ, far, false);
  asm.place(inner);
  asm.bytes(0x40, 0x48 | ECX);
  asm.branch(JNZ, inner, false);
  asm.place(behind);
  asm.bytes(0xb8 | ECX, 9, 0, 0, 0, 0x48 | ESI);
  asm.branch(JNZ, outer, false);
  asm.bytes(0xff, 0xe0 | EBX);
  asm.place(far);
  asm.bytes(0x45, 0x01, 0xc2);
  asm.branch(JMP, behind, false);
  return asm.finish();
}

Deno.test("Cpu.run() leaves a short loop for the code that it was entered from", () => {
  const code = nested().toHex();
  const seen = [0, 8, 30, 100, 400].map((heat) => {
    const bench = new CpuBench(0x20000, [], { heat });
    bench.load("protected32", 0x1000, code);
    bench.cpu.state.regs[ECX] = 9;
    bench.cpu.state.regs[EBX] = 0x1000;
    return Array.from({ length: 30 }, (_, n) => {
      bench.run(500 + 7 * n);
      return bench.snapshot();
    });
  });
  for (const each of seen.slice(1)) assertEquals(each, seen[0]);
});
