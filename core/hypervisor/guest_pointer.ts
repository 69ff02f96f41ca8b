/**
 * Hypercall arguments: registers, and structures behind guest linear addresses.
 * Source: Xen public header arch-x86/xen.h (XEN_GUEST_HANDLE): pointers are linear addresses of the
 * current address space, no segment base, walked with supervisor rights, one page at a time.
 * @module
 */

import { InternalError } from "../errors.ts";
import { PAGE_SIZE } from "../types.ts";
import type { GuestMemory, VcpuState } from "../types.ts";

const EAX = 0;
const ECX = 1;
const EDX = 2;
const EBX = 3;
const ESI = 6;
const EDI = 7;

/** Bytes of the largest structure a hypercall moves: the strings of xen_version. */
const LARGEST_STRUCT = 1024;

/**
 * One hypercall as its handler sees it: five arguments and room for one structure. There is one
 * object per vCPU, reused: what {@link load} brought is overwritten by the next call.
 */
export class GuestCall {
  /** The structure; little-endian, offsets as in the guest's i386 layout. */
  readonly fields: DataView;
  readonly bytes: Uint8Array;
  readonly #memory: GuestMemory;
  #vcpu: VcpuState | undefined;
  #goesOn = false;

  constructor(memory: GuestMemory) {
    this.#memory = memory;
    this.bytes = new Uint8Array(LARGEST_STRUCT);
    this.fields = new DataView(this.bytes.buffer);
  }

  /** Takes the registers of a vCPU as the call's arguments. */
  begin(vcpu: VcpuState): void {
    this.#vcpu = vcpu;
    this.#goesOn = false;
  }

  /** The vCPU makes the call once more, with the arguments that are in its registers now. */
  get goesOn(): boolean {
    return this.#goesOn;
  }

  /**
   * An array has been served in part: the rest is another call's, as when Xen is preempted.
   * @param pointer for ECX
   * @param count for EDX
   */
  goOn(pointer: number, count: number): void {
    this.#goesOn = true;
    this.#vcpu!.regs[ECX] = pointer;
    this.#vcpu!.regs[EDX] = count;
  }

  /** Who makes the call. */
  get vcpu(): VcpuState {
    if (this.#vcpu === undefined) throw new InternalError("No vCPU makes this hypercall");
    return this.#vcpu;
  }

  /** EAX: which hypercall. Unsigned, as all arguments. */
  get number(): number {
    return this.#register(EAX);
  }

  /** EBX: most often the sub-operation. */
  get first(): number {
    return this.#register(EBX);
  }

  /** ECX: most often the pointer to the structure. */
  get second(): number {
    return this.#register(ECX);
  }

  /** EDX. */
  get third(): number {
    return this.#register(EDX);
  }

  /** ESI. */
  get fourth(): number {
    return this.#register(ESI);
  }

  /** EDI. */
  get fifth(): number {
    return this.#register(EDI);
  }

  /**
   * Copies from the guest into {@link bytes}.
   * @param pointer linear address, any alignment; may cross pages
   * @param at where in `bytes`
   * @returns false when a page is not mapped or is no memory: answer -EFAULT
   */
  load(pointer: number, length: number, at: number = 0): boolean {
    let done = 0;
    while (done < length) {
      const gpa = this.#gpa(pointer + done);
      if (gpa === undefined) return false;
      const piece = Math.min(length - done, PAGE_SIZE - gpa % PAGE_SIZE);
      for (let i = 0; i < piece; i++) this.bytes[at + done + i] = this.#memory.read8(gpa + i);
      done += piece;
    }
    return true;
  }

  /**
   * Copies from {@link bytes} to the guest.
   * @param pointer linear address, any alignment; may cross pages
   * @param at where in `bytes`
   * @returns false when a page is not mapped or is no memory: answer -EFAULT
   */
  store(pointer: number, length: number, at: number = 0): boolean {
    let done = 0;
    while (done < length) {
      const gpa = this.#gpa(pointer + done);
      if (gpa === undefined) return false;
      const piece = Math.min(length - done, PAGE_SIZE - gpa % PAGE_SIZE);
      for (let i = 0; i < piece; i++) this.#memory.write8(gpa + i, this.bytes[at + done + i] ?? 0);
      done += piece;
    }
    return true;
  }

  #register(index: number): number {
    return this.#vcpu?.regs[index] ?? 0;
  }

  #gpa(linear: number): number | undefined {
    const gpa = this.#vcpu?.linearToGpa(linear >>> 0);
    if (gpa === undefined || this.#memory.page(Math.floor(gpa / PAGE_SIZE)) === undefined) {
      return undefined;
    }
    return gpa;
  }
}
