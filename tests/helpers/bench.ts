/**
 * Benchmark suites and measurements of a few numbers.
 * @module
 */

import type { Measurement } from "../../core/cli/bench_marks.ts";
import type { BenchSection, BenchSuite } from "../../core/cli/bench_suites.ts";

/** A section that did one unit of work in a microsecond. */
export function measured(name: string, part: Partial<Measurement> = {}): Measurement {
  return { name, check: 0, units: 1, tsc: 1000, cpuNs: 1000, ...part };
}

/** A suite of just these sections. */
export function suiteOf(...sections: readonly BenchSection[]): BenchSuite {
  return {
    name: "cpu",
    guest: "cpu",
    defines: { full: [], quick: [] },
    patterned: false,
    peer: true,
    sections,
  };
}
