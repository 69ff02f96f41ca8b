/**
 * A guest that does what a list says: accesses to ports and to memory, one after another. It has
 * interrupts, and ends by the debug exit port.
 * @module
 */

import type { GuestImage } from "../../../core/load/image.ts";
import { outb } from "../../helpers/small_machine.ts";

/** One step. Every operation takes the fields that it has a use for. */
export interface Step {
  readonly op: Operation;
  /** Port, or address in memory. */
  readonly at: number;
  /** What is written. */
  readonly value?: number;
  /** Items of a string. */
  readonly count?: number;
}

/**
 * Where the parts of the guest are: in even megabytes, which stay where they are when A20 is off.
 * What lies from `SCRATCH` on, devices may write.
 */
export const PLACE = {
  CODE: 0x200000,
  TABLES: 0x280000,
  STEPS: 0x400000,
  SCRATCH: 0x600000,
  END: 0x700000,
} as const;

/** Where string instructions take and leave what they move. */
export const STRING_BUFFER: number = PLACE.SCRATCH + 0x20000;

/** The port, or the address, is in EDX, the value in EAX, the count in ECX. */
const OPERATIONS = {
  in8: [0xec],
  in16: [0x66, 0xed],
  in32: [0xed],
  out8: [0xee],
  out16: [0x66, 0xef],
  out32: [0xef],
  ins8: [0xf3, 0x6c],
  ins16: [0xf3, 0x66, 0x6d],
  ins32: [0xf3, 0x6d],
  outs8: [0x87, 0xf7, 0xf3, 0x6e, 0x89, 0xfe], // xchg esi, edi; rep outsb; mov esi, edi
  outs16: [0x87, 0xf7, 0xf3, 0x66, 0x6f, 0x89, 0xfe],
  outs32: [0x87, 0xf7, 0xf3, 0x6f, 0x89, 0xfe],
  load8: [0x8a, 0x02],
  load16: [0x66, 0x8b, 0x02],
  load32: [0x8b, 0x02],
  store8: [0x88, 0x02],
  store16: [0x66, 0x89, 0x02],
  store32: [0x89, 0x02],
  fill: [0x89, 0xd7, 0xf3, 0xab], // mov edi, edx; rep stosd
  allow: [0xfb, 0x90], // sti; nop
  sleep: [0xfb, 0xf4], // sti; hlt
  wait: [0xe2, 0xfe], // loop
} as const;

/** What a {@link Step} does. */
export type Operation = keyof typeof OPERATIONS;

const STEP_BYTES = 16;
const EXIT_PORT = 0xf4;
const VECTORS = 256;
const GATE_BYTES = 8;
const INTERRUPT_GATE = 0x8e00;
const CODE_SELECTOR = 0x08;
const GDT_BYTES = 24;
const NO_REGISTERS: readonly number[] = [0, 0, 0, 0, 0, 0, 0, 0];

/**
 * Makes the guest.
 * @param scratch what devices find in memory from {@link PLACE.SCRATCH} on
 */
export function makeGuest(steps: readonly Step[], scratch: Uint8Array): GuestImage {
  const { code, entries } = assemble();
  const segment = (gpa: number, bytes: Uint8Array) => ({ gpa, bytes, zero: 0 });
  return {
    format: "flat",
    mode: "protected32",
    eip: PLACE.CODE,
    regs: NO_REGISTERS,
    segments: [
      segment(PLACE.CODE, Uint8Array.from(code)),
      segment(PLACE.TABLES, makeTables()),
      segment(PLACE.STEPS, writeSteps(steps, entries)),
      segment(PLACE.SCRATCH, scratch),
    ],
  };
}

/** EBP is the next step; a step of 0 is the end. */
const BEGIN = [
  ...[0xbc, ...dword(PLACE.STEPS)], // mov esp: the stack is above the tables
  ...[0x0f, 0x01, 0x15, ...dword(PLACE.TABLES)], // lgdt
  ...[0x0f, 0x01, 0x1d, ...dword(PLACE.TABLES + 8)], // lidt
  ...[0xbd, ...dword(PLACE.STEPS)], // mov ebp
  0xfc, // cld
];
const NEXT = [
  ...[0x8b, 0x5d, 0x00, 0x8b, 0x55, 0x04], // mov ebx, [ebp]; mov edx, [ebp+4]
  ...[0x8b, 0x45, 0x08, 0x8b, 0x4d, 0x0c], // mov eax, [ebp+8]; mov ecx, [ebp+12]
  ...[0xbf, ...dword(STRING_BUFFER)], // mov edi
  ...[0x83, 0xc5, STEP_BYTES, 0xff, 0xe3], // add ebp, 16; jmp ebx
];
/** and byte [esp+9], ~IF; iretd: an interrupt that nobody ends comes but once. */
const HANDLER = [0x80, 0x64, 0x24, 0x09, 0xfd, 0xcf];
const HANDLER_AT = PLACE.CODE + 0x1000;

interface Assembled {
  readonly code: readonly number[];
  readonly entries: ReadonlyMap<Operation | "end", number>;
}

function assemble(): Assembled {
  const code = [...BEGIN];
  const next = code.length;
  code.push(...NEXT);
  const entries = new Map<Operation | "end", number>();
  for (const op of Object.keys(OPERATIONS) as Operation[]) {
    entries.set(op, PLACE.CODE + code.length);
    code.push(...OPERATIONS[op], 0xe9);
    code.push(...dword(next - (code.length + 4))); // jmp next
  }
  entries.set("end", PLACE.CODE + code.length);
  code.push(...outb(EXIT_PORT, 0));
  const gap = new Array<number>(HANDLER_AT - PLACE.CODE - code.length).fill(0xf4);
  return { code: [...code, ...gap, ...HANDLER], entries };
}

/** Two descriptors of tables, the GDT, the IDT. */
function makeTables(): Uint8Array {
  const bytes = new Uint8Array(16 + GDT_BYTES + VECTORS * GATE_BYTES);
  const view = new DataView(bytes.buffer);
  const [gdt, idt] = [16, 16 + GDT_BYTES];
  view.setUint16(0, GDT_BYTES - 1, true);
  view.setUint32(2, PLACE.TABLES + gdt, true);
  view.setUint16(8, VECTORS * GATE_BYTES - 1, true);
  view.setUint32(10, PLACE.TABLES + idt, true);
  view.setBigUint64(gdt + 8, 0x00cf9b000000ffffn, true); // flat code
  view.setBigUint64(gdt + 16, 0x00cf93000000ffffn, true); // flat data
  for (let at = idt; at < bytes.length; at += GATE_BYTES) {
    view.setUint16(at, HANDLER_AT & 0xffff, true);
    view.setUint16(at + 2, CODE_SELECTOR, true);
    view.setUint16(at + 4, INTERRUPT_GATE, true);
    view.setUint16(at + 6, HANDLER_AT >>> 16, true);
  }
  return bytes;
}

function writeSteps(steps: readonly Step[], entries: Assembled["entries"]): Uint8Array {
  const words = new Uint32Array((steps.length + 1) * STEP_BYTES / 4);
  steps.forEach(({ op, at, value = 0, count = 0 }, i) => {
    words.set([entries.get(op)!, at, value, count], i * STEP_BYTES / 4);
  });
  words[steps.length * STEP_BYTES / 4] = entries.get("end")!;
  return new Uint8Array(words.buffer);
}

function dword(value: number): number[] {
  return [value & 0xff, value >>> 8 & 0xff, value >>> 16 & 0xff, value >>> 24 & 0xff];
}
