import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { sha256 } from "../../../core/cli/files.ts";
import {
  requestLineSchema,
  requestsHeaderSchema,
  runSchema,
} from "../../../core/report/run_schema.ts";
import { mayMount, mountSmallDisk } from "../../helpers/full_disk.ts";
import { bootDisk } from "../../helpers/guest_files.ts";
import { guestPath, processTest, runTrapring as run, trapring } from "../../helpers/process.ts";

const root = new URL("../../../", import.meta.url).pathname;
processTest(
  "run ends with 124 at --max-insns and leaves a bootable disk intact",
  async (folder) => {
    const disk = bootDisk(64);
    await Deno.writeFile(`${folder}/spin.img`, disk);
    const { code, stdout, stderr } = await run(folder, "run", "spin.img", "--max-insns", "100k");
    assertEquals([code, stdout], [124, ""]);
    assertStringIncludes(stderr, 'guest "spin.img" is also the disk');
    assertStringIncludes(stderr, "Stopped after 100000 instructions: the limit is 100000");
    assertEquals(sha256(await Deno.readFile(`${folder}/spin.img`)), sha256(disk));
  },
);

processTest(
  "run --json prints one object, the same twice, and serial elsewhere",
  async (folder) => {
    const sector = bootDisk(1);
    sector.set([0xba, 0xf8, 0x03, 0xb0, 0x41, 0xee, 0xb0, 0x08, 0xe6, 0xf4]); // 'A' to COM1; exit 17
    await Deno.writeFile(`${folder}/a.bin`, sector);
    const plain = await run(folder, "run", "a.bin", "--quiet");
    assertEquals(plain, { code: 17, stdout: "A", stderr: "" });
    const first = await run(folder, "run", "a.bin", "--quiet", "--json");
    assertEquals([first.code, first.stderr], [17, "A"]);
    const record = JSON.parse(first.stdout);
    assertEquals([record.reason, record.code, record.guest.path], ["guest-exit", 17, "a.bin"]);
    assertEquals(record.guest.sha256, sha256(sector));
    assertEquals(await run(folder, "run", "a.bin", "--quiet", "--json"), first);
  },
);

processTest("run answers Ctrl-C with code 130 when the guest spins for ever", async (folder) => {
  await Deno.writeFile(`${folder}/spin.bin`, bootDisk(1));
  const child = trapring(folder, ["run", "spin.bin", "--quiet"]).spawn();
  await new Promise((resolve) => setTimeout(resolve, 400));
  child.kill("SIGINT");
  assertEquals((await child.output()).code, 130);
});

if (mayMount) {
  processTest(
    "run goes on when the host is full, tells it once, and ends with 1",
    async (folder) => {
      const { folder: small, unmount } = mountSmallDisk(8 << 10);
      try {
        const image = `${small}/full.img`;
        await Deno.writeFile(image, new Uint8Array(0));
        await Deno.truncate(image, 1 << 16);
        // INT 13h, twice: 40h sectors from 0000:7C00 to drive 80h; mov al,ah; out 0f4h,al
        const write = "b84003bb007cb90100ba8000cd13";
        await Deno.writeFile(`${folder}/g.bin`, Uint8Array.fromHex(`${write}${write}88e0e6f4`));
        const args = [
          "run",
          "g.bin",
          "--load",
          "flat16@0x7c00",
          "--disk",
          image,
          "--quiet",
          "--json",
        ];
        const { code, stdout, stderr } = await run(folder, ...args);
        const cannot = `Cannot write disk image "${image}": No space left on device (os error 28)`;
        assertEquals(stderr.split(cannot).length, 2, stderr);
        const { reason, message, counters } = JSON.parse(stdout);
        assertEquals([code, reason, counters.hostErrors], [1, "guest-exit", 2]);
        const status = 0xcc << 1 & 0xff | 1;
        assertEquals(
          message,
          `The host failed to serve 2 disk requests; the guest's exit code is ${status}`,
        );
      } finally {
        unmount();
      }
    },
  );
}

