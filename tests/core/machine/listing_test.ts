import { assertEquals } from "@std/assert";
import { codeFrom } from "../../../core/cpu/disasm.ts";
import { MODE } from "../../../core/cpu/state.ts";
import { loadBios } from "../../../core/load/bios.ts";
import { type Code, codeOf, listAround, listCode } from "../../../core/machine/listing.ts";
import { unhex } from "../../helpers/oracle.ts";

/** 32-bit code at 1000h; nothing else is mapped. */
function codeAt1000(hex: string): Code {
  const bytes = unhex(hex.replaceAll(" ", ""));
  return { bytes: codeFrom((at) => bytes[at - 0x1000]), mode: MODE.CODE32 };
}

/** Lines without columns. */
const around = (hex: string, eip: number): string[] =>
  listAround(codeAt1000(hex), eip).map((line) => line.replaceAll(/ +/g, " ").trim());

Deno.test("listCode() ends where the memory ends, byte by byte through what is cut short", () => {
  const listed = listCode(codeAt1000("90 b8 01"), 0x1000, 10);
  assertEquals(listed.map(({ address, text }) => [address, text]), [
    [0x1000, "nop"],
    [0x1001, "(bad)"],
    [0x1002, "(bad)"],
  ]);
});

Deno.test("listAround() shows four instructions before EIP, in step with it", () => {
  // inc eax; mov eax, 90909090h; push eax; inc ecx; dec ecx; int3; nop
  const lines = around("40 b8 90 90 90 90 50 41 49 cc 90", 0x1009);
  assertEquals(lines, [
    "1001: b8 90 90 90 90 mov eax,0x90909090",
    "1006: 50 push eax",
    "1007: 41 inc ecx",
    "1008: 49 dec ecx",
    "=> 1009: cc int3",
    "100a: 90 nop",
  ]);
});

Deno.test("listAround() takes no padding for code", () => {
  // Zeros, then mov eax, 12345678h; ud2
  const lines = around(`${"00".repeat(64)} b8 78 56 34 12 0f 0b`, 0x1045);
  assertEquals(lines, ["1040: b8 78 56 34 12 mov eax,0x12345678", "=> 1045: 0f 0b ud2"]);
});

Deno.test("listAround() says when EIP is not mapped", () => {
  assertEquals(around("90", 0x2000), ["=> 2000: not mapped"]);
});

Deno.test("codeOf() of a BIOS is its last 64 KiB", () => {
  const rom = new Uint8Array(0x20000);
  rom.set([0xea, 0x5b, 0xe0, 0x00, 0xf0], 0x1fff0);
  const [first] = listCode(codeOf(loadBios(rom, "b")), 0xfff0, 1);
  assertEquals(first?.text.replace(/\s+/, " "), "jmp far 0xf000:0xe05b");
});
