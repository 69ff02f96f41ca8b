import { assertEquals } from "@std/assert";
import { newVmExit } from "../../../core/cpu/exit.ts";
import { Xentrace } from "../../../core/debug/xentrace.ts";
import { EXIT, type VcpuState, type VmExit } from "../../../core/types.ts";

/** Records of a trace as `event cycles: extra words`, all in hexadecimal. */
function records(buffers: readonly Uint8Array[]): string[] {
  return buffers.flatMap((bytes) => {
    const words = new Uint32Array(bytes.slice().buffer);
    const lines: string[] = [];
    for (let at = 0; at < words.length;) {
      const head = words[at++]!;
      const timed = head >>> 31 === 1;
      const cycles = timed ? ` ${words[at + 1]! * 2 ** 32 + words[at]!}` : "";
      at += timed ? 2 : 0;
      const extra = Array.from(words.subarray(at, at += head >>> 28 & 7), (n) => n.toString(16));
      lines.push(`${(head & 0xfffffff).toString(16)}${cycles}: ${extra.join(" ")}`);
    }
    return lines;
  });
}

function traced(act: (trace: Xentrace) => void): Uint8Array[] {
  const buffers: Uint8Array[] = [];
  act(new Xentrace((bytes) => buffers.push(bytes.slice())));
  return buffers;
}

const vcpu = { regs: Uint32Array.of(0x20, 0, 0, 0, 0, 0, 0, 0) } as unknown as VcpuState;

function exitAt(at: number, fields: Partial<VmExit>): VmExit {
  return { ...newVmExit(), reason: EXIT.IO_INSTRUCTION, at, ...fields };
}

function serve(trace: Xentrace, exit: VmExit, enters: number): void {
  trace.exits(exit, vcpu);
  trace.enters(exit, enters);
}

const IN: Partial<VmExit> = { port: 0x1f7, value: 0x50, rip: 0x7c00 };

Deno.test("Xentrace.enters() writes what was accessed between exit and entry", () => {
  const trace = traced((trace) => {
    serve(trace, exitAt(10, IN), 20);
    serve(trace, exitAt(30, { ...IN, write: true }), 40);
    serve(trace, exitAt(50, { ...IN, port: 0x1f0, string: true }), 60);
    serve(trace, exitAt(70, { reason: EXIT.EPT_VIOLATION, rip: 1, gpa: 0xfee000b0, value: 7 }), 80);
    serve(trace, exitAt(2 ** 33, { reason: EXIT.VMCALL, rip: 0xc1000000 }), 2 ** 33 + 1);
    trace.finish(2 ** 33 + 5);
  });
  const [window, ...lines] = records(trace);
  assertEquals(window, `1f003: 0 ${(trace[0]!.length - 12).toString(16)}`);
  assertEquals(lines, [
    "21101 1: 10000",
    "81002 11: 1e 7c00",
    "82016: 1f7 50",
    "81001 21: ",
    "81002 31: 1e 7c00",
    "82216: 1f7 50",
    "81001 41: ",
    "81002 51: 1e 7c00",
    "82016: 1f0",
    "81001 61: ",
    "81002 71: 30 1",
    "82017: fee000b0 7",
    "81001 81: ",
    "81002 8589934593: 12 c1000000",
    "82012: 20",
    "81001 8589934594: ",
    "21031 8589934598: 10000",
  ]);
});

Deno.test("Xentrace.slept() puts the entry behind the sleep, which may come in pieces", () => {
  const trace = traced((trace) => {
    serve(trace, exitAt(10, { reason: EXIT.HLT, rip: 5 }), 20);
    trace.slept(20, 30);
    trace.slept(30, 90);
    trace.event(EXIT.EXTERNAL_INTERRUPT, 6, 100, 110);
    trace.finish(120);
  });
  assertEquals(records(trace).slice(2), [
    "81002 11: c 5",
    "21021 21: 10000",
    "21211 91: 10000",
    "21101 91: 10000",
    "81001 91: ",
    "81002 101: 1 6",
    "81001 111: ",
    "21031 121: 10000",
  ]);
});

Deno.test("Xentrace.finish() ends a sleep without an entry", () => {
  const trace = traced((trace) => {
    serve(trace, exitAt(10, { reason: EXIT.HLT, rip: 5 }), 20);
    trace.slept(20, 30);
    trace.finish(30);
  });
  assertEquals(records(trace).slice(2), ["81002 11: c 5", "21021 21: 10000", "21231 31: 10000"]);
});

Deno.test("Xentrace writes whole records in buffers that tell their length", () => {
  const count = 20_000;
  const trace = traced((trace) => {
    for (let i = 0; i < count; i++) serve(trace, exitAt(10 * i, IN), 10 * i + 5);
    trace.finish(10 * count);
  });
  for (const bytes of trace) {
    assertEquals(new Uint32Array(bytes.buffer)[2], bytes.length - 12);
  }
  const lines = records(trace);
  assertEquals(lines.filter((line) => line.startsWith("1f003:")).length, trace.length);
  assertEquals(lines.filter((line) => line.startsWith("81002 ")).length, count);
  assertEquals(lines.filter((line) => line.startsWith("81001 ")).length, count);
});
