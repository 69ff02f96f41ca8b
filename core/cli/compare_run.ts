/**
 * One boot of a benchmark guest, followed through its phases.
 * @module
 */

import { EXIT_CODE, type ImageError } from "../errors.ts";
import type { MachineConfig, RunResult } from "../machine/config.ts";
import { bootMachine, type Machine } from "../machine/machine.ts";
import { type Phase, PhaseRecorder } from "../report/phases.ts";

/** `isa-debug-exit` status of a guest that says it has succeeded: value 0x10. */
const GUEST_SUCCESS = 0x10 << 1 | 1;

const NEWLINE = 0x0a;

/** Who watches a run. */
export interface CompareHooks {
  /** Takes what the guest writes to COM1. */
  readonly onSerialByte?: (byte: number) => void;
  /** Takes the first failure of the host to read the image. */
  readonly onHostError?: (error: ImageError) => void;
  /** Called between slices. */
  readonly onSlice?: (machine: Machine, recorder: PhaseRecorder) => void;
  /** Asked between slices. */
  readonly interrupted?: () => boolean;
}

/** The end of {@link followPhases}. */
export interface Followed {
  /** How the guest ended. */
  readonly result: RunResult;
  /** Phases that have ended. */
  readonly phases: readonly Phase[];
  /** Why the phases are worth nothing. */
  readonly failure?: string;
}

/** A machine before it is followed, and what messages call its guest. */
export interface BenchmarkGuest {
  readonly name: string;
  readonly config: MachineConfig;
  /** Asked about the machine when it has ended. */
  readonly atEnd?: (machine: Machine) => void;
}

/** Boots the guest and follows the marks that it sets. */
export async function followPhases(
  { name, config, atEnd }: BenchmarkGuest,
  { onSerialByte, onHostError, onSlice, interrupted = () => false }: CompareHooks,
): Promise<Followed> {
  let recorder: PhaseRecorder | undefined;
  const complaint = new Complaint();
  const machine = bootMachine({
    ...config,
    onMark: (value, vcpu) => recorder?.mark(value, vcpu),
    onRequest: (request) => recorder?.request(request),
    onSerialByte: (byte) => {
      complaint.push(byte);
      onSerialByte?.(byte);
    },
    ...(onHostError === undefined ? {} : { onHostError }),
  });
  const followed = recorder = new PhaseRecorder({
    get now() {
      return machine.now;
    },
    memory: machine.memory,
    linearToGpa: (linear) => machine.inspector.linearToGpa(linear),
    counters: () => machine.counters(),
  });
  try {
    const result = await machine.run({
      onSlice: () => onSlice?.(machine, followed),
      interrupted,
    });
    atEnd?.(machine);
    const failure = whyFailed(result, followed, `"${name}"`, complaint.text);
    return { result, phases: followed.phases, ...(failure === undefined ? {} : { failure }) };
  } finally {
    machine.close();
  }
}

/** The last line in which a guest says why it fails, as `guests/lib/console.c` does. */
class Complaint {
  #line = "";
  #text: string | undefined;

  get text(): string | undefined {
    return this.#text;
  }

  push(byte: number): void {
    if (byte !== NEWLINE) this.#line += String.fromCharCode(byte);
    else {
      if (this.#line.startsWith("FAIL: ")) this.#text = this.#line.trimEnd();
      this.#line = "";
    }
  }
}

function whyFailed(
  result: RunResult,
  phases: PhaseRecorder,
  guest: string,
  complaint: string | undefined,
): string | undefined {
  const success = result.code === EXIT_CODE.POWER_OFF || result.code === GUEST_SUCCESS;
  if (!success || result.reason === "limit" || result.reason === "interrupted") {
    const why = complaint ?? result.message ?? endOf(result);
    return `Guest ${guest} did not finish the comparison: ${why}`;
  }
  if (phases.fault !== undefined) {
    return `Cannot compare with guest ${guest}: its marks make no sense, ${phases.fault}`;
  }
  if (phases.phases.length === 0) {
    return `Cannot compare with guest ${guest}: it marked no phase at port 0x80`;
  }
  return undefined;
}

/** How a run ended, where it has no message. */
export function endOf({ reason, code }: RunResult): string {
  return `${reason}, code ${code}`;
}
