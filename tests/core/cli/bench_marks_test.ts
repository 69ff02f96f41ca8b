import { assertEquals } from "@std/assert";
import { MarkReader } from "../../../core/cli/bench_marks.ts";

function say(reader: MarkReader, text: string): void {
  for (const byte of new TextEncoder().encode(text)) reader.push(byte);
}

Deno.test("MarkReader.push() takes the CPU time between the two marks of a section", () => {
  let now = 100;
  const reader = new MarkReader(() => now);
  say(reader, "#BOOT\n#B sieve\n");
  now = 350;
  say(reader, "#E sieve 00014069 00000014 000000010e6b770c\n");
  assertEquals(reader.measurements, [
    { name: "sieve", check: 0x14069, units: 20, tsc: 0x10e6b770c, cpuNs: 250 },
  ]);
  assertEquals(reader.messages, []);
});

Deno.test("MarkReader.done tells a guest that ended from one that gave up", () => {
  const reader = new MarkReader(() => 0);
  say(reader, "#B pio_4k_random\n#IDEERR 00000051\r\n");
  assertEquals(reader.done, false);
  assertEquals(reader.messages, ["#IDEERR 00000051"]);
  say(reader, "#DONE\n");
  assertEquals(reader.done, true);
});
