import { assertEquals, assertThrows } from "@std/assert";
import { type PrivilegedStore, XenStore } from "../../../../core/hypervisor/xenstore/xenstore.ts";
import { formatPermissions, StoreError } from "../../../../core/hypervisor/xenstore/access.ts";
import { parsePermissions } from "../../../../core/hypervisor/xenstore/access.ts";
import type { StoreConnection } from "../../../../core/hypervisor/xenstore/connection.ts";

interface Fixture {
  store: XenStore;
  dom0: PrivilegedStore;
  guest: StoreConnection;
  /** Events of the guest's watches. */
  events: string[];
}

/** A domain 1 with a home it may read and a directory `data` of its own. */
function fixture(): Fixture {
  const store = new XenStore();
  const dom0 = store.client();
  const events: string[] = [];
  dom0.write("/local/domain/1", "");
  dom0.setPermissions("/local/domain/1", ["n0", "r1"]);
  dom0.write("/local/domain/1/data", "");
  dom0.setPermissions("/local/domain/1/data", ["n1"]);
  const guest = store.connect(1, (path, token) => events.push(`${path} ${token}`));
  return { store, dom0, guest, events };
}

/** Name of the error that `action` ends in. */
function refusal(action: () => unknown): string {
  return assertThrows(action, StoreError).code;
}

// ---- paths ----------------------------------------------------------------------------------

for (
  const path of ["", "//", "a//b", "a/", "/a/", "/data//x", "a b", "a\n", "ä", "@introduceDomain"]
) {
  Deno.test(`StoreConnection.read() answers EINVAL to the path ${JSON.stringify(path)}`, () => {
    assertEquals(refusal(() => fixture().guest.read(path)), "EINVAL");
  });
}

// Source: is_valid_nodename() of xenstored 4.17: the way to a domain's home does not count.
Deno.test("StoreConnection.read() takes paths of 2048, from a domain's home or from the root", () => {
  const { guest } = fixture();
  const relative = "data/" + "a".repeat(2043);
  for (const home of ["", "/local/domain/1/"]) {
    assertEquals(refusal(() => guest.read(home + relative)), "ENOENT");
    assertEquals(refusal(() => guest.read(`${home}${relative}a`)), "EINVAL");
  }
  const absolute = "/" + "a".repeat(2047);
  assertEquals(refusal(() => guest.read(absolute)), "EACCES");
  assertEquals(refusal(() => guest.read(absolute + "a")), "EINVAL");
});

Deno.test("StoreConnection.read() starts relative paths from the domain's home", () => {
  const { guest, dom0 } = fixture();
  guest.write("data/-_@Z9", "v");
  assertEquals(dom0.read("/local/domain/1/data/-_@Z9"), "v");
  assertEquals(guest.read("/local/domain/1/data/-_@Z9"), "v");
});

// ---- permissions ----------------------------------------------------------------------------

Deno.test("StoreConnection.read() tells ENOENT below a readable node, EACCES elsewhere", () => {
  const { guest, dom0 } = fixture();
  dom0.write("/local/domain/2/secret", "s");
  assertEquals(refusal(() => guest.read("nothing/at/all")), "ENOENT");
  assertEquals(refusal(() => guest.read("/local/domain/2/secret")), "EACCES");
  assertEquals(refusal(() => guest.read("/local/domain/2/nothing")), "EACCES");
  assertEquals(refusal(() => guest.directory("/")), "EACCES");
});

Deno.test("StoreConnection.write() needs write access to the node or its closest ancestor", () => {
  const { guest, dom0 } = fixture();
  assertEquals(refusal(() => guest.write("name", "x")), "EACCES");
  assertEquals(refusal(() => guest.makeDirectory("new")), "EACCES");
  guest.write("data/a/b", "deep");
  assertEquals(formatPermissions(guest.permissions("data/a")), ["n1"]);
  assertEquals(dom0.read("/local/domain/1/data/a"), "");
});

