import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { XenStore } from "../../../../core/hypervisor/xenstore/xenstore.ts";
import {
  formatPermissions,
  parsePermissions,
  StoreError,
} from "../../../../core/hypervisor/xenstore/access.ts";
import type { StoreConnection } from "../../../../core/hypervisor/xenstore/connection.ts";

interface Fixture {
  store: XenStore;
  guest: StoreConnection;
  other: StoreConnection;
  events: string[];
}

/** A tree that domain 1 owns, and two sessions of it. */
function fixture(): Fixture {
  const store = new XenStore();
  const dom0 = store.client();
  const events: string[] = [];
  for (const name of ["", "/a", "/a/b", "/c"]) {
    dom0.write(`/local/domain/1${name}`, "0");
    dom0.setPermissions(`/local/domain/1${name}`, ["n1"]);
  }
  const guest = store.connect(1, (path) => events.push(path));
  return { store, guest, other: store.connect(1, () => {}), events };
}

function refusal(action: () => unknown): string {
  return assertThrows(action, StoreError).code;
}

Deno.test("StoreTransaction is a snapshot: neither side sees the other's writes", () => {
  const { guest, other } = fixture();
  const id = guest.startTransaction();
  other.write("a", "outside");
  guest.write("c", "inside", id);
  assertEquals(guest.read("a", id), "0");
  assertEquals(guest.read("c", id), "inside");
  assertEquals(other.read("c"), "0");
});

Deno.test("StoreConnection.endTransaction() commits all changes and fires for each, at once", () => {
  const { guest, events } = fixture();
  guest.watch("/local/domain/1", "t");
  const id = guest.startTransaction();
  guest.write("c", "1", id);
  guest.write("c", "2", id);
  guest.write("d/e", "3", id);
  guest.remove("a", id);
  assertEquals(events, []);
  guest.endTransaction(id, true);
  assertEquals(events.map((path) => path.slice(15)), ["/c", "/d/e", "/a"]);
  assertEquals([guest.read("c"), guest.read("d/e")], ["2", "3"]);
  assertEquals(refusal(() => guest.read("a/b")), "ENOENT");
});

// Measured with xenstored 4.17.
Deno.test("StoreConnection.endTransaction() fires in the order of first access, once for a node", () => {
  const { guest, events } = fixture();
  guest.watch("/local/domain/1", "t");
  const id = guest.startTransaction();
  guest.read("c", id);
  for (const [path, value] of [["a", "1"], ["c", "1"], ["a", "2"]] as const) {
    guest.write(path, value, id);
  }
  guest.write("x", "", id);
  guest.remove("x", id);
  guest.remove("a/b", id);
  guest.write("a/b", "", id);
  guest.endTransaction(id, true);
  assertEquals(events.map((path) => path.slice(15)), ["/c", "/a", "/a/b"]);
});

Deno.test("StoreConnection.endTransaction() keeps a new parent's permissions from its child's", () => {
  const { guest } = fixture();
  const id = guest.startTransaction();
  guest.write("p/q", "", id);
  guest.setPermissions("p/q", parsePermissions(["r1", "w2"]), id);
  guest.endTransaction(id, true);
  assertEquals(formatPermissions(guest.permissions("p")), ["n1"]);
});

Deno.test("StoreConnection.endTransaction() discards everything when told so", () => {
  const { guest, events } = fixture();
  guest.watch("a", "t");
  const id = guest.startTransaction();
  guest.write("a", "1", id);
  guest.endTransaction(id, false);
  assertEquals(guest.read("a"), "0");
  assertEquals(events, []);
  assertEquals(refusal(() => guest.endTransaction(id, true)), "ENOENT");
});

/** What a transaction did, what happened outside meanwhile, and whether the two conflict. */
const CONFLICTS: readonly [
  string,
  (guest: StoreConnection, id: number) => void,
  (other: StoreConnection) => void,
  "EAGAIN" | "commits",
][] = [
  ["read and outside write", (g, id) => g.read("a", id), (o) => o.write("a", "1"), "EAGAIN"],
  [
    "read and outside write of the same value",
    (g, id) => g.read("a", id),
    (o) => o.write("a", "0"),
    "EAGAIN",
  ],
  ["write and outside write", (g, id) => g.write("a", "1", id), (o) => o.write("a", "2"), "EAGAIN"],
  ["read and outside removal", (g, id) => g.read("a", id), (o) => o.remove("a"), "EAGAIN"],
  [
    "read of a missing node and outside creation",
    (g, id) => {
      assertEquals(refusal(() => g.read("x", id)), "ENOENT");
    },
    (o) => o.write("x", ""),
    "EAGAIN",
  ],
  [
    "listing and outside creation",
    (g, id) => g.directory("a", id),
    (o) => o.write("a/x", ""),
    "EAGAIN",
  ],
  [
    "creation and outside removal of the parent",
    (g, id) => g.write("a/x", "", id),
    (o) => o.remove("a"),
    "EAGAIN",
  ],
  [
    "removal and outside write below",
    (g, id) => g.remove("a", id),
    (o) => o.write("a/b", "1"),
    "EAGAIN",
  ],
  [
    "removal and outside creation below",
    (g, id) => g.remove("a", id),
    (o) => o.write("a/x", ""),
    "EAGAIN",
  ],
  [
    "new permissions and outside write",
    (g, id) => g.setPermissions("a", g.permissions("c"), id),
    (o) => o.write("a", "1"),
    "EAGAIN",
  ],
  ["nothing outside", (g, id) => g.write("a", "1", id), () => {}, "commits"],
  [
    "outside write elsewhere",
    (g, id) => g.write("a", "1", id),
    (o) => o.write("c", "1"),
    "commits",
  ],
  ["outside write to a child", (g, id) => g.read("a", id), (o) => o.write("a/b", "1"), "commits"],
  [
    "outside write to the parent",
    (g, id) => g.read("a/b", id),
    (o) => o.write("a", "1"),
    "commits",
  ],
  ["creation of siblings", (g, id) => g.write("a/x", "", id), (o) => o.write("a/y", ""), "commits"],
  ["outside reads", (g, id) => g.write("a", "1", id), (o) => o.read("a"), "commits"],
];

