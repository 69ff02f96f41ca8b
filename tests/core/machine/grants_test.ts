import { assertEquals, assertMatch } from "@std/assert";
import { boot, dword, exitWith, flatGuest, hypercall, store } from "../../helpers/small_machine.ts";

const OUT_AL = exitWith(0).slice(2);

/** The first page of the grant table. */
const TABLE = 0x120;
const PLACE_TABLE = [
  ...store(0x111000, 0x7ff0), // add_to_physmap: grant table, page 0
  ...store(0x111004, 1),
  ...store(0x111008, 0),
  ...store(0x11100c, TABLE),
  ...hypercall(12, 7, 0x111000, 0),
];
/** Reference 8: frame 140 for domain 1. */
const GRANT_FRAME = [
  ...store(TABLE * 4096 + 64 + 4, 0x140),
  ...store(TABLE * 4096 + 64, 1 << 16 | 1),
];
/** Where the arguments of map_grant_ref are. */
const MAP = 0x110000;
/** Domain 1 maps its reference 8. */
const mapGrant = (address: number, flags: number) => [
  ...store(MAP, address),
  ...store(MAP + 8, flags),
  ...store(MAP + 12, 8),
  ...store(MAP + 16, 1),
  ...hypercall(20, 0, MAP, 1),
];

Deno.test("Machine: a long array of grant operations is several hypercalls to the guest's one", () => {
  const swap3000 = hypercall(20, 11, 0x110000, 3000);
  const machine = boot(flatGuest(...swap3000, ...OUT_AL));
  const { code, counters } = machine.runSlice()!;
  assertEquals([code, counters.hypercalls.byName], [1, { grant_table_op: 3 }]);
  assertEquals(counters.exits.byReason["VMCALL"], 3);
});

Deno.test("Machine: a page mapped read-only is read where it is mapped, and written nowhere", () => {
  const other = 0x130000;
  const machine = boot(flatGuest(
    ...PLACE_TABLE,
    ...GRANT_FRAME,
    ...mapGrant(other, 6), // for the host, read-only
    ...store(0x140000, 0x55),
    ...store(other, 0x66),
    ...[0xa1, ...dword(other)], // mov eax, [other]
    ...OUT_AL,
  ));
  assertEquals(machine.runSlice()!.code, (0x55 << 1 | 1) & 0xff);
  assertEquals(machine.memory.read32(TABLE * 4096 + 64), 1 << 16 | 0x9);
  const lines = machine.inspector.grants();
  assertEquals(lines.slice(2, 5), [
    "grant-table for remote d0 (v1)",
    "  1 frames (64 max), 0 maptrack frames (1024 max)",
    "no active grant table entries",
  ]);
  assertEquals(lines.slice(5, 9), [
    "      -------- active --------       -------- shared --------",
    "[ref] localdom mfn      pin          localdom gmfn     flags",
    "grant-table for remote d1 (v1)",
    "  1 frames (64 max), 1 maptrack frames (1024 max)",
  ]);
  assertMatch(lines[9]!, /^\[0x008\] {6}1 0x[0-9a-f]{5} 0x00000100 {10}1 0x000140 0x09$/);
});

Deno.test("Inspector.grants() has nothing to list where Xen is hidden", () => {
  const { inspector } = boot(flatGuest(...exitWith(0)), { machine: "pc" });
  assertEquals(inspector.grants(), ["grants: no domain: this machine hides Xen"]);
});

Deno.test("Machine: a table of version 2 can grow as far as it may, and change back and forth", () => {
  const at = 0x110000;
  const machine = boot(flatGuest(
    ...store(at, 0x7ff0), // setup_table of 64 pages
    ...store(at + 4, 64),
    ...store(at + 12, 0x112000),
    ...hypercall(20, 2, at, 1),
    ...[2, 1, 2].flatMap((version) => [
      ...store(0x113000, version),
      ...hypercall(20, 8, 0x113000, 1),
    ]),
    ...[0x02, 0x05, ...dword(0x113000)], // add al, [0x113000]: 0 and the version
    ...OUT_AL,
  ));
  assertEquals(machine.runSlice()!.code, 2 << 1 | 1);
  assertEquals(machine.memory.read16(at + 8), 0);
});

Deno.test("Machine: a frame that was ballooned out is empty again when a grant is unmapped there", () => {
  const list = 0x112000;
  const machine = boot(flatGuest(
    ...PLACE_TABLE,
    ...store(list, 0x130), // decrease_reservation of frame 130
    ...store(0x112010, list),
    ...store(0x112014, 1),
    ...store(0x112018, 0),
    ...store(0x112020, 0x7ff0),
    ...hypercall(12, 1, 0x112010, 0),
    ...GRANT_FRAME,
    ...mapGrant(0x130000, 2),
    ...store(0x130000, 0x5a), // through the mapping
    ...store(MAP + 8, 0), // unmap_grant_ref: no bus address
    ...store(MAP + 12, 0),
    ...store(MAP + 16, 0), // handle
    ...hypercall(20, 1, MAP, 1),
    ...OUT_AL,
  ));
  assertEquals(machine.runSlice()!.code, 1);
  assertEquals(machine.memory.read32(0x140000), 0x5a);
  assertEquals([machine.memory.page(0x130), machine.memory.read16(MAP + 20)], [undefined, 0]);
});
