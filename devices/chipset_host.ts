/**
 * The i440FX host bridge at work: which of ROM and RAM answers below 1 MiB.
 *
 * | register | frames |
 * |---|---|
 * | PAM0 (59h), bits 7:4 | F0000-FFFFF |
 * | PAM1-PAM6 (5Ah-5Fh), bits 3:0 and 7:4 | 16 KiB each of C0000-EFFFF |
 * | SMRAM (72h), D_OPEN | A0000-BFFFF, the RAM under video memory |
 *
 * Source: Intel 82441FX datasheet, §3.2.18 (PAM) and §3.2.19 (SMRAM). There is no SMM, so that
 * SMRAM shows for everybody or for nobody.
 * @module
 */

import type { Gfn } from "../core/types.ts";
import { I440FX } from "./chipset.ts";
import { PciFunction } from "./pci.ts";

/** Memory with RAM that can be hidden behind ROM and video memory. */
export interface ShadowRam {
  /**
   * Lets RAM answer in frames, or what lies over it.
   * @param end the frame behind the last one
   * @param ram bit 0: loads, bit 1: stores; as the attributes of PAM
   */
  shadow(first: Gfn, end: Gfn, ram: number): void;
}

const PAM0 = 0x59;
const PAM1 = 0x5a;
const PAM6 = 0x5f;
/** Read enable and write enable. */
const ATTRIBUTES = 0x3;
const BIOS = { first: 0xf0, end: 0x100 } as const;
const FIRST_SEGMENT = 0xc0;
const SEGMENT_FRAMES = 4;

const SMRAM = 0x72;
const D_OPEN = 0x40;
const D_LCK = 0x10;
const VIDEO = { first: 0xa0, end: 0xc0 } as const;

/** Function 0:0.0. */
export class HostBridge {
  /** Its configuration space. */
  readonly function: PciFunction;
  readonly #memory: ShadowRam;
  #smramOpen = false;

  constructor(memory: ShadowRam) {
    this.#memory = memory;
    this.function = new PciFunction(
      I440FX,
      undefined,
      (offset, value) => this.#written(offset, value),
    );
  }

  #written(offset: number, value: number): void {
    if (offset === PAM0) this.#memory.shadow(BIOS.first, BIOS.end, value >> 4 & ATTRIBUTES);
    else if (offset >= PAM1 && offset <= PAM6) this.#setSegments(offset - PAM1, value);
    else if (offset === SMRAM) this.#setSmram(value);
  }

  #setSegments(pair: number, value: number): void {
    const first = FIRST_SEGMENT + 2 * pair * SEGMENT_FRAMES;
    const middle = first + SEGMENT_FRAMES;
    this.#memory.shadow(first, middle, value & ATTRIBUTES);
    this.#memory.shadow(middle, middle + SEGMENT_FRAMES, value >> 4 & ATTRIBUTES);
  }

  /** A lock closes SMRAM until reset. */
  #setSmram(value: number): void {
    const locked = (value & D_LCK) !== 0;
    if (locked) this.function.setRegister([SMRAM, value & ~D_OPEN, 0]);
    const open = (value & D_OPEN) !== 0 && !locked;
    if (open === this.#smramOpen) return;
    this.#smramOpen = open;
    this.#memory.shadow(VIDEO.first, VIDEO.end, open ? ATTRIBUTES : 0);
  }
}
