/**
 * Xen's own xenstore tools, over the socket that libxenstore knows, as clients of our store.
 * @module
 */

import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { XenStore } from "../../core/hypervisor/xenstore/xenstore.ts";
import { storeForLs } from "../helpers/xenstore_ls.ts";
import { runXenTool } from "../helpers/xenstore_socket.ts";
import { stockFile } from "./kit.ts";

const LIBRARIES = "usr/lib/x86_64-linux-gnu";
const folder = stockFile("xenstore-utils", "");

/** Runs a tool as domain `domid`; a line such as `xenstore-read /a`. */
function tool(store: XenStore, line: string, domid = 0): Promise<string> {
  const [name = "", ...args] = line.split(" ");
  const env = { LD_LIBRARY_PATH: join(folder!, LIBRARIES) };
  return runXenTool(store, join(folder!, "usr/bin", name), args, { domid, env });
}

for (const options of ["", " -p", " -f", " -f -p"]) {
  Deno.test({
    name: `xenstore-ls${options} prints what the monitor's prints`,
    ignore: folder === undefined,
    fn: async () => {
      const store = storeForLs();
      const style = { full: options.includes("f"), permissions: options.includes("p") };
      const ours = store.ls("/", style).map((line) => `${line}\n`).join("");
      assertEquals(ours, await tool(store, `xenstore-ls${options}`));
    },
  });
}

/** Lines, run one behind the other on one store, and what each prints. */
const SESSION: readonly (readonly [line: string, answer: string, domid?: number])[] = [
  ["xenstore-write /a 1 /b/c 2 /local/domain/1/own 3", ""],
  ["xenstore-read -p /a /b/c", "/a: 1\n/b/c: 2\n"],
  ["xenstore-list /", "a\nb\nlocal\n"],
  ["xenstore-read /none", "xenstore-read: couldn't read path /none\n"],
  ["xenstore-chmod /a n0 r1", ""],
  ["xenstore-chmod -r /local/domain/1 n1", ""],
  [
    "xenstore-ls -fp /local/domain",
    '/local/domain/1 = ""   (n1)\n/local/domain/1/own = "3"   (n1)\n',
  ],
  ["xenstore-watch -n 1 /a", "/a\n"],
  ["xenstore-read /a own", "1\n3\n", 1],
  ["xenstore-read /b/c", "xenstore-read: couldn't read path /b/c\n", 1],
  ["xenstore-write /a 5", "xenstore-write: could not write path /a\n", 1],
  ["xenstore-write own/d/e 6 own 7", "", 1],
  ["xenstore-ls own", 'd = ""\n e = "6"\n', 1],
  ["xenstore-rm -t own/d/e", "", 1],
  ["xenstore-ls", 'a = "1"\nb = ""\n c = "2"\nlocal = ""\n domain = ""\n  1 = ""\n   own = "7"\n'],
  ["xenstore-rm /b", ""],
  ["xenstore-list /", "a\nlocal\n"],
];

Deno.test({
  name: "Xen's tools read, write, watch, protect and remove, in transactions, within their rights",
  ignore: folder === undefined,
  fn: async () => {
    const store = new XenStore();
    for (const [line, answer, domid] of SESSION) {
      assertEquals([line, await tool(store, line, domid)], [line, answer]);
    }
  },
});
