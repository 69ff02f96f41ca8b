import { assertEquals } from "@std/assert";
import {
  CONSOLE_RING,
  CONSOLE_RING_BYTES,
  ConsoleRing,
} from "../../../core/hypervisor/console_ring.ts";
import { PAGE_SIZE } from "../../../core/types.ts";
import { RecordingDom0 } from "../../helpers/xen_guest.ts";

const { IN_CONS, IN_PROD, OUT, OUT_CONS, OUT_PROD } = CONSOLE_RING;

function newConsole() {
  const page = new Uint8Array(PAGE_SIZE);
  const view = new DataView(page.buffer);
  const dom0 = new RecordingDom0();
  const errors: string[] = [];
  const written: number[] = [];
  const seen = { notified: 0, rooms: 0, page: page as Uint8Array | undefined };
  const ring = new ConsoleRing({
    page: () => seen.page,
    notify: () => seen.notified++,
    dom0,
    costNs: 1000,
    errors: { guestError: (source, text) => errors.push(`${source}: ${text}`) },
    onByte: (byte) => written.push(byte),
  });
  ring.onRoom = () => seen.rooms++;
  return {
    ring,
    seen,
    errors,
    page,
    get: (field: number) => view.getUint32(field, true),
    set: (field: number, value: number) => view.setUint32(field, value, true),
    written: () => String.fromCharCode(...written),
    /** Writes as hvc_xen does, without an event. */
    put(text: string) {
      let prod = view.getUint32(OUT_PROD, true);
      for (const byte of new TextEncoder().encode(text)) {
        page[OUT + prod++ % CONSOLE_RING_BYTES.OUT] = byte;
      }
      view.setUint32(OUT_PROD, prod, true);
    },
    signal() {
      ring.onEvent();
      dom0.run();
    },
    type(text: string) {
      for (const byte of new TextEncoder().encode(text)) ring.receive(byte);
    },
    dom0,
  };
}

Deno.test("ConsoleRing.onEvent() takes what the guest has written, in one wake-up of dom0", () => {
  const { ring, dom0, seen, put, get, written, signal } = newConsole();
  put("hello ");
  ring.onEvent();
  put("world");
  assertEquals([written(), get(OUT_CONS)], ["", 0]);
  dom0.run();
  assertEquals([written(), get(OUT_CONS), seen.notified], ["hello world", 11, 1]);
  signal();
  assertEquals(seen.notified, 1, "nothing was there");
});

Deno.test("ConsoleRing goes on where indices wrap, in the ring and at 2^32", () => {
  const { put, get, set, signal, written } = newConsole();
  set(OUT_CONS, 0xfffffffe);
  set(OUT_PROD, 0xfffffffe);
  put("abcd");
  signal();
  assertEquals([written(), get(OUT_CONS)], ["abcd", 2]);
});

Deno.test("ConsoleRing puts what is typed into the ring as far as it has room", () => {
  const { ring, dom0, seen, page, get, set, type, signal } = newConsole();
  type("ls\n");
  dom0.run();
  assertEquals([get(IN_PROD), seen.notified], [3, 1]);
  assertEquals(new TextDecoder().decode(page.subarray(0, 3)), "ls\n");
  type("x".repeat(1021));
  dom0.run();
  assertEquals([get(IN_PROD), ring.hasRoom], [1024, false]);
  type("y");
  dom0.run();
  assertEquals(get(IN_PROD), 1024);
  seen.rooms = 0;
  set(IN_CONS, 10);
  signal();
  assertEquals([get(IN_PROD), page[0], seen.rooms, ring.hasRoom], [1025, 0x79, 1, true]);
});

Deno.test("ConsoleRing ignores indices that claim more than a ring holds", () => {
  const { ring, dom0, errors, seen, get, set, type, signal, written } = newConsole();
  set(OUT_PROD, 2049);
  set(IN_PROD, 1025);
  signal();
  signal();
  type("a");
  dom0.run();
  assertEquals([written(), get(OUT_CONS), get(IN_PROD), seen.notified], ["", 0, 1025, 0]);
  assertEquals([ring.hasRoom, errors], [false, [
    "xenconsole: output ignored: the ring claims 2049 bytes",
  ]]);
  set(OUT_PROD, 1);
  signal();
  assertEquals(get(OUT_CONS), 1);
});

Deno.test("ConsoleRing does nothing while the guest has no page there", () => {
  const { ring, dom0, seen, put, type, written, signal } = newConsole();
  put("a");
  const { page } = seen;
  seen.page = undefined;
  type("b");
  signal();
  dom0.run();
  assertEquals([written(), ring.hasRoom, seen.notified], ["", false, 0]);
  seen.page = page;
  signal();
  assertEquals([written(), seen.notified], ["a", 1]);
});

Deno.test("ConsoleRing.close() keeps what the guest wrote last, and serves nothing afterwards", () => {
  const { ring, dom0, seen, put, type, written, signal } = newConsole();
  put("last words");
  ring.close();
  assertEquals([written(), seen.notified], ["last words", 0]);
  put("more");
  type("x");
  signal();
  dom0.run();
  ring.close();
  assertEquals([written(), seen.notified], ["last words", 0]);
});
