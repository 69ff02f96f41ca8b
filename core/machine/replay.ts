/**
 * What the host types: the only way in for anything that is not part of the configuration.
 *
 * An input is stamped with the virtual time at which it came and reaches the machine's end of its
 * line at that time, before anything else that is due then. The list of all stamps is everything
 * that a run depended on beside its configuration: given to another machine of the same
 * configuration, it gives the same run, byte for byte. A run in which nobody types needs none.
 *
 * Lines are slower than the host. Bytes wait at their end until the device has room, so that a file
 * that is fed to a serial port arrives whole.
 * @module
 */

import type { AccessSize, Clock, Ns, Timer } from "../types.ts";
import type { ToolstackCommand } from "./config.ts";

/**
 * A line on which a host can type: COM1, breaks on it (one for each byte), the keyboard as a
 * terminal's bytes mean it, or a Xen guest's hvc0.
 */
export type InputSource = "serial" | "break" | "keyboard" | "xenconsole";

/** Bytes that came on a line, and when. */
export interface RecordedBytes {
  /** Virtual time at which the machine stood when they came. */
  readonly at: Ns;
  /** The line. */
  readonly source: InputSource;
  /** What came. */
  readonly bytes: Uint8Array;
}

/** One access to the guest's ports by somebody outside, such as a monitor. */
export interface PortAccess {
  /** Where. */
  readonly port: number;
  /** Bytes. */
  readonly size: AccessSize;
  /** What is written; a read without. */
  readonly value?: number;
}

/** A port access, and when. */
export interface RecordedAccess extends PortAccess {
  /** Virtual time at which the machine stood. */
  readonly at: Ns;
  /** Not a line. */
  readonly source: "ports";
}

/** A command of the toolstack, and when. A disk that it attaches needs the same bytes again. */
export interface RecordedCommand {
  /** Virtual time at which the machine stood. */
  readonly at: Ns;
  /** Not a line. */
  readonly source: "toolstack";
  /** What was asked for. */
  readonly command: ToolstackCommand;
}

/** One thing that came from outside. */
export type RecordedInput = RecordedBytes | RecordedAccess | RecordedCommand;

/** The guest's ports. */
export interface PortSpace {
  read(port: number, size: AccessSize): number;
  write(port: number, size: AccessSize, value: number): void;
}

/** Who acts on what comes from outside on no line. */
export interface HostActors {
  readonly ports: PortSpace;
  readonly toolstack: { run(command: ToolstackCommand): void };
}

/** The device at the machine's end of a line. */
export interface InputSink {
  /** It would take a byte now without losing any. */
  readonly hasRoom: boolean;
  /** To be called when room has come about. Set by the line. */
  onRoom: () => void;
  /** Takes one byte. */
  receive(byte: number): void;
}

/** The ends of all lines. */
export type InputSinks = Readonly<Record<InputSource, InputSink>>;

/**
 * Time of one byte: ten bits at 115200 baud; a hundred keys a second; a pty is as fast as its
 * reader.
 */
const BYTE_TIME: Readonly<Record<InputSource, Ns>> = {
  serial: 86_806,
  break: 86_806,
  keyboard: 10_000_000,
  xenconsole: 10_000,
};

/** All lines of one machine, what has come in on them, and what is yet to come in a replay. */
export class HostInput {
  readonly #clock: Clock;
  readonly #lines: Readonly<Record<InputSource, Line>>;
  readonly #actors: HostActors;
  readonly #inputs: RecordedInput[] = [];
  /** Ends the vCPU's budget where a recorded input came. */
  readonly #arrival: Timer;
  #delivered = 0;

