/**
 * Guest files made in memory: small, complete, one builder a format.
 * @module
 */

/** A 32-bit little-endian record of words. */
export function words(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => view.setUint32(i * 4, value, true));
  return bytes;
}

/** Multiboot header with the given flags and a checksum that fits. */
export function multibootHeader(flags: number, ...addresses: readonly number[]): Uint8Array {
  return words(0x1badb002, flags, -(0x1badb002 + flags) >>> 0, ...addresses);
}

/** One program header and its bytes. */
export interface ElfPart {
  readonly vaddr: number;
  readonly paddr: number;
  readonly bytes: Uint8Array;
  readonly memsz?: number;
}

/** A 32-bit x86 executable with the parts behind each other. */
export function elf32(entry: number, parts: readonly ElfPart[]): Uint8Array {
  const headers = 52 + parts.length * 32;
  const length = parts.reduce((sum, part) => sum + part.bytes.length, headers);
  const file = new Uint8Array(length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, 3, true); // EM_386
  view.setUint32(20, 1, true); // EV_CURRENT
  view.setUint32(24, entry, true);
  view.setUint32(28, 52, true);
  view.setUint16(40, 52, true);
  view.setUint16(42, 32, true);
  view.setUint16(44, parts.length, true);
  view.setUint16(46, 40, true);
  let offset = headers;
  parts.forEach(({ vaddr, paddr, bytes, memsz = bytes.length }, i) => {
    const header = words(1, offset, vaddr, paddr, bytes.length, memsz, 7, 1);
    file.set(header, 52 + i * 32);
    file.set(bytes, offset);
    offset += bytes.length;
  });
  return file;
}

/** `sectors` sectors, the first with a boot signature and an endless `jmp $`. */
export function bootDisk(sectors: number): Uint8Array {
  const file = new Uint8Array(sectors * 512);
  file.set([0xeb, 0xfe]);
  file.set([0x55, 0xaa], 510);
  return file;
}