processTest("run leaves an image alone that another process writes", async (folder) => {
  await Deno.writeFile(`${folder}/spin.bin`, bootDisk(1));
  await Deno.writeFile(`${folder}/a.img`, new Uint8Array(4096));
  const start = () =>
    run(folder, "run", "spin.bin", "--quiet", "--disk", "a.img", "--max-insns", "1k");
  const other = Deno.openSync(`${folder}/a.img`);
  other.lockSync(true);
  assertEquals(await start(), {
    code: 1,
    stdout: "",
    stderr: 'trapring: Cannot open disk image "a.img": failed to get "write" lock; is another ' +
      "process using the image?\nhint: end the other process, or use a copy of the image\n",
  });
  other.close();
  assertEquals((await start()).code, 124);
});

processTest(
  "run names what is wrong with guest or image in one line and a hint",
  async (folder) => {
    await Deno.writeFile(`${folder}/g.bin`, bootDisk(1));
    await Deno.writeFile(`${folder}/short.img`, new Uint8Array(1000));
    assertEquals(await run(folder, "run", "g.bin", "--disk", "short.img"), {
      code: 1,
      stdout: "",
      stderr:
        'trapring: Cannot open disk image "short.img": length 1000 is not a multiple of 512\n' +
        "hint: truncate -s 1024 short.img\n",
    });
    assertEquals(await run(folder, "run", "none.bin"), {
      code: 2,
      stdout: "",
      stderr: 'trapring: Cannot read guest "none.bin": no such file\n' +
        "hint: deno task run guests/bin/hello.bin boots a bundled one\n",
    });
  },
);

processTest("main.ts -C makes file names relative to the user's folder", async (folder) => {
  await Deno.writeFile(`${folder}/g.bin`, bootDisk(1));
  const args = ["-C", folder, "run", "g.bin", "--quiet", "--max-insns", "1k"];
  assertEquals((await run(root, ...args)).code, 124);
});

processTest("run -d in_asm lists the guest's code once, on standard error", async (folder) => {
  // mov cx,3; again: loop again; mov al,16; out 0xf4,al
  await Deno.writeFile(`${folder}/guest.bin`, Uint8Array.fromHex("b90300e2feb010e6f4"));
  const { code, stderr } = await run(
    folder,
    "guest.bin",
    "--load",
    "flat16@0x7c00",
    "-d",
    "in_asm",
  );
  assertEquals(code, 33);
  const listing = stderr.slice(0, stderr.indexOf("trapring:")).trim().split("\n\n");
  assertEquals(listing, [
    "IN: 0000, base 00000000\n" +
    "    7c00:  b9 03 00               mov    cx,0x3\n" +
    "    7c03:  e2 fe                  loop   0x7c03",
    "IN: 0000, base 00000000\n    7c03:  e2 fe                  loop   0x7c03",
    "IN: 0000, base 00000000\n" +
    "    7c05:  b0 10                  mov    al,0x10\n" +
    "    7c07:  e6 f4                  out    0xf4,al",
  ]);
});

processTest(
  "run -D names the log's file; what cannot be logged or written is usage",
  async (folder) => {
    await Deno.writeFile(`${folder}/guest.bin`, Uint8Array.fromHex("b010e6f4"));
    const guest = ["guest.bin", "--load", "flat16@0x7c00", "--quiet"];
    const logged = await run(folder, ...guest, "-d", "in_asm", "-D", "in_asm.log");
    assertEquals([logged.code, logged.stderr], [33, ""]);
    assertStringIncludes(await Deno.readTextFile(`${folder}/in_asm.log`), "out    0xf4,al");
    const unknown = await run(folder, ...guest, "-d", "in_asm,cpu");
    assertEquals(unknown.code, 2);
    assertStringIncludes(unknown.stderr, 'Cannot log "cpu": wanted in_asm');
    const nowhere = await run(folder, ...guest, "-d", "in_asm", "-D", "no/where.log");
    assertEquals(nowhere.code, 2);
    assertStringIncludes(nowhere.stderr, 'Cannot write log "no/where.log"');
  },
);