  /** @param recorded inputs of an earlier run, in their order */
  constructor(
    clock: Clock,
    sinks: InputSinks,
    actors: HostActors,
    recorded: readonly RecordedInput[] = [],
  ) {
    this.#clock = clock;
    this.#actors = actors;
    this.#lines = {
      serial: new Line(clock, "serial", sinks.serial),
      break: new Line(clock, "break", sinks.break),
      keyboard: new Line(clock, "keyboard", sinks.keyboard),
      xenconsole: new Line(clock, "xenconsole", sinks.xenconsole),
    };
    this.#inputs.push(...recorded);
    this.#arrival = clock.timer("host input", () => {});
    this.#awaitNext();
  }

  /** The machine has a new board. What its lines carry goes there. */
  connect(sinks: InputSinks): void {
    for (const source of Object.keys(sinks) as InputSource[]) {
      this.#lines[source].connect(sinks[source]);
    }
  }

  /** Everything that has come in or will. */
  get recorded(): readonly RecordedInput[] {
    return this.#inputs;
  }

  /** Bytes that have come in on a line and that its device has had no room for. */
  waiting(source: InputSource): number {
    return this.#lines[source].waiting;
  }

  /** Something has come in that {@link deliver} has not passed on. */
  get isDue(): boolean {
    const next = this.#inputs[this.#delivered];
    return next !== undefined && next.at <= this.#clock.now;
  }

  /** When something came in last, and was passed on. */
  get cameAt(): Ns {
    return this.#inputs[this.#delivered - 1]?.at ?? 0;
  }

  /** Stamps what has been typed. Between turns of the machine's loop; what is recorded comes first. */
  add(source: InputSource, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#inputs.push({ at: this.#clock.now, source, bytes: bytes.slice() });
    this.#inputs.sort((a, b) => a.at - b.at);
  }

  /** Accesses a port, behind everything that has come in. @returns what was read */
  access(access: PortAccess): number {
    this.deliver();
    this.#record({ ...access, at: this.#clock.now, source: "ports" });
    return this.#access(access);
  }

  /**
   * Asks the toolstack, behind everything that has come in.
   * @throws {UsageError} when it refuses; then nothing has come in
   */
  command(command: ToolstackCommand): void {
    this.deliver();
    this.#actors.toolstack.run(command);
    this.#record({ at: this.#clock.now, source: "toolstack", command });
  }

  /** Passes on what is due, at the begin of a turn. */
  deliver(): void {
    while (this.isDue) {
      const input = this.#inputs[this.#delivered++]!;
      if (input.source === "ports") this.#access(input);
      else if (input.source === "toolstack") this.#actors.toolstack.run(input.command);
      else this.#lines[input.source].carry(input.bytes);
    }
    this.#awaitNext();
  }

  #record(input: RecordedInput): void {
    this.#inputs.splice(this.#delivered++, 0, input);
  }

  #access({ port, size, value }: PortAccess): number {
    const { ports } = this.#actors;
    if (value === undefined) return ports.read(port, size);
    ports.write(port, size, value);
    return value;
  }

  #awaitNext(): void {
    const next = this.#inputs[this.#delivered];
    if (next === undefined) this.#arrival.cancel();
    else this.#arrival.armAt(next.at);
  }
}

/** One line: bytes on their way to a device. */
class Line {
  #sink!: InputSink;
  readonly #byteTime: Ns;
  readonly #timer: Timer;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(clock: Clock, source: InputSource, sink: InputSink) {
    this.#byteTime = BYTE_TIME[source];
    this.#timer = clock.timer(`${source} line`, () => this.#arrive());
    this.connect(sink);
  }

  connect(sink: InputSink): void {
    this.#sink = sink;
    sink.onRoom = () => this.#send();
    this.#send();
  }

  get waiting(): number {
    return this.#bytes.length;
  }

  carry(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.#bytes.length + bytes.length);
    joined.set(this.#bytes);
    joined.set(bytes, this.#bytes.length);
    this.#bytes = joined;
    this.#send();
  }

  /** Puts the next byte on the wire, unless one is on it or the device holds the sender back. */
  #send(): void {
    const held = this.#bytes.length === 0 || !this.#sink.hasRoom;
    if (!held && this.#timer.deadline === undefined) this.#timer.armAfter(this.#byteTime);
  }

  #arrive(): void {
    if (!this.#sink.hasRoom) return;
    this.#sink.receive(this.#bytes[0]!);
    this.#bytes = this.#bytes.subarray(1);
    this.#send();
  }
}
