import { assertEquals } from "@std/assert";
import { addVbd, vbdPaths, type VirtualDisk } from "../../../../core/hypervisor/toolstack/vbd.ts";
import type { XenStore } from "../../../../core/hypervisor/xenstore/xenstore.ts";
import { GuestDriver, storeOfDomain, TYPE } from "../../../helpers/xenstore.ts";

const BACKEND = "/local/domain/0/backend/vbd/1/768";

const DISK = { kind: "disk", readOnly: false, backendType: "phy" } as const;

function builtStore(): XenStore {
  const store = storeOfDomain();
  for (const [minor, [vdev, devid]] of ([["hda", 768], ["hdb", 832]] as const).entries()) {
    const disk: VirtualDisk = { ...DISK, vdev, devid, minor, params: vdev };
    addVbd(store.client(), vbdPaths(1, disk), disk);
  }
  return store;
}

Deno.test("buildDomain() leaves the guest nothing to balloon", () => {
  const client = builtStore().client();
  assertEquals(client.read("/local/domain/1/memory/target"), "262144");
  assertEquals(client.read("/local/domain/1/memory/static-max"), "262144");
});

for (
  const [path, permissions] of [
    ["/local/domain/1", "n0 r1"],
    ["device", "n0 r1"],
    ["device/vbd", "n0 r1"],
    ["memory/target", "n0 r1"],
    ["control", "n0 r1"],
    ["control/shutdown", "n1"],
    ["control/sysrq", "n1"],
    ["control/feature-poweroff", "n1"],
    ["data", "n1"],
    ["error", "n1"],
    ["device/suspend/event-channel", "n1"],
    ["device/vbd/768", "n1 r0"],
    ["device/vbd/768/state", "n1 r0"],
    [BACKEND, "n0 r1"],
    [`${BACKEND}/state`, "n0 r1"],
  ] as const
) {
  Deno.test(`buildDomain() gives ${path} the permissions ${permissions}`, () => {
    const guest = new GuestDriver(builtStore());
    const list = permissions.replaceAll(" ", "|");
    assertEquals(guest.ask(TYPE.GET_PERMS, `${path}\0`), `<${list}|>`);
  });
}

/** Rows of linux-6.1's traffic on a real Xen, for one disk: request, transaction, answer. */
const LINUX_BOOT: readonly [keyof typeof TYPE, string, number, string][] = [
  ["READ", "control/platform-feature-xs_reset_watches|", 0, "<1>"],
  ["RESET_WATCHES", "|", 0, "<OK|>"],
  ["WATCH", "memory/target|c1d2e3f4|", 0, "<OK|> W(memory/target|c1d2e3f4|)"],
  ["READ", "memory/target|", 0, "<262144>"],
  ["READ", "memory/static-max|", 0, "<262144>"],
  ["WATCH", "control/shutdown|c1d2e400|", 0, "<OK|> W(control/shutdown|c1d2e400|)"],
  ["WATCH", "control/sysrq|c1d2e500|", 0, "<OK|> W(control/sysrq|c1d2e500|)"],
  ["TRANSACTION_START", "|", 0, "<1|>"],
  ["WRITE", "control/feature-poweroff|1", 0, "<OK|>"],
  ["READ", "control/shutdown|", 1, "<>"],
  ["WRITE", "control/feature-reboot|1", 0, "<OK|>"],
  ["TRANSACTION_END", "F|", 1, "<OK|>"],
  ["WRITE", "control/feature-suspend|1", 0, "<OK|>"],
  ["TRANSACTION_START", "|", 0, "<2|>"],
  ["READ", "control/sysrq|", 2, "<>"],
  ["TRANSACTION_END", "F|", 2, "<OK|>"],
  ["DIRECTORY", "backend|", 0, "ENOENT"],
  ["WATCH", "backend|c1d2e600|", 0, "<OK|> W(backend|c1d2e600|)"],
  ["DIRECTORY", "device|", 0, "<suspend|vbd|>"],
  ["DIRECTORY", "device/suspend|", 0, "<event-channel|>"],
  ["READ", "device/suspend/event-channel/state|", 0, "ENOENT"],
  ["DIRECTORY", "device/vbd|", 0, "<768|832|>"],
  ["READ", "device/vbd/768/state|", 0, "<1>"],
  ["WATCH", "device|c1d2e700|", 0, "<OK|> W(device|c1d2e700|)"],
  ["READ", "device/vbd/768/backend-id|", 0, "<0>"],
  ["READ", "device/vbd/768/backend|", 0, `<${BACKEND}>`],
  ["READ", "device/vbd/768/virtual-device|", 0, "<768>"],
  ["READ", "device/vbd/768/device-type|", 0, "<disk>"],
  ["WATCH", `${BACKEND}/state|c1d2e800|`, 0, `<OK|> W(${BACKEND}/state|c1d2e800|)`],
  ["READ", `${BACKEND}/state|`, 0, "<2>"],
  ["READ", "device/vbd/768/trusted|", 0, "<1>"],
  ["READ", `${BACKEND}/max-ring-page-order|`, 0, "ENOENT"],
  ["TRANSACTION_START", "|", 0, "<3|>"],
  ["WRITE", "device/vbd/768/ring-ref|8", 3, "<OK|>"],
  ["WRITE", "device/vbd/768/event-channel|9", 3, "<OK|>"],
  ["WRITE", "device/vbd/768/protocol|x86_32-abi", 3, "<OK|>"],
  [
    "TRANSACTION_END",
    "T|",
    3,
    "W(device/vbd/768/ring-ref|c1d2e700|) W(device/vbd/768/event-channel|c1d2e700|) " +
    "W(device/vbd/768/protocol|c1d2e700|) <OK|>",
  ],
  ["DIRECTORY", "device/vbd/768/ring-ref|", 0, "<>"],
  ["TRANSACTION_START", "|", 0, "<4|>"],
  ["READ", "device/vbd/768/state|", 4, "<1>"],
  ["WRITE", "device/vbd/768/state|3", 4, "<OK|>"],
  [
    "TRANSACTION_END",
    "T|",
    4,
    `W(device/vbd/768/state|c1d2e700|) <OK|> W(${BACKEND}/state|c1d2e800|)`,
  ],
  ["READ", `${BACKEND}/state|`, 0, "<4>"],
  ["READ", `${BACKEND}/sectors|`, 0, "<32768>"],
];

Deno.test("XenStoreRing answers the boot of Linux 6.1 with blkfront as xenstored does", () => {
  const store = builtStore();
  const backend = store.client();
  backend.write(`${BACKEND}/state`, "2");
  backend.watch("/local/domain/1/device/vbd/768/state", () => {
    if (backend.read("/local/domain/1/device/vbd/768/state") !== "3") return;
    backend.write(`${BACKEND}/sectors`, "32768");
    backend.write(`${BACKEND}/state`, "4");
  });
  const guest = new GuestDriver(store);
  for (const [type, request, transaction, answer] of LINUX_BOOT) {
    const got = guest.ask(TYPE[type], request.replaceAll("|", "\0"), transaction);
    assertEquals([type, request, got], [type, request, answer]);
  }
  assertEquals(backend.read("/local/domain/1/device/vbd/768/protocol"), "x86_32-abi");
  assertEquals(guest.errors.texts, []);
});
