import { assertEquals } from "@std/assert";
import { hashFile, type Manifest, MANIFEST_PATH } from "../../guests/manifest.ts";

const guests = new URL("../../guests/", import.meta.url);
const ignore = Deno.permissions.querySync({ name: "read", path: guests }).state !== "granted";
const REMEDY = "run `deno task guests` and commit guests/bin";

async function readManifest(): Promise<Manifest> {
  return JSON.parse(await Deno.readTextFile(MANIFEST_PATH));
}

function filesBelow(folder: URL): string[] {
  return [...Deno.readDirSync(folder)].filter((entry) => entry.isFile).map((entry) => entry.name);
}

Deno.test("manifest.json has the hash of every binary as committed", { ignore }, async () => {
  const { binaries } = await readManifest();
  const committed = filesBelow(new URL("bin/", guests)).filter((name) => name.endsWith(".bin"));
  assertEquals(Object.keys(binaries).sort(), committed.sort(), REMEDY);
  for (const [name, { sha256 }] of Object.entries(binaries)) {
    assertEquals(await hashFile(new URL(`bin/${name}`, guests)), sha256, `${name}: ${REMEDY}`);
  }
});

Deno.test("manifest.json has the hash of every source as it is now", { ignore }, async () => {
  const { binaries } = await readManifest();
  for (const [name, { sources }] of Object.entries(binaries)) {
    for (const [path, sha256] of Object.entries(sources)) {
      assertEquals(await hashFile(new URL(path, guests)), sha256, `${name}, ${path}: ${REMEDY}`);
    }
  }
});

Deno.test("manifest.json lists a kernel's own folder and Makefile", { ignore }, async () => {
  const { binaries } = await readManifest();
  for (const [name, { sources }] of Object.entries(binaries)) {
    const kernel = name.replace(/\.bin$/, "");
    const own = filesBelow(new URL(`${kernel}/`, guests)).map((file) => `${kernel}/${file}`);
    const missing = [...own, "Makefile"].filter((path) => !(path in sources));
    assertEquals(missing, [], `${name}: ${REMEDY}`);
  }
});
