/**
 * Xen's public headers as witnesses of what lies where in the structures that guests share with us,
 * and of the numbers that both sides know.
 * @module
 */

import { assertEquals } from "@std/assert";
import { dirname } from "@std/path";
import { RUNSTATE, XENTRACE_EVENT } from "../../core/debug/xentrace.ts";
import { CONSOLEIO } from "../../core/hypervisor/hypercalls/console_io.ts";
import { DOMID_SELF } from "../../core/hypervisor/domid.ts";
import { ERRNO } from "../../core/hypervisor/hypercalls/errno.ts";
import { EVTCHN, EVTCHNOP } from "../../core/hypervisor/events/event_channel_op.ts";
import { CHANNEL_STATUS } from "../../core/hypervisor/events/event_channel.ts";
import * as grants from "../../core/hypervisor/grants/entry.ts";
import { XENMAPIDX_GRANT_TABLE_STATUS } from "../../core/hypervisor/grants/frames.ts";
import * as gnttab from "../../core/hypervisor/grants/structs.ts";
import { EVTCHN_FIFO, EVTCHN_FIFO_CONTROL_BLOCK } from "../../core/hypervisor/events/fifo.ts";
import { EVTCHN_FIFO_PRIORITY } from "../../core/hypervisor/events/fifo.ts";
import { HVMOP, XEN_HVM_EVTCHN_UPCALL_VECTOR } from "../../core/hypervisor/hypercalls/hvm_op.ts";
import { XEN_HVM_PARAM } from "../../core/hypervisor/hypercalls/hvm_op.ts";
import { HVM_PARAM, HVM_PARAM_COUNT } from "../../core/hypervisor/hypercalls/hvm_params.ts";
import { HYPERCALLS } from "../../core/hypervisor/hypercalls/hypercall.ts";
import { MULTICALL_ENTRY } from "../../core/hypervisor/hypercalls/multicall.ts";
import {
  IOREQ_BYTES,
  IOREQ_FLAG,
  IOREQ_STATE,
  IOREQ_TYPE,
  IOREQ_WORD,
} from "../../core/hypervisor/ioreq.ts";
import {
  XEN_ADD_TO_PHYSMAP,
  XEN_ADD_TO_PHYSMAP_BATCH,
  XEN_REMOVE_FROM_PHYSMAP,
  XENMAPSPACE,
} from "../../core/hypervisor/hypercalls/add_to_physmap.ts";
import {
  XEN_MEMORY_MAP,
  XEN_MEMORY_RESERVATION,
  XENMEM,
} from "../../core/hypervisor/hypercalls/memory_op.ts";
import {
  SCHED_POLL,
  SCHED_REMOTE_SHUTDOWN,
  SCHED_SHUTDOWN,
  SCHED_WATCHDOG,
  SCHEDOP,
  SHUTDOWN_REASONS,
} from "../../core/hypervisor/hypercalls/sched_op.ts";
import { VCPU_TIME } from "../../core/hypervisor/pvclock.ts";
import { SHARED_INFO, VCPU_INFO } from "../../core/hypervisor/shared_info.ts";
import { XEN_HVM_CPUID } from "../../core/hypervisor/xen_cpuid.ts";
import { VCPU_RUNSTATE_INFO } from "../../core/hypervisor/runstate.ts";
import {
  VCPU_REGISTER_AREA_SIZE,
  VCPU_REGISTER_VCPU_INFO,
  VCPUOP,
} from "../../core/hypervisor/hypercalls/vcpu_op.ts";
import {
  VCPU_SET_PERIODIC_TIMER,
  VCPU_SET_SINGLESHOT_TIMER,
  VCPU_SSHOTTMR_FUTURE,
} from "../../core/hypervisor/vcpu_timers.ts";
import { VMASST_CMD, VMASST_TYPE } from "../../core/hypervisor/hypercalls/vm_assist.ts";
import {
  XEN_COMPILE_INFO,
  XEN_FEATURE_INFO,
  XENFEAT,
  XENVER,
} from "../../core/hypervisor/hypercalls/xen_version.ts";
import { XS_RING, XS_RING_BYTES, XS_RING_ERROR } from "../../core/hypervisor/xenstore/ring.ts";
import { XS, XS_PAYLOAD_MAX, XSD_SOCKMSG } from "../../core/hypervisor/xenstore/wire.ts";
import { HVM_INFO_TABLE } from "../../core/load/hvmloader.ts";
import { HVM_MEMMAP_TABLE_ENTRY, HVM_MODLIST_ENTRY, HVM_START_INFO } from "../../core/load/pvh.ts";
import {
  BLKIF_OP,
  BLKIF_RSP,
  type BlkifLayout,
  DISCARD_SECURE,
  I386,
  LAYOUTS as BLKIF_LAYOUTS,
  MAX_SEGMENTS,
  REQUEST,
  RESPONSE,
  SEGMENT,
  VDISK,
  X86_64,
} from "../../devices/xen/blkif.ts";
import { XENBUS_STATE } from "../../devices/xen/xenbus.ts";
import { SRING } from "../../devices/xen/ring.ts";
import { type Abi, compilerFault, valuesOf } from "../helpers/xen_headers.ts";
import { stockFile } from "./kit.ts";

