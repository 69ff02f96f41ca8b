import { assertEquals } from "@std/assert";
import { ApicBoard, LAPIC } from "../helpers/apic.ts";

const BSP_BASE = 0xfee00900;
const SELF = 1 << 18;

/** Sends the processor a vector by its own command register. */
function interrupt(board: ApicBoard, ...vectors: number[]): void {
  for (const vector of vectors) board.set(LAPIC.ICR, SELF | vector);
}

Deno.test("LocalApic has the registers of reset", () => {
  const board = new ApicBoard();
  assertEquals(board.lapic.base, BSP_BASE);
  const { ID, VERSION, TPR, SVR, DFR, LVT_TIMER, LVT_LINT0, LVT_ERROR, CURRENT } = LAPIC;
  assertEquals([ID, VERSION, TPR, SVR].map((r) => board.get(r)), [0, 0x50014, 0, 0xff]);
  assertEquals(board.get(DFR), 0xffffffff);
  assertEquals([LVT_TIMER, LVT_LINT0, LVT_ERROR].map((r) => board.get(r)), Array(3).fill(0x10000));
  assertEquals([board.get(CURRENT), board.lapic.pending], [0, false]);
});

Deno.test("LocalApic keeps the bits of each register that the manual says are writable", () => {
  const board = new ApicBoard().enable();
  const written = [LAPIC.ID, LAPIC.TPR, LAPIC.LDR, LAPIC.DFR, LAPIC.SVR, LAPIC.ICR_HIGH];
  for (const register of written) board.set(register, 0xffffffff);
  assertEquals(
    written.map((register) => board.get(register).toString(16)),
    ["ff000000", "ff", "ff000000", "ffffffff", "3ff", "ff000000"],
  );
  const vectors = [0x320, 0x330, 0x340, 0x350, 0x360, 0x370];
  for (const register of vectors) board.set(register, 0xffffffff);
  assertEquals(
    vectors.map((register) => board.get(register).toString(16)),
    ["300ff", "107ff", "107ff", "1a7ff", "1a7ff", "100ff"],
  );
});

Deno.test("LocalApic serves the highest request, and a higher one interrupts it", () => {
  const board = new ApicBoard().enable();
  interrupt(board, 0x41, 0x61, 0x51);
  assertEquals(board.vectors(LAPIC.IRR), [0x41, 0x51, 0x61]);
  assertEquals([board.take(), board.get(LAPIC.PPR), board.take()], [0x61, 0x60, undefined]);
  interrupt(board, 0x6f);
  assertEquals(board.take(), undefined); // the same class
  interrupt(board, 0x70);
  assertEquals([board.take(), board.vectors(LAPIC.ISR)], [0x70, [0x61, 0x70]]);
  board.end();
  board.end();
  assertEquals([board.take(), board.vectors(LAPIC.ISR)], [0x6f, [0x6f]]);
  board.end();
  assertEquals(board.take(), 0x51);
});

Deno.test("LocalApic lets the task priority hold requests back", () => {
  const board = new ApicBoard().enable();
  board.set(LAPIC.TPR, 0x55);
  interrupt(board, 0x5f, 0x60);
  assertEquals([board.get(LAPIC.PPR), board.take(), board.take()], [0x55, 0x60, undefined]);
  assertEquals(board.get(LAPIC.PPR), 0x60);
  board.end();
  board.set(LAPIC.TPR, 0x4f);
  assertEquals(board.take(), 0x5f);
});

Deno.test("LocalApic.acknowledge() is the spurious vector, served by nobody, when nothing waits", () => {
  const board = new ApicBoard();
  board.set(LAPIC.SVR, 0x1ef);
  assertEquals([board.lapic.acknowledge(), board.vectors(LAPIC.ISR)], [0xef, []]);
});

Deno.test("LocalApic holds an edge once, however often it comes before it is taken", () => {
  const board = new ApicBoard().enable();
  interrupt(board, 0x41, 0x41);
  assertEquals(board.take(), 0x41);
  interrupt(board, 0x41);
  board.end();
  assertEquals(board.take(), 0x41);
  board.end();
  assertEquals(board.take(), undefined);
});

// ---- commands -----------------------------------------------------------------------------------

