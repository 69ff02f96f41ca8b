import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ImageError } from "../../../core/errors.ts";
import { RawImage } from "../../../devices/disk/raw.ts";
import { mayUseFiles, pattern, withFolder } from "../../helpers/disk.ts";
import { mayMount, withSmallDisk } from "../../helpers/full_disk.ts";

const ignore = !mayUseFiles;

function withImage(bytes: Uint8Array, body: (path: string) => void): void {
  withFolder((folder) => {
    const path = `${folder}/a.img`;
    Deno.writeFileSync(path, bytes);
    body(path);
  });
}

function failure(action: () => unknown): ImageError {
  return assertThrows(action, ImageError) as ImageError;
}

Deno.test({
  name: "RawImage reads and writes the file itself",
  ignore,
  fn: () =>
    withImage(pattern(8 * 512), (path) => {
      const image = RawImage.open(path);
      const ram = new Uint8Array(4096);
      image.read(2, ram.subarray(512, 2048));
      image.write(7, ram.subarray(512, 1024));
      image.flush();
      image.close();
      assertEquals(image.sectorCount, 8);
      assertEquals(ram.subarray(512, 2048), pattern(8 * 512).subarray(1024, 2560));
      assertEquals(Deno.readFileSync(path).subarray(7 * 512), ram.subarray(512, 1024));
    }),
});

Deno.test({
  name: "RawImage keeps writes over a restart",
  ignore,
  fn: () =>
    withImage(new Uint8Array(4096), (path) => {
      const first = RawImage.open(path);
      first.write(1, pattern(1024));
      first.flush();
      first.close();
      const second = RawImage.open(path, { readOnly: true });
      const into = new Uint8Array(1024);
      second.read(1, into);
      second.close();
      assertEquals(into, pattern(1024));
    }),
});

Deno.test({
  name: "RawImage.open() says what is wrong with the length",
  ignore,
  fn: () =>
    withImage(new Uint8Array(1000), (path) => {
      const error = failure(() => RawImage.open(path));
      assertEquals(
        error.message,
        `Cannot open disk image "${path}": length 1000 is not a multiple of 512`,
      );
      assertEquals(error.hint, `truncate -s 1024 ${path}`);
      assertEquals(Deno.statSync(path).size, 1000);
    }),
});

Deno.test({
  name: "RawImage.open() names an empty file, a missing one and a directory",
  ignore,
  fn: () =>
    withFolder((folder) => {
      Deno.writeFileSync(`${folder}/empty.img`, new Uint8Array(0));
      const why = (name: string): string => {
        const path = `${folder}${name}`;
        return failure(() => RawImage.open(path)).message.replace(path, "X");
      };
      assertEquals(why("/empty.img"), 'Cannot open disk image "X": it is empty');
      assertEquals(why("/missing.img"), 'Cannot open disk image "X": no such file');
      assertEquals(why(""), 'Cannot open disk image "X": it is a directory');
    }),
});

Deno.test({
  name: "RawImage.open() explains a permission that is missing",
  ignore,
  permissions: ignore ? "none" : { read: true, write: false },
  fn: () => {
    const path = new URL(import.meta.url).pathname;
    const error = failure(() => RawImage.open(path));
    assertEquals(error.message.startsWith(`Cannot open disk image "${path}": `), true);
    assertEquals(error.message.includes("write access"), true);
  },
});

Deno.test({
  name: "RawImage opened read-only refuses to write and leaves the file alone",
  ignore,
  fn: () =>
    withImage(pattern(512), (path) => {
      const image = RawImage.open(path, { readOnly: true });
      const error = failure(() => image.write(0, new Uint8Array(512)));
      image.flush();
      image.close();
      assertEquals(error.message, `Cannot write disk image "${path}": it was opened read-only`);
      assertEquals(Deno.readFileSync(path), pattern(512));
    }),
});

Deno.test({
  name: "RawImage.read() fails when the file has become shorter",
  ignore,
  fn: () =>
    withImage(pattern(2048), (path) => {
      const image = RawImage.open(path);
      Deno.truncateSync(path, 1024);
      const error = failure(() => image.read(1, new Uint8Array(1024)));
      image.close();
      assertEquals(error.message, `Cannot read disk image "${path}": it ends at byte 1024`);
    }),
});

Deno.test({
  name: "RawImage.open() shares an image among readers, and gives it to one writer alone",
  ignore,
  fn: () =>
    withImage(pattern(512), (path) => {
      const lock = "lock; is another process using the image?";
      const readers = [0, 1].map(() => RawImage.open(path, { readOnly: true }));
      assertEquals(
        failure(() => RawImage.open(path)).message,
        `Cannot open disk image "${path}": failed to get "write" ${lock}`,
      );
      for (const reader of readers) reader.close();
      const writer = RawImage.open(path);
      assertEquals(
        failure(() => RawImage.open(path, { readOnly: true })).message,
        `Cannot open disk image "${path}": failed to get shared "write" ${lock}`,
      );
      writer.close();
      RawImage.open(path).close();
    }),
});

Deno.test({
  name: "RawImage refuses everything after close()",
  ignore,
  fn: () =>
    withImage(pattern(512), (path) => {
      const image = RawImage.open(path);
      image.close();
      image.close();
      assertEquals(
        failure(() => image.flush()).message,
        `Cannot flush disk image "${path}": it is closed`,
      );
    }),
});

Deno.test({
  name: "RawImage reads zeros behind an incomplete block that is to be filled up",
  ignore,
  fn: () =>
    withImage(pattern(2048 + 700), (path) => {
      const image = RawImage.open(path, { readOnly: true, padTo: 2048 });
      const ram = new Uint8Array(2048).fill(0xaa);
      image.read(4, ram);
      image.close();
      assertEquals(image.sectorCount, 8);
      assertEquals(ram.subarray(0, 700), pattern(2048 + 700).subarray(2048));
      assertEquals(ram.subarray(700), new Uint8Array(2048 - 700));
    }),
});

Deno.test({
  name:
    "RawImage.write() stores what fits when the host's disk is full, and the rest when it is not",
  ignore: !mayMount,
  fn: () =>
    withSmallDisk(64 << 10, (folder) => {
      const path = `${folder}/a.img`;
      Deno.writeFileSync(path, new Uint8Array(0));
      Deno.truncateSync(path, 1 << 20);
      Deno.writeFileSync(`${folder}/other`, new Uint8Array(32 << 10));
      const image = RawImage.open(path);
      image.write(0, pattern(16 << 10));
      const { message } = failure(() => image.write(64, pattern(64 << 10)));
      assertStringIncludes(message, `Cannot write disk image "${path}": No space left`);
      Deno.removeSync(`${folder}/other`);
      image.write(64, pattern(16 << 10, 2));
      image.flush();
      image.close();
      const stored = Deno.readFileSync(path);
      assertEquals(stored.length, 1 << 20);
      assertEquals(stored.subarray(0, 16 << 10), pattern(16 << 10));
      assertEquals(stored.subarray(32 << 10, 48 << 10), pattern(16 << 10, 2));
    }),
});
