/**
 * The keys of a drive, by QEMU's names, and what they say.
 * @module
 */

import { UsageError } from "../errors.ts";
import type { DiskConfig } from "../machine/config.ts";
import { type Fault, FAULT_KINDS } from "../machine/storage.ts";
import { SECTOR_SIZE } from "../types.ts";

/** A drive that the user has named. Its place may not be decided yet. */
export interface DriveRequest {
  /** Image file. */
  readonly file: string;
  /** Position on the cables, 0 to 3. */
  readonly index?: number;
  /** Its own name over blkfront; without, it has that of its position. */
  readonly vdev?: string;
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
  /** What stands behind its block backend, if not the medium itself. */
  readonly backendType?: NonNullable<DiskConfig["backendType"]>;
  /** Its blocks over blkfront, if not of 512 bytes. */
  readonly blockSize?: NonNullable<DiskConfig["blockSize"]>;
}

/** A file of which nothing else is said. */
export const PLAIN_DISK: Pick<DriveRequest, "kind" | "raw" | "readOnly" | "snapshot"> = {
  kind: "disk",
  raw: false,
  readOnly: false,
  snapshot: false,
};

const EXAMPLE = "-drive file=disk.img,if=ide,index=0,media=disk,format=raw";
const FAULT_EXAMPLE = "fault=unc@2048, fault=abort@4096+8, fault=timeout@0*1: once only";

/** Help of `-drive`. */
export const DRIVE_HELP: string =
  "file=F [,if=ide|xen] [,index=N] [,media=disk|cdrom] [,format=raw] [,readonly=on] " +
  "[,snapshot=on] [,cache=none|writeback] [,aio=threads|native] [,logical_block_size=4096] " +
  "[,physical_block_size=4096] [,persistent=off] [,indirect=off] [,ring-pages=1|2|4|8|16] " +
  "[,queues=1|2|3|4] [,fault=unc|abort|timeout@SECTOR[+COUNT][*TIMES]]...";

/** Values by key; the first of a list is the default. */
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  if: ["both", "ide", "xen"],
  index: ["next", "0", "1", "2", "3"],
  media: ["disk", "cdrom"],
  format: ["probe", "raw"],
  readonly: ["off", "on"],
  snapshot: ["off", "on"],
  cache: ["none", "writeback"],
  aio: ["threads", "native"],
  logical_block_size: ["512", "1024", "2048", "4096"],
  physical_block_size: [
    "logical",
    "512",
    "1024",
    "2048",
    "4096",
    "8192",
    "16384",
    "32768",
    "65536",
  ],
  persistent: ["on", "off"],
  indirect: ["on", "off"],
  "ring-pages": ["16", "1", "2", "4", "8"],
  queues: ["4", "1", "2", "3"],
};

/** Defaults, which are not spelled out. */
const UNSPELLED: readonly string[] = ["both", "next", "probe", "logical"];

/** What dom0 does for a disk, by what QEMU calls the same. */
const BACKEND_TYPES: Readonly<Record<string, DriveRequest["backendType"]>> = {
  "none threads": undefined,
  "writeback threads": "file",
  "none native": "tap",
};
/** Keys that say nothing of a disk on IDE alone. */
const BACKEND_KEYS: readonly string[] = [
  ...["cache", "aio", "logical_block_size", "physical_block_size"],
  ...["persistent", "indirect", "ring-pages", "queues"],
];

/**
 * Reads the value of `-drive`.
 * @throws {UsageError} when it makes no sense
 */
