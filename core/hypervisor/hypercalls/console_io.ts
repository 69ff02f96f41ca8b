/**
 * The console_io hypercall: EBX = command, ECX = count, EDX = buffer. What guests write goes to the
 * hypervisor's own console, by lines, each behind the number of its domain: `(d1) hello`.
 * Source: Xen public header xen.h; guest_console_write() of xen/drivers/char/console.c.
 * @module
 */

import { ERRNO } from "./errno.ts";
import type { GuestCall } from "./guest_pointer.ts";

/** Numbers of the commands. */
export const CONSOLEIO = { WRITE: 0, READ: 1 } as const;

/** Longest line; what is longer is broken. */
const DOMAIN_PBUF_SIZE = 200;
/** Bytes after which a call is made again for the rest. */
const PREEMPT_AFTER = 1024;

const NEWLINE = 10;
const TAB = 9;

/** The lines of one domain. */
export class ConsoleIo {
  readonly #prefix: string;
  readonly #onByte: (byte: number) => void;
  readonly #line: number[] = [];

  /** @param onByte a byte for the hypervisor's console */
  constructor(domid: number, onByte: (byte: number) => void) {
    this.#prefix = `(d${domid}) `;
    this.#onByte = onByte;
  }

  /** Serves one console_io. To read is dom0's. */
  consoleIo(call: GuestCall): number {
    switch (call.first) {
      case CONSOLEIO.WRITE:
        return this.#write(call);
      case CONSOLEIO.READ:
        return -ERRNO.EPERM;
      default:
        return -ERRNO.ENOSYS;
    }
  }

  #write(call: GuestCall): number {
    const { second: count, third: buffer } = call;
    const now = Math.min(count, PREEMPT_AFTER);
    if (!call.load(buffer, now)) return -ERRNO.EFAULT;
    for (let i = 0; i < now; i++) this.#put(call.bytes[i]!);
    if (now < count) call.goOn(call.first, count - now, buffer + now);
    return 0;
  }

  #put(byte: number): void {
    if (byte !== NEWLINE && isPrintable(byte)) this.#line.push(byte);
    if (byte === NEWLINE || this.#line.length === DOMAIN_PBUF_SIZE - 1) this.#endLine();
  }

  #endLine(): void {
    for (let i = 0; i < this.#prefix.length; i++) this.#onByte(this.#prefix.charCodeAt(i));
    for (const byte of this.#line) this.#onByte(byte);
    this.#onByte(NEWLINE);
    this.#line.length = 0;
  }
}

function isPrintable(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f || byte === TAB;
}
