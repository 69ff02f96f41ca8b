import { assertEquals, assertThrows } from "@std/assert";
import { XenStore } from "../../../../core/hypervisor/xenstore/xenstore.ts";
import { StoreError } from "../../../../core/hypervisor/xenstore/access.ts";
import { storeForLs } from "../../../helpers/xenstore_ls.ts";

/** What xenstore-ls of Xen 4.17 prints of that store. */
const PLAIN = `
local = ""
 domain = ""
  1 = ""
   name = "guest"
   device = ""
    state = "4"
odd = ""
 bytes = "a\\tb\\nc\\rd\\\\e"f\\0002\\0071\\x08\\x1f\\x7f\\xff"
 long = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\\..."
 nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn = "\\..."
`;
const PERMISSIONS = `
local = "" . . . . . . . . . . . . . . . . . . . . . . . . .  (n0)
 domain = "" . . . . . . . . . . . . . . . . . . . . . . . .  (n0)
  1 = "" . . . . . . . . . . . . . . . . . . . . . . . . . .  (n0,r1)
   name = "guest"  . . . . . . . . . . . . . . . . . . . . .  (n0,r1)
   device = "" . . . . . . . . . . . . . . . . . . . . . . .  (b1,w2,r3,n4)
    state = "4"  . . . . . . . . . . . . . . . . . . . . . .  (b1,w2,r3,n4)
odd = "" . . . . . . . . . . . . . . . . . . . . . . . . . .  (n0)
 bytes = "a\\tb\\nc\\rd\\\\e"f\\0002\\0071\\x08\\x1f\\x7f\\xff" . . . .  (n0)
 long = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\\..."  (n0)
 nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn = "\\..."  (n0)
`;
const FULL = `
/local/domain/1/name = "guest"   (n0,r1)
/local/domain/1/device = ""   (b1,w2,r3,n4)
/local/domain/1/device/state = "4"   (b1,w2,r3,n4)
`;

function lines(text: string): string[] {
  return text.trim().split("\n");
}

Deno.test("XenStore.ls() indents by depth, escapes bytes and cuts at 80 columns", () => {
  assertEquals(storeForLs().ls("/", { full: false, permissions: false }), lines(PLAIN));
});

Deno.test("XenStore.ls() leads to the permissions in column 60", () => {
  assertEquals(storeForLs().ls("/", { full: false, permissions: true }), lines(PERMISSIONS));
});

Deno.test("XenStore.ls() gives whole paths, and values in full, below the path that is asked for", () => {
  const store = storeForLs();
  assertEquals(store.ls("/local/domain/1", { full: true, permissions: true }), lines(FULL));
  const [, long] = store.ls("/odd", { full: true, permissions: false });
  assertEquals(long, `/odd/long = "${"x".repeat(200)}"`);
});

Deno.test("XenStore.ls() takes the path as dom0 names it", () => {
  const store = new XenStore();
  store.client().write("/local/domain/0/a/b", "1");
  assertEquals(store.ls("a", { full: true, permissions: false }), ['a/b = "1"']);
  const refusal = (path: string) =>
    assertThrows(() => store.ls(path, { full: true, permissions: false }), StoreError).code;
  assertEquals(["/none", "/a/", ""].map(refusal), ["ENOENT", "EINVAL", "EINVAL"]);
});
