/**
 * The multicall hypercall: EBX = array of entries, ECX = their number. Each entry is a hypercall of
 * its own, with a result of its own.
 * Source: Xen public header xen.h (struct multicall_entry), i386 layout; xen/common/multicall.c.
 * @module
 */

import type { GuestMemory } from "../../types.ts";
import { ERRNO } from "./errno.ts";
import { GuestCall } from "./guest_pointer.ts";

/** Offsets of multicall_entry; six arguments, of which hypercalls have five. */
export const MULTICALL_ENTRY = { OP: 0, RESULT: 4, ARGS: 8, SIZE: 32 } as const;

/** Entries after which a call is made again for the rest. */
const PREEMPT_AFTER = 32;

/** Registers in the order of arguments: EBX ECX EDX ESI EDI. */
const ARGUMENTS = [3, 1, 2, 6, 7] as const;
const EAX = 0;

const { OP, RESULT, ARGS, SIZE } = MULTICALL_ENTRY;

/** Serves multicalls. */
export class Multicalls {
  readonly #serve: (entry: GuestCall) => number;
  /** One entry as a hypercall, and its arguments as registers. */
  readonly #entry: GuestCall;
  readonly #regs: Uint32Array = new Uint32Array(8);

  /** @param serve serves a hypercall as if it had been made by itself */
  constructor(memory: GuestMemory, serve: (entry: GuestCall) => number) {
    this.#entry = new GuestCall(memory);
    this.#serve = serve;
  }

  /** Serves one multicall; its entries may not be multicalls. */
  multicall(call: GuestCall): number {
    if (call === this.#entry) return -ERRNO.EINVAL;
    const { first: entries, second: count } = call;
    const now = Math.min(count, PREEMPT_AFTER);
    for (let i = 0; i < now; i++) {
      const pointer = entries + i * SIZE;
      if (!call.load(pointer, SIZE)) return -ERRNO.EFAULT;
      const result = this.#serveEntry(call);
      if (this.#entry.goesOn) return this.#resume(call, pointer, count - i);
      call.fields.setInt32(RESULT, result, true);
      if (!call.store(pointer + RESULT, 4, RESULT)) return -ERRNO.EFAULT;
    }
    if (now < count) call.goOn(entries + now * SIZE, count - now, call.third);
    return 0;
  }

  #serveEntry({ fields, vcpu }: GuestCall): number {
    this.#regs[EAX] = fields.getUint32(OP, true);
    ARGUMENTS.forEach((register, i) => {
      this.#regs[register] = fields.getUint32(ARGS + i * 4, true);
    });
    this.#entry.begin(vcpu, this.#regs);
    return this.#serve(this.#entry);
  }

  /** An entry goes on in the next multicall, with the arguments that it has by now. */
  #resume(call: GuestCall, pointer: number, left: number): number {
    ARGUMENTS.forEach((register, i) => {
      call.fields.setUint32(ARGS + i * 4, this.#regs[register]!, true);
    });
    if (!call.store(pointer + ARGS, ARGUMENTS.length * 4, ARGS)) return -ERRNO.EFAULT;
    call.goOn(pointer, left, call.third);
    return 0;
  }
}
