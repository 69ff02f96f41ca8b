import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../core/errors.ts";
import { readGuest, readInitrd, readSymbolFile } from "../../../core/cli/files.ts";
import {
  createFile,
  SerialSink,
  writeAll,
  writeError,
  writeText,
} from "../../../core/cli/output.ts";
import { openDisk } from "../../../core/machine/storage.ts";

/** A stream that takes at most three bytes at a time. */
class SlowStream {
  readonly calls: number[] = [];
  text = "";

  writeSync(bytes: Uint8Array): number {
    const part = bytes.subarray(0, 3);
    this.text += new TextDecoder().decode(part);
    this.calls.push(part.length);
    return part.length;
  }
}

Deno.test("writeAll() goes on until the stream has taken everything", () => {
  const stream = new SlowStream();
  writeText(stream, "abcdefgh");
  assertEquals([stream.text, stream.calls], ["abcdefgh", [3, 3, 2]]);
  writeAll(stream, new Uint8Array());
  assertEquals(stream.calls.length, 3);
});

Deno.test("writeAll() blames the host for a stream that takes nothing, unless it is closed", () => {
  const refuse = (error: Error) => () =>
    writeText({
      writeSync: () => {
        throw error;
      },
    }, "a");
  const full = refuse(new Error("No space left on device (os error 28)"));
  assertThrows(full, UsageError, "Cannot write the output: No space left on device");
  const named = refuse(new UsageError("Cannot write x: No space left on device"));
  assertThrows(named, UsageError, "Cannot write x:");
  const closed = refuse(new Deno.errors.BrokenPipe("Broken pipe"));
  assertThrows(closed, Deno.errors.BrokenPipe);
});

Deno.test("SerialSink keeps bytes until flush(), however many", () => {
  const stream = new SlowStream();
  const sink = new SerialSink(stream);
  const text = "serial ".repeat(2000);
  for (const byte of new TextEncoder().encode(text)) sink.push(byte);
  assertEquals(stream.text, "");
  sink.flush();
  sink.flush();
  assertEquals(stream.text, text);
});

Deno.test("writeError() colours its labels only when the stream shows colours", () => {
  const outputs = [true, false].map((colour) => {
    const stderr = new SlowStream();
    writeError({ stdout: stderr, stderr, colour }, "Cannot x", "do y");
    return stderr.text;
  });
  assertEquals(outputs, [
    "\x1b[31mtrapring:\x1b[39m Cannot x\n\x1b[36mhint:\x1b[39m do y\n",
    "trapring: Cannot x\nhint: do y\n",
  ]);
});

Deno.test({
  name: "createFile() empties a file, unless that is a disk image or another output by now",
  ignore: Deno.permissions.querySync({ name: "write" }).state !== "granted",
  fn() {
    const folder = Deno.makeTempDirSync();
    const create = (name: string) => createFile("Cannot write x", `${folder}/${name}`);
    try {
      Deno.writeFileSync(`${folder}/a`, new Uint8Array(512));
      for (const snapshot of [false, true]) {
        const disk = openDisk(`${folder}/a`, { readOnly: false, snapshot });
        assertThrows(
          () => create("a"),
          UsageError,
          "Cannot write x: something else uses that file",
        );
        assertEquals(Deno.statSync(`${folder}/a`).size, 512);
        disk.close();
      }
      writeText(create("a"), "text");
      assertEquals(Deno.readTextFileSync(`${folder}/a`), "text");
      assertThrows(() => create("a"), UsageError, "something else uses that file");
      create("b");
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
    createFile("Cannot write x", "/dev/null");
  },
});

Deno.test({
  name: "createFile() leaves what has been read as input as it is",
  ignore: Deno.permissions.querySync({ name: "write" }).state !== "granted",
  fn() {
    const folder = Deno.makeTempDirSync();
    const inputs = {
      guest: (path: string) => readGuest(path, path, 1 << 20),
      initrd: (path: string) => readInitrd(path, 1 << 20),
      symbols: readSymbolFile,
    };
    try {
      for (const [name, read] of Object.entries(inputs)) {
        const path = `${folder}/${name}`;
        Deno.writeTextFileSync(path, name);
        read(path);
        Deno.symlinkSync(path, `${path}.link`);
        for (const named of [path, `${path}.link`]) {
          assertThrows(() => createFile("Cannot write x", named), UsageError, "as input");
        }
        assertEquals(Deno.readTextFileSync(path), name);
      }
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
