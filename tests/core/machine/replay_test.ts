import { assertEquals, assertNotEquals } from "@std/assert";
import type { MachineConfig } from "../../../core/machine/config.ts";
import { boot, flatGuest, runToEnd } from "../../helpers/small_machine.ts";

/** Sends back what comes in on COM1 until it is a q; ends with code 33. */
const ECHO = flatGuest(
  ...[0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf7], // wait for LSR.DR
  ...[0x66, 0xba, 0xf8, 0x03, 0xec, 0xee, 0x3c, 0x71, 0x75, 0xed], // in, out, compare, again
  ...[0xb0, 0x10, 0xe6, 0xf4],
);
const bytes = (text: string) => new TextEncoder().encode(text);

function newEcho(config: Partial<MachineConfig> = {}) {
  const sent: number[] = [];
  const machine = boot(ECHO, { ...config, onSerialByte: (byte) => sent.push(byte) });
  return { machine, text: () => String.fromCharCode(...sent) };
}

Deno.test("Machine.input() types bytes one after the other, at the line's speed", () => {
  const { machine, text } = newEcho();
  machine.input("serial", bytes("hallo q"));
  assertEquals(machine.waitingInput("serial"), 0);
  const result = runToEnd(machine);
  assertEquals([text(), result.code], ["hallo q", 33]);
  const onTheWire = 7 * 10 * 1e9 / 115200;
  assertEquals(Math.floor(result.counters.elapsedNs / onTheWire), 1);
});

Deno.test("Machine.inputs makes another machine do the same, to the last nanosecond", () => {
  const { machine, text } = newEcho();
  machine.runSlice();
  machine.input("serial", bytes("ab"));
  machine.runSlice();
  machine.inspector.writePort(0x3ff, 1, 0x5a);
  machine.input("serial", bytes("c"));
  assertEquals(machine.inspector.readPort(0x3ff, 1), 0x5a);
  machine.runSlice();
  machine.input("serial", bytes("q"));
  const result = runToEnd(machine);
  assertEquals(text(), "abcq");
  assertEquals(new Set(machine.inputs.map(({ at }) => at)).size, 3);

  const again = newEcho({ inputs: machine.inputs });
  const replayed = runToEnd(again.machine);
  assertEquals([again.text(), replayed], ["abcq", result]);
  assertEquals(again.machine.inputs, machine.inputs);
  assertNotEquals(newEcho().machine.runSlice(), result);
});

Deno.test("Machine.run() does not take a guest for crashed that waits for input", async () => {
  // The timer waits for a count that does not come; sti; hlt; again.
  const sleep = flatGuest(0xb0, 0x30, 0xe6, 0x43, 0xfb, 0xf4, 0xeb, 0xfd);
  const deaf = await boot(sleep).run();
  assertEquals(deaf.reason, "guest-crash");
  let rounds = 0;
  const machine = boot(sleep);
  const heard = await machine.run({ listening: () => true, interrupted: () => ++rounds > 2 });
  assertEquals([heard.reason, heard.counters.elapsedNs], ["interrupted", deaf.counters.elapsedNs]);
});

Deno.test("Machine.run() lets no virtual time pass while it is paused", async () => {
  let rounds = 0;
  const { machine } = newEcho();
  const { reason, counters } = await machine.run({
    paused: () => true,
    interrupted: () => ++rounds > 1,
  });
  assertEquals([reason, counters.elapsedNs], ["interrupted", 0]);
});

Deno.test("Machine.run() that is paced keeps behind the host's clock", async () => {
  const begin = performance.now();
  let ahead = 0;
  const machine = newEcho().machine;
  await machine.run({
    paced: () => true,
    interrupted: () => {
      const elapsed = performance.now() - begin;
      ahead = Math.max(ahead, machine.now / 1e6 - elapsed);
      return elapsed > 100;
    },
  });
  assertEquals(ahead < 5, true, `${ahead} ms ahead of the host`);
});
