/**
 * Flags as compiled code reads them: from what is known of the flag words, else from memory.
 * @module
 */

import { Emitter } from "./emitter.ts";
import { FLAG_AT, type FlagName } from "./flag_forms.ts";
import { and, eqz, ltS, ltU, num, OP, or, shr, type Val, xor } from "./ir.ts";
import { word } from "./lookups.ts";
import type { Knowledge } from "./loop.ts";
import { parityOf } from "./sem/flags.ts";

/** The half of the second tier that reads flags. */
export abstract class KnownFlags extends Emitter {
  protected known: Knowledge = {
    registers: new Array(8),
    dirty: 0,
    flags: {},
    calls: [],
    spent: 0,
    check: undefined,
  };
  /** Flag words read from memory. */
  readonly flagsRead: Set<FlagName> = new Set();

  #flag(name: FlagName): Val {
    const known = this.known.flags[name];
    if (!known) this.flagsRead.add(name);
    return known ?? word(FLAG_AT[name]);
  }

  override get carry(): Val {
    return ltU(this.#flag("ca"), this.#flag("cb"));
  }

  override get zero(): Val {
    return eqz(this.#flag("fr"));
  }

  override get parity(): Val {
    return parityOf(
      this.#plain ? this.#flag("fr") : xor(this.#flag("fr"), shr(this.#flag("fx"), num(8))),
    );
  }

  override get adjust(): Val {
    return and(shr(xor(this.#flag("fx"), this.#flag("fr")), num(4)), num(1));
  }

  override get sign(): Val {
    return this.#plain ? this.#flag("fr") : xor(this.#flag("fr"), this.#flag("fx"));
  }

  /** FX is known to hold nothing but AF: PF and SF follow from FR alone. */
  get #plain(): boolean {
    const fx = this.known.flags.fx;
    if (!fx) return false;
    const mask = fx.op === OP.I32_CONST ? fx.n : fx.b?.op === OP.I32_CONST ? fx.b.n : -1;
    return (fx.op === OP.I32_CONST || fx.op === OP.AND) && (mask & ~16) === 0;
  }

  override get less(): Val {
    return this.known.flags.less ?? ltS(xor(this.sign, this.overflow), num(0));
  }

  override get notGreater(): Val {
    return this.known.flags.notGreater ?? or(this.less, this.zero);
  }

  override get notAbove(): Val {
    return this.known.flags.notAbove ?? or(this.carry, this.zero);
  }

  override get overflow(): Val {
    return this.#flag("fo");
  }
}
