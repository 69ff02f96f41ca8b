import { assertEquals } from "@std/assert";
import { littleEndian } from "../../../core/bits.ts";
import { CpuBench } from "../../helpers/cpu.ts";

type Part = number | { readonly to: string } | { readonly at: string };

/** Code whose jumps and calls name labels; displacements are 32 bits. */
function assemble(parts: readonly Part[]): string {
  const labels = new Map<string, number>();
  let size = 0;
  for (const part of parts) {
    if (typeof part === "object" && "at" in part) labels.set(part.at, size);
    else size += typeof part === "number" ? 1 : 4;
  }
  const bytes: number[] = [];
  for (const part of parts) {
    if (typeof part === "number") bytes.push(part);
    else if ("to" in part) {
      bytes.push(...littleEndian(labels.get(part.to)! - (bytes.length + 4), 4));
    }
  }
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** `test dl, mask; jz skip; call f`, and behind it `inc register` and so many NOPs. */
function caller(mask: number, skip: string, inc: number, pad: number): Part[] {
  const call: Part[] = [0xf6, 0xc2, mask, 0x0f, 0x84, { to: skip }, 0xe8, { to: "f" }];
  return [...call, { at: skip }, inc, ...new Array<number>(pad).fill(0x90)];
}

/** Three callers that call by turns, ECX times. */
function program(pad: number, procedure: readonly Part[]): string {
  return assemble([
    { at: "again" },
    ...caller(1, "a", 0x43, pad), // inc ebx
    ...caller(2, "b", 0x46, pad), // inc esi
    ...caller(4, "c", 0x47, pad), // inc edi
    ...[0xd1, 0xc2, 0x49, 0x0f, 0x85, { to: "again" }, 0xf4], // rol edx, 1; dec ecx; jnz; hlt
    ...[{ at: "f" }, ...procedure],
  ]);
}

/** Eight times inc eax; ret. */
const COUNT = [...new Array<number>(8).fill(0x40), 0xc3];
const PROCEDURES = {
  "that is one block": COUNT,
  // test dl, 10h; jz x; nop; jmp x; x:
  "whose return several blocks lead to": [
    ...[0xf6, 0xc2, 0x10, 0x0f, 0x84, { to: "x" }, 0x90, 0xe9, { to: "x" }, { at: "x" }],
    ...COUNT,
  ],
} as const;

for (const [what, procedure] of Object.entries(PROCEDURES)) {
  Deno.test(`Cpu.run() returns to each caller of a procedure ${what}`, () => {
    for (const pad of [0, 2, 10, 16, 22]) {
      const bench = new CpuBench(0x20000, [], { heat: 300 });
      bench.load("protected32", 0x1000, program(pad, procedure as readonly Part[]));
      const { cpu } = bench;
      cpu.state.regs[1] = 800;
      cpu.state.regs[2] = 0x11111111;
      bench.run(200_000);
      // Of four turns three call: 8 * 600.
      const [eax, , , ebx, , , esi, edi] = cpu.state.regs;
      assertEquals([cpu.halted, eax, ebx, esi, edi], [true, 4800, 800, 800, 800], `pad ${pad}`);
    }
  });
}
