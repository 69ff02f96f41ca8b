/**
 * ROM images of a few bytes of 16-bit code.
 * @module
 */

import { loadBios } from "../../core/load/bios.ts";
import type { GuestImage } from "../../core/load/image.ts";

const ROM_BYTES = 64 << 10;
const RESET_VECTOR = 0xfff0;
/** jmp to offset 0. */
const JUMP = [0xe9, 0x0d, 0x00];

/** A BIOS of 64 KiB whose code starts at offset 0; `data` are bytes by offset. */
export function romGuest(
  code: readonly number[],
  data: Readonly<Record<number, number>> = {},
): GuestImage {
  const rom = new Uint8Array(ROM_BYTES);
  rom.set(code);
  rom.set(JUMP, RESET_VECTOR);
  for (const [offset, byte] of Object.entries(data)) rom[Number(offset)] = byte;
  return loadBios(rom, "test");
}

const outDx = (port: number): number[] => [0xba, port & 0xff, port >> 8];

/** mov dx, port; mov al, value; out dx, al. */
export function out8(port: number, value: number): number[] {
  return [...outDx(port), 0xb0, value, 0xee];
}

/** mov dx, port; mov ax, value; out dx, ax. */
export function out16(port: number, value: number): number[] {
  return [...outDx(port), 0xb8, value & 0xff, value >> 8, 0xef];
}

/** mov dx, port; in eax, dx. */
export function in32(port: number): number[] {
  return [...outDx(port), 0x66, 0xed];
}

/** mov dx, port; out dx, al. */
export function outAl(port: number): number[] {
  return [...outDx(port), 0xee];
}

/** Writes a byte of PCI configuration space, by mechanism #1. */
export function pciWrite(device: number, func: number, register: number, value: number): number[] {
  const address = [register & 0xfc, device << 3 | func, 0x00, 0x80];
  return [
    ...outDx(0xcf8),
    ...[0x66, 0xb8, ...address], // mov eax, address
    ...[0x66, 0xef], // out dx, eax
    ...out8(0xcfc + (register & 3), value),
  ];
}
