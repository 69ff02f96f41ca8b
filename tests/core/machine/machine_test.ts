import { assertEquals, assertStringIncludes } from "@std/assert";
import type { ImageError } from "../../../core/errors.ts";
import { type BlockBackend, EXIT, type ExitObserver, type Ns } from "../../../core/types.ts";
import { MemoryDisk } from "../../../devices/disk/memory.ts";
import { BrokenBackend } from "../../helpers/disk.ts";
import { boot, bootGuest, exitWith, flatGuest, outb } from "../../helpers/small_machine.ts";
import { COSTS } from "../../helpers/host.ts";

const SPIN = [0xeb, 0xfe];
const HLT = [0xf4];
/** mov ecx, 20000; again: loop again. dom0 has its start-up work behind it afterwards. */
const PAUSE = [0xb9, 0x20, 0x4e, 0x00, 0x00, 0xe2, 0xfe];
/** The 8254 ticks every 1024 clocks: 858 us. */
const FAST_TIMER = [0xb0, 0x34, 0xe6, 0x43, 0xb0, 0x00, 0xe6, 0x40, 0xb0, 0x04, 0xe6, 0x40];
/** READ SECTORS, one sector at LBA 0. */
const READ_SECTOR = [0x1f3, 0x1f4, 0x1f5]
  .flatMap((port) => outb(port, 0))
  .concat(outb(0x1f2, 1), outb(0x1f6, 0xe0), outb(0x1f7, 0x20));

Deno.test("Machine.run() ends with the guest's exit code, as isa-debug-exit forms it", async () => {
  const { reason, code, counters } = await boot(flatGuest(...PAUSE, ...exitWith(0x10))).run();
  assertEquals([reason, code], ["guest-exit", 0x21]);
  assertEquals(counters.exits.byPort, { "0x0f4:out": 1 });
  const { guest, exit, ioreq, device } = counters.books;
  assertEquals(
    [guest, exit, ioreq, device],
    [20_003, COSTS.exitEntry, COSTS.ioreq, COSTS.deviceAccess],
  );
  const { elapsedNs } = counters;
  assertEquals(elapsedNs, Object.values(counters.books).reduce((sum, ns) => sum + ns, 0));
});

Deno.test("MachineConfig.cpu decides what CPUID says; i686 unless given", async () => {
  // mov eax, 1; cpuid; shr edx, 24; mov al, dl; out 0f4h, al: FXSR, SSE, SSE2 are bits 0 to 2
  const code = [0xb8, 1, 0, 0, 0, 0x0f, 0xa2, 0xc1, 0xea, 24, 0x88, 0xd0, 0xe6, 0xf4];
  for (const [cpu, value] of [["i686", 0], ["pentium3", 3], ["pentium4", 7]] as const) {
    assertEquals((await boot(flatGuest(...code), { cpu }).run()).code, value << 1 | 1);
  }
  assertEquals((await boot(flatGuest(...code)).run()).code, 1);
});

Deno.test("Machine.run() calls HLT with interrupts off a crash, and shows where", async () => {
  const { reason, code, message, dump } = await boot(
    flatGuest(0xb8, 0x78, 0x56, 0x34, 0x12, ...HLT),
  )
    .run();
  assertEquals([reason, code], ["guest-crash", 1]);
  assertEquals(message, "Guest crashed: HLT with interrupts disabled");
  assertStringIncludes(dump!, "eax=12345678");
  assertStringIncludes(dump!, "exit HLT at 00100005");
});

Deno.test("Machine.run() calls a triple fault a crash", async () => {
  const { reason, message } = await boot(flatGuest(0x0f, 0x0b)).run();
  assertEquals([reason, message], ["guest-crash", "Guest crashed: triple fault"]);
});

