import { assertEquals, assertThrows } from "@std/assert";
import { InternalError } from "../../../core/errors.ts";
import { DOM0_COST, EXIT } from "../../../core/types.ts";
import type { HypervisorOptions } from "../../../core/hypervisor/hypervisor_parts.ts";
import type { VmExit } from "../../../core/types.ts";
import { COSTS, makeHost, NotingMmio, NotingPort, type TestHost } from "../../helpers/host.ts";

const IN_1F7 = { reason: EXIT.IO_INSTRUCTION, port: 0x1f7, size: 1 } as const;

Deno.test("Hypervisor.exit() of a device port is one ioreq, and every nanosecond is booked", () => {
  const { books, clock, dom0, accounting, ports, exit, last } = makeHost();
  ports.map("device", 0x1f0, 8, new NotingPort());
  exit({ ...IN_1F7, retired: 40 });
  assertEquals(last.value, 0x50);
  const { guest, exit: exits, ioreq, device, emulation } = books.snapshot();
  assertEquals(
    [guest, exits, ioreq, device, emulation],
    [40, COSTS.exitEntry, COSTS.ioreq, COSTS.deviceAccess, 0],
  );
  assertEquals(clock.now, 40 + COSTS.exitEntry + COSTS.ioreq + COSTS.deviceAccess);
  assertEquals(last.at, 40);
  assertEquals([accounting.ioreqs, accounting.portItems, accounting.instructions], [1, 1, 40]);
  assertEquals(dom0.snapshot().ioreq, COSTS.deviceAccess);
  books.assertClosed();
});

Deno.test("Hypervisor.exit() waits for what dom0 has accepted before, and books that as ioreq", () => {
  const { books, dom0, exit } = makeHost();
  dom0.post(DOM0_COST.backend, 5000, () => {});
  exit(IN_1F7);
  const waited = 5000 - COSTS.exitEntry;
  const { ioreq, device } = books.snapshot();
  assertEquals([ioreq, device], [COSTS.ioreq + waited, COSTS.deviceAccess]);
});

/** Answers as {@link NotingPort}; port 1F7 steadily. */
class StatusPort extends NotingPort {
  readonly steadyOffsets = 1 << 7;
}

Deno.test("Hypervisor.repeated() books what that many exits would, to the last nanosecond", () => {
  const [asked, told] = [makeHost(), makeHost()];
  const PAUSE = 3; // instructions between two exits
  const TIMES = 20;
  for (const { ports, exit } of [asked, told]) {
    ports.map("device", 0x1f0, 8, new StatusPort());
    exit({ ...IN_1F7, rip: 0x1000 });
    exit({ ...IN_1F7, rip: 0x1000 });
  }
  const { steady } = told.last;
  assertEquals(steady, COSTS.exitEntry + COSTS.ioreq + COSTS.deviceAccess);
  const spent = new Int32Array(16);
  for (let n = 0; n < TIMES; n++) {
    asked.exit({ ...IN_1F7, rip: 0x1000, retired: PAUSE });
    spent[n % 16] = PAUSE + n * (PAUSE + steady);
  }
  told.hypervisor.repeated(TIMES, spent);
  told.hypervisor.retire(TIMES * PAUSE);
  const seen = ({ accounting, books, clock, dom0 }: TestHost) => [
    ...[clock.now, books.snapshot(), dom0.snapshot(), accounting.exitCounts()],
    ...[accounting.ioreqs, accounting.portItems, accounting.instructions],
    ...accounting.recentExits(),
  ];
  assertEquals(seen(told), seen(asked));
  told.books.assertClosed();
});

