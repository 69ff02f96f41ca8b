import { assertEquals } from "@std/assert";
import { type Field, SCRATCH, XenGuest } from "../../../helpers/xen_guest.ts";

const [EPERM, ENOENT, ESRCH, EACCES, EFAULT] = [-1, -2, -3, -13, -14] as const;
const [EEXIST, EINVAL, ENOSPC, ENOSYS, EOPNOTSUPP] = [-17, -22, -28, -38, -95] as const;

const SELF = 0x7ff0;
const NOWHERE = 0xe0000000;

/** Ports of the guest of these tests, by what is behind them. */
const PORT = { virq: 1, ipi: 2, forDom0: 3, forSelf: 4, backend: 5, closed: 6 } as const;
/** Frames that become its control block and its words. */
const [CONTROL_GFN, ARRAY_GFN] = [20, 21] as const;

/** A port of each kind. */
function makeGuest(evtchnFifo: boolean): XenGuest {
  const guest = new XenGuest(1_000_000_000, { evtchnFifo });
  const { events } = guest.xen;
  guest.mapSharedInfo();
  const ports = [
    events.bindVirq(0, 0),
    events.bindIpi(0),
    events.allocateUnbound(0),
    events.allocateUnbound(SELF),
    events.allocateUnbound(0),
  ];
  assertEquals(ports, [PORT.virq, PORT.ipi, PORT.forDom0, PORT.forSelf, PORT.backend]);
  events.bindInterdomain(PORT.backend, () => {});
  return guest;
}

/** Numbers that no port has in either ABI; 0 is one, and nobody's. */
const NO_PORTS = [1 << 17, 0xffffffff] as const;

type Row = readonly [result: number, ...fields: readonly Field[]];

/** A command, the bytes of its structure, what it answers, and where it puts a port. */
interface Command {
  readonly number: number;
  readonly size: number;
  readonly portAt?: number;
  readonly rows: readonly Row[];
}

const noPorts = (...more: readonly Field[]): Row[] =>
  [0, ...NO_PORTS].map((port) => [EINVAL, [0, 4, port], ...more] as const);

const COMMANDS: Readonly<Record<string, Command>> = {
  bind_interdomain: {
    number: 0,
    size: 12,
    portAt: 8,
    rows: [
      [0, [0, 2, SELF], [4, 4, PORT.forSelf]],
      [EINVAL, [0, 2, SELF], [4, 4, PORT.forDom0]], // waits for somebody else
      [EINVAL, [0, 2, 1], [4, 4, PORT.ipi]],
      [EINVAL, [0, 2, 1], [4, 4, PORT.closed]],
      ...[0, ...NO_PORTS].map((port) => [EINVAL, [0, 2, SELF], [4, 4, port]] as const),
      [EINVAL, [0, 2, 0], [4, 4, 1]], // dom0 is nobody's frontend
      [ESRCH, [0, 2, 9], [4, 4, 1]],
      [ESRCH, [0, 2, 0x7ff4], [4, 4, 1]],
    ],
  },
  bind_virq: {
    number: 1,
    size: 12,
    portAt: 8,
    rows: [
      [0, [0, 4, 1], [4, 4, 0]],
      [EEXIST, [0, 4, 0], [4, 4, 0]],
      [ENOENT, [0, 4, 0], [4, 4, 1]],
      [ENOENT, [0, 4, 1], [4, 4, 0xffffffff]],
      [EINVAL, [0, 4, 2], [4, 4, 1]], // a global one is vCPU 0's
      [EINVAL, [0, 4, 24], [4, 4, 0]],
      [EINVAL, [0, 4, 0xffffffff], [4, 4, 0]],
    ],
  },
  bind_pirq: {
    number: 2,
    size: 12,
    rows: [[EINVAL, [0, 4, 0], [4, 4, 0]], [EINVAL, [0, 4, 16], [4, 4, 1]]],
  },
  close: {
    number: 3,
    size: 4,
    rows: [
      ...[1, 2, 3, 4, 5].map((port) => [0, [0, 4, port]] as const),
      [EINVAL, [0, 4, PORT.closed]],
      ...noPorts(),
    ],
  },
  send: {
    number: 4,
    size: 4,
    rows: [
      ...[PORT.ipi, PORT.forDom0, PORT.forSelf, PORT.backend].map((port) =>
        [0, [0, 4, port]] as const
      ),
      [EINVAL, [0, 4, PORT.virq]],
      [EINVAL, [0, 4, PORT.closed]],
      ...noPorts(),
    ],
  },
  status: {
    number: 5,
    size: 24,
    rows: [
      ...[0, 1, 2, 3, 4, 5, 6].map((port) => [0, [0, 2, SELF], [4, 4, port]] as const),
      [0, [0, 2, 1], [4, 4, 1]],
      [EPERM, [0, 2, 0], [4, 4, 1]],
      [ESRCH, [0, 2, 9], [4, 4, 1]],
      ...NO_PORTS.map((port) => [EINVAL, [0, 2, SELF], [4, 4, port]] as const),
    ],
  },
  alloc_unbound: {
    number: 6,
    size: 8,
    portAt: 4,
    rows: [
      [0, [0, 2, SELF], [2, 2, 0]],
      [0, [0, 2, 1], [2, 2, SELF]],
      [0, [0, 2, SELF], [2, 2, 77]], // who may never come
      [EPERM, [0, 2, 0], [2, 2, 1]],
      [ESRCH, [0, 2, 9], [2, 2, 1]],
    ],
  },
  bind_ipi: {
    number: 7,
    size: 8,
    portAt: 4,
    rows: [[0, [0, 4, 0]], [ENOENT, [0, 4, 1]], [ENOENT, [0, 4, 0xffffffff]]],
  },
  bind_vcpu: {
    number: 8,
    size: 8,
    rows: [
      ...[PORT.forDom0, PORT.forSelf, PORT.backend].map((port) =>
        [0, [0, 4, port], [4, 4, 0]] as const
      ),
      ...[PORT.virq, PORT.ipi, PORT.closed].map((port) =>
        [EINVAL, [0, 4, port], [4, 4, 0]] as const
      ),
      [ENOENT, [0, 4, PORT.backend], [4, 4, 1]],
      ...noPorts([4, 4, 0]),
    ],
  },
  unmask: {
    number: 9,
    size: 4,
    rows: [
      ...[0, 1, 2, 3, 4, 5, 6].map((port) => [0, [0, 4, port]] as const),
      ...NO_PORTS.map((port) => [EINVAL, [0, 4, port]] as const),
    ],
  },
  reset: {
    number: 10,
    size: 2,
    rows: [[0, [0, 2, SELF]], [0, [0, 2, 1]], [EPERM, [0, 2, 0]], [ESRCH, [0, 2, 9]]],
  },
};

