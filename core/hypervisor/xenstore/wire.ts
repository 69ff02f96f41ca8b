/**
 * xenstore on the wire: the message header, and what each operation takes and answers.
 * Payloads are byte strings, one character a byte.
 * Source: xen/include/public/io/xs_wire.h; xen/docs/misc/xenstore.txt.
 * @module
 */

import {
  formatPermissions,
  homePath,
  parsePermissions,
  StoreError,
  type StoreErrorName,
} from "./access.ts";
import type { StoreConnection } from "./connection.ts";

/** Offsets of a message header, xsd_sockmsg; each field is a little-endian u32. */
export const XSD_SOCKMSG = { TYPE: 0, REQ_ID: 4, TX_ID: 8, LEN: 12, SIZE: 16 } as const;

const { TYPE, REQ_ID, TX_ID, LEN } = XSD_SOCKMSG;

/** Bytes of a message header. */
export const XS_HEADER_BYTES: number = XSD_SOCKMSG.SIZE;

/** Most bytes of a payload. */
export const XS_PAYLOAD_MAX = 4096;

/** Message types that the server itself speaks of. */
export const XS = { WATCH: 4, WATCH_EVENT: 15, ERROR: 16 } as const;

/** The fields of a message header. */
export interface XsHeader {
  readonly type: number;
  /** Echoed in the reply. */
  readonly reqId: number;
  /** Transaction, 0 for none. Echoed in the reply. */
  readonly txId: number;
  /** Bytes of payload that follow. */
  readonly length: number;
}

/** Reads a header at the start of `view`. */
export function decodeHeader(view: DataView): XsHeader {
  return {
    type: view.getUint32(TYPE, true),
    reqId: view.getUint32(REQ_ID, true),
    txId: view.getUint32(TX_ID, true),
    length: view.getUint32(LEN, true),
  };
}

/** Builds a message. */
export function encodeMessage(header: Omit<XsHeader, "length">, payload: string): Uint8Array {
  const message = new Uint8Array(XS_HEADER_BYTES + payload.length);
  const view = new DataView(message.buffer);
  view.setUint32(TYPE, header.type, true);
  view.setUint32(REQ_ID, header.reqId, true);
  view.setUint32(TX_ID, header.txId, true);
  view.setUint32(LEN, payload.length, true);
  for (let i = 0; i < payload.length; i++) message[XS_HEADER_BYTES + i] = payload.charCodeAt(i);
  return message;
}

