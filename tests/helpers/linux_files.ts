/**
 * Linux kernels with nothing but headers, and a look at what a loader has placed.
 * @module
 */

import type { GuestImage } from "../../core/load/image.ts";
import { elf32, words } from "./guest_files.ts";

/** Fields of a bzImage's set-up header. */
export interface BzImageFields {
  readonly protocol?: number;
  readonly loadFlags?: number;
  readonly initrdLimit?: number;
  readonly commandLineSize?: number;
  readonly preferred?: number;
  readonly initSize?: number;
}

const SETUP_SECTORS = 2;
const KERNEL_BYTES = 4096;
const MIB = 1 << 20;
const SECOND_HEADER = 52 + 32;
const PT_NOTE = 4;

/** A bzImage: its real-mode part, then a protected-mode part of INT3. */
export function bzImage(fields: BzImageFields = {}): Uint8Array {
  const file = new Uint8Array((SETUP_SECTORS + 1) * 512 + KERNEL_BYTES).fill(0xcc, 1536);
  const view = new DataView(file.buffer);
  view.setUint8(0x1f1, SETUP_SECTORS);
  view.setUint32(0x1f4, KERNEL_BYTES / 16, true);
  view.setUint16(0x1fe, 0xaa55, true);
  view.setUint8(0x201, 0x62); // the header ends at 264h
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, fields.protocol ?? 0x020f, true);
  view.setUint8(0x211, fields.loadFlags ?? 1);
  view.setUint32(0x22c, fields.initrdLimit ?? 0x7fffffff, true);
  view.setUint8(0x234, 1);
  view.setUint32(0x238, fields.commandLineSize ?? 2047, true);
  view.setBigUint64(0x258, BigInt(fields.preferred ?? 0x1000000), true);
  view.setUint32(0x260, fields.initSize ?? 0x100000, true);
  return file;
}

/** Reads what lies at an address once the guest has been placed. */
export function readAt(image: GuestImage, gpa: number, size: 1 | 4): number {
  const segment = image.segments.find((each) =>
    gpa >= each.gpa && gpa + size <= each.gpa + each.bytes.length
  );
  if (segment === undefined) throw new Error(`nothing is placed at 0x${gpa.toString(16)}`);
  const { bytes } = segment;
  const view = new DataView(bytes.buffer, bytes.byteOffset + gpa - segment.gpa);
  return size === 1 ? view.getUint8(0) : view.getUint32(0, true);
}

/** An ELF note, owner and contents padded to 4 bytes. */
export function elfNote(owner: string, type: number, value: number): number[] {
  const name = new TextEncoder().encode(owner.padEnd(Math.ceil((owner.length + 1) / 4) * 4, "\0"));
  return [...words(owner.length + 1, 4, type), ...name, ...words(value)];
}

/** A kernel at 16 MiB whose notes follow its code in the file. */
export function notedKernel(...notes: readonly number[][]): Uint8Array {
  const code = { vaddr: 0xc1000000, paddr: 16 * MIB, bytes: new Uint8Array(64), memsz: MIB };
  const file = elf32(0x1000, [code, { vaddr: 0, paddr: 0, bytes: Uint8Array.from(notes.flat()) }]);
  new DataView(file.buffer).setUint32(SECOND_HEADER, PT_NOTE, true);
  return file;
}

/** As much of a kernel module as its dependencies are read from. */
export function moduleNeeding(depends: string): Uint8Array {
  return new TextEncoder().encode(`\x7fELF\0license=GPL\0depends=${depends}\0name=x\0`);
}
