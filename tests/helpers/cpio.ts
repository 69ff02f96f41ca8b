/**
 * Archives for initial RAM disks.
 * Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst ("newc").
 * @module
 */

/** A regular file of an archive. */
export interface ArchivedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const EXECUTABLE = 0o100755;

/** An archive; behind another one, its files replace those of the same names. */
export function makeCpio(files: readonly ArchivedFile[]): Uint8Array<ArrayBuffer> {
  const parts = [...files, { name: "TRAILER!!!", bytes: new Uint8Array() }].flatMap(entry);
  const archive = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}

/** Header and name, then the bytes; both end at multiples of 4. */
function entry({ name, bytes }: ArchivedFile, index: number): Uint8Array[] {
  const fields = [index + 1, EXECUTABLE, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, name.length + 1, 0];
  const hex = fields.map((field) => field.toString(16).padStart(8, "0")).join("");
  const head = new TextEncoder().encode(`070701${hex}${name}\0`);
  return [padded(head), padded(bytes)];
}

function padded(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  whole.set(bytes);
  return whole;
}
