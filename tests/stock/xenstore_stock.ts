/**
 * What Debian's kernel says to xenstored, request by request, against a trace of the same kernel on
 * real Xen; and what it leaves behind.
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { assertComplete, linuxTest, startKernel } from "./linux.ts";

const VBD = "device/vbd/768";
const BACKEND = "/local/domain/0/backend/vbd/1/768";
/** A kernel pointer in hex, which a watch has for a token. */
const TOKEN = "[0-9A-F]{8}";

const watch = (path: string): string[] => [
  `IN WATCH \\(${path} ${TOKEN} \\)`,
  "OUT WATCH \\(OK \\)",
  `OUT WATCH_EVENT \\(${path} ${TOKEN} \\)`,
];
const read = (path: string, value: string): string[] => [
  `IN READ \\(${path} \\)`,
  `OUT READ \\(${value}\\)`,
];
const missing = (request: string): string[] => [`IN ${request}`, "OUT ERROR \\(ENOENT \\)"];
const list = (path: string, children: string): string[] => [
  `IN DIRECTORY \\(${path} \\)`,
  `OUT DIRECTORY \\(${children}\\)`,
];
const write = (path: string, value: string): string[] => [
  `IN WRITE \\(${path} ${value}\\)`,
  "OUT WRITE \\(OK \\)",
];
/** A commit: its events, by the guest's own watch of "device", come before its answer. */
const commit = (...paths: string[]): string[] => [
  "IN TRANSACTION_END \\(T \\)",
  ...paths.map((path) => `OUT WATCH_EVENT \\(${path} ${TOKEN} \\)`),
  "OUT TRANSACTION_END \\(OK \\)",
];
const switchState = (from: number, to: number): string[] => [
  "IN TRANSACTION_START \\( \\)",
  ...read(`${VBD}/state`, String(from)),
  ...write(`${VBD}/state`, String(to)),
  ...commit(`${VBD}/state`),
];
const scan = [
  ...list("device", "suspend vbd "),
  ...list("device/suspend", "event-channel "),
  ...missing("READ \\(device/suspend/event-channel/state \\)"),
  ...list("device/vbd", "768 "),
  ...read(`${VBD}/state`, "1"),
];

/** What each of the kernel's threads says; others may come in between. */
const TRANSCRIPT: Readonly<Record<string, readonly string[]>> = {
  "xenbus and the balloon driver": [
    ...read("control/platform-feature-xs_reset_watches", "1"),
    "IN RESET_WATCHES \\( \\)",
    "OUT RESET_WATCHES \\(OK \\)",
    ...watch("memory/target"),
    ...read("memory/target", "262144"),
    ...read("memory/static-max", "262144"),
  ],
  "the shutdown handler": [
    ...watch("control/shutdown"),
    ...watch("control/sysrq"),
    ...["poweroff", "reboot", "suspend"].flatMap((name) => write(`control/feature-${name}`, "1")),
  ],
  "the watches of control": [
    "IN TRANSACTION_START \\( \\)",
    ...read("control/shutdown", ""),
    "IN TRANSACTION_END \\(F \\)",
    "IN TRANSACTION_START \\( \\)",
    ...read("control/sysrq", ""),
    "IN TRANSACTION_END \\(F \\)",
  ],
  "the buses": [...missing("DIRECTORY \\(backend \\)"), ...watch("backend"), ...scan, ...scan],
  "the watch of the frontends' bus": watch("device"),
  "xen-blkfront": [
    ...read(`${VBD}/backend-id`, "0"),
    ...read(`${VBD}/backend`, BACKEND),
    `IN DIRECTORY \\(${BACKEND} \\)`,
    ...read(`${VBD}/virtual-device`, "768"),
    ...read(`${VBD}/device-type`, "disk"),
    ...watch(`${BACKEND}/state`),
    ...read(`${BACKEND}/state`, "2"),
    ...read(`${VBD}/trusted`, "1"),
    ...read(`${BACKEND}/max-ring-page-order`, "4"),
    ...read(`${BACKEND}/multi-queue-max-queues`, "\\d+"),
    "IN TRANSACTION_START \\( \\)",
    ...write(`${VBD}/ring-ref`, "\\d+"),
    ...write(`${VBD}/event-channel`, "\\d+"),
    ...write(`${VBD}/protocol`, "x86_32-abi"),
    ...write(`${VBD}/feature-persistent`, "1"),
    ...commit(
      ...["ring-ref", "event-channel", "protocol", "feature-persistent"].map((key) =>
        `${VBD}/${key}`
      ),
    ),
    ...switchState(1, 3),
    ...read(`${BACKEND}/state`, "4"),
    ...read(`${BACKEND}/sectors`, "\\d+"),
    ...read(`${BACKEND}/info`, "0"),
    ...read(`${BACKEND}/sector-size`, "512"),
    ...read(`${BACKEND}/physical-sector-size`, "512"),
    ...["barrier", "flush-cache", "discard"].map((name) =>
      `IN READ \\(${BACKEND}/feature-${name} \\)`
    ),
    `IN READ \\(${BACKEND}/feature-persistent \\)`,
    ...read(`${BACKEND}/feature-max-indirect-segments`, "256"),
    ...switchState(3, 4),
    ...switchState(4, 5),
    ...switchState(5, 6),
  ],
};

linuxTest("vmlinuz and xenstored say to each other what they say on real Xen", async (folder) => {
  const files = ["-d", "xenstore", "-D", "store.log", "--xenstore", "store.txt"];
  const xen = ["-machine", "xenfv", "--quiet", ...files];
  await using run = startKernel(folder, "vmlinuz", "oracle.disk=/dev/xvda", ...xen);
  assertComplete(await run.end());
  const log = await Deno.readTextFile(join(folder, "store.log"));
  const lines = log.trim().split("\n").map((line) => line.replace(/ d1 [\d.]+/, ""));
  for (const [thread, wanted] of Object.entries(TRANSCRIPT)) {
    const absent = firstAbsent(lines, wanted);
    assertEquals(absent, undefined, `${thread}: no ${absent} in its place`);
  }
  const left = await Deno.readTextFile(join(folder, "store.txt"));
  for (const end of ["/local/domain/1/device/vbd/768", BACKEND]) {
    assert(left.includes(`${end}/state = "6" `), left);
  }
});

/** The first of `wanted` that does not come, anywhere, after those before it. */
function firstAbsent(lines: readonly string[], wanted: readonly string[]): string | undefined {
  let at = 0;
  return wanted.find((pattern) => {
    const whole = new RegExp(`^${pattern}$`);
    const place = lines.findIndex((line, i) => i >= at && whole.test(line));
    at = place + 1;
    return place < 0;
  });
}
