/**
 * Hypercalls with any arguments: the known ones with structures of their shape, and all others.
 * @module
 */

import { EVTCHNOP } from "../../../core/hypervisor/event_channel_op.ts";
import type { Rng } from "../rng.ts";
import {
  address,
  FRAMES,
  type Frames,
  framesOf,
  GREFS,
  HOLES,
  OVERLAYS,
  RAM_FRAMES,
} from "./layout.ts";
import { anyFrame, anyGref, wild } from "./wild.ts";
import { HYPERCALL, type World } from "./world.ts";

/** Makes a 32-bit field. */
type Field = (rng: Rng, world: World) => number;

/** A command, its structure word by word, and the register that points to it. */
interface Shape {
  readonly number: number;
  readonly command: number;
  readonly fields: readonly Field[];
  readonly pointer?: "ecx" | "edx";
  /** Of the other of ECX and EDX. */
  readonly other?: Field;
}

const zero: Field = () => 0;
const one: Field = () => 1;
const domid: Field = (rng) => rng.pick([0x7ff0, 0x7ff0, 0x7ff0, 1, 0, 2, wild(rng) & 0xffff]);
const port: Field = (rng, world) =>
  world.victims.length === 0 || rng.chance(20)
    ? rng.pick([0, 1023, 1024, 4096, 131072, wild(rng)])
    : rng.pick(world.victims);
const frame: Field = (rng) => rng.chance(50) ? rng.pick(OVERLAYS) : rng.pick(HOLES);
const area: Field = (rng) => rng.chance(80) ? FRAMES.areas[0] + rng.below(4) : rng.pick(HOLES);
const gref: Field = (rng) => anyGref(rng);
const gfn: Field = (rng) => anyFrame(rng);
const small: Field = (rng) => rng.below(8);
const any: Field = (rng, world) => world.handOver(harmless(wild(rng)));
const index: Field = (rng) => rng.chance(70) ? rng.below(66) : wild(rng);
/** A time that is not far away, or any. */
const soon: Field = (rng, world) => rng.chance(80) ? world.clock.now + rng.below(1e6) : wild(rng);
const pointer: Field = (rng, world) => world.handOver(anyPointer(rng));
/** Where Xen writes from then on. */
const areaPointer: Field = (rng) =>
  rng.chance(80)
    ? address(FRAMES.areas[0]) + rng.below(0x3000)
    : address(rng.pick([...HOLES, 0x201]) & 0xfffff) + rng.below(0x1000);

/** Where a granted page is to be seen. */
const host: Field = (rng) => address(rng.chance(70) ? rng.pick(OVERLAYS) : anyFrame(rng) & 0xfffff);
const mapFlags: Field = (rng) => rng.chance(90) ? rng.below(8) : wild(rng);
/** Length, flags. */
const copy: Field = (rng) =>
  (rng.chance(80) ? rng.below(4097) : wild(rng) & 0xffff) | rng.below(4) << 16;