Deno.test("Machine.run() stops at the instruction limit, to the instruction", async () => {
  const { reason, code, counters } = await boot(flatGuest(...SPIN), { maxInsns: 1234 }).run();
  assertEquals([reason, code, counters.instructions], ["limit", 124, 1234]);
  assertEquals(counters.elapsedNs, 1234);
});

Deno.test("Machine.run() stops at the time limit, running or asleep", async () => {
  const spinning = await boot(flatGuest(...SPIN), { maxTime: 2_500_000 }).run();
  assertEquals([spinning.reason, spinning.counters.elapsedNs], ["limit", 2_500_000]);
  const asleep = await boot(bootGuest(0xfb, ...HLT, 0xeb, 0xfc), { maxTime: 200_000_000 }).run();
  assertEquals([asleep.reason, asleep.counters.elapsedNs], ["limit", 200_000_000]);
  assertEquals(asleep.counters.interrupts, 3); // 18.2 Hz
});

Deno.test("Machine.run() asks whether to go on", async () => {
  let asked = 0;
  const { reason, code } = await boot(flatGuest(...SPIN)).run({ interrupted: () => ++asked > 2 });
  assertEquals([reason, code], ["interrupted", 130]);
});

Deno.test("Machine.run() ends when the guest powers off by hypercall", async () => {
  // sched_op shutdown, reason 0 (poweroff) in zeroed memory
  const call = [0xb8, 29, 0, 0, 0, 0xbb, 2, 0, 0, 0, 0xb9, 0, 0, 0x11, 0, 0x0f, 0x01, 0xc1];
  const { reason, code, counters } = await boot(flatGuest(...call)).run();
  assertEquals([reason, code], ["power-off", 0]);
  assertEquals(counters.hypercalls, { total: 1, byName: { sched_op: 1 } });
});

Deno.test("A sleeping guest is woken by the timer, and the wait is booked as idle", async () => {
  const guest = bootGuest(...FAST_TIMER, 0xfb, ...HLT, ...exitWith(0));
  const { reason, counters } = await boot(guest).run();
  assertEquals(reason, "guest-exit");
  assertEquals([counters.interrupts, counters.exits.byReason["HLT"]], [1, 1]);
  assertEquals(counters.exits.byReason["EXTERNAL_INTERRUPT"], undefined);
  const { idle, bios } = counters.books;
  assertEquals(Math.abs(idle - 858_000) < 1000, true, `${idle}`); // 1024 clocks of 1193182 Hz
  assertEquals(bios, COSTS.biosCall);
});

Deno.test("A running guest exits when the timer's interrupt comes", async () => {
  // sti; again: mov ax, [46ch]; test ax, ax; jz again
  const poll = [0xfb, 0xa1, 0x6c, 0x04, 0x85, 0xc0, 0x74, 0xf9];
  const { counters } = await boot(bootGuest(...FAST_TIMER, ...poll, ...exitWith(0))).run();
  assertEquals([counters.interrupts, counters.exits.byReason["EXTERNAL_INTERRUPT"]], [1, 1]);
  assertEquals(counters.books.idle, 0);
});

Deno.test("A guest waiting for its disk is booked as waiting for media", async () => {
  // Boot code: sti; READ SECTORS; hlt; exit. The BIOS leaves IRQ 14 unmasked.
  const outb16 = (port: number, value: number) => outb(port, value).slice(1);
  const command = [0x1f3, 0x1f4, 0x1f5].flatMap((port) => outb16(port, 0))
    .concat(outb16(0x1f2, 1), outb16(0x1f6, 0xe0), outb16(0x1f7, 0x20));
  const guest = bootGuest(0xfb, ...command, ...HLT, ...exitWith(0));
  const disk = new MemoryDisk(new Uint8Array(4096));
  const { reason, counters } = await boot(guest, {}, [disk]).run();
  assertEquals([reason, counters.interrupts], ["guest-exit", 1]);
  assertEquals([counters.books.media > 80_000, counters.books.idle], [true, 0]);
});

