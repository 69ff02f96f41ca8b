/**
 * Instructions line by line: a stretch of code, and the surroundings of an address.
 * @module
 */

import { hex } from "../bits.ts";
import type { CodeBytes } from "../cpu/decode.ts";
import { codeFrom, disassemble } from "../cpu/disasm.ts";
import { AT, type CpuState, CS, MODE } from "../cpu/state.ts";
import type { GuestImage } from "../load/image.ts";
import type { GuestMemory } from "../types.ts";

/** One line. */
export interface Listed {
  /** Offset in the code segment. */
  readonly address: number;
  /** The instruction. */
  readonly bytes: Uint8Array;
  /** In Intel's syntax. */
  readonly text: string;
}

/** Code, and the size of its operands and addresses. */
export interface Code {
  readonly bytes: CodeBytes;
  /** See `MODE` in state.ts. */
  readonly mode: number;
}

/** Instructions of a crash dump in front of the one at EIP, and from it on. */
const BEFORE = 4;
const AFTER = 6;
/** How far back decoding starts: code falls into step with itself within a few instructions. */
const LONGEST_RUN_UP = 48;
const ROM_SEGMENT = 0x10000;
/** Width of the bytes column, enough for seven. */
const BYTES_WIDTH = 21;

/**
 * The code of a guest that has not run: what its file holds. Offset and address are the same then,
 * but for a BIOS, whose code segment is the last 64 KiB of its ROM.
 */
export function codeOf({ segments, mode, rom }: GuestImage): Code {
  const byteAt = (address: number): number | undefined => {
    if (rom !== undefined) return rom.subarray(-ROM_SEGMENT)[address];
    const segment = segments.find(({ gpa, bytes }) =>
      address >= gpa && address < gpa + bytes.length
    );
    return segment?.bytes[address - segment.gpa];
  };
  return { bytes: codeFrom(byteAt), mode: mode === "protected32" ? MODE.CODE32 : 0 };
}

/** The code of a guest that runs: what CS and the page tables lead to. */
export function runningCode(vcpu: CpuState, memory: GuestMemory): Code {
  const base = vcpu.segmentBase(CS);
  const bytes = codeFrom((eip) => {
    const gpa = vcpu.linearToGpa((base + eip) >>> 0);
    return gpa === undefined ? undefined : memory.read8(gpa);
  });
  return { bytes, mode: vcpu.get(AT.MODE) };
}

/** One block of running code, under the address of its segment, as QEMU's `-d in_asm` has it. */
export function listBlock(vcpu: CpuState, memory: GuestMemory, eip: number, end: number): string[] {
  const lines = listCode(runningCode(vcpu, memory), eip, end - eip)
    .filter(({ address }) => address < end);
  const where = `${hex(vcpu.selector(CS), 4)}, base ${hex(vcpu.segmentBase(CS))}`;
  return [`IN: ${where}`, ...lines.map(formatListed)];
}

/** At most `count` instructions from an address on; fewer where the memory ends. */
export function listCode({ bytes, mode }: Code, address: number, count: number): Listed[] {
  const listed: Listed[] = [];
  for (let at = address; listed.length < count;) {
    const found = disassemble(bytes, at, mode);
    if (found === undefined) break;
    listed.push({ address: at, bytes: found.bytes, text: found.text });
    at += found.length;
  }
  return listed;
}

/** `100000:  b8 01 00 00 00         mov    eax,0x1`. */
export function formatListed({ address, bytes, text }: Listed): string {
  const column = [...bytes].map((byte) => hex(byte, 2)).join(" ").padEnd(BYTES_WIDTH);
  return `${hex(address, 1).padStart(8)}:  ${column}  ${text}`;
}

/** The instructions around EIP, which an arrow points at. */
export function listAround(code: Code, eip: number): string[] {
  const after = listCode(code, eip, AFTER);
  const lines = [...listBefore(code, eip), ...after].map((listed) =>
    `${listed.address === eip ? "=>" : "  "} ${formatListed(listed)}`
  );
  return after.length > 0 ? lines : [...lines, `=> ${hex(eip, 1).padStart(8)}:  not mapped`];
}

/** The last few instructions of the longest run-up that looks like code and ends at EIP. */
function listBefore(code: Code, eip: number): Listed[] {
  for (let distance = Math.min(LONGEST_RUN_UP, eip); distance > 0; distance--) {
    const run = listCode(code, eip - distance, distance).filter(({ address }) => address < eip);
    const last = run.at(-1);
    const meets = last !== undefined && last.address + last.bytes.length === eip;
    if (meets && run.every(looksLikeCode)) return run.slice(-BEFORE);
  }
  return [];
}

/** Opcode 00, a byte-wise ADD, hardly occurs in code; padding is made of it. */
function looksLikeCode({ bytes, text }: Listed): boolean {
  return text !== "(bad)" && bytes[0] !== 0;
}
