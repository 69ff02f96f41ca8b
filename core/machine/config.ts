/**
 * What a machine is made of and what a run of it gives back: plain records.
 * @module
 */

import type {
  BackendKind,
  BlockBackend,
  CostKind,
  Dom0CostKind,
  ExitObserver,
  Ns,
  VcpuState,
} from "../types.ts";
import type { ImageError } from "../errors.ts";
import type { Profile } from "../cpu/cpuid.ts";
import type { CostPreset } from "../hypervisor/costs.ts";
import type { XenOffers } from "../hypervisor/xen_offers.ts";
import type { GuestImage } from "../load/image.ts";
import type { Fault } from "../../devices/disk/faulty.ts";
import type { MediaPreset } from "../../devices/disk/timed.ts";
import type { BlockSize } from "../../devices/xen/blkback.ts";
import type { BlkbackOffers } from "../../devices/xen/frontend_keys.ts";
import type { ExitReport, RequestRecord } from "./exit_report.ts";
import type { RecordedInput } from "./replay.ts";

/**
 * The boards there are, by QEMU's names: `xenfv` shows the guest that it is a Xen domain, with a
 * platform device and block backends; `pc` is the same board, exits and books, with Xen hidden.
 */
export const MACHINE_TYPES = ["pc", "xenfv"] as const;

/** One of {@link MACHINE_TYPES}. */
export type MachineType = typeof MACHINE_TYPES[number];

/** What a machine can do when its guest asks for a reset, by QEMU's names. */
export const REBOOT_ACTIONS = ["reset", "shutdown"] as const;

/** One of {@link REBOOT_ACTIONS}. */
export type RebootAction = typeof REBOOT_ACTIONS[number];

/** The guest sees Xen. */
export function showsXen({ machine }: Pick<MachineConfig, "machine">): boolean {
  return machine !== "pc";
}

/** What guests and reports call the drives, by position on the IDE cables. */
export const DRIVE_NAMES: readonly string[] = ["hda", "hdb", "hdc", "hdd"];

/**
 * One drive. Unless told otherwise it is reachable on both paths: as hda to hdd on emulated IDE, and
 * by the same name (vbd 768, 832, 5632, 5696) over blkfront.
 */
export interface DiskConfig {
  /** Where its bytes are. */
  readonly backend: BlockBackend;
  /** How long they take. */
  readonly media: MediaPreset;
  /** Position, 0 to 3: masters are even, the secondary channel has 2 and 3. Else that in the list. */
  readonly index?: number;
  /** A disk unless given. */
  readonly kind?: "disk" | "cdrom";
  /** The one path to it, if not both; a CD-ROM is on IDE alone unless given. */
  readonly path?: "ide" | "xen" | "both";
  /** What it is called over blkfront, such as `"xvda"`: the name of its position unless given. */
  readonly vdev?: string;
  /** What is wrong with some of its sectors. */
  readonly faults?: readonly Fault[];
  /** What its block backend offers otherwise than by default. */
  readonly offers?: Partial<BlkbackOffers>;
  /** What stands behind its block backend; `phy` unless given. */
  readonly backendType?: BackendKind;
  /** Its blocks over blkfront; 512 bytes unless given. */
  readonly blockSize?: BlockSize;
}

/** A drive that comes over blkfront alone, under a name of its own. */
export type VbdConfig = Omit<DiskConfig, "index" | "path"> & { readonly vdev: string };

/** What xl can ask a guest for by its node control/shutdown. */
export const CONTROL_REQUESTS = ["poweroff", "halt", "reboot", "suspend"] as const;

/** One of {@link CONTROL_REQUESTS}. */
export type ControlRequest = typeof CONTROL_REQUESTS[number];

/**
 * What a user asks of the toolstack while the domain runs, by xl's names where it has one; and of
 * the machine itself, by QEMU's.
 */
export type ToolstackCommand =
  | { readonly verb: "system_powerdown" | "system_reset" }
  | {
    readonly verb: "shutdown";
    readonly request: ControlRequest;
    /** Without PV drivers in the guest: by the power button, or a reset. */
    readonly fallback: boolean;
    /** A guest that has suspended goes on as it was, as after `xl save -c`. */
    readonly checkpoint: boolean;
  }
  | { readonly verb: "sysrq"; readonly key: string }
  | { readonly verb: "block-attach"; readonly disk: VbdConfig }
  | { readonly verb: "block-detach"; readonly device: string; readonly force: boolean }
  /** The backend driver dies and starts again; `afresh` makes the frontend do so too. */
  | { readonly verb: "backend-restart"; readonly device: string; readonly afresh: boolean };

/**
 * Everything that decides what a machine does. The same config gives the same run, byte for byte.
 */
