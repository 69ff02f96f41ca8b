/**
 * Conformance cases from outside the repository, and the parts that running them shares.
 * Their formats are described in ../shared/oracles/README.md.
 * @module
 */

import { fromFileUrl } from "@std/path";
import { hex } from "../../core/bits.ts";
import { Cpu, type CpuOptions } from "../../core/cpu/cpu.ts";
import { type Profile, profileFeatures } from "../../core/cpu/cpuid.ts";
import { Fault, VECTOR } from "../../core/cpu/fault.ts";
import { RAM_BASE } from "../../core/cpu/state.ts";
import { EXIT, type VcpuHost, type VmExit } from "../../core/types.ts";
import { plainFrames } from "./frames.ts";

const ORACLES = new URL("../../../shared/oracles/", import.meta.url);

/** The file or directory below the oracles; `undefined` when it is absent or may not be read. */
export function oraclePath(name: string): string | undefined {
  const path = fromFileUrl(new URL(name, ORACLES));
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return undefined;
  try {
    Deno.statSync(path);
    return path;
  } catch {
    return undefined;
  }
}

async function inflate(path: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  const file = await Deno.open(path);
  return file.readable.pipeThrough(new DecompressionStream("gzip"));
}

/** The bytes of a compressed file. */
export async function readGzip(path: string): Promise<Uint8Array> {
  return new Uint8Array(await new Response(await inflate(path)).arrayBuffer());
}

/** The cases of a compressed file of one JSON object a line. */
export async function readCases<T>(path: string): Promise<T[]> {
  return (await linesOf(path)).map((line) => JSON.parse(line) as T);
}

/** At most `count` cases of such a file, evenly spread. */
export async function sampleCases<T>(path: string, count: number): Promise<T[]> {
  const lines = await linesOf(path);
  const every = Math.ceil(lines.length / count);
  return lines.filter((_, n) => n % every === 0).map((line) => JSON.parse(line) as T);
}

async function linesOf(path: string): Promise<string[]> {
  return (await new Response(await inflate(path)).text()).trimEnd().split("\n");
}

/** The first object of such a file; empty when its first line is something else. */
export async function firstCase(path: string): Promise<object> {
  let text = "";
  for await (const part of (await inflate(path)).pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.includes("\n")) break;
  }
  const first: unknown = JSON.parse(text.split("\n", 1)[0]!);
  return typeof first === "object" && first !== null ? first : {};
}

/** Bytes of a hexadecimal string. */
export function unhex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length / 2);
  for (let n = 0; n < bytes.length; n++) bytes[n] = parseInt(text.substr(n * 2, 2), 16);
  return bytes;
}

/** Bytes and where they go. */
export type Patch = readonly [at: number, bytes: Uint8Array];

/** Memory, patched and compared as a whole: what lies there and what should. */
export class TwinMemory {
  readonly bytes: Uint8Array;
  readonly #background: Uint8Array;
  readonly #expected: Uint8Array;
  readonly #got: Int32Array;
  readonly #want: Int32Array;
  /** Runs where background and expectation may differ. */
  readonly #patched: (readonly [at: number, length: number])[] = [];
  /** Elsewhere, memory is as expected. */
  #clean = false;

  /** @param bytes the memory under test; multiple of 4 bytes, 4-byte aligned */
  constructor(bytes: Uint8Array, background: Uint8Array) {
    this.bytes = bytes;
    this.#background = background;
    this.#expected = Uint8Array.from(background);
    this.#got = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    this.#want = new Int32Array(this.#expected.buffer);
  }

