import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { updateMode } from "../../../core/cpu/segment.ts";
import { AT, CR4, FLAG, SEG, SS } from "../../../core/cpu/state.ts";
import { CpuBench, firstException } from "../../helpers/cpu.ts";
import { SELECTOR, Tables } from "../../helpers/tables.ts";

const DB = 1;
const DR6 = AT.DR + 24, DR7 = AT.DR + 28;
const CLEAR = 0xffff0ff0 | 0;
const EXECUTE = 0, WRITE = 1, PORT = 2, ACCESS = 3;
/** LEN field by bytes. */
const LEN = { 1: 0, 2: 1, 4: 3 } as const;

interface Breakpoint {
  readonly at: number;
  readonly on: number;
  readonly bytes?: 1 | 2 | 4;
  readonly enabled?: boolean;
}

/** Code at 0x1000, ring 0, with breakpoints set. */
function armed(code: string, ...breakpoints: Breakpoint[]): CpuBench {
  const bench = new CpuBench();
  bench.load("protected32", 0x1000, code);
  arm(bench, ...breakpoints);
  return bench;
}

function arm(bench: CpuBench, ...breakpoints: Breakpoint[]): void {
  const { state } = bench.cpu;
  let dr7 = 0x400;
  breakpoints.forEach(({ at, on, bytes = 1, enabled = true }, n) => {
    state.set(AT.DR + n * 4, at);
    dr7 |= (enabled ? 1 << (n * 2) : 0) | (on | LEN[bytes] << 2) << (16 + n * 4);
  });
  state.set(DR7, dr7);
  state.set(DR6, CLEAR);
  updateMode(bench.cpu);
}

/** EIP at the first #DB, and what DR6 says of it. */
function trapped(bench: CpuBench, budget: number = 20): [eip: number, reasons: number] | undefined {
  const raised = firstException(bench, budget);
  if (raised === undefined) return undefined;
  assertEquals([raised.vector, raised.code], [DB, 0]);
  return [raised.eip, bench.cpu.state.get(DR6) ^ CLEAR];
}

Deno.test("betweenInstructions() stops in front of an instruction with a breakpoint, RF goes on", () => {
  const bench = armed("40 40 40 f4", { at: 0x1001, on: EXECUTE }); // inc eax, thrice; hlt
  assertEquals(trapped(bench), [0x1001, 1]);
  assertEquals(bench.cpu.state.regs[0], 1);
  bench.cpu.state.setFlag(FLAG.RF, true);
  assertEquals(trapped(bench), undefined);
  assertEquals([bench.cpu.state.regs[0], bench.cpu.state.flag(FLAG.RF)], [3, false]);
});

Deno.test("betweenInstructions() counts a breakpoint in front of its own handler", () => {
  const bench = armed("f4", { at: 0x1000, on: EXECUTE });
  const { cpu, view } = bench;
  // Gate 1 leads to 0008:1000 again.
  cpu.state.set(AT.IDT_BASE, 0x2000);
  cpu.state.set(AT.IDT_LIMIT, 0x7ff);
  cpu.state.set(AT.GDT_BASE, 0x3000);
  cpu.state.set(AT.GDT_LIMIT, 0x1f);
  view.setUint32(0x2008, 0x0008_1000, true);
  view.setUint32(0x200c, 0x8e00, true);
  view.setUint32(0x3008, 0xffff, true);
  view.setUint32(0x300c, 0x00cf9b00, true);
  cpu.state.regs[4] = 0x10000;
  assertEquals(bench.run(100), 100);
  assertEquals(cpu.state.regs[4], 0x10000 - 100 * 12);
});

const accesses: readonly [what: string, code: string, Breakpoint, hit: boolean][] = [
  ["a write of its byte", "a204500000", { at: 0x5004, on: WRITE }, true],
  ["a read, when it waits for writes", "a004500000", { at: 0x5004, on: WRITE }, false],
  ["a read, when it waits for both", "a004500000", { at: 0x5004, on: ACCESS }, true],
  ["the byte before", "a203500000", { at: 0x5004, on: ACCESS, bytes: 4 }, false],
  ["the last of its four bytes", "a207500000", { at: 0x5004, on: WRITE, bytes: 4 }, true],
  ["the byte behind", "a208500000", { at: 0x5004, on: WRITE, bytes: 4 }, false],
  ["a word that reaches into it", "66a303500000", { at: 0x5004, on: WRITE }, true],
  ["its aligned address", "a205500000", { at: 0x5007, on: WRITE, bytes: 4 }, true],
  ["an access across pages", "a3fe4f0000", { at: 0x5001, on: WRITE }, true],
  ["a read-modify-write", "ff0504500000", { at: 0x5004, on: WRITE, bytes: 4 }, true],
  ["a write above 2 GiB", "a2045000c0", { at: 0xc0005004, on: WRITE }, true],
  ["a write that wraps around 4 GiB", "a3feffffff", { at: 1, on: WRITE }, true],
  ["a push", "60", { at: 0x7fe0, on: WRITE, bytes: 4 }, true],
  ["a pop", "61", { at: 0x801c, on: ACCESS }, true],
  ["a string instruction", "aa", { at: 0, on: WRITE }, true],
  ["a comparison", "a6", { at: 0, on: WRITE }, false],
];
for (const [what, code, breakpoint, hit] of accesses) {
  Deno.test(`Breakpoints.noteAccess() ${hit ? "sees" : "lets pass"} ${what}`, () => {
    const bench = armed(`${code} 90 f4`, breakpoint);
    assertEquals(trapped(bench), hit ? [0x1000 + code.length / 2, 1] : undefined);
  });
}

