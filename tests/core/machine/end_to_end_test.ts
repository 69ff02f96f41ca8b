/**
 * Bundled guests from power-on to their end: serial output, exit code, books, and what became of the
 * disk.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { sha256 } from "../../../core/cli/files.ts";
import { memoryDisk } from "../../../core/machine/storage.ts";
import {
  bootGuest,
  guestsHidden as ignore,
  imageBytes,
  snapshotOf,
  unbooked,
} from "../../helpers/machine.ts";

/** Value 0x10 at the debug exit port. */
const SUCCESS = 33;
const SECTORS = 4096;

// ---- every bundled guest -----------------------------------------------------------------------

const GUESTS = [
  { name: "hello", code: 33 },
  { name: "ide_pio", code: SUCCESS },
  { name: "ide_dma", code: SUCCESS },
  { name: "blkfront", code: SUCCESS },
  { name: "diskcmp", code: SUCCESS },
] as const;

for (const { name, code } of GUESTS) {
  Deno.test(`${name} ends with its status, twice alike, and leaves the disk`, { ignore }, () => {
    const bytes = imageBytes(SECTORS);
    const before = sha256(bytes);
    const first = bootGuest(name, { disk: memoryDisk(bytes) });
    assertEquals([first.result.reason, first.result.code], ["guest-exit", code], first.serial);
    assertEquals(unbooked(first.result.counters), 0);
    assertEquals(sha256(bytes), before);
    assertEquals(bootGuest(name, { disk: memoryDisk(bytes) }), first);
  });
}

Deno.test("hello prints each character once", { ignore }, () => {
  const { serial } = bootGuest("hello", { disk: memoryDisk(new Uint8Array(512)) });
  const sum = "Sector 0 read, sum of its words 0000";
  assertEquals(serial, `Hello from a boot sector\r\n${sum}\r\n`);
});

Deno.test("diskcmp writes reach a writable disk and no snapshot's image", { ignore }, () => {
  const append = "path=pv op=write bs=4096 count=8";
  const bytes = imageBytes(SECTORS);
  const before = sha256(bytes);
  assertEquals(bootGuest("diskcmp", { append, disk: snapshotOf(bytes) }).result.code, SUCCESS);
  assertEquals(sha256(bytes), before);
  assertEquals(bootGuest("diskcmp", { append, disk: memoryDisk(bytes) }).result.code, SUCCESS);
  assertEquals(sha256(bytes.subarray(8 * 4096)), sha256(imageBytes(SECTORS).subarray(8 * 4096)));
  assert(sha256(bytes) !== before);
});

Deno.test("diskcmp fails with a line when there is no disk", { ignore }, () => {
  const { result, serial } = bootGuest("diskcmp");
  assertEquals([result.code, serial], [35, "FAIL: no drive at primary master\n"]);
});

// ---- the hostile guest -------------------------------------------------------------------------

/** `errors`: guest errors that the offence makes. */
const SURVIVED = [
  { offence: "past-end", errors: 16 },
  { offence: "unplug-twice", errors: 0 },
  { offence: "ring-garbage", errors: 33 },
  { offence: "bad-grant", errors: 6 },
] as const;

for (const { offence, errors } of SURVIVED) {
  Deno.test(`hostile ${offence} gets its answer and the disk goes on`, { ignore }, () => {
    const bytes = imageBytes(SECTORS);
    const { result, serial } = bootGuest("hostile", {
      append: `do=${offence}`,
      disk: memoryDisk(bytes),
      maxTime: 1e9,
    });
    assertEquals(result.code, SUCCESS, serial);
    assertStringIncludes(serial, `hostile: ${offence}: ok\n`);
    assertEquals(result.counters.guestErrors, errors);
    assertEquals(unbooked(result.counters), 0);
    assertEquals(sha256(bytes), sha256(imageBytes(SECTORS)));
  });
}

const FATAL = [
  { offence: "triple-fault", reason: "guest-crash", code: 1, message: "triple fault" },
  { offence: "halt", reason: "guest-crash", code: 1, message: "HLT with interrupts disabled" },
  { offence: "poweroff", reason: "power-off", code: 0, message: undefined },
] as const;

for (const { offence, reason, code, message } of FATAL) {
  Deno.test(`hostile ${offence} ends the machine: ${reason}`, { ignore }, () => {
    const { result, serial } = bootGuest("hostile", { append: `do=${offence}` });
    const wanted = message === undefined ? undefined : `Guest crashed: ${message}`;
    assertEquals([result.reason, result.code, result.message], [reason, code, wanted]);
    assertEquals(serial.includes(`hostile: ${offence}\n`), true);
    assertEquals(result.dump === undefined, code === 0);
    assertEquals(unbooked(result.counters), 0);
  });
}

// ---- limits ------------------------------------------------------------------------------------

for (const maxInsns of [1, 1999, 1_000_003]) {
  Deno.test(`hostile spin stops after exactly ${maxInsns} instructions`, { ignore }, () => {
    const { result } = bootGuest("hostile", { append: "do=spin", maxInsns });
    assertEquals([result.reason, result.code], ["limit", 124]);
    assertEquals(result.counters.instructions, maxInsns);
    assertEquals(unbooked(result.counters), 0);
  });
}

Deno.test("hostile spin stops at exactly the time limit", { ignore }, () => {
  const { result } = bootGuest("hostile", { append: "do=spin", maxTime: 3_000_001 });
  assertEquals([result.reason, result.code], ["limit", 124]);
  assertEquals(result.counters.elapsedNs, 3_000_001);
  assertEquals(unbooked(result.counters), 0);
});
