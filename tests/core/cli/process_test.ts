/**
 * The command line as users start it: bad input, durability, signals, pipes.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { sha256 } from "../../../core/cli/files.ts";
import { mayMount, mountSmallDisk } from "../../helpers/full_disk.ts";
import { bootDisk } from "../../helpers/guest_files.ts";
import { bzImage } from "../../helpers/linux_files.ts";
import { imageBytes, writtenPattern } from "../../helpers/machine.ts";
import { unhex } from "../../helpers/oracle.ts";
import { guestPath, processTest, runTrapring, trapring } from "../../helpers/process.ts";

const SECTORS = 4096;
const BLKFRONT = guestPath("blkfront");
const DISKCMP = guestPath("diskcmp");
const HOSTILE = guestPath("hostile");

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function hashOf(path: string): Promise<string> {
  return sha256(await Deno.readFile(path));
}

// ---- bad input ---------------------------------------------------------------------------------

/** `make` leaves what the arguments name; `says` is in the one line, `hint` in the other. */
const BAD = [
  {
    what: "a missing image",
    args: ["run", HOSTILE, "--disk", "none.img"],
    code: 1,
    says: 'Cannot open disk image "none.img"',
  },
  {
    what: "an empty image",
    make: (folder: string) => Deno.writeFile(`${folder}/a.img`, new Uint8Array(0)),
    args: ["run", HOSTILE, "--disk", "a.img"],
    code: 1,
    says: 'Cannot open disk image "a.img"',
  },
  {
    what: "an image that is a folder",
    make: (folder: string) => Deno.mkdir(`${folder}/a.img`),
    args: ["run", HOSTILE, "--disk", "a.img"],
    code: 1,
    says: 'Cannot open disk image "a.img"',
  },
  {
    what: "an image of 1000 bytes to compare on",
    make: (folder: string) => Deno.writeFile(`${folder}/a.img`, new Uint8Array(1000)),
    args: ["compare", "--disk", "a.img"],
    code: 1,
    says: "length 1000 is not a multiple of 512",
  },
  {
    what: "a boot sector in the place of a benchmark guest",
    make: (folder: string) => Deno.writeFile(`${folder}/g.bin`, bootDisk(1)),
    args: ["compare", "g.bin"],
    code: 2,
    says: 'Cannot compare with guest "g.bin": it is a boot sector, which cannot be told what to do',
    hint: "Multiboot",
  },
  {
    what: "a Linux kernel in the place of a benchmark guest",
    make: (folder: string) => Deno.writeFile(`${folder}/vmlinuz`, bzImage()),
    args: ["compare", "vmlinuz"],
    code: 2,
    says: 'Cannot compare with guest "vmlinuz": it is a Linux kernel',
    hint: "--kernel vmlinuz",
  },
  {
    what: "an option with a letter too few",
    args: ["run", HOSTILE, "--max-inns", "5"],
    code: 2,
    says: "unknown option '--max-inns'",
    hint: "--max-insns",
  },
  {
    what: "a guest of garbage",
    make: (folder: string) => Deno.writeFile(`${folder}/g.bin`, imageBytes(8)),
    args: ["run", "g.bin"],
    code: 2,
    says: 'Cannot load guest "g.bin"',
  },
  {
    what: "a guest larger than RAM",
    make: async (folder: string) => {
      await Deno.copyFile(HOSTILE, `${folder}/g.bin`);
      await Deno.truncate(`${folder}/g.bin`, 3 << 20);
    },
    args: ["run", "g.bin", "-m", "2"],
    code: 2,
    says: 'Cannot load guest "g.bin"',
    hint: "-m 4",
  },
] as const;

for (const { what, args, code, says, ...more } of BAD) {
  processTest(
    `${args[0]} answers ${what} with one line, a hint and code ${code}`,
    async (folder) => {
      if ("make" in more) await more.make(folder);
      const end = await runTrapring(folder, ...args);
      assertEquals([end.code, end.stdout], [code, ""], end.stderr);
      const [first = "", second = "", ...rest] = end.stderr.split("\n");
      assert(first.startsWith("trapring: "), end.stderr);
      assertStringIncludes(first, says);
      assert(second.startsWith("hint: "), end.stderr);
      if ("hint" in more) assertStringIncludes(second, more.hint);
      assertEquals(rest, [""]);
    },
  );
}

