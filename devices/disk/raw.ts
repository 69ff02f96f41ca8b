/**
 * A raw image file, read and written synchronously, straight from and into guest memory.
 *
 * `node:fs` costs the same as a C program's pread() here; asynchronous calls cost five times as
 * much. It cannot discard: neither `node:fs` nor Deno has a call that punches a hole into a file.
 * While it is open no other process can write it, or open it at all if this one writes: that is
 * agreed by flock() among those who ask, which QEMU does not.
 * @module
 */

import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  openSync,
  readSync,
  statSync,
  writeSync,
} from "node:fs";
import { ImageError } from "../../core/errors.ts";
import { SECTOR_SIZE } from "../../core/types.ts";
import type { BlockBackend } from "../../core/types.ts";

/** How an image is opened. */
export interface RawOptions {
  /** Writes are refused. */
  readonly readOnly?: boolean;
  /**
   * Zeros that are missing to a multiple of so many bytes are read behind the end, of an image that
   * is read-only. Without it the length must be right.
   */
  readonly padTo?: number;
}

/** An open file: for its bytes, and for its lock, which ends when it is closed. */
interface Handles {
  readonly fd: number;
  readonly lock: Deno.FsFile;
}

/** An open image file. Open one with {@link RawImage.open}. */
export class RawImage implements BlockBackend {
  readonly sectorCount: number;
  readonly readOnly: boolean;
  readonly #path: string;
  readonly #lock: Deno.FsFile;
  #fd: number | undefined;
  #paddedFrom = Infinity; // bytes of the file

  private constructor(
    path: string,
    { fd, lock }: Handles,
    sectorCount: number,
    readOnly: boolean,
  ) {
    this.#path = path;
    this.#fd = fd;
    this.#lock = lock;
    this.sectorCount = sectorCount;
    this.readOnly = readOnly;
  }

  /** @throws {ImageError} when the file cannot serve as an image; the file is left as it was */
  static open(path: string, { readOnly = false, padTo }: RawOptions = {}): RawImage {
    const fd = openFile(path, readOnly);
    let lock: Deno.FsFile | undefined;
    try {
      const { size } = fstatSync(fd);
      const sectorCount = sectorsOf(path, size, padTo);
      lock = lockFile(path, readOnly);
      const image = new RawImage(path, { fd, lock }, sectorCount, readOnly);
      if (padTo !== undefined) image.#paddedFrom = size;
      return image;
    } catch (error) {
      lock?.close();
      closeSync(fd);
      throw error;
    }
  }

  read(sector: number, into: Uint8Array): void {
    const fd = this.#open("read");
    const position = sector * SECTOR_SIZE;
    try {
      for (let done = 0; done < into.length;) {
        const count = readSync(fd, into, done, into.length - done, position + done);
        if (count === 0 && position + done >= this.#paddedFrom) return void into.fill(0, done);
        if (count === 0) throw new Error(`it ends at byte ${position + done}`);
        done += count;
      }
    } catch (error) {
      throw this.#failure("read", textOf(error));
    }
  }

  write(sector: number, from: Uint8Array): void {
    const fd = this.#open("write");
    const position = sector * SECTOR_SIZE;
    if (this.readOnly) throw this.#failure("write", "it was opened read-only");
    try {
      for (let done = 0; done < from.length;) {
        done += writeSync(fd, from, done, from.length - done, position + done);
      }
    } catch (error) {
      throw this.#failure("write", textOf(error));
    }
  }

  flush(): void {
    const fd = this.#open("flush");
    if (this.readOnly) return;
    try {
      fdatasyncSync(fd);
    } catch (error) {
      throw this.#failure("flush", textOf(error));
    }
  }

  close(): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    this.#lock.close();
    this.#fd = undefined;
  }

  #open(verb: string): number {
    if (this.#fd === undefined) throw this.#failure(verb, "it is closed");
    return this.#fd;
  }

  #failure(verb: string, why: string): ImageError {
    return new ImageError(`Cannot ${verb} disk image "${this.#path}": ${why}`);
  }
}

function openFile(path: string, readOnly: boolean): number {
  try {
    const status = statSync(path); // before open(), which would wait for the other end of a pipe
    if (status.isDirectory()) {
      throw cannotOpen(
        path,
        "it is a directory",
        `name a file in it, or make one: truncate -s 16M ${path}/disk.img`,
      );
    }
    if (!status.isFile()) throw cannotOpen(path, "it is not a regular file");
    return openSync(path, readOnly ? "r" : "r+");
  } catch (error) {
    throw error instanceof ImageError ? error : explain(path, readOnly, error);
  }
}

/** Readers share an image; a writer has it for itself. */
function lockFile(path: string, readOnly: boolean): Deno.FsFile {
  const file = Deno.openSync(path, { read: true, write: !readOnly });
  if (!tryLock(file, !readOnly)) {
    file.close();
    throw cannotOpen(
      path,
      `failed to get ${readOnly ? "shared " : ""}"write" lock; is another process using the image?`,
      "end the other process, or use a copy of the image",
    );
  }
  return file;
}

/**
 * Locks a file until it is closed. Where files cannot be locked, that is as good as done.
 * @param exclusive nobody else may have locked it; otherwise nobody else who writes
 * @returns false when somebody has
 */
export function tryLock(file: Deno.FsFile, exclusive: boolean): boolean {
  try {
    return file.tryLockSync(exclusive);
  } catch {
    return true;
  }
}

function sectorsOf(path: string, length: number, padTo: number | undefined): number {
  if (length === 0) throw cannotOpen(path, "it is empty", `truncate -s 16M ${path}`);
  if (padTo !== undefined) return Math.ceil(length / padTo) * padTo / SECTOR_SIZE;
  if (length % SECTOR_SIZE !== 0) {
    const whole = Math.ceil(length / SECTOR_SIZE) * SECTOR_SIZE;
    throw cannotOpen(
      path,
      `length ${length} is not a multiple of ${SECTOR_SIZE}`,
      `truncate -s ${whole} ${path}`,
    );
  }
  return length / SECTOR_SIZE;
}

function explain(path: string, readOnly: boolean, error: unknown): ImageError {
  const { code, name } = error as { code?: string; name: string };
  const writableHint = readOnly
    ? undefined
    : `chmod u+w ${path}, or -snapshot to leave it as it is`;
  switch (code ?? name) {
    case "ENOENT":
      return cannotOpen(path, "no such file", `truncate -s 16M ${path} makes an empty one`);
    case "EACCES":
    case "EPERM":
      return cannotOpen(
        path,
        readOnly ? "no permission to read it" : "it is read-only",
        writableHint,
      );
    case "EROFS":
      return cannotOpen(path, "it is on a read-only file system", "-snapshot leaves it as it is");
    default:
      return cannotOpen(path, textOf(error));
  }
}

function cannotOpen(path: string, why: string, hint?: string): ImageError {
  return new ImageError(`Cannot open disk image "${path}": ${why}`, hint);
}

function textOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  // Deno keeps devices from programs that may open any file.
  return text.startsWith("Requires all access") ? "it is not a regular file" : text;
}
