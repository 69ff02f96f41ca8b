/**
 * memtest86+ on the serial port: paging with PAE, the FPU, timers, and all of memory.
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Emulator } from "./emulator.ts";
import { stockFile } from "./kit.ts";

const kernel = stockFile("memtest86+", "boot/memtest86+ia32.bin");
/** It shows the test that runs every two seconds, and the errors of all before. */
const LATER_TEST = /#[5-9] {2}\[.*Errors: \d+ /s;

Deno.test({
  name: "memtest86+ passes tests 0 to 4 with no error",
  ignore: kernel === undefined,
  async fn() {
    const args = ["-kernel", kernel!, "-m", "64", "-append", "console=ttyS0,115200", "--quiet"];
    await using run = new Emulator(Deno.cwd(), args);
    await run.until(LATER_TEST);
    run.kill();
    const { serial } = await run.end();
    const errors = [...serial.matchAll(/Errors: (\d+)/g)].map(([, count]) => count);
    assert(serial.includes("#0  [") && serial.includes("#4  ["));
    assertEquals([...new Set(errors)], ["0"]);
  },
});
