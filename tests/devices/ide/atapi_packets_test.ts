import { assertEquals } from "@std/assert";
import { CdBench } from "../../helpers/atapi.ts";

const EJECT = [0x1b, 0, 0, 0, 2];
const LOAD = [0x1b, 0, 0, 0, 3];
const TEST_UNIT_READY = [0x00];

function text(data: Uint8Array, begin: number, end: number): string {
  return String.fromCharCode(...data.subarray(begin, end));
}

/** Sense after a command that must fail. */
function refusal(cd: CdBench, packet: readonly number[]): number[] {
  const { status, error } = cd.pio(packet);
  const sense = cd.sense();
  assertEquals([status, error >>> 4], [0x41, sense[0]]);
  return sense;
}

Deno.test("executePacket() answers INQUIRY and its vital product data", () => {
  const cd = new CdBench(4);
  const { data } = cd.pio([0x12, 0, 0, 0, 36]);
  assertEquals([data.length, ...data.subarray(0, 5)], [36, 5, 0x80, 0, 0x21, 31]);
  assertEquals(text(data, 8, 36), "QEMU    QEMU DVD-ROM    2.5+");
  assertEquals([...cd.pio([0x12, 1, 0, 0, 0xff]).data], [5, 0, 0, 3, 0, 0x80, 0x83]);
  assertEquals(text(cd.pio([0x12, 1, 0x80, 0, 0xff]).data, 4, 24), "QM00003".padEnd(20));
  assertEquals(refusal(cd, [0x12, 1, 0xb0, 0, 0xff]), [5, 0x24, 0]);
  assertEquals(refusal(cd, [0x12, 0, 0x80, 0, 0xff]), [5, 0x24, 0]);
});

Deno.test("executePacket() tells the disc's last block and its tracks", () => {
  const cd = new CdBench(0x1234);
  assertEquals([...cd.pio([0x25]).data], [0, 0, 0x12, 0x33, 0, 0, 8, 0]);
  const toc = (packet: number[]): number[] => [...cd.pio(packet).data];
  const lba = [0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xaa, 0, 0, 0, 0x12, 0x34];
  assertEquals(toc([0x43, 0, 0, 0, 0, 0, 0, 1, 0]), [0, 18, 1, 1, 0, ...lba]);
  // 1234h frames after 00:02:00.
  const end = [0x14, 0xaa, 0, 0, 1, 4, 10];
  assertEquals(toc([0x43, 2, 0, 0, 0, 0, 0xaa, 1, 0]), [0, 10, 1, 1, 0, ...end]);
  assertEquals(toc([0x43, 0, 1, 0, 0, 0, 0, 1, 0]), [0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0]);
  assertEquals(toc([0x43, 0, 0, 0, 0, 0, 0, 0, 12, 0x40]), toc([0x43, 0, 1, 0, 0, 0, 0, 1, 0]));
  const raw = toc([0x43, 2, 2, 0, 0, 0, 0, 1, 0]);
  assertEquals(raw.slice(0, 4), [0, 46, 1, 1]);
  assertEquals([4, 15, 26, 37].map((at) => raw[at + 3]), [0xa0, 0xa1, 0xa2, 1]);
  assertEquals(raw.slice(34, 37), [1, 4, 10]);
  assertEquals(refusal(cd, [0x43, 0, 0, 0, 0, 0, 2, 1, 0]), [5, 0x24, 0]);
  assertEquals(refusal(cd, [0x43, 0, 5, 0, 0, 0, 0, 1, 0]), [5, 0x24, 0]);
});

Deno.test("executePacket() cuts a reply at the allocation length, without data at 0", () => {
  const cd = new CdBench(4);
  assertEquals([...cd.pio([0x43, 0, 0, 0, 0, 0, 0, 0, 4]).data], [0, 18, 1, 1]);
  const none = cd.pio([0x43, 0, 0, 0, 0, 0, 0, 0, 0]);
  assertEquals([none.bursts, none.status, none.reason], [[], 0x50, 3]);
});

Deno.test("executePacket() refuses blocks behind the last and reads none when asked for none", () => {
  const cd = new CdBench(16);
  assertEquals(refusal(cd, [0x28, 0, 0, 0, 0, 15, 0, 0, 2]), [5, 0x21, 0]);
  assertEquals(refusal(cd, [0xa8, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1]), [5, 0x21, 0]);
  assertEquals(refusal(cd, [0x2b, 0, 0, 0, 0, 16]), [5, 0x21, 0]);
  assertEquals(cd.pio([0x28, 0, 0, 0, 0, 16]).status, 0x50);
  assertEquals(cd.pio([0x2b, 0, 0, 0, 0, 15]).status, 0x50);
  assertEquals(cd.disc.log, []);
  assertEquals(refusal(cd, [0xad]), [5, 0x20, 0]);
});

Deno.test("executePacket() gives READ CD the user data of mode 1 sectors alone", () => {
  const cd = new CdBench(16);
  const readCd = (type: number, parts: number, sub = 0): number[] => {
    return [0xbe, type << 2, 0, 0, 0, 3, 0, 0, 2, parts, sub];
  };
  assertEquals(cd.pio(readCd(0, 0x10)).data, cd.blocks(3, 2));
  assertEquals(cd.pio(readCd(2, 0x10)).data, cd.blocks(3, 2));
  assertEquals(cd.pio(readCd(0, 0)).data.length, 0);
  assertEquals(refusal(cd, readCd(1, 0x10)), [5, 0x64, 0]);
  assertEquals(refusal(cd, readCd(0, 0xf8)), [5, 0x24, 0]);
  assertEquals(refusal(cd, readCd(0, 0x10, 1)), [5, 0x24, 0]);
});

