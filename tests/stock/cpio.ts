/**
 * Files to lay over an initial RAM disk: a second archive behind the first, which wins.
 * Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst (newc).
 * @module
 */

const MAGIC = "070701";
const EXECUTABLE_FILE = 0o100755;
const ALIGN = 4;
const END = "TRAILER!!!";

/** The archive with files laid over it, by name without a leading slash. All may be executed. */
export function withFiles(
  archive: Uint8Array,
  files: Readonly<Record<string, string | Uint8Array>>,
): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(files).map(([name, content]) =>
    entry(name, EXECUTABLE_FILE, typeof content === "string" ? encode(content) : content)
  );
  return join([padded(archive), ...entries, entry(END, 0, new Uint8Array())]);
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** 13 numbers of 8 digits, the name with its NUL, the bytes. */
function entry(name: string, mode: number, bytes: Uint8Array): Uint8Array {
  const links = 1;
  const numbers = [0, mode, 0, 0, links, 0, bytes.length, 0, 0, 0, 0, name.length + 1, 0];
  const header = MAGIC + numbers.map((number) => number.toString(16).padStart(8, "0")).join("");
  return join([padded(encode(`${header}${name}\0`)), padded(bytes)]);
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
