import { assertEquals, assertStringIncludes } from "@std/assert";
import { bootDisk, elf32, multibootHeader } from "../../helpers/guest_files.ts";
import { elfNote, notedKernel } from "../../helpers/linux_files.ts";
import { processTest, runTrapring as run, trapring } from "../../helpers/process.ts";

/** mov al, 8; out 0f4h, al: exit code 17. */
const EXIT_17 = [0xb0, 0x08, 0xe6, 0xf4];

function exitDisk(): Uint8Array {
  const file = bootDisk(1);
  file.set(EXIT_17);
  return file;
}

function iso(): Uint8Array {
  const file = new Uint8Array(20 * 2048);
  file.set(new TextEncoder().encode("\x01CD001\x01"), 16 * 2048);
  return file;
}

/** What a run that must not begin says. */
async function complaint(folder: string, ...args: string[]): Promise<[number, string]> {
  const { code, stdout, stderr } = await run(folder, "run", ...args);
  assertEquals(stdout, "");
  return [code, stderr];
}

processTest("run takes images of odd size as CD-ROMs, not as disks", async (folder) => {
  await Deno.writeFile(`${folder}/g.bin`, exitDisk());
  await Deno.writeFile(`${folder}/odd.iso`, iso().subarray(0, 19 * 2048 + 700));
  const cd = await run(folder, "run", "g.bin", "-cdrom", "odd.iso");
  assertEquals(cd.code, 17);
  assertEquals(cd.stderr.includes("odd.iso"), false);
  assertEquals(await complaint(folder, "g.bin", "-hda", "odd.iso"), [
    1,
    'trapring: Cannot open disk image "odd.iso": length 39612 is not a multiple of 512\n' +
    "hint: truncate -s 39936 odd.iso\n",
  ]);
});

processTest("run says of a device in an image's place what it is", async (folder) => {
  await Deno.writeFile(`${folder}/g.bin`, exitDisk());
  assertEquals(await complaint(folder, "g.bin", "--disk", "phy:/dev/full,hda,w"), [
    1,
    'trapring: Cannot open disk image "/dev/full": it is not a regular file\n',
  ]);
});

processTest(
  "run refuses a FIFO in a file's place and does not wait for a writer",
  async (folder) => {
    await new Deno.Command("mkfifo", { args: [`${folder}/f`] }).output();
    const rows: [string[], string][] = [
      [["f"], 'guest "f"'],
      [["-bios", "f"], 'BIOS "f"'],
      [["-bios", "b", "-hvmloader", "f"], 'hvmloader "f"'],
    ];
    await Deno.writeFile(`${folder}/b`, new Uint8Array(65536).fill(0x90));
    for (const [args, what] of rows) {
      const { code, stderr } = await endWithin(5000, trapring(folder, ["run", ...args]));
      assertEquals([code, stderr], [
        2,
        `trapring: Cannot read ${what}: it is not a regular file\n`,
      ]);
    }
  },
);

/** Kills what takes longer. */
async function endWithin(milliseconds: number, command: Deno.Command) {
  const child = command.spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), milliseconds);
  const { code, stderr } = await child.output();
  clearTimeout(timer);
  return { code, stderr: new TextDecoder().decode(stderr) };
}

