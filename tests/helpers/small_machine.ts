/**
 * Machines that run a few bytes of code.
 * @module
 */

import { littleEndian } from "../../core/bits.ts";
import { COST_PRESETS, DEFAULT_COST } from "../../core/hypervisor/costs.ts";
import type { GuestImage } from "../../core/load/image.ts";
import type { MachineConfig, RunResult } from "../../core/machine/config.ts";
import { bootMachine } from "../../core/machine/machine.ts";
import type { Machine } from "../../core/machine/machine.ts";
import type { BlockBackend } from "../../core/types.ts";
import { MEDIA_PRESETS } from "../../devices/disk/media.ts";

const NO_REGISTERS: readonly number[] = [0, 0, 0, 0, 0, 0, 0, 0];

/** Code at 1 MiB, entered in flat 32-bit mode with interrupts off. */
export function flatGuest(...code: readonly number[]): GuestImage {
  return guestAt(0x100000, "protected32", code);
}

/** Code at 0000:7C00, entered in real mode with BIOS services. */
export function bootGuest(...code: readonly number[]): GuestImage {
  return guestAt(0x7c00, "real16", code);
}

function guestAt(eip: number, mode: GuestImage["mode"], code: readonly number[]): GuestImage {
  const segments = [{ gpa: eip, bytes: Uint8Array.from(code), zero: 0 }];
  return { format: "flat", segments, mode, eip, regs: NO_REGISTERS };
}

/** 32-bit code: mov dx, port; mov al, value; out dx, al. */
export function outb(port: number, value: number): number[] {
  return [0x66, 0xba, port & 0xff, port >> 8, 0xb0, value, 0xee];
}

/** 16 and 32-bit code: mov al, value; out 0f4h, al. */
export function exitWith(value: number): number[] {
  return [0xb0, value, 0xe6, 0xf4];
}

/** Four bytes, little-endian. */
export function dword(value: number): number[] {
  return littleEndian(value, 4);
}

/** 32-bit code: mov dword [address], value. */
export function store(address: number, value: number): number[] {
  return [0xc7, 0x05, ...dword(address), ...dword(value)];
}

/** 32-bit code: the hypercall of a number with its arguments in EBX, ECX, EDX; the answer in EAX. */
export function hypercall(number: number, ebx: number, ecx: number, edx: number = 0): number[] {
  return [
    ...[0xb8, ...dword(number), 0xbb, ...dword(ebx), 0xb9, ...dword(ecx), 0xba, ...dword(edx)],
    ...[0x0f, 0x01, 0xc1],
  ];
}

/** A machine with 1 MiB or more of RAM and the given disks. */
export function boot(
  guest: GuestImage,
  config: Partial<MachineConfig> = {},
  disks: readonly BlockBackend[] = [],
): Machine {
  return bootMachine({
    ramBytes: 2 << 20,
    guest,
    disks: disks.map((backend) => ({ backend, media: MEDIA_PRESETS.ssd })),
    cost: COST_PRESETS[DEFAULT_COST]!,
    ...config,
  });
}

/** Slice after slice, without giving way. */
export function runToEnd(machine: Machine): RunResult {
  let result: RunResult | undefined;
  while (result === undefined) result = machine.runSlice();
  return result;
}
