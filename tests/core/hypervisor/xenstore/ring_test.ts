import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { encode, GuestDriver, type Message, TYPE } from "../../../helpers/xenstore.ts";

const REQ_CONS = 2048;
const REQ_PROD = 2052;
const RSP_CONS = 2056;
const RSP_PROD = 2060;
const SERVER_FEATURES = 2064;
const CONNECTION = 2068;
const ERROR = 2072;

/** A guest whose home is its own, with a value longer than the ring. */
function guestAtHome(): GuestDriver {
  const guest = new GuestDriver();
  const dom0 = guest.store.client();
  dom0.write("/local/domain/1", "");
  dom0.setPermissions("/local/domain/1", ["n1"]);
  dom0.write("/local/domain/1/long", "x".repeat(4000));
  return guest;
}

/** Lets the server run without the guest reading anything. */
function signal(guest: GuestDriver): void {
  guest.ring.onEvent();
  guest.settle();
}

function payloads(messages: readonly Message[]): string[] {
  return messages.map(({ payload }) => payload);
}

Deno.test("XenStoreRing initialises the page and introduces the domain", () => {
  const guest = new GuestDriver();
  const fields = [REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, SERVER_FEATURES, CONNECTION, ERROR];
  assertEquals(fields.map((field) => guest.field(field)), [0, 0, 0, 0, 15, 0, 0]);
  assert(guest.store.isIntroduced(1));
});

Deno.test("XenStoreRing.onEvent() works on dom0's time, one cost a request", () => {
  const guest = guestAtHome();
  guest.push(encode(TYPE.READ, 1, 0, "a\0"));
  guest.push(encode(TYPE.READ, 2, 0, "b\0"));
  guest.ring.onEvent();
  guest.ring.onEvent();
  assertEquals([guest.dom0.pending, guest.field(REQ_CONS), guest.dom0.spent], [1, 0, 0]);
  guest.dom0.step();
  assertEquals([guest.dom0.pending, guest.field(REQ_CONS), guest.dom0.spent], [1, 18, 1000]);
  guest.settle();
  assertEquals([guest.field(REQ_CONS), guest.dom0.spent], [36, 2000]);
});

Deno.test("XenStoreRing serves a request that the guest adds while the server is behind", () => {
  const guest = guestAtHome();
  guest.push(encode(TYPE.READ, 1, 0, "a\0"));
  guest.ring.onEvent();
  guest.push(encode(TYPE.READ, 2, 0, "b\0"));
  guest.settle();
  guest.pull();
  assertEquals(guest.messages().map(({ reqId }) => reqId), [1, 2]);
});

Deno.test("XenStoreRing notifies when it takes or gives bytes, not when nothing moves", () => {
  const guest = guestAtHome();
  signal(guest);
  assertEquals(guest.notified, 0);
  guest.push(encode(TYPE.READ, 1, 0, "a\0").subarray(0, 10));
  signal(guest);
  assertEquals(guest.notified, 1);
  guest.push(encode(TYPE.READ, 1, 0, "a\0").subarray(10));
  signal(guest);
  assertEquals(guest.notified, 2);
});

Deno.test("XenStoreRing streams a request and a reply that are longer than the ring", () => {
  const guest = guestAtHome();
  const value = "v".repeat(2000);
  assertEquals(guest.ask(TYPE.WRITE, `big\0${value}`), "<OK|>");
  assertEquals(guest.ask(TYPE.READ, "big\0"), `<${value}>`);
  assertEquals(guest.ask(TYPE.READ, "long\0"), `<${"x".repeat(4000)}>`);
});

Deno.test("XenStoreRing fills the response ring to the last byte and waits for space", () => {
  const guest = guestAtHome();
  guest.push(encode(TYPE.READ, 1, 0, "long\0"));
  signal(guest);
  assertEquals(guest.field(RSP_PROD), 1024);
  guest.pull();
  signal(guest);
  assertEquals(guest.field(RSP_PROD), 2048);
});

Deno.test("XenStoreRing takes byte after byte at every place of the ring", () => {
  const guest = guestAtHome();
  for (let round = 0; round < 60; round++) {
    for (const byte of encode(TYPE.WRITE, round, 0, `n\0value ${round}`)) {
      guest.pump(Uint8Array.of(byte));
    }
    assertEquals(payloads(guest.messages()), ["OK\0"]);
    assertEquals(guest.ask(TYPE.READ, "n\0"), `<value ${round}>`);
  }
  assert(guest.field(REQ_PROD) > 2048);
});

Deno.test("XenStoreRing lets its indices pass 2^32", () => {
  const guest = guestAtHome();
  for (const field of [REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD]) guest.setField(field, 0xfffffff0);
  assertEquals(guest.ask(TYPE.READ, "long\0"), `<${"x".repeat(4000)}>`);
  assertEquals(guest.field(REQ_CONS), 5);
  assertEquals(guest.field(RSP_PROD), 4000);
});

