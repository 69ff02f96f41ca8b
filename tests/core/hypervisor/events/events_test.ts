import { assertEquals } from "@std/assert";
import { SHARED, XenGuest } from "../../../helpers/xen_guest.ts";

const EPERM = -1;
const ENOENT = -2;
const ESRCH = -3;
const EFAULT = -14;
const EEXIST = -17;
const EINVAL = -22;
const ENOSPC = -28;
const ENOSYS = -38;

const PENDING = SHARED + 2048;
const MASK = SHARED + 2176;
const SELECTOR = SHARED + 4;

function mappedGuest(): XenGuest {
  const guest = new XenGuest();
  guest.mapSharedInfo();
  return guest;
}

/** A bit array of 32-bit words in the guest. */
function setBit(guest: XenGuest, array: number, bit: number): void {
  const at = array + (bit >>> 5) * 4;
  guest.memory.write32(at, guest.memory.read32(at) | 1 << (bit & 31));
}

function getBit(guest: XenGuest, array: number, bit: number): number {
  return guest.memory.read32(array + (bit >>> 5) * 4) >>> (bit & 31) & 1;
}

const bindIpi = (guest: XenGuest, vcpu = 0) => guest.call(32, 7, guest.struct([0, 4, vcpu]));
const bindVirq = (guest: XenGuest, virq: number, vcpu = 0) =>
  guest.call(32, 1, guest.struct([0, 4, virq], [4, 4, vcpu]));
const close = (guest: XenGuest, port: number) => guest.call(32, 3, guest.struct([0, 4, port]));
const unmask = (guest: XenGuest, port: number) => guest.call(32, 9, guest.struct([0, 4, port]));

/** State before → pending, selector, upcall after. Columns: pending, mask, selector. */
const RAISES = [
  { before: [0, 0, 0], after: [1, 1, 1] },
  { before: [0, 0, 1], after: [1, 1, 0] },
  { before: [0, 1, 0], after: [1, 0, 0] },
  { before: [0, 1, 1], after: [1, 1, 0] },
  { before: [1, 0, 0], after: [1, 0, 0] },
  { before: [1, 0, 1], after: [1, 1, 0] },
  { before: [1, 1, 0], after: [1, 0, 0] },
  { before: [1, 1, 1], after: [1, 1, 0] },
] as const;

const UNMASKS = [
  { before: [0, 0, 0], after: [0, 0, 0] },
  { before: [0, 1, 0], after: [0, 0, 0] },
  { before: [1, 0, 0], after: [1, 0, 0] },
  { before: [1, 1, 0], after: [1, 1, 1] },
  { before: [1, 1, 1], after: [1, 1, 0] },
] as const;

function after(port: number, before: readonly number[], act: (guest: XenGuest) => void): number[] {
  const guest = mappedGuest();
  const word = port >>> 5;
  for (let i = 0; i < port; i++) bindIpi(guest);
  if (before[0]) setBit(guest, PENDING, port);
  if (before[1]) setBit(guest, MASK, port);
  if (before[2]) setBit(guest, SELECTOR, word);
  act(guest);
  return [
    getBit(guest, PENDING, port),
    getBit(guest, SELECTOR, word),
    guest.memory.read8(SHARED),
  ];
}

for (const port of [1, 31, 32, 1023]) {
  Deno.test(`EventChannels raises port ${port} by the table of event_2l.c`, () => {
    for (const row of RAISES) {
      assertEquals(after(port, row.before, (g) => g.send(port)), [...row.after], `${row.before}`);
    }
  });

  Deno.test(`EVTCHNOP_unmask of port ${port} delivers what was pending while masked`, () => {
    for (const row of UNMASKS) {
      const seen = after(port, row.before, (guest) => {
        assertEquals(unmask(guest, port), 0);
        assertEquals(getBit(guest, MASK, port), 0);
      });
      assertEquals(seen, [...row.after], `${row.before}`);
    }
  });
}

Deno.test("EventChannels ignores evtchn_upcall_mask, as for every HVM guest", () => {
  const guest = mappedGuest();
  guest.memory.write8(SHARED + 1, 1);
  bindIpi(guest);
  guest.send(1);
  assertEquals(guest.xen.upcallPending, true);
});

