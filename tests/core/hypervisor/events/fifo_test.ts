import { assertEquals } from "@std/assert";
import { SHARED, XenGuest } from "../../../helpers/xen_guest.ts";

const ENOENT = -2;
const EACCES = -13;
const EINVAL = -22;
const ENOSPC = -28;
const ENOSYS = -38;
const EOPNOTSUPP = -95;

const PENDING = 0x8000_0000;
const MASKED = 0x4000_0000;
const LINKED = 0x2000_0000;
const BUSY = 0x1000_0000;

/** Frames of the control block and of the first words. */
const CONTROL_GFN = 20;
const CONTROL = CONTROL_GFN * 4096 + 8;
const ARRAY_GFN = 21;
const ARRAY = ARRAY_GFN * 4096;
const READY = CONTROL;
const HEAD = CONTROL + 8;
const DEFAULT_PRIORITY = 7;

function makeGuest(): XenGuest {
  const guest = new XenGuest(1_000_000_000, { evtchnFifo: true });
  guest.mapSharedInfo();
  return guest;
}

const initControl = (guest: XenGuest, gfn: bigint | number, offset: number, vcpu = 0) =>
  guest.call(32, 11, guest.struct([0, 8, gfn], [8, 4, offset], [12, 4, vcpu]));
const expandArray = (guest: XenGuest, gfn: bigint | number) =>
  guest.call(32, 12, guest.struct([0, 8, gfn]));
const setPriority = (guest: XenGuest, port: number, priority: number) =>
  guest.call(32, 13, guest.struct([0, 4, port], [4, 4, priority]));
const bindIpi = (guest: XenGuest) => {
  assertEquals(guest.call(32, 7, guest.struct([0, 4, 0])), 0);
  return guest.u32(4);
};
const close = (guest: XenGuest, port: number) => guest.call(32, 3, guest.struct([0, 4, port]));
const unmask = (guest: XenGuest, port: number) => guest.call(32, 9, guest.struct([0, 4, port]));

/** With control block, words for the first 1024 ports, and some IPIs from port 1 on. */
function fifoGuest(ports: number): XenGuest {
  const guest = makeGuest();
  assertEquals(initControl(guest, CONTROL_GFN, 8), 0);
  assertEquals(expandArray(guest, ARRAY_GFN), 0);
  for (let i = 0; i < ports; i++) bindIpi(guest);
  return guest;
}

const word = (guest: XenGuest, port: number) => guest.memory.read32(ARRAY + port * 4);
const setWord = (guest: XenGuest, port: number, value: number) =>
  guest.memory.write32(ARRAY + port * 4, value);
const head = (guest: XenGuest, priority: number) => guest.memory.read32(HEAD + priority * 4);
const isTold = (guest: XenGuest) => guest.memory.read8(SHARED) === 1;

/** Takes the first port of a queue as Linux's consume_one_event() does; 0 when it is empty. */
function consume(guest: XenGuest, heads: Map<number, number>, priority: number): number {
  const port = heads.get(priority) || head(guest, priority);
  const link = word(guest, port) & 0x1ffff;
  heads.set(priority, link);
  setWord(guest, port, word(guest, port) & ~(LINKED | PENDING | 0x1ffff));
  return port;
}

/** The upcall handler: ports by priority, as long as queues are ready. */
function handleUpcall(guest: XenGuest, heads: Map<number, number> = new Map()): number[] {
  guest.memory.write8(SHARED, 0);
  const taken: number[] = [];
  const ready = guest.memory.read32(READY);
  guest.memory.write32(READY, 0);
  for (let priority = 0; priority < 16; priority++) {
    if ((ready & 1 << priority) === 0) continue;
    do taken.push(consume(guest, heads, priority)); while (heads.get(priority) !== 0);
  }
  return taken;
}

Deno.test("EVTCHNOP_init_control checks vCPU, place and alignment, and takes one block", () => {
  const guest = makeGuest();
  const rows = [
    [CONTROL_GFN, 8, 1, ENOENT],
    [CONTROL_GFN, 4096 - 64, 0, EINVAL], // 72 bytes do not fit
    [CONTROL_GFN, 4, 0, EINVAL],
    [CONTROL_GFN, 0xffff_fff8, 0, EINVAL],
    [0xe0000, 0, 0, EINVAL],
    [1n << 40n, 0, 0, EINVAL],
    [0xffff_ffff_ffff_ffffn, 0, 0, EINVAL],
    [CONTROL_GFN, 4096 - 72, 0, 0],
    [CONTROL_GFN, 4096 - 72, 0, EINVAL],
  ] as const;
  for (const [gfn, offset, vcpu, result] of rows) {
    assertEquals(initControl(guest, gfn, offset, vcpu), result, `${gfn}+${offset}`);
  }
});

Deno.test("EVTCHNOP_init_control tells the bits of a link", () => {
  const guest = makeGuest();
  initControl(guest, CONTROL_GFN, 0);
  assertEquals(guest.u32(16), 17);
});

