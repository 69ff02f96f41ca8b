/*
 * Detection, hypercalls and shared_info; see xen.h.
 */
#include "xen.h"

#include "cpu.h"
#include "guest.h"

#define LEAF_FIRST 0x40000000
#define LEAF_STEP 0x100
#define LEAF_LAST 0x4000ff00
#define HYPERCALL_ENTRY_BYTES 32

#define XENMEM_add_to_physmap 7
#define HVMOP_set_param 0
#define HVMOP_get_param 1

struct add_to_physmap {
    uint16_t domid;
    uint16_t size;
    uint32_t space;
    uint32_t index;
    uint32_t gpfn;
};

struct hvm_param {
    uint16_t domid;
    uint16_t pad;
    uint32_t index;
    uint64_t value;
};

_Static_assert(sizeof(struct add_to_physmap) == 16, "xen_add_to_physmap");
_Static_assert(sizeof(struct hvm_param) == 16, "xen_hvm_param");
_Static_assert(offsetof(struct vcpu_info, pending_selector) == 4, "vcpu_info");
_Static_assert(offsetof(struct shared_info, pending) == 2048, "shared_info");
_Static_assert(offsetof(struct shared_info, mask) == 2176, "shared_info");
_Static_assert(sizeof(struct shared_info) == PAGE_SIZE, "shared_info");

/* Xen fills it with code. */
static uint8_t hypercall_page[PAGE_SIZE] __attribute__((aligned(4096)));
volatile struct shared_info shared_info;

static uint32_t find_leaves(void)
{
    for (uint32_t leaf = LEAF_FIRST; leaf <= LEAF_LAST; leaf += LEAF_STEP) {
        const struct cpuid_leaf id = cpuid(leaf);
        if (id.ebx == 0x566e6558 /* XenV */ && id.ecx == 0x65584d4d /* MMXe */ &&
            id.edx == 0x4d4d566e /* nVMM */ && id.eax - leaf >= 2)
            return leaf;
    }
    fail("no Xen: CPUID leaves 0x40000000 to 0x4000ff00 lack XenVMMXenVMM");
}

void xen_init(void)
{
    const uint32_t leaf = find_leaves();
    const uint32_t version = cpuid(leaf + 1).eax;
    const uint32_t msr = cpuid(leaf + 2).ebx;
    wrmsr(msr, (uint32_t)hypercall_page, 0);
    xen_map_page(SPACE_shared_info, 0, (uint32_t)&shared_info);
    print("Xen %u.%u, CPUID leaf 0x%x\n", version >> 16, version & 0xffff, leaf);
}

int32_t hypercall(uint32_t number, uint32_t first, const void *second, uint32_t third)
{
    int32_t result;
    asm volatile("call *%4"
                 : "=a"(result), "+b"(first), "+c"(second), "+d"(third)
                 : "r"(hypercall_page + number * HYPERCALL_ENTRY_BYTES)
                 : "memory", "cc");
    return result;
}

void xen_map_page(uint32_t space, uint32_t index, uint32_t address)
{
    const struct add_to_physmap map = {
        .domid = DOMID_SELF, .space = space, .index = index, .gpfn = address / PAGE_SIZE};
    const int32_t result = hypercall(HYPERCALL_memory_op, XENMEM_add_to_physmap, &map, 0);
    check(result == 0, "add_to_physmap of space %u to 0x%08x: %d", space, address, result);
}

uint64_t hvm_get_param(uint32_t index)
{
    struct hvm_param param = {.domid = DOMID_SELF, .index = index};
    const int32_t result = hypercall(HYPERCALL_hvm_op, HVMOP_get_param, &param, 0);
    check(result == 0, "get HVM parameter %u: %d", index, result);
    return param.value;
}

void hvm_set_param(uint32_t index, uint64_t value)
{
    const struct hvm_param param = {.domid = DOMID_SELF, .index = index, .value = value};
    const int32_t result = hypercall(HYPERCALL_hvm_op, HVMOP_set_param, &param, 0);
    check(result == 0, "set HVM parameter %u: %d", index, result);
}
