/**
 * Hypercalls by which a guest would hurt its own good frontend, or leave the harness without memory:
 * nobody promises to stop them, so the fuzzer does not make them.
 * @module
 */

import { EVTCHNOP } from "../../../core/hypervisor/events/event_channel_op.ts";
import {
  CONSOLE_GFN,
  FRAMES,
  type Frames,
  framesOf,
  GREFS,
  RAM_FRAMES,
  STORE_GFN,
} from "./layout.ts";
import type { World } from "./world.ts";

/** A hypercall that could be made. */
export interface Call {
  readonly number: number;
  /** EBX, ECX, EDX, ESI, EDI. */
  readonly args: readonly number[];
  /** The structure is that of another command: what is no pointer may be taken for one. */
  readonly isBent: boolean;
}

const [MEMORY_OP, GRANT_TABLE_OP, VCPU_OP, SCHED_OP, EVENT_CHANNEL_OP] = [
  12,
  20,
  24,
  29,
  32,
] as const;
const SHUTDOWNS: readonly number[] = [2, 4, 5];
const [REGISTER_RUNSTATE_AREA, REGISTER_VCPU_INFO, REGISTER_TIME_AREA] = [5, 10, 13] as const;
/** Bytes of an area. */
const LONGEST_AREA = 64;
const [MAP_GRANT_REF, SET_VERSION, SWAP_GRANT_REF] = [0, 8, 11] as const;
/** Words of gnttab_map_grant_ref, the first of which says where. */
const MAP_WORDS = 8;
const [DECREASE, POPULATE, ADD_TO_PHYSMAP, REMOVE, BATCH] = [1, 6, 7, 15, 23] as const;
const EXTENT_SHIFT = 6;
const [GRANT_TABLE, GMFN, GMFN_RANGE] = [1, 2, 3] as const;
const MOST_FRAMES = 16;

/** The guest would hurt itself. */
export function hurtsItself(world: World, { number, args, isBent }: Call): boolean {
  const [command = 0, ecx = 0, edx = 0] = args;
  const word = (index: number) => loadLinear(world, ecx + index * 4);
  switch (number) {
    case MEMORY_OP:
      return isBent || movesForbidden(world, command, word);
    case GRANT_TABLE_OP:
      return isBent || hurtsGrants(command, [word(0), word(1)]) ||
        command === MAP_GRANT_REF && coversForbidden(edx, word);
    case VCPU_OP:
      return isBent || hurtsMemory(world, command, loadLinear(world, edx));
    case SCHED_OP:
      return SHUTDOWNS.includes(command);
    case EVENT_CHANNEL_OP:
      return hurtsEvents(world, command, word(0));
    default:
      return false;
  }
}

/** Frames come and go but those that somebody else lives by. */
function movesForbidden(
  world: World,
  command: number,
  word: (index: number) => number,
): boolean {
  const list = (pointer: number, count: number): number[] =>
    Array.from({ length: count }, (_, i) => loadLinear(world, pointer + i * 4));
  switch (command & (1 << EXTENT_SHIFT) - 1) {
    case DECREASE:
    case POPULATE: {
      const [pointer, count, order] = [word(0), word(1), word(2)];
      if (count > MOST_FRAMES || order > 3) return true;
      return list(pointer, count).some((gfn) => !isMovable(gfn, 1 << order));
    }
    case ADD_TO_PHYSMAP: {
      const count = word(1) === GMFN_RANGE ? word(0) >>> 16 : 1;
      return !isMovable(word(3), count) || isForbidden(word(1), word(2), count);
    }
    case REMOVE:
      return !isMovable(word(1), 1);
    case BATCH: {
      const [space, count] = [word(0) >>> 16, word(1) & 0xffff];
      // Error numbers may not fall upon the lists, from which Xen would then take other frames.
      const [last] = framesOf(FRAMES.scratch).slice(-1);
      const pages = [word(2), word(3), word(4), word(4) + 4 * count].map((at) => at >>> 12);
      const isApart = pages[0] === last && pages[1] === last && pages[2]! < last! &&
        pages[3]! < last!;
      if (count > MOST_FRAMES || !isApart) return true;
      const isBad = list(word(2), count).some((index) => isForbidden(space, index, 1));
      return isBad || list(word(3), count).some((gfn) => !isMovable(gfn, 1));
    }
    default:
      return false;
  }
}

/** All frontends live by pages of the grant table: one of entries, two in version 2, and marks. */
function isForbidden(space: number, index: number, count: number): boolean {
  if (space === GRANT_TABLE) return index < 2 || index >= 0x80000000;
  return (space === GMFN || space === GMFN_RANGE) && !isMovable(index, count);
}

function isMovable(gfn: number, count: number): boolean {
  const last = gfn + count - 1;
  if (count > MOST_FRAMES) return false;
  if (gfn >= RAM_FRAMES) return last < STORE_GFN || gfn > CONSOLE_GFN;
  return gfn >= FRAMES.rings[0] && last < FRAMES.data[1];
}

/** A granted page would be seen where somebody else has memory. */
function coversForbidden(count: number, word: (index: number) => number): boolean {
  return Array.from({ length: Math.min(count, MOST_FRAMES) }, (_, i) => word(i * MAP_WORDS) >>> 12)
    .some((gfn) => !isMovable(gfn, 1));
}

/** Entries of the good frontend stay where they are. */
function hurtsGrants(command: number, words: readonly number[]): boolean {
  if (command === SWAP_GRANT_REF) return words.some((gref) => isIn(GREFS.good, gref));
  return command === SET_VERSION && (words[0] === 1 || words[0] === 2);
}

/** Xen writes to an area from then on, when it likes. */
function hurtsMemory({ vcpu }: World, command: number, area: number): boolean {
  if (command === REGISTER_VCPU_INFO) return !isArea(area);
  if (command !== REGISTER_RUNSTATE_AREA && command !== REGISTER_TIME_AREA) return false;
  return [area, area + LONGEST_AREA].some((linear) => {
    const gpa = vcpu.linearToGpa(linear >>> 0);
    return gpa !== undefined && !isArea(gpa >>> 12);
  });
}

function hurtsEvents({ spared }: World, command: number, first: number): boolean {
  switch (command) {
    case EVTCHNOP.CLOSE:
      return spared.has(first);
    case EVTCHNOP.INIT_CONTROL:
    case EVTCHNOP.EXPAND_ARRAY:
      return !isArea(first);
    default:
      return command === EVTCHNOP.RESET;
  }
}

/** Xen may write there, or cannot: but not to a page that has been moved there. */
function isArea(gfn: number): boolean {
  return isIn(FRAMES.areas, gfn) || gfn >= 0x100000;
}

function isIn([first, end]: Frames, value: number): boolean {
  return value >= first && value < end;
}

function loadLinear(world: World, linear: number): number {
  let value = 0;
  for (let byte = 0; byte < 4; byte++) {
    const gpa = world.vcpu.linearToGpa((linear + byte) >>> 0);
    if (gpa !== undefined) value |= world.memory.read8(gpa) << byte * 8;
  }
  return value >>> 0;
}