Deno.test("EVTCHNOP_expand_array takes 128 pages of memory behind a control block", () => {
  const guest = makeGuest();
  assertEquals(expandArray(guest, ARRAY_GFN), EOPNOTSUPP);
  initControl(guest, CONTROL_GFN, 0);
  assertEquals([0xe0000, 1n << 60n].map((gfn) => expandArray(guest, gfn)), [EINVAL, EINVAL]);
  for (let page = 0; page < 128; page++) assertEquals(expandArray(guest, ARRAY_GFN), 0);
  assertEquals(expandArray(guest, ARRAY_GFN), ENOSPC);
});

Deno.test("EVTCHNOP_set_priority has 16 of them, and none in the 2-level ABI", () => {
  const guest = makeGuest();
  bindIpi(guest);
  assertEquals(setPriority(guest, 1, 0), ENOSYS);
  initControl(guest, CONTROL_GFN, 0);
  assertEquals(
    [[1, 0], [1, 15], [1, 16], [0, 7], [1 << 17, 7]].map(
      ([port, priority]) => setPriority(guest, port!, priority!),
    ),
    [0, 0, EINVAL, EACCES, EINVAL],
  );
});

/** An event word before and after its event, whether its queue is ready then, and the upcall. */
const RAISES = [
  { before: 0, after: PENDING | LINKED, head: 1, told: true },
  { before: MASKED, after: PENDING | MASKED, head: 0, told: false },
  { before: LINKED, after: PENDING | LINKED, head: 0, told: false },
  { before: PENDING, after: PENDING | LINKED, head: 1, told: true },
  { before: PENDING | MASKED, after: PENDING | MASKED, head: 0, told: false },
  { before: MASKED | LINKED, after: PENDING | MASKED | LINKED, head: 0, told: false },
];

for (const { before, after, head: first, told } of RAISES) {
  Deno.test(`EventFifo makes a word 0x${(before >>> 0).toString(16)} pending`, () => {
    const guest = fifoGuest(1);
    setWord(guest, 1, before);
    assertEquals(guest.send(1), 0);
    assertEquals(word(guest, 1), after >>> 0);
    assertEquals(head(guest, DEFAULT_PRIORITY), first);
    assertEquals(guest.memory.read32(READY), told ? 1 << DEFAULT_PRIORITY : 0);
    assertEquals(isTold(guest), told);
    assertEquals(guest.memory.read32(SHARED + 2048), 0, "the bitmaps are out of use");
  });
}

Deno.test("EventFifo queues events in their order, each once, and tells of the first", () => {
  const guest = fifoGuest(5);
  for (const port of [3, 1, 5, 1, 3]) guest.send(port);
  assertEquals(head(guest, DEFAULT_PRIORITY), 3);
  assertEquals([3, 1, 5].map((port) => word(guest, port) & 0x1ffff), [1, 5, 0]);
  assertEquals(handleUpcall(guest), [3, 1, 5]);
  guest.send(2);
  assertEquals(isTold(guest), true);
  assertEquals(handleUpcall(guest), [2]);
});

Deno.test("EventFifo serves priorities from the highest", () => {
  const guest = fifoGuest(4);
  setPriority(guest, 4, 0);
  setPriority(guest, 2, 15);
  for (const port of [1, 2, 3, 4]) guest.send(port);
  assertEquals(guest.memory.read32(READY), 1 << 15 | 1 << 7 | 1);
  assertEquals(handleUpcall(guest), [4, 1, 3, 2]);
});

Deno.test("EventFifo appends to a queue that the guest is emptying", () => {
  const guest = fifoGuest(3);
  const heads = new Map<number, number>();
  guest.send(1);
  guest.send(2);
  guest.memory.write8(SHARED, 0);
  guest.memory.write32(READY, 0);
  assertEquals(consume(guest, heads, DEFAULT_PRIORITY), 1);
  guest.send(3); // 2 is still linked: it leads on to 3
  assertEquals(isTold(guest), false);
  assertEquals(consume(guest, heads, DEFAULT_PRIORITY), 2);
  assertEquals(consume(guest, heads, DEFAULT_PRIORITY), 3);
  guest.send(1); // the queue is empty: a new head
  assertEquals([head(guest, DEFAULT_PRIORITY), isTold(guest)], [1, true]);
});

Deno.test("EventFifo moves an event to its new priority once the guest has unlinked it", () => {
  const guest = fifoGuest(2);
  guest.send(1);
  setPriority(guest, 1, 3);
  guest.send(1);
  assertEquals([head(guest, 7), head(guest, 3)], [1, 0]);
  assertEquals(handleUpcall(guest), [1]);
  guest.send(1);
  assertEquals([head(guest, 3), word(guest, 1) & 0x1ffff], [1, 0]);
  guest.send(2); // was behind 1 no more: 1 has left the queue of priority 7
  assertEquals(head(guest, 7), 2);
  assertEquals(handleUpcall(guest), [1, 2]);
});

