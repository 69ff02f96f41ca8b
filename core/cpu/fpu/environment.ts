/**
 * The x87's state in memory: FNSTENV, FNSAVE, FXSAVE and their opposites.
 * Source: Intel SDM vol. 1, §8.1.10 and §10.5.1.
 * @module
 */

import type { Cpu } from "../cpu.ts";
import { Fault, VECTOR } from "../fault.ts";
import { isProtected } from "../operand.ts";
import { mxcsrMask } from "../sse/mxcsr.ts";
import { AT, type CpuState } from "../state.ts";
import { EMPTY, INITIAL_CONTROL, RESET_CONTROL, SLOT, SW } from "./layout.ts";
import { CLASS, classify } from "./number.ts";
import { readBlock, writeBlock } from "./store.ts";
import type { FpuUnit } from "./unit.ts";

const REGISTERS = 8;
/** Bytes of a register in memory, unpadded. */
const EXTENDED = 10;
const IMAGE_BYTES = 512;
/** What is being read or written; one instruction uses it at a time. */
const image = new DataView(new ArrayBuffer(IMAGE_BYTES));
const imageBytes = new Uint8Array(image.buffer);

/** Full tag word: empty registers are tagged, the others classified. */
function fullTags({ state }: FpuUnit): number {
  const tags = state.get(AT.FPU_TAGS);
  let word = 0;
  for (let n = 0; n < REGISTERS; n++) {
    const empty = (tags >> n * 2 & EMPTY) === EMPTY;
    word |= (empty ? EMPTY : tagOf(state, AT.FPU_REGS + n * SLOT)) << n * 2;
  }
  return word;
}

/** 0 valid, 1 zero, 2 special. */
function tagOf({ view }: CpuState, at: number): number {
  const { kind } = classify(view.getBigUint64(at, true), view.getUint16(at + 8, true), false);
  return kind === CLASS.NORMAL ? 0 : kind === CLASS.ZERO ? 1 : 2;
}

/** Keeps of a tag word which registers are empty. */
function setTags({ state }: FpuUnit, word: number): void {
  let tags = 0;
  for (let n = 0; n < REGISTERS; n++) {
    if ((word >> n * 2 & EMPTY) === EMPTY) tags |= EMPTY << n * 2;
  }
  state.set(AT.FPU_TAGS, tags);
}

/** Sets the status word; its summary follows the exceptions and the masks. */
function setStatus(fpu: FpuUnit, word: number): void {
  fpu.status = word & ~(SW.ES | SW.B) & 0xffff;
  fpu.raise(word & (SW.EXCEPTIONS | SW.C1));
}

function setControl({ state }: FpuUnit, word: number): void {
  state.set(AT.FPU_CONTROL, word & 0x1f3f | 0x40);
}

// ---- environment -------------------------------------------------------------------------------

/** Fields of the environment: three words, then the pointers. */
interface Layout {
  /** Bytes from one field to the next. */
  readonly stride: 2 | 4;
  /** Pointers as linear addresses, with the opcode beside the instruction's. */
  readonly real: boolean;
}

function layoutOf(cpu: Cpu, operandSize: number): Layout {
  return { stride: operandSize === 4 ? 4 : 2, real: !isProtected(cpu) };
}

const environmentBytes = ({ stride }: Layout): number => stride * 7;

/** Field `n` as it lies in the image; bits that no field has are ones. */
function put({ stride }: Layout, n: number, value: number, used: number): void {
  const field = (value & used) | ~used;
  if (stride === 4) image.setInt32(n * 4, field, true);
  else image.setInt16(n * 2, field, true);
}

function get({ stride }: Layout, n: number): number {
  return stride === 4 ? image.getInt32(n * 4, true) : image.getUint16(n * 2, true);
}

function composeEnvironment(fpu: FpuUnit, layout: Layout): void {
  const { state } = fpu;
  put(layout, 0, fpu.control, 0xffff);
  put(layout, 1, fpu.status, 0xffff);
  put(layout, 2, fullTags(fpu), 0xffff);
  const opcode = state.get(AT.FPU_OPCODE) & 0x7ff;
  const ip = state.get(AT.FPU_IP), cs = state.get(AT.FPU_CS);
  const dp = state.get(AT.FPU_DP), ds = state.get(AT.FPU_DS);
  if (!layout.real) {
    put(layout, 3, ip, -1);
    put(layout, 4, cs | (layout.stride === 4 ? opcode << 16 : 0), -1);
    put(layout, 5, dp, -1);
    put(layout, 6, ds, 0xffff);
    return;
  }
  composeLinear(layout, 3, (cs << 4) + ip, opcode);
  composeLinear(layout, 5, (ds << 4) + dp, 0);
}

