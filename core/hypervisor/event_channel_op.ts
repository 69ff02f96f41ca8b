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

/** EVTCHNOP_status has several fields to give back. */
const STATUS = 5;
const STATUS_SIZE = 24;
const STATUS_OUT = 8;

/** By EVTCHNOP_* number. Not here: bind_pirq (2) and the FIFO commands (11 to 13). */
const COMMANDS: Readonly<Record<number, Command>> = {
  0: { length: 8, portAt: 8, run: (e, f) => e.connect(u16(f, 0), u32(f, 4)) },
  1: { length: 8, portAt: 8, run: (e, f) => e.bindVirq(u32(f, 0), u32(f, 4)) },
  3: { length: 4, run: (e, f) => e.close(u32(f, 0)) },
  4: { length: 4, run: (e, f) => e.send(u32(f, 0)) },
  [STATUS]: { length: 8, run: status },
  6: {
    length: 4,
    portAt: 4,
    run: (e, f) => checkTarget(u16(f, 0), e.domid) || e.allocateUnbound(u16(f, 2)),
  },
  7: { length: 4, portAt: 4, run: (e, f) => e.bindIpi(u32(f, 0)) },
  8: { length: 8, run: (e, f) => e.bindVcpu(u32(f, 0), u32(f, 4)) },
  9: { length: 4, run: (e, f) => e.unmask(u32(f, 0)) },
  10: { length: 2, run: (e, f) => checkTarget(u16(f, 0), e.domid) || e.reset() },
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
  if (call.first === STATUS) {
    const stored = call.store(call.second + STATUS_OUT, STATUS_SIZE - STATUS_OUT, STATUS_OUT);
    return stored ? 0 : -ERRNO.EFAULT;
  }
  return result;
}

function status(events: EventChannels, fields: DataView): number {
  const denied = checkTarget(u16(fields, 0), events.domid);
  if (denied !== 0) return denied;
  const port = u32(fields, 4);
  if (!events.isPort(port)) return -ERRNO.EINVAL;
  const channel = events.channel(port);
  for (let at = STATUS_OUT; at < STATUS_SIZE; at += 4) fields.setUint32(at, 0, true);
  fields.setUint32(8, CHANNEL_STATUS[channel?.state ?? "closed"], true);
  switch (channel?.state) {
    case "unbound":
      fields.setUint16(16, channel.remoteDomid, true);
      break;
    case "interdomain":
      fields.setUint16(16, channel.remoteDomid, true);
      fields.setUint32(20, channel.remotePort, true);
      break;
    case "virq":
      fields.setUint32(16, channel.virq, true);
      break;
  }
  return 0;
}
