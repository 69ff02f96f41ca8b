/**
 * The guest's console: its serial port, its hvc0, the monitor and its screen on the user's terminal.
 *
 * On a terminal the guest's clock keeps to the host's and every key goes to the guest, Ctrl-C too;
 * Ctrl-A x ends the run. Where standard input is a file, a pipe or nothing, the guest runs as fast
 * as it can, and goes on when the input has ended.
 * @module
 */

import type { RunHooks } from "../machine/host_loop.ts";
import type { Machine } from "../machine/machine.ts";
import { TOOL } from "../version.ts";
import { MonitorChannel } from "./console_monitor.ts";
import { type Channel, ConsoleMux } from "./console_mux.ts";
import type { ConsoleOptions } from "./console_options.ts";
import { ScreenChannel } from "./console_screen.ts";
import { giveWay } from "./event_loop.ts";
import type { OpenDrive, OpenVbd } from "./open_drives.ts";
import { type ByteStream, createFile, SerialSink, type Streams, writeText } from "./output.ts";
import { HostTerminal } from "./terminal.ts";

/** Bytes on their way to a guest that does not read them, until a pipe has to wait. */
const ROOM_BYTES = 65536;
const NEWLINE = 0x0a;
/** Of a terminal that does not say. */
const USUAL_ROWS = 24;

/** Lines that end at a console. */
const GUEST_LINES = ["serial", "xenconsole"] as const;
/** One of them. */
type GuestLine = typeof GUEST_LINES[number];

/** What a run tells its console at the start. */
export interface ConsoleParts {
  readonly options: ConsoleOptions;
  readonly streams: Streams;
  /** Where the terminal's half of the console goes; standard output unless JSON does. */
  readonly output: ByteStream;
  /** That is a terminal. */
  readonly outputIsTerminal: boolean;
  /** Those that the machine starts with. */
  readonly drives: readonly OpenDrive[];
  /** Opens the image of a disk specification that the user gives the monitor. */
  readonly openVbd: (spec: string) => OpenVbd;
  /** No words of our own. */
  readonly quiet: boolean;
}

/** The console of one run. Opens the files it writes to when it is made. */
export class GuestConsole {
  readonly #parts: ConsoleParts;
  /** By where bytes come from; two may share one. */
  readonly #sinks: Readonly<Record<GuestLine, SerialSink | undefined>>;
  /** The sink whose output the terminal shows. */
  readonly #shown: SerialSink | undefined;
  /** Where keys go: the guest's console is the one on which it has printed last. */
  #line: GuestLine;
  readonly #isInteractive: boolean;
  #terminal: HostTerminal | undefined;
  #screen: ScreenChannel | undefined;
  #monitor: MonitorChannel | undefined;
  #lastByte = NEWLINE;
  #quit = false;
  #paused = false;

  constructor(parts: ConsoleParts) {
    const { options, streams, output } = parts;
    this.#parts = parts;
    this.#sinks = openSinks(options, output);
    this.#shown = this.#hasTerminal("serial") ? this.#sinks.serial : this.#sinks.xenconsole;
    this.#line = this.#hasTerminal("serial") ? "serial" : "xenconsole";
    this.#isInteractive = this.#usesTerminal() && streams.stdin?.isTerminal() === true;
  }