/** Root may write to a file without the permission bit. */
function isWritable(path: string): boolean {
  try {
    Deno.openSync(path, { write: true }).close();
    return true;
  } catch {
    return false;
  }
}

processTest("run writes nothing to an image it may not write to", async (folder) => {
  const path = `${folder}/a.img`;
  await Deno.writeFile(path, imageBytes(SECTORS), { mode: 0o444 });
  const rootMayWrite = isWritable(path);
  const before = await hashOf(path);
  const end = await runTrapring(folder, "run", DISKCMP, "--disk", "a.img", "-append", "op=read");
  assertEquals(end.code, rootMayWrite ? 33 : 1, end.stderr);
  if (!rootMayWrite) assertStringIncludes(end.stderr, 'Cannot open disk image "a.img"');
  assertEquals(await hashOf(path), before);
});

// ---- durability --------------------------------------------------------------------------------

processTest("writes of one run are there in the next, unless it was a snapshot", async (folder) => {
  const path = `${folder}/a.img`;
  await Deno.writeFile(path, imageBytes(SECTORS));
  const before = await hashOf(path);
  const write = ["run", DISKCMP, "--disk", "a.img", "-append", "path=pv op=write count=16"];
  assertEquals((await runTrapring(folder, ...write, "-snapshot")).code, 33);
  assertEquals(await hashOf(path), before);
  const written = await runTrapring(folder, ...write);
  const wanted = imageBytes(SECTORS);
  wanted.set(writtenPattern(0, 16 * 4096));
  assertEquals(await hashOf(path), sha256(wanted));
  const read = [...write.slice(0, -1), "path=ide-dma op=read count=16"];
  const checksum = ({ stdout }: { stdout: string }) => / 16 65536 (\w{8})\s/.exec(stdout)?.[1];
  assertEquals(checksum(await runTrapring(folder, ...read)), checksum(written));
  assert(checksum(written) !== undefined);
});

processTest("Ctrl-C ends a writing guest with 130, its writes on disk in order", async (folder) => {
  const path = `${folder}/a.img`;
  const blank = new Uint8Array(SECTORS * 512);
  await Deno.writeFile(path, blank);
  const append = "path=ide-dma op=write bs=4096 count=100000000";
  const child = trapring(folder, ["run", DISKCMP, "--disk", "a.img", "-append", append]).spawn();
  while (await hashOf(path) === sha256(blank)) await sleep(20);
  child.kill("SIGINT");
  const { code, stderr } = await child.output();
  assertEquals(code, 130, new TextDecoder().decode(stderr));
  const found = await Deno.readFile(path);
  const end = found.findLastIndex((byte) => byte !== 0) + 1;
  const written = Math.ceil(end / 4096) * 4096; // one request after the other, none in half
  assertEquals(sha256(found.subarray(0, written)), sha256(writtenPattern(0, written, ~1)));
});

/** Boot sector: writes itself to sector 5 by PIO, flushes, sends "F" to COM1 and stays in a loop. */
const WRITE_AND_FLUSH = unhex(
  `fc be007c baf603 b002 ee
   baf201 b001 ee 42 b005 ee 42 b000 ee 42 ee 42 b0e0 ee 42 b030 ee
   b90001 baf001 f36f baf701 ec a880 75fb
   b0e7 ee ec a880 75fb
   baf803 b046 ee ebfe`.replaceAll(/\s/g, ""),
);

