import { assertEquals, assertThrows } from "@std/assert";
import { MonitorError } from "../../../core/debug/monitor_error.ts";
import { TOOLSTACK_VERBS } from "../../../core/debug/toolstack_commands.ts";
import type { ToolstackCommand } from "../../../core/machine/config.ts";

const parse = (line: string): ToolstackCommand => {
  const [name, ...words] = line.split(" ");
  return TOOLSTACK_VERBS[name!]!.parse(words);
};

const PLAIN = { verb: "shutdown", fallback: false, checkpoint: false } as const;
const COMMANDS: readonly (readonly [string, ToolstackCommand])[] = [
  ["system_reset", { verb: "system_reset" }],
  ["system_powerdown", { verb: "system_powerdown" }],
  ["shutdown", { ...PLAIN, request: "poweroff" }],
  ["shutdown reboot", { ...PLAIN, request: "reboot" }],
  ["shutdown -F halt", { ...PLAIN, request: "halt", fallback: true }],
  ["shutdown -Fc suspend", { ...PLAIN, request: "suspend", fallback: true, checkpoint: true }],
  ["shutdown -c suspend", { ...PLAIN, request: "suspend", checkpoint: true }],
  ["sysrq h", { verb: "sysrq", key: "h" }],
  ["block-detach xvdb", { verb: "block-detach", device: "xvdb", force: false }],
  ["block-detach --force 51728", { verb: "block-detach", device: "51728", force: true }],
  ["backend-restart xvda", { verb: "backend-restart", device: "xvda", afresh: false }],
  ["backend-restart xvda --afresh", { verb: "backend-restart", device: "xvda", afresh: true }],
];
for (const [line, command] of COMMANDS) {
  Deno.test(`The monitor understands "${line}"`, () => assertEquals(parse(line), command));
}

const MISTAKES: readonly (readonly [string, string])[] = [
  ["system_reset now", "extraneous characters at the end of line: now"],
  ["shutdown sleep", "no such request: sleep"],
  ["shutdown reboot now", "extraneous characters at the end of line: now"],
  ["sysrq", "wanted one letter"],
  ["sysrq help", "wanted one letter"],
  ["block-detach --force", "wanted the name or number of a virtual disk"],
  ["block-detach xvda xvdb", "extraneous characters at the end of line: xvdb"],
  ["backend-restart xvda --force", "unsupported option --force"],
  ["block-detach --frce xvdb", "unsupported option --frce"],
  ["shutdown -z", "unsupported option -z"],
  ["shutdown -Fz reboot", "unsupported option -Fz"],
];
for (const [line, message] of MISTAKES) {
  Deno.test(`The monitor refuses "${line}"`, () => {
    assertThrows(() => parse(line), MonitorError, message);
  });
}
