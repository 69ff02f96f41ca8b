/**
 * trapring as a library: a machine to boot, a comparison to run, and the records of both.
 * @module
 */

export { compareDisks } from "./cli/compare_disks.ts";
export type { CompareDisksOptions } from "./cli/compare_disks.ts";
export { compareLinux } from "./cli/compare_linux.ts";
export type { CompareLinuxOptions } from "./cli/compare_linux.ts";
export type { CompareHooks } from "./cli/compare_run.ts";
export type { CompareOutcome, CompareWorkload } from "./cli/compare_workload.ts";
export { GuestPanic, ImageError, InternalError, UsageError } from "./errors.ts";
export { loadBios } from "./load/bios.ts";
export { loadGuest } from "./load/detect.ts";
export type { LoadOptions } from "./load/detect.ts";
export type { FlatPlacement } from "./load/flat.ts";
export type { GuestFormat, GuestImage, GuestSegment, StartGdt } from "./load/image.ts";
export type { NamedFile } from "./load/initrd.ts";
export type * from "./machine/config.ts";
export type {
  DeviceExits,
  ExitReport,
  RequestKindRecord,
  RequestRecord,
  SiteRecord,
} from "./machine/exit_report.ts";
export { bootMachine } from "./machine/machine.ts";
export type { RunHooks } from "./machine/host_loop.ts";
export type { Machine } from "./machine/machine.ts";
export type { NamedBackend } from "./machine/drives.ts";
export type { Inspector } from "./machine/inspect.ts";
export type { Listed } from "./machine/listing.ts";
export type {
  InputSource,
  PortAccess,
  RecordedAccess,
  RecordedBytes,
  RecordedCommand,
  RecordedInput,
} from "./machine/replay.ts";
export {
  costPresets,
  cpuPresets,
  DEFAULT_COST,
  DEFAULT_CPU,
  DEFAULT_MEDIA,
  mediaPresets,
  memoryDisk,
  openDisk,
} from "./machine/storage.ts";
export type { OpenDiskOptions, ProcessorPreset } from "./machine/storage.ts";
export type {
  CompareInputs,
  CompareRecord,
  DiskOp,
  FileRecord,
  PathRecord,
} from "./report/compare.ts";
export { DISK_OPS } from "./report/compare.ts";
export type { DiskRecord, DiskSums } from "./report/disk_sums.ts";
export { DISK_PATHS } from "./report/phases.ts";
export type { DiskPath, Phase, PhaseRecorder, PhaseSource } from "./report/phases.ts";
export type { Profile } from "./cpu/cpuid.ts";
export type { CostPreset } from "./hypervisor/costs.ts";
export type { ExitSpread } from "./hypervisor/books/request_kinds.ts";
export type { RequestOp, RequestPath } from "./hypervisor/books/requests.ts";
export type { ServiceName, SERVICES } from "./hypervisor/books/tally.ts";
export type { ListStyle } from "./hypervisor/xenstore/ls.ts";
export type { Fault, FaultKind } from "../devices/disk/faulty.ts";
export type { MediaPreset, Spindle } from "../devices/disk/timed.ts";
export type { XenOffers } from "./hypervisor/xen_offers.ts";
export type { BlockSize } from "../devices/xen/blkback.ts";
export type { BlkbackOffers } from "../devices/xen/frontend_keys.ts";
export type { ScreenPlace, TextScreen } from "../devices/vga_text.ts";
export type * from "./types.ts";
