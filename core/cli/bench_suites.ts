/**
 * What the benchmark guests measure, and the check values they must arrive at.
 *
 * Check values: QEMU 7.2.22 (Debian), `qemu-system-i386 -accel tcg -machine pc -m 64 -display none
 * -nodefaults -serial stdio -device isa-debug-exit,iobase=0xf4,iosize=4 -drive
 * file=IMAGE,format=raw,if=ide,snapshot=on -no-reboot`, on the images that `bench_image.ts` makes.
 * @module
 */

/** Per second of host CPU time, but for ns/op, which is host CPU time of one operation. */
export type RateUnit = "MIPS" | "MiB/s" | "IOPS" | "ns/op";

/** How long the sections are. */
export type BenchMode = "full" | "quick";

/** One section between the marks `#B name` and `#E name`. */
export interface BenchSection {
  readonly name: string;
  readonly unit: RateUnit;
  /** Bytes in one of the guest's units of work; only for MiB/s. */
  readonly unitBytes?: number;
  /** Counts in the geometric mean of integer kernels. */
  readonly integer?: true;
  /** The rate wanted. */
  readonly target?: number;
  readonly check: Readonly<Record<BenchMode, number>>;
}

/** One guest. */
export interface BenchSuite {
  readonly name: "cpu" | "disk";
  /** What nasm is told to define. */
  readonly defines: Readonly<Record<BenchMode, readonly string[]>>;
  /** The image has the sector pattern that the guest checks. */
  readonly patterned: boolean;
  /** Sections that are not run, and why. */
  readonly leftOut: Readonly<Record<string, string>>;
  readonly sections: readonly BenchSection[];
}

/** Geometric mean of the integer kernels, MIPS. */
export const MEAN_TARGET = 100;
const PIO_TARGET = 300;
const MIB = 1 << 20;

const CPU: BenchSuite = {
  name: "cpu",
  // The section of x87 code starts with FNINIT; a RET in its place ends it at once.
  defines: { full: ["fninit=ret"], quick: ["fninit=ret", "SCALE=1/4"] },
  patterned: false,
  leftOut: { fpu: "no x87 yet" },
  sections: [
    mips("fill", 0x2d02ef8d, 0x2d02ef8d),
    integer("sieve", 0x00014069, 0x00014069),
    integer("crc32", 0x90217af8, 0x3389d48b),
    integer("fnv1a", 0x90b74f45, 0xbf76e6e5),
    integer("qsort", 0x214d0627, 0xc3a0d321),
    integer("muldiv", 0xd7722100, 0x38520556),
    integer("fib", 0x0035c7e2, 0x0035c7e2),
    integer("adc", 0x322cab48, 0xcc8b2ad2),
    integer("dispatch", 0x5da525a8, 0x84e83af3),
    bandwidth("rep_movsd", MIB, 0xad243039, 0xad243039),
    bandwidth("rep_movsd_alias", MIB, 0xad243039, 0xad243039),
    bandwidth("rep_stosd", MIB, 1, 1),
    operation("int_iret", 0x001e8480, 0x0007a120),
    operation("smc", 0x2a06b550, 0x12a08ff4),
    operation("out_80", 0, 0),
    operation("in_1f7", 0x50, 0x50),
  ],
};

const DISK: BenchSuite = {
  name: "disk",
  defines: { full: [], quick: ["MIB=4", "IOPS=1024", "PASSES=5"] },
  patterned: true,
  leftOut: {},
  sections: [
    bandwidth("pio_read_1sector", 1, 0xf8396d3b, 0xf85d4f4f),
    { ...bandwidth("pio_read_256sector", 1, 0xf8396d3b, 0xf85d4f4f), target: PIO_TARGET },
    { ...bandwidth("pio_readmult16", 1, 0xf8396d3b, 0xf85d4f4f), target: PIO_TARGET },
    iops("pio_4k_random", 0xe16e5764, 0x7bc0853c),
    bandwidth("pio_write_256sector", 1, 0, 0),
    bandwidth("pio_write_check", 1, 0, 0),
    bandwidth("pio_irq_read_256sector", 1, 0xf8396d3b, 0xf85d4f4f),
    iops("pio_irq_4k_random", 0xe16e5764, 0x7bc0853c),
    bandwidth("dma_poll_read_128k", 1, 0xf8396d3b, 0xf85d4f4f),
    bandwidth("dma_irq_read_128k", 1, 0xf8396d3b, 0xf85d4f4f),
    iops("dma_irq_4k_random", 0xaaed9055, 0xe16e5764),
    iops("dma_poll_4k_random", 0xaaed9055, 0xe16e5764),
    bandwidth("dma_irq_write_128k", 1, 0, 0),
    iops("dma_irq_4k_write", 0, 0),
  ],
};

/** All guests, in the order they run. */
export const BENCH_SUITES: readonly BenchSuite[] = [CPU, DISK];

function mips(name: string, full: number, quick: number): BenchSection {
  return { name, unit: "MIPS", check: { full, quick } };
}

function integer(name: string, full: number, quick: number): BenchSection {
  return { ...mips(name, full, quick), integer: true };
}

function bandwidth(name: string, unitBytes: number, full: number, quick: number): BenchSection {
  return { name, unit: "MiB/s", unitBytes, check: { full, quick } };
}

function iops(name: string, full: number, quick: number): BenchSection {
  return { name, unit: "IOPS", check: { full, quick } };
}

function operation(name: string, full: number, quick: number): BenchSection {
  return { name, unit: "ns/op", check: { full, quick } };
}
