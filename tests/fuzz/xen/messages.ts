/**
 * Messages to xenstored: as the protocol has them, or bent.
 * @module
 */

import { TYPE } from "../../helpers/xenstore.ts";
import type { Rng } from "../rng.ts";
import type { StoreDriver } from "./store_driver.ts";
import { wild } from "./wild.ts";

const SOME_PATHS: readonly string[] = [
  ...["data", "data/a", "data/a/b", "data/a/b/c", "control/shutdown", "error", "attr/x", "device"],
  ...[
    "",
    "/",
    "//",
    "/local/domain/1/data",
    "/local/domain/0",
    "/local",
    "@releaseDomain",
    "a\x80",
  ],
  ...["@introduceDomain", "data/", "/local/domain/1/name", "/vm", "/local/domain/2/data", "."],
];
const PERMISSIONS = [
  "n1",
  "r1",
  "b1",
  "n0",
  "w2",
  "n1\0r0\0b2",
  "x",
  "n99999",
  "n1\0n1\0n1\0n1\0n1",
];
const TYPES: readonly number[] = Object.values(TYPE);
const LONGEST_PAYLOAD = 4096;

/** Sends a message. @param homes directories of the hostile frontends @returns what it was */
export function randomMessage(rng: Rng, store: StoreDriver, homes: readonly string[]): string {
  const type = rng.chance(97) ? rng.pick(TYPES) : wild(rng);
  const payload = bend(rng, payloadOf(rng, type, homes));
  const txId = rng.chance(60) ? 0 : rng.chance(90) ? rng.below(12) : wild(rng);
  const length = rng.chance(0.5) ? wild(rng) : payload.length;
  store.send(type, payload, txId, length);
  return `message ${type}, transaction ${txId}, ${length} bytes ${JSON.stringify(payload)}`;
}

function payloadOf(rng: Rng, type: number, homes: readonly string[]): string {
  const path = anyPath(rng, homes);
  switch (type) {
    case TYPE.WRITE:
      return `${path}\0${"v".repeat(rng.below(rng.chance(5) ? 4096 : 20))}`;
    case TYPE.WATCH:
    case TYPE.UNWATCH:
      return `${path}\0${rng.below(200)}\0${rng.chance(10) ? `${rng.below(5)}\0` : ""}`;
    case TYPE.TRANSACTION_END:
      return rng.chance(70) ? "T\0" : "F\0";
    case TYPE.SET_PERMS:
      return `${path}\0${rng.pick(PERMISSIONS)}\0`;
    case TYPE.DIRECTORY_PART:
      return `${path}\0${wild(rng)}\0`;
    case TYPE.INTRODUCE:
      return `${rng.below(3)}\0${wild(rng)}\0${rng.below(9)}\0`;
    case TYPE.RM:
      // The frontends' own directories go, but seldom.
      return rng.chance(2) ? `${rng.pick(homes)}\0` : `${path}/x\0`;
    default:
      return rng.chance(80) ? `${path}\0` : `${rng.below(5)}\0`;
  }
}

function anyPath(rng: Rng, homes: readonly string[]): string {
  switch (rng.below(6)) {
    case 0: // its frontends' keys, but not their states
      return `${rng.pick(homes)}/${rng.pick(["feature-persistent", "x", "queue-0/x", "protocol"])}`;
    case 1: // a storm of nodes
      return `data/${rng.below(2000)}`;
    case 2: // deep
      return "data" + "/d".repeat(rng.below(rng.chance(5) ? 1600 : 30));
    default:
      return rng.pick(SOME_PATHS);
  }
}

/** Now and then some bytes are others, more or fewer. */
function bend(rng: Rng, payload: string): string {
  if (rng.chance(96) || payload.length === 0) return payload;
  const at = rng.below(payload.length);
  const byte = String.fromCharCode(rng.below(256));
  const bent = payload.slice(0, at) + byte.repeat(rng.below(3)) + payload.slice(at + 1);
  return bent.slice(0, LONGEST_PAYLOAD);
}
