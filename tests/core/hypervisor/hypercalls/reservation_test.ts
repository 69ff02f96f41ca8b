import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Reservation } from "../../../../core/hypervisor/hypercalls/reservation.ts";
import { XenFrames } from "../../../../core/hypervisor/xen_frames.ts";
import { PagedMemory } from "../../../helpers/xen_guest.ts";

const PAGES = 8;
const SEED = 1;

type Step = readonly [operation: "decrease" | "populate" | "remove" | "move", a: number, b: number];

/** What a domain has where: content by frame, and how many pages are free. */
interface Model {
  readonly at: Map<number, number>;
  free: number;
}

/** @returns whether the step succeeds */
function apply(model: Model, [operation, a, b]: Step): boolean {
  const has = model.at.get(a);
  switch (operation) {
    case "decrease":
      if (has !== undefined) model.free++;
      return model.at.delete(a);
    case "populate":
      if (model.free === 0) return false;
      model.free--;
      model.at.set(a, 0);
      return true;
    case "remove":
      return model.at.delete(a);
    case "move":
      if (has === undefined) return false;
      if (a === b) return true;
      if (model.at.has(b)) model.free++;
      model.at.delete(a);
      model.at.set(b, has);
      return true;
  }
}

const frame = fc.integer({ min: 0, max: PAGES + 3 });
const step = fc.tuple(fc.constantFrom("decrease", "populate", "remove", "move"), frame, frame);

Deno.test(`Reservation keeps each page that is not given back, in any order; seed ${SEED}`, () => {
  const property = fc.property(fc.array(step as fc.Arbitrary<Step>, { maxLength: 40 }), (steps) => {
    const memory = new PagedMemory(PAGES);
    const frames = new XenFrames(memory, memory);
    const reservation = new Reservation({ memory, physmap: memory, frames });
    const model: Model = { at: new Map(), free: 0 };
    for (let gfn = 0; gfn < PAGES; gfn++) {
      memory.write32(gfn * 4096, gfn + 1);
      model.at.set(gfn, gfn + 1);
    }
    for (const [operation, a, b] of steps) {
      const done = operation === "move" ? reservation.move(a, b) : reservation[operation](a);
      assertEquals(done, apply(model, [operation, a, b]));
      for (let gfn = 0; gfn < PAGES + 4; gfn++) {
        assertEquals(memory.page(gfn) && memory.read32(gfn * 4096), model.at.get(gfn), `${gfn}`);
      }
      assertEquals(reservation.current, PAGES - model.free);
      const shown = [...model.at.keys()].map((gfn) => memory.page(gfn));
      assertEquals(new Set(shown).size, shown.length, "two frames show one page");
    }
  });
  fc.assert(property, { seed: SEED, numRuns: 100 });
});

Deno.test("Reservation gives back what the guest has given to one before it, as after a restore", () => {
  const memory = new PagedMemory(PAGES);
  const reserve = () => {
    const frames = new XenFrames(memory, memory);
    return new Reservation({ memory, physmap: memory, frames });
  };
  reserve().decrease(2, 3);
  const restored = reserve();
  assertEquals([restored.current, restored.maximum], [PAGES - 3, PAGES]);
  assertEquals([restored.populate(2, 3), restored.current], [true, PAGES]);
});