Deno.test("StoreConnection.write() makes the guest owner of what it creates, dom0 inherits", () => {
  const { guest, dom0 } = fixture();
  dom0.write("/local/domain/1/shared", "");
  dom0.setPermissions("/local/domain/1/shared", ["n0", "b1", "r2"]);
  guest.write("shared/mine", "");
  dom0.write("/local/domain/1/shared/theirs", "");
  assertEquals(formatPermissions(guest.permissions("shared/mine")), ["n1", "b1", "r2"]);
  assertEquals(formatPermissions(guest.permissions("shared/theirs")), ["n0", "b1", "r2"]);
});

for (
  const [list, access] of [
    [["n0"], "--"],
    [["r0"], "r-"],
    [["w0"], "-w"],
    [["b0"], "rw"],
    [["b0", "n1"], "--"],
    [["n0", "r2", "w1"], "-w"],
    [["n1"], "rw"],
  ] as const
) {
  Deno.test(`StoreConnection has access ${access} for domain 1 under ${list.join(" ")}`, () => {
    const { guest, dom0 } = fixture();
    dom0.write("/x", "value");
    dom0.setPermissions("/x", list);
    const can = (action: () => void, letter: string) => {
      try {
        action();
        return letter;
      } catch {
        return "-";
      }
    };
    const got = can(() => guest.read("/x"), "r") + can(() => guest.write("/x", "new"), "w");
    assertEquals(got, access);
  });
}

Deno.test("StoreConnection.setPermissions() is for the owner, who cannot give the node away", () => {
  const { guest, dom0 } = fixture();
  dom0.write("/open", "");
  dom0.setPermissions("/open", ["b0"]);
  assertEquals(refusal(() => guest.setPermissions("/open", parsePermissions(["b1"]))), "EACCES");
  assertEquals(refusal(() => guest.setPermissions("data", parsePermissions(["b0"]))), "EPERM");
  guest.setPermissions("data", parsePermissions(["r1", "b7"]));
  assertEquals(formatPermissions(guest.permissions("data")), ["r1", "b7"]);
});

// ---- nodes ----------------------------------------------------------------------------------

Deno.test("StoreConnection.directory() lists children in order of creation", () => {
  const { guest } = fixture();
  for (const name of ["c", "a", "b"]) guest.write(`data/${name}`, "");
  guest.write("data/c", "again");
  assertEquals([...guest.directory("data").children.keys()], ["c", "a", "b"]);
});

Deno.test("StoreConnection.makeDirectory() leaves an existing node alone", () => {
  const { guest } = fixture();
  guest.write("data/x", "kept");
  guest.makeDirectory("data/x");
  assertEquals(guest.read("data/x"), "kept");
});

Deno.test("StoreConnection.remove() takes the subtree; an absent node needs a parent", () => {
  const { guest, dom0 } = fixture();
  guest.write("data/a/b/c", "");
  guest.remove("data/a");
  assertEquals(refusal(() => guest.read("data/a/b/c")), "ENOENT");
  guest.remove("data/a");
  assertEquals(refusal(() => guest.remove("data/a/b")), "ENOENT");
  assertEquals([guest, dom0].map((client) => refusal(() => client.remove("/"))), [
    ...["EACCES", "EINVAL"],
  ]);
  assertEquals(refusal(() => guest.remove("name")), "EACCES");
});

// ---- quotas ---------------------------------------------------------------------------------

Deno.test("StoreConnection.write() answers ENOSPC beyond 1000 nodes of the guest", () => {
  const { guest } = fixture();
  let created = 1; // data itself
  const fill = () => {
    for (;; created++) guest.write(`data/${Math.floor(created / 100)}x/${created}`, "");
  };
  assertEquals(refusal(fill), "ENOSPC");
  assertEquals(created + [...guest.directory("data").children].length, 1000);
  assertEquals(refusal(() => guest.write("data/x/y/z", "")), "ENOSPC");
  assertEquals(refusal(() => guest.read("data/x")), "ENOENT");
  guest.remove("data/0x");
  guest.write("data/x/y/z", "");
});

