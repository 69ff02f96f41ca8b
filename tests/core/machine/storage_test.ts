import { assertEquals } from "@std/assert";
import { openDisk } from "../../../core/machine/storage.ts";

const cannotWrite = Deno.permissions.querySync({ name: "write" }).state !== "granted";

/** Options of a disk: what the guest may do, and whether the file changes. */
const KINDS = [
  { readOnly: false, snapshot: false, isReadOnly: false, changesFile: true },
  { readOnly: false, snapshot: true, isReadOnly: false, changesFile: false },
  { readOnly: true, snapshot: false, isReadOnly: true, changesFile: false },
  { readOnly: true, snapshot: true, isReadOnly: true, changesFile: false },
];

for (const { readOnly, snapshot, isReadOnly, changesFile } of KINDS) {
  Deno.test({
    name: `openDisk() gives the guest what readOnly ${readOnly} and snapshot ${snapshot} allow`,
    ignore: cannotWrite,
    fn() {
      const path = Deno.makeTempFileSync();
      try {
        Deno.writeFileSync(path, new Uint8Array(1024));
        const disk = openDisk(path, { readOnly, snapshot });
        assertEquals(disk.readOnly, isReadOnly);
        if (!isReadOnly) disk.write(1, new Uint8Array(512).fill(7));
        disk.flush();
        disk.close();
        assertEquals(Deno.readFileSync(path)[512], changesFile ? 7 : 0);
      } finally {
        Deno.removeSync(path);
      }
    },
  });
}
