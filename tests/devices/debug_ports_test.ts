import { assertEquals } from "@std/assert";
import { DebugConsole, DebugExit, PostPort } from "../../devices/debug_ports.ts";

Deno.test("DebugConsole passes each byte on and answers 0xe9 to a probe", () => {
  const bytes: number[] = [];
  const port = new DebugConsole((byte) => bytes.push(byte));
  port.writePort(0, 1, 0x41);
  port.writePort(0, 2, 0x4342);
  assertEquals(bytes, [0x41, 0x42]);
  assertEquals(port.readPort(), 0xe9);
});

Deno.test("DebugExit tells the value as written and reads as an open bus", () => {
  const values: number[] = [];
  const port = new DebugExit((value) => values.push(value));
  port.writePort(0, 4, 0x12345);
  assertEquals(values, [0x12345]);
  assertEquals(port.readPort(0, 1), 0xff);
});

Deno.test("PostPort latches the code, reads it back and tells of every write", () => {
  const marks: number[] = [];
  const port = new PostPort((value) => marks.push(value));
  assertEquals(port.readPort(0, 1), 0);
  port.writePort(0, 1, 0xab);
  port.writePort(0, 2, 0x1ab);
  assertEquals(marks, [0xab, 0xab]);
  assertEquals([port.readPort(0, 1), port.readPort(0, 4)], [0xab, 0xffffffab]);
});
