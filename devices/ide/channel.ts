/**
 * One IDE channel: two drives on a bus, the registers the host sees of them, and their interrupt.
 * Source: ATA/ATAPI-7 (T13/1532D) vol. 1 §5, vol. 2 §7; absent devices and nIEN as in QEMU 7.2.
 * @module
 */

import { allOnes, hex } from "../../core/bits.ts";
import type {
  AccessSize,
  Disk,
  GuestErrors,
  GuestMemory,
  InterruptLine,
  PortDevice,
} from "../../core/types.ts";
import { BusMaster } from "./bus_master.ts";
import { COMMANDS } from "./commands.ts";
import { Drive } from "./drive.ts";
import { HARD_DISK } from "./identify.ts";
import type { DriveIdentity } from "./identify.ts";
import { CommandRunner } from "./runner.ts";
import {
  DC_HOB,
  DC_NIEN,
  DC_SRST,
  REG_COMMAND,
  REG_DATA,
  REG_DEVICE,
  REG_ERROR,
  REG_STATUS,
  SR_BSY,
  SR_DRQ,
} from "./taskfile.ts";

/** Position on the cable: 0 = master, 1 = slave. */
export type Unit = 0 | 1;

/**
 * Two drives, one cable. Register writes reach both, reads and commands only the selected one.
 * Completions come from the disks' clock; INTRQ is a latch that the host clears by reading Status.
 */
export class IdeChannel {
  /** Eight ports. The data port takes words, dwords and strings; the others bytes. */
  readonly commandBlock: PortDevice;
  /** One port: Alternate Status and Device Control. */
  readonly controlBlock: PortDevice;
  /** Eight ports of the PCI function's BAR 4. */
  readonly busMaster: PortDevice;
  readonly #line: InterruptLine;
  readonly #errors: GuestErrors;
  readonly #bus: BusMaster;
  readonly #runner: CommandRunner;
  readonly #drives: readonly [Drive, Drive] = [new Drive(), new Drive()];
  #selected: Unit = 0;
  #control = 0;
  #intrq = false;

  constructor(line: InterruptLine, memory: GuestMemory, errors: GuestErrors) {
    this.#line = line;
    this.#errors = errors;
    this.#bus = new BusMaster(memory, () => this.#runner.tryDma());
    this.#runner = new CommandRunner(this.#bus, errors, () => this.#interrupt());
    this.commandBlock = this.#makeCommandBlock();
    this.controlBlock = this.#makeControlBlock();
    this.busMaster = this.#bus;
    this.reset();
  }

  /** Plugs a disk into an empty position, in its state after power-on. */
  attach(unit: Unit, disk: Disk, identity: DriveIdentity = HARD_DISK): void {
    this.#drives[unit].attach(disk, identity);
  }

  /**
   * Empties a position. A command that runs there is dropped, but what its disk has already been
   * given reaches the disk; meanwhile the other drive, if any, is busy.
   */
  detach(unit: Unit): void {
    if (unit === this.#selected) {
      this.#runner.abandon();
      this.#setIntrq(false);
    }
    this.#drives[unit].detach();
  }

  /** Hard reset: both drives as after power-on, interrupts enabled. */
  reset(): void {
    this.#runner.abandon();
    this.#bus.reset();
    this.#setIntrq(false);
    this.#control = 0;
    this.#selected = 0;
    for (const drive of this.#drives) drive.powerOn();
  }

  #makeCommandBlock(): PortDevice {
    return {
      readPort: (offset, size) => {
        if (offset === REG_DATA) return this.#drive().present ? this.#runner.block.read(size) : 0;
        return size === 1 ? this.#readRegister(offset) : allOnes(size);
      },
      writePort: (offset, size, value) => {
        if (offset === REG_DATA) this.#runner.block.write(size, value);
        else if (size === 1) this.#writeRegister(offset, value & 0xff);
      },
      readPortString: (offset, size, into) => this.#readString(offset, size, into),
      writePortString: (offset, size, from) => this.#writeString(offset, size, from),
    };
  }

