/**
 * What a block backend checks about a request, its grants apart: first what the request itself
 * says, then, when the segments are known, where they lie.
 * @module
 */

import { BLKIF_OP, BLKIF_RSP, MAX_INDIRECT_SEGMENTS, MAX_SEGMENTS } from "./blkif.ts";
import { type BlkifRequest, NO_SECTORS } from "./blkif_request.ts";

/** Why a request gets no service. */
export interface Refusal {
  readonly status: number;
  readonly text: string;
}

/** What a backend offers. */
export interface BlkifLimits {
  readonly sectorCount: number;
  /** 512-byte sectors of a logical block. */
  readonly blockSectors: number;
  readonly readOnly: boolean;
  readonly indirect: boolean;
  readonly canDiscard: boolean;
}

const UNSUPPORTED: Refusal = { status: BLKIF_RSP.EOPNOTSUPP, text: "operation not supported" };
const SECURE: Refusal = { status: BLKIF_RSP.EOPNOTSUPP, text: "secure discard not supported" };
const BAD_INDIRECT: Refusal = refusal("indirect operation is neither read nor write");
const TOO_MANY: Refusal = refusal(`more than ${MAX_SEGMENTS} segments`);
const TOO_MANY_INDIRECT: Refusal = refusal(`more than ${MAX_INDIRECT_SEGMENTS} indirect segments`);
const NO_SEGMENTS: Refusal = refusal("no segments");
const BAD_SEGMENT: Refusal = refusal("segment outside its page");
const WRITE_PROTECTED: Refusal = refusal("write to a read-only disk");
const UNALIGNED: Refusal = refusal("not aligned to the logical block");
const PAST_END: Refusal = refusal("sectors past the end of the disk");

function refusal(text: string): Refusal {
  return { status: BLKIF_RSP.ERROR, text };
}

/**
 * Checks what a request itself says.
 * @returns why it must be refused, `undefined` if its segments may be looked at
 */
export function refusalOf(request: BlkifRequest, limits: BlkifLimits): Refusal | undefined {
  switch (request.operation) {
    case BLKIF_OP.READ:
      return badCount(request) ?? empty(request);
    case BLKIF_OP.WRITE:
      return badCount(request) ?? empty(request) ?? writeProtected(limits);
    case BLKIF_OP.WRITE_BARRIER:
    case BLKIF_OP.FLUSH_DISKCACHE:
      return request.segmentCount === 0 ? undefined : badCount(request) ?? writeProtected(limits);
    case BLKIF_OP.INDIRECT:
      return badIndirect(request, limits);
    case BLKIF_OP.DISCARD:
      return writeProtected(limits);
    default:
      return UNSUPPORTED;
  }
}

/**
 * Checks where the data of a request lies, in its pages and on the disk.
 * @returns why it must be refused, `undefined` if it may be served
 */
export function rangeRefusalOf(
  request: BlkifRequest,
  { sectorCount, blockSectors, canDiscard }: BlkifLimits,
): Refusal | undefined {
  const { sectors } = request;
  const isDiscard = request.operation === BLKIF_OP.DISCARD;
  if (sectors === NO_SECTORS) return BAD_SEGMENT;
  if (sectors === 0 && !isDiscard) return undefined;
  if (request.sector + sectors > sectorCount) return PAST_END;
  if (isDiscard && !canDiscard) return UNSUPPORTED;
  if (isDiscard && request.secure) return SECURE;
  const isAligned = request.sector % blockSectors === 0 && request.granule % blockSectors === 0;
  return isAligned ? undefined : UNALIGNED;
}

function badCount({ segmentCount }: BlkifRequest): Refusal | undefined {
  return segmentCount > MAX_SEGMENTS ? TOO_MANY : undefined;
}

function empty({ segmentCount }: BlkifRequest): Refusal | undefined {
  return segmentCount === 0 ? NO_SEGMENTS : undefined;
}

function writeProtected({ readOnly }: BlkifLimits): Refusal | undefined {
  return readOnly ? WRITE_PROTECTED : undefined;
}

function badIndirect(request: BlkifRequest, limits: BlkifLimits): Refusal | undefined {
  if (!limits.indirect) return UNSUPPORTED;
  const { dataOperation, segmentCount } = request;
  if (dataOperation !== BLKIF_OP.READ && dataOperation !== BLKIF_OP.WRITE) return BAD_INDIRECT;
  if (segmentCount > MAX_INDIRECT_SEGMENTS) return TOO_MANY_INDIRECT;
  return empty(request) ??
    (dataOperation === BLKIF_OP.WRITE ? writeProtected(limits) : undefined);
}