Deno.test("EventChannels keeps events of a guest that has not mapped shared_info", () => {
  const guest = new XenGuest();
  bindIpi(guest);
  guest.send(1);
  guest.mapSharedInfo();
  assertEquals(guest.memory.read32(PENDING), 2);
  assertEquals(guest.memory.read8(SHARED), 1);
});

Deno.test("EventChannels gives the lowest free port, never 0, and 1023 at most", () => {
  const guest = mappedGuest();
  assertEquals(guest.xen.events.allocateToolstackPort(), 1);
  assertEquals(guest.xen.events.allocateToolstackPort(), 2);
  assertEquals(guest.allocateUnbound(), 3);
  assertEquals(close(guest, 2), 0);
  assertEquals(guest.allocateUnbound(), 2);
  for (let port = 4; port < 1024; port++) bindIpi(guest);
  assertEquals(guest.u32(4), 1023);
  assertEquals(bindIpi(guest), ENOSPC);
});

Deno.test("EVTCHNOP_bind_virq checks virq and vCPU and binds once", () => {
  const guest = mappedGuest();
  assertEquals(bindVirq(guest, 24), EINVAL);
  assertEquals(bindVirq(guest, 0, 1), ENOENT);
  assertEquals(bindVirq(guest, 0), 0);
  assertEquals(guest.u32(8), 1);
  assertEquals(bindVirq(guest, 0), EEXIST);
  guest.xen.events.raiseVirq(0);
  guest.xen.events.raiseVirq(1); // nobody listens
  assertEquals(guest.memory.read32(PENDING), 2);
  assertEquals(close(guest, 1), 0);
  assertEquals(guest.memory.read32(PENDING), 0);
  guest.xen.events.raiseVirq(0);
  assertEquals(guest.memory.read32(PENDING), 0);
  assertEquals(bindVirq(guest, 0), 0);
});

Deno.test("EVTCHNOP_send answers by what is behind the port", () => {
  const guest = mappedGuest();
  bindVirq(guest, 0); // 1
  bindIpi(guest); // 2
  guest.allocateUnbound(); // 3
  assertEquals([0, 1, 2, 3, 4, 1024, 0xffffffff].map((p) => guest.send(p)), [
    ...[EINVAL, EINVAL, 0, 0, EINVAL, EINVAL, EINVAL],
  ]);
  assertEquals(guest.memory.read32(PENDING), 1 << 2);
  assertEquals(guest.errors.length, 5);
});

Deno.test("EVTCHNOP_close, bind_ipi, bind_vcpu and unmask refuse what is not there", () => {
  const guest = mappedGuest();
  assertEquals(close(guest, 0), EINVAL);
  assertEquals(close(guest, 5), EINVAL);
  assertEquals(close(guest, 4096), EINVAL);
  assertEquals(bindIpi(guest, 1), ENOENT);
  assertEquals([0, 1024].map((port) => unmask(guest, port)), [0, EINVAL]);
  bindVirq(guest, 0);
  const unbound = guest.allocateUnbound();
  const bindVcpu = (port: number, vcpu: number) =>
    guest.call(32, 8, guest.struct([0, 4, port], [4, 4, vcpu]));
  assertEquals(bindVcpu(1, 0), EINVAL);
  assertEquals(bindVcpu(unbound, 1), ENOENT);
  assertEquals(bindVcpu(unbound, 0), 0);
});

Deno.test("event_channel_op has no FIFO ABI unless it is offered", () => {
  const guest = mappedGuest();
  assertEquals(guest.call(32, 11, guest.struct()), ENOSYS);
  assertEquals(guest.call(32, 12, guest.struct()), ENOSYS);
  assertEquals(guest.call(32, 13, guest.struct([0, 4, 1], [4, 4, 0])), ENOSYS);
  assertEquals(guest.errors, []);
});

Deno.test("EVTCHNOP_bind_pirq refuses every number: the guest has none", () => {
  const guest = mappedGuest();
  for (const pirq of [0, 1, 16, 0xffffffff]) {
    assertEquals(guest.call(32, 2, guest.struct([0, 4, pirq], [4, 4, 1])), EINVAL);
  }
});

