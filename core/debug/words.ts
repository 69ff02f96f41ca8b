/**
 * Arguments of monitor commands that are words, with options among them.
 * @module
 */

import { MonitorError } from "./monitor_error.ts";

/** What stands behind a command's name. */
export interface Words {
  /** The options, each with its dash. */
  readonly options: ReadonlySet<string>;
  /** The others, in their order. */
  readonly rest: readonly string[];
}

/** The words of a text. */
export function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

/**
 * Tells options from the rest; several letters may share a dash.
 * @throws {MonitorError} when one is not known
 */
export function takeOptions(words: readonly string[], known: readonly string[]): Words {
  const isOption = (word: string) => /^-./.test(word);
  const options = new Set<string>();
  for (const word of words.filter(isOption)) {
    const each = known.includes(word) ? [word] : [...word.slice(1)].map((letter) => `-${letter}`);
    if (!each.every((name) => known.includes(name))) {
      throw new MonitorError(`unsupported option ${word}`);
    }
    each.forEach((name) => options.add(name));
  }
  return { options, rest: words.filter((word) => !isOption(word)) };
}

/** @throws {MonitorError} when there is something that nobody has asked for */
export function refuseRest(rest: string): void {
  if (rest === "") return;
  throw new MonitorError(`extraneous characters at the end of line: ${rest}`);
}