Deno.test("Machine.run() reports a mark with all that came before it booked", async () => {
  const marks: [number, number, number][] = [];
  const guest = flatGuest(0x90, 0x90, 0xb0, 0x11, 0xe6, 0x80, 0x90, ...exitWith(0));
  const machine = boot(guest, {
    onMark: (value) => marks.push([value, machine.counters().instructions, machine.now]),
  });
  const { counters } = await machine.run();
  assertEquals(marks, [[0x11, 3, 3]]);
  assertEquals([counters.instructions, counters.exits.total], [7, 1]);
});

Deno.test("Unplugging takes the emulated disk away", async () => {
  // mov ax, 1; out 10h, ax; then exit with the IDE status as value
  const unplug = [0x66, 0xb8, 1, 0, 0x66, 0xe7, 0x10];
  const tell = [0x66, 0xba, 0xf7, 0x01, 0xec, 0xe6, 0xf4];
  const disk = () => new MemoryDisk(new Uint8Array(4096));
  assertEquals((await boot(flatGuest(...tell), {}, [disk()]).run()).code, 0x50 << 1 | 1);
  assertEquals((await boot(flatGuest(...unplug, ...tell), {}, [disk()]).run()).code, 1);
});

/** Reads port 1F7h until BSY is clear, then leaves with what the given port has. */
const LEAVE_WITH = (port: number) => [
  ...[0x66, 0xba, 0xf7, 0x01, 0xec, 0xa8, 0x80, 0x75, 0xfb],
  ...[0x66, 0xba, port & 0xff, port >> 8, 0xec, 0xe6, 0xf4],
];

Deno.test("Machine gives the guest an I/O error when the host cannot read, and runs on", async () => {
  const told: string[] = [];
  const onHostError = ({ message }: ImageError) => told.push(message);
  const run = (port: number) => {
    const guest = flatGuest(...READ_SECTOR, ...LEAVE_WITH(port));
    return boot(guest, { onHostError }, [new BrokenBackend()]).run();
  };
  const { reason, code, message, counters } = await run(0x1f7);
  assertEquals([reason, code, counters.hostErrors], ["guest-exit", 1, 2], "a read, the last flush");
  assertEquals(told, ["Cannot read disk image: broken"]);
  assertEquals(
    message,
    `The host failed to serve 2 disk requests; the guest's exit code is ${(0x51 << 1 | 1) & 0xff}`,
  );
  assertStringIncludes((await run(0x1f1)).message!, `code is ${0x40 << 1 | 1}`);
});

Deno.test("Machine.run() flushes the disks at the end, Machine.close() closes them", async () => {
  const calls: string[] = [];
  const disk = new MemoryDisk(new Uint8Array(4096));
  const backend: BlockBackend = {
    sectorCount: disk.sectorCount,
    readOnly: false,
    read: (sector, into) => disk.read(sector, into),
    write: (sector, from) => disk.write(sector, from),
    flush: () => calls.push("flush"),
    close: () => calls.push("close"),
  };
  const machine = boot(flatGuest(...exitWith(0)), {}, [backend]);
  await machine.run();
  machine.close();
  assertEquals(calls, ["flush", "close"]);
});

Deno.test("Machine.runSlice() lets a millisecond pass, and slicing shows in no number", async () => {
  const guest = flatGuest(0xb9, 0xa0, 0x25, 0x26, 0x00, 0xe2, 0xfe, ...exitWith(3)); // 2,500,000 loops
  const sliced = boot(guest);
  assertEquals([sliced.runSlice(), sliced.now], [undefined, 1_000_000]);
  assertEquals([sliced.runSlice(), sliced.now], [undefined, 2_000_000]);
  assertEquals(sliced.runSlice(), await boot(guest).run());
});