const ADDRESSED: readonly [string, number, number, boolean][] = [
  ["the processor's id", 0, 0x00, true],
  ["another id", 0, 0x01, false],
  ["every id", 0, 0xff, true],
  ["its logical bit", 0x800, 0x06, true],
  ["another logical bit", 0x800, 0x05, false],
  ["itself", 1 << 18, 0x55, true],
  ["everybody", 2 << 18, 0x55, true],
  ["everybody else", 3 << 18, 0x00, false],
];

for (const [whom, command, destination, arrives] of ADDRESSED) {
  Deno.test(`LocalApic sends an interrupt to ${whom}`, () => {
    const board = new ApicBoard().enable();
    board.set(LAPIC.LDR, 0x02000000);
    board.set(LAPIC.ICR_HIGH, destination << 24);
    board.set(LAPIC.ICR, command | 0x41);
    assertEquals(board.take(), arrives ? 0x41 : undefined);
    assertEquals(board.get(LAPIC.ICR), command | 0x41); // delivery status: idle
  });
}

Deno.test("LocalApic compares clusters and members in the cluster model", () => {
  const board = new ApicBoard().enable();
  board.set(LAPIC.DFR, 0x0fffffff);
  board.set(LAPIC.LDR, 0x32000000);
  for (const [destination, arrives] of [[0x32, true], [0x33, true], [0x31, false], [0x42, false]]) {
    board.set(LAPIC.ICR_HIGH, Number(destination) << 24);
    board.set(LAPIC.ICR, 0x841);
    assertEquals(board.take(), arrives ? 0x41 : undefined);
    board.end();
  }
});

Deno.test("LocalApic sends NMI and INIT to its own id, but not by shorthand, and ignores INIT's end", () => {
  const board = new ApicBoard().enable();
  for (const command of [0x400, 0x4500, 0x400 | SELF, 0x88500, 0xc4500, 0xc4610]) {
    board.set(LAPIC.ICR, command);
  }
  assertEquals([board.log, board.lapic.pending], [["nmi", "init"], false]);
});

// ---- errors -------------------------------------------------------------------------------------

Deno.test("LocalApic tells of illegal vectors and registers in ESR, which shows them when written", () => {
  const board = new ApicBoard().enable();
  board.set(LAPIC.LVT_ERROR, 0xfe);
  interrupt(board, 0x0f);
  assertEquals([board.take(), board.get(LAPIC.ESR)], [0xfe, 0]);
  board.end();
  interrupt(board, 0x0e); // the same error, not told of again
  assertEquals(board.take(), undefined);
  board.redirect(5, 0x0f);
  board.pulse(5);
  board.get(0x3f0);
  board.set(LAPIC.ESR, 0);
  assertEquals(board.get(LAPIC.ESR), 0xe0);
  board.set(LAPIC.ESR, 0);
  assertEquals(board.get(LAPIC.ESR), 0);
});

Deno.test("LocalApic takes writes to read-only registers for no error", () => {
  const board = new ApicBoard().enable();
  for (const register of [LAPIC.VERSION, LAPIC.PPR, LAPIC.ISR, LAPIC.IRR, LAPIC.CURRENT]) {
    const before = board.get(register);
    board.set(register, 0xffffffff);
    assertEquals(board.get(register), before);
  }
  board.set(LAPIC.ESR, 0);
  assertEquals(board.get(LAPIC.ESR), 0);
});

Deno.test("LocalApic answers parts of registers, and zeros between them", () => {
  const board = new ApicBoard();
  const { mmio } = board;
  assertEquals([mmio.read(0xfee00030, 1), mmio.read(0xfee00032, 2)], [0x14, 5]);
  assertEquals([mmio.read(0xfee00034, 4), mmio.read(0xfee0003c, 1)], [0, 0]);
  mmio.write(0xfee000f1, 1, 1);
  assertEquals(board.get(LAPIC.SVR), 0x1ff);
});

// ---- off and on ---------------------------------------------------------------------------------

Deno.test("LocalApic masks all local vectors while software has it off, and refuses vectors", () => {
  const board = new ApicBoard().enable();
  board.set(LAPIC.LVT_TIMER, 0x41);
  board.set(LAPIC.SVR, 0xff);
  assertEquals(board.get(LAPIC.LVT_TIMER), 0x10041);
  board.set(LAPIC.LVT_TIMER, 0x42);
  assertEquals(board.get(LAPIC.LVT_TIMER), 0x10042);
  interrupt(board, 0x43);
  assertEquals(board.vectors(LAPIC.IRR), []);
  board.enable();
  assertEquals(board.get(LAPIC.LVT_TIMER), 0x10042);
});

