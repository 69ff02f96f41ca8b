/**
 * The guest's console on a real terminal, on a pipe, and on nothing.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { PtyRun, ptyTest } from "../../helpers/pty.ts";
import { processTest, runTrapring, trapring, trapringArguments } from "../../helpers/process.ts";

const FLAT = ["--load", "flat@0x100000", "--quiet"];

/** Greets, and sends back what comes in on COM1 until it is a q; ends with code 33. */
const ECHO = Uint8Array.of(
  ...[0x66, 0xba, 0xf8, 0x03, 0xb0, 0x3e, 0xee], // >
  ...[0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf7], // wait for LSR.DR
  ...[0x66, 0xba, 0xf8, 0x03, 0xec, 0xee, 0x3c, 0x71, 0x75, 0xed], // in, out, compare, again
  ...[0xb0, 0x10, 0xe6, 0xf4],
);

/** Shows "Hi" on the VGA and waits for a key on the keyboard; ends with code 33. */
const SCREEN = Uint8Array.of(
  ...[0x66, 0xc7, 0x05, 0x00, 0x80, 0x0b, 0x00, 0x48, 0x07],
  ...[0x66, 0xc7, 0x05, 0x02, 0x80, 0x0b, 0x00, 0x69, 0x07],
  ...[0xe4, 0x64, 0xa8, 0x01, 0x74, 0xfa, 0xe4, 0x60], // wait for OBF, take it
  ...[0xb0, 0x10, 0xe6, 0xf4],
);

async function guest(folder: string, code: Uint8Array): Promise<void> {
  await Deno.writeFile(`${folder}/guest.bin`, code);
}

// ---- on a terminal -----------------------------------------------------------------------------

ptyTest(
  "run on a terminal gives every key to the guest, Ctrl-C too, and restores it",
  async (folder) => {
    await guest(folder, ECHO);
    const run = new PtyRun(folder, "run", "guest.bin", ...FLAT);
    await run.until(">");
    await run.type("\x03\x1a\x01\x01!");
    await run.until("\x03\x1a\x01!");
    await run.type("q");
    const { code, restored } = await run.end();
    assertEquals([code, restored], [33, true]);
  },
);

ptyTest("run on a terminal quits at Ctrl-A x, after help at Ctrl-A h", async (folder) => {
  await guest(folder, ECHO);
  const run = new PtyRun(folder, "run", "guest.bin", "--load", "flat@0x100000");
  await run.until("Ctrl-A h for help, Ctrl-A x to quit");
  await run.type("\x01h");
  await run.until("switch between serial, monitor");
  await run.type("\x01x");
  const { code, restored, text } = await run.end();
  assertEquals([code, restored], [130, true]);
  assertStringIncludes(text, "trapring: interrupted after");
});

ptyTest("run on a terminal has a monitor behind Ctrl-A c that stops the guest", async (folder) => {
  await guest(folder, ECHO);
  const run = new PtyRun(folder, "run", "guest.bin", ...FLAT);
  await run.until(">");
  await run.type("\x01c");
  await run.until("(trapring) ");
  await run.type("stop\rinfo status\r");
  await run.until("VM status: paused");
  await run.type("i /b 0x3ff\r");
  await run.until("portb[0x03ff] = 0x00");
  await run.type("cont\r\x01cx");
  await run.until("(trapring) ");
  await run.until("x");
  await run.type("\x01cquit\r");
  const { code, restored } = await run.end();
  assertEquals([code, restored], [130, true]);
});

for (const signal of ["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT"] as const) {
  ptyTest(`run on a terminal restores it at ${signal}`, async (folder) => {
    await guest(folder, ECHO);
    const run = new PtyRun(folder, "run", "guest.bin", ...FLAT);
    await run.until(">");
    run.kill(signal);
    const { code, restored } = await run.end();
    assertEquals([code, restored], [130, true]);
  });
}

ptyTest(
  "run -serial stdio on a terminal leaves Ctrl-A to the guest, Ctrl-C ends it",
  async (folder) => {
    await guest(folder, ECHO);
    const run = new PtyRun(folder, "run", "guest.bin", "-serial", "stdio", ...FLAT);
    await run.until(">");
    await run.type("\x01x");
    await run.until("\x01x");
    await run.type("\x03");
    const { code, restored } = await run.end();
    assertEquals([code, restored], [130, true]);
  },
);

ptyTest(
  "run -display text shows the VGA on the terminal and types on the keyboard",
  async (folder) => {
    await guest(folder, SCREEN);
    const run = new PtyRun(folder, "run", "guest.bin", "-display", "text", ...FLAT);
    await run.untilRow(0, "Hi");
    assertEquals(run.buffer, "alternate");
    await run.type("\x01h");
    await run.untilRow(1, "Ctrl-A x       quit");
    await run.type(" ");
    await run.untilRow(0, "Hi");
    await run.type(" ");
    const { code, restored } = await run.end();
    assertEquals([code, restored, run.buffer], [33, true, "normal"]);
  },
);

