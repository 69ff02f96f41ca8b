/**
 * Hypercalls with any arguments: the known ones with structures of their shape, and all others; one
 * by one or as multicalls.
 * @module
 */

import type { Rng } from "../rng.ts";
import { type Call, hurtsItself } from "./hypercall_guard.ts";
import { any, SHAPES, STRUCT_WORDS } from "./hypercall_shapes.ts";
import { address, FRAMES, framesOf } from "./layout.ts";
import { anyPointer, wild } from "./wild.ts";
import { HYPERCALL, type World } from "./world.ts";

const EFLAGS_VM = 1 << 17;
const { MEMORY_OP, GRANT_TABLE_OP, MULTICALL } = HYPERCALL;
/** GNTTABOP_copy. */
const COPY = 5;
/** Of a multicall. */
const ENTRY_BYTES = 32;
const MOST_ENTRIES = 40;
/** Calls that are none of an entry's, or fill more than its structure: xen_version. */
const UNFIT: readonly number[] = [MULTICALL, 17];
/** XENMEM_decrease_reservation, populate_physmap, add_to_physmap_batch. */
const LISTS: readonly number[] = [1, 6, 23];

/** Makes one hypercall. @returns what it was */
export function randomHypercall(rng: Rng, world: World): string {
  if (rng.chance(5)) return randomMulticall(rng, world);
  const call = makeCall(rng, world, anyPointer(rng), 8);
  if (call === undefined) return "spares itself";
  const { number, args } = call;
  const result = callAs(rng, world, [number, ...args]);
  movedBy(world, call);
  const [command, ...pointers] = args.slice(0, 3);
  return `hypercall ${number}, command ${command}, ` +
    `${pointers.map((value) => `${value.toString(16)}h`).join(", ")}: ${result}`;
}

/** Every entry has a structure of its own, which no other entry has Xen write to. */
function randomMulticall(rng: Rng, world: World): string {
  const at = address(FRAMES.entries[0]);
  const count = 1 + rng.below(rng.chance(10) ? MOST_ENTRIES : 4);
  const calls: Call[] = [];
  for (let i = 0; i < count; i++) {
    const struct = at + MOST_ENTRIES * ENTRY_BYTES + i * STRUCT_WORDS * 4;
    const call = makeCall(rng, world, struct, 1);
    if (call === undefined || UNFIT.includes(call.number) || hasList(call)) continue;
    const words = [call.number, wild(rng), ...call.args];
    words.forEach((word, j) => world.store32(at + calls.length * ENTRY_BYTES + j * 4, word));
    calls.push(call);
  }
  world.handOver(at);
  const result = world.call(MULTICALL, at, calls.length);
  for (const call of calls) movedBy(world, call);
  return `multicall of ${calls.map(({ number, args }) => `${number}:${args[0]}`)}: ${result}`;
}

/** memory_op with a list of frames, over which another entry may have Xen write. */
function hasList({ number, args: [command = 0] }: Call): boolean {
  return number === MEMORY_OP && LISTS.includes(command & 0x3f);
}

/**
 * @param at of the structure
 * @param elements most that an array has
 * @returns a hypercall; `undefined` if the guest would hurt itself by it
 */
function makeCall(rng: Rng, world: World, at: number, elements: number): Call | undefined {
  world.handOver(at);
  const shape = rng.pick(SHAPES);
  const number = rng.chance(90) ? shape.number : rng.pick([wild(rng), rng.below(64)]);
  const command = rng.chance(90) ? shape.command : rng.pick([rng.below(32), wild(rng)]);
  for (let word = 0; word < STRUCT_WORDS; word++) {
    const field = rng.chance(95) ? shape.fields[word] : any;
    storeLinear(world, at + word * 4, (field ?? any)(rng, world));
  }
  const other = world.handOver((rng.chance(90) ? shape.other : any)(rng, world));
  const [ecx, last] = shape.pointer === "edx" ? [other, at] as const : [at, other] as const;
  // Xen stores into all elements, unless there are too many.
  const edx = number === GRANT_TABLE_OP && last < 2 ** 31 ? last % (elements + 1) : last;
  const isBent = number !== shape.number || command !== shape.command;
  const args = [command, ecx, edx, any(rng, world), any(rng, world)];
  return hurtsItself(world, { number, args, isBent }) || number === MULTICALL && ecx > 0
    ? undefined
    : { number, args, isBent };
}

/** Any page that a hostile frontend could grant may have been zeroed, or be a copy now. */
function movedBy(world: World, { number, args }: Call): void {
  if (number !== MEMORY_OP && (number !== GRANT_TABLE_OP || args[0] !== COPY)) return;
  for (const gfn of framesOf([FRAMES.rings[0], FRAMES.data[1]])) world.watch.touch(address(gfn));
}

/** Mostly from the kernel, sometimes from where nobody may. */
function callAs(rng: Rng, world: World, [number, ...args]: readonly number[]): number {
  const { vcpu } = world;
  const isUser = rng.chance(2);
  if (isUser) vcpu.cpl = 3;
  if (isUser && rng.chance(50)) vcpu.eflags |= EFLAGS_VM;
  const result = world.call(number!, ...args);
  vcpu.cpl = 0;
  vcpu.eflags &= ~EFLAGS_VM;
  return result;
}

function storeLinear(world: World, linear: number, value: number): void {
  for (let byte = 0; byte < 4; byte++) {
    const gpa = world.vcpu.linearToGpa((linear + byte) >>> 0);
    if (gpa !== undefined) world.store8(gpa, value >>> byte * 8 & 0xff);
  }
}