processTest(
  "run --requests writes a line for every disk request, --symbols names what caused the exits",
  async (folder) => {
    await Deno.writeFile(`${folder}/a.img`, new Uint8Array(1 << 20));
    await Deno.writeTextFile(`${folder}/map`, "00100000 T guest_code\n00200000 B end\n");
    const args = ["--disk", "a.img", "--requests", "a.jsonl", "--symbols", "map", "--json"];
    const { stdout } = await run(folder, "run", guestPath("ide_dma"), ...args, "--quiet");
    const record = runSchema.parse(JSON.parse(stdout));
    const [header = "", ...lines] = (await Deno.readTextFile(`${folder}/a.jsonl`)).trim().split(
      "\n",
    );
    assertEquals(requestsHeaderSchema.parse(JSON.parse(header)).guest, record.guest);
    const requests = lines.map((line) => requestLineSchema.parse(JSON.parse(line)));
    const sum = requests.reduce((total, { exits }) => total + exits, 0);
    assertEquals([requests.length > 0, record.exits.tied.exits], [true, sum]);
    assertEquals(record.exits.none.exits + sum, record.counters.exits.total);
    assertEquals(new Set(record.exits.functions!.map(({ name }) => name)), new Set(["guest_code"]));
  },
);

processTest("run --xentrace writes as many exits as it counts", async (folder) => {
  const args = ["--xentrace", "exits.trc", "--json", "--quiet"];
  const { stdout } = await run(folder, "run", guestPath("hello"), ...args);
  const words = new Uint32Array((await Deno.readFile(`${folder}/exits.trc`)).buffer);
  assertEquals([...words.subarray(0, 3)], [0x2001f003, 0, words.byteLength - 12]);
  const count = (head: number) => words.filter((word) => word === head).length;
  const { total } = JSON.parse(stdout).counters.exits;
  assertEquals([count(0xa0081002), count(0x80081001), total > 0], [total, total, true]);
  const nowhere = await run(folder, "run", guestPath("hello"), "--xentrace", "no/where");
  assertEquals(nowhere.code, 2);
  assertStringIncludes(nowhere.stderr, 'Cannot write trace "no/where"');
});

processTest("run --xenstore writes what is in xenstore at the end", async (folder) => {
  await Deno.writeFile(`${folder}/g.bin`, bootDisk(1));
  const args = ["run", "g.bin", "--max-insns", "1k", "--quiet", "--xenstore", "store.txt"];
  assertEquals((await run(folder, ...args)).code, 124);
  const lines = (await Deno.readTextFile(`${folder}/store.txt`)).split("\n");
  assertEquals(lines[0], '/vm = ""   (n0)');
  assert(lines.includes('/local/domain/1/control/shutdown = ""   (n1)'));
  assertEquals(await run(folder, ...args, "--machine", "pc"), {
    code: 2,
    stdout: "",
    stderr: 'trapring: Cannot write xenstore "store.txt": the machine hides Xen\n' +
      "hint: -machine xenfv\n",
  });
});

processTest("run says which file of --requests or --symbols is no use", async (folder) => {
  await Deno.writeFile(`${folder}/g.bin`, bootDisk(1));
  const nowhere = await run(folder, "run", "g.bin", "--requests", "no/where");
  assertEquals([nowhere.code, nowhere.stderr.includes('Cannot write requests "no/where"')], [
    2,
    true,
  ]);
  const symbols = await run(folder, "run", "g.bin", "--symbols", "g.bin");
  assertEquals(symbols.code, 2);
  assertStringIncludes(symbols.stderr, 'Cannot read symbols "g.bin": no function in it');
});
