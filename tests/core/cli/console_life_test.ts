/**
 * A guest that starts again, and one that has hvc0, as a user at a terminal sees them.
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { PtyRun, ptyTest } from "../../helpers/pty.ts";
import { processTest, runTrapring } from "../../helpers/process.ts";
import { XEN_ECHO } from "../../helpers/xen_console.ts";

const FLAT = ["--load", "flat@0x100000", "--quiet"];
/** Prints ">" on COM1, waits for a byte there, and resets by port 64h. */
const RESETS: readonly number[] = [
  ...[0x66, 0xba, 0xf8, 0x03, 0xb0, 0x3e, 0xee],
  ...[0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xfb],
  ...[0xb0, 0xfe, 0xe6, 0x64, 0xeb, 0xfe],
];

async function guest(folder: string, code: readonly number[]): Promise<void> {
  await Deno.writeFile(`${folder}/guest.bin`, Uint8Array.from(code));
}

ptyTest("run on a terminal starts a guest again that resets, or when told to", async (folder) => {
  await guest(folder, RESETS);
  const run = new PtyRun(folder, "run", "guest.bin", ...FLAT);
  await run.until(">");
  await run.type("x");
  await run.until(">");
  await run.type("\x01csystem_reset\r\x01c");
  await run.until("system_reset");
  await run.until(">");
  await run.type("\x01cshutdown\r");
  await run.until("PV control interface not available: external graceful shutdown not possible");
  await run.type("\x01x");
  const { code, restored } = await run.end();
  assertEquals([code, restored], [130, true]);
});

ptyTest("run -no-reboot on a terminal ends when the guest resets", async (folder) => {
  await guest(folder, RESETS);
  const run = new PtyRun(folder, "run", "guest.bin", "-no-reboot", ...FLAT);
  await run.until(">");
  await run.type("x");
  const { code, text } = await run.end();
  assertEquals(code, 0);
  assertStringIncludes(text, "Guest asked for a reset by port 64h");
});

ptyTest(
  "run on a terminal has hvc0 where COM1 is, keys go where the guest asks",
  async (folder) => {
    await guest(folder, XEN_ECHO);
    const run = new PtyRun(folder, "run", "guest.bin", ...FLAT);
    await run.until(">");
    await run.type("ab");
    await run.until("ab");
    await run.type("q");
    const { code, restored } = await run.end();
    assertEquals([code, restored], [33, true]);
  },
);

processTest("run -xenconsole sends what hvc0 prints to a file", async (folder) => {
  await guest(folder, XEN_ECHO);
  const args = ["guest.bin", ...FLAT, "--max-time", "10ms", "-xenconsole", "file:hvc0.log"];
  const { code, stdout } = await runTrapring(folder, "run", ...args);
  assertEquals([code, stdout], [124, ""]);
  assertEquals(await Deno.readTextFile(`${folder}/hvc0.log`), ">");
});
