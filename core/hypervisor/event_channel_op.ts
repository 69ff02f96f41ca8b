/**
 * The event_channel_op hypercall: EBX = command, ECX = pointer to its structure.
 * Source: Xen public header event_channel.h; the offsets are the same for 32 and 64 bits.
 * @module
 */

import { checkTarget, ERRNO } from "./errno.ts";
import { CHANNEL_STATUS } from "./events.ts";
import type { EventChannels } from "./events.ts";
import type { GuestCall } from "./guest_pointer.ts";

/** One command: how much it reads, which part of the structure it gives back, what it does. */
interface Command {
  readonly length: number;
  /** Offset of the port it answers, when `run` returns one. */
  readonly portAt?: number;
  /** Returns the port or 0, or a negative error number. */
  readonly run: (events: EventChannels, fields: DataView) => number;
}

const u16 = (fields: DataView, at: number): number => fields.getUint16(at, true);
const u32 = (fields: DataView, at: number): number => fields.getUint32(at, true);

/** Offsets of the commands' structures, by the names of the commands. */
export const EVTCHN = {
  BIND_INTERDOMAIN: { REMOTE_DOM: 0, REMOTE_PORT: 4, LOCAL_PORT: 8, SIZE: 12 },
  BIND_VIRQ: { VIRQ: 0, VCPU: 4, PORT: 8, SIZE: 12 },
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
} as const;

const { BIND_INTERDOMAIN, BIND_VIRQ, CLOSE, SEND, STATUS } = EVTCHN;
const { ALLOC_UNBOUND, BIND_IPI, BIND_VCPU, UNMASK, RESET } = EVTCHN;

/** Numbers of the commands. */
export const EVTCHNOP = {
  BIND_INTERDOMAIN: 0,
  BIND_VIRQ: 1,
  CLOSE: 3,
  SEND: 4,
  STATUS: 5,
  ALLOC_UNBOUND: 6,
  BIND_IPI: 7,
  BIND_VCPU: 8,
  UNMASK: 9,
  RESET: 10,
} as const;

/** Not here: bind_pirq (2) and the FIFO commands (11 to 13). */
const COMMANDS: Readonly<Record<number, Command>> = {
  [EVTCHNOP.BIND_INTERDOMAIN]: {
    length: BIND_INTERDOMAIN.LOCAL_PORT,
    portAt: BIND_INTERDOMAIN.LOCAL_PORT,
    run: (e, f) =>
      e.connect(u16(f, BIND_INTERDOMAIN.REMOTE_DOM), u32(f, BIND_INTERDOMAIN.REMOTE_PORT)),
  },
  [EVTCHNOP.BIND_VIRQ]: {
    length: BIND_VIRQ.PORT,
    portAt: BIND_VIRQ.PORT,
    run: (e, f) => e.bindVirq(u32(f, BIND_VIRQ.VIRQ), u32(f, BIND_VIRQ.VCPU)),
  },
  [EVTCHNOP.CLOSE]: { length: CLOSE.SIZE, run: (e, f) => e.close(u32(f, CLOSE.PORT)) },
  [EVTCHNOP.SEND]: { length: SEND.SIZE, run: (e, f) => e.send(u32(f, SEND.PORT)) },
  [EVTCHNOP.STATUS]: { length: STATUS.STATUS, run: status },
  [EVTCHNOP.ALLOC_UNBOUND]: {
    length: ALLOC_UNBOUND.PORT,
    portAt: ALLOC_UNBOUND.PORT,
    run: (e, f) =>
      checkTarget(u16(f, ALLOC_UNBOUND.DOM), e.domid) ||
      e.allocateUnbound(u16(f, ALLOC_UNBOUND.REMOTE_DOM)),
  },
  [EVTCHNOP.BIND_IPI]: {
    length: BIND_IPI.PORT,
    portAt: BIND_IPI.PORT,
    run: (e, f) => e.bindIpi(u32(f, BIND_IPI.VCPU)),
  },
  [EVTCHNOP.BIND_VCPU]: {
    length: BIND_VCPU.SIZE,
    run: (e, f) => e.bindVcpu(u32(f, BIND_VCPU.PORT), u32(f, BIND_VCPU.VCPU)),
  },
  [EVTCHNOP.UNMASK]: { length: UNMASK.SIZE, run: (e, f) => e.unmask(u32(f, UNMASK.PORT)) },
  [EVTCHNOP.RESET]: {
    length: RESET.SIZE,
    run: (e, f) => checkTarget(u16(f, RESET.DOM), e.domid) || e.reset(),
  },
};

/** Serves one event_channel_op. */
export function eventChannelOp(events: EventChannels, call: GuestCall): number {
  const command = COMMANDS[call.first];
  if (command === undefined) return -ERRNO.ENOSYS;
  if (!call.load(call.second, command.length)) return -ERRNO.EFAULT;
  const result = command.run(events, call.fields);
  if (result < 0) return result;
  if (command.portAt !== undefined) {
    call.fields.setUint32(command.portAt, result, true);
    return call.store(call.second + command.portAt, 4, command.portAt) ? 0 : -ERRNO.EFAULT;
  }
  // It has several fields to give back.
  if (call.first === EVTCHNOP.STATUS) {
    const stored = call.store(
      call.second + STATUS.STATUS,
      STATUS.SIZE - STATUS.STATUS,
      STATUS.STATUS,
    );
    return stored ? 0 : -ERRNO.EFAULT;
  }
  return result;
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