/** A linear address in two fields: its low 16 bits, and the rest above `beside`. */
function composeLinear(layout: Layout, n: number, linear: number, beside: number): void {
  put(layout, n, linear, 0xffff);
  const rest = linear >>> 16 << 12;
  put(layout, n + 1, rest & (layout.stride === 4 ? 0x0ffff000 : 0xf000) | beside, -1);
}

function applyEnvironment(fpu: FpuUnit, layout: Layout): void {
  const { state } = fpu;
  setControl(fpu, get(layout, 0));
  setTags(fpu, get(layout, 2));
  const fields = [3, 4, 5, 6].map((n) => get(layout, n));
  const [ip, code, dp, data] = fields as [number, number, number, number];
  if (layout.real) {
    state.set(AT.FPU_IP, ip & 0xffff | (code & 0x0ffff000) << 4);
    state.set(AT.FPU_DP, dp & 0xffff | (data & 0x0ffff000) << 4);
    state.set(AT.FPU_CS, 0);
    state.set(AT.FPU_DS, 0);
    state.set(AT.FPU_OPCODE, code & 0x7ff);
  } else {
    state.set(AT.FPU_IP, ip);
    state.set(AT.FPU_CS, code & 0xffff);
    state.set(AT.FPU_OPCODE, code >>> 16 & 0x7ff);
    state.set(AT.FPU_DP, dp);
    state.set(AT.FPU_DS, data & 0xffff);
  }
  setStatus(fpu, get(layout, 1));
}

/** FNSTENV. */
export function storeEnvironment(cpu: Cpu, fpu: FpuUnit, linear: number, size: number): void {
  const layout = layoutOf(cpu, size);
  composeEnvironment(fpu, layout);
  writeBlock(cpu, linear, environmentBytes(layout), image, layout.stride);
  fpu.state.set(AT.FPU_CONTROL, fpu.control | SW.EXCEPTIONS);
  fpu.status &= ~(SW.ES | SW.B);
}

/** FLDENV. */
export function loadEnvironment(cpu: Cpu, fpu: FpuUnit, linear: number, size: number): void {
  const layout = layoutOf(cpu, size);
  readBlock(cpu, linear, environmentBytes(layout), image, layout.stride);
  applyEnvironment(fpu, layout);
}

/** FNSAVE. */
export function save(cpu: Cpu, fpu: FpuUnit, linear: number, size: number): void {
  const layout = layoutOf(cpu, size);
  const start = environmentBytes(layout);
  composeEnvironment(fpu, layout);
  for (let n = 0; n < REGISTERS; n++) {
    const at = fpu.stack(n);
    imageBytes.set(fpu.state.bytes.subarray(at, at + EXTENDED), start + n * EXTENDED);
  }
  writeBlock(cpu, linear, start + REGISTERS * EXTENDED, image, layout.stride);
  initialize(fpu);
}

/** FRSTOR. */
export function restore(cpu: Cpu, fpu: FpuUnit, linear: number, size: number): void {
  const layout = layoutOf(cpu, size);
  const start = environmentBytes(layout);
  readBlock(cpu, linear, start + REGISTERS * EXTENDED, image, layout.stride);
  applyEnvironment(fpu, layout);
  for (let n = 0; n < REGISTERS; n++) {
    const from = start + n * EXTENDED;
    fpu.state.bytes.set(imageBytes.subarray(from, from + EXTENDED), fpu.stack(n));
  }
}

/** As RESET leaves the x87, which FNINIT does not: nothing is masked, nothing empty. */
export function powerUp(state: CpuState): void {
  state.words.fill(0, AT.FPU_REGS >> 2, AT.MXCSR >> 2);
  state.set(AT.FPU_CONTROL, RESET_CONTROL);
}

/** FNINIT; registers keep their contents. */
export function initialize({ state }: FpuUnit): void {
  state.set(AT.FPU_CONTROL, INITIAL_CONTROL);
  state.set(AT.FPU_STATUS, 0);
  state.set(AT.FPU_TAGS, 0xffff);
  for (const at of [AT.FPU_OPCODE, AT.FPU_IP, AT.FPU_CS, AT.FPU_DP, AT.FPU_DS]) state.set(at, 0);
}

