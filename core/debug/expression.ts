/**
 * Expressions of the monitor: numbers, `$registers`, and C's operators with C's grouping of
 * `* / %`, `+ -` and `& | ^` as QEMU's monitor has it. Values are 32 bits wide and unsigned.
 * Source: documentation of QEMU 7.2, "Integer expressions".
 * @module
 */

import { MonitorError } from "./monitor_error.ts";

/** A register by its name; `undefined` when there is none. */
export type Registers = (name: string) => number | undefined;

type Binary = (a: number, b: number) => number;

/** From the weakest binding to the strongest. */
const LEVELS: readonly Readonly<Record<string, Binary>>[] = [
  { "+": (a, b) => a + b, "-": (a, b) => a - b },
  { "&": (a, b) => a & b, "|": (a, b) => a | b, "^": (a, b) => a ^ b },
  { "*": (a, b) => Math.imul(a, b), "/": divide(Math.trunc), "%": divide(undefined) },
];

const TOKEN = /\s*(0x[0-9a-f]+|[0-9]+|'.'|\$[a-z0-9]+|[-+~()*/%&|^])/iy;

/** What is left of an expression that has been read up to some place. */
export class Expression {
  readonly #text: string;
  readonly #registers: Registers;
  #at: number;
  #token: string | undefined;

  /** @param at index of its first character in `text` */
  constructor(text: string, at: number, registers: Registers) {
    this.#text = text;
    this.#registers = registers;
    this.#at = at;
    this.#advance();
  }

  /**
   * Reads one expression, as far as it goes.
   * @throws {MonitorError}
   */
  value(): number {
    return this.#level(0);
  }

  /** Index of what follows the last expression that was read. */
  get end(): number {
    return this.#at - (this.#token?.length ?? 0);
  }

  #level(level: number): number {
    const operators = LEVELS[level];
    if (operators === undefined) return this.#unary();
    let value = this.#level(level + 1);
    for (let next = this.#binary(operators); next; next = this.#binary(operators)) {
      value = next(value, this.#level(level + 1)) >>> 0;
    }
    return value;
  }

  #binary(operators: Readonly<Record<string, Binary>>): Binary | undefined {
    const token = this.#token ?? "";
    const operator = Object.hasOwn(operators, token) ? operators[token] : undefined;
    if (operator) this.#advance();
    return operator;
  }

  #unary(): number {
    const token = this.#token;
    this.#advance();
    if (token === undefined) throw new MonitorError("unexpected end of expression");
    if (token === "+") return this.#unary();
    if (token === "-") return -this.#unary() >>> 0;
    if (token === "~") return ~this.#unary() >>> 0;
    if (token === "(") return this.#group();
    return this.#operand(token);
  }

  #group(): number {
    const value = this.#level(0);
    if (this.#token !== ")") throw new MonitorError("')' expected");
    this.#advance();
    return value;
  }

  #operand(token: string): number {
    if (token.startsWith("'")) return token.charCodeAt(1);
    if (/^\d/.test(token)) return Number(BigInt.asUintN(32, BigInt(token)));
    const value = token.startsWith("$") ? this.#registers(token.slice(1)) : undefined;
    if (value !== undefined) return value;
    throw new MonitorError(
      token.startsWith("$") ? "unknown register" : "invalid char in expression",
    );
  }

  #advance(): void {
    TOKEN.lastIndex = this.#at;
    this.#token = TOKEN.exec(this.#text)?.[1];
    if (this.#token !== undefined) this.#at = TOKEN.lastIndex;
  }
}

/** @param round of the quotient; the remainder without */
function divide(round: ((value: number) => number) | undefined): Binary {
  return (a, b) => {
    if (b === 0) throw new MonitorError("division by zero");
    return round ? round(a / b) : a % b;
  };
}
