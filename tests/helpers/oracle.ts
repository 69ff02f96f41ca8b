/**
 * Conformance cases from outside the repository, and the parts that running them shares.
 * Their formats are described in ../shared/oracles/README.md.
 * @module
 */

import { fromFileUrl } from "@std/path";
import { Cpu } from "../../core/cpu/cpu.ts";
import { RAM_BASE } from "../../core/cpu/state.ts";
import { EXIT, type VcpuHost, type VmExit } from "../../core/types.ts";

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

async function inflate(path: string): Promise<Response> {
  const file = await Deno.open(path);
  return new Response(file.readable.pipeThrough(new DecompressionStream("gzip")));
}

/** The bytes of a compressed file. */
export async function readGzip(path: string): Promise<Uint8Array> {
  return new Uint8Array(await (await inflate(path)).arrayBuffer());
}

/** The cases of a compressed file of one JSON object a line. */
export async function readCases<T>(path: string): Promise<T[]> {
  const lines = (await (await inflate(path)).text()).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as T);
}

/** Bytes of a hexadecimal string. */
export function unhex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length / 2);
  for (let n = 0; n < bytes.length; n++) bytes[n] = parseInt(text.substr(n * 2, 2), 16);
  return bytes;
}

/** Memory, patched and compared as a whole: what lies there and what should. */
export class TwinMemory {
  readonly bytes: Uint8Array;
  readonly #background: Uint8Array;
  readonly #expected: Uint8Array;

  /** @param bytes the memory under test; multiple of 4 bytes, 4-byte aligned */
  constructor(bytes: Uint8Array, background: Uint8Array) {
    this.bytes = bytes;
    this.#background = background;
    this.#expected = new Uint8Array(bytes.length);
  }

  /** Begins a case: the background, then patches in order. */
  begin(patches: readonly (readonly [number, Uint8Array])[]): void {
    this.bytes.set(this.#background);
    for (const [at, patch] of patches) this.bytes.set(patch, at);
    this.#expected.set(this.bytes);
  }

  expect(at: number, patch: Uint8Array): void {
    this.#expected.set(patch, at);
  }

  expected(at: number): number {
    return this.#expected[at]!;
  }

  /** The memory at `at` may hold anything. */
  ignore(at: number, length: number): void {
    this.#expected.set(this.bytes.subarray(at, at + length), at);
  }

  /** Every difference, as text. */
  differences(): string[] {
    const got = new Uint32Array(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length >> 2);
    const want = new Uint32Array(this.#expected.buffer);
    const found: string[] = [];
    for (let word = 0; word < got.length; word++) {
      if (got[word] === want[word]) continue;
      for (let at = word * 4; at < word * 4 + 4; at++) {
        const is = this.bytes[at]!, should = this.#expected[at]!;
        if (is !== should) {
          found.push(`[${at.toString(16)}] ${is.toString(16)} not ${should.toString(16)}`);
        }
      }
    }
    return found;
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

  timestamp(retired: number): number {
    return retired;
  }
}

/** A CPU with RAM from address 0 up and a {@link QuietHost}. */
export function bareCpu(ramBytes: number): { cpu: Cpu; ram: Uint8Array; host: QuietHost } {
  const cpu = new Cpu(ramBytes);
  const ram = new Uint8Array(cpu.ram.buffer, cpu.ram.base, ramBytes);
  const host = new QuietHost(ram);
  const frames = ramBytes >> 12;
  cpu.connect(host, { frameOffset: (gfn) => gfn < frames ? RAM_BASE + gfn * 4096 : -1 });
  return { cpu, ram, host };
}
