/**
 * One ring of a frontend, connected: its pages mapped, its event channel bound, a worker at it.
 *
 * However it ends, every page is unmapped and the channel is closed exactly once; pages in the hands
 * of the disk wait until it is done with them. Ending what has ended does nothing (XSA-350).
 * @module
 */

import type { BackendHost, EventPort, GrantMapper } from "../../core/types.ts";
import { BlkbackRing, OVERRUN } from "./blkback_ring.ts";
import type { BlkbackRingParts, RingEnding } from "./blkback_ring.ts";
import type { QueueKeys } from "./frontend_keys.ts";

/** What the rings of one frontend have in common. */
export type SharedRingParts = Omit<BlkbackRingParts, "pages" | "event" | "grants">;

/** A connected ring, and what ends it. */
export class BlkbackConnection {
  readonly #ring: BlkbackRing;
  readonly #event: EventPort;
  readonly #grants: GrantMapper;
  readonly #ringRefs: readonly number[];

  private constructor(
    ring: BlkbackRing,
    event: EventPort,
    grants: GrantMapper,
    ringRefs: readonly number[],
  ) {
    this.#ring = ring;
    this.#event = event;
    this.#grants = grants;
    this.#ringRefs = ringRefs;
  }

  /** @returns the connection, or why there is none; then nothing of it stays mapped or bound */
  static open(
    { grants, bindInterdomain }: Pick<BackendHost, "grants" | "bindInterdomain">,
    { ringRefs, evtchnPort }: QueueKeys,
    parts: SharedRingParts,
  ): BlkbackConnection | string {
    const pages = mapRing(grants, ringRefs);
    if (typeof pages === "string") return pages;
    const event = bindInterdomain(evtchnPort, () => ring.onEvent());
    if (event === undefined) {
      grants.unmapAll(ringRefs);
      return `cannot bind event-channel ${evtchnPort}`;
    }
    const ring = new BlkbackRing({ ...parts, grants, pages, event });
    if (!ring.overrun) return new BlkbackConnection(ring, event, grants, ringRefs);
    event.close();
    grants.unmapAll(ringRefs);
    return OVERRUN;
  }

  /** Looks at the ring for the first time. */
  start(): void {
    this.#ring.start();
  }

  /** @returns whether it has ended; if not, `onDrained` will tell when to call again */
  end(how: RingEnding): boolean {
    if (how === "crashed") this.#event.close();
    if (!this.#ring.close(how)) return false;
    this.#event.close();
    this.#grants.unmapAll(this.#ringRefs);
    return true;
  }
}

/** @returns the pages of the ring, or what is wrong with them */
function mapRing(
  grants: GrantMapper,
  ringRefs: readonly number[],
): readonly Uint8Array[] | string {
  const pages: Uint8Array[] = [];
  for (const gref of ringRefs) {
    const page = grants.map(gref, "write");
    if (page === undefined) {
      if (pages.length > 0) grants.unmapAll(ringRefs.slice(0, pages.length));
      return `cannot map ring-ref ${gref}`;
    }
    pages.push(page);
  }
  return pages;
}