Deno.test("XenStoreRing puts the event of a write before its OK, a watch's first after its OK", () => {
  const guest = guestAtHome();
  assertEquals(guest.ask(TYPE.WATCH, "a\0t\0"), "<OK|> W(a|t|)");
  assertEquals(guest.ask(TYPE.WRITE, "a/b\x001"), "W(a/b|t|) <OK|>");
  assertEquals(guest.ask(TYPE.RM, "a\0"), "W(a|t|) <OK|>");
  assertEquals(guest.ask(TYPE.UNWATCH, "a\0t\0"), "<OK|>");
  assertEquals(guest.ask(TYPE.WRITE, "a\x001"), "<OK|>");
});

Deno.test("XenStoreRing delivers the event of a write by dom0 without being asked", () => {
  const guest = guestAtHome();
  guest.ask(TYPE.WATCH, "a\0t\0");
  const before = guest.notified;
  guest.store.client().write("/local/domain/1/a", "1");
  assertEquals([guest.dom0.pending, guest.notified - before], [1, 0]);
  guest.settle();
  assertEquals(guest.notified - before, 1);
  guest.pull();
  const header = { type: TYPE.WATCH_EVENT, reqId: 0, txId: 0 };
  assertEquals(guest.messages(), [{ ...header, payload: "a\0t\0" }]);
});

Deno.test("XenStoreRing answers a write before dom0 reacts to it", () => {
  const guest = guestAtHome();
  const dom0 = guest.store.client();
  guest.ask(TYPE.WATCH, "back\0t\0");
  dom0.watch("/local/domain/1/front", () => {
    if (dom0.read("/local/domain/1/front") === "3") dom0.write("/local/domain/1/back", "4");
  });
  assertEquals(guest.ask(TYPE.WRITE, "front\x003"), "<OK|> W(back|t|)");
});

Deno.test("XenStoreRing keeps requests of several threads apart by their ids", () => {
  const guest = guestAtHome();
  guest.push(encode(TYPE.TRANSACTION_START, 5, 0, "\0"));
  guest.push(encode(TYPE.WRITE, 6, 0, "a\x001"));
  guest.push(encode(TYPE.WRITE, 7, 1, "a\x002"));
  guest.push(encode(TYPE.READ, 8, 0, "a\0"));
  guest.push(encode(TYPE.TRANSACTION_END, 9, 1, "F\0"));
  signal(guest);
  guest.pull();
  assertEquals(
    guest.messages().map(({ reqId, txId, payload }) => [reqId, txId, payload]),
    [[5, 0, "1\0"], [6, 0, "OK\0"], [7, 1, "OK\0"], [8, 0, "1"], [9, 1, "OK\0"]],
  );
});

// ---- limits ---------------------------------------------------------------------------------

Deno.test("XenStoreRing accepts a payload of 4096 bytes and closes at 4097", () => {
  const guest = guestAtHome();
  assertEquals(guest.ask(TYPE.READ, "a".repeat(4095) + "\0"), "EINVAL");
  guest.ask(TYPE.WATCH, "a\0t\0");
  guest.pump(encode(TYPE.READ, 1, 0, "", 4097));
  assertEquals(guest.messages(), []);
  assertEquals(guest.field(ERROR), 3);
  assertEquals(guest.errors.texts, ["xenstore: connection closed: payload of 4097 bytes"]);
  guest.store.client().write("/local/domain/1/a", "");
  assertEquals(guest.ask(TYPE.READ, "long\0"), "");
});

Deno.test("XenStoreRing leaves requests in the ring while the guest reads no replies", () => {
  const guest = guestAtHome();
  const request = encode(TYPE.READ, 1, 0, "long\0");
  let sent = 0;
  while (guest.push(request) === request.length) {
    sent++;
    signal(guest);
    assert(sent < 1000);
  }
  assert(sent > 4);
  const partial = (guest.field(REQ_PROD) - sent * request.length) >>> 0;
  guest.pump(request.subarray(partial));
  const replies = guest.messages();
  assertEquals(replies.length, sent + 1);
  assert(replies.every(({ payload }) => payload.length === 4000));
});

Deno.test("XenStoreRing drops watch events beyond a bound when the guest does not read", () => {
  const guest = guestAtHome();
  guest.ask(TYPE.WATCH, "a\0t\0");
  const dom0 = guest.store.client();
  for (let i = 0; i < 5000; i++) dom0.write(`/local/domain/1/a/${i}`, "");
  assert(guest.errors.texts.length > 1000);
  assert(guest.ask(TYPE.GET_PERMS, "a\0").endsWith("<n1|>"));
});

for (
  const [name, field, value] of [
    ["request producer", REQ_PROD, 1025],
    ["request producer behind", REQ_PROD, 0xffffffff],
    ["response consumer ahead", RSP_CONS, 1],
    ["response consumer far behind", RSP_CONS, 0x80000000],
  ] as const
) {
  Deno.test(`XenStoreRing closes the connection on a bad index: ${name}`, () => {
    const guest = guestAtHome();
    guest.setField(field, value);
    signal(guest);
    assertEquals([guest.field(ERROR), guest.notified], [2, 1]);
    assertEquals(guest.errors.texts, ["xenstore: connection closed: ring index"]);
    signal(guest);
    assertEquals(guest.errors.texts.length, 1);
  });
}

