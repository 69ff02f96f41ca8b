/**
 * JSON that two runs with the same inputs print byte for byte alike.
 * @module
 */

/** Two-space JSON with the keys of every object in code-unit order, and a final newline. */
export function stableJson(value: unknown): string {
  return JSON.stringify(value, sortKeys, 2) + "\n";
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value);
  return Object.fromEntries(entries.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0));
}
