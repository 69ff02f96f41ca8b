import { assertEquals, assertThrows } from "@std/assert";
import { parseArgs } from "../../../core/cli/args.ts";
import type { RunOptions } from "../../../core/cli/run_args.ts";
import { listGuest } from "../../../core/cli/disasm.ts";
import { UsageError } from "../../../core/errors.ts";
import type { GuestImage } from "../../../core/load/image.ts";
import { processTest, runTrapring } from "../../helpers/process.ts";
import { bootGuest, flatGuest } from "../../helpers/small_machine.ts";

/** What `run g.bin` prints with these options. */
function list(guest: GuestImage, ...args: string[]) {
  const written = { stdout: "", stderr: "" };
  const stream = (name: keyof typeof written) => ({
    writeSync(bytes: Uint8Array): number {
      written[name] += new TextDecoder().decode(bytes);
      return bytes.length;
    },
  });
  const options = parseArgs(["run", "g.bin", ...args]) as RunOptions;
  const streams = { stdout: stream("stdout"), stderr: stream("stderr"), colour: false };
  const code = listGuest(guest, options.disasm!, options, streams);
  return { code, ...written };
}

const CODE = [0xb8, 0x01, 0x00, 0x00, 0x00, 0xf4];

Deno.test("listGuest() prints the file from its entry point to its end, code 0", () => {
  assertEquals(list(flatGuest(...CODE), "--disasm"), {
    code: 0,
    stdout: "  100000:  b8 01 00 00 00         mov    eax,0x1\n" +
      "  100005:  f4                     hlt\n",
    stderr: "",
  });
});

Deno.test("listGuest() reads a real-mode guest as 16-bit code", () => {
  assertEquals(
    list(bootGuest(...CODE), "--disasm=0x7c00,2").stdout,
    "    7c00:  b8 01 00               mov    ax,0x1\n" +
      "    7c03:  00 00                  add    BYTE PTR [bx+si],al\n",
  );
});

Deno.test("listGuest() says when it stops by itself, and how to go on", () => {
  const nops = flatGuest(...new Array<number>(101).fill(0x90));
  const { stdout, stderr } = list(nops, "--disasm");
  assertEquals(stdout.split("\n").length, 101);
  assertEquals(stderr, "trapring: stopped after 100 instructions, --disasm=0x100064 goes on\n");
  assertEquals(list(nops, "--disasm", "--quiet").stderr, "");
  assertEquals(list(nops, "--disasm=0x100000,100").stderr, "");
});

Deno.test("listGuest() prints one object with --json", () => {
  const { stdout } = list(flatGuest(...CODE), "--disasm=0x100005", "--json");
  assertEquals(JSON.parse(stdout), {
    mode: "protected32",
    instructions: [{ address: 0x100005, bytes: "f4", text: "hlt" }],
  });
});

Deno.test("listGuest() names what there is when the address is outside the guest", () => {
  const { message, hint } = assertThrows(
    () => list(flatGuest(...CODE), "--disasm=0x7c00"),
    UsageError,
  );
  assertEquals(message, 'Cannot disassemble at 0x7c00: guest "g.bin" has no bytes there');
  assertEquals(hint, "its file is loaded at 0x100000 to 0x100005");
});

processTest("run --disasm prints instead of running, and exits with 0", async (folder) => {
  await Deno.writeFile(`${folder}/g.bin`, Uint8Array.from(CODE));
  const { code, stdout } = await runTrapring(
    folder,
    ...["run", "g.bin", "--load", "flat16@0x7c00", "--disasm", "--disk", "none.img"],
  );
  assertEquals(code, 0);
  assertEquals(stdout.split("\n")[0], "    7c00:  b8 01 00               mov    ax,0x1");
});
