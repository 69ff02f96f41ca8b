import { assertEquals } from "@std/assert";
import { VirtualClock } from "../../../core/clock.ts";
import { Uart16550 } from "../../../devices/uart.ts";
import { makeBios } from "../../helpers/bios.ts";

const [INIT, SEND, RECEIVE, STATUS] = [0x0000, 0x0100, 0x0200, 0x0300];

function makeSerial() {
  const test = makeBios();
  const sent: number[] = [];
  const uart = new Uart16550(new VirtualClock(), { set: () => {} }, (byte) => sent.push(byte));
  test.ports.map("com1", 0x3f8, 8, uart);
  const call = (ax: number, dx: number = 0) => {
    test.call(0x14, { ax, dx });
    return test.ax;
  };
  const get = (register: number) => test.ports.read(0x3f8 + register, 1);
  return { test, uart, sent, call, get };
}

Deno.test("BiosSerial tells the status of line and modem, as SeaBIOS does of QEMU's port", () => {
  assertEquals(makeSerial().call(STATUS), 0x60b0);
});

Deno.test("BiosSerial sends what it is given", () => {
  const { sent, call } = makeSerial();
  assertEquals([..."ok"].map((char) => call(SEND | char.charCodeAt(0))), [0x606f, 0x606b]);
  assertEquals(String.fromCharCode(...sent), "ok");
});

Deno.test("BiosSerial receives a byte with its errors, and says in bit 7 of AH that there is none", () => {
  const { uart, call } = makeSerial();
  assertEquals(call(RECEIVE) & 0x8000, 0x8000);
  uart.receive(0x41);
  assertEquals(call(RECEIVE), 0x0041);
  uart.receiveBreak();
  assertEquals(call(RECEIVE), 0x1000);
});

Deno.test("BiosSerial sets speed and format", () => {
  const rows: readonly [parameters: number, divisor: number, control: number][] = [
    [0xe3, 12, 0x03], // 9600 baud, 8 bits
    [0x1a, 1047, 0x1a], // 110 baud, 7 bits, even parity
    [0x87, 96, 0x07], // 1200 baud, 8 bits, two stop bits
  ];
  for (const [parameters, divisor, control] of rows) {
    const { test, call, get } = makeSerial();
    assertEquals(call(INIT | parameters), 0x60b0);
    assertEquals(get(3), control);
    test.ports.write(0x3fb, 1, 0x80);
    assertEquals(get(0) | get(1) << 8, divisor);
  }
});

Deno.test("BiosSerial leaves the caller of a port alone that there is not", () => {
  assertEquals(makeSerial().call(STATUS, 1), STATUS);
});