Deno.test("EVTCHNOP_bind_virq and bind_vcpu know which VIRQs are the domain's", () => {
  const guest = mappedGuest();
  const bindVcpu = (port: number) => guest.call(32, 8, guest.struct([0, 4, port], [4, 4, 0]));
  // Of a vCPU that is not there: no such vCPU; a global one belongs to vCPU 0.
  const foreign = [ENOENT, ENOENT, EINVAL, EINVAL, EINVAL, EINVAL, EINVAL, ENOENT];
  assertEquals(foreign.map((_, virq) => bindVirq(guest, virq, 1)), foreign);
  const own = foreign.map((error) => error === ENOENT ? EINVAL : 0);
  assertEquals(own.map((_, virq) => bindVirq(guest, virq)), own.map(() => 0));
  assertEquals(own.map((_, virq) => bindVcpu(virq + 1)), own);
});

Deno.test("event_channel_op takes nothing from a structure that is not there to its end", () => {
  const guest = mappedGuest();
  guest.vcpu.mapped.set(0xc0001, undefined);
  const last = 4096 * 10 + 4092;
  guest.vcpu.mapped.set(0xc0000, 10);
  guest.memory.write32(last, 0); // vcpu; the port would come behind the page
  assertEquals(guest.call(32, 7, 0xc0000ffc), EFAULT);
  bindIpi(guest);
  assertEquals(guest.u32(4), 1);
});

Deno.test("EVTCHNOP_unmask leaves the mask of a closed port alone", () => {
  const guest = mappedGuest();
  setBit(guest, MASK, 9);
  assertEquals(unmask(guest, 9), 0);
  assertEquals(getBit(guest, MASK, 9), 1);
});

Deno.test("EVTCHNOP_status tells states by their numbers", () => {
  const guest = mappedGuest();
  const status = (port: number) => {
    assertEquals(guest.call(32, 5, guest.struct([0, 2, 0x7ff0], [4, 4, port])), 0);
    return [guest.u32(8), guest.u32(12), guest.u32(16), guest.u32(20)];
  };
  bindVirq(guest, 1); // 1
  bindIpi(guest); // 2
  guest.allocateUnbound(); // 3
  guest.allocateUnbound(); // 4
  guest.xen.events.bindInterdomain(4, () => {});
  assertEquals(status(1), [4, 0, 1, 0]);
  assertEquals(status(2), [5, 0, 0, 0]);
  assertEquals(status(3), [1, 0, 0, 0]);
  assertEquals(status(4), [2, 0, 0, 1]);
  assertEquals([status(5), status(0)], [[0, 0, 0, 0], [0, 0, 0, 0]]);
  assertEquals(guest.memory.read8(0x8000 + 24), 0xa5);
  assertEquals(guest.call(32, 5, guest.struct([0, 2, 0x7ff0], [4, 4, 1024])), EINVAL);
  assertEquals(guest.call(32, 5, guest.struct([0, 2, 0], [4, 4, 1])), EPERM);
  assertEquals(guest.call(32, 5, guest.struct([0, 2, 9], [4, 4, 1])), ESRCH);
});

Deno.test("EVTCHNOP_reset closes every port of the guest's own", () => {
  const guest = mappedGuest();
  bindIpi(guest);
  guest.allocateUnbound();
  assertEquals(guest.call(32, 10, guest.struct([0, 2, 0])), EPERM);
  assertEquals(guest.send(1), 0);
  assertEquals(guest.call(32, 10, guest.struct([0, 2, 1])), 0);
  assertEquals(guest.send(1), EINVAL);
  assertEquals(guest.memory.read32(PENDING), 0);
});

Deno.test("EventChannels.bindInterdomain() connects both ways", () => {
  const guest = mappedGuest();
  const port = guest.allocateUnbound();
  let events = 0;
  const dom0End = guest.xen.events.bindInterdomain(port, () => events++)!;
  assertEquals(events, 0);
  guest.dom0.run(); // the new port of dom0 is pending at once
  assertEquals(events, 1);
  assertEquals(guest.send(port), 0);
  assertEquals(events, 2);
  assertEquals(guest.xen.upcallPending, false);
  dom0End.notify();
  assertEquals(guest.xen.upcallPending, true);
  assertEquals(guest.memory.read32(PENDING), 1 << port);
  assertEquals(guest.dom0.total("notify"), 7);
  assertEquals(guest.xen.stats().events, { sentByGuest: 1, sentByDom0: 1 });
});

