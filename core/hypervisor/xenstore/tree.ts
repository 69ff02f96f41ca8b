/**
 * The tree of xenstore. Nodes are immutable and shared between trees, so a snapshot costs
 * nothing; each carries the generation of its last change, by which transactions find conflicts.
 * @module
 */

import type { Permissions } from "./access.ts";
import { DOM0 } from "../domid.ts";

/** One node. Its own content and its list of children age separately. */
export interface StoreNode {
  readonly value: string;
  readonly permissions: Permissions;
  /** In order of creation. */
  readonly children: ReadonlyMap<string, StoreNode>;
  /** When value or permissions last changed. */
  readonly generation: number;
  /** When a child last came or went. */
  readonly listing: number;
}

/** An existing node and where it is. */
export interface StorePlace {
  readonly path: string;
  readonly node: StoreNode;
}

const NO_CHILDREN: ReadonlyMap<string, StoreNode> = new Map();

/** Of `/`: dom0 owns it, nobody else may look. */
const ROOT_PERMISSIONS: Permissions = [{ domid: DOM0, access: 0 }];

/** Bytes before the permissions in a node record (xenstored's `struct xs_tdb_record_hdr`). */
const HEADER_BYTES = 24;
/** Bytes of a permission entry there (`struct xs_permissions`). */
const PERMISSION_BYTES = 8;

/** Bytes of a node's record: permissions, value, names of children. */
export function nodeBytes(node: StoreNode): number {
  let bytes = HEADER_BYTES + node.permissions.length * PERMISSION_BYTES + node.value.length;
  for (const name of node.children.keys()) bytes += name.length + 1;
  return bytes;
}

/** A version of the whole tree. Paths are absolute and valid. */
export class StoreTree {
  #root: StoreNode = {
    value: "",
    permissions: ROOT_PERMISSIONS,
    children: NO_CHILDREN,
    generation: 1,
    listing: 1,
  };
  #generation = 1;
  #owned: Map<number, number> = new Map();

  /** A tree of the same content that changes on its own. */
  fork(): StoreTree {
    const fork = new StoreTree();
    fork.adopt(this);
    return fork;
  }

  /** Takes over the content of a fork. */
  adopt(fork: StoreTree): void {
    this.#root = fork.#root;
    this.#generation = fork.#generation;
    this.#owned = new Map(fork.#owned);
  }

  lookup(path: string): StoreNode | undefined {
    let node: StoreNode | undefined = this.#root;
    for (const name of namesOf(path)) node = node?.children.get(name);
    return node;
  }

  /** The nodes from `/` down to `path`, as far as they exist. */
  lineage(path: string): [StorePlace, ...StorePlace[]] {
    const places: [StorePlace, ...StorePlace[]] = [{ path: "/", node: this.#root }];
    let at = "";
    let node: StoreNode | undefined = this.#root;
    for (const name of namesOf(path)) {
      node = node.children.get(name);
      if (node === undefined) break;
      at = `${at}/${name}`;
      places.push({ path: at, node });
    }
    return places;
  }

  /** Nodes that belong to a domain. */
  ownedBy(domid: number): number {
    return this.#owned.get(domid) ?? 0;
  }

  /** Nodes that belong to a domain, without those below another of them. */
  topmostOf(domid: number): string[] {
    const found: string[] = [];
    const search = (path: string, node: StoreNode): void => {
      if (node.permissions[0].domid === domid) return void found.push(path);
      for (const [name, child] of node.children) search(`${path}/${name}`, child);
    };
    if (this.ownedBy(domid) > 0) search("", this.#root);
    return found;
  }

  /**
   * Sets a node's content. Missing nodes on the way come to be, empty, with the same permissions.
   */
  put(path: string, value: string, permissions: Permissions): void {
    this.#generation++;
    this.#root = this.#put(this.#root, namesOf(path), 0, { value, permissions });
  }

  /** Removes an existing node other than `/`, with everything below it. */
  remove(path: string): void {
    this.#generation++;
    this.#root = this.#remove(this.#root, namesOf(path), 0);
  }

  #put(
    node: StoreNode | undefined,
    names: readonly string[],
    depth: number,
    leaf: Pick<StoreNode, "value" | "permissions">,
  ): StoreNode {
    const name = names[depth];
    if (name === undefined) return this.#content(node, leaf);
    const here = node ?? this.#content(undefined, { ...leaf, value: "" });
    const child = here.children.get(name);
    const children = new Map(here.children).set(name, this.#put(child, names, depth + 1, leaf));
    return { ...here, children, listing: child === undefined ? this.#generation : here.listing };
  }

  #content(
    node: StoreNode | undefined,
    content: Pick<StoreNode, "value" | "permissions">,
  ): StoreNode {
    if (node !== undefined) this.#count(node.permissions, -1);
    this.#count(content.permissions, 1);
    const generation = this.#generation;
    const { children, listing } = node ?? { children: NO_CHILDREN, listing: generation };
    return { ...content, children, generation, listing };
  }

  #remove(node: StoreNode, names: readonly string[], depth: number): StoreNode {
    const name = names[depth] as string;
    const child = node.children.get(name) as StoreNode;
    const children = new Map(node.children);
    if (depth + 1 < names.length) {
      children.set(name, this.#remove(child, names, depth + 1));
      return { ...node, children };
    }
    for (const place of descendants(name, child)) this.#count(place.node.permissions, -1);
    children.delete(name);
    return { ...node, children, listing: this.#generation };
  }

  #count(permissions: Permissions, change: number): void {
    const owner = permissions[0].domid;
    this.#owned.set(owner, this.ownedBy(owner) + change);
  }
}

/** A node and all below it, parents first. */
export function* descendants(path: string, node: StoreNode): Generator<StorePlace> {
  const open: StorePlace[] = [{ path, node }];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    yield place;
    for (const [name, child] of place.node.children) {
      open.push({ path: `${place.path}/${name}`, node: child });
    }
  }
}

/** A node and all below it, children first, in order of creation. */
export function* bottomUp(path: string, node: StoreNode): Generator<StorePlace> {
  for (const [name, child] of node.children) yield* bottomUp(`${path}/${name}`, child);
  yield { path, node };
}

function namesOf(path: string): string[] {
  return path === "/" ? [] : path.slice(1).split("/");
}
