/**
 * Case files: found in folders, and told apart by what their first case looks like.
 * @module
 */

import { basename, dirname, join } from "@std/path";
import { UsageError } from "../../core/errors.ts";
import { firstCase } from "../helpers/oracle.ts";
import { DEFAULT_FOLDERS, HINT } from "./args.ts";

/** Formats of cases: a ring-3 instruction, or one from any system state. */
export type Format = "native" | "system";

/** One file of cases. */
export interface CaseFile {
  readonly path: string;
  /** As the table shows it: the folder's and the file's own names. */
  readonly name: string;
  readonly format: Format;
}

const SUFFIX = ".jsonl.gz";

/** Keys that every case of a format has. */
const KEYS: readonly [Format, readonly string[]][] = [
  ["native", ["k", "c", "b", "i", "f"]],
  ["system", ["id", "m", "cpl", "b", "st", "i", "p", "o", "mem"]],
];

/** What a format needs beside its case files. */
const COMPANION: Readonly<Record<Format, string>> = {
  native: "index.json",
  system: "image.bin.gz",
};

/**
 * The case files of folders, each folder's in alphabetical order.
 * @param paths folders, or single files
 * @throws {UsageError} when one is missing, has no cases, or has a file that cannot be read
 */
export async function findCaseFiles(paths: readonly string[]): Promise<CaseFile[]> {
  const found: CaseFile[] = [];
  for (const path of paths) found.push(...await caseFilesAt(path));
  return found;
}

async function caseFilesAt(path: string): Promise<CaseFile[]> {
  const files: CaseFile[] = [];
  for (const name of namesAt(path)) {
    const format = await formatOf(name);
    if (format === undefined) continue;
    const companion = join(dirname(name), COMPANION[format]);
    if (!exists(companion)) {
      throw new UsageError(`Cannot judge "${name}": "${companion}" is missing`, HINT);
    }
    files.push({ path: name, name: shortName(name), format });
  }
  if (files.length === 0) {
    throw new UsageError(`Cannot find cases in "${path}": it has no *${SUFFIX} of cases`, HINT);
  }
  return files;
}

function namesAt(path: string): string[] {
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(path);
  } catch {
    throw new UsageError(`Cannot find "${path}": no such folder`, hintFor(path));
  }
  if (!info.isDirectory) return [path];
  const names = [...Deno.readDirSync(path)].map(({ name }) => name);
  return names.filter((name) => name.endsWith(SUFFIX)).sort().map((name) => join(path, name));
}

/** The cases are no part of the repository: who asks for them by default may not have them. */
function hintFor(path: string): string {
  return DEFAULT_FOLDERS.includes(path)
    ? "put the oracles into ../shared beside the checkout, or name a folder of cases"
    : HINT;
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/**
 * Does something with what a file holds.
 * @throws {UsageError} when the file is not what it seems to be
 */
export async function reading<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`Cannot read cases of "${path}": ${reason}`, HINT);
  }
}

async function formatOf(path: string): Promise<Format | undefined> {
  const first = await reading(path, () => firstCase(path));
  return KEYS.find(([, keys]) => keys.every((key) => Object.hasOwn(first, key)))?.[0];
}

/** `native/alu`; folders named `cases` go by their parent's name. */
function shortName(path: string): string {
  const folder = dirname(path);
  const owner = basename(folder) === "cases" ? dirname(folder) : folder;
  return `${basename(owner)}/${basename(path).replace(SUFFIX, "")}`;
}
