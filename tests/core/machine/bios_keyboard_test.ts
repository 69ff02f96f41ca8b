import { assertEquals } from "@std/assert";
import { makeBios } from "../../helpers/bios.ts";
import { boot, bootGuest, exitWith } from "../../helpers/small_machine.ts";

const [READ, PEEK, FLAGS, STORE, ALL_FLAGS] = [0x0000, 0x0100, 0x0200, 0x0500, 0x1200];

/** A BIOS with a keyboard that sends these scan codes, each with its interrupt. */
function typed(...scanCodes: readonly number[]) {
  const test = makeBios();
  const port = { readPort: () => scanCodes[at]!, writePort: () => {} };
  let at = 0;
  test.ports.map("keyboard", 0x60, 1, port);
  for (; at < scanCodes.length; at++) test.call(0x09, {});
  return test;
}

Deno.test("BiosKeyboard gives the keys in their order, with scan code and character", () => {
  const rows: readonly [scanCodes: number[], ax: number][] = [
    [[0x1e, 0x9e], 0x1e61], // a
    [[0x2a, 0x1e, 0x9e, 0xaa], 0x1e41], // A
    [[0x36, 0x03], 0x0340], // @
    [[0x1d, 0x2e], 0x2e03], // Control C
    [[0x38, 0x1e], 0x1e00], // Alt A
    [[0xe0, 0x38, 0x1e], 0x1e00],
    [[0x1c], 0x1c0d],
    [[0x0e], 0x0e08],
    [[0x01], 0x011b],
    [[0xe0, 0x48, 0xe0, 0xc8], 0x4800], // up
    [[0x3b], 0x3b00], // F1
    [[0x2a, 0xaa, 0x39], 0x3920],
  ];
  for (const [scanCodes, ax] of rows) {
    const test = typed(...scanCodes);
    test.call(0x16, { ax: PEEK });
    assertEquals([test.ax, test.zero], [ax, false]);
    test.call(0x16, { ax: READ });
    assertEquals([test.ax, test.vcpu.eflags & 1], [ax, 0]);
    test.call(0x16, { ax: PEEK });
    assertEquals(test.zero, true);
  }
});

Deno.test("BiosKeyboard keeps fifteen keys and the state of the shift keys", () => {
  const test = typed(0x2a, ...new Array(20).fill(0x1e), 0x1d);
  let keys = 0;
  for (test.call(0x16, { ax: PEEK }); !test.zero; test.call(0x16, { ax: PEEK })) {
    test.call(0x16, { ax: READ });
    keys++;
  }
  test.call(0x16, { ax: FLAGS });
  assertEquals([keys, test.ax & 0xff], [15, 0x06]);
});

Deno.test("BiosKeyboard tells of Control and Alt in AH too when it is asked for all shift keys", () => {
  const rows: readonly [scanCodes: number[], ax: number][] = [
    [[], 0x0000],
    [[0x2a], 0x0002],
    [[0x1d], 0x0104],
    [[0x38], 0x0208],
    [[0x1d, 0x38, 0x9d], 0x0208],
  ];
  for (const [scanCodes, ax] of rows) {
    const test = typed(...scanCodes);
    test.call(0x16, { ax: ALL_FLAGS });
    assertEquals(test.ax, ax);
  }
});

Deno.test("BiosKeyboard takes keys from software, and says in AL when there is no room", () => {
  const test = typed();
  for (let key = 1; key <= 16; key++) {
    test.call(0x16, { ax: STORE, cx: 0x1e00 | key });
    assertEquals(test.ax, key <= 15 ? 0x0500 : 0x0501);
  }
  for (let key = 1; key <= 15; key++) {
    test.call(0x16, { ax: READ });
    assertEquals(test.ax, 0x1e00 | key);
  }
  test.call(0x16, { ax: PEEK });
  assertEquals(test.zero, true);
});

Deno.test("BiosKeyboard ends its interrupt", () => {
  assertEquals(typed(0x1e).pic.log, ["out 0 size 1 20"]);
});

for (const source of ["keyboard", "serial"] as const) {
  Deno.test(`BiosKeyboard lets a boot sector read what is typed on the ${source} line`, async () => {
    const printed: number[] = [];
    // deno-fmt-ignore
    const echo = bootGuest(
      0xb4, 0x00, 0xcd, 0x16, // next: mov ah, 0; int 16h
      0xb4, 0x0e, 0xcd, 0x10, // mov ah, 0eh; int 10h
      0x3c, 0x0d, 0x75, 0xf4, // cmp al, 0dh; jne next
      ...exitWith(1),
    );
    const machine = boot(echo, { maxTime: 5e9, onSerialByte: (byte) => printed.push(byte) });
    machine.input(source, new TextEncoder().encode("Hello!\r"));
    const { reason } = await machine.run();
    assertEquals([reason, String.fromCharCode(...printed)], ["guest-exit", "Hello!\r"]);
  });
}
