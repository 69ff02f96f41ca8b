/**
 * Files to lay over an initial RAM disk: a second archive behind the first, which wins.
 * Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst (newc).
 * @module
 */

const MAGIC = "070701";
const EXECUTABLE_FILE = 0o100755;
const ALIGN = 4;
const END = "TRAILER!!!";

/** The archive with scripts laid over it, by name without a leading slash. */
export function withScripts(
  archive: Uint8Array,
  scripts: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(scripts).map(([name, text]) => entry(name, EXECUTABLE_FILE, text));
  return join([padded(archive), ...entries, entry(END, 0, "")]);
}

/** 13 numbers of 8 digits, the name with its NUL, the bytes. */
function entry(name: string, mode: number, text: string): Uint8Array {
  const [nameBytes, bytes] = [`${name}\0`, text].map((part) => new TextEncoder().encode(part));
  const links = 1;
  const numbers = [0, mode, 0, 0, links, 0, bytes!.length, 0, 0, 0, 0, nameBytes!.length, 0];
  const header = MAGIC + numbers.map((number) => number.toString(16).padStart(8, "0")).join("");
  return join([padded(join([new TextEncoder().encode(header), nameBytes!])), padded(bytes!)]);
}

function padded(bytes: Uint8Array): Uint8Array {
  return join([bytes, new Uint8Array(-bytes.length & (ALIGN - 1))]);
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