for (const [name, inside, outside, outcome] of CONFLICTS) {
  Deno.test(`StoreConnection.endTransaction() ${outcome} on ${name}`, () => {
    const { guest, other } = fixture();
    const id = guest.startTransaction();
    inside(guest, id);
    outside(other);
    const commit = () => guest.endTransaction(id, true);
    if (outcome === "commits") commit();
    else assertEquals(refusal(commit), "EAGAIN");
    assertEquals(refusal(() => guest.endTransaction(id, true)), "ENOENT");
  });
}

Deno.test("StoreConnection.endTransaction() leaves nothing of a transaction with a conflict", () => {
  const { guest, other, events } = fixture();
  guest.watch("c", "t");
  const id = guest.startTransaction();
  guest.write("c", "1", id);
  guest.write("a", "1", id);
  other.write("a", "2");
  assertEquals(refusal(() => guest.endTransaction(id, true)), "EAGAIN");
  assertEquals([guest.read("c"), guest.read("a")], ["0", "2"]);
  assertEquals(events, []);
});

Deno.test("StoreConnection.endTransaction() replaces a subtree removed and written again", () => {
  const { guest, events } = fixture();
  guest.watch("a/b", "t");
  const id = guest.startTransaction();
  guest.remove("a", id);
  guest.write("a/new", "1", id);
  guest.endTransaction(id, true);
  assertEquals([...guest.directory("a").children.keys()], ["new"]);
  assertEquals(events, ["a/b"]);
});

Deno.test("StoreConnection.endTransaction() answers ENOSPC when nodes outside filled the quota", () => {
  const { guest, other } = fixture();
  const id = guest.startTransaction();
  for (let i = 0; i < 600; i++) guest.write(`c/d${i % 30}/${i}`, "", id);
  for (let i = 0; i < 600; i++) other.write(`a/d${i % 30}/${i}`, "");
  assertEquals(refusal(() => guest.endTransaction(id, true)), "ENOSPC");
  assertEquals(refusal(() => guest.read("c/d0")), "ENOENT");
});

Deno.test("StoreTransaction answers ENOSPC to a transaction that touches too many nodes", () => {
  const { guest } = fixture();
  const id = guest.startTransaction();
  const touch = () => {
    for (let i = 0; i < 5000; i++) assertEquals(refusal(() => guest.read(`x${i}`, id)), "ENOENT");
  };
  assertThrows(touch);
  assertEquals(refusal(() => guest.write("a", "1", id)), "ENOSPC");
});

const PATHS = ["a", "a/b", "a/b/x", "c", "c/y"];

type Step = { op: "write" | "remove" | "mkdir"; path: string; value: string };

const steps = fc.array(
  fc.record<Step>({
    op: fc.constantFrom("write", "remove", "mkdir"),
    path: fc.constantFrom(...PATHS),
    value: fc.string({ maxLength: 3 }),
  }),
  { maxLength: 12 },
);

function perform(client: StoreConnection, { op, path, value }: Step, id: number): void {
  try {
    if (op === "write") client.write(path, value, id);
    else if (op === "mkdir") client.makeDirectory(path, id);
    else client.remove(path, id);
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "ENOENT") throw error;
  }
}

function dump(client: StoreConnection): string[] {
  return PATHS.map((path) => {
    try {
      return `${path}=${client.read(path)}`;
    } catch {
      return path;
    }
  });
}

Deno.test("StoreConnection.endTransaction() has the effect of its steps made one by one", () => {
  fc.assert(fc.property(steps, (list) => {
    const [direct, transacted] = [fixture().guest, fixture().guest];
    const id = transacted.startTransaction();
    for (const step of list) {
      perform(direct, step, 0);
      perform(transacted, step, id);
    }
    transacted.endTransaction(id, true);
    assertEquals(dump(transacted), dump(direct));
  }));
});
