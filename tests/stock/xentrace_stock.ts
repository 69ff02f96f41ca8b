/**
 * Xen's own analyser as an outside witness of the books of exits: it counts what we count.
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { guestPath, runTrapring } from "../helpers/process.ts";
import { stockFile, tool } from "./kit.ts";

const xenalyze = stockFile("xen-utils-common", "usr/bin/xenalyze");

/** Names of reasons that differ from ours. */
const REASON: Readonly<Record<string, string>> = { PENDING_INTERRUPT: "INTERRUPT_WINDOW" };

/** What the two count. */
interface Counts {
  readonly byReason: Readonly<Record<string, number>>;
  readonly byPort: Readonly<Record<string, number>>;
}

for (const machine of ["xenfv", "pc"]) {
  for (const guest of machine === "pc" ? ["ide_pio", "ide_dma"] : ["diskcmp", "blkfront"]) {
    Deno.test({
      name: `xenalyze counts the exits of ${guest} with -machine ${machine} as our books do`,
      ignore: xenalyze === undefined,
      fn: () => compare(machine, guest),
    });
  }
}

async function compare(machine: string, guest: string): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/disk.img`, new Uint8Array(1 << 20));
    const { stdout, stderr } = await runTrapring(
      folder,
      ...["run", guestPath(guest), "-machine", machine, "--disk", "disk.img"],
      ...["--quiet", "--json", "--xentrace", "exits.trc"],
    );
    assert(stdout !== "", stderr);
    const { exits }: { exits: Counts } = JSON.parse(stdout).counters;
    const { byReason, byPort } = countsOf(
      await tool(xenalyze!, ["--cpu-hz=1G", "--summary", "exits.trc"], folder),
    );
    assertEquals(byReason, { ...exits.byReason });
    assertEquals(byPort, { ...exits.byPort });
    assert(Object.keys(byPort).length > 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** ` HLT 1325 0.12s …` below "Exit reasons:", `1f7:[r] 5386 …` below "IO address summary:". */
function countsOf(summary: string): Counts {
  const reasons = summary.slice(summary.indexOf("Exit reasons:"));
  const byReason = [...reasons.matchAll(/^ ([A-Z]\w*) +(\d+) +\d+\.\d+s/gm)]
    .map(([, name, count]) => [REASON[name!] ?? name!, Number(count)]);
  const ports = summary.slice(summary.indexOf("IO address summary:"));
  const byPort = [...ports.matchAll(/^ *([0-9a-f]+):\[([rw])\] +(\d+)/gm)]
    .map((
      [, port, way, count],
    ) => [`${keyOf(port!)}:${way === "r" ? "in" : "out"}`, Number(count)]);
  return { byReason: Object.fromEntries(byReason), byPort: Object.fromEntries(byPort) };
}

/** As the books spell a port: three digits at least. */
function keyOf(port: string): string {
  return `0x${port.padStart(3, "0")}`;
}
