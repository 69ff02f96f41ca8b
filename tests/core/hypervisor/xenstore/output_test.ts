import { assertEquals } from "@std/assert";
import { StoreOutput } from "../../../../core/hypervisor/xenstore/output.ts";
import { XS_PAYLOAD_MAX } from "../../../../core/hypervisor/xenstore/wire.ts";

/** Takes up to `space` bytes; the payloads that are among them show as text. */
function take(output: StoreOutput, space: number): string {
  const bytes: number[] = [];
  const taken = output.take(space, (byte, i) => bytes[i] = byte);
  assertEquals(taken, bytes.length);
  return String.fromCharCode(...bytes.filter((byte) => byte >= 0x20));
}

Deno.test("StoreOutput.take() gives messages in order, in pieces of any size", () => {
  const output = new StoreOutput(undefined);
  output.add({ type: 2, reqId: 0, txId: 0 }, "value");
  assertEquals(output.addEvent("event"), true);
  assertEquals(output.bytes, 2 * (16 + 5));
  assertEquals([take(output, 0), take(output, 18), take(output, 20)], ["", "va", "luee"]);
  assertEquals([take(output, 100), output.bytes, take(output, 100)], ["vent", 0, ""]);
});

Deno.test("StoreOutput.addEvent() adds an event once while it waits, and none that is too long", () => {
  const output = new StoreOutput(undefined);
  const length = 16 + 5;
  assertEquals([output.addEvent("event"), output.addEvent("event")], [true, true]);
  assertEquals([output.addEvent("x".repeat(XS_PAYLOAD_MAX + 1)), output.bytes], [true, length]);
  take(output, length - 1);
  output.addEvent("event");
  assertEquals(output.bytes, 1); // it has not been taken whole
  take(output, 1);
  output.addEvent("event");
  assertEquals(output.bytes, length);
});

Deno.test("StoreOutput.addEvent() drops events when nobody takes any, until clear()", () => {
  const output = new StoreOutput(undefined);
  const event = (i: number) => output.addEvent(String(i).padStart(4000, "x"));
  const kept = Array.from({ length: 20 }, (_, i) => event(i)).indexOf(false);
  assertEquals([kept, output.bytes], [17, 17 * 4016]);
  output.clear();
  assertEquals([output.bytes, event(0), output.bytes], [0, true, 4016]);
});
