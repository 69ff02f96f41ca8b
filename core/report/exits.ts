/**
 * VM exits by device, by disk request and by guest function, as tables for the screen.
 * @module
 */

import type { DeviceExits, RequestKindRecord } from "../machine/exit_report.ts";
import type { RunExits } from "./run.ts";
import { formatTable, grouped, microseconds, percent } from "./table.ts";

type Row = readonly string[];

/** Kinds of requests, and functions, that the screen has room for; JSON has them all. */
const SHOWN_KINDS = 16;
const SHOWN_FUNCTIONS = 20;

/** The columns of `perf kvm stat`, and how many exits served disk requests. */
export function formatExits({ byDevice, tied, none }: RunExits): string {
  const total = { samples: tied.exits + none.exits, timeNs: tied.timeNs + none.timeNs };
  if (total.samples === 0) return "";
  const rows: Row[] = [
    ["VM-EXIT", "Samples", "Samples%", "Time%", "Min us", "Max us", "Avg us", "For disk"],
  ];
  for (const [reason, devices] of Map.groupBy(byDevice, ({ reason }) => reason)) {
    const [only] = devices;
    rows.push(exitRow(reason, sumOf(devices), total));
    if (devices.length === 1 && only!.device === null) continue;
    for (const device of devices) rows.push(exitRow(`  ${labelOf(device)}`, device, total));
  }
  return formatTable(rows);
}

type Exits = Omit<DeviceExits, "reason" | "device" | "ranges">;

function exitRow(label: string, exits: Exits, total: { samples: number; timeNs: number }): Row {
  const { samples, timeNs, minNs, maxNs, tied } = exits;
  return [
    label,
    grouped(samples),
    percent(samples, total.samples),
    percent(timeNs, total.timeNs),
    microseconds(minNs),
    microseconds(maxNs),
    microseconds(timeNs / samples),
    tied === 0 ? "" : grouped(tied),
  ];
}

function sumOf(devices: readonly DeviceExits[]): Exits {
  const sum = (field: "samples" | "tied" | "timeNs") =>
    devices.reduce((total, device) => total + device[field], 0);
  return {
    samples: sum("samples"),
    tied: sum("tied"),
    timeNs: sum("timeNs"),
    minNs: Math.min(...devices.map(({ minNs }) => minNs)),
    maxNs: Math.max(...devices.map(({ maxNs }) => maxNs)),
  };
}

function labelOf({ device, ranges }: DeviceExits): string {
  return `${device ?? "unclaimed"} ${ranges.join(" ")}`.trimEnd();
}

/** One row a kind of request, those with most requests first. */
export function formatRequests({ requests, tied, none }: RunExits): string {
  if (requests.length === 0) return "";
  const rows = [
    ["DISK REQUEST", "Bytes <=", "Requests", "By driver", "All exits", "Exits us", "Latency us"],
    ...requests.slice(0, SHOWN_KINDS).map(requestRow),
  ];
  const hidden = requests.length - SHOWN_KINDS;
  if (hidden > 0) rows.push([`and ${hidden} kinds more`]);
  const share = `${grouped(tied.exits)} of ${grouped(tied.exits + none.exits)} VM exits`;
  return formatTable(rows) +
    `${share} served these requests. Exits of one request: least/median/most.\n`;
}

function requestRow(kind: RequestKindRecord): string[] {
  const { disk, path, op, code, command, size, requests, driverExits, exits, exitNs, latencyNs } =
    kind;
  return [
    `${disk} ${path} ${op === "other" && command !== null ? command : op} ${
      code.toString(16).padStart(2, "0")
    }h`,
    grouped(size),
    grouped(requests),
    spread(driverExits),
    spread(exits),
    microseconds(exitNs / requests),
    microseconds(latencyNs / requests),
  ];
}

function spread({ min, median, max }: RequestKindRecord["exits"]): string {
  return `${min}/${median}/${max}`;
}

/** One row a function and a place that it went to. */
export function formatFunctions({ functions, tied, none }: RunExits): string {
  if (functions === null) return "";
  const samples = tied.exits + none.exits;
  const timeNs = tied.timeNs + none.timeNs;
  const rows = functions.slice(0, SHOWN_FUNCTIONS).map((each) => [
    `${each.name} -> ${each.device ?? each.reason}`,
    grouped(each.samples),
    percent(each.samples, samples),
    percent(each.timeNs, timeNs),
  ]);
  const hidden = functions.length - SHOWN_FUNCTIONS;
  if (hidden > 0) rows.push([`and ${hidden} functions more`]);
  return formatTable([["FUNCTION -> DEVICE", "Samples", "Samples%", "Time%"], ...rows]);
}
