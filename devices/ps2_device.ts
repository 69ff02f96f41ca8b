/**
 * What a keyboard and a mouse have in common on their PS/2 cables: commands of one byte, some with
 * a parameter, an acknowledge for each byte, and a queue of what the device has to say. Bytes take
 * no time on the cable.
 * Source: IBM PS/2 Hardware Interface Technical Reference, keyboard and mouse.
 * @module
 */

/** The byte was understood. */
export const ACK = 0xfa;
/** The byte was not understood: say it again. */
export const RESEND = 0xfe;
/** A self-test has passed. */
export const SELF_TEST_PASSED = 0xaa;

/** The device at the end of a cable, as the controller sees it. */
export interface Ps2Peer {
  /** There is a byte for the host. */
  readonly hasOutput: boolean;
  /** Called when {@link hasOutput} has become true without a byte from the host. */
  onOutput: () => void;
  /** The oldest byte for the host. Only while there is one. */
  takeOutput(): number;
  /** A byte from the host. */
  receive(byte: number): void;
}

/** A device with commands. */
export abstract class Ps2Device implements Ps2Peer {
  /** Answers to the last command; they go before reports. */
  readonly #answers: number[] = [];
  /** What the device tells of its own accord. */
  readonly #reports: number[] = [];
  #lastSent = 0;
  /** The command whose parameter comes next. */
  #command: number | undefined;
  onOutput: () => void = () => {};

  /** Executes a command, or says `"parameter"` when the next byte belongs to it. */
  protected abstract execute(command: number): "parameter" | undefined;

  /** Executes a command that takes a parameter. */
  protected abstract executeWith(command: number, parameter: number): void;

  get hasOutput(): boolean {
    return this.#answers.length > 0 || this.#reports.length > 0;
  }

  takeOutput(): number {
    this.#lastSent = this.#answers.shift() ?? this.#reports.shift() ?? this.#lastSent;
    return this.#lastSent;
  }

  receive(byte: number): void {
    this.#answers.length = 0;
    const command = this.#command;
    this.#command = undefined;
    if (command !== undefined) this.executeWith(command, byte);
    else if (this.execute(byte) === "parameter") this.#command = byte;
  }

  /** Bytes reported and not yet taken. */
  protected get waitingReports(): number {
    return this.#reports.length;
  }

  /** Answers a command. */
  protected answer(...bytes: readonly number[]): void {
    this.#answers.push(...bytes);
  }

  /** Answers with the byte that went before. */
  protected answerAgain(): void {
    this.#answers.push(this.#lastSent);
  }

  /** Says something without having been asked. */
  protected report(bytes: readonly number[]): void {
    this.#reports.push(...bytes);
    this.onOutput();
  }

  /** Forgets what has not been taken. */
  protected dropReports(): void {
    this.#reports.length = 0;
  }
}
