/**
 * What the benchmark guests measure, and the check values they must arrive at.
 *
 * Check values: QEMU 7.2.22 (Debian), `qemu-system-i386 -accel tcg -machine pc -m 64 -display none
 * -nodefaults -serial stdio -device isa-debug-exit,iobase=0xf4,iosize=4 -drive
 * file=IMAGE,format=raw,if=ide,snapshot=on -no-reboot`, on the images that `bench_image.ts` makes.
 * Instruction counts: the same with `-icount shift=0,sleep=off`, less one for each REP instruction,
 * whose last look at ECX QEMU counts, too. Bochs's ticks agree within two of a section.
 * @module
 */

/** Per second of host CPU time, but for ns/op, which is host CPU time of one operation. */
export type RateUnit = "MIPS" | "MiB/s" | "IOPS" | "ns/op";

/** How long the sections are. */
export type BenchMode = "full" | "quick";

/** A number for each mode. */
export type ByMode = Readonly<Record<BenchMode, number>>;

/** What a section has to reach. */
export interface Target {
  /** A speed over v86's, or a value in the section's own unit. */
  readonly of: "v86" | "unit";
  /** At least that; at most, where less is better. */
  readonly value: number;
}

/** One section between the marks `#B name` and `#E name`. */
export interface BenchSection {
  readonly name: string;
  readonly unit: RateUnit;
  /** Bytes in one of the guest's units of work; only for MiB/s. */
  readonly unitBytes?: number;
  /** Counts in the geometric mean of integer kernels. */
  readonly integer?: true;
  readonly target?: Target;
  readonly check: ByMode;
  /** Instructions between the section's two RDTSC; only for MIPS. */
  readonly instructions?: ByMode;
}

/** One guest, built and run in one way. */
export interface BenchSuite {
  readonly name: "cpu" | "cpu-paging" | "disk";
  /** What the user asks for, and the name of the guest's source. */
  readonly guest: "cpu" | "disk";
  /** What nasm is told to define. */
  readonly defines: Readonly<Record<BenchMode, readonly string[]>>;
  /** The image has the sector pattern that the guest checks. */
  readonly patterned: boolean;
  /** v86 runs the same image in turn. */
  readonly peer: boolean;
  readonly sections: readonly BenchSection[];
}

/** Geometric mean of the integer kernels. */
export const MEAN_TARGET: Target = { of: "v86", value: 2 };
/** Any one of them, and what v86 is good at: INT and code that changes. */
const AS_FAST: Target = { of: "v86", value: 1 };
/** v86 copies pages, too. */
const REP_TARGET: Target = { of: "v86", value: 0.8 };
/** Exactness first. */
const FPU_TARGET: Target = { of: "v86", value: 0.5 };
const PORT_TARGET: Target = { of: "unit", value: 30 };
/** Where a command moves many sectors. */
const PIO_TARGET: Target = { of: "unit", value: 600 };
const DMA_TARGET: Target = { of: "unit", value: 3000 };
const MIB = 1 << 20;

