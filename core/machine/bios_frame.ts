/**
 * What a BIOS service sees of its caller: 16-bit registers, real-mode pointers, and the flags that
 * the interrupt has put on the stack, which IRET will take back.
 * @module
 */

import type { Gpa, GuestMemory, VcpuState } from "../types.ts";

const [EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
const [ES, SS, DS] = [0, 2, 3] as const;

const FLAG = { CF: 1 << 0, ZF: 1 << 6 } as const;
/** Offset of FLAGS in the interrupt frame: behind IP and CS. */
const FRAME_FLAGS = 4;

/** The registers of the caller. One object, pointed at a vCPU for each call. */
export class BiosFrame {
  readonly memory: GuestMemory;
  #vcpu!: VcpuState;

  constructor(memory: GuestMemory) {
    this.memory = memory;
  }

  begin(vcpu: VcpuState): void {
    this.#vcpu = vcpu;
  }

  get al(): number {
    return this.ax & 0xff;
  }
  set al(value: number) {
    this.ax = (this.ax & 0xff00) | value;
  }
  get ah(): number {
    return this.ax >> 8;
  }
  set ah(value: number) {
    this.ax = (this.ax & 0xff) | (value << 8);
  }
  get ax(): number {
    return this.#word(EAX);
  }
  set ax(value: number) {
    this.#setWord(EAX, value);
  }
  get bx(): number {
    return this.#word(EBX);
  }
  set bx(value: number) {
    this.#setWord(EBX, value);
  }
  get cx(): number {
    return this.#word(ECX);
  }
  set cx(value: number) {
    this.#setWord(ECX, value);
  }
  get dx(): number {
    return this.#word(EDX);
  }
  set dx(value: number) {
    this.#setWord(EDX, value);
  }
  get dl(): number {
    return this.dx & 0xff;
  }
  get eax(): number {
    return this.#vcpu.regs[EAX]!;
  }
  set eax(value: number) {
    this.#vcpu.regs[EAX] = value;
  }
  get ebx(): number {
    return this.#vcpu.regs[EBX]!;
  }
  set ebx(value: number) {
    this.#vcpu.regs[EBX] = value;
  }
  get ecx(): number {
    return this.#vcpu.regs[ECX]!;
  }
  set ecx(value: number) {
    this.#vcpu.regs[ECX] = value;
  }
  get edx(): number {
    return this.#vcpu.regs[EDX]!;
  }

  /** DS:SI. */
  get dsSi(): Gpa {
    return this.#vcpu.segmentBase(DS) + this.#word(ESI);
  }
  /** ES:DI. */
  get esDi(): Gpa {
    return this.#vcpu.segmentBase(ES) + this.#word(EDI);
  }
  /** ES:BX. */
  get esBx(): Gpa {
    return this.#vcpu.segmentBase(ES) + this.bx;
  }
  /** ES:BP. */
  get esBp(): Gpa {
    return this.#vcpu.segmentBase(ES) + this.#word(EBP);
  }

  /** CF as the caller sees it after IRET. */
  set carry(value: boolean) {
    this.#setFlag(FLAG.CF, value);
  }
  /** ZF as the caller sees it after IRET. */
  set zero(value: boolean) {
    this.#setFlag(FLAG.ZF, value);
  }
  /** CF as the code of the BIOS itself sees it. */
  set ownCarry(value: boolean) {
    const rest = this.#vcpu.eflags & ~FLAG.CF;
    this.#vcpu.eflags = value ? rest | FLAG.CF : rest;
  }

  #setFlag(flag: number, value: boolean): void {
    const gpa = this.#vcpu.segmentBase(SS) + ((this.#word(ESP) + FRAME_FLAGS) & 0xffff);
    const rest = this.memory.read16(gpa) & ~flag;
    this.memory.write16(gpa, value ? rest | flag : rest);
  }

  #word(register: number): number {
    return this.#vcpu.regs[register]! & 0xffff;
  }

  #setWord(register: number, value: number): void {
    const { regs } = this.#vcpu;
    regs[register] = (regs[register]! & 0xffff0000) | (value & 0xffff);
  }
}
