import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UsageError } from "../../core/errors.ts";
import { findCaseFiles } from "./files.ts";
import { conformance } from "./main.ts";

const MAY_WRITE = Deno.permissions.querySync({ name: "write" }).state === "granted" &&
  Deno.permissions.querySync({ name: "read" }).state === "granted";

/** Flat 32-bit code and data for ring 3, where the native cases' selectors 15 and 23 point. */
const LDT = "0000000000000000" + "ffff000000fbdf00" + "ffff000000f3df00" +
  "0000000000000000".repeat(18);

/** `inc eax` at c800. */
const CASE = {
  k: "40",
  c: "p32",
  b: "40",
  i: [4, 0, 0, 0, 0x8000, 0, 0, 0, 0xc800, 0x202, 0, 15, 23, 0, 0, 0],
  ram: [],
  f: { eax: 5, eip: 0xc801, eflags: 0x206 },
};

function folderTest(name: string, fn: (folder: string) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !MAY_WRITE,
    async fn() {
      const folder = await Deno.makeTempDir();
      try {
        await fn(folder);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

async function writeGzip(path: string, text: string): Promise<void> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  await Deno.writeFile(path, stream);
}

async function writeCases(folder: string, ...cases: readonly unknown[]): Promise<void> {
  await Deno.writeTextFile(`${folder}/index.json`, JSON.stringify({ ldt: LDT }));
  const text = cases.map((c) => `${JSON.stringify(c)}\n`).join("");
  await writeGzip(`${folder}/mine.jsonl.gz`, text);
}

async function judgeFolder(folder: string): Promise<[code: number, text: string]> {
  const lines: string[] = [];
  const options = { paths: [folder], tiers: [1], jobs: 2 } as const;
  const code = await conformance(options, (line) => lines.push(line));
  return [code, lines.join("\n")];
}

folderTest(
  "conformance() passes a folder of cases that the CPU does as they say",
  async (folder) => {
    await writeCases(folder, CASE, CASE);
    const [code, text] = await judgeFolder(folder);
    assertStringIncludes(text, "ok | 1 passed | 0 failed");
    assertEquals(code, 0);
  },
);

folderTest("conformance() shows a case that fails and what differs", async (folder) => {
  await writeCases(folder, CASE, { ...CASE, f: { ...CASE.f, eax: 6 } });
  const [code, text] = await judgeFolder(folder);
  assertStringIncludes(text, "line 2 40 p32");
  assertStringIncludes(text, "eax 5 not 6");
  assertStringIncludes(text, "FAILED | 0 passed | 1 failed");
  assertEquals(code, 1);
});

folderTest(
  "findCaseFiles() tells formats apart by content and passes over others",
  async (folder) => {
    await writeCases(folder, CASE);
    await writeGzip(`${folder}/notes.jsonl.gz`, `{"hello":1}\n`);
    const found = await findCaseFiles([folder]);
    assertEquals(found.map(({ format }) => format), ["native"]);
  },
);

folderTest(
  "findCaseFiles() refuses a folder without cases, and one that is missing",
  async (folder) => {
    await assertRejects(() => findCaseFiles([folder]), UsageError, "Cannot find cases in");
    await assertRejects(() => findCaseFiles([`${folder}/no`]), UsageError, "no such folder");
  },
);

folderTest("findCaseFiles() passes over no file that it cannot read", async (folder) => {
  await writeCases(folder, CASE);
  await Deno.writeTextFile(`${folder}/broken.jsonl.gz`, "not compressed");
  await assertRejects(() => findCaseFiles([folder]), UsageError, "broken.jsonl.gz");
});

folderTest("conformance() names the file that breaks off or holds no case", async (folder) => {
  for (const rest of ['{"k":', "7"]) {
    await writeCases(folder, CASE);
    await writeGzip(`${folder}/mine.jsonl.gz`, `${JSON.stringify(CASE)}\n${rest}\n`);
    await assertRejects(() => judgeFolder(folder), UsageError, `${folder}/mine.jsonl.gz`);
  }
});

folderTest(
  "findCaseFiles() names the file that a format needs beside its cases",
  async (folder) => {
    await writeGzip(`${folder}/mine.jsonl.gz`, JSON.stringify(CASE));
    await assertRejects(() => findCaseFiles([folder]), UsageError, "index.json");
  },
);
