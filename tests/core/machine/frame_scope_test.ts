import { assertEquals, assertStrictEquals } from "@std/assert";
import { FrameScope } from "../../../core/machine/frame_scope.ts";
import { makeRam } from "../../helpers/host.ts";

const [PLACE, OTHER, HOLE] = [0x10, 0x11, 0x12] as const;

Deno.test("FrameScope.end() uncovers what its pages were laid over, and gives them back", () => {
  const memory = makeRam(2 << 20, 2);
  memory.write8(PLACE << 12, 0x55);
  for (let domain = 0; domain < 3; domain++) {
    const scope = new FrameScope(memory);
    const [first, second] = [scope.allocateFrame(), scope.allocateFrame()];
    assertEquals([first[0], second[0]], [0, 0], "as new");
    scope.mapFrame(PLACE, first);
    memory.write8(PLACE << 12, 0x66);
    scope.mapFrame(OTHER, second);
    scope.mapFrame(OTHER, undefined);
    scope.end();
    assertEquals(memory.read8(PLACE << 12), 0x55);
  }
});

Deno.test("FrameScope.end() leaves what the guest has done with pages of its own", () => {
  const memory = makeRam(2 << 20, 2);
  const scope = new FrameScope(memory);
  const moved = memory.page(OTHER)!;
  scope.mapFrame(PLACE, scope.allocateFrame());
  scope.mapFrame(PLACE, moved);
  scope.hideFrame(HOLE);
  scope.end();
  assertStrictEquals(memory.page(PLACE), moved);
  assertEquals(memory.page(HOLE), undefined);
});

Deno.test("FrameScope.end() keeps the guest's spare pages, and none of its own", () => {
  const memory = makeRam(2 << 20, 2);
  const scope = new FrameScope(memory);
  const page = memory.page(OTHER)!;
  for (const spare of [page, scope.allocateFrame()]) scope.spare.add(spare);
  scope.end();
  assertEquals([...memory.spare], [page]);
  memory.reset();
  assertEquals(memory.spare.size, 0);
});

Deno.test("FrameScope.end() shows no page that is spare", () => {
  const memory = makeRam(2 << 20, 1);
  const scope = new FrameScope(memory);
  scope.spare.add(memory.page(PLACE)!);
  scope.hideFrame(PLACE);
  scope.mapFrame(PLACE, scope.allocateFrame());
  scope.end();
  assertEquals(memory.page(PLACE), undefined);
});
