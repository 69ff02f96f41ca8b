/**
 * The guest's console: its serial port, the monitor and its screen on the user's terminal.
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
import { type ByteStream, createFile, SerialSink, type Streams, writeText } from "./output.ts";
import { HostTerminal } from "./terminal.ts";

/** Bytes on their way to a guest that does not read them, until a pipe has to wait. */
const ROOM_BYTES = 65536;
const NEWLINE = 0x0a;
/** Of a terminal that does not say. */
const USUAL_ROWS = 24;

/** What a run tells its console at the start. */
export interface ConsoleParts {
  readonly options: ConsoleOptions;
  readonly streams: Streams;
  /** Where the terminal's half of the console goes; standard output unless JSON does. */
  readonly output: ByteStream;
  /** That is a terminal. */
  readonly outputIsTerminal: boolean;
  /** What the monitor says of the drives. */
  readonly drives: readonly string[];
  /** No words of our own. */
  readonly quiet: boolean;
}

/** The console of one run. Opens the files it writes to when it is made. */
export class GuestConsole {
  readonly #parts: ConsoleParts;
  readonly #serial: SerialSink | undefined;
  readonly #isInteractive: boolean;
  #terminal: HostTerminal | undefined;
  #screen: ScreenChannel | undefined;
  #lastByte = NEWLINE;
  #quit = false;
  #paused = false;

  constructor(parts: ConsoleParts) {
    const { options, streams, output } = parts;
    this.#parts = parts;
    const stream = serialStream(options, output);
    this.#serial = stream && new SerialSink(stream);
    this.#isInteractive = this.#usesTerminal() && streams.stdin?.isTerminal() === true;
  }

  /** The user may name files to write to while the guest runs. */
  get writesFiles(): boolean {
    const { monitor, monitorWanted } = this.#parts.options;
    return monitor && (monitorWanted || this.#isInteractive);
  }

  /** A byte that the guest has sent. */
  push(byte: number): void {
    this.#lastByte = byte;
    this.#serial?.push(byte);
  }

  /** Shows what the guest has sent, as soon as its screen does not hide it. */
  flush(): void {
    this.#screen?.update();
    const isHidden = this.#parts.options.serial === "terminal" && this.#screen?.ownsTerminal;
    if (!isHidden) this.#serial?.flush();
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
      hasRoom: () => machine.waitingInput("serial") < ROOM_BYTES,
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
    const { serial, monitor, screen } = this.#parts.options;
    return serial === "terminal" || monitor || screen;
  }

  /** Those that share the terminal; who has the keys at the start is the first. */
  #channels(machine: Machine): Channel[] {
    const { serial, monitor, screen, front } = this.#parts.options;
    const channels: Channel[] = [];
    if (screen) channels.push(this.#screen = this.#makeScreen(machine));
    if (serial === "terminal") {
      channels.push({
        name: "serial",
        input: (bytes) => machine.input("serial", bytes),
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
    return new MonitorChannel({
      machine,
      drives: this.#parts.drives,
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

function serialStream({ serial }: ConsoleOptions, output: ByteStream): ByteStream | undefined {
  if (serial === "none") return undefined;
  if (serial === "terminal") return output;
  const { file } = serial;
  return createFile(`Cannot write serial output to "${file}"`, file);
}