processTest("what a guest has flushed is on disk when the process is killed", async (folder) => {
  const path = `${folder}/a.img`;
  const image = imageBytes(64);
  await Deno.writeFile(path, image);
  const sector = bootDisk(1);
  sector.set(WRITE_AND_FLUSH);
  await Deno.writeFile(`${folder}/a.bin`, sector);
  const child = trapring(folder, ["run", "a.bin", "--disk", "a.img", "--quiet"]).spawn();
  const reader = child.stdout.getReader();
  assertEquals((await reader.read()).value?.[0], "F".charCodeAt(0));
  child.kill("SIGKILL");
  await Promise.all([child.status, reader.cancel(), child.stderr.cancel()]);
  image.set(sector, 5 * 512);
  assertEquals(await hashOf(path), sha256(image));
});

// ---- output ------------------------------------------------------------------------------------

processTest("run --json is one object with the numbers of the table", async (folder) => {
  await Deno.writeFile(`${folder}/a.img`, imageBytes(SECTORS));
  const args = ["run", BLKFRONT, "--disk", "a.img", "-snapshot"];
  const plain = await runTrapring(folder, ...args);
  const json = await runTrapring(folder, ...args, "--json");
  assertEquals([plain.code, json.code], [33, 33]);
  const { counters, reason, code } = JSON.parse(json.stdout);
  assertEquals([reason, code], ["guest-exit", 33]);
  // The same report on stderr; with --json behind the serial output, which has moved there.
  assertEquals(json.stderr, plain.stdout + plain.stderr);
  assertStringIncludes(plain.stderr, counters.instructions.toLocaleString("en-US"));
  assertStringIncludes(plain.stderr, counters.exits.total.toLocaleString("en-US"));
});

processTest("compare --json is the same twice, and the image as it was", async (folder) => {
  const path = `${folder}/a.img`;
  await Deno.writeFile(path, imageBytes(SECTORS));
  const before = await hashOf(path);
  const args = ["compare", "--disk", "a.img", "--op", "randwrite", "--count", "16", "--json"];
  const first = await runTrapring(folder, ...args);
  assertEquals(first.code, 0, first.stderr);
  assertEquals(await runTrapring(folder, ...args), first);
  assertEquals(await hashOf(path), before);
  const record = JSON.parse(first.stdout);
  assertEquals([record.disk.sha256, record.sameData, record.paths.length], [before, true, 5]);
  const table = await runTrapring(folder, ...args.slice(0, -1));
  assertEquals(first.stderr.endsWith(table.stdout), true, "the same table");
});

processTest("compare sees before its guest starts that --out cannot be written", async (folder) => {
  await Deno.writeFile(`${folder}/a.img`, imageBytes(SECTORS));
  const end = await runTrapring(folder, "compare", "--disk", "a.img", "--out", "a.img");
  assertEquals(end, {
    code: 2,
    stdout: "",
    stderr: "trapring: Cannot write a.img/compare.json: File exists (os error 17)\n",
  });
});

if (mayMount) {
  processTest("compare prints what it found although --out has become full", async (folder) => {
    await Deno.writeFile(`${folder}/a.img`, imageBytes(SECTORS));
    const { folder: small, unmount } = mountSmallDisk(8 << 10);
    try {
      await Deno.writeFile(`${small}/fill`, new Uint8Array(4 << 10));
      const args = ["--disk", "a.img", "--count", "1", "--out", small];
      const { code, stdout, stderr } = await runTrapring(folder, "compare", ...args);
      assertEquals(code, 2);
      assertStringIncludes(stdout, "same data: yes");
      assertStringIncludes(
        stderr,
        `Cannot write ${small}/compare.json: No space left on device (os error 28)`,
      );
    } finally {
      unmount();
    }
  });
}

processTest("run ends with 130 when the reader of its output has left", async (folder) => {
  const sector = bootDisk(1);
  sector.set([0xba, 0xf8, 0x03, 0xb0, 0x41, 0xee, 0xeb, 0xfd]); // 'A' to COM1, for ever
  await Deno.writeFile(`${folder}/a.bin`, sector);
  const child = trapring(folder, ["run", "a.bin", "--quiet"]).spawn();
  const reader = child.stdout.getReader();
  assertEquals((await reader.read()).value?.[0], 0x41);
  await reader.cancel();
  const [{ code }, complaint] = await Promise.all([child.status, child.stderr.text()]);
  assertEquals([code, complaint], [130, ""]);
});
