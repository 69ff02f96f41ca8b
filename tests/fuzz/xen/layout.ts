/**
 * Where things are in the memory and in the tables of the fuzzed domain.
 * @module
 */

import { PAGE_SIZE } from "../../../core/types.ts";

/** All of its RAM: below the video hole. */
export const RAM_FRAMES = 96;
/** As many pages of Xen's own as a machine has. */
export const EXTRA_FRAMES = 80;

/** Frames, `[first, end)`. */
export type Frames = readonly [first: number, end: number];

/** Who uses which frames of RAM. Nobody uses those that are not here, nor grants them. */
export const FRAMES: Readonly<
  Record<"scratch" | "entries" | "areas" | "good" | "rings" | "data", Frames>
> = {
  /** Structures of hypercalls. */
  scratch: [1, 4],
  /** Entries of multicalls, which no structure covers. */
  entries: [4, 5],
  /** Where Xen is told to write when it likes: vcpu_info, runstate, events. */
  areas: [5, 8],
  /** Ring and data of the frontend that behaves. */
  good: [8, 24],
  /** Rings of the hostile frontends. */
  rings: [24, 32],
  /** Data and indirect pages of theirs. */
  data: [32, 64],
};

/** Frames that are no RAM: video hole, local APIC, platform device, beyond RAM, above 4 GiB. */
export const HOLES: readonly number[] = [0xa0, 0xb8, 0xfee00, 0xf2000, 0x200, 0x100000, 0xffffffff];

/** Frames where pages of Xen's may be laid. */
export const OVERLAYS: readonly number[] = [0xf0000, 0xf0001, 0xf0002, 0xf2000, 0xa0, 30, 63];

/** The pages of xenstore and of the console, where the toolstack puts them. */
export const STORE_GFN = 0xfeffc;
/** See {@link STORE_GFN}. */
export const CONSOLE_GFN = 0xfefff;

/**
 * Grant references, `[first, end)`. 0 and 1 are the toolstack's. Those of the good frontend are not
 * one changed byte away from any of the others.
 */
export const GREFS: Readonly<Record<"good" | "hostile", Frames>> = {
  good: [480, 496],
  hostile: [32, 112],
};

/** Linear addresses that are not where the frame of their number is. */
export const LINEAR: ReadonlyMap<number, number | undefined> = new Map([
  [0x200, 1], // the next page is not there
  [0x201, undefined],
  [0x202, 2], // the next page is the local APIC
  [0x203, 0xfee00],
  [0x204, 3], // the next page is somewhere else
  [0x205, 1],
  [0xfffff, 3], // the next page is page 0
]);

/** The frames of a range. */
export function framesOf([first, end]: Frames): number[] {
  return Array.from({ length: end - first }, (_, i) => first + i);
}

/** First byte of a frame. */
export function address(gfn: number): number {
  return gfn * PAGE_SIZE;
}
