/**
 * Hypercall arguments: registers, and structures behind guest linear addresses.
 * Source: Xen public header arch-x86/xen.h (XEN_GUEST_HANDLE): pointers are linear addresses of the
 * current address space, no segment base, walked with supervisor rights, one page at a time.
 * @module
 */

import { InternalError } from "../../errors.ts";
import { PAGE_SIZE } from "../../types.ts";
import type { GuestMemory, VcpuState } from "../../types.ts";

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
  /** Where the arguments are. */
  #regs: Uint32Array = new Uint32Array(8);
  #goesOn = false;

  constructor(memory: GuestMemory) {
    this.#memory = memory;
    this.bytes = new Uint8Array(LARGEST_STRUCT);
    this.fields = new DataView(this.bytes.buffer);
  }

  /**
   * Takes the registers of a vCPU as the call's arguments.
   * @param regs others in their place, in the same order
   */
  begin(vcpu: VcpuState, regs: Uint32Array = vcpu.regs): void {
    this.#vcpu = vcpu;
    this.#regs = regs;
    this.#goesOn = false;
  }

  /** The call is to be made once more, with the arguments that there are now. */
  get goesOn(): boolean {
    return this.#goesOn;
  }

  /**
   * A long call has been served in part: the rest is another call's, as when Xen is preempted.
   * @param first for EBX
   * @param second for ECX
   * @param third for EDX
   */
  goOn(first: number, second: number, third: number): void {
    this.#goesOn = true;
    this.#regs[EBX] = first;
    this.#regs[ECX] = second;
    this.#regs[EDX] = third;
  }

  /** Who makes the call. */
  get vcpu(): VcpuState {
    if (this.#vcpu === undefined) throw new InternalError("No vCPU makes this hypercall");
    return this.#vcpu;
  }

  /** EAX: which hypercall. Unsigned, as all arguments. */
  get number(): number {
    return this.#regs[EAX]!;
  }

  /** EBX: most often the sub-operation. */
  get first(): number {
    return this.#regs[EBX]!;
  }

  /** ECX: most often the pointer to the structure. */
  get second(): number {
    return this.#regs[ECX]!;
  }

  /** EDX. */
  get third(): number {
    return this.#regs[EDX]!;
  }

  /** ESI. */
  get fourth(): number {
    return this.#regs[ESI]!;
  }

  /** EDI. */
  get fifth(): number {
    return this.#regs[EDI]!;
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
      const words = piece & ~3;
      for (let i = 0; i < words; i += 4) {
        this.fields.setUint32(at + done + i, this.#memory.read32(gpa + i), true);
      }
      for (let i = words; i < piece; i++) this.bytes[at + done + i] = this.#memory.read8(gpa + i);
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
      const words = piece & ~3;
      for (let i = 0; i < words; i += 4) {
        this.#memory.write32(gpa + i, this.fields.getUint32(at + done + i, true));
      }
      for (let i = words; i < piece; i++) this.#memory.write8(gpa + i, this.bytes[at + done + i]!);
      done += piece;
    }
    return true;
  }

  #gpa(linear: number): number | undefined {
    const gpa = this.#vcpu?.linearToGpa(linear >>> 0);
    if (gpa === undefined || this.#memory.page(Math.floor(gpa / PAGE_SIZE)) === undefined) {
      return undefined;
    }
    return gpa;
  }
}
