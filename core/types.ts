/**
 * Every seam of the machine: interfaces and constants, no code that runs.
 *
 * Data flows one way: guest → exit → handler → device or backend → completion → interrupt.
 * A part knows its neighbours only through the types of this file.
 * @module
 */

/** Virtual nanoseconds since power-on, an integer. */
export type Ns = number;

/** Bytes of one port or MMIO access. */
export type AccessSize = 1 | 2 | 4;

/** Guest-physical byte address. */
export type Gpa = number;

/** Guest page frame number: guest-physical address divided by {@link PAGE_SIZE}. */
export type Gfn = number;

/** Bytes of a guest page. */
export const PAGE_SIZE = 4096;

/** Bytes of a disk sector, on every path and in every interface. */
export const SECTOR_SIZE = 512;

// ---- time ----------------------------------------------------------------------------------

/** The one virtual clock, as a device sees it. */
export interface Clock {
  /** Time since power-on. */
  readonly now: Ns;
  /**
   * Creates a disarmed timer.
   * @param name for traces and dumps
   * @param fire called between instructions, after the timer has been disarmed
   */
  timer(name: string, fire: () => void): Timer;
}

/** One alarm on the {@link Clock}. Equal deadlines fire in arming order. */
export interface Timer {
  /** Absolute time of the alarm, `undefined` while disarmed. */
  readonly deadline: Ns | undefined;
  /** Arms at an absolute time; a past one fires at the next boundary. */
  armAt(deadline: Ns): void;
  /** Arms `delay` nanoseconds from now. */
  armAfter(delay: Ns): void;
  /** Disarms; nothing happens if it is not armed. */
  cancel(): void;
}

/**
 * What a nanosecond of the vCPU was spent on: the number of each book. Elapsed time is the sum of
 * these books, exactly.
 */
export const COST = {
  guest: 0, // instructions retired by the guest
  exit: 1, // VM exit and VM entry
  emulation: 2, // answered inside the hypervisor
  ioreq: 3, // round trip to the device model, waiting for dom0 included
  device: 4, // work of the device model while the vCPU waits for it
  hypercall: 5, // work of the hypervisor on a hypercall
  injection: 6, // delivering an interrupt or an upcall
  bios: 7, // the built-in BIOS services
  media: 8, // halted while a disk request is in flight
  idle: 9, // halted otherwise
} as const;

/** Name of a book of the vCPU, as reports print it. */
export type CostKind = keyof typeof COST;

/** Number of a book of the vCPU. */
export type Cost = typeof COST[CostKind];

/** The names of the vCPU's books, by number. */
export const COST_KINDS: readonly CostKind[] = Object.keys(COST) as CostKind[];

/**
 * What a nanosecond of dom0 was spent on: the number of each book. dom0 has its own timeline; its
 * books do not add up to elapsed.
 */
export const DOM0_COST = {
  ioreq: 0, // device model answering an ioreq
  blockLayer: 1, // submitting to and completing from the disk
  backend: 2, // blkback: wake-up, parse, respond
  grantMap: 3,
  grantUnmap: 4, // TLB shootdown included
  grantCopy: 5,
  notify: 6, // EVTCHNOP_send by dom0
  xenstore: 7,
  console: 8, // xenconsoled
  loop: 9, // loop device: its worker's wake-up, its way back
  pageCache: 10, // looking pages up, copying them
  tapdisk: 11, // tapdisk, a process in user space: there and back
  qdisk: 12, // QEMU's block backend, likewise
} as const;

/** Name of a book of dom0, as reports print it. */
export type Dom0CostKind = keyof typeof DOM0_COST;

/** Number of a book of dom0. */
export type Dom0Cost = typeof DOM0_COST[Dom0CostKind];

/** The names of dom0's books, by number. */
export const DOM0_COST_KINDS: readonly Dom0CostKind[] = Object.keys(DOM0_COST) as Dom0CostKind[];

/** Moves vCPU time and books it. Timers never fire inside a charge. */
export interface Ledger {
  /** Spends `ns` of the vCPU's time. */
  charge(cost: Cost, ns: Ns): void;
}

/** The control domain's CPU: serial, on its own timeline. */
export interface Dom0 {
  /** Spends time of the running task: whatever is posted next starts after it. */
  charge(cost: Dom0Cost, ns: Ns): void;
  /**
   * Queues a task behind all earlier ones; `then` runs from the clock when its `ns` have been
   * spent.
   */
  post(cost: Dom0Cost, ns: Ns, then: () => void): void;
}

// ---- memory --------------------------------------------------------------------------------

