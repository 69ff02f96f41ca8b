/**
 * The targets by name.
 * @module
 */

import { CpuTarget } from "./cpu/target.ts";
import { DevicesTarget } from "./devices/target.ts";
import type { MakeTarget } from "./target.ts";
import { TiersTarget } from "./tiers/target.ts";
import { XenTarget } from "./xen/target.ts";

/** What `deno task fuzz NAME` knows. */
export const TARGETS: Readonly<Record<string, MakeTarget>> = {
  cpu: () => new CpuTarget(),
  devices: () => new DevicesTarget(),
  tiers: () => new TiersTarget(),
  xen: () => new XenTarget(),
};