Deno.test("Hypervisor.exit() offers repeats only where nothing can make the next exit another", () => {
  const steady = (options: Partial<HypervisorOptions>, disturb: (host: TestHost) => void) => {
    const host = makeHost(options);
    host.ports.map("device", 0x1f0, 8, new StatusPort());
    host.exit(IN_1F7);
    assertEquals(host.last.steady, 0, "the first is no poll yet");
    disturb(host);
    host.exit(IN_1F7);
    return host.last.steady;
  };
  const ns = COSTS.exitEntry + COSTS.ioreq + COSTS.deviceAccess;
  assertEquals(steady({}, () => {}), ns);
  assertEquals(steady({}, ({ exit }) => exit({ ...IN_1F7, rip: 2 })), 0);
  assertEquals(steady({}, ({ exit }) => exit({ reason: EXIT.HLT })), 0);
  assertEquals(steady({}, ({ dom0 }) => dom0.post(DOM0_COST.backend, 5000, () => {})), 0);
  assertEquals(steady({}, ({ pic }) => pic.pending = true), 0);
  assertEquals(steady({}, ({ xen }) => xen.callbackVector = 0xf3), 0);
  assertEquals(steady({ maxInsns: 1000 }, () => {}), 0);
  const observer = { exits() {}, enters() {}, event() {}, slept() {} };
  assertEquals(steady({ observer }, () => {}), 0);
  const { exit, last, ports } = makeHost();
  ports.map("device", 0x1f0, 8, new StatusPort());
  for (const other of [{ port: 0x1f6 }, { write: true }, { string: true, count: 2 }]) {
    exit({ ...IN_1F7, ...other });
    exit({ ...IN_1F7, ...other });
    assertEquals(last.steady, 0);
  }
});

Deno.test("Hypervisor.exit() answers its own ports without an ioreq, by access size", () => {
  const { books, accounting, ports, exit } = makeHost();
  const latch = new NotingPort();
  ports.map("latch", 0xcf8, 4, latch);
  exit({ reason: EXIT.IO_INSTRUCTION, port: 0xcf8, size: 4, write: true, value: 0x80000000 });
  assertEquals([accounting.ioreqs, books.snapshot().emulation], [0, COSTS.emulation]);
  exit({ reason: EXIT.IO_INSTRUCTION, port: 0xcf8, size: 1, write: true, value: 1 });
  assertEquals(accounting.ioreqs, 1);
  assertEquals(latch.log, ["out 0 size 4 80000000", "out 0 size 1 1"]);
});

Deno.test("Hypervisor.exit() of a string is one exit and one ioreq for all items", () => {
  const { accounting, memory, books, ports, exit } = makeHost();
  ports.map("device", 0x1f0, 8, new NotingPort());
  const string = { port: 0x1f0, size: 2, string: true, count: 256, gpa: 0x3000 } as const;
  exit({ reason: EXIT.IO_INSTRUCTION, ...string });
  assertEquals(accounting.exitCounts().byPort, { "0x1f0:in": 1 });
  assertEquals([accounting.ioreqs, accounting.portItems], [1, 256]);
  assertEquals([memory.read16(0x3000), memory.read16(0x31fe)], [0x50, 0x50]);
  assertEquals(books.snapshot().device, COSTS.deviceAccess + 255 * COSTS.deviceItem);
});

Deno.test("Hypervisor.exit() of MMIO reads all ones, and writes vanish", () => {
  const { accounting, exit, last } = makeHost();
  exit({ reason: EXIT.EPT_VIOLATION, gpa: 0xa0000, size: 2 });
  assertEquals(last.value, 0xffff);
  exit({ reason: EXIT.EPT_VIOLATION, gpa: 0xa0000, size: 4, write: true, value: 1 });
  assertEquals(accounting.exitCounts().byReason, { EPT_VIOLATION: 2 });
});

Deno.test("Hypervisor.exit() of MMIO goes to the device model by ioreq, a REP STOS as one", () => {
  const { accounting, books, mmio, exit, last } = makeHost();
  const device = new NotingMmio();
  mmio.map("device", 0xa0000, 0x20000, device);
  exit({ reason: EXIT.EPT_VIOLATION, gpa: 0xa0004, size: 4 });
  assertEquals(last.value, 0xa0b0c0d0);
  const stos = {
    gpa: 0xa0010,
    size: 2,
    write: true,
    string: true,
    count: 3,
    value: 0x720,
  } as const;
  exit({ reason: EXIT.EPT_VIOLATION, ...stos });
  assertEquals(device.log, [
    "read 4 size 4",
    "write 16 size 2 720",
    "write 18 size 2 720",
    "write 20 size 2 720",
  ]);
  const { emulation, ioreq, device: work } = books.snapshot();
  assertEquals([accounting.ioreqs, emulation, ioreq], [2, 0, 2 * COSTS.ioreq]);
  assertEquals(work, 2 * COSTS.deviceAccess + 2 * COSTS.deviceItem);
});