/** Numbers by name. */
type Table = Readonly<Record<string, number>>;

/** A structure of ours and Xen's name for it. */
interface Layout {
  readonly ours: Table;
  readonly type: string;
  /** Fields that are not named as ours are, in small letters. */
  readonly fields?: Readonly<Record<string, string>>;
  /** Where the layout holds: on both unless given. */
  readonly abis?: readonly Abi[];
}

const BOTH: readonly Abi[] = ["-m32", "-m64"];
const ONLY_I386: readonly Abi[] = ["-m32"];

const LAYOUTS: readonly Layout[] = [
  {
    ours: SHARED_INFO,
    type: "struct shared_info",
    fields: { WC_SEC_HI: "xen_wc_sec_hi" },
    abis: ONLY_I386,
  },
  {
    ours: VCPU_INFO,
    type: "struct vcpu_info",
    fields: {
      UPCALL_PENDING: "evtchn_upcall_pending",
      UPCALL_MASK: "evtchn_upcall_mask",
      PENDING_SEL: "evtchn_pending_sel",
    },
    abis: ONLY_I386,
  },
  { ours: VCPU_TIME, type: "struct vcpu_time_info" },
  { ours: VCPU_RUNSTATE_INFO, type: "struct vcpu_runstate_info", abis: ONLY_I386 },
  { ours: VCPU_REGISTER_VCPU_INFO, type: "struct vcpu_register_vcpu_info" },
  { ours: VCPU_SET_SINGLESHOT_TIMER, type: "struct vcpu_set_singleshot_timer", abis: ONLY_I386 },
  {
    ours: { SIZE: VCPU_REGISTER_AREA_SIZE },
    type: "struct vcpu_register_runstate_memory_area",
  },
  { ours: { SIZE: VCPU_REGISTER_AREA_SIZE }, type: "struct vcpu_register_time_memory_area" },
  { ours: VCPU_SET_PERIODIC_TIMER, type: "struct vcpu_set_periodic_timer" },
  { ours: SCHED_SHUTDOWN, type: "struct sched_shutdown" },
  { ours: SCHED_REMOTE_SHUTDOWN, type: "struct sched_remote_shutdown" },
  { ours: SCHED_WATCHDOG, type: "struct sched_watchdog" },
  { ours: SCHED_POLL, type: "struct sched_poll", abis: ONLY_I386 },
  {
    ours: XEN_ADD_TO_PHYSMAP,
    type: "struct xen_add_to_physmap",
    fields: { SIZE_OF_RANGE: "size" },
    abis: ONLY_I386,
  },
  {
    ours: XEN_ADD_TO_PHYSMAP_BATCH,
    type: "struct xen_add_to_physmap_batch",
    fields: { SIZE_OF_BATCH: "size", FOREIGN_DOMID: "u.foreign_domid" },
    abis: ONLY_I386,
  },
  { ours: XEN_MEMORY_RESERVATION, type: "struct xen_memory_reservation", abis: ONLY_I386 },
  { ours: XEN_MEMORY_MAP, type: "struct xen_memory_map", abis: ONLY_I386 },
  { ours: XEN_REMOVE_FROM_PHYSMAP, type: "struct xen_remove_from_physmap", abis: ONLY_I386 },
  { ours: MULTICALL_ENTRY, type: "struct multicall_entry", abis: ONLY_I386 },
  { ours: XEN_HVM_PARAM, type: "struct xen_hvm_param" },
  { ours: XEN_HVM_EVTCHN_UPCALL_VECTOR, type: "struct xen_hvm_evtchn_upcall_vector" },
  { ours: EVTCHN_FIFO_CONTROL_BLOCK, type: "struct evtchn_fifo_control_block" },
  { ours: XEN_FEATURE_INFO, type: "struct xen_feature_info" },
  { ours: XEN_COMPILE_INFO, type: "struct xen_compile_info" },
  { ours: grants.GRANT_ENTRY, type: "struct grant_entry_v1" },
  {
    ours: grants.GRANT_ENTRY_V2,
    type: "union grant_entry_v2",
    fields: {
      FLAGS: "hdr.flags",
      DOMID: "hdr.domid",
      FRAME: "full_page.frame",
      SUB_PAGE_OFF: "sub_page.page_off",
      SUB_PAGE_LENGTH: "sub_page.length",
      TRANS_DOMID: "transitive.trans_domid",
      TRANS_GREF: "transitive.gref",
    },
  },
  { ours: { SIZE: grants.GRANT_STATUS_BYTES }, type: "grant_status_t" },
  { ours: gnttab.GNTTAB_MAP_GRANT_REF, type: "struct gnttab_map_grant_ref" },
  { ours: gnttab.GNTTAB_UNMAP_GRANT_REF, type: "struct gnttab_unmap_grant_ref" },
  { ours: gnttab.GNTTAB_SETUP_TABLE, type: "struct gnttab_setup_table", abis: ONLY_I386 },
  { ours: gnttab.GNTTAB_COPY, type: "struct gnttab_copy", abis: ONLY_I386 },
  { ours: gnttab.GNTTAB_COPY_PTR, type: "struct gnttab_copy_ptr", abis: ONLY_I386 },
  { ours: gnttab.GNTTAB_QUERY_SIZE, type: "struct gnttab_query_size" },
  { ours: gnttab.GNTTAB_SET_VERSION, type: "struct gnttab_set_version" },
  { ours: gnttab.GNTTAB_GET_VERSION, type: "struct gnttab_get_version" },
  { ours: gnttab.GNTTAB_SWAP_GRANT_REF, type: "struct gnttab_swap_grant_ref" },
  ...Object.entries(EVTCHN).filter(([name]) => name !== "STATUS")
    .map(([name, ours]) => ({ ours, type: `struct evtchn_${name.toLowerCase()}` })),
  {
    ours: EVTCHN.STATUS,
    type: "struct evtchn_status",
    fields: {
      UNBOUND_DOM: "u.unbound.dom",
      INTERDOMAIN_DOM: "u.interdomain.dom",
      INTERDOMAIN_PORT: "u.interdomain.port",
      VIRQ: "u.virq",
    },
  },
  { ours: XSD_SOCKMSG, type: "struct xsd_sockmsg" },
  { ours: XS_RING, type: "struct xenstore_domain_interface" },
  { ours: SRING, type: "struct blkif_sring" },
  { ours: SEGMENT, type: "struct blkif_request_segment" },
  ...blkifLayouts(I386, "-m32"),
  ...blkifLayouts(X86_64, "-m64"),
  {
    ours: { ...byteOffsets(IOREQ_WORD), SIZE: IOREQ_BYTES },
    type: "struct ioreq",
    fields: { FLAGS: "_pad0" },
  },
  { ours: HVM_INFO_TABLE, type: "struct hvm_info_table" },
  { ours: HVM_START_INFO, type: "struct hvm_start_info" },
  { ours: HVM_MODLIST_ENTRY, type: "struct hvm_modlist_entry", fields: { LENGTH: "size" } },
  {
    ours: HVM_MEMMAP_TABLE_ENTRY,
    type: "struct hvm_memmap_table_entry",
    fields: { LENGTH: "size" },
  },
];

