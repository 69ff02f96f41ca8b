import { assertEquals, assertThrows } from "@std/assert";
import { StoreError } from "../../../../core/hypervisor/xenstore/access.ts";
import { parseFields, XS_OPERATIONS } from "../../../../core/hypervisor/xenstore/wire.ts";
import { GuestDriver, TYPE } from "../../../helpers/xenstore.ts";

/** A guest whose home is its own. */
function guestAtHome(): GuestDriver {
  const guest = new GuestDriver();
  const dom0 = guest.store.client();
  dom0.write("/local/domain/1", "home");
  dom0.setPermissions("/local/domain/1", ["n1"]);
  dom0.write("/secret", "");
  return guest;
}

for (
  const [request, payload, fields] of [
    ["path|", "a\0", ["a"]],
    ["path|", "\0", [""]],
    ["path|", "a", "EINVAL"],
    ["path|", "", "EINVAL"],
    ["path|", "a\0b\0", "EINVAL"],
    ["path|", "a\0b", "EINVAL"],
    ["wpath|token|", "a\0b\0", ["a", "b"]],
    ["wpath|token|", "a\0\0", ["a", ""]],
    ["wpath|token|", "a\0b", "EINVAL"],
    ["wpath|token|", "a\0b\0c\0", "EINVAL"],
    ["path|value", "a\0", ["a", ""]],
    ["path|value", "a\0v\0w", ["a", "v\0w"]],
    ["path|value", "a", "EINVAL"],
    ["path|perm|...", "a\0n0\0", ["a", "n0"]],
    ["path|perm|...", "a\0n0\0r1\0", ["a", "n0", "r1"]],
    ["path|perm|...", "a\0", "EINVAL"],
    ["path|perm|...", "a\0n0", "EINVAL"],
    ["", "anything", []],
  ] as const
) {
  Deno.test(`parseFields() of ${request} from ${JSON.stringify(payload)}`, () => {
    if (fields === "EINVAL") {
      assertEquals(assertThrows(() => parseFields(request, payload), StoreError).code, fields);
    } else {
      assertEquals(parseFields(request, payload), [...fields]);
    }
  });
}

for (
  const [type, payload, answer] of [
    ["READ", "/local/domain/1\0", "<home>"],
    ["READ", "nothing\0", "ENOENT"],
    ["READ", "/secret\0", "EACCES"],
    ["READ", "a//b\0", "EINVAL"],
    ["READ", "nothing", "EINVAL"],
    ["WRITE", "x\0", "<OK|>"],
    ["MKDIR", "x\0", "<OK|>"],
    ["RM", "x\0", "<OK|>"],
    ["RM", "x/y\0", "ENOENT"],
    ["RM", "/\0", "EACCES"],
    ["DIRECTORY", "/local/domain/1\0", "<>"],
    ["GET_PERMS", "/local/domain/1\0", "<n1|>"],
    ["SET_PERMS", "/local/domain/1\0r1\0b2\0", "<OK|>"],
    ["SET_PERMS", "/local/domain/1\0x1\0", "EINVAL"],
    ["SET_PERMS", "/local/domain/1\0n32752\0", "EINVAL"],
    ["SET_PERMS", "/local/domain/1\0n1\0r32757\0", "<OK|>"],
    ["SET_PERMS", "/local/domain/1\0n32757\0", "EINVAL"],
    ["SET_PERMS", "/local/domain/1\0n0\0", "EPERM"],
    ["SET_PERMS", "@releaseDomain\0n0\0r1\0", "EACCES"],
    ["GET_PERMS", "@releaseDomain\0", "EACCES"],
    ["SET_PERMS", "/local/domain/1\0", "EINVAL"],
    ["SET_PERMS", "/local/domain/1\0n1\0r2\0r3\0r4\0r5\0", "<OK|>"],
    ["SET_PERMS", "/local/domain/1\0n1\0r2\0r3\0r4\0r5\0r6\0", "ENOSPC"],
    ["UNWATCH", "x\0t\0", "ENOENT"],
    ["WATCH", "@nonsense\0t\0", "<OK|> W(@nonsense|t|)"],
    ["WATCH", "@releaseDomain\0t\0", "<OK|> W(@releaseDomain|t|)"],
    ["WATCH", "x\0t\0" + "0\0", "<OK|> W(x|t|)"],
    ["WATCH", "x\0t\0" + "-1\0", "EINVAL"],
    ["WATCH", "x\0t\0\0", "EINVAL"],
    ["WATCH", "x\0t\0" + "1\0" + "1\0", "EINVAL"],
    ["WATCH", "x\0t", "EINVAL"],
    ["WATCH", "x\0", "EINVAL"],
    ["GET_DOMAIN_PATH", "7\0", "</local/domain/7|>"],
    ["GET_DOMAIN_PATH", "007\0", "</local/domain/7|>"],
    ["GET_DOMAIN_PATH", "40000\0", "</local/domain/40000|>"],
    ["GET_DOMAIN_PATH", "seven\0", "</local/domain/0|>"],
    ["GET_DOMAIN_PATH", "7", "EINVAL"],
    ["TRANSACTION_START", "\0", "<1|>"],
    ["TRANSACTION_END", "T\0", "ENOENT"],
    ["TRANSACTION_END", "X\0", "EINVAL"],
    ["CONTROL", "help\0", "EACCES"],
    ["INTRODUCE", "2\0" + "4\0" + "5\0", "EACCES"],
    ["INTRODUCE", "2", "EACCES"],
    ["RELEASE", "1\0", "EACCES"],
    ["RESUME", "1\0", "EACCES"],
    ["SET_TARGET", "1\0" + "2\0", "EACCES"],
    ["RESET_WATCHES", "\0", "<OK|>"],
    ["IS_DOMAIN_INTRODUCED", "1\0", "EACCES"],
    ["WATCH_EVENT", "a\0b\0", "ENOSYS"],
    ["ERROR", "EINVAL\0", "ENOSYS"],
    ["RESTRICT", "1\0", "ENOSYS"],
  ] as const
) {
  Deno.test(`serveRequest() answers ${answer} to ${type} ${JSON.stringify(payload)}`, () => {
    assertEquals(guestAtHome().ask(TYPE[type], payload), answer);
  });
}

