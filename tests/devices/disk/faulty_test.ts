import { assertEquals } from "@std/assert";
import { FaultyDisk } from "../../../devices/disk/faulty.ts";
import type { Fault } from "../../../devices/disk/faulty.ts";
import { ManualDisk } from "../../helpers/disk.ts";

const ALWAYS = Infinity;

function bench(...faults: Fault[]) {
  const inner = new ManualDisk(64);
  const disk = new FaultyDisk(inner, faults);
  /** Runs one request; returns what the disk below was asked and how it ended. */
  const ask = (op: "read" | "write" | "flush", sector = 0, sectors = 0): string => {
    let end = "";
    const segments = sectors === 0 ? [] : [new Uint8Array(sectors * 512)];
    disk.submit({ op, sector, segments, done: (status, at) => end = `${status} ${at ?? ""}` });
    inner.complete();
    return `${inner.asked.at(-1)}: ${end.trim()}`;
  };
  return { inner, ask };
}

Deno.test("FaultyDisk serves a read up to its bad sector", () => {
  const { ask } = bench({ kind: "unc", sector: 10, count: 2, times: ALWAYS });
  assertEquals(ask("read", 4, 6), "read 4 3072: ok");
  assertEquals(ask("read", 8, 8), "read 8 1024: error 10");
  assertEquals(ask("read", 11, 1), "read 11: error 11");
  assertEquals(ask("read", 12, 4), "read 12 2048: ok");
});

Deno.test("FaultyDisk reads a bad sector again once it has been written", () => {
  const { ask } = bench({ kind: "unc", sector: 10, count: 5, times: ALWAYS });
  assertEquals(ask("write", 11, 2), "write 11 1024: ok");
  assertEquals(ask("read", 11, 4), "read 11 1024: error 13");
  assertEquals(ask("read", 8, 4), "read 8 1024: error 10");
});

Deno.test("FaultyDisk stores nothing of a write that is refused or not answered", () => {
  for (const [kind, status] of [["abort", "aborted"], ["timeout", "timeout"]] as const) {
    const { ask } = bench({ kind, sector: 10, count: 1, times: ALWAYS });
    assertEquals(ask("write", 8, 8), `write 8: ${status} 10`);
    assertEquals(ask("read", 10, 8), `read 10: ${status} 10`);
    assertEquals(ask("flush"), "flush 0: ok");
  }
});

Deno.test("FaultyDisk drops a fault when it has been met as often as it says", () => {
  const { ask } = bench(
    { kind: "timeout", sector: 10, count: 1, times: 2 },
    { kind: "abort", sector: 12, count: 1, times: ALWAYS },
  );
  assertEquals(ask("read", 8, 8), "read 8 1024: timeout 10");
  assertEquals(ask("write", 8, 8), "write 8: timeout 10");
  assertEquals(ask("read", 8, 8), "read 8 2048: aborted 12");
});

Deno.test("FaultyDisk reports the disk's own failure when there is one", () => {
  const inner = new ManualDisk(64);
  const disk = new FaultyDisk(inner, [{ kind: "abort", sector: 1, count: 1, times: 1 }]);
  const ends: string[] = [];
  const segments = [new Uint8Array(1024)];
  disk.submit({ op: "read", sector: 0, segments, done: (status) => ends.push(status) });
  inner.complete("error");
  assertEquals(ends, ["error"]);
});
