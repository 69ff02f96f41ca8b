/**
 * Expressions of the semantics: small trees that become WebAssembly.
 *
 * A tree is pure; what must be evaluated at a certain point, or is used twice, is bound with
 * `X.let()`. Values are 32-bit unless a name says `64`.
 * @module
 */

/**
 * A node: WebAssembly opcode, operands, and an immediate (constant, local index or memory offset).
 */
export interface Val {
  readonly op: number;
  readonly n: number;
  readonly a: Val | undefined;
  readonly b: Val | undefined;
  readonly c: Val | undefined;
}

/** All nodes have one shape for V8: code that walks trees is optimised once. */
const node = (op: number, n: number, a?: Val, b?: Val, c?: Val): Val => ({ op, n, a, b, c });

const I32_CONST = 0x41;
const constant = (v: Val): boolean => v.op === I32_CONST;

/** Operators worth evaluating when the operands are constants: second-tier operands are. */
const FOLD: Readonly<Record<number, (a: number, b: number) => number>> = {
  0x46: (a, b) => a === b ? 1 : 0,
  0x47: (a, b) => a !== b ? 1 : 0,
  0x49: (a, b) => a >>> 0 < b >>> 0 ? 1 : 0,
  0x4b: (a, b) => a >>> 0 > b >>> 0 ? 1 : 0,
  0x4f: (a, b) => a >>> 0 >= b >>> 0 ? 1 : 0,
  0x6a: (a, b) => a + b,
  0x6b: (a, b) => a - b,
  0x71: (a, b) => a & b,
  0x72: (a, b) => a | b,
  0x73: (a, b) => a ^ b,
  0x74: (a, b) => a << b,
  0x75: (a, b) => a >> b,
  0x76: (a, b) => a >>> b,
};
/** Operators that leave the left operand as it is when the right one is 0. */
const ZERO_IS_NEUTRAL: ReadonlySet<number> = new Set([0x6a, 0x6b, 0x72, 0x73, 0x74, 0x75, 0x76]);

const unary = (op: number) => (a: Val): Val => node(op, 0, a);
const binary = (op: number) => (a: Val, b: Val): Val => {
  if (constant(b)) {
    const fold = FOLD[op];
    if (fold && constant(a)) return num(fold(a.n, b.n));
    if (b.n === 0 && ZERO_IS_NEUTRAL.has(op)) return a;
  }
  return node(op, 0, a, b);
};

/** WebAssembly opcodes of the nodes that somebody looks for, or writes without a node. */
export const OP = {
  I32_CONST: 0x41,
  I64_CONST: 0x42,
  LOCAL: 0x20,
  SELECT: 0x1b,
  LOAD: 0x28,
  LOAD64: 0x29,
  LOAD8_U: 0x2d,
  LOAD16_U: 0x2f,
  LT_S: 0x48,
  AND: 0x71,
  OR: 0x72,
  XOR: 0x73,
} as const;

/** i64.load32_u. */
const LAST_LOAD = 0x35;

/** Reads linear memory. */
export function isLoad({ op }: Val): boolean {
  return op >= OP.LOAD && op <= LAST_LOAD;
}

/** Something in it reads linear memory. */
export function readsMemory(v: Val): boolean {
  return isLoad(v) || [v.a, v.b, v.c].some((part) => part !== undefined && readsMemory(part));
}

/** A 32-bit constant. */
export const num = (n: number): Val => node(OP.I32_CONST, n | 0);
/** A 64-bit constant. */
export const num64 = (n: number): Val => node(OP.I64_CONST, n);
/** The local of a function. */
export const local = (n: number): Val => node(OP.LOCAL, n);
/** The 32-bit word at byte address `address` + `offset` of linear memory. */
export const load32 = (address: Val, offset: number = 0): Val => node(OP.LOAD, offset, address);
/** As {@link load32}: 64 bits. */
export const load64 = (address: Val, offset: number = 0): Val => node(OP.LOAD64, offset, address);
/** As {@link load32}: 16 bits, zero-extended. */
export const load16 = (address: Val, offset: number = 0): Val => node(OP.LOAD16_U, offset, address);
/** As {@link load32}: 8 bits, zero-extended. */
export const load8 = (address: Val, offset: number = 0): Val => node(OP.LOAD8_U, offset, address);
/** `cond ? a : b`; both are evaluated. */
export const select = (cond: Val, a: Val, b: Val): Val => node(OP.SELECT, 0, a, b, cond);

// The operators are named as in WebAssembly: S signed, U unsigned.