Deno.test("LocalApic.setBase() moves the registers, and switching it off forgets everything", () => {
  const board = new ApicBoard().enable();
  interrupt(board, 0x41);
  assertEquals(board.lapic.setBase(0xfed00900, 0), true);
  assertEquals(board.lapic.setBase(0xfed00100, 0), true);
  assertEquals([board.lapic.base, board.lapic.pending], [0xfed00100, false]);
  assertEquals(board.lapic.setBase(BSP_BASE, 0), true);
  assertEquals(board.get(LAPIC.SVR), 0xff);
  assertEquals(board.log, ["move fed00000", "move undefined", "move fee00000"]);
});

Deno.test("LocalApic.setBase() refuses reserved bits, x2APIC among them", () => {
  const { lapic, log } = new ApicBoard();
  for (const low of [0xfee00901, 0xfee00d00, 0xfee00b00]) {
    assertEquals(lapic.setBase(low, 0), false);
  }
  assertEquals([lapic.setBase(BSP_BASE, 1), lapic.base, log], [false, BSP_BASE, []]);
});

// ---- the 8259 pair ------------------------------------------------------------------------------

Deno.test("LocalApic lets the 8259 pair through as ExtINT, or when it is switched off", () => {
  const board = new ApicBoard();
  board.startPic();
  board.pic.line(4).set(true);
  assertEquals(board.lapic.pending, false);
  board.lapic.becomeVirtualWire();
  assertEquals([board.get(LAPIC.LVT_LINT0), board.get(LAPIC.LVT_LINT1)], [0x700, 0x400]);
  assertEquals([board.take(), board.vectors(LAPIC.ISR)], [0x34, []]);
  board.pic.line(3).set(true);
  board.set(LAPIC.LVT_LINT0, 0x10700);
  assertEquals(board.lapic.pending, false);
  board.lapic.setBase(0xfee00100, 0);
  assertEquals(board.take(), 0x33);
});

Deno.test("LocalApic takes ExtINT before its own requests, whatever the task priority", () => {
  const board = new ApicBoard();
  board.startPic();
  board.lapic.becomeVirtualWire();
  interrupt(board, 0xf1);
  board.pic.line(4).set(true);
  board.set(LAPIC.TPR, 0xff);
  assertEquals([board.take(), board.take()], [0x34, undefined]);
  board.set(LAPIC.TPR, 0);
  assertEquals(board.take(), 0xf1);
});

Deno.test("LocalApic.irq is the input behind the vector taken last, of either controller", () => {
  const board = new ApicBoard().enable();
  board.startPic();
  board.set(LAPIC.LVT_LINT0, 0x700);
  board.redirect(14, 0x51);
  board.pulse(14);
  assertEquals([board.take(), board.lapic.irq], [0x51, 14]);
  board.end();
  board.pic.line(12).set(true);
  assertEquals([board.take(), board.lapic.irq], [0x3c, 12]);
  interrupt(board, 0xf1);
  assertEquals([board.take(), board.lapic.irq], [0xf1, undefined]);
});

Deno.test("LocalApic makes edges at LINT0 what its vector says", () => {
  const board = new ApicBoard().enable();
  const [lint0] = board.lapic.inputs;
  for (const entry of [0x10041, 0x41, 0x400, 0x500, 0x200]) {
    board.set(LAPIC.LVT_LINT0, entry);
    lint0.set(true);
    lint0.set(true);
    lint0.set(false);
  }
  assertEquals([board.take(), board.log], [0x41, ["nmi", "init"]]);
});

Deno.test("LocalApic repeats a level at LINT0 at the end of interrupt while it is there", () => {
  const board = new ApicBoard().enable();
  const [lint0] = board.lapic.inputs;
  lint0.set(true);
  board.set(LAPIC.LVT_LINT0, 0x8041);
  assertEquals([board.take(), board.get(LAPIC.LVT_LINT0)], [0x41, 0xc041]);
  assertEquals(board.vectors(LAPIC.TMR), [0x41]);
  board.end();
  assertEquals(board.take(), 0x41);
  lint0.set(false);
  board.end();
  assertEquals([board.take(), board.get(LAPIC.LVT_LINT0)], [undefined, 0x8041]);
});

