/**
 * A CD-ROM drive on an IDE channel: its registers, and the few ATA commands that it takes besides
 * PACKET.
 * Source: ATA/ATAPI-7 (T13/1532D) vol. 1 §6 (IDENTIFY PACKET DEVICE: §6.17), vol. 2 §11.8; values as
 * QEMU 7.2's drive answers them.
 * @module
 */

import { hex } from "../../core/bits.ts";
import type { Disk } from "../../core/types.ts";
import { CD_ROM } from "./atapi_pages.ts";
import { PacketRunner } from "./atapi_runner.ts";
import { CdUnit } from "./atapi_unit.ts";
import { setTransferMode } from "./commands.ts";
import type { Cable, DataPort, Drive } from "./drive.ts";
import type { DriveIdentity, IdentifiedDrive, IdentifyWords } from "./identify.ts";
import { BUFFER, DEFAULT_TRANSFER_MODE, fillWords, selected } from "./identify.ts";
import {
  DIAGNOSTIC_PASSED,
  ER_ABRT,
  REG_DEVICE,
  SR_BSY,
  SR_DRDY,
  SR_DRQ,
  SR_ERR,
  SR_IDLE,
  Taskfile,
} from "./taskfile.ts";

const SET_TRANSFER_MODE = 0x03;

const DEVICE_RESET = 0x08;
const PACKET = 0xa0;
const IDENTIFY_PACKET_DEVICE = 0xa1;

const WORDS: IdentifyWords<IdentifiedDrive> = [
  [0, 0x85c0], // ATAPI, CD-ROM, removable, DRQ within 50 µs and without INTRQ, 12-byte packets
  BUFFER,
  [48, 0x0001, 0x0300], // 32-bit data port access; LBA, DMA
  [53, 0x0007], // words 64-70 and 88 are valid
  [62, (d) => 0x0007 | selected(d, 0x10)], // single-word DMA 0-2
  [63, (d) => 0x0007 | selected(d, 0x20)], // multiword DMA 0-2
  [64, 0x0003, 180, 180, 300, 180], // PIO 3 and 4; cycle times in ns
  [71, 30, 30], // ns from PACKET and from SERVICE to bus release
  [80, 0x001e], // ATA-1 to ATA-4
  [88, (d) => 0x003f | selected(d, 0x40)], // Ultra DMA 0-5
];

const SIGNATURE = [0x14, 0xeb] as const;

/** What the drive does without a data phase, by opcode. Returns the Error register. */
const NON_DATA: Readonly<Record<number, (drive: AtapiDrive) => number>> = {
  0x20: showSignature, // READ SECTORS
  0xec: showSignature, // IDENTIFY DEVICE
  0xe0: () => 0, // STANDBY IMMEDIATE
  0xe1: () => 0, // IDLE IMMEDIATE
  0xe2: () => 0, // STANDBY
  0xe3: () => 0, // IDLE
  0xe5: checkPower,
  0xe6: () => 0, // SLEEP
  0xef: setFeatures,
};

/** A command for disks: drivers find out by its end what they talk to. */
function showSignature({ taskfile }: AtapiDrive): number {
  const device = taskfile.read(REG_DEVICE, false);
  taskfile.setSignature(...SIGNATURE);
  taskfile.write(REG_DEVICE, device & 0xf0);
  return ER_ABRT;
}

function checkPower({ taskfile }: AtapiDrive): number {
  taskfile.count = 0xff; // active
  return 0;
}

function setFeatures(drive: AtapiDrive): number {
  return drive.taskfile.features === SET_TRANSFER_MODE ? setTransferMode(drive) : ER_ABRT;
}

/** A CD-ROM drive, as an ATAPI device. */
export class AtapiDrive implements Drive, IdentifiedDrive {
  readonly present = true;
  readonly taskfile: Taskfile = new Taskfile();
  readonly data: DataPort;
  readonly identity: DriveIdentity;
  /** What stands behind the interface. */
  readonly unit: CdUnit;
  status = 0;
  error: number = DIAGNOSTIC_PASSED;
  transferMode: number = DEFAULT_TRANSFER_MODE;
  readonly #cable: Cable;
  readonly #runner: PacketRunner;

  /** @param disk the disc: as many blocks of 2048 bytes as it has in full; with none, no disc */
  constructor(cable: Cable, disk: Disk, identity: DriveIdentity = CD_ROM) {
    this.#cable = cable;
    this.unit = new CdUnit(disk, identity);
    this.identity = identity;
    this.#runner = new PacketRunner(this, cable);
    this.data = this.#runner.block;
  }

  /** DEVICE RESET is the one command that ends another. */
  execute(opcode: number): void {
    if (opcode === DEVICE_RESET) {
      this.abandon();
      this.diagnose();
    } else if ((this.status & (SR_BSY | SR_DRQ)) !== 0) {
      this.#guestError(opcode, "the drive is busy");
    } else if (opcode === PACKET) {
      this.#runner.begin();
    } else if (opcode === IDENTIFY_PACKET_DEVICE) {
      this.#runner.identify((into) => fillWords(WORDS, this, into));
    } else {
      const run = NON_DATA[opcode];
      if (run === undefined) this.#guestError(opcode, "not supported");
      this.end(run === undefined ? ER_ABRT : run(this));
    }
  }

  /** Ends a command: status, interrupt. */
  end(error: number): void {
    this.error = error;
    this.status = error === 0 ? SR_IDLE : SR_DRDY | SR_ERR;
    this.#cable.interrupt();
  }

  tryDma(): void {
    this.#runner.tryDma();
  }

  abandon(): void {
    this.#runner.abandon();
  }

  powerOn(): void {
    this.unit.powerOn();
    this.softReset();
  }

  softReset(): void {
    this.transferMode = DEFAULT_TRANSFER_MODE;
    this.diagnose();
  }

  diagnose(): void {
    this.taskfile.setSignature(...SIGNATURE);
    this.error = DIAGNOSTIC_PASSED;
    this.status = 0;
  }

  #guestError(opcode: number, what: string): void {
    this.#cable.errors.guestError("ide", `Command ${hex(opcode, 2)}: ${what}`);
  }
}
