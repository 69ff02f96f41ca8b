import { assertEquals } from "@std/assert";
import { FEATURE, profileFeatures } from "../../../core/cpu/cpuid.ts";
import { AT, CR0, CR4, EFER } from "../../../core/cpu/state.ts";
import { CpuBench, firstException } from "../../helpers/cpu.ts";

const DIRECTORY = 0x10000, TABLE = 0x11000;
const P = 1, RW = 2, US = 4, A = 0x20, D = 0x40, PS = 0x80;

/** Code at 0x1000, ring 0, paging on, the first 128 KiB mapped one to one. */
function paged(code: string): CpuBench {
  const bench = new CpuBench();
  const { cpu, view } = bench;
  bench.load("protected32", 0x1000, code);
  view.setUint32(DIRECTORY, TABLE | P | RW | US, true);
  for (let page = 0; page < 32; page++) setEntry(bench, page, page << 12 | P | RW | US);
  cpu.state.set(AT.CR + 12, DIRECTORY);
  cpu.state.set(AT.CR, CR0.PE | CR0.PG | CR0.WP);
  cpu.flushTlb();
  return bench;
}

function setEntry(bench: CpuBench, page: number, value: number): void {
  bench.view.setUint32(TABLE + page * 4, value, true);
}

function entry(bench: CpuBench, page: number): number {
  return bench.view.getUint32(TABLE + page * 4, true);
}

/** Vector, error code, CR2 and EIP of the first exception. */
function firstFault(bench: CpuBench, budget: number): number[] | undefined {
  const raised = firstException(bench, budget);
  return raised && [raised.vector, raised.code, bench.cpu.state.cr[2]!, raised.eip];
}

const LOAD = "a1 04500000 f4"; // mov eax, [5004]; hlt
const STORE = "a3 04500000 f4"; // mov [5004], eax; hlt

Deno.test("Mmu sets the accessed bit on a read and the dirty bit on the first write only", () => {
  const bench = paged(LOAD.replace("f4", "") + STORE);
  bench.run(1);
  assertEquals(entry(bench, 5) & (A | D), A);
  assertEquals(bench.view.getUint32(DIRECTORY, true) & (A | D), A);
  bench.run(1);
  assertEquals(entry(bench, 5) & (A | D), A | D);
  assertEquals(entry(bench, 6) & (A | D), 0);
});

Deno.test("Mmu refuses a supervisor write to a read-only page only while CR0.WP is set", () => {
  const bench = paged(STORE);
  setEntry(bench, 5, 0x5000 | P);
  assertEquals(firstFault(bench, 10), [14, 3, 0x5004, 0x1000]);
  const lenient = paged(STORE);
  setEntry(lenient, 5, 0x5000 | P);
  lenient.cpu.state.set(AT.CR, CR0.PE | CR0.PG);
  assertEquals(firstFault(lenient, 10), undefined);
  assertEquals(lenient.cpu.halted, true);
});

Deno.test("Mmu raises #PF with code 0 for a page that is not present", () => {
  const bench = paged(LOAD);
  setEntry(bench, 5, 0x5000);
  assertEquals(firstFault(bench, 10), [14, 0, 0x5004, 0x1000]);
  assertEquals(entry(bench, 5), 0x5000);
});

Deno.test("Mmu keeps a translation until INVLPG", () => {
  // mov eax, [5004]; mov ebx, [5004]; invlpg [5000]; mov ecx, [5004]; hlt
  const bench = paged("a104500000 8b1d04500000 0f013d00500000 8b0d04500000 f4");
  bench.view.setUint32(0x5004, 5, true);
  bench.view.setUint32(0x6004, 6, true);
  bench.run(1);
  setEntry(bench, 5, 0x6000 | P);
  bench.run(10);
  const { regs } = bench.cpu.state;
  assertEquals([regs[0], regs[3], regs[1]], [5, 5, 6]);
});

Deno.test("Mmu.physical() agrees with the TLB when the tables have changed", () => {
  const bench = paged("");
  assertEquals(bench.cpu.mmu.physical(0x5010, true), 0x5010);
  setEntry(bench, 5, 0x7fff5000 | P | RW);
  assertEquals(bench.cpu.mmu.physical(0x5010, true), 0x5010);
  bench.cpu.mmu.invalidate(0x5010);
  assertEquals(bench.cpu.mmu.physical(0x5010, true), 0x7fff5010);
});

