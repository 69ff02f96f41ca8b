import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { GuestImage } from "../../../core/load/image.ts";
import { ENDLESS_EXCEPTIONS } from "../../../core/machine/exceptions.ts";
import { boot, bootGuest, flatGuest, outb } from "../../helpers/small_machine.ts";

/** Runs a guest that must crash; if it does not, it ends all the same. */
async function crash(guest: GuestImage): Promise<{ message: string; lines: string[] }> {
  const { reason, code, message, dump } = await boot(guest, { maxInsns: 1_000_000 }).run();
  assertEquals([reason, code], ["guest-crash", 1]);
  return { message: message!, lines: dump!.split("\n") };
}

/** Lines that begin so, without their first word. */
function linesOf(lines: readonly string[], word: string): string[] {
  return lines.filter((line) => line.startsWith(`${word} `))
    .map((line) => line.slice(word.length).trim());
}

Deno.test("A triple fault ends the run with registers, tables, code, exceptions and exits", async () => {
  // mov eax, 12345678h; ud2; nop: there is no IDT
  const { message, lines } = await crash(
    flatGuest(0xb8, 0x78, 0x56, 0x34, 0x12, 0x0f, 0x0b, 0x90),
  );
  assertEquals(message, "Guest crashed: triple fault");
  assertStringIncludes(lines.join("\n"), "eax=12345678 ecx=00000000");
  assertStringIncludes(
    lines.join("\n"),
    "eip=00100005 eflags=00000002 [IOPL=0] cpl=0",
  );
  assertEquals(linesOf(lines, "cs"), ["0008 base=00000000 limit=ffffffff attr=c09b"]);
  assertEquals(linesOf(lines, "ldtr"), ["0000 unusable"]);
  assertEquals(linesOf(lines, "idt"), ["base=00000000 limit=0000"]);
  const at = lines.findIndex((line) => line.startsWith("=>"));
  assertEquals(lines.slice(at - 1, at + 2).map((line) => line.trim().replaceAll(/ +/g, " ")), [
    "100000: b8 78 56 34 12 mov eax,0x12345678",
    "=> 100005: 0f 0b ud2",
    "100007: 90 nop",
  ]);
  const exceptions = linesOf(lines, "exception");
  assertEquals(exceptions[0], "#UD at 0008:00100005");
  assertEquals(exceptions.at(-2), "#DF code 0000 at 0008:00100005");
  assertEquals(linesOf(lines, "exit"), ["TRIPLE_FAULT at 00100005, 2 ns"]);
});

Deno.test("HLT with IF = 0 ends the run with the exits before it, values and all", async () => {
  const { message, lines } = await crash(flatGuest(...outb(0x3ff, 0x5a), 0xec, 0xf4));
  assertEquals(message, "Guest crashed: HLT with interrupts disabled");
  const exits = linesOf(lines, "exit");
  assertEquals(exits.map((line) => line.replace(/\d+ ns/, "N ns")), [
    "IO_INSTRUCTION at 00100006, N ns: out port 3ff, byte 5a, qualification 03ff0000",
    "IO_INSTRUCTION at 00100007, N ns: in port 3ff, byte 5a, qualification 03ff0008",
    "HLT at 00100008, N ns",
  ]);
  const before = lines[lines.findIndex((line) => line.startsWith("=>")) - 1]!;
  assertMatch(before, /^ +100008: +f4 +hlt$/);
});

Deno.test("A guest that sleeps for ever behind a masked timer crashes", async () => {
  const masked = [...outb(0x21, 0xff), ...outb(0xa1, 0xff)];
  const ticking = [...outb(0x43, 0x34), ...outb(0x40, 0), ...outb(0x40, 0)];
  const { message } = await crash(flatGuest(...masked, ...ticking, 0xfb, 0xf4)); // sti; hlt
  assertEquals(message, "Guest crashed: the guest waits for ever");
});

Deno.test("HLT with IF = 0 is how a guest of a board without Xen switches off", async () => {
  const { reason, code, message } = await boot(flatGuest(0xf4), { machine: "pc" }).run();
  assertEquals([reason, code, message], [
    "power-off",
    0,
    "Guest halted: HLT with interrupts disabled",
  ]);
});

Deno.test("A handler that faults for ever ends the run, in 16-bit code", async () => {
  const { message, lines } = await crash(bootGuest(
    ...[0xb8, 0x00, 0x20, 0x8e, 0xd0], // mov ax, 2000h; mov ss, ax
    ...[0xc7, 0x06, 0x18, 0x00, 0x11, 0x7c], // mov word [6 * 4], 7c11h
    ...[0xc7, 0x06, 0x1a, 0x00, 0x00, 0x00], // mov word [6 * 4 + 2], 0
    ...[0x0f, 0x0b], // ud2: its own handler
  ));
  assertEquals(
    message,
    `Guest crashed: ${ENDLESS_EXCEPTIONS} exceptions in a row and no instruction between them`,
  );
  assertMatch(lines[0]!, new RegExp(`, ${ENDLESS_EXCEPTIONS + 4} instructions$`));
  assertEquals(linesOf(lines, "exception").at(-1), "#UD at 0000:00007c11");
  const at = lines.findIndex((line) => line.startsWith("=>"));
  assertMatch(lines[at - 1]!, /^ +7c0b: +c7 06 1a 00 00 00 +mov +WORD PTR ds:0x1a,0x0$/);
  assertMatch(lines[at]!, /^=> +7c11: +0f 0b +ud2$/);
});

Deno.test("A guest that goes on between its exceptions is not a lost one", async () => {
  // As above, but the handler is an IRET to the ud2.
  const guest = bootGuest(
    ...[0xc7, 0x06, 0x18, 0x00, 0x0e, 0x7c], // mov word [6 * 4], 7c0eh
    ...[0xc7, 0x06, 0x1a, 0x00, 0x00, 0x00], // mov word [6 * 4 + 2], 0
    ...[0x0f, 0x0b, 0xcf], // ud2; iret
  );
  const { reason } = await boot(guest, { maxInsns: 3 * ENDLESS_EXCEPTIONS }).run();
  assertEquals(reason, "limit");
});
