import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { XenStore } from "../../../../core/hypervisor/xenstore/xenstore.ts";
import { StoreError } from "../../../../core/hypervisor/xenstore/access.ts";
import type { StoreConnection } from "../../../../core/hypervisor/xenstore/connection.ts";
import { encode, GuestDriver, TYPE } from "../../../helpers/xenstore.ts";

const CONNECTION = 2068;
const ERROR = 2072;
const HOME = "/local/domain/1";

/** A guest whose home is its own, beside what another domain has. */
function guestAtHome(): GuestDriver {
  const guest = new GuestDriver();
  const dom0 = guest.store.client();
  for (const domid of [1, 2]) {
    dom0.write(`/local/domain/${domid}`, "");
    dom0.setPermissions(`/local/domain/${domid}`, [`n${domid}`]);
  }
  return guest;
}

/** Answers to the same request with numbers from 1 to `count` in place of `#`. */
function flood(guest: GuestDriver, type: number, payload: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    return guest.ask(type, payload.replaceAll("#", String(i + 1)));
  });
}

function signal(guest: GuestDriver): void {
  guest.ring.onEvent();
  guest.settle();
}

Deno.test("XenStoreRing holds a storm of nodes to 1000, and lets the guest remove them again", () => {
  const guest = guestAtHome();
  const answers = flood(guest, TYPE.WRITE, "#/x\0", 510);
  assertEquals(answers.indexOf("ENOSPC"), 499);
  assertEquals(new Set(answers.slice(499)), new Set(["ENOSPC"]));
  assertEquals(guest.ask(TYPE.RM, "7\0"), "<OK|>");
  assertEquals(guest.ask(TYPE.MKDIR, "again/x\0"), "<OK|>");
});

Deno.test("XenStoreRing refuses the guest quota in one path as a whole", () => {
  const guest = guestAtHome();
  assertEquals(guest.ask(TYPE.MKDIR, `${"a/".repeat(1000)}a\0`), "ENOSPC");
  assertEquals(guest.ask(TYPE.DIRECTORY, `${HOME}\0`), "<>");
  assertEquals(guest.ask(TYPE.MKDIR, `${"a/".repeat(1100)}a\0`), "EINVAL");
});

Deno.test("XenStoreRing answers E2BIG to the 130th watch, whatever the paths", () => {
  const guest = guestAtHome();
  const answers = flood(guest, TYPE.WATCH, "#\0t#\0", 131);
  assertEquals(answers.slice(128), ["<OK|> W(129|t129|)", "E2BIG", "E2BIG"]);
  assertEquals(guest.ask(TYPE.UNWATCH, "1\0t1\0"), "<OK|>");
  assertEquals(guest.ask(TYPE.WATCH, "1\0t1\0"), "<OK|> W(1|t1|)");
});

Deno.test("XenStoreRing answers ENOSPC to the twelfth transaction; reset closes them all", () => {
  const guest = guestAtHome();
  const answers = flood(guest, TYPE.TRANSACTION_START, "\0", 12);
  assertEquals(answers.slice(10), ["<11|>", "ENOSPC"]);
  assertEquals(guest.ask(TYPE.RESET_WATCHES, "\0"), "<OK|>");
  assertEquals(guest.ask(TYPE.READ, `${HOME}\0`, 10), "ENOENT");
  assertEquals(flood(guest, TYPE.TRANSACTION_START, "\0", 12)[11], "ENOSPC");
});

Deno.test("XenStoreRing keeps one of the equal events that wait, in the place of the first", () => {
  const guest = guestAtHome();
  guest.ask(TYPE.WATCH, "a\0t\0");
  const dom0 = guest.store.client();
  for (let i = 0; i < 5000; i++) dom0.write(`${HOME}/a${i % 2 ? "/b" : ""}`, String(i));
  assertEquals(guest.ask(TYPE.READ, "a\0"), "W(a|t|) W(a/b|t|) <4998>");
  assertEquals(guest.errors.texts, []);
  dom0.write(`${HOME}/a`, "");
  assertEquals(guest.ask(TYPE.READ, "a\0"), "W(a|t|) <>");
});

Deno.test("XenStoreRing does not send an event that is longer than a message may be", () => {
  const guest = guestAtHome();
  const token = "t".repeat(4090);
  assertEquals(guest.ask(TYPE.WATCH, `a\0${token}\0`), `<OK|> W(a|${token}|)`);
  assertEquals(guest.ask(TYPE.WRITE, "a/long-name\0"), "<OK|>");
  assertEquals(guest.ask(TYPE.WRITE, "a\0"), `W(a|${token}|) <OK|>`);
});

