import { assertEquals } from "@std/assert";
import { RegisterFile } from "../../helpers/xen_guest.ts";
import { VirtualClock } from "../../../core/clock.ts";
import { Dom0Timeline } from "../../../core/dom0.ts";
import { Accounting } from "../../../core/hypervisor/books/accounting.ts";
import { XenStore } from "../../../core/hypervisor/xenstore/xenstore.ts";
import { HVM_PARAM } from "../../../core/hypervisor/hypercalls/hvm_params.ts";
import { Books } from "../../../core/ledger.ts";
import { Domain } from "../../../core/machine/domain.ts";
import type { Disk } from "../../../core/types.ts";
import { COSTS, FakeVcpu, makeRam } from "../../helpers/host.ts";
import { runUntil } from "../../helpers/pc_devices.ts";

const XS_READ = 2;
const RSP = 1024;

function makeDomain() {
  const clock = new VirtualClock();
  const books = new Books(clock);
  const memory = makeRam(2 << 20, 80);
  const disk: Disk = { sectorCount: 64, readOnly: true, submit: () => {} };
  const domain = new Domain({
    clock,
    ledger: books,
    memory,
    physmap: memory,
    store: new XenStore(),
    domid: 1,
    dom0: new Dom0Timeline(clock),
    errors: new Accounting(),
    costs: COSTS,
    disks: [{ vdev: "hda", disk }],
    onShutdown: () => {},
  });
  const param = (index: number) => Number(domain.xen.params.get(index));
  return { clock, books, memory, domain, param };
}

Deno.test("Domain tells the guest where xenstore is, and xenstore what xl would write", () => {
  const { clock, memory, domain, param } = makeDomain();
  const page = memory.page(param(HVM_PARAM.STORE_PFN))!;
  const view = new DataView(page.buffer, page.byteOffset, 4096);
  const path = "device/vbd/768/backend\0";
  [XS_READ, 7, 0, path.length].forEach((word, i) => view.setUint32(4 * i, word, true));
  page.set(new TextEncoder().encode(path), 16);
  view.setUint32(2052, 16 + path.length, true); // req_prod
  domain.xen.events.send(param(HVM_PARAM.STORE_EVTCHN));
  runUntil(clock, 1_000_000);
  const length = view.getUint32(RSP + 12, true);
  const answer = new TextDecoder().decode(page.slice(RSP + 16, RSP + 16 + length));
  assertEquals(answer, "/local/domain/0/backend/vbd/1/768");
  assertEquals(domain.xen.events.isPending(param(HVM_PARAM.STORE_EVTCHN)), true);
});

Deno.test("Domain charges a hypercall by its name", () => {
  const { books, domain } = makeDomain();
  const vcpu = new FakeVcpu();
  vcpu.regs[0] = 17; // xen_version
  domain.xen.hypercall(vcpu);
  assertEquals(vcpu.regs[0], 0x00040011);
  assertEquals(books.snapshot().hypercall, COSTS.hypercall + COSTS.hypercallWork["xen_version"]!);
});

Deno.test("Domain tells the guest its UUID and its memory", () => {
  const { memory, domain } = makeDomain();
  const call = new RegisterFile();
  const hypercall = (...[eax, ebx, ecx]: readonly [number, number, number]) => {
    [call.regs[0], call.regs[3], call.regs[1]] = [eax, ebx, ecx];
    domain.xen.hypercall(call);
    return call.regs[0]! | 0;
  };
  assertEquals(hypercall(17, 8, 0x2000), 0);
  const uuid = memory.range(0x2000, 16)!.toHex();
  assertEquals(`${uuid.slice(0, 8)}-${uuid.slice(8, 12)}`, "00000000-0000");
  assertEquals(uuid.slice(-12), "000000000001");
  memory.write32(0x2000, 9);
  memory.write32(0x2004, 0x3000);
  assertEquals([hypercall(12, 9, 0x2000), memory.read32(0x2000)], [0, 1]);
  const [base, length, type] = [0, 8, 16].map((at) => memory.read32(0x3000 + at));
  assertEquals([base, base! + length!, type], [0x100000, memory.size, 1]);
});