Deno.test("EventFifo clears BUSY of the word it appends to, and nothing else of it", () => {
  const guest = fifoGuest(2);
  guest.send(1);
  setWord(guest, 1, PENDING | MASKED | LINKED | BUSY);
  guest.send(2);
  assertEquals(word(guest, 1) >>> 0, (PENDING | MASKED | LINKED | 2) >>> 0);
});

Deno.test("EVTCHNOP_unmask links what is pending", () => {
  const guest = fifoGuest(2);
  setWord(guest, 1, MASKED);
  guest.send(1);
  assertEquals(isTold(guest), false);
  assertEquals(unmask(guest, 1), 0);
  assertEquals(word(guest, 1) >>> 0, (PENDING | LINKED) >>> 0);
  assertEquals(isTold(guest), true);
  assertEquals(unmask(guest, 2), 0);
  assertEquals(word(guest, 2), 0);
});

Deno.test("EVTCHNOP_close leaves a linked word in its queue and its port to nobody", () => {
  const guest = fifoGuest(2);
  guest.send(1);
  assertEquals(close(guest, 1), 0);
  assertEquals(word(guest, 1), LINKED);
  assertEquals(bindIpi(guest), 3);
  handleUpcall(guest);
  assertEquals(bindIpi(guest), 1);
});

Deno.test("EVTCHNOP_init_control takes events of the 2-level ABI along", () => {
  const guest = makeGuest();
  bindIpi(guest);
  bindIpi(guest);
  guest.send(2);
  guest.memory.write8(SHARED, 0);
  initControl(guest, CONTROL_GFN, 8);
  assertEquals(isTold(guest), false);
  expandArray(guest, ARRAY_GFN);
  assertEquals([word(guest, 1), word(guest, 2) >>> 0], [0, (PENDING | LINKED) >>> 0]);
  assertEquals(isTold(guest), true);
});

Deno.test("EventFifo has 131072 ports, and keeps the events of those without a word", () => {
  const guest = fifoGuest(0);
  const { events } = guest.xen;
  const bind = () => events.bindIpi(0);
  for (let port = 1; port < 1 << 17; port++) if (bind() !== port) throw new Error(`${port}`);
  assertEquals(bind(), ENOSPC);
  assertEquals(guest.send(1024), 0);
  assertEquals(isTold(guest), false);
  assertEquals(expandArray(guest, ARRAY_GFN + 1), 0);
  assertEquals(guest.memory.read32(ARRAY + 4096), (PENDING | LINKED) >>> 0);
  assertEquals(head(guest, DEFAULT_PRIORITY), 1024);
  assertEquals([guest.send(1 << 17), guest.send((1 << 17) - 1)], [EINVAL, 0]);
  assertEquals(close(guest, 70_000), 0);
  assertEquals(bind(), 70_000);
});

Deno.test("SCHEDOP_poll waits for ports of the FIFO ABI", () => {
  const guest = fifoGuest(2);
  const poll = (port: number) => {
    guest.memory.write32(0x9000, port);
    return guest.call(29, 3, guest.struct([0, 4, 0x9000], [4, 4, 1], [8, 8, 0]));
  };
  setWord(guest, 2, MASKED);
  assertEquals([poll(1 << 17), poll(2)], [EINVAL, 0]);
  assertEquals(guest.xen.blocked, true);
  guest.send(2);
  assertEquals(guest.xen.blocked, false);
});

Deno.test("EVTCHNOP_reset goes back to the 2-level ABI, from where FIFO can be had again", () => {
  const guest = fifoGuest(3);
  assertEquals(guest.call(32, 10, guest.struct([0, 2, 0x7ff0])), 0);
  assertEquals(bindIpi(guest), 1);
  guest.send(1);
  assertEquals(guest.memory.read32(SHARED + 2048), 2);
  assertEquals(initControl(guest, CONTROL_GFN, 8), 0);
});

Deno.test("EventFifo follows no link of the guest's", () => {
  const guest = fifoGuest(3);
  guest.send(1);
  setWord(guest, 1, 0xffff_ffff); // links, and has a link to no port
  guest.memory.write32(HEAD + 4 * DEFAULT_PRIORITY, 0xffff_ffff);
  guest.send(2);
  assertEquals(word(guest, 1) >>> 0, (PENDING | MASKED | LINKED | 0x0ffe_0002 & ~BUSY) >>> 0);
  for (const port of [1, 2, 3]) guest.send(port);
  assertEquals(close(guest, 2), 0);
});

Deno.test("EventFifo lives with a control block and words that lie in one page", () => {
  const guest = makeGuest();
  initControl(guest, CONTROL_GFN, 8);
  expandArray(guest, CONTROL_GFN);
  for (let i = 0; i < 30; i++) bindIpi(guest);
  for (let port = 1; port <= 30; port++) assertEquals(guest.send(port), 0);
});