Deno.test("Mmu maps 4 MiB with one entry when CR4.PSE is set", () => {
  const bench = paged("a104504000 f4"); // mov eax, [405004]
  bench.view.setUint32(DIRECTORY + 4, P | RW | PS, true);
  bench.view.setUint32(0x5004, 0x1234, true);
  bench.cpu.state.set(AT.CR + 16, CR4.PSE);
  bench.run(10);
  assertEquals(bench.cpu.state.regs[0], 0x1234);
  assertEquals(bench.view.getUint32(DIRECTORY + 4, true) & (A | D), A);
});

Deno.test("Cpu.run() has EIP, registers and count right at a page fault in mid-block", () => {
  // mov ecx, 4f00; l: mov eax, [ecx]; add ecx, 0x40; inc ebx; push ebx; jmp l
  const bench = paged("b9004f0000 8b01 83c140 43 53 ebf7");
  setEntry(bench, 5, 0x5000);
  const fault = firstFault(bench, 1000);
  const { regs } = bench.cpu.state;
  assertEquals(fault, [14, 0, 0x5000, 0x1005]);
  assertEquals([regs[1], regs[3], regs[4]], [0x5000, 4, 0x8000 - 16]);
  // 1 + 4 × 5 have retired; the fault counts for the instruction that it ended.
  assertEquals(bench.host.left - bench.cpu.takeRetired(), 1000 - 21 - 1);
});

Deno.test("Cpu.run() changes nothing when a store across two pages faults on the second", () => {
  const bench = paged("893d fe4f0000 f4"); // mov [4ffe], edi
  bench.cpu.state.regs[7] = 0xffffffff;
  setEntry(bench, 5, 0x5000);
  assertEquals(firstFault(bench, 10), [14, 2, 0x5000, 0x1000]);
  assertEquals(bench.view.getUint16(0x4ffe, true), 0);
});

Deno.test("Cpu.run() runs the code that is mapped now, also through links of code that was", () => {
  // l: call 2000; dec ecx; jnz l; hlt; 2000 and 3000: add eax, 1 resp. 2; ret
  const bench = paged("e8fb0f0000 49 75f8 f4");
  bench.ram.set([0x83, 0xc0, 1, 0xc3], 0x2000);
  bench.ram.set([0x83, 0xc0, 2, 0xc3], 0x3000);
  const { state } = bench.cpu;
  state.regs[1] = 200;
  bench.run(5 * 100);
  assertEquals(state.regs[0], 100);
  setEntry(bench, 2, 0x3000 | P);
  bench.cpu.flushTlb();
  bench.run(5 * 100 + 1);
  assertEquals([state.regs[0], bench.cpu.halted], [300, true]);
});

Deno.test("Mmu reports a reserved bit of a 4 MiB page, whatever the rights", () => {
  const bench = paged("a104504000 f4"); // mov eax, [405004]
  bench.view.setUint32(DIRECTORY + 4, P | PS | 1 << 13, true);
  bench.cpu.state.set(AT.CR + 16, CR4.PSE);
  assertEquals(firstFault(bench, 10), [14, 9, 0x405004, 0x1000]);
});

Deno.test("Mmu forgets every piece of a 4 MiB page at one INVLPG", () => {
  // mov eax, [405004]; mov ecx, [7ff000]; invlpg [600000]; mov eax, [405004]; hlt
  const bench = paged("a104504000 8b0d00f07f00 0f013d00006000 a104504000 f4");
  bench.view.setUint32(DIRECTORY + 4, P | RW | PS, true);
  bench.cpu.state.set(AT.CR + 16, CR4.PSE);
  bench.run(2);
  bench.view.setUint32(DIRECTORY + 4, 0, true);
  assertEquals(firstFault(bench, 10), [14, 0, 0x405004, 0x1012]);
});