// Measured with xenstored 4.17, whose record has 24 bytes before the permissions.
Deno.test("StoreConnection.write() answers ENOSPC to a node of 2048 bytes", () => {
  const { guest, dom0 } = fixture();
  guest.write("data/x", "v".repeat(2015));
  assertEquals(refusal(() => guest.write("data/x", "v".repeat(2016))), "ENOSPC");
  assertEquals(
    refusal(() => guest.setPermissions("data/x", parsePermissions(["n1", "r2"]))),
    "ENOSPC",
  );
  assertEquals(guest.read("data/x").length, 2015);
  dom0.write("/big", "v".repeat(4000));
});

// Source: do_transaction_start() of xenstored, which looks for more than 10.
Deno.test("StoreConnection.startTransaction() answers ENOSPC to the twelfth", () => {
  const { guest } = fixture();
  const ids = Array.from({ length: 11 }, () => guest.startTransaction());
  assertEquals(refusal(() => guest.startTransaction()), "ENOSPC");
  guest.endTransaction(ids[3] as number, false);
  guest.startTransaction();
});

// Source: do_watch() of xenstored, which looks for more than 128.
Deno.test("StoreConnection.watch() answers E2BIG to the 130th", () => {
  const { guest } = fixture();
  for (let i = 0; i < 129; i++) guest.watch("data", String(i));
  assertEquals(refusal(() => guest.watch("data", "129")), "E2BIG");
});

// ---- dom0 -----------------------------------------------------------------------------------

Deno.test("XenStore.client() answers absent nodes without an error", () => {
  const { dom0 } = fixture();
  assertEquals(dom0.read("/no/such"), undefined);
  assertEquals(dom0.list("/no/such"), []);
  dom0.remove("/no/such");
});

Deno.test("XenStore.client() watch fires at once, then for changes, until it is ended", () => {
  const { dom0, guest } = fixture();
  const seen: string[] = [];
  const end = dom0.watch("/local/domain/1/data", (path) => seen.push(path));
  guest.write("data/x", "1");
  end();
  end();
  guest.write("data/x", "2");
  assertEquals(seen, ["/local/domain/1/data", "/local/domain/1/data/x"]);
});

Deno.test("XenStore.client() watches never fire inside each other", () => {
  const { dom0 } = fixture();
  const log: string[] = [];
  dom0.watch("/a", () => {
    log.push("a {");
    if (dom0.read("/a") === "go") dom0.write("/b", "1");
    log.push("}");
  });
  dom0.watch("/b", () => log.push("b"));
  log.length = 0;
  dom0.write("/a", "go");
  assertEquals(log, ["a {", "}", "b"]);
});

Deno.test("XenStore.client() drops the event of a watch that has been ended meanwhile", () => {
  const { dom0 } = fixture();
  let fired = 0;
  let endSecond = () => {};
  dom0.watch("/a", () => endSecond());
  endSecond = dom0.watch("/a", () => fired++);
  fired = 0;
  dom0.write("/a", "");
  assertEquals(fired, 0);
});

Deno.test("XenStore.hold() keeps dom0's watches back until the work is done", () => {
  const { store, dom0 } = fixture();
  const log: string[] = [];
  dom0.watch("/a", () => log.push("fired"));
  log.length = 0;
  store.hold(() => {
    dom0.write("/a", "1");
    log.push("written");
  });
  assertEquals(log, ["written", "fired"]);
});

Deno.test("XenStore.introduce() and release() fire the special watches of dom0 only", () => {
  const { store, dom0, guest, events } = fixture();
  const seen: string[] = [];
  dom0.watch("@introduceDomain", (name) => seen.push(name));
  dom0.watch("@releaseDomain", (name) => seen.push(name));
  guest.watch("@releaseDomain", "t");
  seen.length = 0;
  store.introduce(1);
  assertEquals(store.isIntroduced(1), true);
  store.release(1);
  assertEquals(store.isIntroduced(1), false);
  assertEquals(seen, ["@introduceDomain", "@releaseDomain"]);
  assertEquals(events, []);
});