/** FNCLEX. */
export function clear(fpu: FpuUnit): void {
  fpu.status &= ~(SW.EXCEPTIONS | SW.SF | SW.ES | SW.B);
}

// ---- FXSAVE ------------------------------------------------------------------------------------

/** Byte offsets of the FXSAVE area. */
const FX = {
  CONTROL: 0,
  STATUS: 2,
  /** Bit n: physical register n is not empty. */
  TAGS: 4,
  OPCODE: 6,
  IP: 8,
  CS: 12,
  DP: 16,
  DS: 20,
  MXCSR: 24,
  MXCSR_MASK: 28,
  ST: 32,
  XMM: 160,
  /** Where what no instruction writes begins. */
  END: 288,
} as const;

/** All of the area must be there; processors look at its last byte first. */
function checkArea(cpu: Cpu, linear: number, write: boolean): void {
  if (linear & 15) throw Fault.of(VECTOR.GP, 0);
  cpu.mmu.hostAddress((linear + IMAGE_BYTES - 1) >>> 0, write);
}

/** FXSAVE; XMM registers are stored whatever CR4.OSFXSR says. */
export function fxsave(cpu: Cpu, fpu: FpuUnit, linear: number): void {
  checkArea(cpu, linear, true);
  const { state } = fpu;
  imageBytes.fill(0);
  image.setUint16(FX.CONTROL, fpu.control, true);
  image.setUint16(FX.STATUS, fpu.status, true);
  const tags = state.get(AT.FPU_TAGS);
  for (let n = 0; n < REGISTERS; n++) {
    if ((tags >> n * 2 & EMPTY) !== EMPTY) imageBytes[FX.TAGS]! |= 1 << n;
    const at = fpu.stack(n);
    imageBytes.set(state.bytes.subarray(at, at + EXTENDED), FX.ST + n * SLOT);
  }
  image.setUint16(FX.OPCODE, state.get(AT.FPU_OPCODE), true);
  image.setInt32(FX.IP, state.get(AT.FPU_IP), true);
  image.setUint16(FX.CS, state.get(AT.FPU_CS), true);
  image.setInt32(FX.DP, state.get(AT.FPU_DP), true);
  image.setUint16(FX.DS, state.get(AT.FPU_DS), true);
  image.setInt32(FX.MXCSR, state.get(AT.MXCSR), true);
  image.setInt32(FX.MXCSR_MASK, mxcsrMask(cpu), true);
  imageBytes.set(state.bytes.subarray(AT.XMM, AT.XMM + REGISTERS * SLOT), FX.XMM);
  writeBlock(cpu, linear, FX.END, image);
}

/** FXRSTOR. */
export function fxrstor(cpu: Cpu, fpu: FpuUnit, linear: number): void {
  checkArea(cpu, linear, false);
  const { state } = fpu;
  readBlock(cpu, linear, FX.END, image);
  const mxcsr = image.getInt32(FX.MXCSR, true);
  if (mxcsr & ~mxcsrMask(cpu)) throw Fault.of(VECTOR.GP, 0);
  setControl(fpu, image.getUint16(FX.CONTROL, true));
  setStatus(fpu, image.getUint16(FX.STATUS, true));
  let tags = 0;
  for (let n = 0; n < REGISTERS; n++) {
    if (!(imageBytes[FX.TAGS]! >> n & 1)) tags |= EMPTY << n * 2;
    const from = FX.ST + n * SLOT;
    state.bytes.set(imageBytes.subarray(from, from + EXTENDED), fpu.stack(n));
  }
  state.set(AT.FPU_TAGS, tags);
  state.set(AT.FPU_OPCODE, image.getUint16(FX.OPCODE, true) & 0x7ff);
  state.set(AT.FPU_IP, image.getInt32(FX.IP, true));
  state.set(AT.FPU_CS, image.getUint16(FX.CS, true));
  state.set(AT.FPU_DP, image.getInt32(FX.DP, true));
  state.set(AT.FPU_DS, image.getUint16(FX.DS, true));
  state.set(AT.MXCSR, mxcsr);
  state.bytes.set(imageBytes.subarray(FX.XMM, FX.END), AT.XMM);
}
