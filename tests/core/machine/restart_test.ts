import { assertEquals } from "@std/assert";
import type { MachineConfig, RunResult } from "../../../core/machine/config.ts";
import type { BlockBackend } from "../../../core/types.ts";
import { MEDIA_PRESETS } from "../../../devices/disk/media.ts";
import { MemoryDisk } from "../../../devices/disk/memory.ts";
import {
  boot,
  dword,
  exitWith,
  flatGuest,
  hypercall,
  outb,
  runToEnd,
  store,
} from "../../helpers/small_machine.ts";

/** AH = AL; sector 0, one sector; DX = 1f7h; out AH; until DRQ; DX = 1f0h; return. */
const COMMAND = [
  ...[0x88, 0xc4, 0x66, 0xba, 0xf2, 0x01, 0xb0, 0x01, 0xee, 0x30, 0xc0, 0x66, 0x42, 0xee],
  ...[0x66, 0x42, 0xee, 0x66, 0x42, 0xee, 0x66, 0x42, 0xb0, 0xe0, 0xee, 0x66, 0x42, 0x88],
  ...[0xe0, 0xee, 0xec, 0xa8, 0x08, 0x74, 0xfb, 0x66, 0xba, 0xf0, 0x01, 0xc3],
];
/**
 * Ends with code 45h if its memory is not that of a first start. Counts starts in the first byte of
 * the disk, and ends with code 23h at the third, before that is written; at the others it goes on
 * behind its end, while the disk still writes.
 */
const COUNT_STARTS: readonly number[] = [
  ...[0xeb, 0x2c], // jmp main
  ...exitWith(0x22),
  ...COMMAND,
  ...[0xbc, 0, 0x70, 0, 0], // main: mov esp, 7000h
  ...[0x80, 0x3d, 0, 0x50, 0, 0, 0, 0x75, 0xc6], // cmp byte [5000h], 0; jne
  ...[0xfe, 0x05, 0, 0x50, 0, 0], // inc byte [5000h]
  ...[0xbf, 0, 0x60, 0, 0, 0xb0, 0x20, 0xe8, 0xb8, 0xff, 0xff, 0xff], // edi; READ SECTORS
  ...[0xb9, 0, 1, 0, 0, 0xf3, 0x66, 0x6d], // rep insw
  ...[0xfe, 0x05, 0, 0x60, 0, 0], // inc byte [6000h]
  ...[0xbe, 0, 0x60, 0, 0, 0xb0, 0x30, 0xe8, 0x9e, 0xff, 0xff, 0xff], // esi; WRITE SECTORS
  ...[0xb9, 0, 1, 0, 0, 0xf3, 0x66, 0x6f], // rep outsw
  ...[0x80, 0x3d, 0, 0x60, 0, 0, 3, 0x75, 4], // cmp byte [6000h], 3; jne
  ...exitWith(0x11),
];
const HLT = [0xf4, 0xeb, 0xfd];

/** Code that asks for a reset, by what a message would say of it. */
const RESETS: Readonly<Record<string, readonly number[]>> = {
  "by port 64h": outb(0x64, 0xfe),
  "by port CF9h": [...outb(0xcf9, 2), ...outb(0xcf9, 6)],
  "by port 92h": outb(0x92, 1),
  // sched_op shutdown with the reason at 7000h
  "reboot": [
    ...[0xc6, 0x05, 0, 0x70, 0, 0, 1, 0xb8, 29, 0, 0, 0, 0xbb, 2, 0, 0, 0, 0xb9, 0, 0x70, 0, 0],
    ...[0x0f, 0x01, 0xc1],
  ],
};

function run(code: readonly number[], config: Partial<MachineConfig>, disk: BlockBackend) {
  const machine = boot(flatGuest(...code), { maxTime: 1e9, ...config }, [disk]);
  let result: RunResult | undefined;
  let slices = 0;
  for (; result === undefined; slices++) result = machine.runSlice();
  return { result, slices };
}

for (const [by, reset] of Object.entries(RESETS)) {
  Deno.test(`A reset (${by}) starts the machine again, and loses nothing that was written`, () => {
    const bytes = new Uint8Array(4096);
    const { result } = run(
      [...COUNT_STARTS, ...reset, ...HLT],
      { reboot: "reset" },
      new MemoryDisk(bytes),
    );
    assertEquals([result.reason, result.code, bytes[0]], ["guest-exit", 0x23, 2]);
    assertEquals(result.counters.restarts, 2);
    const { elapsedNs, books, exits } = result.counters;
    assertEquals(Object.values(books).reduce((sum, ns) => sum + ns, 0), elapsedNs);
    const { requests } = result.exits;
    assertEquals(requests.map(({ op, requests }) => [op, requests]), [["read", 3], ["write", 3]]);
    assertEquals(exits.byPort["0x1f0:in"], 3);
  });
}

Deno.test("A reset ends the run unless the machine is to start again", () => {
  const code = [...COUNT_STARTS, ...outb(0x64, 0xfe), ...HLT];
  const { result } = run(code, {}, new MemoryDisk(new Uint8Array(4096)));
  assertEquals([result.reason, result.code], ["power-off", 0]);
  assertEquals(
    result.message,
    "Guest asked for a reset by port 64h: this machine does not start again",
  );
});

