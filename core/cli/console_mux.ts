/**
 * Several channels on one terminal: keys go to the one in front, Ctrl-A and a letter to us.
 * The letters are QEMU's (its character device "mux").
 * @module
 */

/** One of those who share the terminal. */
export interface Channel {
  /** As help calls it. */
  readonly name: string;
  /** Takes what the user typed. */
  input(bytes: Uint8Array): void;
  /** Has come to the front, or left it. */
  show?(inFront: boolean): void;
  /** Sends a break over the line. */
  sendBreak?(): void;
}

/** What the escapes act on. */
export interface MuxHost {
  write(text: string): void;
  quit(): void;
}

const CTRL_A = 0x01;

/** Splits what is typed. */
export class ConsoleMux {
  readonly #channels: readonly Channel[];
  readonly #host: MuxHost;
  #front = 0;
  #escaped = false;

  /** @param channels at least one; the first has the keys */
  constructor(channels: readonly Channel[], host: MuxHost) {
    this.#channels = channels;
    this.#host = host;
    this.front.show?.(true);
  }

  /** Who has the keys. */
  get front(): Channel {
    return this.#channels[this.#front]!;
  }

  /** Takes what has been typed, in any pieces. */
  input(bytes: Uint8Array): void {
    let start = 0;
    for (let at = 0; at < bytes.length; at++) {
      if (this.#escaped) {
        this.#escaped = false;
        start = at + 1;
        this.#command(bytes[at]!);
      } else if (bytes[at] === CTRL_A) {
        this.#pass(bytes.subarray(start, at));
        start = at + 1;
        this.#escaped = true;
      }
    }
    this.#pass(bytes.subarray(start));
  }

  #pass(bytes: Uint8Array): void {
    if (bytes.length > 0) this.front.input(bytes);
  }

  #command(key: number): void {
    if (key === CTRL_A) this.#pass(Uint8Array.of(CTRL_A));
    else {
      switch (String.fromCharCode(key)) {
        case "h":
        case "?":
          return this.#host.write(this.#help());
        case "x":
          return this.#host.quit();
        case "c":
          return this.#switch();
        case "b":
          return this.front.sendBreak?.();
      }
    }
  }

  #switch(): void {
    if (this.#channels.length === 1) return;
    this.front.show?.(false);
    this.#front = (this.#front + 1) % this.#channels.length;
    this.front.show?.(true);
  }

  #help(): string {
    const names = this.#channels.map(({ name }) => name).join(", ");
    const lines = [
      "",
      "Ctrl-A h       this help",
      "Ctrl-A x       quit",
      ...this.#channels.length > 1 ? [`Ctrl-A c       switch between ${names}`] : [],
      ...this.front.sendBreak ? ["Ctrl-A b       send break (magic sysrq)"] : [],
      "Ctrl-A Ctrl-A  send Ctrl-A",
      "",
    ];
    return lines.join("\n");
  }
}