Deno.test("serveRequest() answers ENOSYS to every type that is not in the table", () => {
  const guest = guestAtHome();
  for (const type of [15, 16, 20, 23, 26, 27, 1000, 0x7fffffff, 0xffffffff]) {
    assertEquals(XS_OPERATIONS[type], undefined);
    assertEquals(guest.ask(type, "x\0"), "ENOSYS");
  }
});

Deno.test("serveRequest() answers ENOENT under an unknown transaction, WATCH does not look", () => {
  const guest = guestAtHome();
  assertEquals(guest.ask(TYPE.READ, "x\0", 9), "ENOENT");
  assertEquals(guest.ask(TYPE.TRANSACTION_START, "\0", 9), "ENOENT");
  assertEquals(guest.ask(TYPE.WATCH, "x\0t\0", 9), "<OK|> W(x|t|)");
  assertEquals(guest.ask(TYPE.UNWATCH, "x\0t\0", 9), "<OK|>");
});

Deno.test("serveRequest() answers EBUSY to a transaction inside a transaction", () => {
  const guest = guestAtHome();
  assertEquals(guest.ask(TYPE.TRANSACTION_START, "\0"), "<1|>");
  assertEquals(guest.ask(TYPE.TRANSACTION_START, "\0", 1), "EBUSY");
});

Deno.test("serveRequest() answers EAGAIN to a commit whose node dom0 has written", () => {
  const guest = guestAtHome();
  guest.ask(TYPE.WRITE, "state\x001");
  guest.ask(TYPE.TRANSACTION_START, "\0");
  assertEquals(guest.ask(TYPE.READ, "state\0", 1), "<1>");
  assertEquals(guest.ask(TYPE.WRITE, "state\x003", 1), "<OK|>");
  guest.store.client().write("/local/domain/1/state", "5");
  assertEquals(guest.ask(TYPE.TRANSACTION_END, "T\0", 1), "EAGAIN");
  assertEquals(guest.ask(TYPE.READ, "state\0"), "<5>");
});

Deno.test("serveRequest() echoes type, req_id and tx_id, in an error the ids", () => {
  const guest = guestAtHome();
  guest.ask(TYPE.TRANSACTION_START, "\0");
  const [reply] = guest.exchange(TYPE.READ, "/local/domain/1\0", 1);
  assertEquals([reply?.type, reply?.txId], [TYPE.READ, 1]);
  const [error] = guest.exchange(TYPE.READ, "nothing\0", 1);
  assertEquals([error?.type, error?.txId], [TYPE.ERROR, 1]);
  assertEquals(error?.reqId, (reply?.reqId ?? 0) + 1);
});

Deno.test("serveRequest() carries any byte in a value", () => {
  const guest = guestAtHome();
  const value = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
  guest.ask(TYPE.WRITE, `blob\0${value}`);
  assertEquals(guest.exchange(TYPE.READ, "blob\0")[0]?.payload, value);
});

Deno.test("serveRequest() answers E2BIG to a list beyond 4096 bytes, DIRECTORY_PART in parts", () => {
  const guest = guestAtHome();
  const names = Array.from({ length: 200 }, (_, i) => `name-of-thirty-characters-${1000 + i}`);
  const dom0 = guest.store.client();
  for (const name of names) dom0.write(`/local/domain/1/many/${name}`, "");
  dom0.setPermissions("/local/domain/1/many", ["r0"]);
  assertEquals(guest.ask(TYPE.DIRECTORY, "many\0"), "E2BIG");
  let list = "";
  const generations = new Set<string>();
  while (!list.endsWith("\0\0")) {
    const part = guest.exchange(TYPE.DIRECTORY_PART, `many\0${list.length}\0`)[0]?.payload ?? "";
    generations.add(part.slice(0, part.indexOf("\0")));
    list += part.slice(part.indexOf("\0") + 1);
  }
  assertEquals(list.slice(0, -2).split("\0"), names);
  assertEquals(generations.size, 1);
});
