/**
 * The hypercalls that there are, with what their structures hold, word by word.
 * @module
 */

import type { Rng } from "../rng.ts";
import { address, FRAMES, HOLES, OVERLAYS } from "./layout.ts";
import { anyFrame, anyGref, anyPointer, harmless, wild } from "./wild.ts";
import type { World } from "./world.ts";

/** Makes a 32-bit field. */
export type Field = (rng: Rng, world: World) => number;

/** A command of a hypercall. */
export interface Shape {
  readonly number: number;
  readonly command: number;
  /** The words of its structure. */
  readonly fields: readonly Field[];
  /** The register that points to it. */
  readonly pointer: "ecx" | "edx";
  /** What is in the other of ECX and EDX. */
  readonly other: Field;
}

/** Words of every structure, those of its shape and more. */
export const STRUCT_WORDS = 16;

/** A number without meaning. */
export const any: Field = (rng, world) => world.handOver(harmless(wild(rng)));

const zero: Field = () => 0;
const one: Field = () => 1;
const small: Field = (rng) => rng.below(8);
const index: Field = (rng) => rng.chance(70) ? rng.below(66) : wild(rng);
const domid: Field = (rng) => rng.pick([0x7ff0, 0x7ff0, 0x7ff0, 1, 0, 2, wild(rng) & 0xffff]);
const gref: Field = (rng) => anyGref(rng);
const gfn: Field = (rng) => anyFrame(rng);
const port: Field = (rng, world) =>
  rng.chance(20) ? rng.pick([0, 1023, 1024, 4096, 131072, wild(rng)]) : rng.pick(world.victims);
/** Where Xen's pages may be laid. */
const place: Field = (rng) => rng.chance(50) ? rng.pick(OVERLAYS) : rng.pick(HOLES);
/** A frame to which Xen may write from then on. */
const area: Field = (rng) => rng.chance(80) ? FRAMES.areas[0] + rng.below(3) : rng.pick(HOLES);
/** The same as an address. */
const areaPointer: Field = (rng) =>
  rng.chance(80)
    ? address(FRAMES.areas[0]) + rng.below(0x2000)
    : address(rng.pick([...HOLES, 0x201]) & 0xfffff) + rng.below(0x1000);
const pointer: Field = (rng, world) => world.handOver(anyPointer(rng));
/** An array of frames. */
const frames: Field = (rng, world) => {
  const at = address(FRAMES.scratch[1]) - 64 * (1 + rng.below(4));
  for (let i = 0; i < 16; i++) world.store32(at + i * 4, anyFrame(rng));
  return at;
};
/** A time that is not far away, or any. */
const soon: Field = (rng, world) => rng.chance(80) ? world.clock.now + rng.below(1e6) : wild(rng);
/** Where a granted page is to be seen. */
const host: Field = (rng) => address(rng.chance(70) ? rng.pick(OVERLAYS) : anyFrame(rng) & 0xfffff);
const mapFlags: Field = (rng) => rng.chance(90) ? rng.below(8) : wild(rng);
/** Length and flags of a copy. */
const copied: Field = (rng) =>
  (rng.chance(80) ? rng.below(4097) : wild(rng) & 0xffff) | low(rng, 4);
/** A domid and something small behind it. */
const domidAnd: Field = (rng, world) => domid(rng, world) | low(rng, 4);
const low = (rng: Rng, limit: number): number => rng.below(limit) << 16;

/** ECX points to the structure. */
function at(number: number, command: number, fields: readonly Field[], edx: Field = any): Shape {
  return { number, command, fields, pointer: "ecx", other: edx };
}

/** EDX points to it. */
function atEdx(number: number, command: number, fields: readonly Field[], ecx: Field): Shape {
  return { number, command, fields, pointer: "edx", other: ecx };
}

/** In the order of their numbers. */
export const SHAPES: readonly Shape[] = [
  // memory_op
  at(12, 1, [frames, small, zero, zero, domid]),
  at(12, 1, [frames, small, small, zero, domid]),
  at(12, 2, []),
  at(12, 3, [domid]),
  at(12, 6, [frames, small, zero, zero, domid]),
  at(12, 7, [domid, zero, zero, place]),
  at(12, 7, [domid, one, index, place]),
  at(12, 7, [domidAnd, (rng) => 2 + rng.below(3), gfn, gfn]),
  at(12, 9, [small, pointer]),
  at(12, 15, [domid, (rng, world) => rng.pick([place, gfn])(rng, world)]),
  at(12, 23, [domidAnd, small, frames, frames, pointer]),
  // xen_version, console_io
  at(17, 0, []),
  at(17, 2, []),
  at(17, 6, [small, zero]),
  at(18, 0, [any, any], pointer),
  // grant_table_op
  at(20, 0, [host, zero, mapFlags, gref, domid, zero], one),
  at(20, 0, [host, zero, (rng) => 2 | rng.below(2) << 2, gref, one], one),
  at(20, 1, [host, zero, zero, zero, small], one),
  at(20, 2, [domid, small, zero, pointer], one),
  at(20, 5, [gref, domid, small, gfn, domid, small, copied], one),
  at(20, 5, [gref, one, any, gref, one, any, copied], small),
  at(20, 6, [domid, zero, zero, zero], one),
  at(20, 8, [small], one),
  at(20, 10, [domid, zero], one),
  at(20, 11, [gref, gref, zero], small),
  // vcpu_op
  atEdx(24, 4, [], small),
  atEdx(24, 5, [areaPointer, zero], zero),
  atEdx(24, 6, [any, zero], zero),
  atEdx(24, 8, [soon, zero, small], zero),
  atEdx(24, 10, [area, zero, any], zero),
  atEdx(24, 10, [area, zero, small], zero),
  atEdx(24, 13, [areaPointer, zero], zero),
  // sched_op
  at(29, 0, []),
  at(29, 1, []),
  at(29, 3, [pointer, small, soon, zero]),
  at(29, 3, [pointer, any, soon, zero]),
  at(29, 6, [small, any]),
  // event_channel_op
  at(32, 0, [domid, port, zero]),
  at(32, 1, [small, zero, zero]),
  at(32, 3, [port]),
  at(32, 4, [port]),
  at(32, 5, [domid, port, zero, zero, zero, zero]),
  at(32, 6, [domidAnd]),
  at(32, 7, [zero, zero]),
  at(32, 8, [port, zero]),
  at(32, 9, [port]),
  at(32, 11, [area, zero, (rng) => rng.pick([0, 128, 4032]), zero]),
  at(32, 12, [area, zero]),
  at(32, 13, [port, small]),
  // physdev_op, hvm_op
  at(33, 13, [any, any, any]),
  at(34, 0, [domid, (rng) => rng.below(40), any, any]),
  at(34, 1, [domid, (rng) => rng.below(40), zero, zero]),
  at(34, 2, [zero, any]),
];
