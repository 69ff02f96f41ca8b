import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Monitor } from "../../../core/debug/monitor.ts";
import type { MachineType } from "../../../core/machine/config.ts";
import { boot, flatGuest } from "../../helpers/small_machine.ts";
import { snapshotOf } from "../../helpers/machine.ts";

/** A guest at its first instruction: mov eax, 0x11223344; hlt; then some data. */
const GUEST = flatGuest(0xb8, 0x44, 0x33, 0x22, 0x11, 0xf4, 0x41, 0x0a, 0x27, 0x80);

/** A monitor on it, and what the monitor did to its host. */
function newMonitor(type?: MachineType) {
  const board = type === undefined ? {} : { machine: type };
  const machine = boot(GUEST, board, [snapshotOf(new Uint8Array(512 * 100))]);
  const log: string[] = [];
  const files: Record<string, string> = {};
  const monitor = new Monitor({
    inspector: machine.inspector,
    topics: { status: { help: "show the status", lines: () => ["VM status: running"] } },
    stop: () => log.push("stop"),
    cont: () => log.push("cont"),
    quit: () => log.push("quit"),
    toolstack: (command) => {
      log.push(JSON.stringify(command));
      return ["no"];
    },
    attach: (spec) => [`no ${spec}`],
    screen: () => ["ab  ", "c   "],
    writeFile: (path, text) => {
      if (path.startsWith("no/")) throw new Error("No such file or directory");
      files[path] = text;
    },
  });
  return { machine, monitor, log, files };
}

/** A line, and what QEMU 7.2 answers where it has the same memory. */
const ANSWERS: readonly (readonly [string, ...string[]])[] = [
  [""],
  ["foo", "unknown command: 'foo'"],
  ["info foo", "unknown command: 'info foo'"],
  ["info constructor", "unknown command: 'info constructor'"],
  ["toString", "unknown command: 'toString'"],
  ["info status", "VM status: running"],
  ["block-attach a.img,raw,xvdb", "no a.img,raw,xvdb"],
  [
    "block-attach",
    "wanted a disk specification",
    'Try "help block-attach" for more information',
  ],
  [
    "block-list xvda",
    "extraneous characters at the end of line: xvda",
    'Try "help block-list" for more information',
  ],
  ["help x", "x /fmt addr -- virtual memory dump starting at 'addr'"],
  ["x/2xw 0x100000", "00100000: 0x223344b8 0x0a41f411"],
  ["xp /3xb 0x100000", "0000000000100000: 0xb8 0x44 0x33"],
  ["x/2xh $eip", "00100000: 0x44b8 0x2233"],
  ["x/xg 0x100000", "00100000: 0x0a41f411223344b8"],
  ["x/9ub 0x100000", "00100000: 184  68  51  34  17 244  65  10", "00100008:  39"],
  ["x/2db 0x100000", "00100000: -72  68"],
  ["x/2ob 0x100000", "00100000: 0270 0104"],
  ["x/4c 0x100006", "00100006: 'A' '\\n' '\\'' '\\x80'"],
  [
    "x/2i $pc",
    "0x00100000:  b8 44 33 22 11           mov    eax,0x11223344",
    "0x00100005:  f4                       hlt",
  ],
  ["xp/2xw 0x80000000", "0000000080000000: Cannot access memory"],
  ["xp/2i 0x80000000", "0x80000000: Cannot access memory"],
  [
    "stop 5",
    "extraneous characters at the end of line: 5",
    'Try "help stop" for more information',
  ],
  ["x/zz 0", "invalid char in format: 'z'", 'Try "help x" for more information'],
  ["x", "unexpected end of expression", 'Try "help x" for more information'],
  ["i /b 0xe9", "portb[0x00e9] = 0xe9"],
  ["i/w 0x700", "portl[0x0700] = 0xffffffff"],
  ["i/h 0x700", "portw[0x0700] = 0xffff"],
  ["i/g 0", "a port access has 1, 2 or 4 bytes", 'Try "help i" for more information'],
  ["o/b 0x80", "unexpected end of expression", 'Try "help o" for more information'],
  [
    "o/b 0x80 1 2",
    "extraneous characters at the end of line: 2",
    'Try "help o" for more information',
  ],
  ["print $eip + 4", "1048580"],
  ["gva2gpa 0x100000", "gpa: 0x100000"],
  ["screendump", "ab  ", "c   "],
  [
    "xenstore-ls / /vm",
    "extraneous characters at the end of line: /vm",
    'Try "help xenstore-ls" for more information',
  ],
  [
    "xenstore-ls -fz /",
    "unsupported option -fz",
    'Try "help xenstore-ls" for more information',
  ],
  ["screendump no/where", "Error: Could not open 'no/where': No such file or directory"],
];

for (const [line, ...answer] of ANSWERS) {
  Deno.test(`Monitor.execute() answers "${line}" as QEMU does`, () => {
    assertEquals(newMonitor().monitor.execute(line), answer);
  });
}