export interface MachineConfig {
  /** Whether the guest may see Xen; `xenfv` unless given. */
  readonly machine?: MachineType;
  /** What Xen offers otherwise than by default, where the guest may see it. */
  readonly xen?: Partial<XenOffers>;
  /** The processor; `i686` unless given. */
  readonly cpu?: Profile;
  /** Runs before a block of guest code is compiled, 0 = never; the guest sees no difference. */
  readonly heat?: number;
  /** What a reset does: the machine starts again, or the run ends, as it does unless given. */
  readonly reboot?: RebootAction;
  /** Guest RAM, a multiple of 64 KiB. */
  readonly ramBytes: number;
  /** What is placed into RAM and entered. */
  readonly guest: GuestImage;
  /** Option ROM of the video card, for a BIOS to run. */
  readonly vgaRom?: Uint8Array;
  /** A BIOS shows its screen on COM1, and takes keys from there. */
  readonly serialScreen?: boolean;
  /** On IDE at most four; every position, and every name, at most once. */
  readonly disks: readonly DiskConfig[];
  /** Prices of exits, hypercalls and everything else that takes virtual time. */
  readonly cost: CostPreset;
  /** Stops the run with reason `limit` after that many retired instructions. */
  readonly maxInsns?: number;
  /** Stops the run with reason `limit` at that virtual time. */
  readonly maxTime?: Ns;
  /** What the real-time clock shows at power-on, seconds since 1970; 2026-01-01 unless given. */
  readonly rtcBase?: number;
  /** Counts exits by guest instruction, too. */
  readonly exitSites?: boolean;
  /** Is told of every VM exit as it happens. */
  readonly observer?: ExitObserver;
  /** A disk request to which no further exit can belong. */
  readonly onRequest?: (request: RequestRecord) => void;
  /** What the host typed in an earlier run, to have it typed again at the same times. */
  readonly inputs?: readonly RecordedInput[];
  /** A byte sent by COM1. */
  readonly onSerialByte?: (byte: number) => void;
  /** A byte that a Xen guest has written to its PV console, hvc0. */
  readonly onXenConsoleByte?: (byte: number) => void;
  /** A byte written to the debug console, port 0xe9. */
  readonly onDebugByte?: (byte: number) => void;
  /** A byte that a BIOS writes to its log, port 0x402. */
  readonly onFirmwareByte?: (byte: number) => void;
  /** A block of guest code that has been decoded, as a listing: once, unless its page changes. */
  readonly onBlock?: (listing: readonly string[]) => void;
  /** The first failure of the host to read or write an image; the guest has an I/O error of it. */
  readonly onHostError?: (error: ImageError) => void;
  /** What the toolstack has to say some time after it was asked for something. */
  readonly onToolstack?: (line: string) => void;
  /** A message between the guest and xenstored, as a line of the daemon's trace. */
  readonly onStoreMessage?: (line: string) => void;
  /** A byte written to the POST port 0x80; costs the guest no time beyond the instruction. */
  readonly onMark?: (value: number, vcpu: VcpuState) => void;
}

/** Sums since power-on; subtract two snapshots to get a phase. */
export interface Counters {
  /** Virtual time; the sum of `books`. */
  readonly elapsedNs: Ns;
  /** Starts of the guest after the first, by resets. */
  readonly restarts: number;
  /** Instructions retired by the guest. */
  readonly instructions: number;
  /** vCPU time by what it was spent on. */
  readonly books: Readonly<Record<CostKind, Ns>>;
  /** dom0 time by what it was spent on; dom0 works beside the vCPU. */
  readonly dom0Books: Readonly<Record<Dom0CostKind, Ns>>;
  /** VM exits. */
  readonly exits: {
    readonly total: number;
    /** By name of {@link EXIT}; only those that happened. Keys sorted. */
    readonly byReason: Readonly<Record<string, number>>;
    /** By `"0x1f7:in"`, `"0x1f0:out"`; only those that happened. Keys sorted. */
    readonly byPort: Readonly<Record<string, number>>;
  };
  /** Items moved by port accesses: a `rep insw` of 256 words is one exit and 256 of these. */
  readonly portItems: number;
  /** Round trips to the device model. */
  readonly ioreqs: number;
  /** Hypercalls of the guest. */
  readonly hypercalls: {
    readonly total: number;
    readonly byName: Readonly<Record<string, number>>;
  };
  /** Ring notifications of both directions: sent, and held back by req_event/rsp_event. */
  readonly events: { readonly sent: number; readonly suppressed: number };
  /** Grant operations of dom0 on the guest's pages. */
  readonly grants: { readonly map: number; readonly unmap: number; readonly copy: number };
  /** Interrupts and upcalls injected. */
  readonly interrupts: number;
  /** Guest mistakes that got their architectural answer. */
  readonly guestErrors: number;
  /** What block backends have refused: by disk, then by reason; only what happened. Keys sorted. */
  readonly refusals: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Failures of the host to read, write or flush an image. */
  readonly hostErrors: number;
}

/** Why a run ended. */
export type StopReason = "power-off" | "guest-exit" | "guest-crash" | "limit" | "interrupted";

/** The end of a run. */
export interface RunResult {
  /** Why it ended. */
  readonly reason: StopReason;
  /**
   * Exit code for the shell, as `core/errors.ts` and QEMU's isa-debug-exit define it: that of an image
   * error when the host has failed to serve one, however the guest ended.
   */
  readonly code: number;
  /** One line, when there is something to say: which limit, where the guest crashed. */
  readonly message?: string;
  /** Several lines about a crash: registers, last exits. */
  readonly dump?: string;
  /** Everything counted since power-on. */
  readonly counters: Counters;
  /** The VM exits by device, by disk request, and by instruction if asked. */
  readonly exits: ExitReport;
}
