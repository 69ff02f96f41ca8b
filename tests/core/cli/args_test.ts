import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../../core/errors.ts";
import { parseArgs } from "../../../core/cli/args.ts";
import type { CompareOptions } from "../../../core/cli/compare_args.ts";
import type { RunOptions } from "../../../core/cli/run_args.ts";

const MIB = 1 << 20;
/** What shares the terminal unless options say otherwise. */
const CONSOLE = {
  serial: "terminal",
  xenConsole: "serial",
  monitor: true,
  screen: false,
  escapes: true,
  front: "serial",
  monitorWanted: false,
} as const;
const run = (...args: string[]) => parseArgs(["run", ...args]) as RunOptions;
const compare = (...args: string[]) => parseArgs(["compare", ...args]) as CompareOptions;

function usageError(...args: string[]): UsageError {
  return assertThrows(() => parseArgs(args), UsageError);
}

Deno.test("parseArgs() fills in the defaults of run", () => {
  assertEquals(run("guest.bin"), {
    command: "run",
    guest: "guest.bin",
    bios: false,
    serialScreen: false,
    drives: [],
    console: CONSOLE,
    snapshot: false,
    cpu: "i686",
    cost: "xen-4.17",
    media: "ssd",
    ramBytes: 32 * MIB,
    json: false,
    quiet: false,
    progress: true,
  });
});

Deno.test("parseArgs() reads every option of run, with one dash and with two", () => {
  const long = run(
    ..."g --disk a.img --disk b.img --append x=1 --snapshot --cost xen-2007 --media hdd -m 64"
      .split(" "),
    ..."--max-insns 10m --max-time 5s --json --load flat@0x100000 --quiet --no-progress".split(" "),
    ..."--cpu=pentium3 -d in_asm -D log".split(" "),
  );
  assertEquals(long, {
    command: "run",
    guest: "g",
    bios: false,
    serialScreen: false,
    drives: ["a.img", "b.img"].map((file, index) => {
      return { file, index, kind: "disk", raw: false, readOnly: false, snapshot: true };
    }),
    console: CONSOLE,
    append: "x=1",
    snapshot: true,
    placement: { mode: "protected32", gpa: MIB },
    cpu: "pentium3",
    cost: "xen-2007",
    media: "hdd",
    ramBytes: 64 * MIB,
    maxInsns: 10_000_000,
    maxTime: 5_000_000_000,
    json: true,
    quiet: true,
    progress: false,
    log: ["in_asm"],
    logFile: "log",
  });
  const short = run(
    ..."g -disk a.img -disk b.img -append x=1 -snapshot -cost xen-2007 -media hdd -m 64".split(" "),
    ..."-max-insns 10m -max-time=5s -json -load flat@0x100000 -quiet -no-progress".split(" "),
    ..."-cpu pentium3 -d in_asm -D log".split(" "),
  );
  assertEquals(short, long);
});

Deno.test("parseArgs() leaves values alone that look like options", () => {
  assertEquals(run("g", "-append", "-verbose").append, "-verbose");
  assertEquals(run("--", "-guest").guest, "-guest");
});

Deno.test("parseArgs() takes a kernel and its files as QEMU does", () => {
  const { guest, initrd, append } = run(
    ..."-kernel vmlinuz -initrd i.gz -append quiet -smp 1".split(" "),
  );
  assertEquals([guest, initrd, append], ["vmlinuz", "i.gz", "quiet"]);
  assertEquals(run("g", "-smp", "cpus=1").guest, "g");
  assertEquals(run("g", "-no-reboot", "-M", "pc").machine, { type: "pc", xen: {} });
  const features = "xenfv,evtchn-fifo=on,upcall-vector=on,pvclock=off";
  assertEquals(run("g", "-machine", features).machine, {
    type: "xenfv",
    xen: { evtchnFifo: true, upcallVector: true, pvclock: false },
  });
});

Deno.test("parseArgs() takes long options with one dash where no command stands before them", () => {
  assertEquals((parseArgs(["-kernel", "g"]) as RunOptions).guest, "g");
  assertEquals((parseArgs(["-hda", "d.img"]) as RunOptions).bios, true);
});

