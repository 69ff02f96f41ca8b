/**
 * memtest86+ on the serial port: paging with PAE, the FPU, timers, and all of memory.
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Emulator } from "./emulator.ts";
import { stockFile } from "./kit.ts";

const kernel = stockFile("memtest86+", "boot/memtest86+ia32.bin");
/** What it prints when the first test after those that are wanted begins. */
const NEXT_TEST = "#5  [";

Deno.test({
  name: "memtest86+ passes tests 0 to 4 with no error",
  ignore: kernel === undefined,
  async fn() {
    const args = ["-kernel", kernel!, "-m", "16", "-append", "console=ttyS0,115200", "--quiet"];
    await using run = new Emulator(Deno.cwd(), args);
    await run.until(NEXT_TEST);
    run.kill();
    const { serial } = await run.end();
    const tests = [...serial.matchAll(/#(\d) {2}\[/g)].map(([, test]) => Number(test));
    assertEquals([...new Set(tests)].sort(), [0, 1, 2, 3, 4, 5]);
    const errors = [...serial.matchAll(/Errors: (\d+)/g)].map(([, count]) => count);
    assert(errors.length > 0);
    assertEquals(new Set(errors), new Set(["0"]));
  },
});