Deno.test("XenStoreRing tells a watcher of the change that shuts it out, then no more", () => {
  const guest = guestAtHome();
  const dom0 = guest.store.client();
  dom0.write("/shared", "");
  dom0.setPermissions("/shared", ["n0", "r1"]);
  guest.ask(TYPE.WATCH, "/shared\0t\0");
  dom0.setPermissions("/shared", ["n0"]);
  assertEquals(guest.ask(TYPE.READ, "/shared\0"), "W(/shared|t|) EACCES");
  dom0.write("/shared", "secret");
  assertEquals(guest.ask(TYPE.READ, "/shared\0"), "EACCES");
});

Deno.test("XenStoreRing refuses a commit that would make a directory too large", () => {
  const store = new XenStore();
  const dom0 = store.client();
  dom0.write(HOME, "");
  dom0.setPermissions(HOME, ["n1"]);
  const [guest, other] = [store.connect(1, () => {}), store.connect(1, () => {})];
  const id = guest.startTransaction();
  const name = (letter: string, i: number) => `${letter.repeat(90)}${i}`;
  for (let i = 0; i < 12; i++) guest.write(name("a", i), "", id);
  for (let i = 0; i < 12; i++) other.write(name("b", i), "");
  const refusal = assertThrows(() => guest.endTransaction(id, true), StoreError);
  assertEquals(refusal.code, "ENOSPC");
  assertEquals(dom0.list(HOME).length, 12);
});

Deno.test("XenStoreRing keeps every other domain's nodes as they are", () => {
  const guest = guestAtHome();
  for (const path of ["/local/domain/2", "/local/domain/2/x", "/", "/local", "/local/domain"]) {
    assertEquals(guest.ask(TYPE.READ, `${path}\0`), "EACCES");
    assertEquals(guest.ask(TYPE.WRITE, `${path}\0evil`), "EACCES");
    assertEquals(guest.ask(TYPE.SET_PERMS, `${path}\0b1\0`), "EACCES");
    assertEquals(guest.ask(TYPE.RM, `${path}\0`), "EACCES");
  }
  for (const path of ["../2", "/local/domain/1/../2", ".", "a/", "//", "a b", "", "a\xff"]) {
    assertEquals(guest.ask(TYPE.WRITE, `${path}\0evil`), "EINVAL");
  }
});

Deno.test("XenStoreRing.close() takes the guest's watches, transactions and nodes with it", () => {
  const guest = guestAtHome();
  const dom0 = guest.store.client();
  dom0.write("/vm", "");
  dom0.write("/vm/mine", "");
  dom0.setPermissions("/vm/mine", ["r1"]);
  const heard: string[] = [];
  dom0.watch("@releaseDomain", (path) => heard.push(path));
  dom0.watch(HOME, (path) => heard.push(path));
  guest.ask(TYPE.WRITE, "device/state\x001");
  guest.ask(TYPE.TRANSACTION_START, "\0");
  guest.ask(TYPE.WRITE, "device/state\x004", 1);
  heard.length = 0;
  guest.ring.close();
  assertEquals(heard, [HOME, "@releaseDomain"]);
  assertEquals([dom0.list("/local/domain"), dom0.list("/vm")], [["2"], []]);
  const next = new GuestDriver(guest.store);
  dom0.write(HOME, "");
  dom0.setPermissions(HOME, ["n1"]);
  assertEquals(next.ask(TYPE.TRANSACTION_END, "T\0", 1), "ENOENT");
  assertEquals(next.ask(TYPE.DIRECTORY, `${HOME}\0`), "<>");
});

Deno.test("XenStoreRing ends its service when the guest takes the page out of its memory", () => {
  const guest = guestAtHome();
  guest.ask(TYPE.WATCH, "a\0t\0");
  guest.mapped = false;
  signal(guest);
  guest.store.client().write(`${HOME}/a`, "");
  signal(guest);
  assertEquals(guest.errors.texts, ["xenstore: connection closed: no ring page"]);
  guest.mapped = true;
  guest.setField(CONNECTION, 1);
  signal(guest);
  assertEquals(guest.ask(TYPE.READ, "a\0"), "<>");
});

