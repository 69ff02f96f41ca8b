/**
 * Hypercalls with pointers that lead nowhere, and from where nobody may make them. Xen answers
 * -EFAULT or -EPERM, and has written nothing.
 */

import { assertEquals } from "@std/assert";
import { PAGE_SIZE } from "../../../../core/types.ts";
import { GUEST_PAGES, XenGuest } from "../../../helpers/xen_guest.ts";

const [EPERM, EFAULT, EINVAL] = [-1, -14, -22] as const;

/** Commands that read a structure: where the pointer is, and what the other register needs. */
const CALLS: readonly (readonly [
  name: string,
  number: number,
  command: number,
  pointer: "ecx" | "edx",
  other: number,
])[] = [
  ["XENMEM_current_reservation", 12, 3, "ecx", 0],
  ["XENMEM_maximum_reservation", 12, 4, "ecx", 0],
  ["XENMEM_add_to_physmap", 12, 7, "ecx", 0],
  ["XENMEM_remove_from_physmap", 12, 15, "ecx", 0],
  ["XENMEM_add_to_physmap_batch", 12, 23, "ecx", 0],
  ["XENVER_extraversion", 17, 1, "ecx", 0],
  ["XENVER_get_features", 17, 6, "ecx", 0],
  ["GNTTABOP_map_grant_ref", 20, 0, "ecx", 1],
  ["GNTTABOP_unmap_grant_ref", 20, 1, "ecx", 1],
  ["GNTTABOP_setup_table", 20, 2, "ecx", 1],
  ["GNTTABOP_copy", 20, 5, "ecx", 1],
  ["GNTTABOP_query_size", 20, 6, "ecx", 1],
  ["GNTTABOP_set_version", 20, 8, "ecx", 1],
  ["GNTTABOP_get_version", 20, 10, "ecx", 1],
  ["GNTTABOP_swap_grant_ref", 20, 11, "ecx", 1],
  ["VCPUOP_get_runstate_info", 24, 4, "edx", 0],
  ["VCPUOP_register_runstate_memory_area", 24, 5, "edx", 0],
  ["VCPUOP_set_periodic_timer", 24, 6, "edx", 0],
  ["VCPUOP_set_singleshot_timer", 24, 8, "edx", 0],
  ["VCPUOP_register_vcpu_info", 24, 10, "edx", 0],
  ["SCHEDOP_shutdown", 29, 2, "ecx", 0],
  ["SCHEDOP_poll", 29, 3, "ecx", 0],
  ["EVTCHNOP_bind_interdomain", 32, 0, "ecx", 0],
  ["EVTCHNOP_bind_virq", 32, 1, "ecx", 0],
  ["EVTCHNOP_close", 32, 3, "ecx", 0],
  ["EVTCHNOP_send", 32, 4, "ecx", 0],
  ["EVTCHNOP_status", 32, 5, "ecx", 0],
  ["EVTCHNOP_alloc_unbound", 32, 6, "ecx", 0],
  ["EVTCHNOP_bind_ipi", 32, 7, "ecx", 0],
  ["EVTCHNOP_bind_vcpu", 32, 8, "ecx", 0],
  ["EVTCHNOP_unmask", 32, 9, "ecx", 0],
  ["EVTCHNOP_reset", 32, 10, "ecx", 0],
  ["HVMOP_set_param", 34, 0, "ecx", 0],
  ["HVMOP_get_param", 34, 1, "ecx", 0],
];

/** Those that do not read their structure first. */
const ANSWERS_ONLY = ["XENVER_extraversion", "VCPUOP_get_runstate_info"];

const ABSENT = 0x300;
const APIC = 0xfee00;
const VIDEO_HOLE = 0xa0;
/** One byte before the end of a page. */
const LAST = PAGE_SIZE - 1;

/** Pointers, by what is behind them. The guest has 64 pages of RAM. */
const POINTERS: readonly (readonly [what: string, pointer: number])[] = [
  ["a page that is not present", ABSENT * PAGE_SIZE + 64],
  ["a page whose next one is not present", (ABSENT - 1) * PAGE_SIZE + LAST],
  ["the local APIC", APIC * PAGE_SIZE],
  ["the page before the local APIC", (ABSENT + 2) * PAGE_SIZE + LAST],
  ["the video hole", VIDEO_HOLE * PAGE_SIZE],
  ["the first byte behind RAM", GUEST_PAGES * PAGE_SIZE],
  ["the last byte of RAM", GUEST_PAGES * PAGE_SIZE - 1],
  ["the end of the address space", 0xffffffff],
];

function guest(): XenGuest {
  const guest = new XenGuest();
  const { mapped } = guest.vcpu;
  mapped.set(ABSENT - 1, 5);
  mapped.set(ABSENT, undefined);
  mapped.set(ABSENT + 2, 6);
  mapped.set(ABSENT + 3, APIC);
  mapped.set(0xfffff, 7);
  mapped.set(0, undefined);
  for (let gpa = 0; gpa < guest.memory.size; gpa++) guest.memory.write8(gpa, 0x6b);
  return guest;
}

