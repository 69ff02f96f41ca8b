/**
 * ACPI and MP tables, as software finds them.
 * @module
 */

const HEADER_BYTES = 36;

/** Sum of all bytes, 0 when a checksum is right. */
export function sum(bytes: Uint8Array): number {
  return bytes.reduce((total, byte) => total + byte, 0) & 0xff;
}

/** Every table that the root pointer leads to, by signature; each with its length from its header. */
export function findTables(memory: Uint8Array, rsdp: number): Map<string, Uint8Array> {
  const view = new DataView(memory.buffer, memory.byteOffset);
  const tables = new Map<string, Uint8Array>();
  const take = (at: number): Uint8Array => {
    const table = memory.subarray(at, at + view.getUint32(at + 4, true));
    tables.set(new TextDecoder().decode(table.subarray(0, 4)), table);
    return table;
  };
  const rsdt = view.getUint32(rsdp + 16, true);
  const length = take(rsdt).length;
  for (let at = HEADER_BYTES; at < length; at += 4) take(view.getUint32(rsdt + at, true));
  const fadt = tables.get("FACP")!;
  const pointers = new DataView(fadt.buffer, fadt.byteOffset);
  for (const at of [0x24, 0x28]) take(pointers.getUint32(at, true));
  return tables;
}

/** Where a signature lies on a multiple of 16 bytes, -1 where it does not. */
export function findSignature(memory: Uint8Array, signature: string, from: number): number {
  for (let at = from; at + 16 <= memory.length; at += 16) {
    if (new TextDecoder().decode(memory.subarray(at, at + signature.length)) === signature) {
      return at;
    }
  }
  return -1;
}