processTest("run tells an ISO where a disk is expected, and a disk as CD-ROM", async (folder) => {
  await Deno.writeFile(`${folder}/g.bin`, exitDisk());
  await Deno.writeFile(`${folder}/d.img`, bootDisk(128));
  await Deno.writeFile(`${folder}/x.iso`, iso());
  const hybrid = iso();
  hybrid.set(bootDisk(1));
  await Deno.writeFile(`${folder}/hybrid.iso`, hybrid);
  const stderr = async (...args: string[]): Promise<string> => {
    const end = await run(folder, "run", "g.bin", ...args);
    assertEquals(end.code, 17);
    return end.stderr;
  };
  assertStringIncludes(
    await stderr("-hda", "x.iso"),
    'trapring: disk image "x.iso" holds a CD-ROM; -cdrom attaches it as one\n',
  );
  assertStringIncludes(
    await stderr("-cdrom", "d.img"),
    'trapring: CD-ROM image "d.img" holds no ISO 9660 file system; -hda attaches it as a disk\n',
  );
  assertEquals((await stderr("-cdrom", "x.iso", "-hda", "hybrid.iso")).includes("attaches"), false);
  assertEquals(await stderr("-hda", "x.iso", "--quiet"), "");
  assertEquals(await complaint(folder, "x.iso"), [
    2,
    'trapring: Cannot load guest "x.iso": it is a CD-ROM image\nhint: -cdrom x.iso\n',
  ]);
  assertEquals(await complaint(folder, "x.iso", "-m", "16M"), await complaint(folder, "x.iso"));
});

processTest("run says that a disk cannot boot: no code, no partition to start", async (folder) => {
  const data = bootDisk(64);
  data.fill(0, 0, 2);
  data.set([0x77, 1, 2, 3, 4, 5, 6, 7], 446);
  await Deno.writeFile(`${folder}/data.img`, data);
  assertEquals(await complaint(folder, "data.img"), [
    2,
    'trapring: Cannot boot "data.img": its boot sector holds no code\n' +
    "hint: -kernel vmlinuz -hda data.img brings the kernel along\n",
  ]);
  // As a master boot record: look at the first partition's flag, give up unless it is active.
  data.set([0x80, 0x3e, 0xbe, 0x7d, 0x80, 0x74, 0x02, 0xcd, 0x18, 0xeb, 0xfe]);
  await Deno.writeFile(`${folder}/corrupt.img`, data);
  const { code, stderr } = await run(folder, "run", "corrupt.img", "--quiet");
  assertEquals(code, 1);
  assertStringIncludes(
    stderr,
    "trapring: Guest crashed: INT 18h: the boot sector found nothing to boot\n",
  );
});

processTest("run names the BIOS, the initrd or the kernel that it cannot use", async (folder) => {
  const seabios = "-bios /usr/share/seabios/bios-256k.bin is Debian's";
  await Deno.writeFile(`${folder}/short.bin`, new Uint8Array(1000));
  await Deno.writeFile(`${folder}/small.elf`, kernel(0x1000));
  await Deno.writeFile(`${folder}/large.elf`, kernel(0x1000, 40 << 20));
  await Deno.writeFile(`${folder}/long.elf`, kernel(3 << 20));
  await Deno.writeFile(`${folder}/large.gz`, new Uint8Array(3 << 20));
  const rows: [args: string[], message: string, hint: string][] = [
    [
      ["-bios", "none.bin"],
      'read BIOS "none.bin": no such file',
      "apt install seabios, or -bios FILE",
    ],
    [
      ["-bios", "short.bin"],
      'use "short.bin" as BIOS: its length 1000 is not a multiple of 64 KiB up to 1 MiB',
      seabios,
    ],
    [["-kernel", "small.elf", "-initrd", "none.gz"], 'read initrd "none.gz": no such file', ""],
    [
      ["-kernel", "small.elf", "-initrd", "large.gz", "-m", "2M"],
      'load initrd "large.gz": 3145728 bytes do not fit into 2 MiB of RAM',
      "-m 4 or more",
    ],
    [
      ["-kernel", "large.elf"],
      'load guest "large.elf": it needs memory 0x100000 to 0x2900000, RAM has 32 MiB',
      "-m 41 or more",
    ],
    [
      ["-kernel", "long.elf", "-m", "2M"],
      'load guest "long.elf": 3145812 bytes do not fit into 2 MiB of RAM',
      "-m 5 or more",
    ],
  ];
  for (const [args, message, hint] of rows) {
    const stderr = `trapring: Cannot ${message}\n${hint && `hint: ${hint}\n`}`;
    assertEquals(await complaint(folder, ...args), [2, stderr]);
  }
});

