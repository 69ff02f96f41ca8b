/**
 * The drives of a command line: `-drive`, `-hda` to `-hdd`, `-cdrom` and `--disk`, as QEMU has them.
 *
 * | option | drive |
 * |---|---|
 * | `-hda F` to `-hdd F` | disk at index 0 to 3 |
 * | `-cdrom F` | CD-ROM at index 2 |
 * | `--disk F` | disk at the next free index |
 * | `-drive file=F[,KEY=VALUE...]` | what the keys say; the next free index unless one is given |
 *
 * Index 0 and 1 are master and slave of the primary IDE channel, 2 and 3 of the secondary.
 * @module
 */

import type { Command } from "commander";
import { UsageError } from "../errors.ts";
import type { DiskConfig } from "../machine/config.ts";
import { type Fault, FAULT_KINDS } from "../machine/storage.ts";

/** A drive that the user has named. */
export interface DriveOptions {
  /** Image file. */
  readonly file: string;
  /** 0 to 3. */
  readonly index: number;
  readonly kind: "disk" | "cdrom";
  /** The one path to it; both unless given. */
  readonly path?: NonNullable<DiskConfig["path"]>;
  /** The user says that the file has no format but its bytes. */
  readonly raw: boolean;
  readonly readOnly: boolean;
  /** Writes stay in memory. */
  readonly snapshot: boolean;
  /** What is wrong with some of its sectors. */
  readonly faults?: readonly Fault[];
  /** What its block backend offers otherwise than by default. */
  readonly offers?: NonNullable<DiskConfig["offers"]>;
}

/** A drive whose place may not be decided yet. */
type DriveRequest = Omit<DriveOptions, "index"> & { readonly index?: number };

const POSITIONS = 4;
const EXAMPLE = "-drive file=disk.img,if=ide,index=0,media=disk,format=raw";
const FAULT_EXAMPLE = "fault=unc@2048, fault=abort@4096+8, fault=timeout@0*1: once only";

/** Collects the drives of a command, in the order of the command line. */
export class DriveList {
  readonly #requests: DriveRequest[] = [];

  /** Gives a command the options that name drives. */
  addOptions(command: Command): void {
    const disk = (index?: number) => (file: string): void => this.#addDisk(file, index);
    command
      .option("--disk <file>", "raw image, at the next free index: hda, hdb, hdc, hdd", disk())
      .option("--drive <options>", DRIVE_HELP, (text) => void this.#requests.push(readDrive(text)))
      .option("--hda <file>", "raw image, primary master", disk(0))
      .option("--hdb <file>", "raw image, primary slave", disk(1))
      .option("--hdc <file>", "raw image, secondary master", disk(2))
      .option("--hdd <file>", "raw image, secondary slave", disk(3))
      .option(
        "--cdrom <file>",
        "ISO image, secondary master",
        (file) => void this.#requests.push(readDrive(`file=${escape(file)},index=2,media=cdrom`)),
      );
  }

  /** None has been named. */
  get isEmpty(): boolean {
    return this.#requests.length === 0;
  }

  /**
   * The drives by position.
   * @param snapshot writes to all of them stay in memory
   * @throws {UsageError} when two want the same one or there are more than four
   */
  place(snapshot: boolean): DriveOptions[] {
    const placed: (DriveOptions | undefined)[] = new Array(POSITIONS).fill(undefined);
    const settled = this.#requests.filter(({ index }) => index !== undefined);
    const free = this.#requests.filter(({ index }) => index === undefined);
    for (const request of [...settled, ...free]) {
      const index = request.index ?? placed.indexOf(undefined);
      if (index < 0) throw tooMany(this.#requests.length);
      const other = placed[index];
      if (other !== undefined) throw taken(request, other);
      placed[index] = { ...request, index, snapshot: request.snapshot || snapshot };
    }
    return placed.filter((drive) => drive !== undefined);
  }

  #addDisk(file: string, index: number | undefined): void {
    this.#requests.push({
      file,
      kind: "disk",
      raw: false,
      readOnly: false,
      snapshot: false,
      ...index === undefined ? {} : { index },
    });
  }
}

const DRIVE_HELP = "file=F[,if=ide|xen][,index=N][,media=disk|cdrom][,format=raw][,readonly=on]" +
  "[,snapshot=on][,persistent=off][,indirect=off][,ring-pages=1|2|4|8|16][,queues=1|2|3|4]" +
  "[,fault=unc|abort|timeout@SECTOR[+COUNT][*TIMES]]...";