/** Requests, responses and the entries of a ring, which have room for either. */
function blkifLayouts(layout: BlkifLayout, abi: Abi): Layout[] {
  const { OPERATION, NR_SEGMENTS, HANDLE, FLAG, INDIRECT_OP } = REQUEST;
  const { ID, SECTOR_NUMBER, SEG, NR_SECTORS, INDIRECT_HANDLE, INDIRECT_GREFS, SIZE } = layout;
  const common = { OPERATION, ID, SECTOR_NUMBER };
  const indirect = { NR_SEGMENTS: REQUEST.INDIRECT_NR_SEGMENTS, HANDLE: INDIRECT_HANDLE };
  const { PAD: _, ...response } = { ...RESPONSE, SIZE: layout.RESPONSE_SIZE };
  const abis = [abi];
  return [
    { ours: { ...common, NR_SEGMENTS, HANDLE, SEG, SIZE }, type: "struct blkif_request", abis },
    { ours: { ...common, FLAG, NR_SECTORS }, type: "struct blkif_request_discard", abis },
    {
      ours: { ...common, ...indirect, INDIRECT_OP, INDIRECT_GREFS },
      type: "struct blkif_request_indirect",
      abis,
    },
    { ours: response, type: "struct blkif_response", abis },
    { ours: { SIZE }, type: "union blkif_sring_entry", abis },
  ];
}

