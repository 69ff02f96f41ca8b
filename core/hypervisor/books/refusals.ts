/**
 * How often backends have refused what a frontend asked of them, by disk and reason.
 * @module
 */

/** By disk, then by reason; only what happened. Keys are sorted. */
export type RefusalCounts = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Counts refusals. A guest cannot make reasons up, so there are few. */
export class Refusals {
  readonly #disks: Map<string, Map<string, number>> = new Map();

  /** @param disk such as `"hda"` */
  count(disk: string, reason: string): void {
    let reasons = this.#disks.get(disk);
    if (reasons === undefined) this.#disks.set(disk, reasons = new Map());
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }

  /** As a record that can be kept. */
  get counts(): RefusalCounts {
    return sorted([...this.#disks].map(([disk, reasons]) => [disk, sorted([...reasons])]));
  }
}

function sorted<T>(entries: [string, T][]): Record<string, T> {
  return Object.fromEntries(entries.sort(([a], [b]) => a < b ? -1 : 1));
}
