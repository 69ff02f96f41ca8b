import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import config from "../../../deno.json" with { type: "json" };
import { runHost, TRAPRING, V86, V8_FLAGS } from "../../../core/cli/bench_host.ts";
import { GuestPanic } from "../../../core/errors.ts";
import { processTest } from "../../helpers/process.ts";

const PLACEMENT = "flat@0x100000";

/** Says a text on COM1, then ends. */
function talkingGuest(text: string): Uint8Array {
  return Uint8Array.of(
    ...[0xbe, 0x19, 0x00, 0x10, 0x00], // mov esi, .text
    ...[0xb9, text.length, 0x00, 0x00, 0x00], // mov ecx, length
    ...[0x66, 0xba, 0xf8, 0x03], // mov dx, 3f8h
    ...[0xf3, 0x6e], // rep outsb
    ...[0x66, 0xba, 0xf4, 0x00], // mov dx, 0f4h
    ...[0xee, 0x90, 0x90, 0x90, 0x90], // out dx, al
    ...new TextEncoder().encode(text),
  );
}

Deno.test("V8_FLAGS are those that users run a guest with", () => {
  assertStringIncludes(config.tasks.run.command, ` ${V8_FLAGS} `);
});

processTest(
  "runHost() reports the sections and the memory of a guest that ends",
  async (folder) => {
    const guest = `${folder}/a.bin`;
    const marks = "#B one\n#E one 0000abcd 00000002 0000000000000003\n#DONE\n";
    await Deno.writeFile(guest, talkingGuest(marks));
    const { measurements: [first], rssBytes } = await runHost(TRAPRING, [guest, PLACEMENT]);
    const { cpuNs, ...said } = first!;
    assertEquals(said, { name: "one", check: 0xabcd, units: 2, tsc: 3 });
    assertEquals([cpuNs >= 0, rssBytes > 1 << 20], [true, true]);
  },
);

processTest("runHost() throws what a guest said that did not come to its end", async (folder) => {
  const guest = `${folder}/a.bin`;
  await Deno.writeFile(guest, talkingGuest("#BADINT 00000001\n"));
  const error = await assertRejects(() => runHost(TRAPRING, [guest, PLACEMENT]), GuestPanic);
  assertStringIncludes(error.message, "trapring did not end: #BADINT 00000001; ");
});

processTest("V86 says how to install v86 where it is not, and installs nothing", async (folder) => {
  const script = join(import.meta.dirname!, "../../../core/cli", V86.script);
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-config", ...V86.flags, script, "none.img"],
    env: { DENO_DIR: folder, NO_COLOR: "1" },
    stdin: "null",
    stderr: "null",
  }).output();
  const { missing } = JSON.parse(new TextDecoder().decode(stdout));
  assertStringIncludes(missing, "deno cache --no-lock npm:v86@");
});