const CPU: BenchSuite = {
  name: "cpu",
  guest: "cpu",
  defines: { full: [], quick: ["SCALE=1/4"] },
  patterned: false,
  peer: true,
  sections: [
    mips("fill", both(0x2d02ef8d), both(0x14290d)),
    integer("sieve", both(0x00014069), { full: 0x11334c40, quick: 0x44cd316 }),
    integer(
      "crc32",
      { full: 0x90217af8, quick: 0x3389d48b },
      { full: 0xa80006a, quick: 0x2a00022 },
    ),
    integer(
      "fnv1a",
      { full: 0x90b74f45, quick: 0xbf76e6e5 },
      { full: 0xc000089, quick: 0x3000029 },
    ),
    integer(
      "qsort",
      { full: 0x214d0627, quick: 0xc3a0d321 },
      { full: 0xdd22a3d, quick: 0x265bb77 },
    ),
    integer(
      "muldiv",
      { full: 0xd7722100, quick: 0x38520556 },
      { full: 0xcdfe60a, quick: 0x337f98a },
    ),
    integer("fib", both(0x0035c7e2), both(0x9db8e21)),
    integer(
      "adc",
      { full: 0x322cab48, quick: 0xcc8b2ad2 },
      { full: 0x9402a4f, quick: 0x2500acf },
    ),
    integer(
      "dispatch",
      { full: 0x5da525a8, quick: 0x84e83af3 },
      { full: 0xc43c431, quick: 0x310f301 },
    ),
    {
      ...mips("fpu", both(0x406f3fff), { full: 0x2255110, quick: 0x895450 }),
      target: FPU_TARGET,
    },
    { ...bandwidth("rep_movsd", MIB, both(0xad243039)), target: REP_TARGET },
    bandwidth("rep_movsd_alias", MIB, both(0xad243039)),
    { ...bandwidth("rep_stosd", MIB, both(1)), target: REP_TARGET },
    { ...operation("int_iret", { full: 0x001e8480, quick: 0x0007a120 }), target: AS_FAST },
    { ...operation("smc", { full: 0x2a06b550, quick: 0x12a08ff4 }), target: AS_FAST },
    { ...operation("out_80", both(0)), target: PORT_TARGET },
    { ...operation("in_1f7", both(0x50)), target: PORT_TARGET },
  ],
};

/** The same through page tables of 4 KiB pages. */
const CPU_PAGING: BenchSuite = {
  ...CPU,
  name: "cpu-paging",
  defines: {
    full: [...CPU.defines.full, "PAGING"],
    quick: [...CPU.defines.quick, "PAGING"],
  },
};

/** Of what the guest has read. */
const READ: ByMode = { full: 0xf8396d3b, quick: 0xf85d4f4f };

const DISK: BenchSuite = {
  name: "disk",
  guest: "disk",
  defines: { full: [], quick: ["MIB=4", "IOPS=1024", "PASSES=5"] },
  patterned: true,
  peer: false,
  sections: [
    bandwidth("pio_read_1sector", 1, READ),
    { ...bandwidth("pio_read_256sector", 1, READ), target: PIO_TARGET },
    { ...bandwidth("pio_readmult16", 1, READ), target: PIO_TARGET },
    iops("pio_4k_random", { full: 0xe16e5764, quick: 0x7bc0853c }),
    bandwidth("pio_write_256sector", 1, both(0)),
    { ...bandwidth("pio_write_check", 1, both(0)), target: PIO_TARGET },
    { ...bandwidth("pio_irq_read_256sector", 1, READ), target: PIO_TARGET },
    iops("pio_irq_4k_random", { full: 0xe16e5764, quick: 0x7bc0853c }),
    { ...bandwidth("dma_poll_read_128k", 1, READ), target: DMA_TARGET },
    { ...bandwidth("dma_irq_read_128k", 1, READ), target: DMA_TARGET },
    iops("dma_irq_4k_random", { full: 0xaaed9055, quick: 0xe16e5764 }),
    iops("dma_poll_4k_random", { full: 0xaaed9055, quick: 0xe16e5764 }),
    { ...bandwidth("dma_irq_write_128k", 1, both(0)), target: DMA_TARGET },
    iops("dma_irq_4k_write", both(0)),
  ],
};

/** All guests, in the order they run. */
export const BENCH_SUITES: readonly BenchSuite[] = [CPU, CPU_PAGING, DISK];

function both(value: number): ByMode {
  return { full: value, quick: value };
}

function mips(name: string, check: ByMode, instructions: ByMode): BenchSection {
  return { name, unit: "MIPS", check, instructions };
}

function integer(name: string, check: ByMode, instructions: ByMode): BenchSection {
  return { ...mips(name, check, instructions), integer: true, target: AS_FAST };
}

function bandwidth(name: string, unitBytes: number, check: ByMode): BenchSection {
  return { name, unit: "MiB/s", unitBytes, check };
}

function iops(name: string, check: ByMode): BenchSection {
  return { name, unit: "IOPS", check };
}

function operation(name: string, check: ByMode): BenchSection {
  return { name, unit: "ns/op", check };
}