processTest("run says that no drive can be started, once, and starts the BIOS", async (folder) => {
  const bios = new Uint8Array(65536);
  bios.set(EXIT_17, 0xfff0); // at the reset vector
  await Deno.writeFile(`${folder}/bios.bin`, bios);
  await Deno.writeFile(`${folder}/empty.img`, new Uint8Array(4096));
  await Deno.writeFile(`${folder}/boot.img`, exitDisk());
  await Deno.writeFile(`${folder}/x.iso`, iso());
  const stderr = async (...args: string[]): Promise<string> => {
    const end = await run(folder, "run", "-bios", "bios.bin", ...args);
    assertEquals(end.code, 17);
    return end.stderr;
  };
  const told = await stderr("-hda", "empty.img");
  assertEquals(told.split('trapring: nothing to boot on "empty.img": ').length, 2);
  assertStringIncludes(told, "-nographic shows");
  assertEquals((await stderr("-hda", "empty.img", "-nographic")).includes("-nographic"), false);
  for (const drive of [["-hdb", "boot.img"], ["-cdrom", "x.iso"], ["-quiet"]]) {
    const text = await stderr("-hda", "empty.img", ...drive);
    assertEquals(text.includes("nothing to boot"), false, drive.join(" "));
  }
  assertStringIncludes(
    await stderr("-hda", "boot.img", "-display", "text"),
    'trapring: the BIOS has no screen: there is no "vgabios-isavga.bin"\n',
  );
});

processTest("run refuses one image for two drives unless it stays as it is", async (folder) => {
  await Deno.writeFile(`${folder}/g.bin`, exitDisk());
  await Deno.writeFile(`${folder}/a.img`, new Uint8Array(4096));
  await Deno.symlink("a.img", `${folder}/b.img`);
  assertEquals(await complaint(folder, "g.bin", "-hda", "a.img", "-hdc", "b.img"), [
    2,
    'trapring: Cannot attach "b.img" at index 2: index 0 is the same image\n' +
    "hint: -snapshot, or a copy of the image\n",
  ]);
  const both = ["g.bin", "-hda", "a.img", "-hdc", "b.img", "-snapshot"];
  assertEquals((await run(folder, "run", ...both)).code, 17);
});

processTest("run tells a fault behind the end of its disk", async (folder) => {
  await Deno.writeFile(`${folder}/g.bin`, exitDisk());
  await Deno.writeFile(`${folder}/a.img`, new Uint8Array(4096));
  const { code, stderr } = await run(
    folder,
    ...["run", "g.bin", "-drive", "file=a.img,fault=unc@7,fault=abort@8"],
  );
  assertEquals(code, 17);
  assertStringIncludes(
    stderr,
    'trapring: fault=abort@8 lies behind the end of "a.img", which has 8 sectors\n',
  );
  assertEquals(stderr.includes("unc@7"), false);
});

/** A Multiboot kernel at 1 MiB. */
function kernel(fileBytes: number, memoryBytes: number = fileBytes): Uint8Array {
  const bytes = new Uint8Array(fileBytes);
  bytes.set(multibootHeader(0));
  return elf32(0x10000c, [{ vaddr: 0x100000, paddr: 0x100000, bytes, memsz: memoryBytes }]);
}

processTest("run does not show Xen to a kernel that it enters by its PVH note", async (folder) => {
  const phys32Entry = elfNote("Xen", 18, 0x1000000);
  await Deno.writeFile(`${folder}/vmlinux`, notedKernel(phys32Entry));
  assertEquals(await complaint(folder, "vmlinux", "-machine", "xenfv"), [
    2,
    'trapring: Cannot show Xen to "vmlinux": entered by its PVH note, it takes itself for a PVH ' +
    "domain, which has no emulated devices\n" +
    "hint: -machine pc, or the bzImage of the same kernel\n",
  ]);
});