// ---- reset and reconnection -------------------------------------------------------------------

Deno.test("XenStoreRing starts over on reconnection: watches, transactions, partial messages", () => {
  const guest = guestAtHome();
  guest.ask(TYPE.WATCH, "a\0t\0");
  guest.ask(TYPE.TRANSACTION_START, "\0");
  guest.push(encode(TYPE.READ, 1, 0, "a\0").subarray(0, 7));
  signal(guest);
  guest.setField(CONNECTION, 1);
  guest.ring.onEvent();
  assertEquals(guest.field(CONNECTION), 1);
  guest.settle();
  const fields = [REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, CONNECTION];
  assertEquals(fields.map((field) => guest.field(field)), [0, 0, 0, 0, 0]);
  assertEquals(guest.ask(TYPE.WRITE, "a\x001"), "<OK|>");
  assertEquals(guest.ask(TYPE.READ, "a\0", 1), "ENOENT");
});

Deno.test("XenStoreRing heals a closed connection by reconnection", () => {
  const guest = guestAtHome();
  guest.setField(REQ_PROD, 5000);
  signal(guest);
  assertEquals(guest.field(ERROR), 2);
  guest.setField(CONNECTION, 1);
  signal(guest);
  assertEquals([guest.field(ERROR), guest.field(CONNECTION)], [0, 0]);
  assertEquals(guest.ask(TYPE.WRITE, "a\x001"), "<OK|>");
});

Deno.test("XenStoreRing drops what was under way when firmware zeroes the indices", () => {
  const guest = guestAtHome();
  guest.push(encode(TYPE.READ, 1, 0, "long\0"));
  guest.push(encode(TYPE.READ, 2, 0, "a\0").subarray(0, 9));
  signal(guest);
  guest.page.fill(0xff, 0, 2048);
  for (const field of [REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD]) guest.setField(field, 0);
  assertEquals(guest.ask(TYPE.WRITE, "a\x001"), "<OK|>");
  assertEquals(guest.ask(TYPE.READ, "a\0"), "<1>");
});

Deno.test("XenStoreRing.close() releases the domain and ends its service", () => {
  const guest = guestAtHome();
  guest.ask(TYPE.WATCH, "a\0t\0");
  guest.push(encode(TYPE.READ, 1, 0, "a\0"));
  guest.ring.onEvent();
  guest.ring.close();
  guest.store.client().write("/local/domain/1/a", "1");
  guest.settle();
  assertEquals(guest.pull(), 0);
  assertEquals(guest.store.isIntroduced(1), false);
  guest.ring.onEvent();
  assertEquals(guest.dom0.pending, 0);
});

// ---- anything at all ----------------------------------------------------------------------------

const TYPES = Object.values(TYPE);
const payload = fc.oneof(
  fc.constantFrom("a\0", "a\0t\0", "a/b\x001", "T\0", "F\0", "\0", "", "/\0", "long\0", "a\0n1\0"),
  fc.string({ unit: fc.constantFrom("a", "/", "\0", "@", "\xff", "1"), maxLength: 40 }),
);
const request = fc.record({
  type: fc.oneof(fc.constantFrom(...TYPES), fc.nat(30)),
  txId: fc.constantFrom(0, 0, 0, 1, 2),
  payload,
});

Deno.test("XenStoreRing answers every well-framed request exactly once, in order", () => {
  fc.assert(
    fc.property(
      fc.array(request, { maxLength: 30 }),
      fc.integer({ min: 1, max: 50 }),
      (list, n) => {
        const guest = guestAtHome();
        const stream = list.flatMap((r, id) => [...encode(r.type, id + 1, r.txId, r.payload)]);
        for (let at = 0; at < stream.length; at += n) {
          guest.pump(Uint8Array.from(stream.slice(at, at + n)));
        }
        const replies = guest.messages().filter(({ type }) => type !== TYPE.WATCH_EVENT);
        assertEquals(replies.map(({ reqId }) => reqId), list.map((_, id) => id + 1));
        for (const [id, { type, txId }] of replies.entries()) {
          assertEquals(txId, list[id]?.txId);
          assert(type === TYPE.ERROR || type === list[id]?.type);
        }
        assertEquals(guest.errors.texts, []);
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("XenStoreRing survives a page full of anything and serves again after reconnection", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 2080, maxLength: 2080 }), { maxLength: 4 }),
      fc.array(fc.integer({ min: 0, max: 1100 }), { minLength: 4, maxLength: 4 }),
      (pages, indices) => {
        const guest = guestAtHome();
        for (const page of pages) {
          guest.page.set(page);
          for (const [i, index] of indices.entries()) guest.setField(REQ_CONS + 4 * i, index);
          guest.setField(CONNECTION, 0);
          signal(guest);
        }
        guest.setField(CONNECTION, 1);
        signal(guest);
        assertEquals(guest.ask(TYPE.READ, "long\0").length, 4002);
      },
    ),
    { numRuns: 60 },
  );
});
