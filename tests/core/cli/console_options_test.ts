import { assertEquals, assertThrows } from "@std/assert";
import { parseArgs } from "../../../core/cli/args.ts";
import type { RunOptions } from "../../../core/cli/run_args.ts";
import { UsageError } from "../../../core/errors.ts";

const consoleOf = (...args: string[]) => (parseArgs(["run", "g", ...args]) as RunOptions).console;

/** Options; COM1, monitor and screen on the terminal, Ctrl-A is ours; what has the keys. */
const PLANS: readonly (readonly [string, ...unknown[]])[] = [
  ["", "terminal", true, false, true, "serial"],
  ["-nographic", "terminal", true, false, true, "serial"],
  ["-serial mon:stdio", "terminal", true, false, true, "serial"],
  ["-serial stdio", "terminal", false, false, false, "serial"],
  ["-serial none", "none", false, false, false, "serial"],
  ["-serial null -monitor stdio", "none", true, false, false, "monitor"],
  ["-serial file:a.log", { file: "a.log" }, false, false, false, "serial"],
  ["-serial file:a.log -monitor stdio", { file: "a.log" }, true, false, false, "monitor"],
  ["-monitor stdio", "terminal", true, false, true, "monitor"],
  ["-monitor none", "terminal", false, false, false, "serial"],
  ["-display text", "terminal", true, true, true, "screen"],
  ["-display text -serial none", "none", false, true, true, "screen"],
  ["-display none", "terminal", true, false, true, "serial"],
];

for (const [args, ...wanted] of PLANS) {
  Deno.test(`consoleOptions() makes a plan of "${args}"`, () => {
    const plan = consoleOf(...args.split(" ").filter(Boolean));
    assertEquals([plan.serial, plan.monitor, plan.screen, plan.escapes, plan.front], wanted);
  });
}

/** Options; hvc0, Ctrl-A is ours. */
const XEN_CONSOLES: readonly (readonly [string, ...unknown[]])[] = [
  ["", "serial", true],
  ["-xenconsole stdio", "terminal", true],
  ["-xenconsole stdio -serial none", "terminal", false],
  ["-xenconsole stdio -serial none -monitor stdio", "terminal", true],
  ["-xenconsole none", "none", true],
  ["-xenconsole null", "none", true],
  ["-xenconsole file:hvc0.log", { file: "hvc0.log" }, true],
];

for (const [args, ...wanted] of XEN_CONSOLES) {
  Deno.test(`consoleOptions() has a place for hvc0 in "${args}"`, () => {
    const { xenConsole, escapes } = consoleOf(...args.split(" ").filter(Boolean));
    assertEquals([xenConsole, escapes], wanted);
  });
}

/** Options that make no sense, and what is said of them. */
const REFUSED: readonly (readonly [string, string])[] = [
  ["-serial stdio -monitor stdio", "Cannot connect both -serial and -monitor to stdio alone"],
  ["-serial pty", 'Cannot connect -serial to "pty": wanted mon:stdio, stdio, none, or file:FILE'],
  [
    "-serial file:",
    'Cannot connect -serial to "file:": wanted mon:stdio, stdio, none, or file:FILE',
  ],
  [
    "-xenconsole pty",
    'Cannot connect -xenconsole to "pty": wanted stdio, none, or file:FILE',
  ],
  ["-monitor telnet", 'Cannot use -monitor "telnet": there is no such thing here'],
  ["-display gtk", 'Cannot use -display "gtk": there is no such thing here'],
];

for (const [args, message] of REFUSED) {
  Deno.test(`consoleOptions() refuses "${args}"`, () => {
    const error = assertThrows(() => consoleOf(...args.split(" ")), UsageError);
    assertEquals(error.message, message);
  });
}