/** What differs when the guest may have the FIFO ABI, has not got it, or has it. */
const FIFO_COMMANDS: Readonly<Record<"absent" | "offered" | "in use", Record<string, Command>>> = {
  absent: {
    init_control: {
      number: 11,
      size: 24,
      rows: [[ENOSYS, [0, 8, CONTROL_GFN], [8, 4, 0], [12, 4, 0]]],
    },
    expand_array: { number: 12, size: 8, rows: [[ENOSYS, [0, 8, ARRAY_GFN]]] },
    set_priority: { number: 13, size: 8, rows: [[ENOSYS, [0, 4, 1], [4, 4, 0]]] },
  },
  offered: {
    init_control: {
      number: 11,
      size: 24,
      rows: [
        [0, [0, 8, CONTROL_GFN], [8, 4, 0], [12, 4, 0]],
        [ENOENT, [0, 8, CONTROL_GFN], [8, 4, 0], [12, 4, 1]],
        [EINVAL, [0, 8, 0xe0000], [8, 4, 0], [12, 4, 0]],
        [EINVAL, [0, 8, CONTROL_GFN], [8, 4, 4], [12, 4, 0]],
        [EINVAL, [0, 8, CONTROL_GFN], [8, 4, 4032], [12, 4, 0]],
      ],
    },
    expand_array: { number: 12, size: 8, rows: [[EOPNOTSUPP, [0, 8, ARRAY_GFN]]] },
    set_priority: { number: 13, size: 8, rows: [[ENOSYS, [0, 4, 1], [4, 4, 0]]] },
  },
  "in use": {
    ...COMMANDS,
    init_control: {
      number: 11,
      size: 24,
      rows: [[EINVAL, [0, 8, CONTROL_GFN], [8, 4, 0], [12, 4, 0]]],
    },
    expand_array: {
      number: 12,
      size: 8,
      rows: [[0, [0, 8, ARRAY_GFN + 1]], [EINVAL, [0, 8, 0xe0000]], [EINVAL, [0, 8, 1n << 52n]]],
    },
    set_priority: {
      number: 13,
      size: 8,
      rows: [
        [0, [0, 4, 1], [4, 4, 0]],
        [EACCES, [0, 4, PORT.closed], [4, 4, 15]],
        [EACCES, [0, 4, PORT.closed], [4, 4, 16]],
        [EACCES, [0, 4, 0], [4, 4, 7]],
        [EINVAL, [0, 4, 1], [4, 4, 16]],
        ...NO_PORTS.map((port) => [EINVAL, [0, 4, port], [4, 4, 0]] as const),
      ],
    },
  },
};

