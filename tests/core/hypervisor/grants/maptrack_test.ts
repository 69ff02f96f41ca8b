import { assertEquals } from "@std/assert";
import { Maptrack } from "../../../../core/hypervisor/grants/maptrack.ts";

const MAPPING = { domid: 0, gref: 8, flags: 2, gfn: 20 };

Deno.test("Maptrack.add() gives handles in order, those given back after the others", () => {
  const maptrack = new Maptrack();
  assertEquals([maptrack.add(MAPPING), maptrack.add(MAPPING), maptrack.add(MAPPING)], [0, 1, 2]);
  maptrack.remove(1);
  assertEquals([maptrack.get(0), maptrack.get(1)], [MAPPING, undefined]);
  const next = Array.from({ length: 254 }, () => maptrack.add(MAPPING));
  assertEquals([next[0], next[251], next[252], next[253]], [3, 254, 255, 256]);
  const given = Array.from({ length: 258 }, (_, handle) => maptrack.get(handle));
  assertEquals(given.filter((mapping) => mapping !== undefined).length, 256);
});

Deno.test("Maptrack.get() knows no handle that was never given", () => {
  const maptrack = new Maptrack();
  assertEquals([0, 255, 256, 0xffffffff].map((handle) => maptrack.get(handle)), [
    ...[undefined, undefined, undefined, undefined],
  ]);
});

Deno.test("Maptrack.hasRoom ends at 1024 pages of 256 handles, one of which stays free", () => {
  const maptrack = new Maptrack();
  const handles = new Set<number | undefined>();
  while (maptrack.hasRoom) handles.add(maptrack.add(MAPPING));
  assertEquals([handles.size, maptrack.add(MAPPING)], [1024 * 256 - 1, undefined]);
  for (const handle of [...handles].slice(0, 300)) maptrack.remove(handle!);
  for (let i = 0; i < 300; i++) assertEquals(maptrack.add(MAPPING) !== undefined, true);
  assertEquals(maptrack.hasRoom, false);
});
