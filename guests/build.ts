/**
 * `deno task guests`: builds the guest kernels, takes them over into `bin/` and writes down which
 * sources they were made from. The binaries are committed, so that nobody needs a C compiler to run
 * them; tests/guests/manifest_test.ts fails when one is older than its sources.
 * @module
 */

import { hashFile, type Manifest, MANIFEST_PATH, type ManifestEntry } from "./manifest.ts";

const GUESTS = [
  "blkfront",
  "diskcmp",
  "hello",
  "hostile",
  "ide_dma",
  "ide_pio",
  "linuxcmp",
] as const;
const MAX_BYTES = 64 * 1024;
const folder = new URL("./", import.meta.url);

async function run(command: string, args: string[]): Promise<string> {
  const { code, stdout } = await new Deno.Command(command, {
    args,
    cwd: folder,
    stderr: "inherit",
  }).output();
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: exit code ${code}`);
  return new TextDecoder().decode(stdout);
}

/** Copies one binary to `bin/` and hashes it and everything that make says it was built from. */
async function takeOver(guest: string): Promise<ManifestEntry> {
  const bytes = await Deno.readFile(new URL(`build/${guest}.bin`, folder));
  if (bytes.length > MAX_BYTES) throw new Error(`${guest}.bin has ${bytes.length} bytes`);
  const binary = new URL(`bin/${guest}.bin`, folder);
  await Deno.writeFile(binary, bytes, { mode: 0o644 });

  const list = await Deno.readTextFile(new URL(`build/${guest}.sources`, folder));
  const sources: Record<string, string> = {};
  for (const path of list.trim().split("\n")) {
    sources[path] = await hashFile(new URL(path, folder));
  }
  return { bytes: bytes.length, sha256: await hashFile(binary), sources };
}

await run("make", ["--silent", "clean"]);
await run("make", ["--silent", "all"]);
await Deno.mkdir(new URL("bin/", folder), { recursive: true });

const binaries: Record<string, ManifestEntry> = {};
for (const guest of GUESTS) binaries[`${guest}.bin`] = await takeOver(guest);
const [compiler = "", linker = ""] = (await run("make", ["--silent", "versions"])).split("\n");
const manifest: Manifest = { compiler, linker, binaries };
await Deno.writeTextFile(MANIFEST_PATH, JSON.stringify(manifest, null, 2) + "\n");

for (const [name, { bytes }] of Object.entries(binaries)) {
  console.log(`guests/bin/${name}  ${bytes} bytes`);
}
