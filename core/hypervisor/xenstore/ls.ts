/**
 * A part of the tree as `xenstore-ls` prints it.
 * Source: output of xenstore-ls of Xen 4.17 (Debian package xenstore-utils), man xenstore-ls.
 * @module
 */

import { formatPermissions } from "./access.ts";
import type { StoreNode } from "./tree.ts";

/** The options of `xenstore-ls`. */
export interface ListStyle {
  /** `-f`: whole paths, and values in full. */
  readonly full: boolean;
  /** `-p`: permissions behind each node. */
  readonly permissions: boolean;
}

/** Columns, when the output is no terminal. */
const WIDTH = 80;
/** Where permissions begin, if what stands before is shorter. */
const PERMISSIONS_COLUMN = 60;
/** Columns that ` = "..."` takes. */
const TAG_WIDTH = 8;

/** By character code; other characters that do not print are written in octal below 8, in hex above. */
const ESCAPES: Readonly<Record<number, string>> = {
  0x09: "\\t",
  0x0a: "\\n",
  0x0d: "\\r",
  0x5c: "\\\\",
};

/**
 * Lists everything below a node, depth first, children in order of creation.
 * @param path of the node, as the lines shall name it
 */
export function listNodes(path: string, node: StoreNode, style: ListStyle): string[] {
  const lines: string[] = [];
  const list = (above: string, { children }: StoreNode, depth: number): void => {
    for (const [name, child] of children) {
      const at = `${above}/${name}`;
      lines.push(style.full ? fullLine(at, child, style) : line(name, child, depth, style));
      list(at, child, depth + 1);
    }
  };
  list(path === "/" ? "" : path, node, 0);
  return lines;
}

function fullLine(path: string, node: StoreNode, { permissions }: ListStyle): string {
  const text = `${path} = "${escapeValue(node.value)}"`;
  return permissions ? `${text} ${permissionList(node)}` : text;
}

function line(name: string, node: StoreNode, depth: number, { permissions }: ListStyle): string {
  const start = " ".repeat(depth) + cut(name, WIDTH - TAG_WIDTH - depth);
  const value = escapeValue(node.value);
  const room = WIDTH - TAG_WIDTH - start.length;
  if (node.value.length > room) {
    const text = `${start} = "${cut(value, room)}\\..."`;
    return permissions ? text + permissionList(node) : text;
  }
  const text = `${start} = "${value}"`;
  return permissions ? leader(`${text} `) + permissionList(node) : text;
}

/** As printf does with `%.*s`: a negative width is none. */
function cut(text: string, width: number): string {
  return width < 0 ? text : text.slice(0, width);
}

/** Leads the eye to the permissions, by dots in the odd columns. */
function leader(text: string): string {
  let line = text;
  while (line.length < PERMISSIONS_COLUMN) line += line.length % 2 === 1 ? "." : " ";
  return line;
}

function permissionList({ permissions }: StoreNode): string {
  return `  (${formatPermissions(permissions).join(",")})`;
}

/** @param value a byte string */
function escapeValue(value: string): string {
  return value.replace(/[^ -~]|\\/g, (char) => {
    const code = char.charCodeAt(0);
    const digits = code < 8 ? `00${code}` : `x${code.toString(16).padStart(2, "0")}`;
    return ESCAPES[code] ?? `\\${digits}`;
  });
}