Deno.test("Breakpoints.noteAccess() names all that fit, disabled ones too, if one is enabled", () => {
  const at = 0x5004;
  const off = { at, on: WRITE, enabled: false };
  const store = "a204500000 f4";
  assertEquals(trapped(armed(store, off, { at, on: ACCESS }, off, { at: 0, on: WRITE })), [
    0x1005,
    7,
  ]);
  assertEquals(trapped(armed(store, off, off, { at: 0, on: WRITE })), undefined);
});

const ports: readonly [de: boolean, port: number, bytes: 1 | 2, hit: boolean][] = [
  [true, 0x71, 1, true],
  [true, 0x70, 2, true],
  [true, 0x75, 1, false],
  [false, 0x71, 1, false],
];
for (const [de, at, bytes, hit] of ports) {
  Deno.test(`Breakpoints.notePort() of ${bytes} at ${at.toString(16)}, CR4.DE ${de}: ${hit}`, () => {
    const bench = armed("e571 f4", { at, on: PORT, bytes }); // in eax, 0x71
    bench.cpu.state.set(AT.CR + 16, de ? CR4.DE : 0);
    assertEquals(trapped(bench), hit ? [0x1002, 1] : undefined);
  });
}

Deno.test("betweenInstructions() stops a repetition behind the item that hit, to be gone on with", () => {
  const bench = armed("f3aa f4", { at: 0x5002, on: WRITE }); // rep stosb
  const { state } = bench.cpu;
  state.regs[1] = 10;
  state.regs[7] = 0x5000;
  assertEquals(trapped(bench, 100), [0x1000, 1]);
  assertEquals([state.regs[1], state.regs[7], state.flag(FLAG.RF)], [7, 0x5003, true]);
  state.set(DR6, CLEAR);
  assertEquals(trapped(bench, 100), undefined);
  assertEquals([state.regs[1], bench.cpu.halted], [0, true]);
});

Deno.test("betweenInstructions() holds the traps of MOV SS back, and a breakpoint behind it", () => {
  const watched: readonly [Breakpoint, number][] = [
    [{ at: 0x5004, on: ACCESS, bytes: 2 }, 0x1005],
    [{ at: 0x1004, on: EXECUTE }, -1],
    [{ at: 0x1005, on: EXECUTE }, 0x1005],
  ];
  for (const [breakpoint, eip] of watched) {
    const bench = armed("", breakpoint);
    bench.cpu.reset({ mode: "real16", eip: 0x1000, regs: new Array(8).fill(0) });
    bench.ram.set([0x8e, 0x16, 4, 0x50, 0x40, 0xf4], 0x1000); // mov ss, [5004]; inc ax; hlt
    bench.cpu.invalidateCode(bench.cpu.ram.base, bench.ram.length);
    arm(bench, breakpoint);
    assertEquals(trapped(bench), eip < 0 ? undefined : [eip, 1]);
    assertEquals(bench.cpu.state.regs[0], 1);
  }
});

/** Loads of SS in a row, then INC EAX, and where a processor traps that steps singly. */
const LOADS_OF_SS: readonly [code: string, traps: readonly number[]][] = [
  ["8ed0 40", [3]], // mov ss, ax
  ["8ed0 8ed0 40", [4, 5]],
  ["8ed0 8ed0 8ed0 40", [4, 7]],
  ["50 8ed0 17 40", [1, 4, 5]], // push eax; mov ss, ax; pop ss
];