for (
  const [name, header, error] of [
    ["a length of 4097", encode(TYPE.READ, 1, 0, "", 4097), 3],
    ["a length of 2^31", encode(TYPE.READ, 1, 0, "", 0x80000000), 3],
    ["a length of 2^32 - 1", encode(0xffffffff, 1, 0xffffffff, "", 0xffffffff), 3],
    ["a length of 2^32 - 16", encode(TYPE.WRITE, 1, 0, "", 0xfffffff0), 3],
  ] as const
) {
  Deno.test(`XenStoreRing closes the connection at a header with ${name}`, () => {
    const guest = guestAtHome();
    guest.ask(TYPE.TRANSACTION_START, "\0");
    guest.pump(header);
    assertEquals([guest.messages(), guest.field(ERROR)], [[], error]);
    guest.setField(CONNECTION, 1);
    signal(guest);
    assertEquals([guest.field(ERROR), guest.ask(TYPE.READ, "a\0", 1)], [0, "ENOENT"]);
  });
}

Deno.test("XenStoreRing waits for the rest of a message without working meanwhile", () => {
  const guest = guestAtHome();
  guest.push(encode(TYPE.WRITE, 1, 0, "", 4096));
  for (let i = 0; i < 100; i++) signal(guest);
  assertEquals([guest.dom0.pending, guest.pull(), guest.notified], [0, 0, 1]);
  guest.pump(new Uint8Array(4096).fill(0x41));
  assert(
    guest.messages().every(({ type, payload }) => {
      return type === TYPE.ERROR && payload === "EINVAL\0";
    }),
  );
});

// ---- anything at all ----------------------------------------------------------------------------

const path = fc.constantFrom(
  "a",
  "a/b",
  "a/b/c",
  "d",
  "d/e",
  "",
  "/",
  "/shared",
  "/shared/x",
  "/x",
);
const step = fc.record({
  domid: fc.constantFrom(1, 2),
  type: fc.constantFrom(...[1, 2, 3, 4, 5, 6, 7, 7, 11, 11, 11, 12, 13, 13, 14, 14, 21]),
  path,
  rest: fc.constantFrom("", "t\0", "n1\0", "b2\0", "b1\0r2\0", "n2\0b1\0", "value"),
  txId: fc.constantFrom(0, 0, 1, 2, 3),
  commit: fc.boolean(),
});

/** The payload of a request that means something for its type. */
function payloadOf(
  { type, path, rest, commit }: { type: number } & Record<string, unknown>,
): string {
  if (type === TYPE.TRANSACTION_END) return commit ? "T\0" : "F\0";
  return type === TYPE.TRANSACTION_START ? "\0" : `${path}\0${rest}`;
}

const DIRECTORIES = 10;

/** Fills the quota of a guest that owns its home and nothing else. */
function leavesUntilRefused(guest: StoreConnection): number {
  for (let i = 0; i < DIRECTORIES; i++) guest.makeDirectory(String(i));
  for (let leaves = 0;; leaves++) {
    try {
      guest.makeDirectory(`${leaves % DIRECTORIES}/${leaves}`);
    } catch (error) {
      assert(error instanceof StoreError && error.code === "ENOSPC");
      return leaves;
    }
  }
}

Deno.test("XenStoreRing keeps dom0's nodes and the count of nodes right, whatever two guests do", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const store = new XenStore();
      const dom0 = store.client();
      for (const domid of [1, 2]) {
        dom0.write(`/local/domain/${domid}`, "");
        dom0.setPermissions(`/local/domain/${domid}`, [`n${domid}`]);
      }
      dom0.write("/shared", "");
      dom0.setPermissions("/shared", ["n0", "b1", "b2"]);
      dom0.write("/tool/mine", "untouched");
      const guests = [1, 2].map((domid) => new GuestDriver(store, domid));
      for (const one of steps) {
        const answers = guests[one.domid - 1]!.exchange(one.type, payloadOf(one), one.txId);
        assertEquals(answers.filter(({ type }) => type !== TYPE.WATCH_EVENT).length, 1);
      }
      assertEquals(dom0.read("/tool/mine"), "untouched");
      assertEquals(dom0.list("/").filter((name) => name !== "shared"), ["local", "tool"]);
      for (const { ring } of guests) ring.close();
      assertEquals(dom0.list("/local/domain"), []);
      assert(
        !store.ls("/", { full: true, permissions: true }).some((line) => /\(.[12]/.test(line)),
      );
      dom0.write("/local/domain/1", "");
      dom0.setPermissions("/local/domain/1", ["n1"]);
      assertEquals(leavesUntilRefused(store.connect(1, () => {})), 1000 - 1 - DIRECTORIES);
    }),
    { numRuns: 20 },
  );
});