/** Guest-physical memory as devices, backends and the hypervisor see it. */
export interface GuestMemory {
  /** Bytes of RAM from address 0 up. Some of it may be hidden behind MMIO holes. */
  readonly size: number;
  /** The page's bytes, always the same view for the same frame; `undefined` where no memory is. */
  page(gfn: Gfn): Uint8Array | undefined;
  /**
   * The bytes of a range that is memory throughout and contiguous on the host, else `undefined`.
   */
  range(gpa: Gpa, length: number): Uint8Array | undefined;
  /**
   * Little-endian; all ones where no memory is. Unsigned. `gpa` may be unaligned and may cross
   * pages.
   */
  read8(gpa: Gpa): number;
  /** See {@link read8}. */
  read16(gpa: Gpa): number;
  /** See {@link read8}. */
  read32(gpa: Gpa): number;
  /** Little-endian; dropped where no memory is. */
  write8(gpa: Gpa, value: number): void;
  /** See {@link write8}. */
  write16(gpa: Gpa, value: number): void;
  /** See {@link write8}. */
  write32(gpa: Gpa, value: number): void;
  /**
   * Must follow every write through a view from {@link page} or {@link range}: instructions
   * decoded from those bytes are dropped. The write methods above do it themselves.
   */
  wrote(view: Uint8Array): void;
}

/** Which host page stands behind which guest frame. */
export interface Physmap {
  /** Pages of RAM that the guest has given back, and may have again. They are behind no frame. */
  readonly spare: Set<Uint8Array>;
  /** A zeroed 4 KiB page outside guest RAM, not mapped anywhere yet. */
  allocateFrame(): Uint8Array;
  /**
   * Puts a page behind a frame: one from {@link allocateFrame}, or one that is behind another frame.
   * @param frame `undefined`: what is there by nature
   * @param readOnly stores go nowhere
   */
  mapFrame(gfn: Gfn, frame: Uint8Array | undefined, readOnly?: boolean): void;
  /** Leaves nothing behind a frame, whatever is there by nature. */
  hideFrame(gfn: Gfn): void;
}

// ---- devices -------------------------------------------------------------------------------

/** A device on the port bus. It knows offsets, never its base port; values are unsigned. */
export interface PortDevice {
  /** Answers IN. */
  readPort(offset: number, size: AccessSize): number;
  /** Takes OUT. */
  writePort(offset: number, size: AccessSize, value: number): void;
  /**
   * `rep ins`: fills `into` (whole items of `size` bytes, at most a page) as that many reads would.
   */
  readPortString?(offset: number, size: AccessSize, into: Uint8Array): void;
  /** `rep outs`: takes `from` as that many writes would. */
  writePortString?(offset: number, size: AccessSize, from: Uint8Array): void;
  /**
   * Bit `n`, up to 31: once read, the byte at offset `n` reads the same, without effect, until the
   * device is accessed in another way or a timer of its runs out. Absent: there are none.
   */
  readonly steadyOffsets?: number;
}

/** A device in guest-physical address space. */
export interface MmioDevice {
  /** Answers a load. */
  readMmio(offset: number, size: AccessSize): number;
  /** Takes a store. */
  writeMmio(offset: number, size: AccessSize, value: number): void;
}

/** The I/O port space. */
export interface PortBus {
  /**
   * Gives a device `length` ports from `base`.
   * @throws {InternalError} when the range overlaps another owner's; names both
   */
  map(name: string, base: number, length: number, device: PortDevice): void;
  /** Takes all of an owner's ranges away. */
  unmap(name: string): void;
}

/** A level. Edges belong to the interrupt controller. */
export interface InterruptLine {
  /** Drives the line. */
  set(asserted: boolean): void;
}

/** Tells of a guest's mistake that got its architectural answer. Counted, traced, never thrown. */
export interface GuestErrors {
  /**
   * Counts and traces one mistake.
   * @param source the part that answered, e.g. `"ide"`
   * @param text what was attempted, without a final period
   */
  guestError(source: string, text: string): void;
}

// ---- vCPU ----------------------------------------------------------------------------------

/** VMX basic exit reasons (Intel SDM vol. 3, appendix C), by the names `perf kvm stat` prints. */
export const EXIT = {
  EXCEPTION_NMI: 0,
  EXTERNAL_INTERRUPT: 1,
  TRIPLE_FAULT: 2,
  INTERRUPT_WINDOW: 7,
  CPUID: 10,
  HLT: 12,
  INVD: 13,
  RDPMC: 15,
  VMCALL: 18,
  CR_ACCESS: 28,
  DR_ACCESS: 29,
  IO_INSTRUCTION: 30,
  MSR_READ: 31,
  MSR_WRITE: 32,
  EPT_VIOLATION: 48,
  WBINVD: 54,
} as const;

