/**
 * Fetches what the tests of stock software need. What cannot be had is said in a line, and its
 * tests are ignored.
 * @module
 */

import { PARTS, prepare } from "./kit.ts";

for (const part of PARTS) {
  try {
    await prepare(part);
  } catch (error) {
    console.log(`tests of ${part} are ignored: ${(error as Error).message}`);
  }
}
