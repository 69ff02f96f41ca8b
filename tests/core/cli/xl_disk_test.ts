import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { readXlDisk } from "../../../core/cli/xl_disk.ts";
import { UsageError } from "../../../core/errors.ts";

const DISK = { kind: "disk", raw: false, readOnly: false, snapshot: false } as const;
const XVDA = { ...DISK, file: "/d.img", raw: true, path: "xen", vdev: "xvda" } as const;

for (
  const [text, request] of [
    ["disk.img", { ...DISK, file: "disk.img" }],
    ["/d.img,raw,xvda,rw", XVDA],
    ["/d.img, raw, xvda, w", XVDA],
    ["format=raw, vdev=xvda, access=rw, target=/d.img", XVDA],
    ["/d.img,vdev=xvda,raw", XVDA],
    ["/d.img,raw,xvda,ro", { ...XVDA, readOnly: true }],
    ["/d.img,,sdb1", { ...DISK, file: "/d.img", path: "xen", vdev: "sdb1" }],
    ["/d.img,raw,hdc,rw", { ...DISK, file: "/d.img", raw: true, index: 2 }],
    ["/d.img,raw", { ...DISK, file: "/d.img", raw: true }],
    ["target=a,b.img", { ...DISK, file: "a,b.img" }],
    ["vdev=hdb,target=a,raw,hda", { ...DISK, file: "a,raw,hda", index: 1 }],
    [
      "c.iso,raw,hdc,cdrom,ro",
      { ...DISK, file: "c.iso", raw: true, index: 2, kind: "cdrom", readOnly: true, path: "both" },
    ],
    ["a,raw,xvdc,cdrom", {
      ...{ ...DISK, file: "a", raw: true, path: "xen", vdev: "xvdc" },
      ...{ kind: "cdrom", readOnly: true },
    }],
    ["phy:/d.img,xvda,w", { ...XVDA, raw: false }],
    ["file:/d.img,xvda,w", { ...XVDA, raw: false, backendType: "file" }],
    ["tap:aio:/d.img,xvda,r", { ...XVDA, raw: false, backendType: "tap", readOnly: true }],
    ["aio:/d.img", { ...DISK, file: "/d.img", backendType: "tap" }],
    ["/d.img,raw,xvda,rw,backendtype=tap", { ...XVDA, backendType: "tap" }],
    ["/d.img,raw,xvda,rw,backendtype=qdisk", { ...XVDA, backendType: "qdisk" }],
    ["backendtype=phy,vdev=xvda,format=raw,target=/d.img", XVDA],
    ["constructor:/d.img", { ...DISK, file: "constructor:/d.img" }],
    ["target=file:/d.img", { ...DISK, file: "file:/d.img" }],
    ["/d.img,raw,xvda,cache=writeback", { ...XVDA, backendType: "file" }],
    ["/d.img,raw,xvda,logical_block_size=4096", {
      ...XVDA,
      blockSize: { logical: 4096, physical: 4096 },
    }],
    [
      "/d.img,raw,xvda,rw,persistent=off,indirect=off,ring-pages=1,queues=1",
      { ...XVDA, offers: { persistent: false, indirect: false, ringPages: 1, queues: 1 } },
    ],
    ["/d.img,raw,xvda,snapshot=on", { ...XVDA, snapshot: true }],
  ] as const
) {
  Deno.test(`readXlDisk() reads "${text}"`, () => assertEquals(readXlDisk(text), request));
}

for (
  const [text, why] of [
    ["a,qcow2,xvda", 'format is "qcow2", wanted raw'],
    ["a,raw,vda", 'no virtual disk is named "vda"'],
    ["a,raw,xvda,rx", 'access is "rx", wanted rw, w, ro, r'],
    ["a,raw,xvda,rw,b", '"b" is one item too many'],
    ["a,raw,xvda,vdev=xvdb", "it has two values for vdev"],
    ["vdev=xvda,access=rw", "it names no file"],
    ["a,raw,xvda,backendtype=loop", 'backendtype is "loop", wanted phy, tap, qdisk'],
    ["tap:a,xvda,w,backendtype=phy", "it has two values for backendtype"],
    ["phy:a,xvda,w,b", '"b" is one item too many'],
    ["", "it names no file"],
    ["a,if=ide", '"if=ide" is a key of -drive'],
  ] as const
) {
  Deno.test(`readXlDisk() refuses "${text}"`, () => {
    const error = assertThrows(() => readXlDisk(text), UsageError);
    assertStringIncludes(error.message, `Cannot read --disk "${text}": ${why}`);
  });
}

Deno.test("readXlDisk() names the command that it reads for", () => {
  const { message, hint } = assertThrows(() => readXlDisk("a,b", "block-attach"), UsageError);
  assertEquals(message, 'Cannot read block-attach "a,b": format is "b", wanted raw');
  assertStringIncludes(hint!, "block-attach disk.img,raw,xvda,rw or block-attach vdev=xvda");
});
