import { assertEquals } from "@std/assert";
import { VirtualClock } from "../../core/clock.ts";
import type { AccessSize } from "../../core/types.ts";
import { IoPortBus } from "../../devices/bus.ts";
import { GPE_PORTS, PM_PORTS, PowerManagement, SMI_PORTS } from "../../devices/pm.ts";
import { RecordingLine, runUntil } from "../helpers/pc_devices.ts";

const PMBASE = 0x600;
const STATUS = PMBASE;
const ENABLE = PMBASE + 2;
const CONTROL = PMBASE + 4;
const TIMER = PMBASE + 8;
const GPE = 0xafe0;
const SMI = 0xb2;
const SECOND = 1_000_000_000;
/** 2^23 counts at 3.579545 MHz. */
const CARRY = 2_343_484_438;

/** The function with PMBASE as SeaBIOS sets it. */
function makePm() {
  const clock = new VirtualClock();
  const ports = new IoPortBus();
  const sci = new RecordingLine(clock);
  const seen: string[] = [];
  const move = (base: number | undefined) => {
    ports.unmap("pm");
    if (base !== undefined) ports.map("pm", base, PM_PORTS, pm.registers);
  };
  const pm: PowerManagement = new PowerManagement(clock, sci, move, () => seen.push("off"));
  ports.map("gpe", GPE, GPE_PORTS, pm.gpe);
  ports.map("smi", SMI, SMI_PORTS, pm.smi);
  pm.function.write(0x40, 4, PMBASE | 1);
  pm.function.write(0x80, 1, 1);
  const read = (port: number, size: AccessSize = 2) => ports.read(port, size);
  const write = (port: number, value: number, size: AccessSize = 2) =>
    ports.write(port, size, value);
  return { clock, ports, sci, seen, pm, read, write };
}

Deno.test("PowerManagement decodes PMBASE while PMREGMISC says so", () => {
  const { pm, ports } = makePm();
  assertEquals(pm.function.read(0x00, 4), 0x71138086);
  assertEquals(pm.function.read(0x40, 4), PMBASE | 1);
  assertEquals(ports.ownerOf(PMBASE + 63), "pm");
  pm.function.write(0x40, 2, 0xb001);
  assertEquals([ports.ownerOf(PMBASE), ports.ownerOf(0xb000)], [undefined, "pm"]);
  pm.function.write(0x80, 1, 0);
  assertEquals(ports.ownerOf(0xb000), undefined);
});

Deno.test("PowerManagement's timer counts 24 bits at 3.579545 MHz, for hours", () => {
  const { clock, read, write } = makePm();
  assertEquals(read(TIMER, 4), 0);
  clock.advance(SECOND);
  assertEquals(read(TIMER, 4), 3_579_545);
  clock.advance(9_999 * SECOND + 280);
  const count = (10_000 * 3_579_545 + 1) % 0x1000000;
  assertEquals(read(TIMER, 4), count);
  assertEquals([read(TIMER), read(TIMER + 2)], [count & 0xffff, count >>> 16]);
  write(TIMER, 0, 4);
  assertEquals(read(TIMER, 4), count);
});

Deno.test("PowerManagement sets TMR_STS when the timer's highest bit changes", () => {
  const { clock, read, write } = makePm();
  clock.advance(CARRY - 1);
  assertEquals([read(STATUS), read(TIMER, 4)], [0, 0x7fffff]);
  clock.advance(1);
  assertEquals([read(STATUS), read(TIMER, 4)], [1, 0x800000]);
  write(STATUS, 1);
  assertEquals(read(STATUS), 0);
  clock.advance(CARRY);
  assertEquals(read(STATUS), 1);
});

Deno.test("PowerManagement interrupts by SCI for an enabled event, once ACPI is on", () => {
  const { clock, sci, read, write } = makePm();
  write(ENABLE, 0x0001);
  runUntil(clock, CARRY);
  assertEquals([read(STATUS), sci.asserted], [1, false]);
  write(SMI, 0xf1, 1);
  assertEquals([read(CONTROL) & 1, sci.asserted], [1, true]);
  write(STATUS, 0x0001);
  assertEquals(sci.asserted, false);
  runUntil(clock, 2 * CARRY);
  assertEquals(sci.risesAt, [CARRY, 2 * CARRY - 1]);
  write(SMI, 0xf0, 1);
  assertEquals([read(CONTROL) & 1, sci.asserted], [0, false]);
});

Deno.test("PowerManagement keeps only the events that there are", () => {
  const { read, write } = makePm();
  write(ENABLE, 0xffff);
  assertEquals(read(ENABLE), 0x0521);
  write(ENABLE + 1, 0x01, 1);
  assertEquals(read(ENABLE), 0x0121);
});

Deno.test("PowerManagement switches off by SLP_EN with sleep type 0, as Linux does it", () => {
  const { seen, read, write } = makePm();
  write(CONTROL, 0x0001);
  write(CONTROL, 0x2401);
  assertEquals([seen, read(CONTROL)], [[], 0x0401]);
  write(CONTROL, 0x2001);
  assertEquals(seen, ["off"]);
});

Deno.test("PowerManagement reads all ones where no register is", () => {
  const { read } = makePm();
  assertEquals(read(PMBASE + 0x28, 4), 0xffffffff);
  assertEquals(read(PMBASE + 6), 0xffff);
});

Deno.test("PowerManagement.gpe keeps enables and never has an event", () => {
  const { read, write } = makePm();
  write(GPE, 0xffffffff, 4);
  assertEquals(read(GPE, 4), 0xffff0000);
});

Deno.test("PowerManagement.smi reads back what was written", () => {
  const { read, write } = makePm();
  write(SMI + 1, 0x01, 1);
  write(SMI, 0x00, 1);
  assertEquals([read(SMI, 1), read(SMI + 1, 1)], [0, 1]);
});

Deno.test("PowerManagement.pressButton() interrupts a guest that listens, until it clears the bit", () => {
  const { pm, sci, read, write } = makePm();
  pm.pressButton();
  assertEquals([read(STATUS), sci.asserted], [0x0100, false]);
  write(STATUS, 0x0100);
  write(ENABLE, 0x0100);
  write(CONTROL, 0x0001);
  assertEquals(sci.asserted, false);
  pm.pressButton();
  assertEquals([read(STATUS), sci.asserted], [0x0100, true]);
  write(STATUS, 0x0100);
  assertEquals([read(STATUS), sci.asserted], [0, false]);
});
