/**
 * Monitor commands that ask something of the guest or of the toolstack: QEMU's, and xl's by their
 * own names.
 * Source: documentation of QEMU 7.2, "QEMU Monitor"; man xl.
 * @module
 */

import { CONTROL_REQUESTS, type ToolstackCommand } from "../machine/config.ts";
import { MonitorError } from "./monitor_error.ts";
import { refuseRest, takeOptions } from "./words.ts";

/** One command. */
export interface ToolstackVerb {
  readonly usage: string;
  readonly help: string;
  /** @param words what stands behind the name */
  parse(words: readonly string[]): ToolstackCommand;
}

/** By name. */
export const TOOLSTACK_VERBS: Readonly<Record<string, ToolstackVerb>> = {
  system_powerdown: {
    usage: "system_powerdown",
    help: "send system power down event",
    parse: (words) => alone(words, { verb: "system_powerdown" }),
  },
  system_reset: {
    usage: "system_reset",
    help: "reset the system",
    parse: (words) => alone(words, { verb: "system_reset" }),
  },
  shutdown: {
    usage: `shutdown [-F] [-c] [${CONTROL_REQUESTS.join("|")}]`,
    help: "ask a Xen guest by control/shutdown; -F: by ACPI if it has no PV drivers; " +
      "-c: a suspended guest goes on as after a checkpoint, else as after a restore",
    parse: shutdown,
  },
  sysrq: {
    usage: "sysrq letter",
    help: "send a magic System Request to a Xen guest",
    parse: sysrq,
  },
  "block-detach": {
    usage: "block-detach [--force] VDEV|devid",
    help: "disconnect a virtual disk when the guest lets go of it; --force: in any case",
    parse: (words) => {
      const { device, isSet: force } = deviceAnd(words, "--force");
      return { verb: "block-detach", device, force };
    },
  },
  "backend-restart": {
    usage: "backend-restart [--afresh] VDEV|devid",
    help: "crash and restart a disk's backend, which goes on with the ring; " +
      "--afresh: it has the frontend close and connect again (Linux's stays closed: " +
      "block-detach, then block-attach)",
    parse: (words) => {
      const { device, isSet: afresh } = deviceAnd(words, "--afresh");
      return { verb: "backend-restart", device, afresh };
    },
  },
};

function shutdown(words: readonly string[]): ToolstackCommand {
  const { options, rest: [name = "poweroff", ...rest] } = takeOptions(words, ["-F", "-c"]);
  const request = CONTROL_REQUESTS.find((each) => each === name);
  if (request === undefined) throw new MonitorError(`no such request: ${name}`);
  const [fallback, checkpoint] = [options.has("-F"), options.has("-c")];
  return alone(rest, { verb: "shutdown", request, fallback, checkpoint });
}

function sysrq([key = "", ...rest]: readonly string[]): ToolstackCommand {
  if (!/^[\x21-\x7e]$/.test(key)) throw new MonitorError("wanted one letter");
  return alone(rest, { verb: "sysrq", key });
}

function alone(rest: readonly string[], command: ToolstackCommand): ToolstackCommand {
  refuseRest(rest.join(" "));
  return command;
}

/** A disk's name or number, and an option. */
function deviceAnd(
  words: readonly string[],
  option: string,
): { readonly device: string; readonly isSet: boolean } {
  const { options, rest: [device, ...rest] } = takeOptions(words, [option]);
  if (device === undefined) throw new MonitorError("wanted the name or number of a virtual disk");
  refuseRest(rest.join(" "));
  return { device, isSet: options.has(option) };
}