Deno.test("Mmu keeps global pages through a load of CR3, and forgets them when CR4.PGE changes", () => {
  // mov eax, [5004]; mov ebx, [6004]; mov cr3, edx; mov eax, [5004]; mov ebx, [6004]; hlt
  const code = "a104500000 8b1d04600000 0f22da a104500000 8b1d04600000 f4";
  const G = 0x100;
  for (const [pge, kept] of [[true, 0x55], [false, 0x77]] as const) {
    const bench = paged(code);
    bench.cpu.state.set(AT.CR + 16, pge ? CR4.PGE : 0);
    bench.cpu.state.regs[2] = DIRECTORY;
    for (const [at, value] of [[0x5004, 0x55], [0x6004, 0x66], [0x7004, 0x77]] as const) {
      bench.view.setUint32(at, value, true);
    }
    setEntry(bench, 5, 0x5000 | P | G);
    setEntry(bench, 6, 0x6000 | P);
    bench.run(2);
    setEntry(bench, 5, 0x7000 | P | G);
    setEntry(bench, 6, 0x7000 | P);
    bench.run(10);
    assertEquals([bench.cpu.state.regs[0], bench.cpu.state.regs[3]], [kept, 0x77], `PGE ${pge}`);
  }
  const bench = paged("a104500000 0f22e1 a104500000 f4"); // mov eax, [5004]; mov cr4, ecx; again
  bench.cpu.state.set(AT.CR + 16, CR4.PGE);
  setEntry(bench, 5, 0x5000 | P | G);
  bench.run(1);
  setEntry(bench, 5, 0);
  assertEquals(firstFault(bench, 10), [14, 0, 0x5004, 0x1008]);
});

// ---- PAE -----------------------------------------------------------------------------------------

const POINTERS = 0x12000;
const WITH_NX = { features: profileFeatures("i686") | FEATURE.NX };

/** As {@link paged}, by PAE tables: the directory maps 2 MiB, the table its first pages. */
function pae(code: string, nx: boolean = false): CpuBench {
  const bench = new CpuBench(0x20000, [], WITH_NX);
  const { cpu, view } = bench;
  bench.load("protected32", 0x1000, code);
  view.setUint32(POINTERS, DIRECTORY | P, true);
  setLong(bench, DIRECTORY, TABLE | P | RW | US, 0);
  for (let page = 0; page < 32; page++) setLong(bench, TABLE + page * 8, page << 12 | P | RW, 0);
  cpu.state.set(AT.CR + 12, POINTERS);
  cpu.state.set(AT.CR + 16, CR4.PAE);
  cpu.state.set(AT.CR, CR0.PE | CR0.PG | CR0.WP);
  cpu.state.set(AT.EFER, nx ? EFER.NXE : 0);
  assertEquals(cpu.mmu.loadPdptes(POINTERS), true);
  cpu.flushTlb();
  return bench;
}

function setLong(bench: CpuBench, at: number, low: number, high: number): void {
  bench.view.setUint32(at, low, true);
  bench.view.setUint32(at + 4, high, true);
}

Deno.test("PageWalker.walk() sets A and D in entries of eight bytes", () => {
  const bench = pae(STORE);
  bench.run(10);
  assertEquals(bench.cpu.halted, true);
  const { view } = bench;
  assertEquals(view.getUint32(TABLE + 5 * 8, true) & (A | D), A | D);
  assertEquals(view.getUint32(DIRECTORY, true) & (A | D), A);
  assertEquals(view.getUint32(POINTERS, true), DIRECTORY | P);
});

Deno.test("PageWalker.walk() maps 2 MiB with one entry", () => {
  const bench = pae("a104502000 f4"); // mov eax, [205004]
  setLong(bench, DIRECTORY + 8, P | RW | PS, 0);
  bench.view.setUint32(0x5004, 0x1234, true);
  bench.run(10);
  assertEquals(bench.cpu.state.regs[0], 0x1234);
});

Deno.test("PageWalker.walk() reports reserved bits of every level in the error code", () => {
  const entries: readonly [number, number, number][] = [
    [DIRECTORY + 8, P | PS | 1 << 13, 0],
    [DIRECTORY + 8, P | PS, 1 << 4], // bit 36
    [DIRECTORY + 8, TABLE | P, 1 << 30],
    [DIRECTORY + 8, P | PS, 1 << 31], // NX, which is not enabled
  ];
  for (const [at, low, high] of entries) {
    const bench = pae("a104502000 f4"); // mov eax, [205004]
    setLong(bench, at, low, high);
    assertEquals(firstFault(bench, 10), [14, 9, 0x205004, 0x1000], `${low} ${high}`);
  }
});

