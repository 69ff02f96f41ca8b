import { assertEquals } from "@std/assert";
import { EXIT } from "../../../core/types.ts";
import { CpuBench } from "../../helpers/cpu.ts";

const EIP = 0x1000;
/** What the host says a repetition takes. */
const NS = 100;

/** A host that answers port 1F7 with 80, steadily. */
function polling(code: string): { bench: CpuBench; told: string[] } {
  const bench = new CpuBench();
  const told: string[] = [];
  const { host } = bench;
  host.onExit = (exit) => {
    if (exit.reason !== EXIT.IO_INSTRUCTION) return;
    told.push(`${exit.write ? "out" : "in"} ${exit.port.toString(16)} behind ${exit.retired}`);
    if (exit.port !== 0x1f7) return;
    exit.value = 0x80;
    exit.steady = NS;
  };
  Object.assign(host, {
    repeated(times: number, spent: Int32Array) {
      host.left -= times * NS;
      const kept = Math.min(times, spent.length);
      const last = Array.from({ length: kept }, (_, n) => spent[(times - kept + n) % spent.length]);
      told.push(`${times} more at ${last.join(" ")}`);
    },
  });
  bench.load("protected32", EIP, code);
  bench.cpu.state.regs[2] = 0x1f7;
  bench.cpu.state.regs[1] = 4;
  return { bench, told };
}

const POLL_4 = "ec 49 75fc"; // in al, dx; dec ecx; jnz

Deno.test("Polls: the host is asked once and told of all repetitions, before anything else", () => {
  const { bench, told } = polling(`${POLL_4} e610 f4`); // out 10h, al; hlt
  assertEquals(bench.run(10_000), 3 * NS + 14);
  assertEquals(bench.cpu.state.regs[0], 0x80);
  // In front of each repetition: in, dec, jnz, and the ones before.
  assertEquals(told, ["in 1f7 behind 0", "3 more at 3 106 209", "out 10 behind 12"]);
});

Deno.test("Polls: more repetitions than are kept are told with the times of the last ones", () => {
  const { bench, told } = polling(`${POLL_4} e610 f4`);
  bench.cpu.state.regs[1] = 40;
  bench.run(10_000);
  const times = Array.from({ length: 16 }, (_, n) => 3 + (23 + n) * (NS + 3));
  assertEquals(told[1], `39 more at ${times.join(" ")}`);
});

Deno.test("Polls: a repetition for which the budget has no room is an exit", () => {
  const { bench, told } = polling(`${POLL_4} f4`);
  bench.cpu.state.regs[1] = 3;
  bench.run(NS + 20);
  assertEquals(told, ["in 1f7 behind 0", "1 more at 3", "in 1f7 behind 6"]);
});

Deno.test("Polls: another port, another instruction and another slice ask the host", () => {
  const other = polling("ec 6642 ec 664a ec f4"); // in; inc dx; in; dec dx; in
  other.bench.run(10_000);
  assertEquals(other.told, ["in 1f7 behind 0", "in 1f8 behind 2", "in 1f7 behind 2"]);

  const twice = polling("ec ec f4");
  twice.bench.run(10_000);
  assertEquals(twice.told, ["in 1f7 behind 0", "in 1f7 behind 1"]);

  const sliced = polling(`${POLL_4} f4`);
  sliced.bench.run(3);
  sliced.bench.run(10_000);
  assertEquals(sliced.told, ["in 1f7 behind 0", "in 1f7 behind 0", "2 more at 3 106"]);
});

Deno.test("Polls: RDTSC shows the time of repetitions that the host has not been told of", () => {
  const { bench } = polling(`${POLL_4} 0f31 f4`);
  bench.host.timestamp = (retired) => retired;
  bench.run(10_000);
  assertEquals(bench.cpu.state.regs[0], 3 * NS + 12);
});

Deno.test("Polls: an interrupt is taken after the host has been told", () => {
  const { bench, told } = polling(`${POLL_4} fb 90 f4`); // sti; nop
  const { host } = bench;
  host.acknowledgeInterrupt = () => {
    told.push("interrupt");
    return host.vectors.shift()!;
  };
  host.vectors.push(0x20);
  try {
    bench.run(400);
  } catch {
    // There is no IDT behind the vector: only the order counts.
  }
  assertEquals(told.slice(0, 3), ["in 1f7 behind 0", "3 more at 3 106 209", "interrupt"]);
});

Deno.test("Polls: a host that is told in the middle of a single step hears the same times", () => {
  const { bench, told } = polling(`${POLL_4} 6802010000 9d e680`); // push 102h; popf; out 80h, al
  bench.host.passthroughPort = () => void bench.cpu.takeRetiredInside();
  bench.run(400);
  assertEquals(told.slice(0, 2), ["in 1f7 behind 0", "3 more at 3 106 209"]);
});
