/**
 * The vCPU: runs a budget of instructions, takes exceptions and interrupts, and calls its host at
 * every VM exit.
 * @module
 */

import { EXIT, type VcpuHost, type VmExit } from "../types.ts";
import { Blocks, RESTART } from "./blocks.ts";
import { isComplex } from "./code_reader.ts";
import { CodeTable } from "./code_table.ts";
import { betweenInstructions, isHeldUp, isWatched, liftShadow } from "./boundary.ts";
import { ENTER_SAME_RING } from "./callees.ts";
import { DEFAULT_PROFILE, type Profile, profileFeatures, profileSignature } from "./cpuid.ts";
import { newVmExit } from "./exit.ts";
import { raise } from "./deliver.ts";
import { Fault, VECTOR } from "./fault.ts";
import { runtimeImports } from "./imports.ts";
import type { Insn } from "./insn.ts";
import { type Frames, Mmu } from "./mmu.ts";
import { Polls } from "./polls.ts";
import { REC } from "./record.ts";
import { type Reset, setRegisters } from "./reset.ts";
import { type SameRing } from "./same_ring.ts";
import { loadSegment, updateMode } from "./segment.ts";
import { AT, CpuState, CS, FLAG, RAM_BASE, SEG, SS } from "./state.ts";

const { BUDGET, HOT, MODE, NMI_BLOCKED, RECORD, SHORT, TSC_END, TSC_KNOWN, TSC_OFFSET } = AT;
const { LIMIT: SEG_LIMIT, LOW: SEG_LOW, RIGHTS: SEG_RIGHTS, SPAN: SEG_SPAN } = SEG;
const { IF } = FLAG;
const { COUNT: REC_COUNT, LEFT: REC_LEFT, PC: REC_PC, STRIDE: REC_STRIDE } = REC;
const { EPT_VIOLATION: EXIT_EPT_VIOLATION, TRIPLE_FAULT: EXIT_TRIPLE_FAULT } = EXIT;
const { GP, SS: VECTOR_SS } = VECTOR;

/** Measured: a kernel boots in the same time with 8000 to 30,000. */
const DEFAULT_HEAT = 16_000;
const MAX_BUDGET = 0x7fffffff;
const TWO_32 = 2 ** 32;
/** Modes are part of keys that must stay exact: ids of code segments have 16 bits. */
const MAX_CODE_SEGMENTS = 0xffff;

/** What kind of CPU to build. */
export interface CpuOptions {
  /** `i686` unless given. */
  readonly profile?: Profile;
  /** Bits of `FEATURE` in cpuid.ts; the profile's unless given. */
  readonly features?: number;
  /** Runs before a block is compiled by the second tier; 0 keeps everything in the first. */
  readonly heat?: number;
}

/** One virtual CPU and the memory it lives in. */
export class Cpu {
  readonly state: CpuState;
  readonly mmu: Mmu;
  /** The host's side of exits; set by {@link connect}. */
  host!: VcpuHost;
  /** Reused for every exit. */
  readonly exit: VmExit = newVmExit();
  /** What CPUID reports, and so what the decoder knows. */
  readonly profile: Profile;
  /** Bits of `FEATURE` in cpuid.ts. */
  readonly features: number;
  /** The local APIC is switched off: CPUID does not show it. */
  hidesApic = false;
  /** Generated code for what is usual in deliveries. */
  readonly sameRing: SameRing;
  /** Port reads that the host is told of later. */
  readonly polls: Polls = new Polls();
  readonly #blocks: Blocks;
  /** Ids of (CS base, CS limit) pairs of modes that are not flat. */
  readonly #codeSegments = new Map<number, number>();
  #granted = 0;
  /** Budget that generated code does not see, so that it stops at the end of its block. */
  #reserve = 0;
  /** Code or translations have changed from outside since generated code was entered. */
  #disturbed = false;
  #stepping = false;
  /** EIP after the running TypeScript instruction. */
  nextEip = 0;
  /** Waiting for an interrupt. */
  halted = false;
  /** A triple fault has stopped the CPU. */
  shutdown = false;
  /** STI, MOV SS and POP SS hold interrupts back for one instruction. */
  shadow = false;
  /** The instruction makes no single-step trap: it entered a handler (INT n) or loaded SS. */
  noTrap = false;
  /** An NMI has come that can be taken. */
  nmiDue = false;
  #nmiLatched = false;
  /** Vector of the last exception, for crash reports. -1 = none yet. */
  lastException = -1;
  /** Sees every exception before its delivery, with the state as it is at the fault; may throw. */
  onException: (vector: number, code: number) => void = () => {};

