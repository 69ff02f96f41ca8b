import { assertEquals } from "@std/assert";
import type { RunResult } from "../../../core/machine/config.ts";
import { in32, out16, out8, outAl, pciWrite, romGuest } from "../../helpers/rom.ts";
import { boot } from "../../helpers/small_machine.ts";

const LOG = 0x402;
const PROBE = 0x0200;
const ROM_BYTE = 0x5a;
const HALT = [0xfa, 0xf4];
/** mov ax, 0f000h; mov ds, ax. */
const DS_BIOS = [0xb8, 0x00, 0xf0, 0x8e, 0xd8];
/** mov al, [200h]; to the log. */
const LOG_PROBE = [0xa0, PROBE & 0xff, PROBE >> 8, ...outAl(LOG)];
/** The same of CS. */
const LOG_PROBE_IN_CS = [0x2e, ...LOG_PROBE];
/** mov byte [200h], value. */
const setProbe = (value: number) => [0xc6, 0x06, PROBE & 0xff, PROBE >> 8, value];
/** What answers loads (1) and stores (2) at F0000 to FFFFF is RAM. */
const pam0 = (ram: number) => pciWrite(0, 0, 0x59, ram << 4);
const POWER_AT_600 = [...pciWrite(1, 3, 0x41, 0x06), ...pciWrite(1, 3, 0x80, 0x01)];

/** Runs a ROM on the board that hides Xen; what it logs, and how it ends. */
async function start(...code: number[]): Promise<{ log: number[]; result: RunResult }> {
  const log: number[] = [];
  const machine = boot(romGuest(code, { [PROBE]: ROM_BYTE }), {
    machine: "pc",
    maxTime: 10_000_000,
    onFirmwareByte: (byte) => log.push(byte),
  });
  return { log, result: await machine.run() };
}

Deno.test("Machine starts a BIOS at its reset vector, below 4 GiB and shown below 1 MiB", async () => {
  const { log } = await start(
    ...[0x88, 0xf0, ...outAl(LOG)], // mov al, dh: family
    ...[0x0f, 0x20, 0xc0, 0x66, 0xc1, 0xe8, 0x18, ...outAl(LOG)], // mov eax, cr0; shr eax, 24
    ...DS_BIOS,
    ...LOG_PROBE,
    ...pam0(3),
    ...LOG_PROBE,
    ...LOG_PROBE_IN_CS,
    ...HALT,
  );
  assertEquals(log, [0x06, 0x60, ROM_BYTE, 0x00, ROM_BYTE]);
});

Deno.test("Machine lets a BIOS copy itself into the RAM under it, and protect the copy", async () => {
  const { log } = await start(
    ...DS_BIOS,
    ...setProbe(0x11), // dropped
    ...LOG_PROBE,
    ...pam0(2),
    ...setProbe(0x22), // under the ROM
    ...LOG_PROBE,
    ...pam0(1),
    ...LOG_PROBE,
    ...setProbe(0x33), // dropped
    ...LOG_PROBE,
    ...HALT,
  );
  assertEquals(log, [ROM_BYTE, ROM_BYTE, 0x22, 0x22]);
});

Deno.test("Machine has no built-in services beside a BIOS image: memory is empty", async () => {
  const { log } = await start(
    ...[0x31, 0xc0, 0x8e, 0xd8], // xor ax, ax; mov ds, ax
    ...[0xa0, 0x42, 0x00, ...outAl(LOG)], // the vector of INT 10h
    ...[0xa0, 0x13, 0x04, ...outAl(LOG)], // KiB of base memory
    ...HALT,
  );
  assertEquals(log, [0, 0]);
});

Deno.test("Machine is switched off by PM1 control, as ACPI does it", async () => {
  const { result } = await start(...POWER_AT_600, ...out16(0x604, 0x0001), ...out16(0x604, 0x2001));
  assertEquals([result.reason, result.code, result.message], ["power-off", 0, undefined]);
});

Deno.test("Machine answers the PM timer in the hypervisor", async () => {
  const { result: without } = await start(...POWER_AT_600, ...HALT);
  const { result } = await start(...POWER_AT_600, ...in32(0x608), ...HALT);
  assertEquals(result.counters.exits.byPort["0x608:in"], 1);
  assertEquals(result.counters.ioreqs, without.counters.ioreqs);
});

for (
  const [name, code] of [
    ["port CF9h", out8(0xcf9, 0x06)],
    ["port 92h", out8(0x92, 0x01)],
    ["port 64h", out8(0x64, 0xfe)],
  ] as const
) {
  Deno.test(`Machine ends with a message when the guest resets it by ${name}`, async () => {
    const { reason, code: exitCode, message } = (await start(...code, 0xeb, 0xfe)).result;
    const text = `Guest asked for a reset by ${name}: this machine does not start again`;
    assertEquals([reason, exitCode, message], ["power-off", 0, text]);
  });
}

Deno.test("Machine masks A20 by port 92h, and opens it again", async () => {
  const { log } = await start(
    ...[0xea, 0x05, 0x00, 0x00, 0xf0], // jmp f000h:5, where bit 20 is 0
    ...[0xb8, 0x00, 0x00, 0x8e, 0xd8], // ds = 0
    ...[0xb8, 0xff, 0xff, 0x8e, 0xc0], // es = ffffh: 0010h is 1 MiB
    ...[0xc6, 0x06, 0x00, 0x05, 0x77], // mov byte [500h], 77h
    ...out8(0x92, 0x00),
    ...[0x26, 0xa0, 0x10, 0x05, ...outAl(LOG)], // mov al, es:[510h]
    ...out8(0x92, 0x02),
    ...[0x26, 0xa0, 0x10, 0x05, ...outAl(LOG)],
    ...HALT,
  );
  assertEquals(log, [0x77, 0x00]);
});
