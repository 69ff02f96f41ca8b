/**
 * `-machine TYPE[,PROPERTY=on|off...]`, as QEMU spells it: the board, and what its Xen offers.
 * @module
 */

import { UsageError } from "../errors.ts";
import { MACHINE_TYPES, type MachineConfig, type MachineType } from "../machine/config.ts";

/** What a Xen offers otherwise than by default. */
type Offers = NonNullable<MachineConfig["xen"]>;

/** What `-machine` says. */
export interface MachineOption {
  readonly type: MachineType;
  readonly xen: Offers;
}

/** Properties of `xenfv`, by the names that users write. */
const PROPERTIES: Readonly<Record<string, keyof Offers>> = {
  "evtchn-fifo": "evtchnFifo",
  "upcall-vector": "upcallVector",
  "callback-vector": "callbackVector",
  "pvclock": "pvclock",
  "console": "console",
  "xenstore": "xenstore",
};

const EXAMPLE = "-machine xenfv,evtchn-fifo=on,upcall-vector=on";

/**
 * Reads the option's value.
 * @throws {UsageError} when there is no such board, property or value
 */
export function machineOption(text: string): MachineOption {
  const [name = "", ...properties] = text.split(",");
  const type = MACHINE_TYPES.find((known) => known === name);
  if (type === undefined) {
    throw new UsageError(
      `Cannot make a machine "${name}": wanted ${MACHINE_TYPES.join(" or ")}`,
      EXAMPLE,
    );
  }
  if (type === "pc" && properties.length > 0) {
    throw new UsageError(`Cannot use -machine ${text}: the machine hides Xen`, EXAMPLE);
  }
  return { type, xen: Object.fromEntries(properties.map(property)) };
}

function property(text: string): [keyof Offers, boolean] {
  const [, name = text, value = ""] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  const key = Object.hasOwn(PROPERTIES, name) ? PROPERTIES[name] : undefined;
  if (key === undefined) {
    const names = Object.keys(PROPERTIES).join(", ");
    throw new UsageError(`Cannot use -machine property "${name}": wanted ${names}`, EXAMPLE);
  }
  if (value !== "on" && value !== "off") {
    throw new UsageError(`Cannot use -machine property "${text}": wanted on or off`, EXAMPLE);
  }
  return [key, value === "on"];
}
