/**
 * Archives in the format that an initial RAM disk has: cpio "newc".
 * Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst.
 * @module
 */

/** What lies in an archive under a path without a leading slash; `null` is a folder. */
export type ArchiveContent = Readonly<Record<string, Uint8Array | string | null>>;

const MAGICS: readonly string[] = ["070701", "070702"];
const TRAILER = "TRAILER!!!";
/** The magic and 13 numbers of 8 digits. */
const HEADER_BYTES = 110;
const DIGITS = 8;
/** Positions of numbers in a header, from 0. */
const FIELD = { mode: 1, fileSize: 6, nameSize: 11 } as const;
const MODE_FOLDER = 0o040755;
/** Every file may be executed. */
const MODE_FILE = 0o100755;
const FILE_TYPE = 0o170000;
const TYPE_FILE = 0o100000;

/** Makes an archive of files and folders, in the order given. */
export function writeCpio(content: ArchiveContent): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(content).flatMap(([name, file]) => {
    const bytes = typeof file === "string" ? new TextEncoder().encode(file) : file;
    const mode = bytes === null ? MODE_FOLDER : MODE_FILE;
    return entry(name, mode, bytes ?? new Uint8Array());
  });
  return joined([...entries, ...entry(TRAILER, 0, new Uint8Array())]);
}

/** Lays an archive behind one, where Linux lets its files win. */
export function withFiles(
  archive: Uint8Array,
  content: ArchiveContent,
): Uint8Array<ArrayBuffer> {
  return joined([archive, padding(archive.length), writeCpio(content)]);
}

/** Header and name, then the bytes: each padded to four bytes. */
function entry(name: string, mode: number, bytes: Uint8Array): Uint8Array[] {
  const [inode, links] = [1, 1];
  const fields = [
    ...[inode, mode, 0, 0, links, 0, bytes.length],
    ...[0, 0, 0, 0, name.length + 1, 0],
  ];
  const digits = fields.map((field) => field.toString(16).padStart(DIGITS, "0")).join("");
  const head = new TextEncoder().encode(`${MAGICS[0]}${digits}${name}\0`);
  return [head, padding(head.length), bytes, padding(bytes.length)];
}

function padding(length: number): Uint8Array {
  return new Uint8Array(-length & 3);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** An archive begins there. */
export function isCpio(bytes: Uint8Array, at: number): boolean {
  return MAGICS.includes(text(bytes, at, MAGICS[0]!.length));
}

/** What {@link readCpio} has found. */
export interface CpioContent {
  /** Regular files, by path without a leading `/` or `./`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** First byte behind the archive. */
  readonly end: number;
}

/**
 * Reads an archive.
 * @returns `undefined` when it is damaged
 */
export function readCpio(bytes: Uint8Array, begin: number): CpioContent | undefined {
  const files = new Map<string, Uint8Array>();
  for (let at = begin; isCpio(bytes, at);) {
    const nameAt = at + HEADER_BYTES;
    const [mode, nameSize, fileSize] = [FIELD.mode, FIELD.nameSize, FIELD.fileSize].map((field) =>
      number(bytes, at, field)
    ) as [number, number, number];
    const dataAt = align4(nameAt + nameSize);
    at = align4(dataAt + fileSize);
    if (!(dataAt + fileSize <= bytes.length)) return undefined;
    const name = text(bytes, nameAt, nameSize - 1);
    if (name === TRAILER) return { files, end: at };
    if ((mode & FILE_TYPE) === TYPE_FILE) {
      files.set(name.replace(/^\.?\//, ""), bytes.subarray(dataAt, dataAt + fileSize));
    }
  }
  return undefined;
}

function number(bytes: Uint8Array, at: number, field: number): number {
  const digits = text(bytes, at + MAGICS[0]!.length + field * DIGITS, DIGITS);
  return /^[0-9a-f]{8}$/i.test(digits) ? parseInt(digits, 16) : NaN;
}

function text(bytes: Uint8Array, at: number, length: number): string {
  return new TextDecoder().decode(bytes.subarray(at, at + length));
}

/** Entries are padded from the start of their archive, which lies on four bytes itself. */
function align4(at: number): number {
  return Math.ceil(at / 4) * 4;
}