Deno.test("StoreConnection.watch() hears of domains when dom0 has given it permission", () => {
  const { store, dom0, guest, events } = fixture();
  guest.watch("@releaseDomain", "all");
  guest.watch("@releaseDomain", "which", 1);
  guest.watch("@introduceDomain", "closed");
  dom0.setPermissions("@releaseDomain", ["n0", "r1"]);
  assertEquals(formatPermissions(guest.permissions("@releaseDomain")), ["n0", "r1"]);
  store.introduce(7);
  store.release(7);
  assertEquals(events, ["@releaseDomain all", "@releaseDomain/7 which"]);
  dom0.setPermissions("@releaseDomain", ["n0"]);
  store.release(8);
  assertEquals(events.length, 2);
  assertEquals(refusal(() => guest.permissions("@releaseDomain")), "EACCES");
});

Deno.test("StoreConnection.permissions() of DOMID_ANY are for whoever has no entry", () => {
  const { store, dom0, guest } = fixture();
  const others = [2, 3].map((domid) => store.connect(domid, () => {}));
  dom0.write("/open", "x");
  dom0.setPermissions("/open", ["n0", "r32757", "n3"]);
  assertEquals(guest.read("/open"), "x");
  assertEquals(others[0]!.read("/open"), "x");
  assertEquals(refusal(() => others[1]!.read("/open")), "EACCES");
  assertEquals(refusal(() => guest.write("/open", "y")), "EACCES");
  assertEquals(formatPermissions(guest.permissions("/open")), ["n0", "r32757", "n3"]);
  const invalid = ["n0", "r32756"]; // DOMID_INVALID
  assertEquals(refusal(() => dom0.setPermissions("/open", invalid)), "EINVAL");
});

// ---- watches --------------------------------------------------------------------------------

Deno.test("StoreConnection.watch() hears of the node, of what is below, not of siblings", () => {
  const { guest, events } = fixture();
  guest.watch("data/a", "t");
  guest.write("data/a", "");
  guest.write("data/a/b", "");
  guest.write("data/ab", "");
  guest.write("data", "");
  assertEquals(events, ["data/a t", "data/a/b t"]);
});

Deno.test("StoreConnection.watch() hears of so many levels below as it asks for", () => {
  const { guest, events } = fixture();
  for (const depth of [0, 1, 2]) guest.watch("data/a", `depth-${depth}`, depth);
  guest.write("data/a", "");
  guest.write("data/a/b", "");
  guest.write("data/a/b/c", "");
  guest.write("data/a/b/c/d", "");
  guest.remove("data/a/b/c");
  guest.remove("data");
  assertEquals(events, [
    ...["data/a depth-0", "data/a depth-1", "data/a depth-2"],
    ...["data/a/b depth-1", "data/a/b depth-2"],
    ...["data/a/b/c depth-2", "data/a/b/c depth-2"],
    ...["data/a depth-0", "data/a depth-1", "data/a depth-2"],
  ]);
});

Deno.test("StoreConnection.watch() names paths as it was given: relative or absolute", () => {
  const { guest, events } = fixture();
  guest.watch("data", "rel");
  guest.watch("/local/domain/1/data", "abs");
  guest.write("data/x", "");
  assertEquals(events, ["data/x rel", "/local/domain/1/data/x abs"]);
});

// What Debian's xenstored 4.17 tells a guest.
Deno.test("StoreConnection.watch() hears of a new node, not of the parents that it needed", () => {
  const { guest, events } = fixture();
  guest.watch("data", "t");
  guest.watch("data/m", "u");
  guest.write("data/a/b/c", "");
  guest.makeDirectory("data/m/n");
  assertEquals(events, ["data/a/b/c t", "data/m/n t", "data/m/n u"]);
});