/** @param but the one frame that Xen may have begun to fill when it met the next page */
function assertUntouched({ memory, shutdowns }: XenGuest, but?: number): void {
  for (let gfn = 0; gfn < GUEST_PAGES; gfn++) {
    if (gfn !== but) {
      assertEquals(memory.page(gfn)!.every((byte) => byte === 0x6b), true, `frame ${gfn}`);
    }
  }
  assertEquals(shutdowns, []);
}

for (const [name, number, command, register, other] of CALLS) {
  Deno.test(`${name} with a pointer that leads nowhere is answered -EFAULT`, () => {
    for (const [what, pointer] of POINTERS) {
      const it = guest();
      const args = register === "ecx" ? [pointer, other] as const : [other, pointer] as const;
      assertEquals(it.call(number, command, ...args), EFAULT, what);
      const gpa = ANSWERS_ONLY.includes(name) ? it.vcpu.linearToGpa(pointer) : undefined;
      assertUntouched(it, gpa && Math.floor(gpa / PAGE_SIZE));
    }
  });
}

/** Where hypercalls may not be made: CPL, and EFLAGS.VM. */
const OUTSIDE = [["CPL 3", 3, 2], ["CPL 1", 1, 2], ["V86 mode", 3, 0x20002], [
  "V86 with CPL 0",
  0,
  0x20002,
]] as const;
for (const [where, cpl, eflags] of OUTSIDE) {
  Deno.test(`No hypercall can be made from ${where}`, () => {
    const it = guest();
    it.vcpu.cpl = cpl;
    it.vcpu.eflags = eflags;
    for (let number = 0; number < 64; number++) {
      for (const command of [0, 2, 3, 4, 5, 6, 7, 10, 15]) {
        assertEquals(it.call(number, command, 0x8000, 0x8000), EPERM, `${number}, ${command}`);
      }
    }
    assertUntouched(it);
  });
}

Deno.test("A kernel in real mode makes hypercalls", () => {
  const it = guest();
  it.vcpu.cr[0] = 0;
  assertEquals(it.call(17, 0), 0x40011); // Xen 4.17
});

Deno.test("A hypercall with any number and any arguments gets an answer", () => {
  const values = [0, 1, 2, 0x7fffffff, 0x80000000, 0xfffff000, 0xfffffffe, 0xffffffff];
  for (let number = 0; number < 64; number++) {
    const { xen, vcpu } = new XenGuest();
    for (let command = 0; command < 64; command++) {
      for (const value of values) {
        for (const [ecx, edx] of [[value, value], [value, 1], [0, value]] as const) {
          vcpu.regs.set([number, ecx, edx, command]);
          xen.hypercall(vcpu); // of a long one, the first part
        }
      }
    }
  }
});

Deno.test("XENMEM_add_to_physmap refuses frames and pages that there are not", () => {
  const it = new XenGuest();
  const rows = [
    [0, 1, 0x10], // there is one shared_info
    [0, 0xffffffff, 0x10],
    [1, 64, 0x10], // the table has 64 pages at most
    [1, 0x80000000, 0x10], // status words of version 1
    [1, 0xffffffff, 0x10],
    [5, 0, 0x10],
    [0xffffffff, 0, 0x10],
    [0, 0, 0x100000],
    [0, 0, 0xffffffff],
    [2, 0x100, 0x10], // no page of its own
    [2, 0xffffffff, 0x10],
  ];
  for (const [space, index, gfn] of rows) {
    assertEquals(it.addToPhysmap(space!, index!, gfn!), EINVAL, `${space}, ${index}, ${gfn}`);
  }
});

Deno.test("EVTCHNOP_send and its like refuse every port that is none", () => {
  const it = new XenGuest();
  it.mapSharedInfo();
  for (const command of [3, 4]) {
    for (const port of [0, 100, 1023, 1024, 4095, 4096, 131071, 131072, 0x80000000, 0xffffffff]) {
      assertEquals(it.call(32, command, it.struct([0, 4, port])), EINVAL, `${command}, ${port}`);
    }
  }
});

Deno.test("EVTCHNOP_alloc_unbound ends with -ENOSPC, and a closed port can be had again", () => {
  const it = new XenGuest();
  let result = 0;
  let count = 0;
  for (; count < 5000 && result === 0; count++) {
    result = it.call(32, 6, it.struct([0, 2, 0x7ff0], [2, 2, 0]));
  }
  assertEquals([count, result], [1024, -28]);
  assertEquals(it.call(32, 3, it.struct([0, 4, 500])), 0);
  assertEquals(it.allocateUnbound(), 500);
});

Deno.test("A storm of events to oneself, to nobody and to a masked port changes nothing else", () => {
  const it = new XenGuest();
  it.mapSharedInfo();
  const own = it.allocateUnbound();
  for (let i = 0; i < 10_000; i++) assertEquals(it.send(own), 0);
  assertEquals(it.xen.upcallPending, false);
  assertEquals(it.dom0.charges, []);
});