  /** The user may name files while the guest runs: to write to, or to attach. */
  get usesFiles(): boolean {
    const { monitor, monitorWanted } = this.#parts.options;
    return monitor && (monitorWanted || this.#isInteractive);
  }

  /**
   * A byte that the guest has sent.
   * @param line how; absent when it is nothing that the user could answer
   */
  push(byte: number, line?: GuestLine): void {
    const sink = this.#sinks[line ?? "serial"];
    if (sink === this.#shown) this.#lastByte = byte;
    if (line !== undefined && this.#hasTerminal(line)) this.#line = line;
    sink?.push(byte);
  }

  /** What the toolstack has to say some time after it was asked. */
  tell(line: string): void {
    if (this.#monitor !== undefined) this.#monitor.tell(line);
    else writeText(this.#parts.streams.stderr, `${line}\n`);
  }

  /** Shows what the guest has sent, as soon as its screen does not hide it. */
  flush(): void {
    this.#screen?.update();
    for (const line of GUEST_LINES) {
      const isHidden = this.#hasTerminal(line) && this.#screen?.ownsTerminal;
      if (!isHidden) this.#sinks[line]?.flush();
    }
  }

  /** What a machine's run asks its console. */
  hooks(): RunHooks {
    return {
      interrupted: () => this.#quit,
      paused: () => this.#paused,
      paced: () => this.#isInteractive,
      listening: () => this.#terminal?.isOpen === true,
      giveWay,
    };
  }

  /** Takes the terminal for a machine; disposing gives it back. */
  connect(machine: Machine): Disposable {
    const { options, streams, quiet } = this.#parts;
    const { stdin } = streams;
    if (stdin === undefined || !this.#usesTerminal()) return { [Symbol.dispose]: () => {} };
    const terminal = this.#terminal = new HostTerminal(stdin, {
      signals: !options.escapes,
      input: (bytes) => options.escapes ? mux.input(bytes) : mux.front.input(bytes),
      hasRoom: () => machine.waitingInput(this.#line) < ROOM_BYTES,
      abandoned: () => this.#screen?.show(false),
    });
    if (this.#isInteractive && options.escapes && !quiet) {
      writeText(streams.stderr, `${TOOL}: Ctrl-A h for help, Ctrl-A x to quit\n`);
    }
    const mux = new ConsoleMux(this.#channels(machine), {
      write: (text) => this.#screen?.ownsTerminal ? this.#screen.cover(text) : this.#write(text),
      quit: () => this.#quit = true,
    });
    terminal.listen();
    return { [Symbol.dispose]: () => this.#disconnect() };
  }

  #usesTerminal(): boolean {
    const { monitor, screen } = this.#parts.options;
    return GUEST_LINES.some((line) => this.#hasTerminal(line)) || monitor || screen;
  }

  /** The terminal is that line's other end. */
  #hasTerminal(line: GuestLine): boolean {
    const { serial, xenConsole } = this.#parts.options;
    if (line === "serial" || xenConsole === "serial") return serial === "terminal";
    return xenConsole === "terminal";
  }

  /** Those that share the terminal; who has the keys at the start is the first. */
  #channels(machine: Machine): Channel[] {
    const { monitor, screen, front } = this.#parts.options;
    const channels: Channel[] = [];
    if (screen) channels.push(this.#screen = this.#makeScreen(machine));
    if (GUEST_LINES.some((line) => this.#hasTerminal(line))) {
      channels.push({
        name: "serial",
        input: (bytes) => machine.input(this.#line, bytes),
        sendBreak: () => machine.input("break", Uint8Array.of(0)),
      });
    }
    if (monitor) channels.push(this.#makeMonitor(machine));
    return channels.sort((a, b) => Number(b.name === front) - Number(a.name === front));
  }

  #makeScreen(machine: Machine): ScreenChannel {
    const { output, outputIsTerminal } = this.#parts;
    return new ScreenChannel(machine, {
      isLive: outputIsTerminal,
      colours: !Deno.noColor,
      rows: () => Deno.consoleSize().rows || USUAL_ROWS,
      write: (text) => writeText(output, text),
    });
  }

  #makeMonitor(machine: Machine): Channel {
    return this.#monitor = new MonitorChannel({
      machine,
      drives: this.#parts.drives,
      openVbd: this.#parts.openVbd,
      write: (text) => this.#write(text),
      isPaused: () => this.#paused,
      setPaused: (paused) => this.#paused = paused,
      quit: () => this.#quit = true,
    });
  }

  /** In the order in which the guest's bytes and ours came about. */
  #write(text: string): void {
    this.flush();
    writeText(this.#parts.output, text);
  }

  #disconnect(): void {
    this.#screen?.close();
    this.flush();
    this.#terminal?.[Symbol.dispose]();
    if (this.#isInteractive && this.#lastByte !== NEWLINE) this.#write("\n");
  }
}

/** Opens the files; what is on the terminal shares one sink. */
function openSinks(
  { serial, xenConsole }: ConsoleOptions,
  output: ByteStream,
): Readonly<Record<GuestLine, SerialSink | undefined>> {
  const terminal = new SerialSink(output);
  const open = (target: ConsoleOptions["serial"], what: string) => {
    if (target === "none") return undefined;
    if (target === "terminal") return terminal;
    const { file } = target;
    return new SerialSink(createFile(`Cannot write ${what} output to "${file}"`, file));
  };
  const com1 = open(serial, "serial");
  return {
    serial: com1,
    xenconsole: xenConsole === "serial" ? com1 : open(xenConsole, "-xenconsole"),
  };
}
