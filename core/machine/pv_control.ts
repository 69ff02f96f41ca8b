/**
 * What xl asks of a guest by the nodes below `control`: to shut down, to suspend, a magic SysRq. The
 * guest's kernel watches them, and clears a node to say that it has read it.
 * Source: tools/libs/light/libxl_domain.c and tools/xl/xl_vmcontrol.c of Xen 4.17 for the order of
 * steps and the words; xen/docs/misc/xenstore-paths.pandoc for the features.
 * @module
 */

import { UsageError } from "../errors.ts";
import { HVM_PARAM, type HvmParams } from "../hypervisor/hypercalls/hvm_params.ts";
import { homePath } from "../hypervisor/xenstore/access.ts";
import type { Clock, Ns, StoreClient, Timer } from "../types.ts";
import type { ControlRequest } from "./config.ts";

/** How long a guest has to acknowledge, and then to suspend. */
const PATIENCE: Ns = 60e9;

/** What xl says that it does. */
const ANNOUNCEMENTS: Readonly<Record<ControlRequest, string>> = {
  poweroff: "Shutting down domain",
  halt: "Shutting down domain",
  reboot: "Rebooting domain",
  suspend: "Suspending domain",
};
/** What it cannot do without a driver in the guest. */
const DEEDS: Readonly<Record<ControlRequest, string>> = {
  poweroff: "graceful shutdown",
  halt: "graceful shutdown",
  reboot: "graceful reboot",
  suspend: "suspend",
};
/** What does without. */
const WAYS_ROUND: Readonly<Partial<Record<ControlRequest, string>>> = {
  poweroff: "system_powerdown presses the power button, shutdown -F too",
  halt: "system_powerdown presses the power button, shutdown -F too",
  reboot: "system_reset resets the machine, shutdown -F reboot too",
};
/** Nodes by which a guest says what it listens for. */
const FEATURES: Readonly<Record<ControlRequest, string>> = {
  poweroff: "feature-poweroff",
  halt: "feature-poweroff",
  reboot: "feature-reboot",
  suspend: "feature-suspend",
};

/** What the control nodes of one domain are written by. */
export interface PvControlParts {
  readonly clock: Clock;
  readonly store: StoreClient;
  readonly domid: number;
  readonly params: HvmParams;
  /** Takes what xl prints. */
  readonly tell: (line: string) => void;
}

/** The toolstack's requests to one domain. */
export class PvControl {
  readonly #parts: PvControlParts;
  readonly #timer: Timer;
  readonly #path: string;
  /** What the guest is waited for. */
  #open: ControlRequest | "suspended" | undefined;
  #isCheckpoint = true;
  #endWatch: () => void = () => {};

  constructor(parts: PvControlParts) {
    this.#parts = parts;
    this.#path = `${homePath(parts.domid)}/control`;
    this.#timer = parts.clock.timer("pv control", () => this.#giveUp());
  }

  /** The guest has asked for the upcalls without which no PV driver runs. */
  get isAvailable(): boolean {
    return this.#parts.params.get(HVM_PARAM.CALLBACK_IRQ) !== 0n;
  }

  /**
   * A guest that has suspended goes on as if that had been cancelled: it was asked for a checkpoint,
   * or it was not asked at all.
   */
  get isCheckpoint(): boolean {
    return this.#isCheckpoint;
  }

  /**
   * Asks for it, and waits a minute for the guest to say that it has heard.
   * @param checkpoint of "suspend": the guest goes on as it was
   * @throws {UsageError} when the guest does not listen
   */
  request(request: ControlRequest, checkpoint: boolean = false): void {
    this.#check(request);
    this.close();
    this.#isCheckpoint = checkpoint;
    this.#parts.tell(`${ANNOUNCEMENTS[request]} ${this.#parts.domid}`);
    this.#parts.store.write(`${this.#path}/shutdown`, request);
    this.#open = request;
    this.#timer.armAfter(PATIENCE);
    this.#endWatch = this.#parts.store.watch(`${this.#path}/shutdown`, () => {
      if (!this.#isWritten()) this.#acknowledged(request);
    });
  }

  /** The guest has shut down, or is waited for no longer. */
  close(): void {
    this.#open = undefined;
    this.#timer.cancel();
    this.#endWatch();
    this.#endWatch = () => {};
  }

  /**
   * Types Alt-SysRq and a key.
   * @param key one character
   * @throws {UsageError} when the guest does not listen
   */
  sysrq(key: string): void {
    if (!this.isAvailable) throw unavailable("SysRq");
    this.#parts.store.write(`${this.#path}/sysrq`, key);
  }

  #check(request: ControlRequest): void {
    if (!this.isAvailable) {
      throw unavailable(`external ${DEEDS[request]}`, WAYS_ROUND[request]);
    }
    const feature = FEATURES[request];
    const value = this.#parts.store.read(`${this.#path}/${feature}`);
    if (value === "1") return;
    throw new UsageError(
      `Cannot ask domain ${this.#parts.domid} for ${request}: its control/${feature} is ` +
        (value === undefined ? "absent" : `"${value}"`),
      "a kernel with PV drivers writes 1 there when it listens",
    );
  }

  #isWritten(): boolean {
    return (this.#parts.store.read(`${this.#path}/shutdown`) ?? "") !== "";
  }

  #acknowledged(request: ControlRequest): void {
    this.close();
    if (request !== "suspend") return;
    this.#open = "suspended";
    this.#timer.armAfter(PATIENCE);
  }

  #giveUp(): void {
    const request = this.#open!;
    this.close();
    const { tell } = this.#parts;
    if (request === "suspended") return tell("libxl: error: guest did not suspend, timed out");
    if (request !== "suspend") {
      return tell(`libxl: error: guest didn't acknowledge control request: ${request}`);
    }
    tell("libxl: error: guest didn't acknowledge suspend, cancelling request");
    this.#parts.store.write(`${this.#path}/shutdown`, "");
  }
}

function unavailable(
  what: string,
  hint: string = "it takes a kernel with PV drivers",
): UsageError {
  return new UsageError(`PV control interface not available: ${what} not possible`, hint);
}
