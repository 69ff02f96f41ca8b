import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../core/errors.ts";
import {
  hostReason,
  readGuest,
  readInitrd,
  sha256,
  sha256OfDisk,
} from "../../../core/cli/files.ts";
import {
  COMPARE_IMAGE_SHA256,
  compareImageBytes,
  ensureCompareImage,
} from "../../../core/cli/compare_image.ts";
import { memoryDisk } from "../../../core/machine/storage.ts";
import { bootDisk } from "../../helpers/guest_files.ts";

const MIB = 1 << 20;
const files = (["read", "write"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);

/** A test in a folder of its own. */
function fileTest(name: string, fn: (folder: string) => void): void {
  Deno.test({
    name,
    ignore: !files,
    fn() {
      const folder = Deno.makeTempDirSync();
      try {
        fn(folder);
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
}

Deno.test("sha256OfDisk() covers the whole disk when it ends inside a chunk", () => {
  const bytes = new Uint8Array(MIB + 3 * 512).map((_, i) => i % 251);
  assertEquals(sha256OfDisk(memoryDisk(bytes)), sha256(bytes));
});

Deno.test("compareImageBytes() are the published ones", () => {
  const bytes = compareImageBytes();
  assertEquals(bytes.length, 16 * MIB);
  assertEquals(sha256(bytes), COMPARE_IMAGE_SHA256);
  assertEquals([...bytes.subarray(0, 8)], [0, 0, 0, 0, 0xb7, 0x28, 0x4e, 0x51]);
});

fileTest(
  "ensureCompareImage() makes the image, keeps it, and repairs it when changed",
  (folder) => {
    const path = `${folder}/out/compare.img`;
    ensureCompareImage(path);
    assertEquals(sha256(Deno.readFileSync(path)), COMPARE_IMAGE_SHA256);
    const { mtime, ino } = Deno.statSync(path);
    ensureCompareImage(path);
    assertEquals([Deno.statSync(path).mtime, Deno.statSync(path).ino], [mtime, ino]);
    Deno.writeFileSync(path, new Uint8Array(512));
    ensureCompareImage(path);
    assertEquals(sha256(Deno.readFileSync(path)), COMPARE_IMAGE_SHA256);
    assertEquals([...Deno.readDirSync(`${folder}/out`)].map((entry) => entry.name), [
      "compare.img",
    ]);
  },
);

fileTest("readGuest() reads all of a file, but only the boot sector of a large disk", (folder) => {
  const path = `${folder}/g.img`;
  Deno.writeFileSync(path, bootDisk(4096));
  assertEquals(readGuest(path, "g.img", 4 * MIB).bytes.length, 2 * MIB);
  const large = readGuest(path, "g.img", MIB);
  assertEquals([large.bytes.length, large.length], [512, 2 * MIB]);
});

fileTest("readGuest() takes a kernel larger than RAM for what it is, not for a disk", (folder) => {
  const kernel = bootDisk(4096);
  kernel.set(new TextEncoder().encode("HdrS"), 0x202);
  Deno.writeFileSync(`${folder}/vmlinuz`, kernel);
  const error = assertThrows(() => readGuest(`${folder}/vmlinuz`, "k", MIB), UsageError);
  assertEquals(error.message, 'Cannot load guest "k": 2097152 bytes do not fit into 1 MiB of RAM');
  assertEquals(error.hint, "-m 3 or more");
});

fileTest("readInitrd() reads all of a file, or says what is wrong with it", (folder) => {
  const path = `${folder}/i.gz`;
  Deno.writeFileSync(path, new Uint8Array(2 * MIB).fill(7));
  assertEquals(readInitrd(path, 2 * MIB), new Uint8Array(2 * MIB).fill(7));
  const message = (ramBytes: number, name: string) =>
    assertThrows(() => readInitrd(name, ramBytes), UsageError).message;
  assertEquals(
    message(MIB, path),
    `Cannot load initrd "${path}": 2097152 bytes do not fit into 1 MiB of RAM`,
  );
  assertEquals(
    message(MIB, `${folder}/none`),
    `Cannot read initrd "${folder}/none": no such file`,
  );
});

fileTest("readGuest() tells the user what is wrong with the file", (folder) => {
  const failure = (path: string) =>
    assertThrows(() => readGuest(path, "g", MIB, "deno task guests"), UsageError);
  const missing = failure(`${folder}/none`);
  assertEquals(missing.message, 'Cannot read guest "g": no such file');
  assertEquals(missing.hint, "deno task guests");
  assertEquals(failure(folder).message, 'Cannot read guest "g": it is a directory');
  assertEquals(failure("/dev/null").message, 'Cannot read guest "g": it is not a regular file');
  Deno.writeFileSync(`${folder}/big`, new Uint8Array(2 * MIB));
  const big = failure(`${folder}/big`);
  assertEquals(big.message, 'Cannot load guest "g": 2097152 bytes do not fit into 1 MiB of RAM');
  assertEquals(big.hint, "-m 3 or more");
  Deno.truncateSync(`${folder}/big`, 3072 * MIB);
  assertEquals(failure(`${folder}/big`).hint, "-m 1920 is the most that a machine has");
});

Deno.test("hostReason() leaves out the call and the path behind the host's words", () => {
  const full = "No space left on device (os error 28): writefile '/tmp/a'";
  assertEquals(hostReason(new Error(full)), "No space left on device (os error 28)");
  assertEquals(hostReason(new Error("no such thing")), "no such thing");
  const device = 'Requires all access to "/dev/full", run again with the --allow-all flag';
  assertEquals(hostReason(new Deno.errors.NotCapable(device)), "it is not a regular file");
});