const SHAPES: readonly Shape[] = [
  { number: 12, command: 3, fields: [domid] },
  { number: 12, command: 7, fields: [domid, zero, zero, frame] },
  { number: 12, command: 7, fields: [domid, (rng) => 2 + rng.below(8), small, frame] },
  { number: 12, command: 7, fields: [domid, one, index, frame] },
  { number: 12, command: 15, fields: [domid, frame] },
  { number: 12, command: 6, fields: [pointer, small, small, domid, any] },
  { number: 32, command: 0, fields: [domid, port, zero] },
  { number: 32, command: 1, fields: [small, zero, zero] },
  { number: 32, command: 3, fields: [port] },
  { number: 32, command: 4, fields: [port] },
  { number: 32, command: 5, fields: [domid, port, zero, zero, zero, zero] },
  { number: 32, command: 6, fields: [(rng, world) => domid(rng, world) | (rng.below(3) << 16)] },
  { number: 32, command: 7, fields: [zero, zero] },
  { number: 32, command: 8, fields: [port, zero] },
  { number: 32, command: 9, fields: [port] },
  { number: 32, command: 11, fields: [area, zero, (rng) => rng.pick([0, 128, 4032]), zero] },
  { number: 32, command: 12, fields: [area, zero] },
  { number: 32, command: 13, fields: [port, small] },
  { number: 20, command: 0, fields: [host, zero, mapFlags, gref, domid, zero], other: one },
  {
    number: 20,
    command: 0,
    fields: [host, zero, (r) => 2 | r.below(2) << 2, gref, one],
    other: one,
  },
  { number: 20, command: 1, fields: [host, zero, zero, zero, small], other: one },
  { number: 20, command: 2, fields: [domid, small, zero, pointer], other: one },
  { number: 20, command: 4, fields: [gfn, domid, gref], other: small },
  { number: 20, command: 5, fields: [gref, domid, small, gfn, domid, small, copy], other: one },
  { number: 20, command: 5, fields: [gref, one, any, gref, one, any, copy], other: small },
  { number: 20, command: 6, fields: [domid, zero, zero, zero], other: one },
  { number: 20, command: 7, fields: [host, zero, any, any, small], other: one },
  { number: 20, command: 8, fields: [small], other: one },
  { number: 20, command: 9, fields: [small, domid, zero, pointer], other: one },
  { number: 20, command: 10, fields: [domid, zero], other: one },
  { number: 20, command: 11, fields: [gref, gref, zero], other: small },
  { number: 20, command: 12, fields: [any, zero, any, small], other: small },
  { number: 24, command: 5, fields: [areaPointer, zero], pointer: "edx", other: zero },
  { number: 24, command: 13, fields: [areaPointer, zero], pointer: "edx", other: zero },
  { number: 24, command: 10, fields: [area, zero, any], pointer: "edx", other: zero },
  { number: 24, command: 10, fields: [area, zero, small], pointer: "edx", other: zero },
  { number: 24, command: 6, fields: [any, zero], pointer: "edx", other: zero },
  { number: 24, command: 8, fields: [soon, zero, small], pointer: "edx", other: zero },
  { number: 24, command: 4, fields: [], pointer: "edx", other: small },
  { number: 29, command: 0, fields: [] },
  { number: 29, command: 1, fields: [] },
  { number: 29, command: 3, fields: [pointer, small, soon, zero] },
  { number: 29, command: 3, fields: [pointer, any, soon, zero] },
  { number: 17, command: 0, fields: [] },
  { number: 17, command: 2, fields: [] },
  { number: 17, command: 6, fields: [small, zero] },
  { number: 34, command: 1, fields: [domid, (rng) => rng.below(40), zero, zero] },
  { number: 34, command: 0, fields: [domid, (rng) => rng.below(40), any, any] },
  { number: 34, command: 2, fields: [zero, any] },
  { number: 18, command: 0, fields: [any, any] },
  { number: 33, command: 13, fields: [any, any, any] },
  { number: 13, command: 0, fields: [any, any, any, any] },
];

/** Commands that a guest could use to hurt its own drivers, which nobody promises to stop. */
const SUICIDE: ReadonlySet<string> = new Set(["29:2"]);

const STRUCT_WORDS = 16;
const [MEMORY_OP, VCPU_OP] = [12, 24] as const;
const ADD_TO_PHYSMAP = 7;
const [REGISTER_RUNSTATE_AREA, REGISTER_VCPU_INFO, REGISTER_TIME_AREA] = [5, 10, 13] as const;
/** Bytes of an area. */
const LONGEST_AREA = 64;
const [COPY, SET_VERSION, SWAP_GRANT_REF] = [5, 8, 11] as const;
/** XENMAPSPACE_grant_table. */
const GRANT_TABLE = 1;
const EFLAGS_VM = 1 << 17;

/** Makes one hypercall. @returns what it was */
export function randomHypercall(rng: Rng, world: World): string {
  const at = world.handOver(anyPointer(rng));
  const shape = rng.pick(SHAPES);
  const number = rng.chance(90) ? shape.number : rng.pick([wild(rng), rng.below(64)]);
  const command = rng.chance(90) ? shape.command : rng.pick([rng.below(32), wild(rng)]);
  for (let word = 0; word < STRUCT_WORDS; word++) {
    const field = rng.chance(95) ? shape.fields[word] : any;
    storeLinear(world, at + word * 4, (field ?? any)(rng, world));
  }
  const other = world.handOver((rng.chance(90) ? shape.other ?? any : any)(rng, world));
  const [ecx, last] = shape.pointer === "edx" ? [other, at] as const : [at, other] as const;
  const edx = number === HYPERCALL.GRANT_TABLE_OP ? elements(last) : last;
  const isOther = number !== shape.number || command !== shape.command;
  if (hurtsItself(world, number, command, [ecx, edx], isOther)) return "spares itself";
  const result = callAs(rng, world, [number, command, ecx, edx, any(rng, world), any(rng, world)]);
  if (number === HYPERCALL.GRANT_TABLE_OP && command === COPY) copied(world);
  return `hypercall ${number}, command ${command}, ${ecx.toString(16)}h, ${edx.toString(16)}h: ` +
    `${result}`;
}

