/**
 * Answers to `--cpu help`, `--cost help`, `--media help`, `run --schema` and `compare --schema`.
 * @module
 */

import {
  costPresets,
  cpuPresets,
  DEFAULT_COST,
  DEFAULT_CPU,
  DEFAULT_MEDIA,
  mediaPresets,
} from "../machine/storage.ts";
import { stableJson } from "../report/json.ts";
import { duration } from "../report/table.ts";
import type { ListRequest } from "./common_args.ts";

/** The text to print. */
export async function listText(what: ListRequest["what"]): Promise<string> {
  if (what === "cpu") return cpuList();
  if (what === "cost") return costList();
  if (what === "media") return mediaList();
  if (what === "run-schema") {
    const { runJsonSchema } = await import("../report/run_schema.ts");
    return stableJson(runJsonSchema());
  }
  const { compareJsonSchema } = await import("../report/schema.ts");
  return stableJson(compareJsonSchema());
}

function cpuList(): string {
  return Object.values(cpuPresets())
    .map(({ name, features }) => `${line(name, DEFAULT_CPU)}${features.join(" ")}\n`).join("");
}

function costList(): string {
  return Object.values(costPresets())
    .map(({ name, summary, cpuHz, exitEntry, ioreq, deviceAccess }) =>
      line(name, DEFAULT_COST) +
      `${summary}; ${cpuHz / 1e9} GHz, VM exit ${duration(exitEntry)}, ` +
      `ioreq ${duration(ioreq + deviceAccess)}\n`
    ).join("");
}

function mediaList(): string {
  return Object.values(mediaPresets())
    .map(({ name, readLatencyNs, writeLatencyNs, bytesPerSecond, parallelism, spindle }) =>
      line(name, DEFAULT_MEDIA) +
      `read ${duration(readLatencyNs)}, write ${duration(writeLatencyNs)}` +
      (spindle === undefined ? "" : ` and ${duration(spindle.rotationNs)} a turn`) +
      `, ${bytesPerSecond / 1e6} MB/s, ${parallelism} at a time\n`
    ).join("");
}

function line(name: string, standard: string): string {
  return `${name.padEnd(12)}${name === standard ? "(default) " : ""}`;
}
