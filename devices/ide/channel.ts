/**
 * One IDE channel: two drives on a bus, the registers the host sees of them, and their interrupt.
 * Source: ATA/ATAPI-7 (T13/1532D) vol. 1 §5, vol. 2 §7; absent devices and nIEN as in QEMU 7.2.
 * @module
 */

import { allOnes, hex } from "../../core/bits.ts";
import type {
  AccessSize,
  GuestErrors,
  GuestMemory,
  InterruptLine,
  PortDevice,
} from "../../core/types.ts";
import { BusMaster } from "./bus_master.ts";
import { AbsentDrive } from "./drive.ts";
import type { Cable, Drive } from "./drive.ts";
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

const EXECUTE_DEVICE_DIAGNOSTIC = 0x90;

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
  /** What a drive to be attached is built upon. */
  readonly cable: Cable;
  readonly #line: InterruptLine;
  readonly #bus: BusMaster;
  readonly #drives: [Drive, Drive] = [new AbsentDrive(), new AbsentDrive()];
  #selected: Unit = 0;
  #control = 0;
  #intrq = false;

  constructor(line: InterruptLine, memory: GuestMemory, errors: GuestErrors) {
    this.#line = line;
    this.#bus = new BusMaster(memory, () => this.#drive().tryDma());
    this.cable = {
      busMaster: this.#bus,
      errors,
      draining: 0,
      interrupt: () => this.#interrupt(),
    };
    this.commandBlock = this.#makeCommandBlock();
    this.controlBlock = this.#makeControlBlock();
    this.busMaster = this.#bus;
    this.reset();
  }

  /** Plugs a drive into a position, in its state after power-on. */
  attach(unit: Unit, drive: Drive): void {
    this.#drives[unit] = drive;
    drive.powerOn();
  }

  /** Empties a position. A command that runs there is dropped. */
  detach(unit: Unit): void {
    const drive = this.#drives[unit];
    drive.abandon();
    if (unit === this.#selected) this.#setIntrq(false);
    const absent = new AbsentDrive();
    absent.taskfile.copy(drive.taskfile);
    this.#drives[unit] = absent;
  }

  /** Hard reset: both drives as after power-on, interrupts enabled. */
  reset(): void {
    for (const drive of this.#drives) drive.abandon();
    this.#bus.reset();
    this.#setIntrq(false);
    this.#control = 0;
    this.#selected = 0;
    for (const drive of this.#drives) drive.powerOn();
  }

  #makeCommandBlock(): PortDevice {
    return {
      steadyOffsets: 1 << REG_STATUS,
      readPort: (offset, size) => {
        if (offset === REG_DATA) return this.#drive().data.read(size);
        return size === 1 ? this.#readRegister(offset) : allOnes(size);
      },
      writePort: (offset, size, value) => {
        if (offset === REG_DATA) this.#drive().data.write(size, value);
        else if (size === 1) this.#writeRegister(offset, value & 0xff);
      },
      readPortString: (offset, size, into) => this.#readString(offset, size, into),
      writePortString: (offset, size, from) => this.#writeString(offset, size, from),
    };
  }

  #makeControlBlock(): PortDevice {
    return {
      steadyOffsets: 1,
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
    return (this.#control & DC_SRST) !== 0 || this.cable.draining > 0;
  }

  /** Status of the selected position. */
  #status(): number {
    const drive = this.#drive();
    return this.#isHeld() && drive.present ? SR_BSY : drive.status;
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
      for (const drive of this.#drives) drive.abandon();
      this.#setIntrq(false);
    } else {
      for (const drive of this.#drives) drive.softReset();
      this.#selected = 0;
    }
  }

  #execute(opcode: number): void {
    this.#setIntrq(false);
    if (this.#isEmpty()) return;
    if (this.#isHeld()) return this.#guestError(opcode, "the drive is busy");
    if (opcode === EXECUTE_DEVICE_DIAGNOSTIC && !this.#isBusy()) this.#diagnose();
    else this.#drive().execute(opcode);
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
      this.#drive().data.readString(size, into);
    } else if (size === 1) {
      for (let i = 0; i < into.length; i++) into[i] = this.#readRegister(offset);
    } else {
      into.fill(0xff);
    }
  }

  #writeString(offset: number, size: AccessSize, from: Uint8Array): void {
    if (offset === REG_DATA) this.#drive().data.writeString(size, from);
    else if (size === 1) { for (const byte of from) this.#writeRegister(offset, byte); }
  }

  #guestError(opcode: number, what: string): void {
    this.cable.errors.guestError("ide", `Command ${hex(opcode, 2)}: ${what}`);
  }
}
