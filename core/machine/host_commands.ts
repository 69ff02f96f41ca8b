/**
 * What a user asks for while the machine runs: of the toolstack, and of the machine's front panel.
 * Source: man xl; documentation of QEMU 7.2, "QEMU Monitor".
 * @module
 */

import { UsageError } from "../errors.ts";
import type { ToolstackCommand } from "./config.ts";
import type { Domain } from "./domain.ts";
import type { Domains } from "./domains.ts";
import type { Drives } from "./drives.ts";
import type { Pc } from "./pc.ts";

/** Who does what is asked for. */
export interface HostCommandParts {
  readonly drives: Drives;
  /** Absent when the machine hides Xen. */
  readonly domains: Domains | undefined;
  /** The board that there is. */
  readonly pc: () => Pc;
  /** The machine is to start again. */
  readonly onReset: () => void;
}

/** The commands of one machine. */
export class HostCommands {
  readonly #parts: HostCommandParts;

  constructor(parts: HostCommandParts) {
    this.#parts = parts;
  }

  /** @throws {UsageError} when it cannot be done */
  run(command: ToolstackCommand): void {
    switch (command.verb) {
      case "system_powerdown":
        return this.#parts.pc().pressPowerButton();
      case "system_reset":
        return this.#parts.onReset();
      default:
        return this.#runInXen(command);
    }
  }

  #runInXen(
    command: Exclude<ToolstackCommand, { verb: "system_powerdown" | "system_reset" }>,
  ): void {
    const domain = this.#domain(command.verb);
    const { vbds } = domain;
    switch (command.verb) {
      case "shutdown":
        return this.#shutDown(domain, command);
      case "sysrq":
        return domain.control.sysrq(command.key);
      case "block-attach": {
        const { drives } = this.#parts;
        vbds.checkFree(command.disk.vdev);
        return vbds.attach(drives.vbd(drives.add({ ...command.disk, path: "xen" })));
      }
      case "block-detach":
        return vbds.detach(command.device, command.force);
      case "backend-restart":
        return vbds.restartDriver(command.device, command.afresh);
    }
  }

  #domain(verb: string): Domain {
    const { domains } = this.#parts;
    if (domains !== undefined) return domains.current;
    throw new UsageError(`Cannot ${verb}: the machine hides Xen`, "-machine xenfv shows it");
  }

  /** ACPI has no word for a suspend that the toolstack could end. */
  #shutDown(
    { control }: Domain,
    { request, fallback, checkpoint }: Extract<ToolstackCommand, { verb: "shutdown" }>,
  ): void {
    if (control.isAvailable || !fallback || request === "suspend") {
      return control.request(request, checkpoint);
    }
    this.run({ verb: request === "reboot" ? "system_reset" : "system_powerdown" });
  }
}
