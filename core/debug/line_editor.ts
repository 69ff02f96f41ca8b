/**
 * A line that is being typed on a raw terminal, with the keys of readline that everybody uses.
 * @module
 */

/** What the editor does with a line. */
export interface LineUser {
  readonly prompt: string;
  /** Puts text on the terminal. */
  write(text: string): void;
  /** Takes a finished line. */
  line(text: string): void;
  /** What the begin of a line may become. */
  complete(line: string): readonly string[];
}

const HISTORY_LINES = 100;
const ESC = "\x1b";
/** Clears a terminal's line from the cursor on. */
export const CLEAR_TO_END: string = `${ESC}[K`;

/** A key: what arrives, and what it does. */
type Action = (editor: LineEditor) => void;

/** One user's line, and those before it. */
export class LineEditor {
  static readonly #KEYS: Readonly<Record<string, Action>> = {
    "\r": (editor) => editor.#finish(),
    "\n": (editor) => editor.#finish(),
    "\t": (editor) => editor.#complete(),
    "\x7f": (editor) => editor.#erase(editor.#left, editor.#cursor),
    "\b": (editor) => editor.#erase(editor.#left, editor.#cursor),
    "\x03": (editor) => editor.#abandon(),
    "\x04": (editor) => editor.#erase(editor.#cursor, editor.#right),
    "\x15": (editor) => editor.#erase(0, editor.#cursor),
    "\x0b": (editor) => editor.#erase(editor.#cursor, editor.#text.length),
    "\x17": (editor) => editor.#erase(editor.#wordStart(), editor.#cursor),
    "\x01": (editor) => editor.#move(0),
    "\x05": (editor) => editor.#move(editor.#text.length),
    "\x02": (editor) => editor.#move(editor.#left),
    "\x06": (editor) => editor.#move(editor.#right),
    "\x10": (editor) => editor.#recall(-1),
    "\x0e": (editor) => editor.#recall(1),
    "\x0c": (editor) => editor.#clearScreen(),
    "\x1b[A": (editor) => editor.#recall(-1),
    "\x1b[B": (editor) => editor.#recall(1),
    "\x1b[C": (editor) => editor.#move(editor.#right),
    "\x1b[D": (editor) => editor.#move(editor.#left),
    "\x1b[H": (editor) => editor.#move(0),
    "\x1b[F": (editor) => editor.#move(editor.#text.length),
    "\x1b[1~": (editor) => editor.#move(0),
    "\x1b[4~": (editor) => editor.#move(editor.#text.length),
    "\x1b[3~": (editor) => editor.#erase(editor.#cursor, editor.#right),
  };

  readonly #user: LineUser;
  readonly #decoder: TextDecoder = new TextDecoder();
  readonly #history: string[] = [];
  #recalled = 0;
  #text = "";
  #cursor = 0;
  #key = "";

  constructor(user: LineUser) {
    this.#user = user;
  }

  /** Shows the prompt and what has been typed. */
  show(): void {
    this.#user.write(`\r${this.#user.prompt}${this.#text}${CLEAR_TO_END}`);
    this.#back(this.#text.length - this.#cursor);
  }

  /** Takes what has been typed. */
  input(bytes: Uint8Array): void {
    for (const char of this.#decoder.decode(bytes, { stream: true })) this.#take(char);
  }

  #take(char: string): void {
    this.#key += char;
    if (isPartial(this.#key)) return;
    const key = this.#key.replace(`${ESC}O`, `${ESC}[`);
    this.#key = "";
    const action = Object.hasOwn(LineEditor.#KEYS, key) ? LineEditor.#KEYS[key] : undefined;
    if (action) action(this);
    else if (/^[^\p{C}\ufffd]$/u.test(key)) this.#insert(key);
  }

  #insert(text: string): void {
    const rest = this.#text.slice(this.#cursor);
    this.#text = this.#text.slice(0, this.#cursor) + text + rest;
    this.#cursor += text.length;
    this.#user.write(text + rest);
    this.#back(rest.length);
  }

  #erase(from: number, to: number): void {
    const start = Math.max(from, 0);
    const end = Math.min(to, this.#text.length);
    if (start >= end) return;
    this.#back(this.#cursor - start);
    this.#text = this.#text.slice(0, start) + this.#text.slice(end);
    this.#cursor = start;
    const rest = this.#text.slice(start);
    this.#user.write(rest + CLEAR_TO_END);
    this.#back(rest.length);
  }

  /** Where the character before the cursor begins. */
  get #left(): number {
    const last = [...this.#text.slice(0, this.#cursor)].at(-1);
    return this.#cursor - (last?.length ?? 0);
  }

  /** Where the character under the cursor ends. */
  get #right(): number {
    const [first] = this.#text.slice(this.#cursor);
    return this.#cursor + (first?.length ?? 0);
  }

  #move(to: number): void {
    const target = Math.min(Math.max(to, 0), this.#text.length);
    if (target < this.#cursor) this.#back(this.#cursor - target);
    else this.#user.write(this.#text.slice(this.#cursor, target));
    this.#cursor = target;
  }

  #back(columns: number): void {
    if (columns > 0) this.#user.write("\b".repeat(columns));
  }

  #wordStart(): number {
    return this.#text.slice(0, this.#cursor).search(/\S*\s*$/);
  }

  #finish(): void {
    const line = this.#text;
    this.#user.write("\n");
    if (line.trim() !== "" && line !== this.#history.at(-1)) this.#history.push(line);
    if (this.#history.length > HISTORY_LINES) this.#history.shift();
    this.#reset();
    this.#user.line(line);
  }

  #abandon(): void {
    this.#user.write("\n");
    this.#reset();
    this.show();
  }

  #reset(): void {
    this.#text = "";
    this.#cursor = 0;
    this.#recalled = this.#history.length;
  }

  #recall(step: number): void {
    const at = this.#recalled + step;
    if (at < 0 || at > this.#history.length) return;
    this.#recalled = at;
    this.#text = this.#history[at] ?? "";
    this.#cursor = this.#text.length;
    this.show();
  }

  #clearScreen(): void {
    this.#user.write("\x1b[H\x1b[J");
    this.show();
  }

  #complete(): void {
    const before = this.#text.slice(0, this.#cursor);
    const found = this.#user.complete(before);
    const word = /\S*$/.exec(before)![0];
    const common = found.reduce(commonStart, found[0] ?? word);
    if (common.length > word.length) this.#insert(common.slice(word.length));
    if (found.length === 1) this.#insert(" ");
    else if (found.length > 1 && common === word) {
      this.#user.write(`\n${found.join("  ")}\n`);
      this.show();
    }
  }
}

/** More belongs to the key: ESC [ ends with a letter or a tilde, ESC O with any one character. */
function isPartial(key: string): boolean {
  if (!key.startsWith(ESC)) return false;
  if (key.length === 1) return true;
  if (key[1] === "[") return key.length === 2 || !/[@-~]$/.test(key);
  return key[1] === "O" && key.length === 2;
}

function commonStart(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return a.slice(0, length);
}
