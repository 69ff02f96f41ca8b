import { assertEquals, assertStringIncludes } from "@std/assert";
import { type Channel, ConsoleMux } from "../../../core/cli/console_mux.ts";

/** Two channels that write down what happens to them. */
function twoChannels() {
  const log: string[] = [];
  const channel = (name: string): Channel => ({
    name,
    input: (bytes) => log.push(`${name}<${String.fromCharCode(...bytes)}`),
    show: (inFront) => log.push(`${name} ${inFront ? "shown" : "hidden"}`),
  });
  const serial = { ...channel("serial"), sendBreak: () => log.push("break") };
  const mux = new ConsoleMux([serial, channel("monitor")], {
    write: (text) => log.push(text),
    quit: () => log.push("quit"),
  });
  const type = (text: string) => {
    log.length = 0;
    mux.input(Uint8Array.from(text, (c) => c.charCodeAt(0)));
    return log.slice();
  };
  return { type };
}

/** What is typed, and what comes of it. */
const TYPED: readonly (readonly [string, string, readonly string[]])[] = [
  ["passes on what it does not know", "ls\r\x03\x1b[A", ["serial<ls\r\x03\x1b[A"]],
  ["sends Ctrl-A when it is typed twice", "a\x01\x01b", ["serial<a", "serial<\x01", "serial<b"]],
  ["quits at Ctrl-A x", "a\x01xb", ["serial<a", "quit", "serial<b"]],
  ["swallows an unknown letter behind Ctrl-A", "\x01zb", ["serial<b"]],
  ["sends a break at Ctrl-A b", "\x01b", ["break"]],
  [
    "switches at Ctrl-A c, and back",
    "a\x01cb\x01cc",
    ["serial<a", "serial hidden", "monitor shown", "monitor<b"]
      .concat("monitor hidden", "serial shown", "serial<c"),
  ],
];

for (const [what, typed, wanted] of TYPED) {
  Deno.test(`ConsoleMux.input() ${what}`, () => {
    assertEquals(twoChannels().type(typed), wanted);
  });
  Deno.test(`ConsoleMux.input() ${what}, in single bytes too`, () => {
    const { type } = twoChannels();
    const bytes = (log: readonly string[]) => log.join("").replaceAll(/(serial|monitor)</g, "");
    assertEquals(bytes([...typed].flatMap(type)), bytes(wanted));
  });
}

Deno.test("ConsoleMux.input() answers Ctrl-A h with every command that there is", () => {
  const [help = ""] = twoChannels().type("\x01h");
  for (const line of ["Ctrl-A x ", "switch between serial, monitor", "Ctrl-A b "]) {
    assertStringIncludes(help, line);
  }
});
