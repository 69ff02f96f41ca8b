/**
 * The monitor: commands that look at a machine, stop it and let it go on, by QEMU's names.
 * Source: documentation of QEMU 7.2, "QEMU Monitor"; wording of its answers as it prints them.
 * @module
 */

import { hex } from "../bits.ts";
import type { ToolstackCommand } from "../machine/config.ts";
import type { Inspector } from "../machine/inspect.ts";
import type { AccessSize } from "../types.ts";
import {
  codeLines,
  dumpLines,
  type Format,
  linearView,
  parseFormat,
  physicalView,
  type View,
} from "./examine.ts";
import { Expression } from "./expression.ts";
import { MonitorError } from "./monitor_error.ts";
import { TOOLSTACK_VERBS } from "./toolstack_commands.ts";
import { refuseRest, takeOptions, wordsOf } from "./words.ts";

/** One `info`. */
export interface Topic {
  readonly help: string;
  lines(): readonly string[];
}

/** What the monitor acts on beside the machine itself. */
export interface MonitorHost {
  readonly inspector: Inspector;
  /** Topics of `info` that need more than an inspector. */
  readonly topics: Readonly<Record<string, Topic>>;
  stop(): void;
  cont(): void;
  quit(): void;
  /** Asks for something. @returns why it cannot be had; nothing otherwise */
  toolstack(command: ToolstackCommand): readonly string[];
  /** Attaches a virtual disk. @returns why it cannot be had; nothing otherwise */
  attach(spec: string): readonly string[];
  /** The screen as text; `undefined` when there is none. */
  screen(): readonly string[] | undefined;
  /** @throws {Error} when the host refuses, with what it says */
  writeFile(path: string, text: string): void;
}

interface Command {
  readonly usage: string;
  readonly help: string;
  /** @param text the arguments @param format what stood in front of them behind a slash */
  run(text: string, format: string): readonly string[];
}

const COMMAND = /^\s*([a-z_?][a-z0-9_?-]*)\s*(.*?)\s*$/is;
const FORMAT = /^\/(\S*)\s*(.*)$/s;
const PORT_LETTERS: Readonly<Record<number, string>> = { 1: "b", 2: "w", 4: "l" };
/** Of `x`, until told otherwise. */
const WORDS: Format = { count: 1, letter: "x", size: 4 };

/** One user's monitor: remembers the format of the last `x`. */
export class Monitor {
  readonly #host: MonitorHost;
  readonly #commands: Readonly<Record<string, Command>>;
  readonly #topics: Readonly<Record<string, Topic>>;
  #format = WORDS;

  constructor(host: MonitorHost) {
    this.#host = host;
    this.#commands = this.#makeCommands();
    this.#topics = { ...inspectorTopics(host.inspector), ...host.topics };
  }

  /** Names that a user may mean by the begin of a line: commands, or topics behind `info`. */
  complete(line: string): readonly string[] {
    const [, word] = /^\s*info\s+(\S*)$/.exec(line) ?? [];
    const names = word === undefined ? this.#commands : this.#topics;
    const start = word ?? line.trimStart();
    return Object.keys(names).filter((name) => name.startsWith(start)).sort();
  }

  /** Runs one line. @returns what it answers, line by line */
  execute(line: string): readonly string[] {
    const [, name = "", rest = ""] = COMMAND.exec(line) ?? [];
    if (line.trim() === "") return [];
    const command = Object.hasOwn(this.#commands, name) ? this.#commands[name] : undefined;
    if (command === undefined) return [`unknown command: '${line.trim()}'`];
    const hasFormat = command.usage.includes("/fmt");
    const [, format = "", text = rest] = hasFormat ? FORMAT.exec(rest) ?? [] : [];
    try {
      return command.run(text, format);
    } catch (error) {
      if (!(error instanceof MonitorError)) throw error;
      return [error.message, `Try "help ${name}" for more information`];
    }
  }

  #makeCommands(): Readonly<Record<string, Command>> {
    const host = this.#host;
    const { inspector } = host;
    const act = (action: () => void) => (text: string) => {
      this.#arguments(text, 0);
      action();
      return [];
    };
    const help = (text: string) => this.#help(text);
    return {
      "?": { usage: "? [cmd]", help: "show the help", run: help },
      help: { usage: "help [cmd]", help: "show the help", run: help },
      info: {
        usage: "info [subcommand]",
        help: "show various information about the system state",
        run: (text) => this.#info(text),
      },
      x: {
        usage: "x /fmt addr",
        help: "virtual memory dump starting at 'addr'",
        run: (text, format) => this.#examine(linearView(inspector), format, text),
      },
      xp: {
        usage: "xp /fmt addr",
        help: "physical memory dump starting at 'addr'",
        run: (text, format) => this.#examine(physicalView(inspector), format, text),
      },
      i: {
        usage: "i /fmt addr",
        help: "I/O port read",
        run: (text, format) => this.#in(format, text),
      },
      o: {
        usage: "o /fmt addr value",
        help: "I/O port write",
        run: (text, format) => this.#out(format, text),
      },
      print: {
        usage: "print expr",
        help: "print expression value (use $reg for CPU register access)",
        run: (text) => this.#arguments(text, 1).map(String),
      },
      gva2gpa: {
        usage: "gva2gpa addr",
        help: "print the guest physical address corresponding to a guest virtual address",
        run: (text) => this.#translate(text),
      },
      screendump: {
        usage: "screendump [file]",
        help: "save the text screen to a file, or show it",
        run: (text) => this.#screendump(text),
      },
      "xenstore-ls": {
        usage: "xenstore-ls [-f] [-p] [path]",
        help: "list xenstore: -f whole paths, -p permissions",
        run: (text) => this.#listStore(text),
      },
      "block-attach": {
        usage: "block-attach F[,raw],VDEV[,rw|ro]",
        help: "connect image F as virtual disk VDEV, such as xvdb; takes what --disk takes",
        run: (text) => this.#attach(text),
      },
      "block-list": {
        usage: "block-list",
        help: "list the virtual disks of the domain",
        run: (text) => this.#arguments(text, 0) && inspector.blockList(),
      },
      grants: {
        usage: "grants",
        help: "list the grants that are in use, as Xen's key g",
        run: (text) => this.#arguments(text, 0) && inspector.grants(),
      },
      ...toolstackCommands(host),
      stop: { usage: "stop", help: "stop emulation", run: act(() => host.stop()) },
      cont: { usage: "cont", help: "resume emulation", run: act(() => host.cont()) },
      c: { usage: "c", help: "resume emulation", run: act(() => host.cont()) },
      quit: { usage: "quit", help: "quit the emulator", run: act(() => host.quit()) },
      q: { usage: "q", help: "quit the emulator", run: act(() => host.quit()) },
    };
  }

