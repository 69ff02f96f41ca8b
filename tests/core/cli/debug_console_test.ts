import { assertEquals, assertThrows } from "@std/assert";
import { openDebugOutput } from "../../../core/cli/debug_console.ts";
import { UsageError } from "../../../core/errors.ts";

const writable = Deno.permissions.querySync({ name: "write" }).state === "granted" &&
  Deno.permissions.querySync({ name: "read" }).state === "granted";

/** What the serial port's output gets of a byte at either port. */
function serialBytes(where: string | undefined): number[] {
  const bytes: number[] = [];
  const output = openDebugOutput(where, { push: (byte) => bytes.push(byte) });
  output.onDebugByte(0xe9);
  output.onFirmwareByte(0x02);
  output.flush();
  return bytes;
}

Deno.test("openDebugOutput() shows port E9 with the serial port, and drops a BIOS's log", () => {
  assertEquals(serialBytes(undefined), [0xe9]);
});

Deno.test("openDebugOutput() shows both with stdio, and neither with null", () => {
  assertEquals(serialBytes("stdio"), [0xe9, 0x02]);
  assertEquals(serialBytes("null"), []);
});

Deno.test({
  name: "openDebugOutput() writes both into a file",
  ignore: !writable,
  fn() {
    const path = Deno.makeTempFileSync();
    assertEquals(serialBytes(`file:${path}`), []);
    assertEquals([...Deno.readFileSync(path)], [0xe9, 0x02]);
    Deno.removeSync(path);
  },
});

Deno.test({
  name: "openDebugOutput() says which file it cannot write",
  ignore: !writable,
  fn() {
    const open = () => serialBytes("file:/no/such/folder/log");
    assertThrows(open, UsageError, "Cannot write -debugcon file:/no/such/folder/log");
  },
});