/** Tables whose names stand before Xen's, which are in small letters. */
function prefixed(tables: Readonly<Record<string, Table>>): Numbers[] {
  return Object.entries(tables)
    .map(([prefix, ours]) => ({ ours, theirs: (name) => `${prefix}_${name.toLowerCase()}` }));
}

/** Values of the error field, by our names. */
const XS_ERRORS: Readonly<Record<string, string>> = {
  NONE: "NONE",
  RING_INDEX: "RINGIDX",
  PROTOCOL: "PROTO",
};

/** What sets our bits of the word in which an ioreq has its flags. */
const IOREQ_BITS: Readonly<Record<string, string>> = {
  STATE: "r.state = 15",
  DATA_IS_PTR: "r.data_is_ptr = 1",
  READ: "r.dir = 1",
  DESCENDING: "r.df = 1",
};

/** Numbers of ours and how Xen spells them. */
interface Numbers {
  readonly ours: Table;
  /** A C expression. */
  readonly theirs: (name: string) => string;
}

const NUMBERS: readonly Numbers[] = [
  { ours: ERRNO, theirs: (name) => `XEN_${name}` },
  { ours: { DOMID_SELF, HVM_NR_PARAMS: HVM_PARAM_COUNT }, theirs: (name) => name },
  { ours: HVM_PARAM, theirs: (name) => `HVM_PARAM_${name}` },
  { ours: numbered(HYPERCALLS), theirs: (name) => `__HYPERVISOR_${name}` },
  ...prefixed({ GNTTABOP: gnttab.GNTTABOP, GNTST: grants.GNTST, GNTMAP: gnttab.GNTMAP }),
  ...prefixed({ GNTCOPY: gnttab.GNTCOPY }),
  ...prefixed({ EVTCHNOP, HVMOP, RUNSTATE, SCHEDOP, VCPUOP }),
  ...prefixed({ XENMAPSPACE, XENMEM, XENVER }),
  ...prefixed({ CONSOLEIO, VMASST_CMD, VMASST_TYPE, XENFEAT }),
  { ours: { VCPU_SSHOTTMR_FUTURE }, theirs: () => "VCPU_SSHOTTMR_future" },
  { ours: EVTCHN_FIFO, theirs: (name) => `EVTCHN_FIFO_${name}` },
  { ours: EVTCHN_FIFO_PRIORITY, theirs: (name) => `EVTCHN_FIFO_PRIORITY_${name}` },
  { ours: XEN_HVM_CPUID, theirs: (name) => `XEN_HVM_CPUID_${name}` },
  { ours: XENTRACE_EVENT, theirs: (name) => `TRC_${name}` },
  { ours: numbered(SHUTDOWN_REASONS), theirs: (name) => `SHUTDOWN_${name}` },
  { ours: CHANNEL_STATUS, theirs: (name) => `EVTCHNSTAT_${name}` },
  {
    ours: {
      type_mask: grants.GTF_TYPE_MASK,
      permit_access: grants.GTF_PERMIT_ACCESS,
      readonly: grants.GTF_READONLY,
      reading: grants.GTF_READING,
      writing: grants.GTF_WRITING,
      transitive: grants.GTF_TRANSITIVE,
      sub_page: grants.GTF_SUB_PAGE,
    },
    theirs: (name) => `GTF_${name}`,
  },
  {
    ours: {
      GNTTAB_NR_RESERVED_ENTRIES: grants.RESERVED_ENTRIES,
      XENMAPIDX_grant_table_status: XENMAPIDX_GRANT_TABLE_STATUS,
    },
    theirs: (name) => name,
  },
  { ours: BLKIF_OP, theirs: (name) => `BLKIF_OP_${name}` },
  { ours: BLKIF_RSP, theirs: (name) => `BLKIF_RSP_${name}` },
  { ours: VDISK, theirs: (name) => `VDISK_${name}` },
  {
    ours: {
      BLKIF_DISCARD_SECURE: DISCARD_SECURE,
      BLKIF_MAX_SEGMENTS_PER_REQUEST: MAX_SEGMENTS,
    },
    theirs: (name) => name,
  },
  {
    ours: Object.fromEntries([...BLKIF_LAYOUTS.keys()].map((key) => [key, 0])),
    theirs: (key) => `strcmp("${key}", XEN_IO_PROTO_ABI_${key.replace("-abi", "").toUpperCase()})`,
  },
  { ours: XENBUS_STATE, theirs: (name) => `XenbusState${pascal(name)}` },
  { ours: XS, theirs: (name) => `XS_${name}` },
  {
    ours: { XENSTORE_RING_SIZE: XS_RING_BYTES, XENSTORE_PAYLOAD_MAX: XS_PAYLOAD_MAX },
    theirs: (name) => name,
  },
  { ours: XS_RING_ERROR, theirs: (name) => `XENSTORE_ERROR_${XS_ERRORS[name]}` },
  {
    ours: IOREQ_STATE,
    theirs: (name) => name === "RESP_READY" ? "STATE_IORESP_READY" : `STATE_IOREQ_${name}`,
  },
  { ours: IOREQ_TYPE, theirs: (name) => `IOREQ_TYPE_${name}` },
  { ours: IOREQ_FLAG, theirs: (name) => ioreqWord(IOREQ_BITS[name]!) },
];