/** Bytes as a byte string. */
export function byteString(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

type Serve = (
  client: StoreConnection,
  fields: readonly string[],
  transaction: number,
) => string;

/** How one type of request is read and answered. */
export interface XsOperation {
  readonly name: string;
  /**
   * Payload in the notation of xenstore.txt, where `|` is NUL: `path|value` ends in bytes without
   * a NUL, `...` repeats the last field, the empty string is for a payload that nobody reads.
   */
  readonly request: string;
  /** Absent for what only dom0 may ask for: dom0 does not come over a ring. */
  readonly serve?: Serve;
  /** The transaction id in the header is not looked at. */
  readonly ignoresTransaction?: boolean;
}

const OK = "OK\0";

/** By type. What is not here is answered ENOSYS. */
export const XS_OPERATIONS: Readonly<Record<number, XsOperation>> = {
  0: { name: "CONTROL", request: "" },
  1: {
    name: "DIRECTORY",
    request: "path|",
    serve: (client, [path = ""], tx) => strings(client.directory(path, tx).children.keys()),
  },
  2: {
    name: "READ",
    request: "path|",
    serve: (client, [path = ""], tx) => client.read(path, tx),
  },
  3: {
    name: "GET_PERMS",
    request: "path|",
    serve: (client, [path = ""], tx) => strings(formatPermissions(client.permissions(path, tx))),
  },
  [XS.WATCH]: {
    name: "WATCH",
    request: "wpath|token|...",
    serve: watch,
    ignoresTransaction: true,
  },
  5: {
    name: "UNWATCH",
    request: "wpath|token|",
    serve: (client, [path = "", token = ""]) => done(client.unwatch(path, token)),
    ignoresTransaction: true,
  },
  6: { name: "TRANSACTION_START", request: "", serve: startTransaction },
  7: { name: "TRANSACTION_END", request: "commit|", serve: endTransaction },
  8: { name: "INTRODUCE", request: "domid|gfn|port|" },
  9: { name: "RELEASE", request: "domid|" },
  10: {
    name: "GET_DOMAIN_PATH",
    request: "domid|",
    // Of any number, whether or not there is such a domain; what is none counts as 0.
    serve: (_client, [domid = ""]) => strings([homePath((parseInt(domid, 10) || 0) >>> 0)]),
  },
  11: {
    name: "WRITE",
    request: "path|value",
    serve: (client, [path = "", value = ""], tx) => done(client.write(path, value, tx)),
  },
  12: {
    name: "MKDIR",
    request: "path|",
    serve: (client, [path = ""], tx) => done(client.makeDirectory(path, tx)),
  },
  13: {
    name: "RM",
    request: "path|",
    serve: (client, [path = ""], tx) => done(client.remove(path, tx)),
  },
  14: {
    name: "SET_PERMS",
    request: "path|perm|...",
    serve: (client, [path = "", ...list], tx) =>
      done(client.setPermissions(path, parsePermissions(list), tx)),
  },
  17: { name: "IS_DOMAIN_INTRODUCED", request: "domid|" },
  18: { name: "RESUME", request: "domid|" },
  19: { name: "SET_TARGET", request: "domid|tdomid|" },
  21: { name: "RESET_WATCHES", request: "", serve: (client) => done(client.reset()) },
  22: { name: "DIRECTORY_PART", request: "path|offset|", serve: directoryPart },
};

/** The reply to a request: its type, or ERROR, and the payload. */
export interface XsReply {
  readonly type: number;
  readonly payload: string;
  /** For WATCH: the first event of the new watch, to be sent right after the reply. */
  readonly event?: string;
}

/** Serves one request of a guest. */
export function serveRequest(client: StoreConnection, header: XsHeader, payload: string): XsReply {
  const operation = XS_OPERATIONS[header.type];
  if (operation === undefined) return errorReply("ENOSYS");
  if (operation.serve === undefined) return errorReply("EACCES");
  try {
    if (header.txId !== 0 && !operation.ignoresTransaction) client.transaction(header.txId);
    const fields = parseFields(operation.request, payload);
    const answer = operation.serve(client, fields, header.txId);
    if (answer.length > XS_PAYLOAD_MAX) return errorReply("E2BIG");
    const reply = { type: header.type, payload: answer };
    if (header.type !== XS.WATCH) return reply;
    return { ...reply, event: strings(fields.slice(0, 2)) };
  } catch (error) {
    if (error instanceof StoreError) return errorReply(error.code);
    throw error;
  }
}

/**
 * Splits a payload.
 * @param request as in {@link XsOperation}
 * @throws {StoreError} EINVAL when fields are missing, too many, or not ended by NUL
 */
export function parseFields(request: string, payload: string): string[] {
  if (request === "") return [];
  const fields = payload.split("\0");
  const rest = fields.pop() as string;
  const named = request.split("|").length - 1;
  if (!request.endsWith("|") && !request.endsWith("...")) {
    const [path] = fields;
    if (path !== undefined) return [path, payload.slice(path.length + 1)];
  } else if (rest === "") {
    if (fields.length === named || (request.endsWith("...") && fields.length > named)) {
      return fields;
    }
  }
  throw new StoreError("EINVAL", request);
}

/** The payload of a WATCH_EVENT. */
export function watchEvent(path: string, token: string): string {
  return strings([path, token]);
}

function errorReply(code: StoreErrorName): XsReply {
  return { type: XS.ERROR, payload: strings([code]) };
}

function strings(list: Iterable<string>): string {
  let text = "";
  for (const item of list) text += `${item}\0`;
  return text;
}

function done(_result: void): string {
  return OK;
}

/** The third field, which may be missing, is a depth. */
function watch(client: StoreConnection, fields: readonly string[]): string {
  const [path = "", token = "", depth] = fields;
  const isDepth = depth === undefined || /^[0-9]{1,9}$/.test(depth);
  if (fields.length > 3 || !isDepth) throw new StoreError("EINVAL", "depth");
  return done(client.watch(path, token, depth === undefined ? undefined : Number(depth)));
}

function startTransaction(client: StoreConnection, _fields: unknown, nested: number): string {
  if (nested !== 0) throw new StoreError("EBUSY", `transaction ${nested}`);
  return strings([String(client.startTransaction())]);
}

function endTransaction(client: StoreConnection, [flag]: readonly string[], id: number): string {
  if (flag !== "T" && flag !== "F") throw new StoreError("EINVAL", "commit flag");
  return done(client.endTransaction(id, flag === "T"));
}

/** As much of a directory as fits; a list that ends here ends with an empty name. */
function directoryPart(
  client: StoreConnection,
  [path = "", offset = ""]: readonly string[],
  transaction: number,
): string {
  if (!/^[0-9]{1,9}$/.test(offset)) throw new StoreError("EINVAL", offset);
  const node = client.directory(path, transaction);
  const head = strings([String(node.listing)]);
  const rest = strings(node.children.keys()).slice(Number(offset));
  const room = XS_PAYLOAD_MAX - head.length;
  if (rest.length < room) return `${head}${rest}\0`;
  return head + rest.slice(0, rest.lastIndexOf("\0", room - 1) + 1);
}