/** A VMX basic exit reason. */
export type ExitReason = typeof EXIT[keyof typeof EXIT];

/**
 * One VM exit. There is one object per vCPU, reused: copy what you keep.
 * `value` carries the datum: what the guest writes, or what the handler answers to a read.
 */
export interface VmExit {
  /** Why. */
  reason: ExitReason;
  /** Virtual time of the exit. Set by the host. */
  at: Ns;
  /** Linear address of the instruction. */
  rip: number;
  /** Guest → outside. */
  write: boolean;
  /** Bytes of one item. */
  size: AccessSize;
  /** I/O port, MSR number, or CPUID leaf, by `reason`. */
  port: number;
  /**
   * Guest-physical address: of the access (EPT_VIOLATION) or of the lowest byte of the buffer
   * (string I/O).
   */
  gpa: Gpa;
  /** Items of this exit; 1 unless `string`. */
  count: number;
  /** INS/OUTS, or a REP string instruction on MMIO. */
  string: boolean;
  /** EFLAGS.DF of a string access: items go down in memory from the highest. */
  descending: boolean;
  /** Port in the instruction (`in al, imm8`) instead of DX. */
  immediate: boolean;
  /** The datum, unsigned. */
  value: number;
  /** Instructions retired since the last exit or the begin of the slice, this one not included. */
  retired: number;
  /**
   * Set by the host, of a port read: the same read gets the same answer, and takes this long, until
   * something else happens. The vCPU may then take this off its budget, and tell of it later. 0 =
   * ask again.
   */
  steady: Ns;
}

/** Follows the vCPU out of the guest and back, in order of time. */
export interface ExitObserver {
  /** The vCPU has left the guest; the exit has not been served yet. */
  exits(exit: VmExit, vcpu: VcpuState): void;
  /** The exit has been served and the guest goes on, unless {@link slept} follows. */
  enters(exit: VmExit, at: Ns): void;
  /**
   * An exit that no instruction made, from begin to end.
   * @param rip linear address of the next instruction
   */
  event(reason: ExitReason, rip: number, at: Ns, entersAt: Ns): void;
  /** The vCPU had nothing to do; it may sleep again at once. */
  slept(from: Ns, to: Ns): void;
}

/** Registers that handlers of CPUID, MSR and hypercall exits, and debuggers, may read and edit. */
export interface VcpuState {
  /** EAX ECX EDX EBX ESP EBP ESI EDI. */
  readonly regs: Uint32Array;
  /** Offset in the code segment of the next instruction, or of the one that exits. */
  eip: number;
  /** All flags, the arithmetic ones included. */
  eflags: number;
  /** CR0, CR2, CR3, CR4 at their own indexes (0, 2, 3, 4). */
  readonly cr: Readonly<Uint32Array>;
  /** Current privilege level, 0–3. */
  readonly cpl: number;
  /** Selector of ES CS SS DS FS GS. */
  selector(segment: number): number;
  /** Linear base of ES CS SS DS FS GS. */
  segmentBase(segment: number): number;
  /** Walks the page tables with supervisor rights; `undefined` where not mapped. */
  linearToGpa(linear: number): Gpa | undefined;
}

/** What the vCPU asks of the hypervisor. */
export interface VcpuHost {
  /**
   * Serves one exit; on return `exit.value` holds the answer to a read.
   * @returns instructions that may retire before the vCPU must leave its slice; 0 = leave now
   */
  exit(exit: VmExit): number;
  /**
   * The last exit, which was `steady`, has been repeated. Told before anything else is; a host that
   * calls no exit steady is never told.
   * @param spent budget that had been used, since the host was told last, when each of the last
   *   `spent.length` repetitions began; that of repetition `n`, from 0, at `n % spent.length`
   */
  repeated?(times: number, spent: Int32Array): void;
  /** An external interrupt or upcall could be injected. */
  readonly interruptPending: boolean;
  /** Takes the pending interrupt; returns its vector. */
  acknowledgeInterrupt(): number;
  /** The vCPU takes an NMI. */
  acknowledgeNmi(): void;
  /** Time stamp counter when `retired` instructions have retired since the last exit. */
  timestamp(retired: number): number;
  /**
   * A port access that real Xen lets through without an exit (0x80, 0xed): no time, no exit, and
   * `retired` says nothing.
   */
  passthroughPort(exit: VmExit): void;
}

// ---- storage -------------------------------------------------------------------------------