Deno.test("executePacket() shows mode pages behind short and long headers", () => {
  const cd = new CdBench(4);
  const short = [...cd.pio([0x1a, 0, 0x2a, 0, 0xff]).data];
  assertEquals([short.length, ...short.slice(0, 7)], [24, 23, 1, 0, 0, 0x2a, 18, 3]);
  const long = [...cd.pio([0x5a, 0, 0x2a, 0, 0, 0, 0, 1, 0]).data];
  assertEquals([long.length, ...long.slice(0, 4)], [28, 0, 26, 1, 0]);
  assertEquals(long.slice(8), short.slice(4));
  assertEquals([...cd.pio([0x1a, 0, 0x3f, 0, 0xff]).data].slice(4, 6), [1, 6]);
  assertEquals([...cd.pio([0x1a, 0, 0x41, 0, 0xff]).data].slice(4), [1, 6, 0, 0, 0, 0, 0, 0]);
  assertEquals(refusal(cd, [0x1a, 0, 0xea, 0, 0xff]), [5, 0x39, 0]);
  assertEquals(refusal(cd, [0x1a, 0, 0x0e, 0, 0xff]), [5, 0x24, 0]);
});

Deno.test("executePacket() lists its features, all, current ones and one", () => {
  const cd = new CdBench(4);
  const features = (requested: number, first = 0): number[] => {
    const { data } = cd.pio([0x46, requested, first >>> 8, first & 0xff, 0, 0, 0, 1, 0]);
    const codes: number[] = [];
    for (let at = 8; at < data.length; at += 4 + data[at + 3]!) {
      codes.push(data[at]! << 8 | data[at + 1]!);
    }
    assertEquals(data[2]! << 8 | data[3]!, data.length - 4);
    return codes;
  };
  const all = [0x00, 0x01, 0x02, 0x03, 0x10, 0x1e, 0x100, 0x105];
  assertEquals(features(0), all);
  assertEquals(features(1), all);
  assertEquals(features(0, 0x10), [0x10, 0x1e, 0x100, 0x105]);
  assertEquals(features(2, 0x10), [0x10]);
  cd.pio(EJECT);
  assertEquals(features(0), all);
  assertEquals(features(1), [0x00, 0x01, 0x02, 0x03, 0x100, 0x105]);
  assertEquals(refusal(cd, [0x46, 3, 0, 0, 0, 0, 0, 1, 0]), [5, 0x24, 0]);
});

Deno.test("executePacket() tells of a disc that went and came", () => {
  const cd = new CdBench(4);
  const event = (): number[] => [...cd.pio([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8]).data];
  const mechanism = (): number => cd.pio([0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8]).data[1]!;
  assertEquals(cd.pio(TEST_UNIT_READY).status, 0x50);
  assertEquals(event(), [0, 6, 4, 0x10, 0, 2, 0, 0]);
  assertEquals(cd.pio(EJECT).status, 0x50);
  assertEquals(refusal(cd, TEST_UNIT_READY), [2, 0x3a, 2]);
  assertEquals(event(), [0, 6, 4, 0x10, 3, 1, 0, 0]);
  assertEquals(mechanism(), 0x10);
  assertEquals(cd.pio(LOAD).status, 0x50);
  assertEquals(event(), [0, 6, 4, 0x10, 2, 2, 0, 0]);
  assertEquals(event(), [0, 6, 4, 0x10, 0, 2, 0, 0]);
  assertEquals(cd.pio([0x12, 0, 0, 0, 36]).status, 0x50);
  assertEquals(refusal(cd, TEST_UNIT_READY), [6, 0x28, 0]);
  assertEquals(cd.pio(TEST_UNIT_READY).status, 0x50);
  assertEquals(mechanism(), 0);
});

Deno.test("executePacket() lets REQUEST SENSE tell of a change before any other command does", () => {
  const cd = new CdBench(4);
  cd.pio(EJECT);
  cd.pio(LOAD);
  assertEquals(cd.sense(), [6, 0x28, 0]);
  assertEquals(cd.pio(TEST_UNIT_READY).status, 0x50);
});

Deno.test("executePacket() keeps a locked tray closed", () => {
  const cd = new CdBench(4);
  cd.pio([0x1e, 0, 0, 0, 1]);
  assertEquals(refusal(cd, EJECT), [5, 0x53, 2]);
  assertEquals(cd.pio([0x1a, 0, 0x2a, 0, 0xff]).data[10]! & 2, 2);
  cd.pio([0x1e, 0, 0, 0, 0]);
  assertEquals(cd.pio(EJECT).status, 0x50);
});

Deno.test("executePacket() has no disc when the image has no whole block", () => {
  const cd = new CdBench(0);
  assertEquals(refusal(cd, TEST_UNIT_READY), [2, 0x3a, 1]);
  assertEquals(refusal(cd, [0x25]), [2, 0x3a, 1]);
  assertEquals(cd.pio([0x1a, 0, 0x2a, 0, 4]).data[1], 0x70);
  assertEquals([...cd.pio([0x4a, 1, 0, 0, 2, 0, 0, 0, 8]).data], [0, 2, 0x80, 0x10]);
});

Deno.test("executePacket() says that nothing can be added to the disc", () => {
  const { data } = new CdBench(4).pio([0x51, 0, 0, 0, 0, 0, 0, 0, 64]);
  assertEquals([data.length, ...data.subarray(0, 7)], [34, 0, 32, 0x0e, 1, 1, 1, 1]);
});