Deno.test("betweenInstructions() holds nothing back behind each second load of SS in a row", () => {
  for (const [code, traps] of LOADS_OF_SS) {
    const tables = new Tables(new CpuBench());
    const { bench } = tables;
    const { state } = bench.cpu;
    const seen: number[] = [];
    tables.load(0, 0x4000, code, FLAG.TF | 2);
    tables.gate(DB, "interrupt", SELECTOR.CODE0, 0x6000);
    bench.ram[0x6000] = 0xcf;
    state.regs[0] = SELECTOR.DATA0;
    bench.cpu.onException = () => seen.push(state.eip - 0x4000);
    while (state.regs[0] === SELECTOR.DATA0) bench.run(1);
    assertEquals(seen, traps, code);
  }
});

Deno.test("betweenInstructions() takes an interrupt behind the second load of SS in a row", () => {
  const bench = new CpuBench();
  bench.load("real16", 0x1000, "8ed2 8ed2 bc0090 f4"); // mov ss, dx; mov ss, dx; mov sp, 9000; hlt
  bench.view.setUint32(0x20 * 4, 0x2000, true);
  bench.ram.set([0x89, 0xe3, 0xcf], 0x2000); // mov bx, sp; iret
  bench.cpu.state.setFlag(FLAG.IF, true);
  bench.run(1);
  bench.host.vectors.push(0x20);
  bench.run(100);
  assertEquals(bench.cpu.state.regs[3], 0x8000 - 6);
});

Deno.test("betweenInstructions() does not hold a breakpoint back behind STI", () => {
  const bench = armed("fb 40 f4", { at: 0x1001, on: EXECUTE }); // sti; inc eax
  assertEquals(trapped(bench), [0x1001, 1]);
});

Deno.test("betweenInstructions() single-steps behind STI while an interrupt waits", () => {
  const bench = armed("fb 40 f4"); // sti; inc eax
  bench.run(1);
  bench.host.vectors.push(0x20);
  bench.cpu.state.setFlag(FLAG.TF, true);
  assertEquals(trapped(bench), [0x1002, 0x4000]);
});

Deno.test("betweenInstructions() adds the reason of a single step to those of breakpoints", () => {
  const bench = armed("a204500000 f4", { at: 0x5004, on: WRITE });
  bench.cpu.state.setFlag(FLAG.TF, true);
  assertEquals(trapped(bench), [0x1005, 0x4001]);
});

for (const [name, code] of [["stosb", "f3aa"], ["movsb", "f3a4"], ["insb", "f36c"]] as const) {
  Deno.test(`betweenInstructions() single-steps every repetition of ${name}`, () => {
    const bench = armed(`${code} f4`);
    const { state } = bench.cpu;
    state.regs.set([0, 3, 0x71, 0, 0x8000, 0, 0x5000, 0x6000]);
    state.setFlag(FLAG.TF, true);
    const eips = [1, 2, 3].map(() => trapped(bench, 100)?.[0]);
    assertEquals([...eips, state.regs[1]], [0x1000, 0x1000, 0x1002, 0]);
  });
}

Deno.test("Cpu.run() drops what an instruction has met when it faults", () => {
  const bench = armed("ff3504500000 f4", { at: 0x5004, on: ACCESS }); // push [5004]
  const { state } = bench.cpu;
  state.setSeg(SS, SEG.SPAN, 0xfff);
  updateMode(bench.cpu);
  assertEquals(firstException(bench, 5)?.vector, 12);
  assertEquals(bench.cpu.mmu.breakpoints.hits, 0);
});

Deno.test("MOV DR raises #DB under general detect, with BD, and ends it", () => {
  const bench = armed("0f21c0 f4"); // mov eax, dr0
  bench.cpu.state.set(DR7, 0x2400);
  assertEquals(trapped(bench), [0x1000, 0x2000]);
  assertEquals(bench.cpu.state.get(DR7), 0x400);
});

Deno.test("MOV DR takes DR4 and DR5 for DR6 and DR7 unless CR4.DE", () => {
  const bench = armed("0f21e0 0f21eb f4"); // mov eax, dr4; mov ebx, dr5
  bench.run(10);
  assertEquals([bench.cpu.state.regs[0]! | 0, bench.cpu.state.regs[3]], [CLEAR, 0x400]);
  const undefinedOnes = armed("0f21e0 f4");
  undefinedOnes.cpu.state.set(AT.CR + 16, CR4.DE);
  assertEquals(firstException(undefinedOnes, 10)?.vector, 6);
});

