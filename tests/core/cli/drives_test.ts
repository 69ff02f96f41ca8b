import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parseArgs } from "../../../core/cli/args.ts";
import type { DriveOptions } from "../../../core/cli/drives.ts";
import { UsageError } from "../../../core/errors.ts";

function drives(...args: string[]): readonly DriveOptions[] {
  const options = parseArgs(["run", "g.bin", ...args]);
  return options.command === "run" ? options.drives : [];
}

const DISK = { kind: "disk", raw: false, readOnly: false, snapshot: false } as const;

Deno.test("DriveList.place() puts fixed drives first and fills the free positions in order", () => {
  assertEquals(
    drives(..."--disk a -hdb b -cdrom c.iso -drive file=d".split(" ")).map(({ file, index }) =>
      `${file} ${index}`
    ),
    ["a 0", "b 1", "c.iso 2", "d 3"],
  );
  assertEquals(drives("-hdd", "x"), [{ ...DISK, file: "x", index: 3 }]);
});

Deno.test("DriveList reads every key of -drive, and doubled commas in the file's name", () => {
  assertEquals(drives("-drive", "file=a,,b.img,if=ide,index=1,format=raw,readonly=on"), [
    { ...DISK, file: "a,b.img", index: 1, path: "ide", raw: true, readOnly: true },
  ]);
  assertEquals(drives("-drive", "snapshot=on,if=xen,file=a"), [
    { ...DISK, file: "a", index: 0, path: "xen", snapshot: true },
  ]);
  assertEquals(drives("-cdrom", "a,b.iso"), [
    { ...DISK, file: "a,b.iso", index: 2, kind: "cdrom", readOnly: true },
  ]);
});

Deno.test("DriveList takes a file's name as it is, commas at its end too", () => {
  for (const args of [["-hdb", "a,b,"], ["-drive", "file=a,,b,,,index=1"]]) {
    assertEquals(drives(...args).map(({ file, index }) => [file, index]), [["a,b,", 1]]);
  }
});

Deno.test("DriveList reads what a backend offers, all of it unless told otherwise", () => {
  assertEquals(drives("-drive", "file=a,persistent=on,queues=4")[0]!.offers, undefined);
  const text = "file=a,persistent=off,indirect=off,ring-pages=2,queues=1";
  const offers = { persistent: false, indirect: false, ringPages: 2, queues: 1 };
  assertEquals(drives("-drive", text)[0]!.offers, offers);
});

Deno.test("DriveList reads what stands behind a disk by QEMU's names", () => {
  const backend = (keys: string) => drives("-drive", `file=a${keys}`)[0]!.backendType;
  const keys = ["", ",cache=none,aio=threads", ",cache=writeback", ",aio=native"];
  assertEquals(keys.map(backend), [undefined, undefined, "file", "tap"]);
});

Deno.test("DriveList has disks of other blocks than IDE's come over blkfront alone", () => {
  const disk = (keys: string) => {
    const { path, blockSize } = drives("-drive", `file=a,${keys}`)[0]!;
    return [path, blockSize?.logical, blockSize?.physical];
  };
  assertEquals(disk("logical_block_size=4096"), ["xen", 4096, 4096]);
  assertEquals(disk("physical_block_size=4096"), ["xen", 512, 4096]);
  assertEquals(disk("logical_block_size=512"), [undefined, undefined, undefined]);
});

Deno.test("DriveList has a CD-ROM on IDE, on blkfront, or as xl on both", () => {
  const path = (...args: string[]) => drives(...args)[0]!.path;
  assertEquals(path("-cdrom", "a"), undefined);
  assertEquals(path("-drive", "file=a,media=cdrom,if=xen"), "xen");
  assertEquals(path("--disk", "a,raw,hdc,cdrom"), "both");
  assertEquals(path("--disk", "a,raw,xvdc,cdrom"), "xen");
});

Deno.test("DriveList names disks of blkfront alone when no index is left for them", () => {
  const xen = (file: string) => `-drive file=${file},if=xen`;
  const args = `-hda a -hdb b -hdc c ${["d", "e", "f"].map(xen).join(" ")} --disk g,raw,xvda,rw`;
  assertEquals(
    drives(...args.split(" ")).map(({ file, index, vdev }) => `${file} ${index ?? vdev}`),
    ["a 0", "b 1", "c 2", "d 3", "g xvda", "e xvde", "f xvdf"],
  );
});

Deno.test("DriveList reads faults, one sector and for ever unless they say otherwise", () => {
  const text = "file=a,fault=unc@7,fault=abort@9+8,fault=timeout@0+2*1";
  assertEquals(drives("-drive", text)[0]!.faults, [
    { kind: "unc", sector: 7, count: 1, times: Infinity },
    { kind: "abort", sector: 9, count: 8, times: Infinity },
    { kind: "timeout", sector: 0, count: 2, times: 1 },
  ]);
});

Deno.test("-snapshot holds for every drive", () => {
  assertEquals(drives("-hda", "a", "-hdc", "b", "-snapshot").map((drive) => drive.snapshot), [
    true,
    true,
  ]);
});

for (
  const [args, message] of [
    ["-hda a -drive file=b,index=0", 'Cannot attach "b" at index 0: "a" is there'],
    ["-cdrom a -hdc b", 'Cannot attach "b" at index 2: "a" is there'],
    ["-drive index=1", "it names no file"],
    ["-drive file=a,index=4", 'index is "4"'],
    ["-drive file=a,format=qcow2", 'format is "qcow2"'],
    ["-drive file=a,werror=stop", '"werror=stop" is none of file, fault, if, index'],
    ["-hda ", "it names no file"],
    ["-drive file=a,constructor=on", '"constructor=on" is none of file, fault, if, index'],
    ["-drive file=a,cache=directsync", 'cache is "directsync"'],
    ["-drive file=a,cache=writeback,aio=native", "aio=native goes past the page cache"],
    ["-drive file=a,if=ide,cache=writeback", "cache is of the block backend, which if=ide has not"],
    ["-drive file=a,if=ide,persistent=off", "persistent is of the block backend"],
    ["-drive file=a,logical_block_size=3000", 'logical_block_size is "3000"'],
    [
      "-drive file=a,logical_block_size=4096,physical_block_size=512",
      "physical_block_size 512 is less than logical_block_size 4096",
    ],
    ["-drive file=a,fault=burn@1", 'fault is "burn@1", not one of unc, abort, timeout'],
    ["-drive file=a,ring-pages=3", 'ring-pages is "3"'],
    ["-drive file=a,queues=0", 'queues is "0"'],
    ["-drive file=a,fault=unc", 'fault is "unc"'],
    ["-drive file=a,fault=unc@1+0", 'fault is "unc@1+0"'],
    ["-hda a -hdb b -hdc c -hdd d --disk e", "Cannot attach 5 drives"],
    ["--disk a,raw,xvda --disk b,raw,xvda", 'Cannot attach "b" at xvda: "a" is there'],
    ["-hda a --disk b,raw,hda", 'Cannot attach "b" at index 0: "a" is there'],
  ] as const
) {
  Deno.test(`The command line ${args} is refused`, () => {
    const error = assertThrows(() => drives(...args.split(" ")), UsageError);
    assertStringIncludes(error.message, message);
  });
}

Deno.test("Two drives of one name are told to take another", () => {
  const line = "--disk a,raw,xvda --disk b,raw,xvda".split(" ");
  const { hint } = assertThrows(() => drives(...line), UsageError);
  assertEquals(hint, "each has a name of its own: --disk b,raw,xvdb,rw");
});
