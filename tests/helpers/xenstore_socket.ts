/**
 * The socket at which xenstored listens in dom0, so that Xen's own tools can talk to our store.
 * @module
 */

import type { XenStore } from "../../core/hypervisor/xenstore.ts";
import {
  byteString,
  decodeHeader,
  encodeMessage,
  serveRequest,
  XS_HEADER_BYTES,
} from "../../core/hypervisor/xenstore_wire.ts";

/** There is no `xenstore-ls` (Debian package xenstore-utils): tests against it are to be ignored. */
export const noXenTools: boolean = !canRun("xenstore-ls");

/** Runs a tool with `XENSTORED_PATH` at a socket of the store. @returns what it prints */
export async function runXenTool(store: XenStore, name: string, args: string[]): Promise<string> {
  const path = await Deno.makeTempFile();
  await Deno.remove(path);
  using listener = Deno.listen({ transport: "unix", path });
  const serving = serve(listener, store);
  const env = { XENSTORED_PATH: path };
  const { stdout, stderr } = await new Deno.Command(name, { args, env }).output();
  listener.close();
  await serving;
  return byteString(stdout) + byteString(stderr);
}

async function serve(listener: Deno.Listener, store: XenStore): Promise<void> {
  for await (const socket of listener) {
    const client = store.connect(0, () => {});
    for (let input: number[] = [];;) {
      const bytes = new Uint8Array(4096);
      const count = await socket.read(bytes);
      if (count === null) break;
      input = [...input, ...bytes.subarray(0, count)];
      for (let end = messageEnd(input); end <= input.length; end = messageEnd(input)) {
        const message = Uint8Array.from(input.slice(0, end));
        const header = decodeHeader(new DataView(message.buffer));
        const { type, payload } = serveRequest(
          client,
          header,
          byteString(message.subarray(XS_HEADER_BYTES)),
        );
        await writeAll(socket, encodeMessage({ ...header, type }, payload));
        input = input.slice(end);
      }
    }
    socket.close();
  }
}

function messageEnd(input: readonly number[]): number {
  if (input.length < XS_HEADER_BYTES) return Infinity;
  const header = Uint8Array.from(input.slice(0, XS_HEADER_BYTES));
  return XS_HEADER_BYTES + decodeHeader(new DataView(header.buffer)).length;
}

async function writeAll(socket: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
}

function canRun(tool: string): boolean {
  const rights = [{ name: "run" }, { name: "write" }, { name: "net" }] as const;
  if (rights.some((right) => Deno.permissions.querySync(right).state !== "granted")) return false;
  try {
    return new Deno.Command(tool, { args: ["-h"], stderr: "null" }).outputSync() !== undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
