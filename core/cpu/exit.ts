/**
 * The exit record of a vCPU.
 * @module
 */

import { EXIT, type VmExit } from "../types.ts";

/** A blank exit, for the vCPU to fill in again and again. */
export function newVmExit(): VmExit {
  return {
    reason: EXIT.HLT,
    at: NaN,
    rip: 0,
    write: false,
    size: 1,
    port: 0,
    gpa: 0,
    count: 1,
    string: false,
    descending: false,
    immediate: false,
    value: 0,
    retired: 0,
    steady: 0,
  };
}
