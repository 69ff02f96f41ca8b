/**
 * Debian's kernel in a machine of this process: a test sees its consoles and asks its toolstack.
 * @module
 */

import type { XenOffers } from "../../core/hypervisor/xen_offers.ts";
import { loadGuest } from "../../core/load/detect.ts";
import type { RunResult, ToolstackCommand } from "../../core/machine/config.ts";
import type { RequestRecord } from "../../core/machine/exit_report.ts";
import { bootMachine, type Machine } from "../../core/machine/machine.ts";
import { costPresets, mediaPresets, openDisk } from "../../core/machine/storage.ts";
import type { MediaPreset } from "../../devices/disk/media.ts";
import { APPEND, linuxFile } from "./linux.ts";

const RAM_BYTES = 256 << 20;
/** Virtual time that a run may take. */
const PATIENCE_NS = 300e9;
/** Characters of a run that a failed test shows. */
const TAIL = 3000;

/** What a run is made of. */
export interface MachineRunOptions {
  /** A disk for both paths, written in place. */
  readonly disk: string;
  readonly initrd: string;
  readonly append: string;
  /** `ssd` unless given. */
  readonly media?: MediaPreset | undefined;
  /** What Xen offers otherwise than by default. */
  readonly xen?: Partial<XenOffers>;
}

/** One run. */
export class MachineRun implements Disposable {
  readonly machine: Machine;
  /** What went over the rings. */
  readonly requests: RequestRecord[] = [];
  /** What the toolstack has said. */
  readonly told: string[] = [];
  #serial = "";
  #xenConsole = "";
  #result: RunResult | undefined;
  /** Where the next text is looked for. */
  readonly #seen = { serial: 0, xenConsole: 0 };

  constructor(
    { disk, initrd, append, media = mediaPresets()["ssd"]!, xen = {} }: MachineRunOptions,
  ) {
    const kernel = Deno.readFileSync(linuxFile("vmlinuz"));
    const guest = loadGuest(kernel, {
      name: "vmlinuz",
      ramBytes: RAM_BYTES,
      readFile: (path) => Deno.readFileSync(path),
      append: `${APPEND} ${append}`,
      initrd,
    });
    const backend = openDisk(disk, { readOnly: false, snapshot: false });
    this.machine = bootMachine({
      machine: "xenfv",
      xen,
      reboot: "reset",
      maxTime: PATIENCE_NS,
      ramBytes: RAM_BYTES,
      guest,
      disks: [{ backend, media: media }],
      cost: costPresets()["xen-4.17"]!,
      onSerialByte: (byte) => this.#serial += String.fromCharCode(byte),
      onXenConsoleByte: (byte) => this.#xenConsole += String.fromCharCode(byte),
      onRequest: (request) => this.requests.push(request),
      onToolstack: (line) => this.told.push(line),
    });
  }

  /** What came out of COM1. */
  get serial(): string {
    return this.#serial;
  }

  /** What came out of hvc0. */
  get xenConsole(): string {
    return this.#xenConsole;
  }

  /**
   * Runs until a text has come out of a console, behind the one that was waited for last.
   * @throws {Error} when the run ends without it
   */
  until(text: string, console: "serial" | "xenConsole" = "serial"): void {
    const find = () => this[console].indexOf(text, this.#seen[console]);
    while (find() < 0) {
      if (this.#result !== undefined) throw new Error(`no "${text}" before the end:\n${this.tail}`);
      this.#result = this.machine.runSlice();
    }
    this.#seen[console] = find() + text.length;
  }

  /** Lets virtual time pass. */
  pass(ns: number): void {
    for (const end = this.machine.now + ns; this.machine.now < end && !this.machine.hasEnded;) {
      this.#result = this.machine.runSlice();
    }
  }

  /** Asks for something. */
  ask(command: ToolstackCommand): void {
    this.machine.toolstack(command);
  }

  /** Types on hvc0. */
  type(text: string): void {
    this.machine.input("xenconsole", new TextEncoder().encode(text));
  }

  /** Runs to the end; what was written is durable then. */
  end(): RunResult {
    while (this.#result === undefined) this.#result = this.machine.runSlice();
    this.machine.flush();
    return this.#result;
  }

  /** The last that came out, for the message of a failed test. */
  get tail(): string {
    return `${this.#serial.slice(-TAIL)}\n${this.#xenConsole.slice(-TAIL)}\n${
      this.told.join("\n")
    }`;
  }

  [Symbol.dispose](): void {
    this.machine.close();
  }
}
