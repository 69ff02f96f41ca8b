/**
 * A store with something of all that `xenstore-ls` prints in its own way.
 * @module
 */

import { XenStore } from "../../core/hypervisor/xenstore/xenstore.ts";

/** Names and values of every kind: nested, shared, unprintable, too long for a line. */
export function storeForLs(): XenStore {
  const store = new XenStore();
  const dom0 = store.client();
  dom0.write("/local/domain/1", "");
  dom0.setPermissions("/local/domain/1", ["n0", "r1"]);
  dom0.write("/local/domain/1/name", "guest");
  dom0.write("/local/domain/1/device", "");
  dom0.setPermissions("/local/domain/1/device", ["b1", "w2", "r3", "n4"]);
  dom0.write("/local/domain/1/device/state", "4");
  dom0.write("/odd/bytes", 'a\tb\nc\rd\\e"f\x00' + "2\x07" + "1\x08\x1f\x7f\xff");
  dom0.write("/odd/long", "x".repeat(200));
  dom0.write(`/odd/${"n".repeat(90)}`, "v");
  return store;
}
