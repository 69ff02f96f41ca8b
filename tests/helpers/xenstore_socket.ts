/**
 * The socket at which xenstored listens in dom0, so that Xen's own tools can talk to our store.
 * @module
 */

import type { XenStore } from "../../core/hypervisor/xenstore/xenstore.ts";
import {
  byteString,
  decodeHeader,
  encodeMessage,
  serveRequest,
  watchEvent,
  XS,
  XS_HEADER_BYTES,
} from "../../core/hypervisor/xenstore/wire.ts";

/** How a tool is run. */
export interface ToolOptions {
  /** Whose right it has, dom0's unless given. */
  readonly domid?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a tool with `XENSTORED_PATH` at a socket of the store. @returns what it prints */
export async function runXenTool(
  store: XenStore,
  name: string,
  args: readonly string[],
  { domid = 0, env = {} }: ToolOptions = {},
): Promise<string> {
  const path = await Deno.makeTempFile();
  await Deno.remove(path);
  using listener = Deno.listen({ transport: "unix", path });
  const serving = serve(listener, store, domid);
  const { stdout, stderr } = await new Deno.Command(name, {
    args: [...args],
    env: { ...env, XENSTORED_PATH: path },
  }).output();
  listener.close();
  await serving;
  return byteString(stdout) + byteString(stderr);
}

async function serve(listener: Deno.Listener, store: XenStore, domid: number): Promise<void> {
  for await (const socket of listener) {
    const output: Uint8Array[] = [];
    const event = (payload: string) =>
      output.push(encodeMessage({ type: XS.WATCH_EVENT, reqId: 0, txId: 0 }, payload));
    const client = store.connect(domid, (path, token) => event(watchEvent(path, token)));
    for (let input: number[] = [];;) {
      const bytes = new Uint8Array(4096);
      const count = await socket.read(bytes);
      if (count === null) break;
      input = [...input, ...bytes.subarray(0, count)];
      for (let end = messageEnd(input); end <= input.length; end = messageEnd(input)) {
        const message = Uint8Array.from(input.slice(0, end));
        input = input.slice(end);
        const header = decodeHeader(new DataView(message.buffer));
        const text = byteString(message.subarray(XS_HEADER_BYTES));
        const reply = serveRequest(client, header, text);
        output.push(encodeMessage({ ...header, type: reply.type }, reply.payload));
        if (reply.event !== undefined) event(reply.event);
      }
      for (const message of output.splice(0)) await writeAll(socket, message);
    }
    client.reset();
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
