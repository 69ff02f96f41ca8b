/**
 * Plain text tables.
 * @module
 */

/** First column to the left, all others to the right, two spaces between. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from(
    { length: columns },
    (_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)),
  );
  return rows.map((row) => formatRow(row, widths)).join("");
}

function formatRow(row: readonly string[], widths: readonly number[]): string {
  const cells = row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!));
  return cells.join("  ").trimEnd() + "\n";
}

/** `1234567` as `1,234,567`. */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `12.34%`. */
export function percent(part: number, whole: number): string {
  return `${(whole === 0 ? 0 : part * 100 / whole).toFixed(2)}%`;
}

/** Nanoseconds as microseconds, for columns of them. */
export function microseconds(ns: number): string {
  return (ns / 1000).toFixed(2);
}

/** Virtual time with the unit that leaves one to three digits before the point. */
export function duration(ns: number): string {
  if (ns < 1_000) return `${ns} ns`;
  if (ns < 999_995) return `${(ns / 1e3).toFixed(2)} us`; // above it is 1000.00 us
  if (ns < 999_995_000) return `${(ns / 1e6).toFixed(2)} ms`;
  return `${(ns / 1e9).toFixed(3)} s`;
}