Deno.test("system_reset starts the machine again, at the same time in a replay", () => {
  // outb e9h: one byte for each start; then spin
  const code = flatGuest(0xb0, 0x41, 0xe6, 0xe9, 0xeb, 0xfe);
  const live = boot(code, { reboot: "reset", maxTime: 5e6 });
  live.runSlice();
  live.toolstack({ verb: "system_reset" });
  const result = runToEnd(live);
  assertEquals(result.counters.exits.byPort, { "0x0e9:out": 2 });
  const again = boot(code, { reboot: "reset", maxTime: 5e6, inputs: live.inputs });
  assertEquals(runToEnd(again), result);
});

Deno.test("A guest that resets at once gives way to the host at every start", () => {
  const { result, slices } = run(
    outb(0x64, 0xfe),
    { reboot: "reset", maxTime: 1e6 },
    new MemoryDisk(new Uint8Array(512)),
  );
  assertEquals(result.reason, "limit");
  const starts = result.counters.exits.byPort["0x064:out"]!;
  assertEquals(slices >= starts, true, `${slices} slices, ${starts} starts`);
});

Deno.test("A reset ends the domain: the next has another number, and nothing is left of the first", () => {
  const machine = boot(flatGuest(0xeb, 0xfe), { reboot: "reset" }, [
    new MemoryDisk(new Uint8Array(4096)),
  ]);
  const tree = () => machine.inspector.xenstore("/", { full: true, permissions: true }).sort();
  machine.runSlice();
  const before = tree();
  machine.toolstack({ verb: "system_reset" });
  for (let i = 0; i < 5; i++) machine.runSlice();
  const renamed = before.map((line) =>
    line.replace(/domain\/1\b/g, "domain/2").replace(/vbd\/1\b/g, "vbd/2")
      .replace(/(domid|frontend-id) = "1"/, '$1 = "2"').replace(/([nr])1\b/g, "$12")
  );
  assertEquals(tree(), renamed.sort());
});

/** EVTCHNOP_alloc_unbound for dom0; the port to port E9h, and shut down for that reason. */
const allocateAndShutDown = (reason: number) => [
  ...store(0x7000, 0x7ff0),
  ...hypercall(32, 6, 0x7000),
  ...[0xa0, ...dword(0x7004), 0xe6, 0xe9], // mov al, [7004h]; out e9h, al
  ...store(0x7000, reason),
  ...hypercall(29, 2, 0x7000),
  ...[0xe6, 0xe9], // out e9h, al
];

Deno.test("A soft reset keeps memory and vCPU, and makes event channels anew", () => {
  const seen: number[] = [];
  const code = [...allocateAndShutDown(5), ...allocateAndShutDown(5), ...exitWith(0)];
  const machine = boot(flatGuest(...code), { onDebugByte: (byte) => seen.push(byte) });
  const result = runToEnd(machine);
  assertEquals([result.reason, seen], ["guest-exit", [3, 0, 3, 0]]);
  assertEquals(result.counters.hypercalls.byName, { event_channel_op: 2, sched_op: 2 });
  const tree = machine.inspector.xenstore("/local/domain/1", { full: true, permissions: false });
  assertEquals(tree.includes('/local/domain/1/domid = "1"'), true);
});

Deno.test("A guest that suspends unasked goes on as if the suspend had been cancelled", () => {
  const seen: number[] = [];
  const code = [...allocateAndShutDown(2), ...allocateAndShutDown(2), ...exitWith(0)];
  const machine = boot(flatGuest(...code), { onDebugByte: (byte) => seen.push(byte) });
  const result = runToEnd(machine);
  assertEquals([result.reason, seen], ["guest-exit", [3, 1, 4, 1]]);
});

Deno.test("A disk that was attached stays so when the machine starts again; a detached one does not", () => {
  const disks = [0, 1].map(() => new MemoryDisk(new Uint8Array(4096)));
  const machine = boot(flatGuest(0xeb, 0xfe), { reboot: "reset" }, disks);
  const run = (slices: number) => {
    for (let i = 0; i < slices; i++) machine.runSlice();
  };
  const vbds = () =>
    machine.inspector.blockList().slice(1).map((line) => line.split(/\s+/).slice(0, 4).join(" "));
  const backend = new MemoryDisk(new Uint8Array(4096));
  machine.toolstack({
    verb: "block-attach",
    disk: { vdev: "xvdb", backend, media: MEDIA_PRESETS.ssd },
  });
  machine.toolstack({ verb: "block-detach", device: "hdb", force: true });
  run(3);
  machine.toolstack({ verb: "system_reset" });
  run(3);
  assertEquals(vbds(), ["768 0 2 1", "51728 0 2 1"]);
});

Deno.test("system_reset ends the run of a machine that does not start again", () => {
  const machine = boot(flatGuest(0xeb, 0xfe));
  machine.runSlice();
  machine.toolstack({ verb: "system_reset" });
  const { reason, message } = machine.runSlice()!;
  const text = "The monitor asked for a reset: this machine does not start again";
  assertEquals([reason, message], ["power-off", text]);
});
