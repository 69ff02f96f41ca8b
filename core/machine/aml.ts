/**
 * ACPI machine language: one function for each term that the board's description needs, and the
 * resource descriptors that its buffers hold. Everything is bytes, ready to be put together.
 * Source: ACPI 1.0b, §16.2 (AML grammar), §6.4 (resource data types).
 * @module
 */

import { littleEndian } from "../bits.ts";
import { InternalError } from "../errors.ts";

/** Encoded terms. */
export type Aml = readonly number[];

const ZERO_OP = 0x00;
const ONE_OP = 0x01;
const NAME_OP = 0x08;
const BYTE_PREFIX = 0x0a;
const WORD_PREFIX = 0x0b;
const DWORD_PREFIX = 0x0c;
const SCOPE_OP = 0x10;
const BUFFER_OP = 0x11;
const PACKAGE_OP = 0x12;
const EXTENDED_PREFIX = 0x5b;
const DEVICE_OP = 0x82;
const ROOT_CHAR = 0x5c;

/** One behind the other. A spread behind other elements takes them one by one: every start pays it. */
export function joined(...parts: readonly Aml[]): Aml {
  return ([] as number[]).concat(...parts);
}

/** Opens an existing scope. */
export function scope(name: string, ...terms: readonly Aml[]): Aml {
  return joined([SCOPE_OP], withLength(joined(nameString(name), ...terms)));
}

/** Declares a device in the scope around it. */
export function device(name: string, ...terms: readonly Aml[]): Aml {
  return joined([EXTENDED_PREFIX, DEVICE_OP], withLength(joined(nameString(name), ...terms)));
}

/** Gives an object a name. */
export function named(name: string, object: Aml): Aml {
  return joined([NAME_OP], nameString(name), object);
}

/** A list of objects, at most 255. */
export function packageOf(...elements: readonly Aml[]): Aml {
  return joined([PACKAGE_OP], withLength(joined([elements.length], ...elements)));
}

/** An integer of at most 32 bits, in its shortest form. */
export function integer(value: number): Aml {
  if (value === 0) return [ZERO_OP];
  if (value === 1) return [ONE_OP];
  if (value <= 0xff) return [BYTE_PREFIX, value];
  if (value <= 0xffff) return [WORD_PREFIX, ...littleEndian(value, 2)];
  return [DWORD_PREFIX, ...littleEndian(value, 4)];
}

/** A Plug and Play identifier: `PNP0501` as three letters of five bits and four digits. */
export function eisaId(id: string): Aml {
  const [, letters = "", digits = ""] = /^([A-Z]{3})([0-9A-F]{4})$/.exec(id) ?? [];
  if (letters === "") throw new InternalError(`"${id}" is no Plug and Play identifier`);
  const high = [...letters].reduce((sum, letter) => sum << 5 | letter.charCodeAt(0) - 0x40, 0);
  const low = parseInt(digits, 16);
  return [DWORD_PREFIX, high >> 8, high & 0xff, low >> 8, low & 0xff];
}

// ---- resources ------------------------------------------------------------------------------------

const IO_DESCRIPTOR = 0x47;
const DECODE_16 = 0x01;
const IRQ_DESCRIPTOR = 0x22;
const END_TAG = 0x79;
const DWORD_SPACE = 0x87;
const WORD_SPACE = 0x88;
/** Both ends are fixed; the bridge decodes positively. */
const FIXED_WINDOW = 0x0c;

/** What an address window is of, and its flags. */
export const WINDOW = {
  /** Read and write, not cacheable. */
  MEMORY: [0, 0x01],
  /** All of it, ISA ports and others. */
  IO: [1, 0x03],
  BUS: [2, 0x00],
} as const;

/** A buffer of resource descriptors. */
export function resources(...descriptors: readonly Aml[]): Aml {
  const list = joined(...descriptors, [END_TAG, 0]);
  return joined([BUFFER_OP], withLength(joined(integer(list.length), list)));
}

/** Ports that a device decodes itself, and nowhere else. */
export function ports(first: number, length: number): Aml {
  return [
    IO_DESCRIPTOR,
    DECODE_16,
    ...littleEndian(first, 2),
    ...littleEndian(first, 2),
    1,
    length,
  ];
}

/** An ISA interrupt: edge-triggered, active high. */
export function irq(number: number): Aml {
  return [IRQ_DESCRIPTOR, ...littleEndian(1 << number, 2)];
}

/**
 * A range that a bridge passes on, described in words: ports or buses.
 * @param last of the range, included
 */
export function wordWindow(kind: readonly [number, number], first: number, last: number): Aml {
  return window(WORD_SPACE, 2, kind, first, last);
}

/** As {@link wordWindow}, in double words: memory. */
export function dwordWindow(kind: readonly [number, number], first: number, last: number): Aml {
  return window(DWORD_SPACE, 4, kind, first, last);
}

function window(
  descriptor: number,
  size: number,
  [type, flags]: readonly [number, number],
  first: number,
  last: number,
): Aml {
  const [granularity, translation] = [0, 0];
  const fields = [granularity, first, last, translation, last - first + 1];
  const body = [type, FIXED_WINDOW, flags, ...fields.flatMap((field) => littleEndian(field, size))];
  return [descriptor, ...littleEndian(body.length, 2), ...body];
}

// ---- encoding -------------------------------------------------------------------------------------

const SEGMENT_LENGTH = 4;

/** One segment, in the root or in the scope around it. */
function nameString(name: string): Aml {
  const root = name.startsWith("\\");
  const segment = name.slice(root ? 1 : 0).padEnd(SEGMENT_LENGTH, "_");
  if (!/^[A-Z_][A-Z0-9_]{3}$/.test(segment)) throw new InternalError(`"${name}" is no AML name`);
  return [...root ? [ROOT_CHAR] : [], ...segment].map((char) =>
    typeof char === "string" ? char.charCodeAt(0) : char
  );
}

/**
 * PkgLength counts itself. One byte holds 6 bits; two, 4 and 8 more; three, another 8.
 */
function withLength(body: Aml): Aml {
  if (body.length + 1 < 1 << 6) return joined([body.length + 1], body);
  const size = body.length + 2 < 1 << 12 ? 2 : 3;
  const length = body.length + size;
  return joined([(size - 1) << 6 | length & 0xf], littleEndian(length >> 4, size - 1), body);
}