Deno.test("Hypervisor.exit() of MMIO answers its own devices without an ioreq", () => {
  const { accounting, books, ownMmio, exit, last } = makeHost();
  ownMmio.map("local apic", 0xfee00000, 0x1000, new NotingMmio());
  exit({ reason: EXIT.EPT_VIOLATION, gpa: 0xfee00020, size: 4 });
  assertEquals(last.value, 0xa0b0c0d0);
  assertEquals([accounting.ioreqs, books.snapshot().emulation], [0, COSTS.emulation]);
});

Deno.test("Hypervisor.exit() answers IA32_APIC_BASE where there is a local APIC", () => {
  const apic = {
    base: 0xfee00900,
    setBase(low: number, high: number): boolean {
      this.base = low;
      return high === 0;
    },
  };
  const { vcpu, exit, last } = makeHost({ apic });
  vcpu.regs[2] = 7;
  exit({ reason: EXIT.MSR_READ, port: 0x1b });
  assertEquals([last.value, vcpu.regs[0], vcpu.regs[2]], [1, 0xfee00900, 0]);
  vcpu.regs[0] = 0xfee00100;
  exit({ reason: EXIT.MSR_WRITE, port: 0x1b, write: true });
  assertEquals([last.value, apic.base], [1, 0xfee00100]);
  vcpu.regs[2] = 1;
  exit({ reason: EXIT.MSR_WRITE, port: 0x1b, write: true });
  assertEquals(last.value, 0);
});

Deno.test("Hypervisor.acknowledgeNmi() charges an injection", () => {
  const { hypervisor, accounting, books } = makeHost();
  hypervisor.acknowledgeNmi();
  assertEquals([accounting.interrupts, books.snapshot().injection], [1, COSTS.injection]);
});

Deno.test("Hypervisor.exit() leaves CPUID leaves and MSRs to the CPU that Xen does not have", () => {
  const { vcpu, exit, last } = makeHost();
  vcpu.regs[1] = 7;
  exit({ reason: EXIT.CPUID, port: 0x40000000 });
  assertEquals([last.value, ...vcpu.regs.slice(0, 4)], [1, 1, 3, 7, 2]);
  exit({ reason: EXIT.CPUID, port: 1, value: 9 });
  assertEquals(last.value, 0);
  exit({ reason: EXIT.MSR_READ, port: 0x40000000 });
  assertEquals([last.value, vcpu.regs[0], vcpu.regs[2]], [1, 2, 1]);
  exit({ reason: EXIT.MSR_WRITE, port: 0x40000000 }); // Xen refuses EDX = 1
  assertEquals(last.value, 0);
  exit({ reason: EXIT.MSR_READ, port: 0x1b });
  assertEquals(last.value, 0);
});

Deno.test("Hypervisor.exit() ends the slice after a hypercall that blocks", () => {
  const { xen, vcpu, exit } = makeHost();
  assertEquals(exit({ reason: EXIT.VMCALL }) > 0, true);
  xen.blocked = true;
  assertEquals(exit({ reason: EXIT.VMCALL }), 0);
  assertEquals(xen.calls, [vcpu, vcpu]);
});

Deno.test("Hypervisor.exit() of a VMCALL in the BIOS is no exit", () => {
  const called: number[] = [];
  const bios = {
    covers: (rip: number) => rip >= 0xf0000,
    call: (rip: number) => called.push(rip),
  };
  const { accounting, books, xen, exit } = makeHost({ bios });
  exit({ reason: EXIT.VMCALL, rip: 0xf0130, retired: 3 });
  exit({ reason: EXIT.VMCALL, rip: 0x1000 });
  assertEquals(called, [0xf0130]);
  assertEquals(xen.calls.length, 1);
  assertEquals(accounting.exitCounts().total, 1);
  assertEquals([books.snapshot().guest, books.snapshot().bios], [3, 0]);
});

Deno.test("Hypervisor.budget ends at the next timer, the slice, each limit, and a stop", () => {
  const { clock, hypervisor, accounting } = makeHost({ maxInsns: 400, maxTime: 900 });
  assertEquals(hypervisor.budget, 400);
  hypervisor.retire(100);
  assertEquals(hypervisor.budget, 300);
  const timer = clock.timer("t", () => {});
  timer.armAfter(50);
  assertEquals(hypervisor.budget, 50);
  timer.armAt(clock.now);
  assertEquals(hypervisor.budget, 0);
  timer.cancel();
  hypervisor.sliceEndsAt = clock.now + 7;
  assertEquals(hypervisor.budget, 7);
  hypervisor.sliceEndsAt = Infinity;
  hypervisor.retire(200);
  assertEquals([accounting.instructions, hypervisor.budget], [300, 100]);
  hypervisor.stop();
  assertEquals(hypervisor.budget, 0);
});