/** Few enough, or too many: Xen stores into all of them. */
function elements(count: number): number {
  return count < 2 ** 31 ? count % 9 : count;
}

/** Any page that a hostile frontend could grant may be a copy now. */
function copied(world: World): void {
  for (const gfn of framesOf([FRAMES.rings[0], FRAMES.data[1]])) world.watch.touch(address(gfn));
}

/** @param isOther the structure is that of another command */
function hurtsItself(
  world: World,
  number: number,
  command: number,
  [ecx, edx]: readonly [number, number],
  isOther: boolean,
): boolean {
  const word = (index: number) => loadLinear(world, ecx + index * 4);
  switch (number) {
    case VCPU_OP:
      return isOther || hurtsMemory(world, command, loadLinear(world, edx));
    case MEMORY_OP:
      return command === ADD_TO_PHYSMAP && word(1) === GRANT_TABLE && isVital(word(2));
    case HYPERCALL.GRANT_TABLE_OP:
      return hurtsGrants(command, [word(0), word(1)]);
    case HYPERCALL.EVENT_CHANNEL_OP:
      return hurtsEvents(world, command, word(0));
    default:
      return SUICIDE.has(`${number}:${command}`);
  }
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

/** Entries of the good frontend stay where they are. */
function hurtsGrants(command: number, words: readonly number[]): boolean {
  if (command === SWAP_GRANT_REF) return words.some((gref) => isIn(GREFS.good, gref));
  return command === SET_VERSION && (words[0] === 1 || words[0] === 2);
}

/** Pages of the grant table that all frontends live by: one of entries, two in version 2, and marks. */
function isVital(index: number): boolean {
  return index < 2 || index >= 0x80000000;
}

/** Xen may write there, or cannot. */
function isArea(gfn: number): boolean {
  return isIn(FRAMES.areas, gfn) || gfn >= RAM_FRAMES;
}

/**
 * A number that leads to nothing that Xen must not write, taken for a pointer, nor to the good
 * frontend's pages, taken for a frame.
 */
function harmless(value: number): number {
  if (isForbidden(value)) return value + 0x100;
  return isForbidden(value >>> 12) ? (value | 0x40000000) >>> 0 : value;
}

/** A frame that nobody hands over to Xen. */
function isForbidden(gfn: number): boolean {
  return gfn < RAM_FRAMES && gfn !== 0 && !isIn([FRAMES.rings[0], FRAMES.data[1]], gfn);
}

function isIn([first, end]: Frames, value: number): boolean {
  return value >= first && value < end;
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

/** Where a structure is: mostly where one can be. */
function anyPointer(rng: Rng): number {
  const [first, end] = FRAMES.scratch;
  if (rng.chance(80)) return address(first + rng.below(end - first)) + rng.below(0xf00);
  switch (rng.below(6)) {
    case 0: // across pages, the second of which may be anywhere
      return address(rng.pick([1, 2, 0x200, 0x202, 0x204])) + 0x1000 - rng.below(64);
    case 1: // across the end of the address space
      return 0xffffffff - rng.below(64);
    case 2:
      return address(rng.pick(HOLES) & 0xfffff) + rng.below(0x1000);
    case 3:
      return address(0x201) + rng.below(0x1000);
    case 4:
      return address(anyFrame(rng) & 0xfffff) + rng.below(0x1000);
    default:
      return address(rng.pick(OVERLAYS)) + rng.below(0x1000);
  }
}

function storeLinear(world: World, linear: number, value: number): void {
  for (let byte = 0; byte < 4; byte++) {
    const gpa = world.vcpu.linearToGpa((linear + byte) >>> 0);
    if (gpa !== undefined) world.store8(gpa, value >>> byte * 8 & 0xff);
  }
}

function loadLinear(world: World, linear: number): number {
  let value = 0;
  for (let byte = 0; byte < 4; byte++) {
    const gpa = world.vcpu.linearToGpa((linear + byte) >>> 0);
    if (gpa !== undefined) value |= world.memory.read8(gpa) << byte * 8;
  }
  return value >>> 0;
}