/** The guest before a row: rows do not follow each other. */
function guestWith(fifo: keyof typeof FIFO_COMMANDS | undefined): XenGuest {
  const guest = makeGuest(fifo === "offered" || fifo === "in use");
  if (fifo === "in use") {
    assertEquals(guest.xen.events.initControl(0, CONTROL_GFN, 0), 0);
    assertEquals(guest.xen.events.expandArray(ARRAY_GFN), 0);
  }
  return guest;
}

function judge(fifo: keyof typeof FIFO_COMMANDS | undefined, command: Command): void {
  const { number, size, portAt, rows } = command;
  for (const [result, ...fields] of rows) {
    const guest = guestWith(fifo);
    assertEquals(guest.call(32, number, guest.struct(...fields)), result, `${fields}`);
    if (portAt !== undefined && result === 0) assertEquals(guest.u32(portAt), PORT.closed);
    assertEquals(guest.memory.read8(SCRATCH + size), 0xa5, "behind the structure");
    assertEquals(guest.errors.length, result < 0 && result !== ENOSYS ? 1 : 0);
  }
  const guest = guestWith(fifo);
  assertEquals(guest.call(32, number, NOWHERE), EFAULT);
  guest.vcpu.mapped.set(0xc0000, 30);
  guest.vcpu.mapped.set(0xc0001, undefined);
  assertEquals(guest.call(32, number, 0xc0001000 - size + 1), EFAULT, "across a page's end");
  assertEquals(guest.xen.events.channel(PORT.closed), undefined, "nothing is left of it");
}

for (const [name, command] of Object.entries(COMMANDS)) {
  Deno.test(`EVTCHNOP_${name} answers as Xen does`, () => judge(undefined, command));
}

for (const [fifo, commands] of Object.entries(FIFO_COMMANDS)) {
  for (const [name, command] of Object.entries(commands)) {
    Deno.test(`EVTCHNOP_${name} answers as Xen does with the FIFO ABI ${fifo}`, () => {
      judge(fifo as keyof typeof FIFO_COMMANDS, command);
    });
  }
}

Deno.test("event_channel_op has 14 commands", () => {
  const guest = makeGuest(true);
  for (const command of [14, 15, 63, 0xffffffff]) {
    assertEquals(guest.call(32, command, SCRATCH), ENOSYS);
  }
});

const BINDERS = ["bind_interdomain", "bind_virq", "alloc_unbound", "bind_ipi"] as const;

for (const name of BINDERS) {
  Deno.test(`EVTCHNOP_${name} answers -ENOSPC when there are no ports left`, () => {
    const guest = makeGuest(false);
    while (guest.xen.events.bindIpi(0) > 0);
    const { number, rows: [[, ...fields] = [0]] } = COMMANDS[name]!;
    assertEquals(guest.call(32, number, guest.struct(...fields)), ENOSPC);
    assertEquals(guest.xen.events.close(900), 0);
    assertEquals(guest.call(32, number, guest.struct(...fields)), 0);
    assertEquals(guest.u32(COMMANDS[name]!.portAt!), 900);
  });
}

// Source: evtchn_bind_interdomain() of xen/common/event_channel.c looks for a port of its own first.
Deno.test("EVTCHNOP_bind_interdomain answers -ENOSPC whatever the remote port is", () => {
  const guest = makeGuest(false);
  while (guest.xen.events.bindIpi(0) > 0);
  const bind = (domid: number, port: number) =>
    guest.call(32, 0, guest.struct([0, 2, domid], [4, 4, port]));
  assertEquals([bind(SELF, PORT.ipi), bind(SELF, 5000), bind(0, 1)], [ENOSPC, ENOSPC, ENOSPC]);
  assertEquals(bind(9, 1), ESRCH);
});

Deno.test("EVTCHNOP_close a second time finds nothing", () => {
  const guest = makeGuest(false);
  for (const port of [1, 2, 3, 4, 5]) {
    const close = () => guest.call(32, 3, guest.struct([0, 4, port]));
    assertEquals([close(), close()], [0, EINVAL]);
  }
});
