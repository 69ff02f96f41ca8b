/**
 * What a channel and the drives on its cable are to each other. Disk and packet drives both fit.
 * Source: ATA/ATAPI-7 (T13/1532D) vol. 1 §5, vol. 2 §7.
 * @module
 */

import type { AccessSize, GuestErrors } from "../../core/types.ts";
import type { BusMaster } from "./bus_master.ts";
import { Taskfile } from "./taskfile.ts";

/** Port 0 of the command block: the words of a data block while DRQ is set. */
export interface DataPort {
  /** Answers IN. */
  read(size: AccessSize): number;
  /** Takes OUT. */
  write(size: AccessSize, value: number): void;
  /** As `into.length / size` reads. */
  readString(size: AccessSize, into: Uint8Array): void;
  /** As `from.length / size` writes. */
  writeString(size: AccessSize, from: Uint8Array): void;
}

/** What the drives of a channel share: its bus master, its interrupt, its books of mistakes. */
export interface Cable {
  readonly busMaster: BusMaster;
  readonly errors: GuestErrors;
  /**
   * Disk requests that outlive the command they were for. While there are any, both drives are
   * busy: the bus master still has their descriptors.
   */
  draining: number;
  /** An event that a drive tells the host of. With nIEN set it leaves no trace. */
  interrupt(): void;
}

/**
 * One position on the cable. The channel has seen to it that no register write and no command but
 * those a drive must take while it is busy reach it then.
 */
export interface Drive {
  /** Something is plugged in there. */
  readonly present: boolean;
  /** Registers 1 to 6. The channel writes them on both drives of the cable. */
  readonly taskfile: Taskfile;
  readonly data: DataPort;
  /** Status without the BSY of a reset, which belongs to the channel. */
  readonly status: number;
  readonly error: number;
  /** Takes a command, also while it is busy: most are ignored then. INTRQ has been cleared. */
  execute(opcode: number): void;
  /** The host has set Start in the bus master. */
  tryDma(): void;
  /**
   * Drops the command in progress without a word to the host. What its disk has been given, the
   * disk finishes; {@link Cable.draining} counts it.
   */
  abandon(): void;
  /** To the state after power-on; no command is in progress. */
  powerOn(): void;
  /** The drive's part of SRST; no command is in progress. */
  softReset(): void;
  /** EXECUTE DEVICE DIAGNOSTIC: places the signature and the diagnostic result. */
  diagnose(): void;
}

const NO_DATA: DataPort = {
  read: () => 0,
  write: () => {},
  readString: (_size, into) => void into.fill(0),
  writeString: () => {},
};

/**
 * The lack of a drive. It keeps registers all the same: on real cable the drive that is there
 * answers for it, with a status of 0. Values as in QEMU.
 */
export class AbsentDrive implements Drive {
  readonly present = false;
  readonly taskfile: Taskfile = new Taskfile();
  readonly data: DataPort = NO_DATA;
  readonly status = 0;
  readonly error = 0;

  constructor() {
    this.diagnose();
  }

  execute(): void {}

  tryDma(): void {}

  abandon(): void {}

  powerOn(): void {
    this.diagnose();
  }

  softReset(): void {
    this.diagnose();
  }

  diagnose(): void {
    this.taskfile.setSignature(0xff, 0xff);
  }
}
