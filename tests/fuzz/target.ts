/**
 * What can be fuzzed: each target makes a whole case out of one seed and judges it.
 * @module
 */

/** What a case did wrong. */
export interface Finding {
  readonly what: string;
  /** Lines for the reader: code, state before and after. */
  readonly details: readonly string[];
}

/** Cases of one kind. */
export interface FuzzTarget {
  /** Runs the case of a seed; says what went wrong, if anything did. */
  run(seed: number): Finding | undefined;
  /** What happened so far, by name. */
  readonly counts: Readonly<Record<string, number>>;
}

/** Builds a target. */
export type MakeTarget = () => FuzzTarget;