/** Values by key; the first of a list is the default. */
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  if: ["both", "ide", "xen"],
  index: ["next", "0", "1", "2", "3"],
  media: ["disk", "cdrom"],
  format: ["probe", "raw"],
  readonly: ["off", "on"],
  snapshot: ["off", "on"],
  persistent: ["on", "off"],
  indirect: ["on", "off"],
  "ring-pages": ["16", "1", "2", "4", "8"],
  queues: ["4", "1", "2", "3"],
};

/** Defaults, which are not spelled out. */
const UNSPELLED: readonly string[] = ["both", "next", "probe"];

function readDrive(text: string): DriveRequest {
  const faults: Fault[] = [];
  const values = readKeys(text, faults);
  const offers = readOffers(values);
  const file = values.get("file");
  if (file === undefined || file === "") throw cannot(text, "it names no file", EXAMPLE);
  const [kind, path, index] = [values.get("media")!, values.get("if")!, values.get("index")!];
  if (kind === "cdrom" && path === "xen") {
    throw cannot(text, "a CD-ROM is on IDE alone", EXAMPLE.replace("=disk,", "=cdrom,"));
  }
  return {
    file,
    kind: kind as DriveOptions["kind"],
    raw: values.get("format") === "raw",
    readOnly: kind === "cdrom" || values.get("readonly") === "on",
    snapshot: values.get("snapshot") === "on",
    ...path === "both" ? {} : { path: path as NonNullable<DiskConfig["path"]> },
    ...index === "next" ? {} : { index: Number(index) },
    ...faults.length === 0 ? {} : { faults },
    ...offers === undefined ? {} : { offers },
  };
}

/** Nothing when all keys have their defaults. */
function readOffers(values: ReadonlyMap<string, string>): DriveRequest["offers"] {
  const keys = ["persistent", "indirect", "ring-pages", "queues"];
  if (keys.every((key) => values.get(key) === CHOICES[key]![0])) return undefined;
  return {
    persistent: values.get("persistent") === "on",
    indirect: values.get("indirect") === "on",
    ringPages: Number(values.get("ring-pages")),
    queues: Number(values.get("queues")),
  };
}

/**
 * As QEMU: a comma in a file name is doubled.
 * @param faults gets those that the text names; the key may come several times
 */
function readKeys(text: string, faults: Fault[]): Map<string, string> {
  const values = new Map(Object.entries(CHOICES).map(([key, [usual]]) => [key, usual!]));
  for (const item of text.split(/(?<!,),(?!,)/)) {
    const [, key = "", value = ""] = /^([^=]*)=(.*)$/s.exec(item) ?? [];
    if (key === "fault") {
      faults.push(readFault(text, value));
      continue;
    }
    const choices = CHOICES[key]?.filter((choice) => !UNSPELLED.includes(choice));
    if (key !== "file" && choices === undefined) {
      throw cannot(
        text,
        `"${item}" is none of file, fault, ${Object.keys(CHOICES).join(", ")}`,
        EXAMPLE,
      );
    }
    if (choices !== undefined && !choices.includes(value)) {
      throw cannot(text, `${key} is "${value}"`, `${key}=${choices.join(`, ${key}=`)}`);
    }
    values.set(key, value.replaceAll(",,", ","));
  }
  return values;
}

/** `KIND@SECTOR+COUNT*TIMES`: one sector and for ever unless given. */
function readFault(text: string, value: string): Fault {
  const [, name, sector, count = "1", times = "Infinity"] =
    /^(\w+)@(\d+)(?:\+(\d+))?(?:\*(\d+))?$/.exec(value) ?? [];
  const kind = FAULT_KINDS.find((known) => known === name);
  if (kind === undefined || Number(count) === 0 || Number(times) === 0) {
    const kinds = FAULT_KINDS.join(", ");
    throw cannot(text, `fault is "${value}", not one of ${kinds} at a sector`, FAULT_EXAMPLE);
  }
  return { kind, sector: Number(sector), count: Number(count), times: Number(times) };
}

function escape(file: string): string {
  return file.replaceAll(",", ",,");
}

function cannot(text: string, why: string, hint: string): UsageError {
  return new UsageError(`Cannot read -drive "${text}": ${why}`, hint);
}

function tooMany(count: number): UsageError {
  return new UsageError(
    `Cannot attach ${count} drives: two IDE channels have a master and a slave each`,
    "give at most four",
  );
}

function taken({ file, index }: DriveRequest, other: DriveRequest): UsageError {
  return new UsageError(
    `Cannot attach "${file}" at index ${index}: "${other.file}" is there`,
    "-cdrom is index 2, -hda to -hdd are 0 to 3",
  );
}
