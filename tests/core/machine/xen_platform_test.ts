import { assertEquals } from "@std/assert";
import { boot, dword, exitWith, flatGuest, outb, store } from "../../helpers/small_machine.ts";

const load = (at: number) => [0xa1, ...dword(at)]; // mov eax, [at]
const OUT_AL = exitWith(0).slice(2);

Deno.test("Machine: the platform device write-protects what lies below 1 MiB, until told", () => {
  const locked = [...outb(0x10, 1), ...store(0xc8000, 0x22)];
  const run = (...code: readonly number[]) => boot(flatGuest(...code)).runSlice()!.code;
  assertEquals(run(...store(0xc8000, 0x11), ...locked, ...load(0xc8000), ...OUT_AL), 0x23);
  const opened = [...outb(0x10, 0), ...store(0xc8000, 0x33)];
  assertEquals(run(...locked, ...opened, ...load(0xc8000), ...OUT_AL), 0x67);
});

Deno.test("Machine: BAR 1 of the platform device reads zeros where no page is mapped", () => {
  assertEquals(boot(flatGuest(...load(0xf0000000), ...OUT_AL)).runSlice()!.code, 1);
  assertEquals(boot(flatGuest(...load(0xe0000000), ...OUT_AL)).runSlice()!.code, 0xff);
});