Deno.test("MOV DR arms and disarms at once, and keeps the fixed bits", () => {
  // mov dr7, eax; mov [5004], al; mov dr7, ebx; mov [5004], al; hlt
  const bench = armed("0f23f8 a204500000 0f23fb a204500000 f4");
  const { state } = bench.cpu;
  state.set(AT.DR, 0x5004);
  state.regs[0] = 0xd000 | 1 | WRITE << 16;
  bench.run(1);
  assertEquals(state.get(DR7), 0x400 | 1 | WRITE << 16);
  state.set(DR7, 0x400 | 1 | WRITE << 16);
  assertEquals(trapped(bench), [0x1008, 1]);
  assertEquals(trapped(bench), undefined);
  assertEquals([state.get(DR7), bench.cpu.halted], [0x400, true]);
});

for (const mode of ["real16", "protected32"] as const) {
  Deno.test(`Cpu.run() does the same in ${mode} while a breakpoint waits that nothing meets`, () => {
    const bench = new CpuBench();
    const run = (code: Uint8Array, regs: readonly number[], waits: boolean): unknown => {
      bench.cpu.state.set(DR7, 0x400);
      bench.load(mode, 0x1000, "");
      bench.ram.set(code, 0x1000);
      bench.cpu.state.regs.set(regs);
      // Without CR4.DE, no port is watched.
      if (waits) arm(bench, { at: 0, on: PORT });
      return [bench.run(300), bench.snapshot()];
    };
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 200 }).filter(leavesDebugAlone),
        fc.array(fc.integer(), { minLength: 8, maxLength: 8 }),
        (code, regs) => assertEquals(run(code, regs, true), run(code, regs, false)),
      ),
      { numRuns: 100 },
    );
  });
}

Deno.test("Cpu.run() keeps its budget when a load of a segment leaves twice: MMIO, a breakpoint", () => {
  const bench = armed("07 90 90 90", { at: 0, on: PORT }); // pop es; nop; nop; nop
  bench.cpu.state.regs[4] = bench.ram.length - 1;
  assertEquals(bench.run(4), 4);
});

/** No MOV DR, and no INS or OUTS: an exit of many items becomes one for each while they are watched. */
function leavesDebugAlone(code: Uint8Array): boolean {
  return !code.some((byte, n) => {
    const moves = code[n - 1] === 0x0f && (byte === 0x21 || byte === 0x23);
    return moves || (byte >= 0x6c && byte <= 0x6f);
  });
}

Deno.test("deliver() ends HLT: a single step through it runs the handler of #DB", () => {
  const bench = new CpuBench();
  bench.load("protected32", 0x1000, "f4");
  const { cpu, ram, view } = bench;
  ram.set([0x40, 0xeb, 0xfd], 0x1800); // inc eax; jmp to it
  cpu.state.set(AT.IDT_BASE, 0x2000);
  cpu.state.set(AT.IDT_LIMIT, 0x7ff);
  cpu.state.set(AT.GDT_BASE, 0x3000);
  cpu.state.set(AT.GDT_LIMIT, 0x1f);
  view.setUint32(0x2008, 0x0008_1800, true);
  view.setUint32(0x200c, 0x8e00, true);
  view.setUint32(0x3008, 0xffff, true);
  view.setUint32(0x300c, 0x00cf9b00, true);
  cpu.state.setFlag(FLAG.TF, true);
  bench.run(9);
  assertEquals([cpu.halted, cpu.state.regs[0]], [false, 4]);
  assertEquals(view.getUint32(0x8000 - 12, true), 0x1001);
});

Deno.test("Breakpoints.notePort() sees no access in a REP INS of nothing", () => {
  const watch = (count: number) => {
    const bench = armed("f36c 90 f4", { at: 0x60, on: PORT }); // rep insb; nop; hlt
    bench.cpu.state.set(AT.CR + 16, CR4.DE);
    bench.cpu.state.regs.set([0, count, 0x60]);
    return trapped(bench);
  };
  assertEquals([watch(1), watch(0)], [[0x1002, 1], undefined]);
});

Deno.test("Cpu.run() traps behind a RET to code that is known already", () => {
  // mov cx,3; mov bx,2; again: cmp cx,1; jne go; mov bx,102h; go: push bx; popf; call f; inc ax;
  // dec cx; jnz again; hlt; nop; f: ret
  const code = "b90300 bb0200 83f901 7503 bb0201 53 9d e80600 40 49 75ef f4 90 c3";
  const bench = new CpuBench();
  const { cpu, ram } = bench;
  bench.load("real16", 0x1000, code);
  ram.set([0, 0x30], 4); // the handler of #DB
  ram[0x3000] = 0xcf; // iret
  const traps: number[] = [];
  cpu.onException = (vector) => {
    if (vector === 1) traps.push(cpu.state.eip);
  };
  bench.run(60);
  assertEquals(traps.slice(0, 5), [0x1019, 0x1013, 0x1014, 0x1015, 0x1017]);
});
