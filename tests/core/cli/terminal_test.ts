import { assertEquals } from "@std/assert";
import { HostTerminal, type KeySource } from "../../../core/cli/terminal.ts";

/** Keys that come when the test says so, and what was done to their terminal. */
class FakeKeys implements KeySource {
  readonly isFile: boolean;
  readonly log: string[] = [];
  readonly #terminal: boolean;
  readonly #chunks: (Uint8Array | null | Error)[];
  #wake: () => void = () => {};

  constructor(kind: "terminal" | "pipe" | "file", ...chunks: (string | null | Error)[]) {
    this.isFile = kind === "file";
    this.#terminal = kind === "terminal";
    this.#chunks = chunks.map((chunk) =>
      typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk
    );
  }

  isTerminal(): boolean {
    return this.#terminal;
  }

  setRaw(raw: boolean, options?: { cbreak: boolean }): void {
    this.log.push(`${raw ? "raw" : "cooked"}${options?.cbreak ? " with signals" : ""}`);
  }

  async read(into: Uint8Array): Promise<number | null> {
    if (this.#chunks.length === 0) await new Promise<void>((resolve) => this.#wake = resolve);
    return this.readSync(into);
  }

  readSync(into: Uint8Array): number | null {
    const chunk = this.#chunks.shift() ?? null;
    if (chunk instanceof Error) throw chunk;
    if (chunk !== null) into.set(chunk);
    return chunk?.length ?? null;
  }

  /** Ends the input. */
  close(): void {
    this.#wake();
  }
}

/** A terminal on keys, and what it passes on. */
function hold(keys: KeySource, signals = false, hasRoom: () => boolean = () => true) {
  const typed: string[] = [];
  const input = (bytes: Uint8Array) => void typed.push(new TextDecoder().decode(bytes));
  const abandoned = () => void typed.push("abandoned");
  return { typed, terminal: new HostTerminal(keys, { signals, input, hasRoom, abandoned }) };
}

/** Lets everything happen that is due. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

Deno.test("HostTerminal makes a terminal raw and gives it back once", async () => {
  const keys = new FakeKeys("terminal", "a\x03");
  const { terminal, typed } = hold(keys);
  terminal.listen();
  await settle();
  assertEquals([keys.log, typed, terminal.isOpen], [["raw"], ["a\x03"], true]);
  terminal[Symbol.dispose]();
  terminal[Symbol.dispose]();
  assertEquals(keys.log, ["raw", "cooked"]);
  keys.close();
});

Deno.test("HostTerminal gives the terminal back when the process ends in between", () => {
  const keys = new FakeKeys("terminal");
  const { terminal, typed } = hold(keys);
  dispatchEvent(new Event("unload"));
  assertEquals([keys.log, typed], [["raw", "cooked"], ["abandoned"]]);
  terminal[Symbol.dispose]();
  dispatchEvent(new Event("unload"));
  assertEquals(typed, ["abandoned"]);
});

Deno.test("HostTerminal leaves signals to the system when it is told to", () => {
  const keys = new FakeKeys("terminal");
  using _terminal = hold(keys, true).terminal;
  assertEquals(keys.log, ["raw with signals"]);
});

Deno.test("HostTerminal does not touch what is no terminal, and sees its end", async () => {
  const keys = new FakeKeys("pipe", "a", "b", null);
  const { terminal, typed } = hold(keys);
  terminal.listen();
  await settle();
  terminal[Symbol.dispose]();
  assertEquals([keys.log, typed, terminal.isOpen], [[], ["a", "b"], false]);
});

Deno.test("HostTerminal takes a terminal that is gone for one that has ended", async () => {
  const keys = new FakeKeys("terminal", "a", new Error("Input/output error"));
  const { terminal, typed } = hold(keys);
  terminal.listen();
  await settle();
  assertEquals([typed, terminal.isOpen], [["a"], false]);
  terminal[Symbol.dispose]();
});

Deno.test("HostTerminal types a file at once", () => {
  const { terminal, typed } = hold(new FakeKeys("file", "one", "two", null));
  terminal.listen();
  assertEquals([typed, terminal.isOpen], [["one", "two"], false]);
});

Deno.test("HostTerminal keeps a pipe waiting while the guest has no room", async () => {
  const keys = new FakeKeys("pipe", "a", "b", null);
  let room = false;
  const { terminal, typed } = hold(keys, false, () => room);
  terminal.listen();
  await settle();
  assertEquals(typed, ["a"]);
  room = true;
  await new Promise((resolve) => setTimeout(resolve, 60));
  assertEquals(typed, ["a", "b"]);
  terminal[Symbol.dispose]();
});
