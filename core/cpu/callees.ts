/**
 * Functions of TypeScript that generated code calls; imports.ts says what they do. Those of the x87
 * are in fpu/callees.ts.
 * @module
 */

import { type Callee, callee, I32, I64 } from "./wasm.ts";

/** Reads that miss the TLB; an address is linear. */
export const READ: Readonly<Record<1 | 2 | 4, Callee>> = {
  1: callee("read8", 1, 1),
  2: callee("read16", 1, 1),
  4: callee("read32", 1, 1),
};
/** Stores that miss it: see watched_stores.ts. */
export const WRITE: Readonly<Record<1 | 2 | 4, Callee>> = {
  1: callee("write8", 2, 0),
  2: callee("write16", 2, 0),
  4: callee("write32", 2, 0),
};
/** Reads from a page that must also be writable. */
export const MODIFY: Readonly<Record<1 | 2 | 4, Callee>> = {
  1: callee("modify8", 1, 1),
  2: callee("modify16", 1, 1),
  4: callee("modify32", 1, 1),
};
/** Stores, and reads of {@link MODIFY}, that are more than one to a page with code. */
export const SLOW_WRITE: typeof WRITE = {
  1: callee("slowWrite8", 2, 0),
  2: callee("slowWrite16", 2, 0),
  4: callee("slowWrite32", 2, 0),
};
export const SLOW_MODIFY: typeof MODIFY = {
  1: callee("slowModify8", 1, 1),
  2: callee("slowModify16", 1, 1),
  4: callee("slowModify32", 1, 1),
};
/** CMPXCHG8B's access to memory: see exchange.ts. Returns what was at the linear address. */
export const EXCHANGE: Callee = { name: "exchange", params: [I32], results: [I64] };
/** The same where the TLB does not allow it. */
export const SLOW_EXCHANGE: Callee = { ...EXCHANGE, name: "slowExchange" };
/** A port access: port, and size with `IMMEDIATE_PORT` of sem/port.ts. */
export const PORT_IN: Callee = callee("portIn", 2, 1);
/** The same, and OUT's value. */
export const PORT_OUT: Callee = callee("portOut", 3, 0);
/** STI has turned interrupts on: stops behind the instruction if something must wait for the next. */
export const HOLD_INTERRUPTS: Callee = callee("holdInterrupts", 0, 0);
/** POPF has set IF or TF, or changed AC: the same if something comes before the next instruction. */
export const FLAGS_CHANGED: Callee = callee("flagsChanged", 0, 0);
/** A segment register, by address, would be loaded with what it holds: see same_segment.ts. */
export const HOLDS_SEGMENT: Callee = callee("holdsSegment", 2, 1);
/** Loads DS, ES, FS or GS, by number, with a selector; stops as {@link FLAGS_CHANGED} does. */
export const LOAD_SEGMENT: Callee = callee("loadSegment", 2, 0);
/** Makes `TSC_END` right. */
export const LOOK_AT_CLOCK: Callee = callee("lookAtClock", 0, 0);
/** Executes the instruction of a complex record; 0 when generated code must not go on by itself. */
export const EXECUTE: Callee = callee("execute", 1, 1);
/** Enters a handler, returns from one, in the same ring: see same_ring.ts. */
export const ENTER_SAME_RING: Callee = callee("enterSameRing", 4, 1);
export const RETURN_SAME_RING: Callee = callee("returnSameRing", 0, 1);
/** Something comes before the next instruction. */
export const HELD_UP: Callee = callee("heldUp", 0, 1);
/** Takes the instruction behind a straddling record off the budget; 0 when it must not run. */
export const LOOK_AGAIN: Callee = callee("lookAgain", 1, 1);
/** Raises an exception without error code. */
export const FAULT: Callee = callee("fault", 1, 0);
/** Raises #GP(0), or #SS(0) for SS. */
export const SEGMENT_FAULT: Callee = callee("segmentFault", 1, 0);
