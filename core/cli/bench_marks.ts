/**
 * The marks that a benchmark guest writes to its serial port, and the CPU time between them.
 * @module
 */

/** What a guest says about one section, and what the section took. */
export interface Measurement {
  readonly name: string;
  readonly check: number;
  /** Units of work done. */
  readonly units: number;
  /**
   * How far the guest's TSC went. In trapring's it is one for each ns of virtual time: where there is
   * no VM exit, the instructions retired between the section's two RDTSC.
   */
  readonly tsc: number;
  /** CPU time of all threads of the emulator's process, in ns. */
  readonly cpuNs: number;
}

const NEWLINE = 0x0a;
const SECTION_END = /^#E (\S+) ([0-9a-f]{8}) ([0-9a-f]{8}) ([0-9a-f]{16})$/;

/**
 * Reads marks byte by byte: `#B name` begins a section and `#E name check units tsc`, numbers in
 * hexadecimal, ends it. `#DONE` is the last.
 */
export class MarkReader {
  readonly measurements: Measurement[] = [];
  /** Lines that are no marks: what else the guest had to say. */
  readonly messages: string[] = [];
  readonly #cpuNs: () => number;
  #line = "";
  #beganAt = 0;
  #done = false;

  /** @param cpuNs CPU time used so far, in ns */
  constructor(cpuNs: () => number) {
    this.#cpuNs = cpuNs;
  }

  /** The guest has come to its end. */
  get done(): boolean {
    return this.#done;
  }

  /** Takes one byte. */
  push(byte: number): void {
    if (byte !== NEWLINE) {
      this.#line += String.fromCharCode(byte);
      return;
    }
    const line = this.#line.trim();
    this.#line = "";
    this.#take(line);
  }

  #take(line: string): void {
    const end = SECTION_END.exec(line);
    if (end !== null) this.#endSection(end);
    else if (line.startsWith("#B ")) this.#beganAt = this.#cpuNs();
    else if (line === "#DONE") this.#done = true;
    else if (line !== "" && line !== "#BOOT") this.messages.push(line);
  }

  #endSection([, name = "", check = "", units = "", tsc = ""]: readonly string[]): void {
    const cpuNs = this.#cpuNs() - this.#beganAt;
    const [checkValue, unitCount, ticks] = [check, units, tsc].map((digits) =>
      parseInt(digits, 16)
    );
    this.measurements.push({
      name,
      check: checkValue!,
      units: unitCount!,
      tsc: ticks!,
      cpuNs,
    });
  }
}
