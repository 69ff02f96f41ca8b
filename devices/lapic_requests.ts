/**
 * The requests of a local APIC: which vectors wait, which are served, and whether one that waits is
 * above the processor's priority.
 * Source: Intel SDM vol. 3, §10.8.3 and §10.8.4.
 * @module
 */

import { VectorSet } from "./vector_set.ts";

/** Priority class of a vector, and of a processor. */
const CLASS = 0xf0;

/** Requested, served, and level-triggered vectors; task and processor priority. */
export class LapicRequests {
  readonly requested: VectorSet = new VectorSet();
  readonly served: VectorSet = new VectorSet();
  /** Of the vectors requested last as levels. */
  readonly levels: VectorSet = new VectorSet();
  #taskPriority = 0;
  #priority = 0;
  #ready = false;

  /** A request is above the processor's priority: {@link take} gives it. */
  get ready(): boolean {
    return this.#ready;
  }

  /** The processor priority register. */
  get priority(): number {
    return this.#priority;
  }

  /** The task priority register. */
  get taskPriority(): number {
    return this.#taskPriority;
  }

  set taskPriority(value: number) {
    this.#taskPriority = value & 0xff;
    this.#prioritise();
  }

  /** Makes a vector wait; once, however often it is requested. */
  add(vector: number, level: boolean): void {
    this.requested.add(vector);
    if (level) this.levels.add(vector);
    else this.levels.delete(vector);
    this.#prioritise();
  }

  /** Begins to serve the highest request; one that is {@link ready}. */
  take(): number {
    const vector = this.requested.highest();
    this.requested.delete(vector);
    this.served.add(vector);
    this.#prioritise();
    return vector;
  }

  /** Ends the highest vector that is served; returns it, or -1 when none is. */
  end(): number {
    const vector = this.served.highest();
    if (vector < 0) return vector;
    this.served.delete(vector);
    this.#prioritise();
    return vector;
  }

  /** Forgets everything. */
  reset(): void {
    for (const set of [this.requested, this.served, this.levels]) set.clear();
    this.taskPriority = 0;
  }

  #prioritise(): void {
    const served = Math.max(0, this.served.highest()) & CLASS;
    const task = this.#taskPriority;
    this.#priority = (task & CLASS) >= served ? task : served;
    const requested = this.requested.highest();
    this.#ready = requested >= 0 && (requested & CLASS) > (this.#priority & CLASS);
  }
}
