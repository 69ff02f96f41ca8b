import { assertEquals } from "@std/assert";
import { IoPortBus } from "../../devices/bus.ts";
import { FW_CFG, FW_CFG_DMA_PORTS, FW_CFG_PORTS, FwCfg } from "../../devices/fw_cfg.ts";
import { makeRam } from "../helpers/host.ts";

const SELECT = 0x510;
const DATA = 0x511;
const DMA = 0x514;
const REQUEST = 0x1000;
const BUFFER = 0x2ffe;
const TEXT = new TextEncoder();

function makeFwCfg() {
  const memory = makeRam();
  const ports = new IoPortBus();
  const fwCfg = new FwCfg(memory, () => ({
    items: new Map([[FW_CFG.CPU_COUNT, Uint8Array.of(1, 0)]]),
    files: new Map([["etc/one", TEXT.encode("first")], ["two", TEXT.encode("2")]]),
  }));
  ports.map("fw_cfg", SELECT, FW_CFG_PORTS, fwCfg);
  ports.map("fw_cfg dma", DMA, FW_CFG_DMA_PORTS, fwCfg.dma);
  const select = (item: number) => ports.write(SELECT, 2, item);
  const next = (count: number) => Array.from({ length: count }, () => ports.read(DATA, 1));
  /** A request in memory; returns what is left of its control word. */
  const request = (control: number, length: number, gpa: number = BUFFER, high = 0): number => {
    const words = [control, length, high, gpa];
    words.forEach((word, i) => memory.write32(REQUEST + 4 * i, bigEndian(word)));
    ports.write(DMA, 4, 0);
    ports.write(DMA + 4, 4, bigEndian(REQUEST));
    return bigEndian(memory.read32(REQUEST));
  };
  const bytes = (gpa: number, count: number) =>
    Array.from({ length: count }, (_, i) => memory.read8(gpa + i));
  return { memory, ports, select, next, request, bytes };
}

function bigEndian(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value);
  return view.getUint32(0, true);
}

Deno.test("FwCfg is found by its signature and features", () => {
  const { select, next, ports } = makeFwCfg();
  select(FW_CFG.SIGNATURE);
  assertEquals(next(4), [...TEXT.encode("QEMU")]);
  select(FW_CFG.ID);
  assertEquals(next(4), [3, 0, 0, 0]);
  assertEquals([ports.read(DMA, 4), ports.read(DMA + 4, 4)], [0x554d4551, 0x47464320]);
});

Deno.test("FwCfg gives the signature to who selects nothing, as QEMU after a reset", () => {
  assertEquals(new TextDecoder().decode(Uint8Array.from(makeFwCfg().next(4))), "QEMU");
});

Deno.test("FwCfg reads items from their first byte, and zeros behind the last", () => {
  const { select, next } = makeFwCfg();
  select(FW_CFG.CPU_COUNT);
  assertEquals(next(4), [1, 0, 0, 0]);
  select(FW_CFG.CPU_COUNT);
  assertEquals(next(1), [1]);
  select(0x7777);
  assertEquals(next(2), [0, 0]);
});

Deno.test("FwCfg lists its files", () => {
  const { select, next } = makeFwCfg();
  select(FW_CFG.FILE_DIR);
  assertEquals(next(4), [0, 0, 0, 2]);
  assertEquals(next(8), [0, 0, 0, 5, 0, 0x20, 0, 0]);
  assertEquals(next(56), [...TEXT.encode("etc/one"), ...new Array(49).fill(0)]);
  assertEquals(next(8), [0, 0, 0, 1, 0, 0x21, 0, 0]);
  select(FW_CFG.FILE_FIRST + 1);
  assertEquals(next(1), [0x32]);
});

Deno.test("FwCfg gives a string as its bytes would come one by one", () => {
  const { select, ports } = makeFwCfg();
  select(FW_CFG.FILE_FIRST);
  ports.read(DATA, 1);
  const into = new Uint8Array(6).fill(0xee);
  ports.readString(DATA, 1, into);
  assertEquals([...into], [...TEXT.encode("irst"), 0, 0]);
});

Deno.test("FwCfg.dma selects, skips and copies, across a page", () => {
  const { request, bytes } = makeFwCfg();
  assertEquals(request((FW_CFG.FILE_FIRST << 16) | 0x08, 0), 0);
  assertEquals(request(0x04, 1), 0);
  assertEquals(request(0x02, 6), 0);
  assertEquals(bytes(BUFFER, 6), [...TEXT.encode("irst"), 0, 0]);
  assertEquals(request((FW_CFG.FILE_FIRST << 16) | 0x0a, 5, 0xc0000), 0);
  assertEquals(bytes(0xc0000, 5), [...TEXT.encode("first")]);
});

Deno.test("FwCfg.dma answers with an error what it cannot do", () => {
  const { request } = makeFwCfg();
  const select = (FW_CFG.FILE_FIRST << 16) | 0x08;
  assertEquals(request(select | 0x10, 1), 1);
  assertEquals(request(select | 0x02, 1, BUFFER, 1), 1);
  assertEquals(request(select | 0x02, 0xffffffff), 1);
});