/** mov dx, 1f7h; mov ecx, 5; poll: in al, dx; dec ecx; jnz poll. */
const POLL_5 = [0x66, 0xba, 0xf7, 0x01, 0xb9, 5, 0, 0, 0, 0xec, 0x49, 0x75, 0xfc];
/** poll: in al, dx; test al, 80h; jnz poll. */
const WAIT = [0xec, 0xa8, 0x80, 0x75, 0xfb];
/** mov byte [110000h], 0e7h; mov esi, 110000h; outsb: FLUSH CACHE. */
const FLUSH_BY_STRING = [0xc6, 0x05, 0, 0, 0x11, 0, 0xe7, 0xbe, 0, 0, 0x11, 0, 0x6e];

for (
  const [what, code] of [
    ["behind a command", [...READ_SECTOR, ...WAIT, ...WAIT]],
    ["in front of one by a string", [...outb(0x1f6, 0xe0), ...POLL_5, ...FLUSH_BY_STRING, ...WAIT]],
  ] as const
) {
  Deno.test(`Machine: polls ${what} are in the books as if each had been asked for`, async () => {
    const guest = flatGuest(...PAUSE, ...code, ...exitWith(0));
    const run = (observer?: ExitObserver) => {
      const disk = new MemoryDisk(new Uint8Array(4096));
      return boot(guest, { ...(observer && { observer }), exitSites: true }, [disk]).run();
    };
    let asked = 0;
    const result = await run({ exits: () => asked++, enters() {}, event() {}, slept() {} });
    assertEquals(await run(), result);
    assertEquals(result.counters.exits.total, asked);
    assertEquals(result.counters.exits.byPort["0x1f7:in"]! > 4, true);
  });
}

Deno.test("MachineConfig.observer sees every exit, its time, and the sleep behind HLT", async () => {
  const told: string[] = [];
  let time = 0;
  let before = 0;
  const tell = (what: string, at: Ns) => {
    assertEquals(at >= before, true, `${what} at ${at} after ${before}`);
    before = at;
    told.push(what);
  };
  const observer: ExitObserver = {
    exits: ({ reason, at }) => tell(`exit ${reason}`, at),
    enters: ({ at }, entersAt) => {
      time += entersAt - at;
      tell("entry", entersAt);
    },
    event: (reason, _rip, at, entersAt) => {
      time += entersAt - at;
      tell(`event ${reason}`, at);
      before = entersAt;
    },
    slept: (from, to) => {
      tell("sleep", from);
      before = to;
    },
  };
  const guest = bootGuest(...FAST_TIMER, 0xfb, ...HLT, ...exitWith(0));
  const { counters: { exits, books } } = await boot(guest, { observer }).run();
  const counted = told.filter((what) => /^(exit|event) /.test(what)).length;
  assertEquals(counted, exits.total);
  assertEquals(time, books.exit + books.emulation + books.ioreq + books.device + books.hypercall);
  const halted = told.indexOf(`exit ${EXIT.HLT}`);
  assertEquals(told.slice(halted, halted + 3), [`exit ${EXIT.HLT}`, "entry", "sleep"]);
});

Deno.test("Machine tells Xen how long the guest has been halted: its vCPU was blocked", async () => {
  /** mov eax, vcpu_op; mov ebx, VCPUOP_get_runstate_info; mov ecx, 0; mov edx, 0600h; vmcall */
  const getRunstate = [
    ...[0x66, 0xb8, 24, 0, 0, 0, 0x66, 0xbb, 4, 0, 0, 0, 0x66, 0xb9, 0, 0, 0, 0],
    ...[0x66, 0xba, 0, 6, 0, 0, 0x0f, 0x01, 0xc1],
  ];
  const machine = boot(bootGuest(...FAST_TIMER, 0xfb, ...HLT, ...getRunstate, ...exitWith(0)));
  const { books } = (await machine.run()).counters;
  const blocked = machine.memory.read32(0x600 + 28);
  assertEquals(blocked > 0, true);
  assertEquals(blocked, books.idle + books.media);
});
