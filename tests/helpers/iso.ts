/**
 * Writes ISO 9660 images: files in one directory, one of them perhaps to boot from.
 * Source: ECMA-119; El Torito 1.0; the boot information table as mkisofs writes it.
 * @module
 */

const BLOCK = 2048;
/** Blocks of the image. */
const PLACE = {
  PRIMARY: 16,
  BOOT_RECORD: 17,
  TERMINATOR: 18,
  PATHS_LITTLE: 19,
  PATHS_BIG: 20,
  CATALOG: 21,
  ROOT: 22,
  FILES: 23,
} as const;
const DIRECTORY = 0x02;
const INFO_TABLE = 8;
const INFO_BYTES = 64;
/** 512-byte sectors of the boot file that a BIOS loads. */
const BOOT_SECTORS = 4;

/** A file of the image. */
export interface IsoFile {
  /** Upper case, 8.3. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

interface PlacedFile extends IsoFile {
  readonly block: number;
}

/** An image under construction. */
class Image {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(blocks: number) {
    this.bytes = new Uint8Array(blocks * BLOCK);
    this.#view = new DataView(this.bytes.buffer);
  }

  text(at: number, text: string, length: number = text.length): void {
    for (let i = 0; i < length; i++) this.bytes[at + i] = text.charCodeAt(i) || 0x20;
  }

  little(at: number, ...words: readonly number[]): void {
    words.forEach((word, i) => this.#view.setUint32(at + i * 4, word, true));
  }

  /** In both byte orders, one behind the other. */
  both16(at: number, value: number): void {
    this.#view.setUint16(at, value, true);
    this.#view.setUint16(at + 2, value);
  }

  /** See {@link both16}. */
  both32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
    this.#view.setUint32(at + 4, value);
  }

  big(at: number, value: number): void {
    this.#view.setUint32(at, value);
  }

  /** A volume descriptor's type, identifier and version. */
  descriptor(block: number, type: number): number {
    const at = block * BLOCK;
    this.bytes[at] = type;
    this.text(at + 1, "CD001\x01");
    return at;
  }

  /** @returns where the next record goes */
  record(at: number, name: string, block: number, length: number, flags: number): number {
    const bytes = 33 + name.length + (name.length + 1) % 2;
    this.bytes[at] = bytes;
    this.both32(at + 2, block);
    this.both32(at + 10, length);
    this.bytes.set([126, 1, 1], at + 18); // 2026-01-01
    this.bytes[at + 25] = flags;
    this.both16(at + 28, 1);
    this.bytes[at + 32] = name.length;
    this.text(at + 33, name);
    return at + bytes;
  }
}

/**
 * Makes an image.
 * @param files as many as one block of records names
 * @param boot name of the one that a BIOS loads without emulation
 */
export function makeIso(files: readonly IsoFile[], boot?: string): Uint8Array {
  let end: number = PLACE.FILES;
  const placed = files.toSorted((a, b) => a.name < b.name ? -1 : 1).map((file): PlacedFile => {
    const block = end;
    end += Math.ceil(file.bytes.length / BLOCK);
    return { ...file, block };
  });
  const image = new Image(end);
  for (const { bytes, block } of placed) image.bytes.set(bytes, block * BLOCK);
  writeVolume(image, end);
  writeRoot(image, placed);
  const bootFile = placed.find(({ name }) => name === boot);
  if (bootFile !== undefined) writeBoot(image, bootFile);
  image.descriptor(PLACE.TERMINATOR, 0xff);
  return image.bytes;
}

function writeVolume(image: Image, blocks: number): void {
  const at = image.descriptor(PLACE.PRIMARY, 1);
  image.text(at + 8, "", 32);
  image.text(at + 40, "TRAPRING", 32);
  image.both32(at + 80, blocks);
  image.both16(at + 120, 1);
  image.both16(at + 124, 1);
  image.both16(at + 128, BLOCK);
  image.both32(at + 132, 10); // bytes of the path table: the root
  image.little(at + 140, PLACE.PATHS_LITTLE);
  image.big(at + 148, PLACE.PATHS_BIG);
  image.record(at + 156, "\0", PLACE.ROOT, BLOCK, DIRECTORY);
  image.text(at + 190, "", 623);
  for (const date of [813, 830, 847, 864]) image.text(at + date, "0".repeat(16));
  image.bytes[at + 881] = 1;
  image.bytes.set([1, 0, PLACE.ROOT, 0, 0, 0, 1], PLACE.PATHS_LITTLE * BLOCK);
  image.bytes.set([1, 0, 0, 0, 0, PLACE.ROOT, 0, 1], PLACE.PATHS_BIG * BLOCK);
}

function writeRoot(image: Image, files: readonly PlacedFile[]): void {
  let at = PLACE.ROOT * BLOCK;
  for (const self of ["\0", "\x01"]) at = image.record(at, self, PLACE.ROOT, BLOCK, DIRECTORY);
  for (const { name, bytes, block } of files) {
    at = image.record(at, `${name};1`, block, bytes.length, 0);
  }
}

function writeBoot(image: Image, { block, bytes }: PlacedFile): void {
  const record = image.descriptor(PLACE.BOOT_RECORD, 0);
  image.text(record + 7, "EL TORITO SPECIFICATION");
  image.little(record + 71, PLACE.CATALOG);
  const catalog = PLACE.CATALOG * BLOCK;
  image.bytes[catalog] = 1; // validation entry; its words add up to 0
  image.bytes.set([0xaa, 0x55, 0x55, 0xaa], catalog + 28);
  image.bytes.set([0x88, 0, 0, 0, 0, 0, BOOT_SECTORS], catalog + 32);
  image.little(catalog + 40, block);
  image.little(block * BLOCK + INFO_TABLE, PLACE.PRIMARY, block, bytes.length, checksum(bytes));
  image.bytes.fill(0, block * BLOCK + INFO_TABLE + 16, block * BLOCK + INFO_BYTES);
}

/** Of the boot file's 32-bit words behind the information table. */
function checksum(bytes: Uint8Array): number {
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  padded.set(bytes);
  const view = new DataView(padded.buffer);
  let sum = 0;
  for (let at = INFO_BYTES; at < padded.length; at += 4) sum = sum + view.getUint32(at, true) | 0;
  return sum >>> 0;
}
