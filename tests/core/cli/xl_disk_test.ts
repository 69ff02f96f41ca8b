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
      { ...DISK, file: "c.iso", raw: true, index: 2, kind: "cdrom", readOnly: true },
    ],
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
    ["a,raw,xvda,backendtype=qdisk", '"backendtype=qdisk" is none of'],
    ["a,if=ide", '"if=ide" is a key of -drive'],
    ["a,raw,xvda,devtype=cdrom", "a CD-ROM is on IDE alone"],
  ] as const
) {
  Deno.test(`readXlDisk() refuses "${text}"`, () => {
    const error = assertThrows(() => readXlDisk(text), UsageError);
    assertStringIncludes(error.message, `Cannot read --disk "${text}": ${why}`);
  });
}
