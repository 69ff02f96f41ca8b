/**
 * ATA command block registers of one drive, and the sector address and count they spell.
 * Source: ATA/ATAPI-7 (T13/1532D) vol. 1 §5 (registers), §6.2 (addressing, 48-bit FIFOs).
 * @module
 */

/** Offsets in the command block. Features/Error and Command/Status share one each. */
export const REG_DATA = 0;
export const REG_ERROR = 1;
export const REG_FEATURES = 1;
export const REG_COUNT = 2;
export const REG_LBA_LOW = 3;
export const REG_LBA_MID = 4;
export const REG_LBA_HIGH = 5;
export const REG_DEVICE = 6;
export const REG_STATUS = 7;
export const REG_COMMAND = 7;

/** Status bits. While BSY is set all others are meaningless. */
export const SR_BSY = 0x80;
export const SR_DRDY = 0x40;
export const SR_DF = 0x20;
export const SR_DSC = 0x10;
export const SR_DRQ = 0x08;
export const SR_ERR = 0x01;

/** Status of a disk that waits for a command. */
export const SR_IDLE: number = SR_DRDY | SR_DSC;

/** Error bits. */
export const ER_UNC = 0x40;
export const ER_IDNF = 0x10;
export const ER_ABRT = 0x04;

/** Of a command's outcome, in place of an Error register: no error, a sector of data to read. */
export const WITH_DATA = -1;
/** Likewise: no error, once the disk's cache has been flushed. */
export const WITH_FLUSH = -2;

/** Error register after reset or diagnostic: no fault found. */
export const DIAGNOSTIC_PASSED = 0x01;

/** Device Control bits. */
export const DC_HOB = 0x80;
export const DC_SRST = 0x04;
export const DC_NIEN = 0x02;

/** Device register: LBA instead of cylinder/head/sector. */
const DEV_LBA = 0x40;
/** Device register bits that are obsolete and read as ones. */
const DEV_ONES = 0xa0;

const LBA28_TOP = 0x1000000; // weight of device bits 3:0
const LBA_BYTE3 = 0x1000000; // weight of the first "previous" byte of a 48-bit address

/** A drive's cylinder/head/sector translation. */
export interface Geometry {
  cylinders: number;
  heads: number;
  sectorsPerTrack: number;
}

/**
 * Registers 1 to 6. 1 to 5 are two bytes deep: a write shifts the older byte to the "previous"
 * place, where 48-bit commands find their high half and the host reads it with HOB.
 */
export class Taskfile {
  readonly #recent = new Uint8Array(8);
  readonly #previous = new Uint8Array(8);

  read(offset: number, hob: boolean): number {
    return (hob && offset !== REG_DEVICE ? this.#previous : this.#recent)[offset]!;
  }

  write(offset: number, value: number): void {
    if (offset === REG_DEVICE) {
      this.#recent[REG_DEVICE] = value | DEV_ONES;
      return;
    }
    this.#previous[offset] = this.#recent[offset]!;
    this.#recent[offset] = value;
  }

  get features(): number {
    return this.#recent[REG_FEATURES]!;
  }

  /** The count register as a plain byte, for commands that pass an argument in it. */
  get count(): number {
    return this.#recent[REG_COUNT]!;
  }

  set count(value: number) {
    this.#recent[REG_COUNT] = value;
  }

  /** LBA bits 7:0 or sector number, for commands that pass an argument in it. */
  get lbaLow(): number {
    return this.#recent[REG_LBA_LOW]!;
  }

  /** Head number, or LBA bits 27:24. */
  get head(): number {
    return this.#recent[REG_DEVICE]! & 0x0f;
  }

  /** Sectors that a command asks for: 1 to 256, or 1 to 65536 for a 48-bit command. */
  sectorCount(ext: boolean): number {
    return ext ? (this.#previous[REG_COUNT]! << 8 | this.count) || 0x10000 : this.count || 0x100;
  }

  /** @param sectors not yet transferred; a full count wraps to 0 as it was written */
  setSectorCount(ext: boolean, sectors: number): void {
    this.count = sectors & 0xff;
    if (ext) this.#previous[REG_COUNT] = (sectors >>> 8) & 0xff;
  }

  /** The first sector of a command, -1 for a CHS address that the geometry does not have. */
  firstSector(ext: boolean, geometry: Geometry): number {
    if (ext) return this.#low24(this.#recent) + this.#low24(this.#previous) * LBA_BYTE3;
    if (this.#lba()) return this.#low24(this.#recent) + this.head * LBA28_TOP;
    const { heads, sectorsPerTrack } = geometry;
    const sector = this.#recent[REG_LBA_LOW]!;
    const cylinder = this.#recent[REG_LBA_HIGH]! << 8 | this.#recent[REG_LBA_MID]!;
    if (sector === 0 || sector > sectorsPerTrack || this.head >= heads) return -1;
    return (cylinder * heads + this.head) * sectorsPerTrack + sector - 1;
  }

  /** Writes a sector back in the form of {@link firstSector}. */
  setFirstSector(ext: boolean, geometry: Geometry, sector: number): void {
    if (ext) {
      this.#setLow24(this.#recent, sector);
      this.#setLow24(this.#previous, Math.floor(sector / LBA_BYTE3));
    } else if (this.#lba()) {
      this.#setLow24(this.#recent, sector);
      this.#setHead(Math.floor(sector / LBA28_TOP));
    } else {
      const { heads, sectorsPerTrack } = geometry;
      const track = Math.floor(sector / sectorsPerTrack);
      this.#setLow24(this.#recent, Math.floor(track / heads) << 8 | (sector % sectorsPerTrack + 1));
      this.#setHead(track % heads);
    }
  }

  /** Registers 5 and 4: byte count of a packet drive's data block, or a command's key. */
  get byteCount(): number {
    return this.#recent[REG_LBA_HIGH]! << 8 | this.#recent[REG_LBA_MID]!;
  }

  set byteCount(value: number) {
    this.#recent[REG_LBA_MID] = value;
    this.#recent[REG_LBA_HIGH] = value >>> 8;
  }

  /** Takes over what another position's registers hold. */
  copy(other: Taskfile): void {
    this.#recent.set(other.#recent);
    this.#previous.set(other.#previous);
  }

  /** Contents after reset and diagnostic: what kind of device answers, device 0 selected. */
  setSignature(lbaMid: number, lbaHigh: number): void {
    this.#recent.set([0, 0, 1, 1, lbaMid, lbaHigh, DEV_ONES]);
    this.#previous.fill(0);
  }

  #lba(): boolean {
    return (this.#recent[REG_DEVICE]! & DEV_LBA) !== 0;
  }

  #setHead(head: number): void {
    this.#recent[REG_DEVICE] = this.#recent[REG_DEVICE]! & 0xf0 | head & 0x0f;
  }

  #low24(bytes: Uint8Array): number {
    return bytes[REG_LBA_HIGH]! << 16 | bytes[REG_LBA_MID]! << 8 | bytes[REG_LBA_LOW]!;
  }

  #setLow24(bytes: Uint8Array, value: number): void {
    bytes[REG_LBA_LOW] = value;
    bytes[REG_LBA_MID] = value >>> 8;
    bytes[REG_LBA_HIGH] = value >>> 16;
  }
}
