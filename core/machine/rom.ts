/**
 * A BIOS from an image: it is code like any other, so that nothing is to be served.
 * @module
 */

import type { BiosTraps } from "../hypervisor/hypervisor_parts.ts";

/** What a machine with a BIOS image has in place of the built-in services. */
export class RomBios implements BiosTraps {
  covers(): boolean {
    return false;
  }

  call(): void {}
}
