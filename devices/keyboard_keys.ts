/**
 * The keys of a PC keyboard with a US layout: their scan codes in the three sets, and how set 2
 * becomes set 1 in the keyboard controller.
 *
 * | set | press | release |
 * |---|---|---|
 * | 1 | code, some behind E0 | code with bit 7, behind E0 as the press |
 * | 2 | code, some behind E0 | F0 code, behind E0 as the press |
 * | 3 | code | F0 code |
 *
 * Source: IBM PS/2 Hardware Interface Technical Reference, keyboard scan codes; Microsoft Keyboard
 * Scan Code Specification 1.3a, appendix A.
 * @module
 */

/** Scan codes of a key; {@link EXTENDED} is part of that of set 2. */
export interface Key {
  readonly set2: number;
  readonly set3: number;
}

/** Behind E0 in sets 1 and 2. */
export const EXTENDED = 0x100;

/** What the controller makes of each byte from the keyboard while it translates. */
export const SET1_BY_SET2: Uint8Array = translation(
  "ff 43 41 3f 3d 3b 3c 58 64 44 42 40 3e 0f 29 59 65 38 2a 70 1d 10 02 5a 66 71 2c 1f 1e 11 03 5b",
  "67 2e 2d 20 12 05 04 5c 68 39 2f 21 14 13 06 5d 69 31 30 23 22 15 07 5e 6a 72 32 24 16 08 09 5f",
  "6b 33 25 17 18 0b 0a 60 6c 34 35 26 27 19 0c 61 6d 73 28 74 1a 0d 62 6e 3a 36 1c 1b 75 2b 63 76",
  "55 56 77 78 79 7a 0e 7b 7c 4f 7d 4b 47 7e 7f 6f 52 53 50 4c 4d 48 01 45 57 4e 51 4a 37 49 46 54",
);

/** By name; what types a character is named by it. */
export const KEYS: ReadonlyMap<string, Key> = new Map([
  ...plain(
    "`1234567890-=",
    [0x0e, 0x16, 0x1e, 0x26, 0x25, 0x2e, 0x36, 0x3d, 0x3e, 0x46, 0x45, 0x4e, 0x55],
  ),
  ...plain(
    "qwertyuiop[]",
    [0x15, 0x1d, 0x24, 0x2d, 0x2c, 0x35, 0x3c, 0x43, 0x44, 0x4d, 0x54, 0x5b],
  ),
  ...plain(
    "asdfghjkl;'",
    [0x1c, 0x1b, 0x23, 0x2b, 0x34, 0x33, 0x3b, 0x42, 0x4b, 0x4c, 0x52],
  ),
  ...plain("zxcvbnm,./ ", [0x1a, 0x22, 0x21, 0x2a, 0x32, 0x31, 0x3a, 0x41, 0x49, 0x4a, 0x29]),
  key("\\", 0x5d, 0x5c),
  key("Tab", 0x0d, 0x0d),
  key("Enter", 0x5a, 0x5a),
  key("Backspace", 0x66, 0x66),
  key("Escape", 0x76, 0x08),
  key("Shift", 0x12, 0x12),
  key("Control", 0x14, 0x11),
  key("Alt", 0x11, 0x19),
  key("Insert", EXTENDED | 0x70, 0x67),
  key("Delete", EXTENDED | 0x71, 0x64),
  key("Home", EXTENDED | 0x6c, 0x6e),
  key("End", EXTENDED | 0x69, 0x65),
  key("PageUp", EXTENDED | 0x7d, 0x6f),
  key("PageDown", EXTENDED | 0x7a, 0x6d),
  key("Up", EXTENDED | 0x75, 0x63),
  key("Down", EXTENDED | 0x72, 0x60),
  key("Left", EXTENDED | 0x6b, 0x61),
  key("Right", EXTENDED | 0x74, 0x6a),
  key("F1", 0x05, 0x07),
  key("F2", 0x06, 0x0f),
  key("F3", 0x04, 0x17),
  key("F4", 0x0c, 0x1f),
  key("F5", 0x03, 0x27),
  key("F6", 0x0b, 0x2f),
  key("F7", 0x83, 0x37),
  key("F8", 0x0a, 0x3f),
  key("F9", 0x01, 0x47),
  key("F10", 0x09, 0x4f),
  key("F11", 0x78, 0x56),
  key("F12", 0x07, 0x5e),
]);

/** The characters of {@link KEYS} that come with Shift, and the key of each. */
export const SHIFTED: ReadonlyMap<string, string> = new Map(
  [
    ...'~!@#$%^&*()_+{}:"<>?|',
    ..."ABCDEFGHIJKLMNOPQRSTUVWXYZ",
  ].map((character, i) => [character, "`1234567890-=[];',./\\abcdefghijklmnopqrstuvwxyz"[i]!]),
);

function key(name: string, set2: number, set3: number): [string, Key] {
  return [name, { set2, set3 }];
}

/** Keys that have the same code in sets 2 and 3. */
function plain(names: string, codes: readonly number[]): [string, Key][] {
  return codes.map((code, i) => key(names[i]!, code, code));
}

/** The lower half is the table of the controller's ROM; bytes above mean themselves but for two. */
function translation(...lowerHalf: readonly string[]): Uint8Array {
  const table = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  table.set(lowerHalf.join(" ").split(" ").map((digits) => parseInt(digits, 16)));
  table[0x83] = 0x41; // F7
  table[0x84] = 0x54; // Alt with Print Screen
  return table;
}
