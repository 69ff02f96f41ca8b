import { assertEquals } from "@std/assert";
import type { MachineConfig } from "../../../core/machine/config.ts";
import { boot, flatGuest, runToEnd } from "../../helpers/small_machine.ts";
import { XEN_ECHO } from "../../helpers/xen_console.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function newEcho(config: Partial<MachineConfig> = {}) {
  const written: number[] = [];
  const onXenConsoleByte = (byte: number) => void written.push(byte);
  const machine = boot(flatGuest(...XEN_ECHO), { ...config, onXenConsoleByte });
  return { machine, text: () => String.fromCharCode(...written) };
}

Deno.test("Machine.input() types on hvc0, at the same time in a replay", () => {
  const { machine, text } = newEcho();
  machine.runSlice();
  machine.input("xenconsole", bytes("hallo "));
  machine.runSlice();
  machine.input("xenconsole", bytes("welt q"));
  const result = runToEnd(machine);
  assertEquals([text(), result.code], [">hallo welt q", 33]);
  const again = newEcho({ inputs: machine.inputs });
  assertEquals(runToEnd(again.machine), result);
  assertEquals(again.text(), text());
});

Deno.test("hvc0 is in the books: events, hypercalls, the daemon's time", () => {
  const { machine } = newEcho();
  machine.input("xenconsole", bytes("q"));
  const { hypercalls, events, dom0Books, books, elapsedNs } = runToEnd(machine).counters;
  assertEquals(hypercalls.byName, { event_channel_op: 2 });
  assertEquals([events.sent >= 3, dom0Books.console > 0], [true, true]);
  assertEquals(Object.values(books).reduce((sum, ns) => sum + ns, 0), elapsedNs);
});

Deno.test("What a guest wrote to hvc0 just before its end comes out", () => {
  const { machine, text } = newEcho();
  machine.input("xenconsole", bytes("q"));
  runToEnd(machine);
  assertEquals(text(), ">q");
});

Deno.test("hvc0 of the next domain takes what is typed after a reset", () => {
  const { machine, text } = newEcho({ reboot: "reset" });
  machine.runSlice();
  machine.input("xenconsole", bytes("a"));
  machine.runSlice();
  machine.toolstack({ verb: "system_reset" });
  machine.runSlice();
  machine.input("xenconsole", bytes("bq"));
  assertEquals([runToEnd(machine).code, text()], [33, ">a>bq"]);
});

Deno.test("What is typed on hvc0 of a machine that hides Xen goes nowhere", () => {
  const machine = boot(flatGuest(0xeb, 0xfe), { machine: "pc", maxTime: 1e6 });
  machine.input("xenconsole", bytes("abc"));
  assertEquals(runToEnd(machine).reason, "limit");
  assertEquals(machine.waitingInput("xenconsole"), 0);
});
