/**
 * What the host failed to do with the images. The guest gets an I/O error on that request alone and
 * the run goes on; the user is told of the first failure of each image, and of their number at the
 * end.
 * @module
 */

import type { ImageError } from "../errors.ts";
import type { BlockBackend } from "../types.ts";

/** The failures of one run. */
export class HostErrors {
  readonly #tell: (error: ImageError) => void;
  readonly #told = new Set<BlockBackend>();
  #count = 0;

  /** @param tell takes the first failure of each image */
  constructor(tell: (error: ImageError) => void) {
    this.#tell = tell;
  }

  /** All of them. */
  get count(): number {
    return this.#count;
  }

  /** Counts a failure. */
  add(image: BlockBackend, error: ImageError): void {
    this.#count++;
    if (this.#told.has(image)) return;
    this.#told.add(image);
    this.#tell(error);
  }
}