Deno.test("PageWalker.walk() forbids fetches from an NX page, and says that it was a fetch", () => {
  const bench = pae("e9fb3f0000", true); // jmp 5000
  setLong(bench, TABLE + 5 * 8, 0x5000 | P | RW, 1 << 31);
  assertEquals(firstFault(bench, 10), [14, 0x11, 0x5000, 0x5000]);
  const reader = pae(LOAD, true);
  setLong(reader, TABLE + 5 * 8, 0x5000 | P | RW, 1 << 31);
  assertEquals(firstFault(reader, 10), undefined);
});

Deno.test("PageWalker.walk() reaches 36 bits of physical addresses, where there is no memory", () => {
  const bench = pae(LOAD);
  bench.host.answers.push(0xffffffff);
  setLong(bench, TABLE + 5 * 8, 0x5000 | P, 0xf);
  bench.run(1);
  assertEquals(bench.host.exits.map(({ gpa }) => gpa), [0xf_0000_5004]);
});

Deno.test("Mmu.loadPdptes() loads what CR3 names; later changes count after the next MOV CR3", () => {
  // mov eax, [5004]; mov cr3, ecx; mov eax, [5004]; hlt
  const bench = pae("a104500000 0f22d9 a104500000 f4");
  bench.cpu.state.regs[1] = POINTERS;
  bench.view.setUint32(POINTERS, 0, true);
  bench.cpu.flushTlb();
  bench.run(1);
  assertEquals(bench.cpu.state.eip, 0x1005);
  // The code itself is no longer mapped.
  assertEquals(firstFault(bench, 10), [14, 0, 0x1008, 0x1008]);
});

Deno.test("Mmu.loadPdptes() refuses reserved bits of a present entry: #GP, CR3 unchanged", () => {
  for (const [low, high, refused] of [[3, 0, true], [P, 16, true], [2, 16, false]] as const) {
    const bench = pae("0f22d9 f4"); // mov cr3, ecx
    bench.cpu.state.regs[1] = POINTERS + 32;
    setLong(bench, POINTERS + 32, DIRECTORY | P, 0);
    setLong(bench, POINTERS + 32 + 24, low, high);
    const raised = firstException(bench, 10);
    assertEquals(raised, refused ? { vector: 13, code: 0, eip: 0x1000 } : undefined);
    assertEquals(bench.cpu.state.cr[3], refused ? POINTERS : POINTERS + 32);
  }
});

Deno.test("outs() only reads its page, also when the page lies in ES", () => {
  const bench = paged("f3 26 6e f4"); // rep outs dx, byte ptr es:[esi]; hlt
  setEntry(bench, 5, 0x5000 | P);
  const { regs } = bench.cpu.state;
  regs[1] = 3;
  regs[6] = 0x5000;
  assertEquals(firstFault(bench, 10), undefined);
  assertEquals(bench.host.exits[0]!.count, 3);
  assertEquals(entry(bench, 5) & (A | D), A);
});

Deno.test("Cpu.run() executes an instruction on two pages as it is now, not as it was", () => {
  // jmp 1ffd; 1ffd: add eax, 1, of which two bytes are on the next page; dec ecx; jnz 1ffd; hlt
  const bench = paged("e9f80f0000");
  bench.ram.set([0x05, 1, 0, 0, 0, 0x49, 0x75, 0xf8, 0xf4], 0x1ffd);
  const { state } = bench.cpu;
  state.regs[1] = 1000;
  bench.run(1 + 3 * 10);
  assertEquals([state.regs[0], state.eip], [10, 0x1ffd]);
  // Changed on the first page, then on the second, then another second page.
  bench.ram[0x1ffe] = 2;
  bench.cpu.invalidateCode(bench.cpu.ram.base + 0x1ffe, 1);
  bench.run(3 * 10);
  assertEquals(state.regs[0], 30);
  bench.ram[0x2000] = 1;
  bench.cpu.invalidateCode(bench.cpu.ram.base + 0x2000, 1);
  bench.run(3 * 10);
  assertEquals(state.regs[0], 30 + 10 * 0x10002);
  bench.ram.set([0, 0, 0x49, 0x75, 0xf8, 0xf4], 0x3000);
  setEntry(bench, 2, 0x3000 | P);
  bench.cpu.flushTlb();
  bench.run(3 * 10);
  assertEquals(state.regs[0], 50 + 10 * 0x10002);
  setEntry(bench, 2, 0x3000);
  bench.cpu.flushTlb();
  assertEquals(firstFault(bench, 10), [14, 0, 0x2000, 0x1ffd]);
});
