/**
 * Where a guest that starts without a BIOS finds memory, and where it does not.
 * Source: INT 15h E820h, ACPI 1.0b §14; the map of QEMU's `pc` machine with up to 2 GiB of RAM.
 * @module
 */

const MIB = 1 << 20;

/** Bytes. RAM and what lies below it in the host's memory have addresses of 31 bits. */
export const MAX_RAM: number = 1920 * MIB;

/** Types of a range, as E820h numbers them. */
export const E820 = { RAM: 1, RESERVED: 2 } as const;

/** End of the low memory a PC leaves to its software: the extended BIOS data area follows. */
export const LOW_MEMORY_END = 0x9fc00;

/** Video RAM, option ROMs, BIOS. */
export const HOLE: { readonly begin: number; readonly end: number } = {
  begin: 0xa0000,
  end: 0x100000,
};

/**
 * The ACPI root pointer of a machine that starts without a BIOS. Its tables follow; the board puts
 * them there.
 */
export const RSDP_GPA = 0xf2000;

const BIOS_BEGIN = 0xf0000;
/** I/O APIC, pages of Xen's own, local APIC, BIOS ROM: what is behind the windows of the PCI bus. */
const SPECIAL_BEGIN = 0xfec00000;

/** One line of the map. */
export interface MemoryRange {
  readonly base: number;
  readonly length: number;
  /** Of {@link E820}. */
  readonly type: number;
}

/** What helps where so many bytes of RAM are wanted. */
export function ramHint(bytes: number): string {
  if (bytes > MAX_RAM) return `-m ${MAX_RAM / MIB} is the most that a machine has`;
  return `-m ${Math.ceil(bytes / MIB)} or more`;
}

/** The whole map, ascending. What no line names is free for devices. */
export function memoryMap(ramBytes: number): readonly MemoryRange[] {
  const range = (base: number, end: number, type: number): MemoryRange => ({
    base,
    length: end - base,
    type,
  });
  return [
    range(0, LOW_MEMORY_END, E820.RAM),
    range(LOW_MEMORY_END, HOLE.begin, E820.RESERVED),
    range(BIOS_BEGIN, HOLE.end, E820.RESERVED),
    range(HOLE.end, ramBytes, E820.RAM),
    range(SPECIAL_BEGIN, 2 ** 32, E820.RESERVED),
  ];
}