const include = stockFile("libxen-dev", "usr/include/xen/xen.h");

for (const abi of BOTH) {
  const fault = compilerFault(abi);
  if (fault !== undefined) console.log(`Xen's layouts for ${abi} are not checked: ${fault}`);
  const ignore = include === undefined || fault !== undefined;
  const check = (expected: Table) => checkAgainst(abi, expected);
  Deno.test({
    name: `structures lie as gcc ${abi} lays out those of Xen's headers`,
    ignore,
    fn: () => check(Object.assign({}, ...layoutsOf(abi))),
  });
  Deno.test({
    name: `numbers are those of Xen's headers with gcc ${abi}`,
    ignore,
    fn: () => check(Object.assign({}, ...NUMBERS.map(expressionsOf))),
  });
}

/** @param expected our numbers, by C expressions that ought to have them */
async function checkAgainst(abi: Abi, expected: Table): Promise<void> {
  const expressions = Object.keys(expected);
  const values = await valuesOf(expressions, abi, dirname(dirname(include!)));
  const theirs = Object.fromEntries(expressions.map((text, i) => [text, values[i]]));
  assertEquals({ ...expected }, theirs);
}

function layoutsOf(abi: Abi): Table[] {
  return LAYOUTS.filter(({ abis = BOTH }) => abis.includes(abi))
    .map(({ ours, type, fields }) =>
      rekeyed(ours, (name) => {
        const field = fields?.[name] ?? name.toLowerCase();
        return name === "SIZE" ? `sizeof(${type})` : `offsetof(${type}, ${field})`;
      })
    );
}

function expressionsOf({ ours, theirs }: Numbers): Table {
  return rekeyed(ours, theirs);
}

function rekeyed(table: Table, key: (name: string) => string): Table {
  return Object.fromEntries(Object.entries(table).map(([name, value]) => [key(name), value]));
}

function byteOffsets(words: Table): Table {
  return Object.fromEntries(Object.entries(words).map(([name, word]) => [name, word * 4]));
}

/** Numbers by name, of names by number. */
function numbered(names: Readonly<Record<number, string>>): Table {
  return Object.fromEntries(Object.entries(names).map(([number, name]) => [name, Number(number)]));
}

/** `InitWait` of `INIT_WAIT`. */
function pascal(name: string): string {
  return name.split("_").map((word) => word.charAt(0) + word.slice(1).toLowerCase()).join("");
}

/** The word with the flags of an ioreq that is zero but for one assignment. */
function ioreqWord(assignment: string): string {
  const at = "sizeof(r) / 4 - 1";
  return `({ struct ioreq r = {}; ${assignment}; ((const uint32_t *)&r)[${at}]; })`;
}