for (const { term, shows } of [{ term: "xterm", shows: true }, { term: "dumb", shows: false }]) {
  ptyTest(`compare ${shows ? "shows" : "hides"} its progress, TERM=${term}`, async (folder) => {
    await Deno.writeFile(`${folder}/a.img`, new Uint8Array(4096));
    const args = ["compare", "--disk", "a.img", "--count", "1"];
    const { code, text } = await new PtyRun({ folder, term }, ...args).end();
    assertEquals([code, text.includes("exits/s")], [0, shows]);
  });
}

// ---- without -----------------------------------------------------------------------------------

processTest("run without a terminal types what comes through a pipe", async (folder) => {
  await guest(folder, ECHO);
  const child = trapring(folder, ["run", "guest.bin", ...FLAT], "piped").spawn();
  const keys = child.stdin.getWriter();
  await keys.write(new TextEncoder().encode("one q"));
  await keys.close();
  const { code, stdout } = await child.output();
  assertEquals([code, new TextDecoder().decode(stdout)], [33, ">one q"]);
});

processTest("run types a file the same way every time", async (folder) => {
  await guest(folder, ECHO);
  await Deno.writeTextFile(`${folder}/keys`, "from a file q");
  const args = trapringArguments(["run", "guest.bin", "--load", "flat@0x100000", "--json"]);
  const run = () =>
    new Deno.Command("/bin/sh", {
      args: ["-c", 'exec "$@" < keys', "sh", Deno.execPath(), ...args],
      cwd: folder,
    }).output();
  const first = await run();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertStringIncludes(text(first.stderr), ">from a file q");
  assertEquals([first.code, text((await run()).stdout)], [33, text(first.stdout)]);
});

processTest("run goes on when its input has ended, the same every time", async (folder) => {
  await guest(folder, ECHO);
  const args = ["run", "guest.bin", "--load", "flat@0x100000", "--max-time", "1ms", "--json"];
  const first = await runTrapring(folder, ...args);
  assertEquals(first.code, 124);
  assertEquals(await runTrapring(folder, ...args), first);
});

processTest("run -serial file writes what the guest sends there, none nowhere", async (folder) => {
  await guest(
    folder,
    Uint8Array.of(0x66, 0xba, 0xf8, 0x03, 0xb0, 0x41, 0xee, 0xb0, 0x10, 0xe6, 0xf4),
  );
  const toFile = await runTrapring(folder, "run", "guest.bin", ...FLAT, "-serial", "file:a.log");
  assertEquals(toFile, { code: 33, stdout: "", stderr: "" });
  assertEquals(await Deno.readTextFile(`${folder}/a.log`), "A");
  const toNone = await runTrapring(folder, "run", "guest.bin", ...FLAT, "-serial", "none");
  assertEquals(toNone, { code: 33, stdout: "", stderr: "" });
  const nowhere = await runTrapring(
    folder,
    "run",
    "guest.bin",
    "-serial",
    "file:no/a.log",
    ...FLAT,
  );
  assertEquals(nowhere.code, 2);
  assertStringIncludes(nowhere.stderr, 'Cannot write serial output to "no/a.log"');
});

processTest(
  "run -display text without a terminal leaves the last screen behind",
  async (folder) => {
    await guest(folder, SCREEN);
    const args = ["run", "guest.bin", ...FLAT, "-display", "text", "--max-time", "1ms"];
    const { code, stdout } = await runTrapring(folder, ...args);
    assertEquals([code, stdout], [124, "Hi\n"]);
    assert(!stdout.includes("\x1b"));
  },
);

processTest("run attaches an image that the monitor is given on a pipe", async (folder) => {
  await guest(folder, Uint8Array.of(0xfb, 0xf4, 0xeb, 0xfd)); // sti; hlt; jmp
  for (const name of ["a.img", "b.img"]) {
    await Deno.writeFile(`${folder}/${name}`, new Uint8Array(4096));
  }
  const options = ["-machine", "xenfv", "-monitor", "stdio", "-serial", "none", "--disk", "a.img"];
  const child = trapring(folder, ["run", "guest.bin", ...FLAT, ...options], "piped").spawn();
  const keys = child.stdin.getWriter();
  const lines = [
    "block-attach b.img,raw,xvdb,ro",
    "block-attach c.img,raw,xvdc",
    "info block",
    "quit",
  ];
  await keys.write(new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")));
  const { code, stdout } = await child.output();
  await keys.close().catch(() => {});
  const text = new TextDecoder().decode(stdout);
  assertEquals(code, 130);
  assertStringIncludes(text, 'Cannot open disk image "c.img": no such file');
  assertStringIncludes(text, "ide0-hd0: a.img (8 sectors)\nxvdb: b.img (8 sectors, read-only)");
});