Deno.test("EventChannels.bindInterdomain() refuses ports that do not wait for dom0", () => {
  const guest = mappedGuest();
  const { events } = guest.xen;
  bindIpi(guest); // 1
  const forSelf = guest.call(32, 6, guest.struct([0, 2, 0x7ff0], [2, 2, 0x7ff0]));
  assertEquals(forSelf, 0);
  const bound = guest.allocateUnbound();
  events.bindInterdomain(bound, () => {});
  for (const port of [0, 1, 2, bound, 4, 1024, -1]) {
    assertEquals(events.bindInterdomain(port, () => {}), undefined, `port ${port}`);
  }
});

Deno.test("EventPort loses the guest when it closes the port, and its successor hears nothing", () => {
  const guest = mappedGuest();
  const port = guest.allocateUnbound();
  const dom0End = guest.xen.events.bindInterdomain(port, () => {})!;
  close(guest, port);
  guest.dom0.run();
  bindIpi(guest);
  dom0End.notify();
  dom0End.close();
  assertEquals(guest.memory.read32(PENDING), 0);
  assertEquals(guest.send(port), 0);
  assertEquals(guest.xen.stats().events, { sentByGuest: 0, sentByDom0: 0 });
});

Deno.test("EventPort.close() leaves the guest an unbound port that dom0 may bind again", () => {
  const guest = mappedGuest();
  const port = guest.allocateUnbound();
  let events = 0;
  guest.xen.events.bindInterdomain(port, () => events++)!.close();
  guest.dom0.run();
  assertEquals(guest.send(port), 0);
  assertEquals(events, 0);
  assertEquals(guest.xen.events.bindInterdomain(port, () => {}) === undefined, false);
});

Deno.test("EVTCHNOP_bind_interdomain connects a guest with itself and with nobody else", () => {
  const guest = mappedGuest();
  const bind = (domid: number, port: number) =>
    guest.call(32, 0, guest.struct([0, 2, domid], [4, 4, port]));
  assertEquals(guest.call(32, 6, guest.struct([0, 2, 1], [2, 2, 1])), 0); // port 1
  const forDom0 = guest.allocateUnbound();
  assertEquals(bind(0, 1), EINVAL);
  assertEquals(bind(5, 1), ESRCH);
  assertEquals(bind(1, forDom0), EINVAL);
  assertEquals(bind(0x7ff0, 1), 0);
  assertEquals(guest.u32(8), 3);
  assertEquals(guest.memory.read32(PENDING), 1 << 3);
  assertEquals(guest.send(3), 0);
  assertEquals(guest.memory.read32(PENDING), 1 << 3 | 1 << 1);
  assertEquals(close(guest, 3), 0);
  assertEquals(guest.send(1), 0); // unbound again
  assertEquals(bind(1, 1), 0);
});

Deno.test("EVTCHNOP_alloc_unbound is for the guest's own ports", () => {
  const guest = mappedGuest();
  assertEquals(guest.call(32, 6, guest.struct([0, 2, 0], [2, 2, 0])), EPERM);
  assertEquals(guest.call(32, 6, guest.struct([0, 2, 3], [2, 2, 0])), ESRCH);
});

Deno.test("EventChannels.counters counts what crosses between guest and dom0, not what stays", () => {
  const guest = mappedGuest();
  const { events } = guest.xen;
  const [toDom0, toItself] = [events.allocateUnbound(0), events.allocateUnbound(0x7ff0)];
  const backend = events.bindInterdomain(toDom0, () => {})!;
  const loop = events.connect(0x7ff0, toItself);
  guest.send(toDom0);
  guest.send(loop);
  guest.send(bindIpi(guest));
  backend.notify();
  assertEquals(events.counters, { sentByGuest: 1, sentByDom0: 1 });
});
