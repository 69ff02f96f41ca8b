/*
 * Xen from a 32-bit HVM guest: detection, hypercalls through the hypercall page, shared_info.
 * Source: xen/include/public: xen.h, memory.h, arch-x86/xen-x86_32.h, arch-x86/cpuid.h, hvm. All
 * layouts are those of the i386 ABI.
 */
#ifndef XEN_H
#define XEN_H

#include <stdint.h>

#define DOMID_SELF 0x7ff0
#define DOMID_DOM0 0

/* Hypercall numbers. */
enum {
    HYPERCALL_memory_op = 12,
    HYPERCALL_grant_table_op = 20,
    HYPERCALL_event_channel_op = 32,
    HYPERCALL_hvm_op = 34,
};

enum {
    HVM_PARAM_CALLBACK_IRQ = 0,
    HVM_PARAM_STORE_PFN = 1,
    HVM_PARAM_STORE_EVTCHN = 2,
};

/* XENMEM_add_to_physmap spaces. */
enum {
    SPACE_shared_info = 0,
    SPACE_grant_table = 1,
};

struct vcpu_info {
    uint8_t upcall_pending;
    uint8_t upcall_mask; /* ignored for HVM */
    uint32_t pending_selector;
    uint8_t arch_and_time[56];
};

/* The alignment makes it a page of its own, which Xen replaces by one it shares. */
struct shared_info {
    struct vcpu_info vcpu[32];
    uint32_t pending[32]; /* one bit a port; bit n of the selector stands for word n */
    uint32_t mask[32];
} __attribute__((aligned(4096)));

extern volatile struct shared_info shared_info;

/* Finds Xen by CPUID, writes the hypercall page, maps shared_info. Fails if there is no Xen. */
void xen_init(void);

/* Calls hypercall `number`; returns its result, negative errno on failure. */
int32_t hypercall(uint32_t number, uint32_t first, const void *second, uint32_t third);

/* Puts page `index` of `space` behind the frame at `address`; fails if Xen refuses. */
void xen_map_page(uint32_t space, uint32_t index, uint32_t address);

uint64_t hvm_get_param(uint32_t index);
void hvm_set_param(uint32_t index, uint64_t value);

#endif