  /** Begins a case: the background, then patches in order. */
  begin(patches: readonly Patch[]): void {
    for (const [at, length] of this.#patched) {
      this.#expected.set(this.#background.subarray(at, at + length), at);
      if (this.#clean) this.bytes.set(this.#background.subarray(at, at + length), at);
    }
    this.#patched.length = 0;
    if (!this.#clean) this.bytes.set(this.#background);
    this.#clean = false;
    for (const [at, patch] of patches) {
      this.bytes.set(patch, at);
      this.expect(at, patch);
    }
  }

  expect(at: number, patch: Uint8Array): void {
    this.#expected.set(patch, at);
    this.#patched.push([at, patch.length]);
  }

  expected(at: number): number {
    return this.#expected[at]!;
  }

  /** The memory at `at` may hold anything. */
  ignore(at: number, length: number): void {
    this.expect(at, this.bytes.slice(at, at + length));
  }

  /** Every difference, as text; ends the case. */
  differences(): string[] {
    const got = this.#got, want = this.#want;
    const found: string[] = [];
    for (let word = 0; word < got.length; word++) {
      if (got[word] !== want[word]) this.#differ(word * 4, found);
    }
    this.#clean = found.length === 0;
    return found;
  }

  #differ(from: number, found: string[]): void {
    for (let at = from; at < from + 4; at++) {
      const is = this.bytes[at]!, should = this.#expected[at]!;
      if (is !== should) found.push(`[${hex(at, 5)}] ${hex(is, 2)} not ${hex(should, 2)}`);
    }
  }
}

/** A host without devices: writes are kept, reads are answered from a list. */
export class QuietHost implements VcpuHost {
  /** Answers to port reads, first to last. */
  answers: number[] = [];
  /** Port and value of every port write. */
  readonly written: [number, number][] = [];
  readonly interruptPending = false;
  readonly #ram: Uint8Array;

  constructor(ram: Uint8Array) {
    this.#ram = ram;
  }

  exit(exit: VmExit): number {
    if (exit.reason === EXIT.IO_INSTRUCTION) {
      if (exit.string) this.#moveString(exit);
      else this.passthroughPort(exit);
    }
    // There is nobody to call: VMCALL is an undefined opcode.
    if (exit.reason === EXIT.VMCALL) throw Fault.of(VECTOR.UD, 0);
    return 1;
  }

  passthroughPort(exit: VmExit): void {
    if (exit.write) this.written.push([exit.port, exit.value]);
    else exit.value = this.answers.shift() ?? 0;
  }

  #moveString({ port, size, gpa, count, write, descending }: VmExit): void {
    for (let item = 0; item < count; item++) {
      const at = gpa + (descending ? count - 1 - item : item) * size;
      const bytes = this.#ram.subarray(at, at + size);
      if (write) this.written.push([port, bytes.reduceRight((sum, byte) => sum * 256 + byte, 0)]);
      else {
        const value = this.answers.shift() ?? 0;
        bytes.forEach((_, n) => bytes[n] = value >>> (n * 8));
      }
    }
  }

  acknowledgeInterrupt(): number {
    return 0;
  }

  acknowledgeNmi(): void {}

  timestamp(retired: number): number {
    return retired;
  }
}

/** Interpreted, or compiled on the first run. */
export type Tier = 1 | 2;

/** All tiers. */
export const TIERS: readonly Tier[] = [1, 2];

/**
 * How to build a CPU that runs everything in one tier.
 * @param features in place of the profile's
 */
export function cpuOptions(
  tier: Tier,
  profile: Profile,
  features: number = profileFeatures(profile),
): CpuOptions {
  return { profile, features, heat: tier === 1 ? 0 : 1 };
}

/** A CPU with RAM from address 0 up and a {@link QuietHost}. */
export function bareCpu(
  ramBytes: number,
  tier: Tier,
  profile: Profile,
  features?: number,
): { cpu: Cpu; ram: Uint8Array; host: QuietHost } {
  const cpu = new Cpu(ramBytes, cpuOptions(tier, profile, features));
  const ram = new Uint8Array(cpu.ram.buffer, cpu.ram.base, ramBytes);
  const host = new QuietHost(ram);
  const frames = ramBytes >> 12;
  cpu.connect(host, plainFrames((gfn) => gfn < frames ? RAM_BASE + gfn * 4096 : -1));
  return { cpu, ram, host };
}