export const eqz = (a: Val): Val => constant(a) ? num(a.n === 0 ? 1 : 0) : node(0x45, 0, a);
export const eq: (a: Val, b: Val) => Val = binary(0x46);
export const ne: (a: Val, b: Val) => Val = binary(0x47);
export const ltS: (a: Val, b: Val) => Val = binary(0x48);
export const ltU: (a: Val, b: Val) => Val = binary(0x49);
export const gtU: (a: Val, b: Val) => Val = binary(0x4b);
export const leS: (a: Val, b: Val) => Val = binary(0x4c);
export const leU: (a: Val, b: Val) => Val = binary(0x4d);
export const geS: (a: Val, b: Val) => Val = binary(0x4e);
export const geU: (a: Val, b: Val) => Val = binary(0x4f);
export const clz: (a: Val) => Val = unary(0x67);
export const ctz: (a: Val) => Val = unary(0x68);
export const popcnt: (a: Val) => Val = unary(0x69);
export const add: (a: Val, b: Val) => Val = binary(0x6a);
export const sub: (a: Val, b: Val) => Val = binary(0x6b);
export const mul: (a: Val, b: Val) => Val = binary(0x6c);
export const divS: (a: Val, b: Val) => Val = binary(0x6d);
export const divU: (a: Val, b: Val) => Val = binary(0x6e);
export const remU: (a: Val, b: Val) => Val = binary(0x70);
export const and: (a: Val, b: Val) => Val = binary(0x71);
export const or: (a: Val, b: Val) => Val = binary(0x72);
export const xor: (a: Val, b: Val) => Val = binary(0x73);
export const shl: (a: Val, b: Val) => Val = binary(0x74);
export const sar: (a: Val, b: Val) => Val = binary(0x75);
export const shr: (a: Val, b: Val) => Val = binary(0x76);
export const rotl: (a: Val, b: Val) => Val = binary(0x77);
export const not: (a: Val) => Val = (a) => xor(a, num(-1));
export const neg: (a: Val) => Val = (a) => sub(num(0), a);

export const eqz64: (a: Val) => Val = unary(0x50);
export const ne64: (a: Val, b: Val) => Val = binary(0x52);
export const ltS64: (a: Val, b: Val) => Val = binary(0x53);
export const ltU64: (a: Val, b: Val) => Val = binary(0x54);
export const gtU64: (a: Val, b: Val) => Val = binary(0x56);
export const geU64: (a: Val, b: Val) => Val = binary(0x5a);
export const clz64: (a: Val) => Val = unary(0x79);
export const add64: (a: Val, b: Val) => Val = binary(0x7c);
export const sub64: (a: Val, b: Val) => Val = binary(0x7d);
export const mul64: (a: Val, b: Val) => Val = binary(0x7e);
export const divS64: (a: Val, b: Val) => Val = binary(0x7f);
export const divU64: (a: Val, b: Val) => Val = binary(0x80);
export const remU64: (a: Val, b: Val) => Val = binary(0x82);
export const and64: (a: Val, b: Val) => Val = binary(0x83);
export const or64: (a: Val, b: Val) => Val = binary(0x84);
export const shl64: (a: Val, b: Val) => Val = binary(0x86);
export const shrU64: (a: Val, b: Val) => Val = binary(0x88);
/** Low half of a 64-bit value. */
export const low: (a: Val) => Val = unary(0xa7);
/** To 64 bits, sign-extended. */
export const wideS: (a: Val) => Val = unary(0xac);
/** To 64 bits, zero-extended. */
export const wideU: (a: Val) => Val = unary(0xad);
/** Square root of an unsigned 64-bit value, in double precision, cut to an integer. */
export const roughRoot64 = (a: Val): Val => unary(0xb1)(unary(0x9f)(unary(0xba)(a)));
const extend8: (a: Val) => Val = unary(0xc0);
const extend16: (a: Val) => Val = unary(0xc1);

/** High half of a 64-bit value. */
export const high = (a: Val): Val => low(shrU64(a, num64(32)));

/** The low `size` bytes, sign-extended. */
export function signed(a: Val, size: number): Val {
  return size === 1 ? extend8(a) : size === 2 ? extend16(a) : a;
}

/** The low `size` bytes, zero-extended. */
export function unsigned(a: Val, size: number): Val {
  return size === 4 ? a : and(a, num(size === 1 ? 0xff : 0xffff));
}

/**
 * How many of a value's low bits may be set.
 * @param widths of locals that are known to be narrow
 */
export function widthOf(v: Val, widths: ReadonlyMap<number, number>): number {
  switch (v.op) {
    case OP.I32_CONST:
      return 32 - Math.clz32(v.n);
    case OP.LOCAL:
      return widths.get(v.n) ?? 32;
    case OP.LOAD8_U:
      return 8;
    case OP.LOAD16_U:
      return 16;
    case OP.AND:
      return Math.min(widthOf(v.a!, widths), widthOf(v.b!, widths));
    case OP.OR:
    case OP.XOR:
      return Math.max(widthOf(v.a!, widths), widthOf(v.b!, widths));
  }
  return 32;
}

/** The same expression over other locals. */
export function substitute(v: Val, replace: (index: number) => Val): Val {
  if (v.op === OP.LOCAL) return replace(v.n);
  if (!v.a) return v;
  const { op, n, a, b, c } = v;
  return node(
    op,
    n,
    substitute(a, replace),
    b && substitute(b, replace),
    c && substitute(c, replace),
  );
}