  /** Asks to be told of each block of guest code that is decoded: its EIP, and that behind it. */
  traceBlocks(see: (eip: number, end: number) => void): void {
    this.#blocks.onBlock = see;
  }

  /** @param memoryBytes guest RAM and extra frames, a multiple of 64 KiB */
  constructor(memoryBytes: number, options: CpuOptions = {}) {
    this.profile = options.profile ?? DEFAULT_PROFILE;
    this.features = options.features ?? profileFeatures(this.profile);
    this.state = new CpuState(memoryBytes);
    this.mmu = new Mmu(this.state, this.features);
    const imports = runtimeImports(this);
    this.sameRing = { enter: imports[ENTER_SAME_RING.name] as SameRing["enter"] };
    this.#blocks = new Blocks(this.state, this.mmu, {
      table: new CodeTable(this.state, imports),
      features: this.features,
      heat: options.heat ?? DEFAULT_HEAT,
    });
    this.mmu.mmio = (gpa, size, write, value) => this.#mmio(gpa, size, write, value);
  }

  /** Where guest RAM lies: build the guest's memory over it. */
  get ram(): { readonly buffer: ArrayBuffer; readonly base: number } {
    return { buffer: this.state.memory.buffer as ArrayBuffer, base: RAM_BASE };
  }

  /** Gives it its host and its memory. */
  connect(host: VcpuHost, frames: Frames): void {
    this.host = host;
    this.mmu.attach(frames);
  }

  /**
   * Sets everything inside as power-on does, and the registers of `to`; its pins are the board's.
   * Not while it runs.
   */
  reset(to: Reset): void {
    this.halted =
      this.shutdown =
      this.shadow =
      this.noTrap =
        false;
    this.nmiDue = this.#nmiLatched = false;
    this.lastException = -1;
    this.mmu.breakpoints.hits = 0;
    this.state.clear();
    setRegisters(this, to);
    this.forgetCode();
    this.mmu.flush();
  }

  /** Maskable interrupts are enabled and not held back. */
  get canTakeInterrupt(): boolean {
    return this.state.flag(IF) && !this.shadow;
  }

  /** Instructions retired and not yet reported with an exit. */
  takeRetired(): number {
    this.#tellPolls();
    const budget = this.state.get(BUDGET);
    const retired = this.#granted - budget;
    this.#granted = budget;
    return retired;
  }

  /**
   * As {@link takeRetired}, while an access to a port that is no exit is made: its instruction has
   * not retired.
   */
  takeRetiredInside(): number {
    const { state } = this;
    const left = this.#pause();
    const retired = this.takeRetired();
    state.set(BUDGET, state.get(BUDGET) - left);
    return retired;
  }

  /** Guest memory was changed by somebody else: `offset` counts in the buffer of {@link ram}. */
  invalidateCode(offset: number, length: number): void {
    this.#disturbed = true;
    this.#blocks.written(offset, length);
  }

  /** Memory is another one from now on: forgets its code, and how often that has changed. */
  forgetCode(): void {
    this.#blocks.forget();
  }

  /** Another page stands behind an address: forgets all translations. */
  flushTlb(): void {
    this.#disturbed = true;
    this.mmu.flush();
  }

  /** The A20M# pin: while it is asserted, bit 20 of every physical address is 0. */
  maskA20(masked: boolean): void {
    this.#disturbed = true;
    this.mmu.a20Masked = masked;
  }

  /** The NMI pin rises: one more NMI, unless one waits already. */
  raiseNmi(): void {
    this.#nmiLatched = true;
    this.#disturbed = true;
    this.nmiDue = this.state.get(NMI_BLOCKED) === 0;
  }

  /** Takes the NMI that is due; the next has to wait for IRET. */
  takeNmi(): void {
    this.#nmiLatched = this.nmiDue = false;
    this.state.set(NMI_BLOCKED, 1);
    this.#tellPolls();
    this.host.acknowledgeNmi();
  }

  /** IRET. */
  unblockNmi(): void {
    this.state.set(NMI_BLOCKED, 0);
    this.nmiDue = this.#nmiLatched;
  }

  // ---- running -------------------------------------------------------------------------------

  /**
   * Runs until `budget` instructions have retired, the CPU halts or shuts down, or the host asks
   * to leave. Count what retired with {@link takeRetired}.
   */
  run(budget: number): void {
    const { state } = this;
    state.set(BUDGET, budget);
    this.#granted = budget;
    this.#blocks.forgetLink();
    while (state.get(BUDGET) > 0 && !this.shutdown) {
      if (this.halted && !this.#wake()) return;
      try {
        this.#dispatch();
      } catch (error) {
        this.#recover(error);
      }
    }
  }

  /** Executes the instruction at EIP with all its repetitions, or delivers the fault it raises. */
  step(): void {
    this.state.set(BUDGET, MAX_BUDGET);
    this.#granted = MAX_BUDGET;
    try {
      this.stepOne();
    } catch (error) {
      this.#recover(error);
    }
  }

  #wake(): boolean {
    if (!this.nmiDue && !(this.host.interruptPending && this.state.flag(IF))) return false;
    this.halted = false;
    return true;
  }

  /** Block after block, until the budget ends or the CPU halts. Faults leave by exception. */
  #dispatch(): void {
    const { state } = this;
    const blocks = this.#blocks;
    let short = 0;
    do {
      if (isWatched(this) && betweenInstructions(this)) {
        blocks.forgetLink();
        continue;
      }
      const head = blocks.find();
      if (!head) {
        this.stepOne();
        continue;
      }
      blocks.link(head);
      blocks.running = true;
      this.#disturbed = false;
      state.set(TSC_KNOWN, 0);
      state.set(SHORT, 0);
      const count = state.get(head + REC_COUNT), budget = state.get(BUDGET);
      if (count > budget) this.#enterPart(head + REC_STRIDE, budget);
      else if (head !== short) blocks.enter(head);
      else this.#enterRecords(head + REC_STRIDE, count);
      blocks.running = false;
      // A budget that somebody holds back is not short.
      short = this.#reserve ? 0 : state.get(SHORT);
      if (this.#reserve) this.#takeReserve();
      if (state.get(HOT)) {
        state.set(HOT, 0);
        blocks.compile();
      }
    } while (state.get(BUDGET) > 0 && !this.halted && !this.shutdown);
  }

  /** Runs a block's `count` records, though it is compiled. */
  #enterRecords(first: number, count: number): void {
    this.state.set(BUDGET, this.state.get(BUDGET) - count);
    this.#blocks.enter(first);
  }

  /** Runs `count` instructions of a block from a record on, but not the last one. */
  #enterPart(record: number, count: number): void {
    const { state } = this;
    // As its head does: each record knows what it has to give back.
    const taken = state.bytes[record + REC_LEFT]!;
    state.set(BUDGET, state.get(BUDGET) - taken);
    this.#blocks.enterPart(record, count);
    state.set(BUDGET, state.get(BUDGET) + taken - count);
  }

  /** Executes exactly the instruction at EIP: with REP, one or more of its repetitions. */
  stepOne(): void {
    const { state } = this;
    this.#blocks.forgetLink();
    const insn = this.#blocks.decode();
    if (isComplex(insn)) return this.#execute(insn);
    const record = this.#blocks.scratch(insn);
    // A jump of its may lead straight to a block that is known: there is no budget for that.
    this.#stopBehind(state.get(BUDGET) - 1);
    this.#stepping = true;
    state.set(TSC_KNOWN, 0);
    this.#blocks.enter(record);
    this.#stepping = false;
    if (this.#reserve) this.#takeReserve();
    this.#blocks.forgetLink();
  }

  /** As {@link stepOne}, where the instruction's record has others of its block behind it. */
  #stepInside(record: number): void {
    this.#stepping = true;
    this.state.set(TSC_KNOWN, 0);
    this.#enterPart(record, 1);
    this.#stepping = false;
    if (this.#reserve) this.#takeReserve();
  }

  /**
   * Executes the instruction at which generated code has arrived.
   * @returns 1 when it may go on behind it, 0 when something else comes first
   */
  executeRecord(record: number): number {
    const { state } = this;
    const blocks = this.#blocks;
    state.eip = state.get(record + REC_PC);
    if (state.get(BUDGET) <= 0) return 0;
    blocks.running = false;
    this.#execute(blocks.insnOf(record));
    if (this.shadow) liftShadow(this);
    if (this.halted || this.shutdown || isHeldUp(this)) return 0;
    blocks.running = true;
    return 1;
  }

  /**
   * Takes the instruction at which generated code has arrived, and which lies on two pages, off the
   * budget.
   * @returns 1 when its record may run, 0 when it is another by now or the budget is used up
   */
  lookAgain(record: number): number {
    const { state } = this;
    const budget = state.get(BUDGET);
    state.set(RECORD, record);
    state.eip = state.get(record + REC_PC);
    if (budget <= 0 || !this.#blocks.isCurrent(record)) return 0;
    state.set(BUDGET, budget - 1);
    return 1;
  }

  #execute(insn: Insn): void {
    const { state } = this;
    this.nextEip = insn.next;
    const op = insn.rep && insn.row.rep ? insn.row.rep : insn.row.system!;
    op(this, insn);
    state.eip = this.nextEip;
    state.set(BUDGET, state.get(BUDGET) - 1);
  }

  /** After an exception out of generated code or of a TypeScript instruction. */
  #recover(error: unknown): void {
    const { state } = this;
    if (this.#blocks.running || this.#stepping) {
      const record = state.get(RECORD);
      state.eip = state.get(record + REC_PC);
      state.set(BUDGET, state.get(BUDGET) + state.bytes[record + REC_LEFT]!);
      this.#blocks.running = this.#stepping = false;
      if (this.#reserve) this.#takeReserve();
    }
    this.#blocks.forgetLink();
    if (error === RESTART) return this.#restart();
    if (!(error instanceof Fault)) throw error;
    // The slice ended in front of a fetch that its block has found to fault: it will do so again.
    if (state.get(BUDGET) <= 0) return;
    // The fault takes its instruction's place in the budget: endless ones use it up.
    state.set(BUDGET, state.get(BUDGET) - 1);
    raise(this, error.vector, error.code);
  }

  /** Steps what nothing of its block may follow at once; the block has been left. */
  #restart(): void {
    const record = this.state.get(RECORD);
    try {
      if (this.state.bytes[record + REC_LEFT]! > 1) this.#stepInside(record);
      else this.stepOne();
    } catch (error) {
      this.#recover(error);
    }
  }

  // ---- for the TypeScript instructions ---------------------------------------------------------

  /** Goes to an EIP when the running instruction or delivery is over. */
  jump(eip: number): void {
    this.nextEip = eip >>> 0;
    this.state.eip = eip;
  }

  /** Id of the current (CS base, limit) pair: 1 up to {@link MAX_CODE_SEGMENTS}. */
  codeSegmentId(): number {
    const { state } = this;
    const limit = state.seg(CS, SEG_LIMIT) >>> 0;
    // A limit is 20 bits of bytes or pages: with the base that is what a number holds exactly.
    const units = limit > 0xfffff ? 0x10_0000 | limit >>> 12 : limit;
    const key = state.segmentBase(CS) * 0x20_0000 + units;
    let id = this.#codeSegments.get(key);
    if (id === undefined) {
      if (this.#codeSegments.size === MAX_CODE_SEGMENTS) {
        this.#codeSegments.clear();
        this.#blocks.dropAll();
      }
      id = this.#codeSegments.size + 1;
      this.#codeSegments.set(key, id);
    }
    return id;
  }

  /** Time stamp counter at the running instruction; an integer below 2^53. */
  timestamp(): number {
    return this.host.timestamp(this.#granted - this.state.get(BUDGET));
  }

  /** Takes the interrupt that is pending; returns its vector. */
  acknowledgeInterrupt(): number {
    this.#tellPolls();
    return this.host.acknowledgeInterrupt();
  }

  /** What is held back now was part of the budget when they were made. */
  #tellPolls(): void {
    this.#granted -= this.polls.end(this.host, this.#granted + this.#reserve);
  }

  /** Tells RDTSC the time; it holds until the host has moved the clock. */
  lookAtClock(): void {
    const { state } = this;
    const end = this.host.timestamp(this.#granted);
    // A sum of 64 bits without BigInts, which are made anew each time.
    const low = end % TWO_32 + (state.get(TSC_OFFSET) >>> 0);
    const carry = low >= TWO_32 ? 1 : 0;
    state.set(TSC_END, low);
    state.set(TSC_END + 4, Math.floor(end / TWO_32) + state.get(TSC_OFFSET + 4) + carry);
    state.set(TSC_KNOWN, 1);
  }

  /** Reports an exit to the host and takes over the budget that it returns. */
  leave(reason: VmExit["reason"]): void {
    const { state, exit } = this;
    exit.reason = reason;
    exit.rip = (state.segmentBase(CS) + state.eip) >>> 0;
    exit.retired = this.takeRetired();
    exit.steady = 0;
    const budget = this.host.exit(exit);
    state.set(TSC_KNOWN, 0);
    state.set(BUDGET, budget);
    this.#granted = budget;
  }

  /** As {@link leave}, for an instruction that generated code may be in the middle of. */
  leaveInside(reason: VmExit["reason"]): void {
    const { state } = this;
    // A read-modify-write without memory behind it makes two exits.
    if (this.#reserve) this.#takeReserve();
    const left = this.#pause();
    this.leave(reason);
    if (left === 0) return;
    const rest = state.get(BUDGET) - left;
    const stop = this.#stepping || this.#disturbed ||
      (state.flag(IF) && this.host.interruptPending);
    if (stop) this.#stopBehind(rest);
    else state.set(BUDGET, rest);
  }

  /** STI, in generated code, has turned interrupts on. */
  holdInterrupts(): void {
    this.shadow = true;
    liftShadow(this);
    if (this.shadow) this.#stopBehind(this.state.get(BUDGET));
  }

  /** POPF, in generated code, has changed flags on which more depends than on others. */
  flagsChanged(): void {
    const mode = this.state.get(MODE);
    updateMode(this);
    this.#stopUnless(mode);
  }

  /** Generated code loads DS, ES, FS or GS. */
  loadSegment(segment: number, selector: number): void {
    const mode = this.state.get(MODE);
    loadSegment(this, segment, selector);
    this.#stopUnless(mode);
  }

  /** Generated code goes on while the mode is that one and nothing comes first. */
  #stopUnless(mode: number): void {
    const { state } = this;
    if (state.get(MODE) !== mode || isHeldUp(this)) this.#stopBehind(state.get(BUDGET));
  }

  /** Generated code goes no further than its block, whatever budget is left. */
  #stopBehind(budget: number): void {
    this.#disturbed = false;
    this.#reserve += budget;
    this.#granted -= budget;
    this.state.set(BUDGET, 0);
  }

  /**
   * Makes EIP and budget exact for the instruction that called out of generated code.
   * @returns what must be taken off the budget again: 0 outside generated code
   */
  #pause(): number {
    if (!this.#blocks.running && !this.#stepping) return 0;
    const { state } = this;
    const record = state.get(RECORD);
    const left = state.bytes[record + REC_LEFT]!;
    // What follows in the block may not happen before the exit's outcome is known.
    if (left > 1 && !this.#stepping) throw RESTART;
    state.eip = state.get(record + REC_PC);
    state.set(BUDGET, state.get(BUDGET) + left);
    return left;
  }

  /** After generated code has stopped because an exit wanted it to. */
  #takeReserve(): void {
    this.state.set(BUDGET, this.state.get(BUDGET) + this.#reserve);
    this.#granted += this.#reserve;
    this.#reserve = 0;
  }

  /** An access without memory behind it. */
  #mmio(gpa: number, size: 1 | 2 | 4, write: boolean, value: number): number {
    const { exit } = this;
    exit.gpa = gpa;
    exit.size = size;
    exit.write = write;
    exit.count = 1;
    exit.string = false;
    exit.value = value;
    this.leaveInside(EXIT_EPT_VIOLATION);
    return exit.value | 0;
  }

  /** Linear address of an offset, after the segment's limit and right have been checked. */
  linear(segment: number, offset: number, size: number, write: boolean): number {
    const { state } = this;
    const above = (offset - state.seg(segment, SEG_LOW)) >>> 0;
    const span = state.seg(segment, SEG_SPAN) >>> 0;
    const need = write ? 2 : 1;
    if (!(state.seg(segment, SEG_RIGHTS) & need) || above > span || span - above < size - 1) {
      throw Fault.of(segment === SS ? VECTOR_SS : GP, 0);
    }
    const linear = (state.segmentBase(segment) + offset) >>> 0;
    this.mmu.checkAlignment(linear, size);
    return linear;
  }

  /** Reads memory of a segment; signed. @throws {Fault} */
  read(segment: number, offset: number, size: 1 | 2 | 4): number {
    return this.mmu.read(this.linear(segment, offset, size, false), size);
  }

  /** Writes memory of a segment. @throws {Fault} */
  write(segment: number, offset: number, size: 1 | 2 | 4, value: number): void {
    this.mmu.write(this.linear(segment, offset, size, true), size, value);
  }

  /** Notes an exception that is about to be delivered. */
  traceException(vector: number, code: number): void {
    this.#tellPolls();
    this.lastException = vector;
    this.onException(vector, code);
  }

  /** Triple fault. */
  shutDown(): void {
    this.shutdown = true;
    this.leave(EXIT_TRIPLE_FAULT);
  }

  /** Leaf 1 EAX. */
  get signature(): number {
    return profileSignature(this.profile);
  }
}