Deno.test("parseArgs() takes -action and -no-reboot as QEMU does", () => {
  assertEquals(run("g").reboot, undefined);
  assertEquals(run("g", "-no-reboot").reboot, "shutdown");
  assertEquals(run("g", "-action", "reboot=reset").reboot, "reset");
  assertEquals(run("g", "-action", "reboot=reset", "-no-reboot").reboot, "shutdown");
  assertThrows(
    () => run("g", "-action", "panic=none"),
    UsageError,
    'Cannot use -action "panic=none"',
  );
});

Deno.test("parseArgs() starts a BIOS when there are drives and no guest", () => {
  const { guest, bios, drives } = run("-hda", "d.img");
  assertEquals([guest, bios, drives.length], ["/usr/share/seabios/bios-256k.bin", true, 1]);
  assertEquals([run("-bios", "b.bin").guest, run("-bios", "b.bin").bios], ["b.bin", true]);
});

Deno.test("parseArgs() has hvmloader start the BIOS", () => {
  const { guest, bios, hvmloader } = run("-hvmloader", "h", "-hda", "d.img");
  assertEquals([guest, bios, hvmloader], ["/usr/share/seabios/bios-256k.bin", true, "h"]);
  assertEquals(run("-hvmloader", "h", "-bios", "b.bin").guest, "b.bin");
  assertEquals(run("-bios", "b.bin").hvmloader, undefined);
});

Deno.test("parseArgs() runs when no command is named", () => {
  assertEquals((parseArgs(["guest.bin", "-m", "8"]) as RunOptions).command, "run");
});

Deno.test("parseArgs() reads memory as QEMU does", () => {
  for (
    const [text, mib] of [["64", 64], ["64M", 64], ["1G", 1024], ["4096k", 4], [
      "1920",
      1920,
    ]] as const
  ) {
    assertEquals(run("g", "-m", text).ramBytes, mib * MIB);
  }
  for (const text of ["1", "3G", "1921", "2500k", "x", "-5"]) usageError("run", "g", "-m", text);
});

Deno.test("parseArgs() fills in the defaults of compare", () => {
  assertEquals(compare(), {
    command: "compare",
    op: "read",
    bs: 4096,
    count: 256,
    depth: 1,
    cpu: "i686",
    cost: "xen-4.17",
    media: "ssd",
    ramBytes: 32 * MIB,
    json: false,
    quiet: false,
    progress: true,
  });
});

Deno.test("parseArgs() reads every option of compare", () => {
  const options = compare(
    ..."g.bin --disk d.img --op randwrite --bs 64k --count 10 --depth 32 --out o".split(" "),
  );
  const { guest, disk, op, bs, count, depth, out } = options;
  assertEquals(
    [guest, disk, op, bs, count, depth, out],
    ["g.bin", "d.img", "randwrite", 65536, 10, 32, "o"],
  );
});

Deno.test("parseArgs() gives compare a kernel instead of a guest, and that more memory", () => {
  const { guest, linux, ramBytes } = compare(
    ..."-kernel vmlinuz -initrd i.gz -append libata.dma=0".split(" "),
  );
  assertEquals([guest, ramBytes], [undefined, 256 * MIB]);
  assertEquals(linux, { kernel: "vmlinuz", initrd: "i.gz", append: "libata.dma=0" });
  assertEquals(compare("--kernel", "k", "-m", "128").ramBytes, 128 * MIB);
});

Deno.test("parseArgs() suggests the option that was meant", () => {
  const error = usageError("run", "g", "--dsik", "a.img");
  assertEquals(error.message, "unknown option '--dsik'");
  assertEquals(error.hint, "Did you mean --disk?");
  assertEquals(error.exitCode, 2);
  assertEquals(usageError("run", "g", "-snapsot").hint, "Did you mean --snapshot?");
});