// ---- timer --------------------------------------------------------------------------------------

Deno.test("LocalApic timer counts bus clocks of 10 ns down once and interrupts at 0", () => {
  const board = new ApicBoard().enable();
  board.set(LAPIC.LVT_TIMER, 0x41);
  board.set(LAPIC.DIVIDE, 0x0b);
  board.set(LAPIC.INITIAL, 100);
  assertEquals(board.get(LAPIC.CURRENT), 100);
  board.runTo(995);
  assertEquals([board.get(LAPIC.CURRENT), board.take()], [1, undefined]);
  board.runTo(1000);
  assertEquals([board.get(LAPIC.CURRENT), board.take()], [0, 0x41]);
  board.end();
  board.runTo(5000);
  assertEquals([board.take(), board.get(LAPIC.INITIAL)], [undefined, 100]);
});

Deno.test("LocalApic timer divides by what the divide configuration says", () => {
  for (
    const [divide, by] of [[0, 2], [1, 4], [2, 8], [3, 16], [8, 32], [9, 64], [10, 128], [11, 1]]
  ) {
    const board = new ApicBoard().enable();
    board.set(LAPIC.DIVIDE, divide!);
    board.set(LAPIC.INITIAL, 1000);
    board.runTo(100 * 10 * by!);
    assertEquals([board.get(LAPIC.CURRENT), board.get(LAPIC.DIVIDE)], [900, divide]);
  }
});

Deno.test("LocalApic timer runs again and again from its own end in periodic mode", () => {
  const board = new ApicBoard().enable();
  board.set(LAPIC.LVT_TIMER, 0x20041);
  board.set(LAPIC.DIVIDE, 0x0b);
  board.set(LAPIC.INITIAL, 100);
  const taken: (number | undefined)[] = [];
  for (const time of [999, 1000, 1999, 2000, 3500]) {
    board.runTo(time);
    taken.push(board.take());
    board.end();
  }
  assertEquals(taken, [undefined, 0x41, undefined, 0x41, 0x41]);
  assertEquals(board.get(LAPIC.CURRENT), 50);
  board.set(LAPIC.INITIAL, 0);
  assertEquals(board.get(LAPIC.CURRENT), 0);
  board.runTo(10000);
  assertEquals(board.take(), undefined);
});

Deno.test("LocalApic timer makes one request of the periods that end during one long exit", () => {
  const board = new ApicBoard().enable();
  board.set(LAPIC.LVT_TIMER, 0x20041);
  board.set(LAPIC.DIVIDE, 0x0b);
  board.set(LAPIC.INITIAL, 100);
  board.clock.advance(5250);
  assertEquals(board.get(LAPIC.CURRENT), 75);
  board.clock.fireDue();
  assertEquals([board.clock.nextDeadline, board.take()], [6000, 0x41]);
});

Deno.test("LocalApic timer goes on with what is left when the divisor changes", () => {
  const board = new ApicBoard().enable();
  board.set(LAPIC.LVT_TIMER, 0x41);
  board.set(LAPIC.DIVIDE, 0x0b);
  board.set(LAPIC.INITIAL, 100);
  board.runTo(600);
  board.set(LAPIC.DIVIDE, 0);
  assertEquals(board.get(LAPIC.CURRENT), 40);
  board.runTo(1400);
  assertEquals(board.take(), 0x41);
});

Deno.test("LocalApic timer counts while its vector is masked, and interrupts nobody", () => {
  const board = new ApicBoard().enable();
  board.set(LAPIC.DIVIDE, 0x0b);
  board.set(LAPIC.INITIAL, 100);
  board.runTo(400);
  assertEquals(board.get(LAPIC.CURRENT), 60);
  board.runTo(1000);
  assertEquals(board.take(), undefined);
});

Deno.test("LocalApic.request() waits where a message would be lost, but not through a reset", () => {
  const board = new ApicBoard();
  board.lapic.request(0xf3); // software has not switched it on
  assertEquals(board.vectors(LAPIC.IRR), [0xf3]);
  board.enable();
  assertEquals([board.take(), board.vectors(LAPIC.TMR)], [0xf3, []]);
  board.end();
  board.lapic.setBase(0xfee00000 | 0x100, 0);
  board.lapic.request(0xf3);
  assertEquals(board.lapic.pending, false);
});
