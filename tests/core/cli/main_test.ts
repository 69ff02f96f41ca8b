import { assertEquals } from "@std/assert";
import { main } from "../../../core/cli/main.ts";

/** A stream that keeps what it is given. */
class Collector {
  text = "";

  writeSync(bytes: Uint8Array): number {
    this.text += new TextDecoder().decode(bytes);
    return bytes.length;
  }
}

async function command(...args: string[]) {
  const stdout = new Collector();
  const stderr = new Collector();
  const code = await main(args, { stdout, stderr, colour: false });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

Deno.test("main() answers an unknown option with one line, a hint and code 2", async () => {
  assertEquals(await command("run", "g.bin", "--snapshto"), {
    code: 2,
    stdout: "",
    stderr: "trapring: unknown option '--snapshto'\nhint: Did you mean --snapshot?\n",
  });
});

Deno.test("main() prints help and version on standard output with code 0", async () => {
  assertEquals(await command("--version"), { code: 0, stdout: "0.1.0\n", stderr: "" });
  const { code, stderr, stdout } = await command("compare", "--help");
  assertEquals([code, stderr, stdout.startsWith("Usage: trapring compare")], [0, "", true]);
});

Deno.test("main() lists presets with code 0", async () => {
  const { code, stdout, stderr } = await command("run", "--cost", "help");
  assertEquals([code, stdout.includes("xen-2007"), stderr], [0, true, ""]);
});