const refused: readonly [string, string][] = [
  ["run", "missing required argument 'guest'"],
  ["run a b", "too many arguments"],
  ["run g --disk", "argument missing"],
  ["run g --disk a --disk b --disk c --disk d --disk e", "Cannot attach 5 drives"],
  ["run g --load elf@5", "wanted flat@ADDRESS"],
  ["run g --kernel k", 'Cannot run both "g" and -kernel "k"'],
  ["run g --bios b", 'Cannot start "g" with -bios "b"'],
  ["run g --hvmloader h", 'Cannot start "g" with -hvmloader'],
  ["run --hvmloader h --append x", "Cannot use -append without a guest"],
  ["run --bios b --append x", "Cannot use -append without a guest"],
  ["run g --debugcon file:", "wanted stdio, null or file:F"],
  ["run g --machine q35", 'Cannot make a machine "q35": wanted pc or xenfv'],
  ["run g --machine xenfv,fifo=on", 'Cannot use -machine property "fifo": wanted evtchn-fifo, '],
  [
    "run g --machine xenfv,pvclock=on=off",
    'Cannot use -machine property "pvclock=on=off": wanted on or off',
  ],
  ["run g --machine xenfv,pvclock", 'Cannot use -machine property "pvclock": wanted on or off'],
  ["run g --machine pc,pvclock=off", "Cannot use -machine pc,pvclock=off: the machine hides Xen"],
  ["run g --smp 2", "a machine has one processor"],
  ["run g --rtc utc", 'Cannot read -rtc "utc"'],
  ["run g --max-insns 0", 'Cannot read --max-insns "0"'],
  ["run g --max-time 5", 'Cannot read --max-time "5"'],
  ["compare --op erase", "Cannot use --op erase: wanted read, write, randread, randwrite"],
  ["compare --bs 1000", "wanted a multiple of 512"],
  ["compare --bs 256k", "wanted a multiple of 512 up to 128k"],
  ["compare --depth 33", "the ring has 32 slots"],
  ["compare g --kernel k", 'Cannot run both "g" and -kernel "k"'],
  ["compare --initrd i", "Cannot use --initrd without --kernel"],
  ["compare g --append x", "Cannot use --append without --kernel"],
  ["compare --count many", 'Cannot read --count "many"'],
];
for (const [args, message] of refused) {
  Deno.test(`parseArgs() refuses "${args}"`, () => {
    const error = usageError(...args.split(" "));
    assertStringIncludes(error.message, message);
    assertEquals(error.message.includes("\n"), false);
  });
}

Deno.test("parseArgs() answers help and version instead of running", () => {
  for (const flag of ["-h", "--help", "-help"]) {
    const help = parseArgs(["run", flag]);
    assertEquals(help.command, "text");
    assertStringIncludes(help.command === "text" ? help.text : "", "--max-insns <n>");
  }
  assertEquals(parseArgs(["compare", "--version"]), { command: "text", text: "0.1.0\n" });
});

for (const command of ["run", "compare"]) {
  Deno.test(`parseArgs() has the help of ${command} fit 100 columns`, () => {
    const help = parseArgs([command, "--help"]);
    const lines = help.command === "text" ? help.text.split("\n") : [];
    assertEquals(lines.length > 20, true);
    assertEquals(lines.filter((line) => line.length > 100), []);
  });
}

Deno.test("parseArgs() lists presets and the schema without a guest", () => {
  assertEquals(parseArgs(["run", "--cost", "help"]), { command: "list", what: "cost" });
  assertEquals(parseArgs(["run", "-cpu", "help"]), { command: "list", what: "cpu" });
  assertEquals(parseArgs(["compare", "-media", "help"]), { command: "list", what: "media" });
  assertEquals(parseArgs(["compare", "--schema"]), { command: "list", what: "schema" });
});

Deno.test("parseArgs() reads what --disasm is to print, and takes no guest for its value", () => {
  assertEquals(run("g.bin", "--disasm").disasm, {});
  assertEquals([run("-disasm", "g.bin").disasm, run("-disasm", "g.bin").guest], [{}, "g.bin"]);
  assertEquals(run("g.bin", "-disasm=0x7c00").disasm, { address: 0x7c00 });
  assertEquals(run("g.bin", "--disasm=1048576,20").disasm, { address: MIB, count: 20 });
  assertEquals(run("g.bin").disasm, undefined);
});

Deno.test("parseArgs() refuses a --disasm that is no address and count, with a working one", () => {
  for (const value of ["main", "0x7c00 20", "0x100000000", ",5", "-1", "0x7c00,"]) {
    const { message, hint } = usageError("run", "g.bin", `--disasm=${value}`);
    assertEquals(
      message,
      `Cannot read --disasm "${value}": wanted ADDRESS or ADDRESS,COUNT`,
    );
    assertStringIncludes(hint!, "--disasm=0x7c00,20");
  }
  assertStringIncludes(usageError("run", "g", "--disasm=0,0").message, "wanted a positive number");
});
