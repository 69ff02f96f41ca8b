import { assertEquals } from "@std/assert";
import { newVmExit } from "../../../../core/cpu/exit.ts";
import { RecentExits } from "../../../../core/hypervisor/books/recent_exits.ts";
import { EXIT, type VmExit } from "../../../../core/types.ts";

function lineOf(exit: Partial<VmExit>, answer?: number): string {
  const recent = new RecentExits();
  recent.push({ ...newVmExit(), rip: 0x7c10, at: 1200, ...exit });
  if (answer !== undefined) recent.answer(answer);
  return recent.lines()[0]!;
}

Deno.test("RecentExits.lines() shows the last sixteen, oldest first", () => {
  const recent = new RecentExits();
  assertEquals(recent.lines(), []);
  for (let i = 0; i < 20; i++) recent.event(EXIT.HLT, 0x7c00 + i, i * 10);
  const lines = recent.lines();
  assertEquals(lines.length, 16);
  assertEquals([lines[0], lines[15]], ["HLT at 00007c04, 40 ns", "HLT at 00007c13, 190 ns"]);
});

const reason = EXIT.IO_INSTRUCTION;

Deno.test("RecentExits.lines() shows a port access with its value, and the answer to a read", () => {
  assertEquals(
    lineOf({ reason, port: 0xf4, write: true, value: 0x10, immediate: true }, 0x10),
    "IO_INSTRUCTION at 00007c10, 1200 ns: out port 0f4, byte 10, qualification 00f40040",
  );
  assertEquals(
    lineOf({ reason, port: 0x1f7, value: 3 }, 0x50),
    "IO_INSTRUCTION at 00007c10, 1200 ns: in port 1f7, byte 50, qualification 01f70008",
  );
});

Deno.test("RecentExits.lines() shows where in memory a string of items goes", () => {
  const string = { reason, port: 0x1f0, size: 2, count: 256, gpa: 0x2000, string: true } as const;
  assertEquals(
    lineOf(string),
    "IO_INSTRUCTION at 00007c10, 1200 ns: in port 1f0, 256 x word at gpa 00002000, " +
      "qualification 01f00039",
  );
});

Deno.test("RecentExits.lines() shows gpa, leaf or MSR where the reason has one", () => {
  const access = { reason: EXIT.EPT_VIOLATION, gpa: 0xfee00000, size: 4 } as const;
  const at = "at 00007c10, 1200 ns";
  assertEquals(
    lineOf({ ...access, write: true, value: 1 }),
    `EPT_VIOLATION ${at}: write gpa fee00000, dword 00000001`,
  );
  assertEquals(lineOf(access, 7), `EPT_VIOLATION ${at}: read gpa fee00000, dword 00000007`);
  assertEquals(lineOf({ reason: EXIT.CPUID, port: 0x40000000 }), `CPUID ${at}: leaf 40000000`);
  assertEquals(lineOf({ reason: EXIT.MSR_READ, port: 0x1b }), `MSR_READ ${at}: msr 0000001b`);
  assertEquals(lineOf({ reason: EXIT.VMCALL, port: 0x1b }), `VMCALL ${at}`);
});
