/**
 * Both tiers do the same: generated programs run with the second tier off, on, and with every block
 * compiled at its first run, and everything that a guest or its host can see is compared.
 */

import { assertEquals } from "@std/assert";
import { CpuBench } from "../../helpers/cpu.ts";
import { makeProgram } from "../../helpers/program.ts";
import { WORLDS } from "../../helpers/program_world.ts";
import { compareCuts, compareTiers, makePlan, Rig } from "../../helpers/tiers.ts";

/** Off, at once, soon, when large units are known, as usual. */
const HEATS = [0, 1, 3, 20, undefined] as const;
const PROGRAMS = 2;
const LONG = 6000;

for (const [n, world] of WORLDS.entries()) {
  Deno.test(`Cpu.run() does the same in every tier in a world that is ${world.name}`, () => {
    const rigs = HEATS.map((heat) => new Rig(heat));
    for (let seed = 10 * n; seed < 10 * n + PROGRAMS; seed++) {
      const found = compareTiers(rigs, makeProgram(seed, world), makePlan(seed));
      assertEquals(found, undefined, found?.join("\n"));
    }
  });

  Deno.test(`Cpu.run() does the same in one run and in many in a world that is ${world.name}`, () => {
    const rigs = [new Rig(0), new Rig(0), new Rig(1)];
    const found = compareCuts(rigs, makeProgram(10 * n, world), LONG);
    assertEquals(found, undefined, found?.join("\n"));
  });
}

/** Code that one tier has once got wrong. */
const CASES = [
  { what: "an odd word in page 0", mode: "real16", code: "a10105 8b1e0305 890e0705 f4" },
  {
    what: "a dword one byte off in page 0",
    mode: "protected32",
    code: "a101050000 8b1d05050000 890d09050000 f4",
  },
  {
    // mov esi,6004h; mov cl,4; again: mov eax,[esi]; add ebx,eax; sub esi,3; loop again
    what: "an access that begins in front of the page it ends in",
    mode: "protected32",
    code: "be04600000 b104 8b06 01c3 83ee03 e2f7 f4",
  },
  {
    // again: inc ebx; mov [2001h],bl through ESI; from the fifth time on: call 2000h; add edi,eax
    what: "stores to a page before and after it holds code",
    mode: "protected32",
    code: "be01200000 31db 43 881e 83fb05 72f8 e8ec0f0000 01c7 83fb08 72ec f4",
  },
  {
    // mov byte [q],90h; mov ecx,30; again: cmp ecx,10; jae p; mov [p+1],ecx; p: add eax,imm32;
    // dec ecx; jnz again; q: nop
    what: "an operand that changes after its code has been compiled",
    mode: "protected32",
    code: "c6051f10000090 b91e000000 83f90a 7306 890d18100000 0511111111 49 75ed 90 f4",
  },
  {
    // mov ecx,30; again: mov [p+1],ecx; p: add eax,imm32; mov [p+3],cl; dec ecx; jnz again
    what: "a byte of an operand that has changed as a whole",
    mode: "protected32",
    code: "b91e000000 890d0c100000 0500000000 880d0e100000 49 75ec f4",
  },
  {
    // mov ecx,200; again: mov [p+2],cl; p: add eax,imm8; add [r+1],ecx; r: xor ebx,imm32;
    // dec ecx; jnz again
    what: "operands that are extended, and that a sum replaces",
    mode: "protected32",
    code: "b9c8000000 880d0d100000 83c000 010d16100000 81f300000000 49 75e8 f4",
  },
  {
    // mov ecx,50; again: mov [p+1],ecx; p: add eax,imm32; test cl,3; jnz q; jmp p+1; q: dec ecx;
    // jnz again: bytes of the operand, inc eax and three nops, run as code as well
    what: "an operand that is code as well",
    mode: "protected32",
    code: "b940909090 890d0c100000 0540909090 f6c103 7502 ebf5 49 80f900 75e8 f4",
  },
  {
    // mov ecx,50; again: mov [data],ecx; add eax,[data]; inc byte [data+3]; dec ecx; jnz again
    what: "data beside code",
    mode: "protected32",
    code: "b932000000 890d40100000 030540100000 fe0543100000 49 75eb f4",
  },
] as const;

const STEPS = 200;

for (const { what, mode, code } of CASES) {
  Deno.test(`Cpu.run() does the same in every tier, and step by step, with ${what}`, () => {
    const seen = [[0, STEPS], [1, STEPS], [0, 1]].map(([heat, budget]) => {
      const bench = new CpuBench(0x20000, [5], { heat: heat! });
      bench.load(mode, 0x1000, code);
      for (let n = 0; n < 16; n++) bench.ram[0x500 + n] = 0x10 + n;
      bench.ram.set([0xb0, 0, 0xc3], 0x2000); // mov al,0; ret
      for (let left = STEPS; left > 0 && !bench.cpu.halted; left -= budget!) bench.run(budget!);
      return [bench.snapshot(), bench.host.exits.length];
    });
    assertEquals(seen[1], seen[0]);
    assertEquals(seen[2], seen[0]);
  });
}