// In the order in which xenstored 4.17 takes nodes away.
Deno.test("StoreConnection.watch() below a removed node fires with its own path, the lowest first", () => {
  const { guest, events } = fixture();
  for (const path of ["x", "b/c", "y"]) guest.write(`data/a/${path}`, "");
  guest.watch("data", "above");
  for (const path of ["x", "b", "b/c", "none", "y"]) guest.watch(`data/a/${path}`, "below");
  guest.remove("data/a");
  assertEquals(events, [
    ...["data/a/x below", "data/a/b/c below", "data/a/b below", "data/a/y below", "data/a above"],
  ]);
});

Deno.test("StoreConnection.watch() hears of new permissions", () => {
  const { guest, events } = fixture();
  guest.watch("data", "t");
  guest.setPermissions("data", parsePermissions(["r1"]));
  assertEquals(events, ["data t"]);
});

// Source: watch_permitted() of xenstored.
Deno.test("StoreConnection.watch() hears of a node if the guest may read it or its parent", () => {
  const { guest, dom0, events } = fixture();
  guest.watch("/", "t");
  dom0.write("/secret", "");
  dom0.remove("/secret");
  assertEquals(events, []);
  const secret = "/local/domain/1/secret";
  dom0.write(secret, "");
  dom0.setPermissions(secret, ["n0"]);
  dom0.write(secret, "more");
  assertEquals(events.splice(0), [`${secret} t`, `${secret} t`, `${secret} t`]);
  dom0.write(`${secret}/deep`, "");
  assertEquals(events, []);
  guest.watch(`${secret}/deep`, "u");
  dom0.remove(secret);
  assertEquals(events, [`${secret} t`]);
});

Deno.test("StoreConnection.unwatch() ends one watch; a second one of the name is EEXIST", () => {
  const { guest, events } = fixture();
  guest.watch("data", "t");
  guest.watch("data", "u");
  assertEquals(refusal(() => guest.watch("data", "t")), "EEXIST");
  guest.unwatch("data", "t");
  assertEquals(refusal(() => guest.unwatch("data", "t")), "ENOENT");
  guest.write("data/x", "");
  assertEquals(events, ["data/x u"]);
});

// What Debian's xenstored 4.17 answers a guest: it keeps the absolute path of a watch.
Deno.test("StoreConnection.watch() and unwatch() know a watch by its node, however it is named", () => {
  const { guest, events } = fixture();
  guest.watch("data", "t");
  assertEquals(refusal(() => guest.watch("/local/domain/1/data", "t")), "EEXIST");
  guest.unwatch("/local/domain/1/data", "t");
  guest.write("data", "");
  assertEquals(events, []);
  assertEquals(refusal(() => guest.unwatch("data", "t")), "ENOENT");
  assertEquals(refusal(() => guest.unwatch("a//b", "t")), "ENOENT");
});

// xenstore.txt: "<wspecial> may have any syntax".
Deno.test("StoreConnection.watch() takes any name behind an @, of which nothing is heard", () => {
  const { store, guest, events } = fixture();
  for (const name of ["@", "@foo", "@a b", "@releaseDomain/2"]) guest.watch(name, "t");
  store.introduce(2);
  store.release(2);
  assertEquals(events, []);
  guest.unwatch("@foo", "t");
  assertEquals(refusal(() => guest.unwatch("@foo", "t")), "ENOENT");
  assertEquals(refusal(() => guest.watch(`@${"x".repeat(2048)}`, "t")), "EINVAL");
});

Deno.test("StoreConnection.reset() forgets watches and transactions of that client only", () => {
  const { store, guest, events } = fixture();
  const heard: string[] = [];
  const other = store.connect(1, (path) => heard.push(path));
  other.watch("data", "t");
  guest.watch("data", "t");
  const id = guest.startTransaction();
  guest.reset();
  guest.write("data/x", "");
  assertEquals(events, []);
  assertEquals(heard, ["data/x"]);
  assertEquals(refusal(() => guest.read("data", id)), "ENOENT");
});
