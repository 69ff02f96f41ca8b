/**
 * The table of verdicts, and the first failures of each file.
 * @module
 */

import { ALONE_SHARE, type Failure, isGood, tooManyAlone, type Verdict } from "./judge.ts";
import { ONLY_BOCHS } from "./exceptions.ts";
import { disassembly } from "./disassembly.ts";

const WIDTHS = [20, 5, 8, 8, 8, 10, 13, 9] as const;

const HEADINGS = [
  "file",
  "tier",
  "cases",
  "passed",
  "failed",
  "left out",
  "Bochs alone",
  "seconds",
];

/** The first line of the table. */
export function tableHead(): string {
  return line(HEADINGS);
}

/** One verdict as a line of the table. */
export function tableRow(verdict: Verdict): string {
  const { file, tier, cases, passed, failed, alone, aloneFailed, seconds } = verdict;
  const share = alone === 0 ? "" : `${alone - aloneFailed}/${alone}`;
  const columns = [file.name, tier, cases, passed, failed, leftOut(verdict), share];
  return line([...columns.map(String), seconds.toFixed(1)]);
}

function line(columns: readonly string[]): string {
  return columns.map((text, n) => n === 0 ? text.padEnd(WIDTHS[n]!) : text.padStart(WIDTHS[n]!))
    .join("");
}

function leftOut(verdict: Verdict): number {
  return Object.values(verdict.leftOut).reduce((sum, count) => sum + count, 0);
}

/** The sum of all verdicts, and how many files are as they must be, each tier for itself. */
export function summary(verdicts: readonly Verdict[]): string {
  const sum = (of: (verdict: Verdict) => number) => verdicts.reduce((n, v) => n + of(v), 0);
  const alone = sum((v) => v.alone);
  const total = line([
    "all",
    "",
    ...[sum((v) => v.cases), sum((v) => v.passed), sum((v) => v.failed), sum(leftOut)].map(String),
    alone === 0 ? "" : `${alone - sum((v) => v.aloneFailed)}/${alone}`,
    sum((v) => v.seconds).toFixed(1),
  ]);
  const good = verdicts.filter(isGood).length;
  const bad = verdicts.length - good;
  return `${total}\n\n${bad ? "FAILED" : "ok"} | ${good} passed | ${bad} failed`;
}

/** What the table cannot show: why cases were left out, and the first failures. */
export function details(verdict: Verdict): string {
  const { file, tier, failures } = verdict;
  const lines = Object.entries(verdict.leftOut).map(([reason, count]) =>
    `  left out, ${count}: ${reason}`
  );
  if (tooManyAlone(verdict)) {
    lines.push(`  of what only Bochs vouches for, less than ${ALONE_SHARE * 100} % pass`);
  } else if (verdict.aloneFailed > 0) {
    lines.push(`  only Bochs: ${ONLY_BOCHS[file.name] ?? "not explained"}`);
  }
  for (const failure of failures) lines.push(failureText(failure));
  return lines.length ? `\n${file.name}, tier ${tier}\n${lines.join("\n")}` : "";
}

function failureText(failure: Failure): string {
  const { title, bytes, code32, differences, binding } = failure;
  const code = disassembly(bytes, code32);
  const head = `  ${title}: ${code}${binding ? "" : "  (only Bochs)"}`;
  return [head, ...differences.map((text) => `      ${text}`)].join("\n");
}
