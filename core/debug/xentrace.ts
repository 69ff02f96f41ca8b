/**
 * The trace of exits as `xentrace` writes it and `xenalyze` reads it: little-endian records of a
 * header word (event, number of extra words, whether cycles follow), 64 bits of cycles, and the
 * extra words. A record that counts the bytes up to the next of its kind stands before every buffer.
 * Source: Xen public header trace.h; what the records hold as xen/arch/x86/hvm writes them
 * (HVMTRACE_* in vmx.c, hvmtrace_io_assist) and xen/common/sched (runstate changes).
 *
 * | when | record | extra words |
 * |---|---|---|
 * | VM exit | VMEXIT | reason, linear address |
 * | hypercall | VMMCALL | number |
 * | port | IOPORT_READ, IOPORT_WRITE | port, value unless it is a string |
 * | register in memory | IOMEM_READ, IOMEM_WRITE | address, value |
 * | VM entry | VMENTRY | |
 * | sleep, waking | runstate change | domain and vCPU |
 * @module
 */

import { EXIT } from "../types.ts";
import type { ExitObserver, ExitReason, Ns, VcpuState, VmExit } from "../types.ts";

/** TRC_*: class and subclass, and the number of the event. */
export const XENTRACE_EVENT = {
  TRACE_CPU_CHANGE: 0x1f003,
  SCHED_RUNSTATE_CHANGE: 0x21001,
  HVM_VMENTRY: 0x81001,
  HVM_VMEXIT: 0x81002,
  HVM_VMMCALL: 0x82012,
  HVM_IOPORT_READ: 0x82016,
  HVM_IOMEM_READ: 0x82017,
  HVM_IOPORT_WRITE: 0x82216,
  HVM_IOMEM_WRITE: 0x82217,
} as const;

const EXTRA_SHIFT = 28;
const CYCLES_INCLUDED = 1 << 31;

const EVENT = XENTRACE_EVENT;

/** RUNSTATE_* of Xen's public header vcpu.h. */
export const RUNSTATE = { RUNNING: 0, RUNNABLE: 1, BLOCKED: 2, OFFLINE: 3 } as const;
type Runstate = typeof RUNSTATE[keyof typeof RUNSTATE];

/** Where a runstate change has its states, in the event. */
const OLD_SHIFT = 8;
const NEW_SHIFT = 4;

/** vCPU 0 of the first guest. */
const DOMAIN_AND_VCPU = 1 << 16 | 0;
const PCPU = 0;

/** Power-on, in cycles of 1 GHz: `xenalyze` takes 0 for "never". */
const POWER_ON = 1;

const BUFFER_WORDS = 16 * 1024;
/** TRACE_CPU_CHANGE: header, processor, bytes behind it. */
const WINDOW_WORDS = 3;
/** Header, cycles, two extra words. */
const LONGEST_RECORD = 5;
const WORD_BYTES = 4;

const EAX = 0;

/**
 * Writes the trace. An entry is written when what comes after it is known: the guest may have gone
 * to sleep instead.
 */
export class Xentrace implements ExitObserver {
  readonly #write: (bytes: Uint8Array) => void;
  readonly #words = new Int32Array(BUFFER_WORDS);
  readonly #bytes = new Uint8Array(this.#words.buffer);
  #used = WINDOW_WORDS;
  #isOutside = false;
  #isAsleep = false;
  #entersAt: Ns = NaN;

