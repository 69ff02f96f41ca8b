/**
 * A machine as the reports see it: counters that a test sets, a clock and a little RAM.
 * @module
 */

import { COST_KINDS, DOM0_COST_KINDS, type GuestMemory, PAGE_SIZE } from "../../core/types.ts";
import type { Counters } from "../../core/machine/config.ts";
import type { Phase, PhaseSource } from "../../core/report/phases.ts";

/** All zero but for what is given. */
export function counters(given: Partial<Counters> = {}): Counters {
  const zero = <K extends string>(kinds: readonly K[]) =>
    Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<K, number>;
  return {
    elapsedNs: 0,
    instructions: 0,
    dom0Books: zero(DOM0_COST_KINDS),
    exits: { total: 0, byReason: {}, byPort: {} },
    portItems: 0,
    ioreqs: 0,
    hypercalls: { total: 0, byName: {} },
    events: { sent: 0, suppressed: 0 },
    grants: { map: 0, unmap: 0, copy: 0 },
    interrupts: 0,
    guestErrors: 0,
    ...given,
    books: { ...zero(COST_KINDS), ...given.books },
  };
}

/** A phase of `requests` requests of 512 bytes in `elapsedNs`, all of it guest time. */
export function phase(given: Partial<Phase> & { elapsedNs: number }): Phase {
  const { elapsedNs, ...rest } = given;
  const books = { ...counters().books, guest: elapsedNs };
  const requests = given.requests ?? 2;
  return {
    path: "ide-pio",
    before: counters(),
    after: counters({ elapsedNs, instructions: elapsedNs, books }),
    requests,
    bytes: requests * 512,
    sha256: "0".repeat(64),
    latencies: Array.from({ length: requests }, () => Math.floor(elapsedNs / requests)),
    ...rest,
  };
}

/** RAM of a few pages, some of which may be missing, none contiguous with the next on the host. */
export class PagedMemory implements Pick<GuestMemory, "page" | "range"> {
  readonly #pages: readonly (Uint8Array | undefined)[];

  constructor(pages: readonly (Uint8Array | undefined)[]) {
    this.#pages = pages;
  }

  page(gfn: number): Uint8Array | undefined {
    return this.#pages[gfn];
  }

  range(gpa: number, length: number): Uint8Array | undefined {
    const offset = gpa % PAGE_SIZE;
    if (offset + length > PAGE_SIZE) return undefined;
    return this.page((gpa - offset) / PAGE_SIZE)?.subarray(offset, offset + length);
  }
}

/** A machine whose clock and counters a test moves by hand. */
export class FakeSource implements PhaseSource {
  now = 0;
  current: Counters = counters();
  readonly memory: GuestMemory;

  constructor(pages: readonly (Uint8Array | undefined)[]) {
    this.memory = new PagedMemory(pages) as unknown as GuestMemory;
  }

  counters(): Counters {
    return this.current;
  }
}