Deno.test("Monitor.execute() stops, continues and quits, and saves the screen", () => {
  const { monitor, log, files } = newMonitor();
  for (const line of ["stop", "c", "cont", "q", "quit", "screendump /tmp/a.txt"]) {
    assertEquals(monitor.execute(line), []);
  }
  assertEquals([log, files], [["stop", "cont", "cont", "quit", "quit"], {
    "/tmp/a.txt": "ab\nc\n",
  }]);
});

Deno.test("Monitor.execute() keeps the format of the last dump", () => {
  const { monitor } = newMonitor();
  monitor.execute("x/2ub 0x100000");
  assertEquals(monitor.execute("x 0x100001"), ["00100001:  68"]);
});

Deno.test("Monitor.execute() writes to ports as the guest does, and has it recorded", () => {
  const { machine, monitor } = newMonitor();
  assertEquals(monitor.execute("o /b 0x3ff 0x1a5"), []);
  assertEquals(monitor.execute("i /b 0x3ff"), ["portb[0x03ff] = 0xa5"]);
  assertEquals(machine.inputs, [
    { at: 0, source: "ports", port: 0x3ff, size: 1, value: 0xa5 },
    { at: 0, source: "ports", port: 0x3ff, size: 1 },
  ]);
});

/** A topic, and some of its lines. */
const TOPICS: readonly (readonly [string, ...string[]])[] = [
  [
    "registers",
    "EIP=00100000 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0",
    "CS =0008 00000000 ffffffff 00cf9b00 DPL=0 CS32 [-RA]",
    "SS =0010 00000000 ffffffff 00cf9300 DPL=0 DS   [-WA]",
  ],
  ["pic", "pic1: irr=00 imr=ff isr=00 hprio=0 irq_base=70 rr_sel=0 elcr=0c fnm=0"],
  ["irq", "IRQ statistics for isa-i8259:"],
  ["pci", "    IDE controller: PCI device 8086:7010", "      BAR4: I/O at 0xc100 [0xc10f]."],
  ["blockstats", `ide0-hd0 ${"    0.00".repeat(14)}`],
];

for (const [topic, ...lines] of TOPICS) {
  Deno.test(`Monitor.execute() shows info ${topic}`, () => {
    const shown = newMonitor().monitor.execute(`info ${topic}`);
    for (const line of lines) {
      assert(shown.includes(line), `${line}\nis not in\n${shown.join("\n")}`);
    }
  });
}

Deno.test("Monitor.execute() looks without changing anything", () => {
  const looked = newMonitor();
  for (const [line] of ANSWERS) if (!/^[io]/.test(line)) looked.monitor.execute(line);
  for (const [topic] of TOPICS) looked.monitor.execute(`info ${topic}`);
  const { machine } = newMonitor();
  assertEquals(looked.machine.runSlice(), machine.runSlice());
  assertEquals(looked.machine.inputs, []);
});

/** A line, and what Xen's xenstore-ls says of the same tree. */
const STORE_ANSWERS: readonly (readonly [string, ...string[]])[] = [
  [
    "xenstore-ls /local/domain/1/memory",
    'static-max = "2048"',
    'target = "2048"',
    'videoram = "0"',
  ],
  [
    "xenstore-ls -fp /local/domain/1/cpu",
    '/local/domain/1/cpu/0 = ""   (n0,r1)',
    '/local/domain/1/cpu/0/availability = "online"   (n0,r1)',
  ],
  ["xenstore-ls -f -p /local/domain/1/control/sysrq"],
  ["xenstore-ls /none", "xenstore-ls: xs_directory (/none): No such file or directory"],
  ["xenstore-ls a//b", "xenstore-ls: xs_directory (a//b): Invalid argument"],
];

Deno.test("Monitor.execute() has no xenstore to list when the machine hides Xen", () => {
  const { monitor } = newMonitor("pc");
  const answer = ["xenstore-ls: no xenstore: this machine hides Xen"];
  assertEquals(monitor.execute("xenstore-ls -p memory"), answer);
});

for (const [line, ...answer] of STORE_ANSWERS) {
  Deno.test(`Monitor.execute() answers "${line}" as xenstore-ls does`, () => {
    assertEquals(newMonitor("xenfv").monitor.execute(line), answer);
  });
}

Deno.test("Monitor.complete() knows commands, and topics behind info", () => {
  const { monitor } = newMonitor();
  assertEquals(monitor.complete("st"), ["stop"]);
  assertEquals(monitor.complete("info p"), ["pci", "pic"]);
  assertStringIncludes(monitor.execute("help").join("\n"), "screendump [file]");
});

Deno.test("Monitor asks the toolstack, and says what it answers", () => {
  const { monitor, log } = newMonitor();
  assertEquals(monitor.execute("system_reset"), ["no"]);
  assertEquals(monitor.execute("sysrq"), [
    "wanted one letter",
    'Try "help sysrq" for more information',
  ]);
  assertEquals(log, ['{"verb":"system_reset"}']);
});