  #makeControlBlock(): PortDevice {
    return {
      readPort: (_offset, size) => size === 1 ? this.#status() : allOnes(size),
      writePort: (_offset, size, value) => {
        if (size === 1) this.#writeControl(value);
      },
    };
  }

  #drive(): Drive {
    return this.#drives[this.#selected];
  }

  /** In reset, or waiting for a disk that still has the buffer of a dropped command. */
  #isHeld(): boolean {
    return (this.#control & DC_SRST) !== 0 || this.#runner.draining;
  }

  /** Status of the selected position. */
  #status(): number {
    if (!this.#drive().present) return 0;
    return this.#isHeld() ? SR_BSY : this.#drive().status;
  }

  /** The registers belong to a command in progress. */
  #isBusy(): boolean {
    return (this.#status() & (SR_BSY | SR_DRQ)) !== 0;
  }

  #isEmpty(): boolean {
    return !this.#drives[0].present && !this.#drives[1].present;
  }

  #readRegister(offset: number): number {
    if (offset === REG_STATUS) {
      this.#setIntrq(false);
      return this.#status();
    }
    if (this.#isEmpty()) return 0;
    if (offset === REG_ERROR) return this.#drive().error;
    return this.#drive().taskfile.read(offset, (this.#control & DC_HOB) !== 0);
  }

  #writeRegister(offset: number, value: number): void {
    this.#control &= ~DC_HOB;
    if (offset === REG_COMMAND) return this.#execute(value);
    if (this.#isBusy()) return;
    for (const drive of this.#drives) drive.taskfile.write(offset, value);
    if (offset === REG_DEVICE) this.#selected = (value >>> 4 & 1) as Unit;
  }

  #writeControl(value: number): void {
    const changed = this.#control ^ value;
    this.#control = value & (DC_HOB | DC_SRST | DC_NIEN);
    if ((changed & DC_SRST) === 0) return;
    if ((value & DC_SRST) !== 0) {
      this.#runner.abandon();
      this.#setIntrq(false);
    } else {
      for (const drive of this.#drives) drive.softReset();
      this.#selected = 0;
    }
  }

  #execute(opcode: number): void {
    this.#setIntrq(false);
    if (this.#isEmpty()) return;
    if (this.#isHeld() || this.#isBusy()) return this.#guestError(opcode, "the drive is busy");
    const command = COMMANDS[opcode];
    if (command?.protocol === "diagnostic") return this.#diagnose();
    const drive = this.#drive();
    if (drive.disk === undefined) return;
    if (command !== undefined) return this.#runner.run(drive, drive.disk, command);
    this.#guestError(opcode, "not supported");
    drive.abort();
    this.#interrupt();
  }

  #diagnose(): void {
    for (const drive of this.#drives) drive.diagnose();
    this.#selected = 0;
    this.#interrupt();
  }

  /** An event that the drive tells the host of. With nIEN set it leaves no trace. */
  #interrupt(): void {
    if ((this.#control & DC_NIEN) !== 0) return;
    this.#bus.interrupt();
    this.#setIntrq(true);
  }

  #setIntrq(asserted: boolean): void {
    if (this.#intrq === asserted) return;
    this.#intrq = asserted;
    this.#line.set(asserted);
  }

  #readString(offset: number, size: AccessSize, into: Uint8Array): void {
    if (offset === REG_DATA) {
      if (this.#drive().present) this.#runner.block.readString(size, into);
      else into.fill(0);
    } else if (size === 1) {
      for (let i = 0; i < into.length; i++) into[i] = this.#readRegister(offset);
    } else {
      into.fill(0xff);
    }
  }

  #writeString(offset: number, size: AccessSize, from: Uint8Array): void {
    if (offset === REG_DATA) this.#runner.block.writeString(size, from);
    else if (size === 1) { for (const byte of from) this.#writeRegister(offset, byte); }
  }

  #guestError(opcode: number, what: string): void {
    this.#errors.guestError("ide", `Command ${hex(opcode, 2)}: ${what}`);
  }
}
