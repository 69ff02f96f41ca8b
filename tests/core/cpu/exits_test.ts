import { assertEquals } from "@std/assert";
import { setSegment } from "../../../core/cpu/segment.ts";
import { ES } from "../../../core/cpu/state.ts";
import { EXIT } from "../../../core/types.ts";
import { CpuBench } from "../../helpers/cpu.ts";
import { oraclePath } from "../../helpers/oracle.ts";

/** Turns of every micro guest. */
const COUNT = 3;

const SOURCE = oraclePath("system/exits/guests.asm");
const canAssemble = SOURCE !== undefined &&
  Deno.permissions.querySync({ name: "run", command: "nasm" }).state === "granted" &&
  Deno.permissions.querySync({ name: "write", path: Deno.cwd() }).state === "granted" &&
  hasNasm();

function hasNasm(): boolean {
  try {
    return new Deno.Command("nasm", { args: ["-v"] }).outputSync().success;
  } catch {
    return false;
  }
}

/** What one turn does, in the words of EXITS.md, column "VT-x + EPT" with Xen's rule. */
interface Guest {
  readonly number: number;
  readonly name: string;
  /** Reason and number of items of each exit of a turn. */
  readonly exits: readonly (readonly [number, number])[];
}

const io = (count: number = 1): [number, number] => [EXIT.IO_INSTRUCTION, count];
const times = (n: number): [number, number][] => Array.from({ length: n }, () => io());

/** Ports 0x80 are Xen's pass-through ports, so guests 1, 2 and 19 make no exit. */
const GUESTS: readonly Guest[] = [
  { number: 0, name: "an empty loop", exits: [] },
  { number: 1, name: "OUT 0x80", exits: [] },
  { number: 2, name: "IN 0x80", exits: [] },
  { number: 19, name: "OUT DX, EAX at port 0x80", exits: [] },
  { number: 3, name: "an IDE command", exits: times(11) },
  { number: 4, name: "an IDE command with REP INSW", exits: [...times(11), io(256)] },
  { number: 5, name: "REP INSW in one page", exits: [io(256)] },
  { number: 16, name: "REP INSW across a page", exits: [io(8), io(248)] },
  { number: 17, name: "REP INSB of a page", exits: [io(4096)] },
  { number: 20, name: "INSW in a loop", exits: times(256) },
  { number: 6, name: "REP OUTSW in one page", exits: [io(256)] },
  { number: 7, name: "HLT", exits: [[EXIT.HLT, 1]] },
  { number: 8, name: "CPUID", exits: [[EXIT.CPUID, 1]] },
  { number: 10, name: "MOV CR3", exits: [] },
  { number: 11, name: "VMCALL", exits: [[EXIT.VMCALL, 1]] },
  { number: 12, name: "an MMIO read", exits: [[EXIT.EPT_VIOLATION, 1]] },
  { number: 13, name: "an MMIO write", exits: [[EXIT.EPT_VIOLATION, 1]] },
  { number: 18, name: "REP STOSD to MMIO", exits: [[EXIT.EPT_VIOLATION, 64]] },
  { number: 14, name: "RDTSC", exits: [] },
  { number: 15, name: "MOV CR0", exits: [[EXIT.CR_ACCESS, 1]] },
  { number: 21, name: "INVLPG", exits: [] },
  { number: 22, name: "WBINVD", exits: [[EXIT.WBINVD, 1]] },
];

function assemble(guest: number): Uint8Array {
  const path = Deno.makeTempFileSync();
  try {
    const args = ["-f", "bin", `-DGUEST=${guest}`, `-DCOUNT=${COUNT}`, "-o", path, SOURCE!];
    new Deno.Command("nasm", { args }).outputSync();
    return Deno.readFileSync(path);
  } finally {
    Deno.removeSync(path);
  }
}

/** Runs a guest to its end; returns its exits without the HLT at the end. */
function exitsOf(guest: number): [number, number][] {
  const bench = new CpuBench(0x100000, [0xb8]);
  bench.load("real16", 0x7c00, "f4");
  bench.ram.set(assemble(guest), 0x7c00);
  let polls = 0;
  bench.host.onExit = (exit) => {
    // Busy for three polls, then ready with data.
    if (exit.port === 0x1f7 && !exit.write) exit.value = polls++ % 4 === 3 ? 0x48 : 0x80;
    if (exit.reason === EXIT.HLT && guest === 7) bench.host.vectors.push(0x20);
  };
  for (let slice = 0; slice < 100 && !finished(bench); slice++) {
    bench.run(1000);
    if (guest === 7 && finished(bench)) bench.host.vectors.length = 0;
  }
  return bench.host.exits.slice(0, -1).map(({ reason, count }) => [reason, count]);
}

function finished(bench: CpuBench): boolean {
  return bench.cpu.halted && !bench.cpu.canTakeInterrupt;
}

for (const { number, name, exits } of GUESTS) {
  Deno.test({
    name: `Cpu makes the exits of Xen for ${name} (../shared/oracles)`,
    ignore: !canAssemble,
    fn() {
      assertEquals(exitsOf(number), Array.from({ length: COUNT }, () => exits).flat());
    },
  });
}

Deno.test("Cpu.run() closes its books when one instruction makes two exits", () => {
  const bench = new CpuBench(0x20000, [0x18]);
  for (const budget of [1, 2, 3]) {
    // add dword [18000h],1; nop; nop; nop; hlt
    bench.load("protected32", 0x1000, "8305008001000190909090f4");
    bench.cpu.flushTlb();
    assertEquals(bench.run(budget), budget);
    assertEquals(bench.host.exits.map(({ write, value }) => [write, value]), [[false, 0], [
      true,
      1,
    ]]);
  }
});

Deno.test("ins() wraps at 64 KiB with 16-bit addresses, also in a segment that goes on", () => {
  const bench = new CpuBench();
  bench.load("protected32", 0x1000, "67 f3 66 6d f4"); // rep ins word ptr es:[di],dx; hlt
  const base = 0x10;
  setSegment(bench.cpu, ES, { selector: 0x18, base, limit: 0xffffffff | 0, attr: 0xc093, at: 0 });
  const { regs } = bench.cpu.state;
  regs[1] = 4;
  regs[7] = 0xfffe;
  bench.run(10);
  const seen = bench.host.exits.slice(0, 2).map(({ gpa, count }) => [gpa, count]);
  assertEquals(seen, [[base + 0xfffe, 1], [base, 3]]);
});
