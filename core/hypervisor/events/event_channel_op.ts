/**
 * The event_channel_op hypercall: EBX = command, ECX = pointer to its structure.
 * Source: Xen public header event_channel.h; the offsets are the same for 32 and 64 bits.
 * @module
 */

import { readU64 } from "../../bits.ts";
import { checkTarget } from "../domid.ts";
import { ERRNO } from "../hypercalls/errno.ts";
import { CHANNEL_STATUS } from "./event_channel.ts";
import { EVTCHN_FIFO } from "./fifo.ts";
import type { EventChannels } from "./events.ts";
import type { GuestCall } from "../hypercalls/guest_pointer.ts";

/** One command: its structure, which part of it is given back, what is done. */
interface Command {
  /** Bytes of the structure, all of which the guest must have. */
  readonly size: number;
  /** First byte given back, up to the end of the structure; nothing unless given. */
  readonly answersFrom?: number;
  /** Returns 0 or a negative error number. */
  readonly run: (events: EventChannels, fields: DataView) => number;
}

const u16 = (fields: DataView, at: number): number => fields.getUint16(at, true);
const u32 = (fields: DataView, at: number): number => fields.getUint32(at, true);

/** Offsets of the commands' structures, by the names of the commands. */
export const EVTCHN = {
  BIND_INTERDOMAIN: { REMOTE_DOM: 0, REMOTE_PORT: 4, LOCAL_PORT: 8, SIZE: 12 },
  BIND_VIRQ: { VIRQ: 0, VCPU: 4, PORT: 8, SIZE: 12 },
  BIND_PIRQ: { PIRQ: 0, FLAGS: 4, PORT: 8, SIZE: 12 },
  CLOSE: { PORT: 0, SIZE: 4 },
  SEND: { PORT: 0, SIZE: 4 },
  STATUS: {
    DOM: 0,
    PORT: 4,
    STATUS: 8,
    VCPU: 12,
    UNBOUND_DOM: 16,
    INTERDOMAIN_DOM: 16,
    INTERDOMAIN_PORT: 20,
    VIRQ: 16,
    SIZE: 24,
  },
  ALLOC_UNBOUND: { DOM: 0, REMOTE_DOM: 2, PORT: 4, SIZE: 8 },
  BIND_IPI: { VCPU: 0, PORT: 4, SIZE: 8 },
  BIND_VCPU: { PORT: 0, VCPU: 4, SIZE: 8 },
  UNMASK: { PORT: 0, SIZE: 4 },
  RESET: { DOM: 0, SIZE: 2 },
  INIT_CONTROL: { CONTROL_GFN: 0, OFFSET: 8, VCPU: 12, LINK_BITS: 16, SIZE: 24 },
  EXPAND_ARRAY: { ARRAY_GFN: 0, SIZE: 8 },
  SET_PRIORITY: { PORT: 0, PRIORITY: 4, SIZE: 8 },
} as const;

const { BIND_INTERDOMAIN, BIND_VIRQ, BIND_PIRQ, CLOSE, SEND, STATUS, ALLOC_UNBOUND } = EVTCHN;
const { BIND_IPI, BIND_VCPU, UNMASK, RESET, INIT_CONTROL, EXPAND_ARRAY, SET_PRIORITY } = EVTCHN;

/** Numbers of the commands. */
export const EVTCHNOP = {
  BIND_INTERDOMAIN: 0,
  BIND_VIRQ: 1,
  BIND_PIRQ: 2,
  CLOSE: 3,
  SEND: 4,
  STATUS: 5,
  ALLOC_UNBOUND: 6,
  BIND_IPI: 7,
  BIND_VCPU: 8,
  UNMASK: 9,
  RESET: 10,
  INIT_CONTROL: 11,
  EXPAND_ARRAY: 12,
  SET_PRIORITY: 13,
} as const;