  /** @param write gets a buffer to copy or to write at once */
  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
    this.#runstate(RUNSTATE.RUNNABLE, RUNSTATE.RUNNING, 0);
  }

  exits(exit: VmExit, { regs }: VcpuState): void {
    this.#exit(exit.reason, exit.rip, exit.at);
    if (exit.reason === EXIT.VMCALL) this.#plain(EVENT.HVM_VMMCALL, regs[EAX]!);
  }

  enters(exit: VmExit, at: Ns): void {
    const { reason, write, value } = exit;
    if (reason === EXIT.IO_INSTRUCTION) {
      const event = write ? EVENT.HVM_IOPORT_WRITE : EVENT.HVM_IOPORT_READ;
      if (exit.string) this.#plain(event, exit.port);
      else this.#access(event, exit.port, value);
    } else if (reason === EXIT.EPT_VIOLATION) {
      this.#access(write ? EVENT.HVM_IOMEM_WRITE : EVENT.HVM_IOMEM_READ, exit.gpa, value);
    }
    this.#leaveAt(at);
  }

  event(reason: ExitReason, rip: number, at: Ns, entersAt: Ns): void {
    this.#exit(reason, rip, at);
    this.#leaveAt(entersAt);
  }

  slept(from: Ns, to: Ns): void {
    if (!this.#isAsleep) this.#runstate(RUNSTATE.RUNNING, RUNSTATE.BLOCKED, from);
    this.#isAsleep = true;
    this.#leaveAt(to);
  }

  /** The run is over: writes what is left. */
  finish(at: Ns): void {
    if (this.#isAsleep) this.#runstate(RUNSTATE.BLOCKED, RUNSTATE.OFFLINE, at);
    else {
      this.#enter();
      this.#runstate(RUNSTATE.RUNNING, RUNSTATE.OFFLINE, at);
    }
    this.#flush();
  }

  #exit(reason: ExitReason, rip: number, at: Ns): void {
    this.#enter();
    this.#timed(EVENT.HVM_VMEXIT, 2, at);
    this.#words[this.#used++] = reason;
    this.#words[this.#used++] = rip;
  }

  #leaveAt(at: Ns): void {
    this.#isOutside = true;
    this.#entersAt = at;
  }

  #enter(): void {
    if (!this.#isOutside) return;
    this.#isOutside = false;
    const at = this.#entersAt;
    if (this.#isAsleep) {
      this.#runstate(RUNSTATE.BLOCKED, RUNSTATE.RUNNABLE, at);
      this.#runstate(RUNSTATE.RUNNABLE, RUNSTATE.RUNNING, at);
      this.#isAsleep = false;
    }
    this.#timed(EVENT.HVM_VMENTRY, 0, at);
  }

  #runstate(before: Runstate, after: Runstate, at: Ns): void {
    const event = EVENT.SCHED_RUNSTATE_CHANGE | before << OLD_SHIFT | after << NEW_SHIFT;
    this.#timed(event, 1, at);
    this.#words[this.#used++] = DOMAIN_AND_VCPU;
  }

  #access(event: number, address: number, value: number): void {
    this.#makeRoom();
    this.#words[this.#used++] = event | 2 << EXTRA_SHIFT;
    this.#words[this.#used++] = address;
    this.#words[this.#used++] = value;
  }

  #plain(event: number, word: number): void {
    this.#makeRoom();
    this.#words[this.#used++] = event | 1 << EXTRA_SHIFT;
    this.#words[this.#used++] = word;
  }

  /** The head of a record with cycles. */
  #timed(event: number, extraWords: number, at: Ns): void {
    this.#makeRoom();
    const cycles = POWER_ON + at;
    this.#words[this.#used++] = event | extraWords << EXTRA_SHIFT | CYCLES_INCLUDED;
    this.#words[this.#used++] = cycles;
    this.#words[this.#used++] = cycles / 2 ** 32;
  }

  #makeRoom(): void {
    if (this.#used + LONGEST_RECORD > BUFFER_WORDS) this.#flush();
  }

  #flush(): void {
    const bytes = this.#used * WORD_BYTES;
    this.#words[0] = EVENT.TRACE_CPU_CHANGE | 2 << EXTRA_SHIFT;
    this.#words[1] = PCPU;
    this.#words[2] = bytes - WINDOW_WORDS * WORD_BYTES;
    this.#write(this.#bytes.subarray(0, bytes));
    this.#used = WINDOW_WORDS;
  }
}