/** Bytes of an image, no time. Whole sectors; throws `ImageError` on a host failure. */
export interface BlockBackend {
  /** Size of the image. */
  readonly sectorCount: number;
  /** Writes are refused. */
  readonly readOnly: boolean;
  /** Fills `into` from `sector` on. */
  read(sector: number, into: Uint8Array): void;
  /** Stores `from` at `sector`. */
  write(sector: number, from: Uint8Array): void;
  /** Returns when all earlier writes are durable. */
  flush(): void;
  /** Gives the space of some sectors back; they read as zeros from then on. Where it can. */
  discard?(sector: number, count: number): void;
  /** Releases the host file. The backend is not used again. */
  close(): void;
}

/**
 * Outcome of a {@link BlockRequest}: served; a sector cannot be read or written; refused; the disk
 * hangs, and a drive that waits for it goes on waiting.
 */
export type BlockStatus = "ok" | "error" | "aborted" | "timeout";

/** One request to a {@link Disk}. The submitter has checked range and alignment. */
export interface BlockRequest {
  /** What to do. */
  op: "read" | "write" | "flush" | "discard";
  /** First sector. */
  sector: number;
  /**
   * Contiguous on disk, in order; each a multiple of 512 bytes. Empty for flush and discard. Bytes
   * move just before `done`.
   */
  segments: readonly Uint8Array[];
  /**
   * Sectors to discard; of a read or write without segments, those that keep the medium busy: whoever
   * submits it has moved their bytes, or will.
   */
  count?: number;
  /**
   * Called from the clock, never from inside `submit`.
   * @param failedAt the first sector of which `status` is true; those before it have been served.
   *   The request's first unless given
   */
  done(status: BlockStatus, failedAt?: number): void;
}

/** A disk with a queue and a latency. Both paths share the same one. */
export interface Disk {
  /** Size of the disk. */
  readonly sectorCount: number;
  /** Writes end with status `error`. */
  readonly readOnly: boolean;
  /** Serves discard, after which the sectors read as zeros; not unless given. */
  readonly canDiscard?: boolean;
  /** Never calls `done()` itself. Requests complete in the order of submission. */
  submit(request: BlockRequest): void;
}

/** What stands behind a block backend, by xl's names; the first is usual. */
export const BACKEND_KINDS = ["phy", "file", "tap", "qdisk"] as const;

/** One of {@link BACKEND_KINDS}. */
export type BackendKind = typeof BACKEND_KINDS[number];

// ---- Xen: what dom0's kernel offers a backend of one guest --------------------------------------

/** A part of a granted page, and the memory of dom0 that it is copied to or from. */
export interface GrantCopy {
  /** The grant. */
  readonly gref: number;
  /** First byte in the page; `offset + bytes.length` stays inside it. */
  readonly offset: number;
  /** Memory of dom0. */
  readonly bytes: Uint8Array;
}

/**
 * Maps pages that the guest has granted to dom0. Every operation is counted, and charged to dom0.
 */
export interface GrantMapper {
  /**
   * The granted page; `undefined` if the entry does not permit it (a guest error, already told).
   */
  map(gref: number, access: "read" | "write"): Uint8Array | undefined;
  /** Ends one mapping made by {@link map}. */
  unmap(gref: number): void;
  /** Ends several as one batch: one TLB shootdown for every 32. */
  unmapAll(grefs: readonly number[]): void;
  /**
   * Copies several parts of pages, one hypercall for every 16.
   * @param access `"read"` fills the memory of dom0, `"write"` the pages
   * @returns false if a grant does not permit it (a guest error, already told); those before it have
   *   been copied
   */
  copyAll(copies: readonly GrantCopy[], access: "read" | "write"): boolean;
}

/** dom0's end of an interdomain event channel. */
export interface EventPort {
  /** Sends an event to the guest. */
  notify(): void;
  /** Unbinds the channel. */
  close(): void;
}

/** xenstore as a privileged (dom0) client. Paths are absolute. */
export interface StoreClient {
  /** The node's value, `undefined` if there is none. */
  read(path: string): string | undefined;
  /** Sets a value; creates the node and its parents. */
  write(path: string, value: string): void;
  /** Names of the node's children. */
  list(path: string): readonly string[];
  /** Removes the node and all below; nothing happens if it is absent. */
  remove(path: string): void;
  /**
   * Fires once at once and then for every change at or below `path`. Returns the function that ends
   * it.
   */
  watch(path: string, fire: (path: string) => void): () => void;
}

/** Everything a backend driver in dom0 is given to serve one guest. */
export interface BackendHost {
  /** The guest served. */
  readonly domid: number;
  /** The guest's granted pages. */
  readonly grants: GrantMapper;
  /** xenstore with dom0's rights. */
  readonly store: StoreClient;
  /** Binds the guest's unbound port. `undefined` if it is not one that names dom0. */
  bindInterdomain(remotePort: number, onEvent: () => void): EventPort | undefined;
}