const COMMANDS: Readonly<Record<number, Command>> = {
  [EVTCHNOP.BIND_INTERDOMAIN]: givingPort(
    BIND_INTERDOMAIN.LOCAL_PORT,
    (e, f) => e.connect(u16(f, BIND_INTERDOMAIN.REMOTE_DOM), u32(f, BIND_INTERDOMAIN.REMOTE_PORT)),
  ),
  [EVTCHNOP.BIND_VIRQ]: givingPort(
    BIND_VIRQ.PORT,
    (e, f) => e.bindVirq(u32(f, BIND_VIRQ.VIRQ), u32(f, BIND_VIRQ.VCPU)),
  ),
  // Interrupts of a guest without hvm_pirqs have no numbers: none is in range.
  [EVTCHNOP.BIND_PIRQ]: { size: BIND_PIRQ.SIZE, run: () => -ERRNO.EINVAL },
  [EVTCHNOP.CLOSE]: { size: CLOSE.SIZE, run: (e, f) => e.close(u32(f, CLOSE.PORT)) },
  [EVTCHNOP.SEND]: { size: SEND.SIZE, run: (e, f) => e.send(u32(f, SEND.PORT)) },
  [EVTCHNOP.STATUS]: { size: STATUS.SIZE, answersFrom: STATUS.STATUS, run: status },
  [EVTCHNOP.ALLOC_UNBOUND]: givingPort(
    ALLOC_UNBOUND.PORT,
    (e, f) =>
      checkTarget(u16(f, ALLOC_UNBOUND.DOM), e.domid) ||
      e.allocateUnbound(u16(f, ALLOC_UNBOUND.REMOTE_DOM)),
  ),
  [EVTCHNOP.BIND_IPI]: givingPort(BIND_IPI.PORT, (e, f) => e.bindIpi(u32(f, BIND_IPI.VCPU))),
  [EVTCHNOP.BIND_VCPU]: {
    size: BIND_VCPU.SIZE,
    run: (e, f) => e.bindVcpu(u32(f, BIND_VCPU.PORT), u32(f, BIND_VCPU.VCPU)),
  },
  [EVTCHNOP.UNMASK]: { size: UNMASK.SIZE, run: (e, f) => e.unmask(u32(f, UNMASK.PORT)) },
  [EVTCHNOP.RESET]: {
    size: RESET.SIZE,
    run: (e, f) => checkTarget(u16(f, RESET.DOM), e.domid) || e.reset(),
  },
  [EVTCHNOP.INIT_CONTROL]: {
    size: INIT_CONTROL.SIZE,
    answersFrom: INIT_CONTROL.LINK_BITS,
    run: initControl,
  },
  [EVTCHNOP.EXPAND_ARRAY]: {
    size: EXPAND_ARRAY.SIZE,
    run: (e, f) => e.expandArray(readU64(f, EXPAND_ARRAY.ARRAY_GFN)),
  },
  [EVTCHNOP.SET_PRIORITY]: {
    size: SET_PRIORITY.SIZE,
    run: (e, f) => e.setPriority(u32(f, SET_PRIORITY.PORT), u32(f, SET_PRIORITY.PRIORITY)),
  },
};

/** Serves one event_channel_op. */
export function eventChannelOp(events: EventChannels, call: GuestCall): number {
  const command = COMMANDS[call.first];
  if (command === undefined) return -ERRNO.ENOSYS;
  const { size, answersFrom } = command;
  if (!call.load(call.second, size)) return -ERRNO.EFAULT;
  const result = command.run(events, call.fields);
  if (result < 0 || answersFrom === undefined) return result;
  const stored = call.store(call.second + answersFrom, size - answersFrom, answersFrom);
  return stored ? 0 : -ERRNO.EFAULT;
}

/** A command whose last field is the new port. @param run returns it, or a negative error number */
function givingPort(at: number, run: Command["run"]): Command {
  return {
    size: at + 4,
    answersFrom: at,
    run: (events, fields) => {
      const port = run(events, fields);
      if (port < 0) return port;
      fields.setUint32(at, port, true);
      return 0;
    },
  };
}

function initControl(events: EventChannels, fields: DataView): number {
  fields.setUint32(INIT_CONTROL.LINK_BITS, EVTCHN_FIFO.LINK_BITS, true);
  fields.setUint32(INIT_CONTROL.LINK_BITS + 4, 0, true);
  const frame = readU64(fields, INIT_CONTROL.CONTROL_GFN);
  return events.initControl(
    u32(fields, INIT_CONTROL.VCPU),
    frame,
    u32(fields, INIT_CONTROL.OFFSET),
  );
}

function status(events: EventChannels, fields: DataView): number {
  const denied = checkTarget(u16(fields, STATUS.DOM), events.domid);
  if (denied !== 0) return denied;
  const port = u32(fields, STATUS.PORT);
  if (!events.isPort(port)) return -ERRNO.EINVAL;
  const channel = events.channel(port);
  for (let at = STATUS.STATUS; at < STATUS.SIZE; at += 4) fields.setUint32(at, 0, true);
  fields.setUint32(STATUS.STATUS, CHANNEL_STATUS[channel?.state ?? "closed"], true);
  switch (channel?.state) {
    case "unbound":
      fields.setUint16(STATUS.UNBOUND_DOM, channel.remoteDomid, true);
      break;
    case "interdomain":
      fields.setUint16(STATUS.INTERDOMAIN_DOM, channel.remoteDomid, true);
      fields.setUint32(STATUS.INTERDOMAIN_PORT, channel.remotePort, true);
      break;
    case "virq":
      fields.setUint32(STATUS.VIRQ, channel.virq, true);
      break;
  }
  return 0;
}
