import { assertEquals, assertMatch } from "@std/assert";
import {
  addVbd,
  closeVbd,
  connectVbd,
  destroyVbd,
  vbdInfo,
  vbdPaths,
  type VirtualDisk,
} from "../../../../core/hypervisor/toolstack/vbd.ts";
import { storeOfDomain } from "../../../helpers/xenstore.ts";

const DISK: VirtualDisk = {
  vdev: "xvdb",
  devid: 51728,
  kind: "disk",
  readOnly: false,
  backendType: "phy",
  params: "disk-ü.img",
  minor: 10,
};
const PATHS = vbdPaths(1, DISK);
const FRONTEND = "/local/domain/1/device/vbd/51728";
const BACKEND = "/local/domain/0/backend/vbd/1/51728";

Deno.test("addVbd() writes what libxl writes, in its order", () => {
  const store = storeOfDomain();
  addVbd(store.client(), PATHS, DISK);
  connectVbd(store.client(), PATHS, DISK);
  assertEquals(store.ls(FRONTEND, { full: false, permissions: false }), [
    `backend = "${BACKEND}"`,
    'backend-id = "0"',
    'state = "1"',
    'virtual-device = "51728"',
    'device-type = "disk"',
    'trusted = "1"',
  ]);
  assertEquals(store.ls(BACKEND, { full: false, permissions: false }), [
    `frontend = "${FRONTEND}"`,
    'params = "disk-\\xc3\\xbc.img"',
    'script = "/etc/xen/scripts/block"',
    'frontend-id = "1"',
    'online = "1"',
    'removable = "0"',
    'bootable = "1"',
    'state = "1"',
    'dev = "xvdb"',
    'type = "phy"',
    'mode = "w"',
    'device-type = "disk"',
    'discard-enable = "1"',
    'specification = "xen"',
    'physical-device = "7:a"',
    'physical-device-path = "disk-\\xc3\\xbc.img"',
    'hotplug-status = "connected"',
  ]);
});

Deno.test("addVbd() says at both ends what is a CD-ROM", () => {
  const store = storeOfDomain();
  const disc: VirtualDisk = { ...DISK, kind: "cdrom", readOnly: true };
  addVbd(store.client(), PATHS, disc);
  const client = store.client();
  assertEquals(client.read(`${FRONTEND}/device-type`), "cdrom");
  const keys = ["device-type", "removable", "mode", "discard-enable"];
  assertEquals(keys.map((key) => client.read(`${BACKEND}/${key}`)), ["cdrom", "1", "r", "0"]);
});

Deno.test("addVbd() gives QEMU the image, and blkback the block device that tapdisk makes of it", () => {
  const client = storeOfDomain().client();
  const written = (backendType: VirtualDisk["backendType"]) => {
    const disk: VirtualDisk = { ...DISK, backendType, params: "a.img" };
    const paths = vbdPaths(1, disk);
    addVbd(client, paths, disk);
    connectVbd(client, paths, disk);
    assertEquals(client.read(`${FRONTEND}/backend`), paths.backend);
    const keys = ["type", "tapdisk-params", "params", "script", "physical-device"];
    return [paths.backend, ...keys.map((key) => client.read(`${paths.backend}/${key}`))];
  };
  const script = "/etc/xen/scripts/block";
  assertEquals(written("qdisk"), [
    "/local/domain/0/backend/qdisk/1/51728",
    ...["qdisk", undefined, "aio:a.img", undefined, undefined],
  ]);
  const tapdev = "/dev/xen/blktap-2/tapdev10";
  assertEquals(written("tap"), [BACKEND, "tap", "aio:a.img", tapdev, script, "fe:a"]);
  assertEquals(written("file"), [BACKEND, "file", undefined, "a.img", script, "7:a"]);
});

Deno.test("addVbd() gives the frontend to the guest, and lets each end read the other", () => {
  const store = storeOfDomain();
  addVbd(store.client(), PATHS, { ...DISK, readOnly: true });
  const lines = store.ls("/local/domain", { full: true, permissions: true });
  const line = (path: string) => lines.find((text) => text.startsWith(`${path} =`));
  assertMatch(line(`${FRONTEND}/state`)!, / = "1" +\(n1,r0\)$/);
  assertMatch(line(`${BACKEND}/mode`)!, / = "r" +\(n0,r1\)$/);
});

Deno.test("addVbd() is one transaction: no watch fires before both ends are there", () => {
  const store = storeOfDomain();
  const guest = store.client();
  const seen: boolean[] = [];
  guest.watch("/local/domain/1/device", () => {
    seen.push(guest.read(`${FRONTEND}/state`) === guest.read(`${BACKEND}/state`));
  });
  addVbd(store.client(), PATHS, DISK);
  assertEquals(new Set(seen), new Set([true]));
  assertEquals(seen.length > 1, true);
});

Deno.test("closeVbd() takes the backend offline and asks for Closing, unless it is Closed", () => {
  const store = storeOfDomain();
  const client = store.client();
  const keys = () => ["online", "state"].map((key) => client.read(`${BACKEND}/${key}`));
  addVbd(client, PATHS, DISK);
  closeVbd(client, PATHS, false);
  assertEquals(keys(), ["0", "5"]);
  client.write(`${BACKEND}/state`, "6");
  closeVbd(client, PATHS, false);
  assertEquals(keys(), ["0", "6"]);
  assertEquals(client.read(`${FRONTEND}/state`), "1");
});

Deno.test("closeVbd() by force takes the frontend's end away", () => {
  const client = storeOfDomain().client();
  addVbd(client, PATHS, DISK);
  closeVbd(client, PATHS, true);
  assertEquals(client.list("/local/domain/1/device"), ["suspend"]);
  assertEquals(client.read(`${BACKEND}/state`), "5");
});

Deno.test("destroyVbd() takes both ends away, with directories that held nothing else", () => {
  const client = storeOfDomain().client();
  addVbd(client, PATHS, DISK);
  const first: VirtualDisk = { ...DISK, devid: 768, vdev: "hda", backendType: "qdisk" };
  const firstPaths = vbdPaths(1, first);
  addVbd(client, firstPaths, first);
  destroyVbd(client, PATHS);
  assertEquals(client.list("/local/domain/1/device/vbd"), ["768"]);
  assertEquals(client.list("/local/domain/0/backend"), ["qdisk"]);
  destroyVbd(client, firstPaths);
  assertEquals(client.list("/local/domain/1/device"), ["suspend"]);
  assertEquals(client.read("/local/domain/0"), undefined);
});

Deno.test("vbdInfo() has -1 for what the frontend has not written or has written wrong", () => {
  const client = storeOfDomain().client();
  addVbd(client, PATHS, DISK);
  client.write(`${FRONTEND}/ring-ref`, "eight");
  assertEquals(vbdInfo(client, PATHS), {
    devid: 51728,
    backendDomid: 0,
    frontendDomid: 1,
    state: 1,
    evtchnPort: -1,
    ringRef: -1,
    backendPath: BACKEND,
  });
});
