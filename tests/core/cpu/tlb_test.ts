import { assertEquals } from "@std/assert";
import { TLB } from "../../../core/cpu/state.ts";
import { STORES, Tlb } from "../../../core/cpu/tlb.ts";

const LOCAL = { gfn: 5, global: false, large: false };
const GLOBAL = { gfn: 6, global: true, large: false };
const LARGE = { gfn: 7, global: false, large: true };
const LARGE_GLOBAL = { gfn: 7, global: true, large: true };
const FRAME = 0x80000;

function makeTlb(): Tlb {
  return new Tlb(new Int32Array(0x40000));
}

/** Fills a supervisor entry that may be written. */
function fill(tlb: Tlb, linear: number, notes = LOCAL, frame = FRAME): void {
  tlb.fill(tlb.entry(linear, false), linear, frame, notes, STORES.FREE, false);
}

function lookup(tlb: Tlb, linear: number, tag: number = TLB.READ): number {
  return tlb.lookup(tlb.entry(linear, false), linear, tag);
}

Deno.test("Tlb.lookup() finds the host offset of the page it was filled with, by right", () => {
  const tlb = makeTlb();
  assertEquals(lookup(tlb, 0xc0005123), -1);
  fill(tlb, 0xc0005123);
  assertEquals(lookup(tlb, 0xc0005ffe), FRAME + 0xffe);
  assertEquals(lookup(tlb, 0xc0005000, TLB.WRITE), FRAME);
  assertEquals(lookup(tlb, 0xc0005000, TLB.EXECUTE), -1);
  assertEquals(lookup(tlb, 0xc0405000), -1);
  assertEquals(tlb.lookup(tlb.entry(0xc0005000, true), 0xc0005000, TLB.READ), -1);
});

Deno.test("Tlb.fill() keeps the rights of the same page, and none of another's", () => {
  const tlb = makeTlb();
  const entry = tlb.entry(0x5000, false);
  tlb.fill(entry, 0x5000, FRAME, LOCAL, STORES.FREE, false);
  tlb.fill(entry, 0x5000, FRAME, LOCAL, STORES.NONE, true);
  assertEquals(lookup(tlb, 0x5000, TLB.WRITE), FRAME);
  tlb.fill(entry, 0x5000, FRAME + 0x1000, LOCAL, STORES.NONE, false);
  assertEquals(lookup(tlb, 0x5000, TLB.WRITE), -1);
  assertEquals(lookup(tlb, 0x5000, TLB.EXECUTE), -1);
});

Deno.test("Tlb.flush() spares global pages when asked, as often as asked", () => {
  const tlb = makeTlb();
  fill(tlb, 0x5000);
  fill(tlb, 0x6000, GLOBAL);
  for (let time = 0; time < 2; time++) {
    tlb.flush(true);
    assertEquals([lookup(tlb, 0x5000), lookup(tlb, 0x6000)], [-1, FRAME]);
  }
  tlb.flush(false);
  assertEquals(lookup(tlb, 0x6000), -1);
});

Deno.test("Tlb.invalidate() forgets a page, and all pieces of a large one", () => {
  const tlb = makeTlb();
  fill(tlb, 0x5000);
  fill(tlb, 0x6000);
  fill(tlb, 0x401000, LARGE);
  fill(tlb, 0x7ff000, LARGE);
  fill(tlb, 0x800000, LARGE);
  tlb.invalidate(0x5fff);
  assertEquals([lookup(tlb, 0x5000), lookup(tlb, 0x6000)], [-1, FRAME]);
  tlb.invalidate(0x600000);
  assertEquals(
    [lookup(tlb, 0x401000), lookup(tlb, 0x7ff000), lookup(tlb, 0x800000)],
    [-1, -1, FRAME],
  );
});

Deno.test("Tlb.invalidate() forgets global pieces of a large page after others were flushed", () => {
  const tlb = makeTlb();
  fill(tlb, 0x401000, LARGE_GLOBAL);
  tlb.flush(true);
  tlb.invalidate(0x600000);
  assertEquals(lookup(tlb, 0x401000), -1);
});

Deno.test("Tlb.watch() reaches every page that leads to the frame, and no other", () => {
  for (const aliases of [[0x5000], [0x5000, 0x9000], [0x5000, 0x405000]]) {
    const words = new Int32Array(0x40000);
    const tlb = new Tlb(words);
    const isFree = (linear: number): boolean => {
      const at = TLB.BASE + tlb.entry(linear, false) * TLB.STRIDE + TLB.WRITE;
      return words[at >> 2] === linear;
    };
    fill(tlb, 0x6000, LOCAL, FRAME + 0x1000);
    for (const linear of aliases) fill(tlb, linear);
    tlb.watch(FRAME >> 12);
    for (const linear of aliases) assertEquals(isFree(linear), false);
    assertEquals(lookup(tlb, aliases.at(-1)!, TLB.WRITE), FRAME);
    assertEquals(isFree(0x6000), true);
    tlb.free(tlb.entry(aliases.at(-1)!, false));
    assertEquals(isFree(aliases.at(-1)!), true);
    tlb.watch(FRAME >> 12);
    assertEquals(isFree(aliases.at(-1)!), false);
  }
});
