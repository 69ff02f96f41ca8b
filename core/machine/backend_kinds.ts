/**
 * What lies between a block backend and the medium, by the names that xl has for it.
 *
 * | kind | layers of dom0 below blkback | host cache |
 * |---|---|---|
 * | `phy` | block layer | none: the medium itself, as with O_DIRECT |
 * | `file` | block layer, loop device, page cache; for what misses the block layer again | page cache |
 * | `tap` | block layer, tapdisk with O_DIRECT and asynchronous I/O, block layer again | none |
 * | `qdisk` | no blkback but QEMU, page cache; for what misses the block layer | page cache |
 *
 * Source: man xl-disk-configuration; drivers/block/loop.c of Linux 6.1; blktap2 of Xen 4.2;
 * util/thread-pool.c of QEMU 7.2.
 * @module
 */

import { type ByteStore, PageCacheDisk } from "../../devices/disk/page_cache.ts";
import { ServedDisk } from "../../devices/disk/served.ts";
import type { CostPreset } from "../hypervisor/costs.ts";
import { type BackendKind, type Clock, type Disk, type Dom0, DOM0_COST } from "../types.ts";

/** What layers are made with. */
export interface LayerParts {
  readonly clock: Clock;
  readonly dom0: Dom0;
  readonly costs: CostPreset;
  /** Takes its time for what reaches it. */
  readonly medium: Disk;
  /** Moves bytes for a layer that has spent its own time. */
  readonly store: ByteStore;
}

/** `thread-pool-max`. */
const QEMU_THREADS = 64;

type Layer = (parts: LayerParts, inner: Disk) => Disk;

/** By kind, from blkback down. */
const LAYERS: Readonly<Record<BackendKind, readonly Layer[]>> = {
  phy: [blockLayer],
  file: [blockLayer, loopDevice, pageCache(1), blockLayer],
  tap: [blockLayer, tapdisk, blockLayer],
  qdisk: [qemu, pageCache(QEMU_THREADS), blockLayer],
};

/** The disk that a backend of a kind has. */
export function layered(kind: BackendKind, parts: LayerParts): Disk {
  return LAYERS[kind].reduceRight((inner, layer) => layer(parts, inner), parts.medium);
}

function blockLayer({ dom0, costs }: LayerParts, inner: Disk): Disk {
  const { blockSubmit: submit, blockComplete: complete } = costs;
  return new ServedDisk(dom0, inner, { kind: DOM0_COST.blockLayer, submit, complete });
}

function loopDevice({ dom0, costs }: LayerParts, inner: Disk): Disk {
  const { loopSubmit: submit, loopComplete: complete } = costs;
  return new ServedDisk(dom0, inner, { kind: DOM0_COST.loop, submit, complete });
}

function pageCache(threads: number): Layer {
  return ({ clock, dom0, costs, store }, medium) => {
    const copyPage = costs.pageCacheCopy;
    return new PageCacheDisk({ clock, dom0, medium, store, copyPage, threads });
  };
}

function qemu({ dom0, costs }: LayerParts, inner: Disk): Disk {
  const { qdiskSubmit: submit, qdiskComplete: complete } = costs;
  return new ServedDisk(dom0, inner, { kind: DOM0_COST.qdisk, submit, complete });
}

function tapdisk({ dom0, costs }: LayerParts, inner: Disk): Disk {
  const { tapdiskSubmit: submit, tapdiskComplete: complete } = costs;
  return new ServedDisk(dom0, inner, { kind: DOM0_COST.tapdisk, submit, complete });
}