export function readDrive(text: string): DriveRequest {
  const keys = new DriveKeys(`-drive "${text}"`, EXAMPLE);
  for (const item of text.match(/(?:[^,]|,,)+/g) ?? []) {
    const [, key = item, value = ""] = /^([^=]*)=(.*)$/s.exec(item) ?? [];
    keys.set(key, value.replaceAll(",,", ","), item);
  }
  return keys.request();
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

/** The keys of one drive, as they are read. */
export class DriveKeys {
  readonly #what: string;
  readonly #example: string;
  readonly #values: Map<string, string>;
  readonly #faults: Fault[] = [];

  /**
   * @param what the option and its value, for messages
   * @param example one that works
   */
  constructor(what: string, example: string) {
    this.#what = what;
    this.#example = example;
    this.#values = new Map(Object.entries(CHOICES).map(([key, [usual]]) => [key, usual!]));
  }

  /**
   * Takes one key; `fault` may come several times.
   * @param item as the user wrote it
   */
  set(key: string, value: string, item: string): void {
    if (key === "fault") {
      this.#faults.push(this.#readFault(value));
      return;
    }
    const known = Object.hasOwn(CHOICES, key) ? CHOICES[key] : undefined;
    const choices = known?.filter((choice) => !UNSPELLED.includes(choice));
    if (key !== "file" && choices === undefined) {
      const names = `file, fault, ${Object.keys(CHOICES).join(", ")}`;
      throw this.cannot(`"${item}" is none of ${names}`);
    }
    if (choices !== undefined && !choices.includes(value)) {
      throw this.cannot(`${key} is "${value}"`, `${key}=${choices.join(`, ${key}=`)}`);
    }
    this.#values.set(key, value);
  }

  /** What they say together. */
  request(): DriveRequest {
    const value = (key: string) => this.#values.get(key)!;
    const file = this.#values.get("file");
    if (file === undefined || file === "") throw this.cannot("it names no file");
    const [kind, index] = [value("media"), value("index")];
    const offers = readOffers(this.#values);
    const backendType = this.#readBackendType();
    const blockSize = this.#readBlockSize();
    const path = blockSize !== undefined ? "xen" : value("if");
    if (value("if") === "ide") this.#refuseBackendKeys();
    return {
      file,
      kind: kind as DriveRequest["kind"],
      raw: value("format") === "raw",
      readOnly: kind === "cdrom" || value("readonly") === "on",
      snapshot: value("snapshot") === "on",
      ...path === "both" ? {} : { path: path as NonNullable<DriveRequest["path"]> },
      ...index === "next" ? {} : { index: Number(index) },
      ...this.#faults.length === 0 ? {} : { faults: this.#faults },
      ...offers === undefined ? {} : { offers },
      ...backendType === undefined ? {} : { backendType },
      ...blockSize === undefined ? {} : { blockSize },
    };
  }

  #readBackendType(): DriveRequest["backendType"] {
    const text = `${this.#values.get("cache")} ${this.#values.get("aio")}`;
    if (Object.hasOwn(BACKEND_TYPES, text)) return BACKEND_TYPES[text];
    throw this.cannot("aio=native goes past the page cache", "aio=native,cache=none");
  }

  /** Nothing for sectors of 512 bytes, which are the only ones that IDE has. */
  #readBlockSize(): DriveRequest["blockSize"] {
    const logical = Number(this.#values.get("logical_block_size"));
    const text = this.#values.get("physical_block_size")!;
    const physical = text === "logical" ? logical : Number(text);
    if (physical < logical) {
      throw this.cannot(
        `physical_block_size ${physical} is less than logical_block_size ${logical}`,
        `physical_block_size=${logical}`,
      );
    }
    return physical === SECTOR_SIZE ? undefined : { logical, physical };
  }

  #refuseBackendKeys(): void {
    const key = BACKEND_KEYS.find((key) => this.#values.get(key) !== CHOICES[key]![0]);
    if (key === undefined) return;
    throw this.cannot(`${key} is of the block backend, which if=ide has not`, "if=xen");
  }

  /** What to throw. */
  cannot(why: string, hint: string = this.#example): UsageError {
    return new UsageError(`Cannot read ${this.#what}: ${why}`, hint);
  }

  /** `KIND@SECTOR+COUNT*TIMES`: one sector and for ever unless given. */
  #readFault(value: string): Fault {
    const [, name, sector, count = "1", times = "Infinity"] =
      /^(\w+)@(\d+)(?:\+(\d+))?(?:\*(\d+))?$/.exec(value) ?? [];
    const kind = FAULT_KINDS.find((known) => known === name);
    if (kind === undefined || Number(count) === 0 || Number(times) === 0) {
      const kinds = FAULT_KINDS.join(", ");
      throw this.cannot(`fault is "${value}", not one of ${kinds} at a sector`, FAULT_EXAMPLE);
    }
    return { kind, sector: Number(sector), count: Number(count), times: Number(times) };
  }
}
