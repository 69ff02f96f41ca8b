/*
 * Grant table version 1; see grants.h.
 */
#include "grants.h"

#include "cpu.h"
#include "guest.h"
#include "xen.h"

#define GTF_permit_access 0x01
#define GTF_readonly 0x04
#define GTF_reading 0x08
#define GTF_writing 0x10

#define GNTTABOP_set_version 8

struct grant_entry {
    uint16_t flags;
    uint16_t domid;
    uint32_t frame;
};

_Static_assert(sizeof(struct grant_entry) == 8, "grant_entry_v1");

static volatile struct grant_entry *table;

void grants_init(uint32_t address)
{
    uint32_t version = 1;
    const int32_t result = hypercall(HYPERCALL_grant_table_op, GNTTABOP_set_version, &version, 1);
    check(result == 0, "GNTTABOP_set_version 1: %d", result);
    xen_map_page(SPACE_grant_table, 0, address);
    table = (volatile struct grant_entry *)address;
}

void grant_page(uint32_t gref, const void *data, enum grant_access access)
{
    volatile struct grant_entry *const entry = &table[gref];
    entry->domid = DOMID_DOM0;
    entry->frame = (uint32_t)data / PAGE_SIZE;
    compiler_barrier(); /* the flags make the entry valid and come last */
    entry->flags = access == GRANT_READ_ONLY ? GTF_permit_access | GTF_readonly : GTF_permit_access;
}

/* Check and clear are one compare-and-swap: Xen may set the mapped bits at any moment. */
bool grant_end(uint32_t gref)
{
    uint16_t flags = table[gref].flags;
    do {
        if (flags & (GTF_reading | GTF_writing))
            return false;
    } while (!__atomic_compare_exchange_n(&table[gref].flags, &flags, 0, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST));
    return true;
}