  #help(text: string): string[] {
    const line = ({ usage, help }: Command) => `${usage} -- ${help}`;
    if (text === "info") return this.#topicLines();
    if (text === "") return Object.values(this.#commands).map(line);
    const command = Object.hasOwn(this.#commands, text) ? this.#commands[text] : undefined;
    return command ? [line(command)] : [`unknown command: '${text}'`];
  }

  #info(text: string): readonly string[] {
    if (text === "") return this.#topicLines();
    const topic = Object.hasOwn(this.#topics, text) ? this.#topics[text] : undefined;
    return topic ? topic.lines() : [`unknown command: 'info ${text}'`];
  }

  #topicLines(): string[] {
    return Object.entries(this.#topics).sort()
      .map(([name, { help }]) => `info ${name} -- ${help}`);
  }

  #examine(view: View, text: string, address: string): string[] {
    const format = this.#format = parseFormat(text, this.#format);
    const [start = 0] = this.#arguments(address, 1);
    return format.letter === "i"
      ? codeLines(this.#host.inspector, view, start, format.count)
      : dumpLines(view, start, format);
  }

  #in(format: string, text: string): string[] {
    const size = portSize(format);
    const [port = 0] = this.#arguments(text, 1);
    const value = this.#host.inspector.readPort(port & 0xffff, size);
    const name = `port${PORT_LETTERS[size]}[0x${hex(port & 0xffff, 4)}]`;
    return [`${name} = 0x${hex(value, size * 2)}`];
  }

  #out(format: string, text: string): string[] {
    const size = portSize(format);
    const [port = 0, value = 0] = this.#arguments(text, 2);
    const mask = size === 4 ? 0xffffffff : 2 ** (8 * size) - 1;
    this.#host.inspector.writePort(port & 0xffff, size, (value & mask) >>> 0);
    return [];
  }

  #translate(text: string): string[] {
    const [linear = 0] = this.#arguments(text, 1);
    const gpa = this.#host.inspector.linearToGpa(linear);
    return [gpa === undefined ? "Unmapped" : `gpa: 0x${gpa.toString(16)}`];
  }

  #listStore(text: string): readonly string[] {
    const { options, rest: [path = "/", ...rest] } = takeOptions(wordsOf(text), ["-f", "-p"]);
    refuseRest(rest.join(" "));
    const style = { full: options.has("-f"), permissions: options.has("-p") };
    return this.#host.inspector.xenstore(path, style);
  }

  #attach(spec: string): readonly string[] {
    if (spec === "") throw new MonitorError("wanted a disk specification");
    return this.#host.attach(spec);
  }

  #screendump(path: string): readonly string[] {
    const lines = this.#host.screen();
    if (lines === undefined) throw new MonitorError("there is no screen");
    if (path === "") return lines;
    try {
      this.#host.writeFile(path, lines.map((line) => `${line.trimEnd()}\n`).join(""));
      return [];
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return [`Error: Could not open '${path}': ${reason}`];
    }
  }

  /** Expressions, one behind the other. */
  #arguments(text: string, count: number): number[] {
    const register = (name: string) => this.#host.inspector.register(name);
    const values: number[] = [];
    let at = 0;
    for (let i = 0; i < count; i++) {
      const expression = new Expression(text, at, register);
      values.push(expression.value());
      at = expression.end;
    }
    const rest = text.slice(at).trim();
    refuseRest(rest);
    return values;
  }
}

function toolstackCommands(host: MonitorHost): Record<string, Command> {
  const commands = Object.entries(TOOLSTACK_VERBS).map(([name, { usage, help, parse }]) => {
    const run: Command["run"] = (text) => host.toolstack(parse(wordsOf(text)));
    return [name, { usage, help, run }] as const;
  });
  return Object.fromEntries(commands);
}

/** Ports have no 8-byte items: a word, as QEMU's `w` says, is 4 bytes. */
function portSize(text: string): AccessSize {
  const { size } = parseFormat(text, WORDS);
  if (size === 8) throw new MonitorError("a port access has 1, 2 or 4 bytes");
  return size as AccessSize;
}

function inspectorTopics(inspector: Inspector): Readonly<Record<string, Topic>> {
  return {
    registers: { help: "show the cpu registers", lines: () => inspector.registers() },
    pic: { help: "show PIC state", lines: () => inspector.pic() },
    lapic: { help: "show local apic state", lines: () => inspector.localApic() },
    irq: { help: "show the interrupts statistics", lines: () => inspector.irq() },
    pci: { help: "show PCI info", lines: () => inspector.pci() },
    blockstats: {
      help: "show block device statistics, as iostat -x",
      lines: () => inspector.blockStats(),
    },
  };
}