Deno.test("Hypervisor.budget fits 31 bits when nothing is due", () => {
  assertEquals(makeHost().hypervisor.budget, 2 ** 30);
});

Deno.test("Hypervisor.passthroughPort() costs no exit and is counted nowhere", () => {
  const { clock, accounting, ports, hypervisor, last } = makeHost();
  const post = new NotingPort();
  ports.map("post", 0x80, 1, post);
  const access: Partial<VmExit> = { port: 0x80, size: 1, write: true, value: 0x11 };
  hypervisor.passthroughPort(Object.assign(last, access));
  hypervisor.passthroughPort(Object.assign(last, { port: 0xed, write: false }));
  assertEquals([post.log, last.value], [["out 0 size 1 11"], 0xff]);
  assertEquals([clock.now, accounting.exitCounts().total], [0, 0]);
});

Deno.test("Hypervisor.acknowledgeInterrupt() charges an injection; upcalls go before the 8259", () => {
  const { books, accounting, pic, xen, hypervisor } = makeHost();
  pic.pending = true;
  xen.upcallPending = true;
  assertEquals(hypervisor.acknowledgeInterrupt(), 0x20); // no vector set for upcalls yet
  assertEquals(hypervisor.interruptPending, false);
  xen.callbackVector = 0xf3;
  pic.pending = true;
  assertEquals(hypervisor.acknowledgeInterrupt(), 0xf3);
  xen.upcallPending = false;
  assertEquals(hypervisor.acknowledgeInterrupt(), 0x20);
  assertEquals(accounting.interrupts, 3);
  assertEquals(books.snapshot().injection, 3 * COSTS.injection);
  assertEquals(accounting.exitCounts().total, 0);
});

Deno.test("Hypervisor counts an interrupt window when an entry found IF = 0", () => {
  const { accounting, pic, vcpu, hypervisor, exit } = makeHost();
  const windows = () => accounting.exitCounts().byReason["INTERRUPT_WINDOW"] ?? 0;
  pic.pending = true;
  vcpu.interruptsEnabled = true;
  exit(IN_1F7);
  hypervisor.acknowledgeInterrupt();
  assertEquals(windows(), 0);
  pic.pending = true;
  vcpu.interruptsEnabled = false;
  exit(IN_1F7);
  vcpu.interruptsEnabled = true;
  hypervisor.acknowledgeInterrupt();
  assertEquals(windows(), 1);
  pic.pending = true;
  hypervisor.acknowledgeInterrupt();
  assertEquals(windows(), 1);
});

Deno.test("Hypervisor forgets the window when the request is withdrawn", () => {
  const { accounting, pic, hypervisor, exit } = makeHost();
  pic.pending = true;
  exit(IN_1F7);
  pic.pending = false;
  exit(IN_1F7);
  pic.pending = true;
  hypervisor.acknowledgeInterrupt();
  assertEquals(accounting.exitCounts().byReason["INTERRUPT_WINDOW"], undefined);
});

Deno.test("Hypervisor.interruptWhileRunning() is an external-interrupt exit", () => {
  const { accounting, books, hypervisor } = makeHost();
  hypervisor.interruptWhileRunning();
  assertEquals(accounting.exitCounts().byReason, { EXTERNAL_INTERRUPT: 1 });
  assertEquals(books.snapshot().exit, COSTS.exitEntry);
});

Deno.test("Hypervisor.timestamp() counts nanoseconds, so one an instruction", () => {
  const { hypervisor } = makeHost();
  hypervisor.retire(70);
  assertEquals(hypervisor.timestamp(5), 75);
});

Deno.test("Hypervisor.exit() of a hypercall before attach() is our mistake", () => {
  const { hypervisor } = makeHost();
  hypervisor.attach(undefined as never);
  assertThrows(
    () => hypervisor.exit({ ...makeHost().last, reason: EXIT.VMCALL }),
    InternalError,
    "before a vCPU was attached",
  );
});
