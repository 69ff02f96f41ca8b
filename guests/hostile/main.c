/*
 * hostile: a guest that breaks the rules, one at a time.
 *
 * Proves that each offence gets its architectural answer and that the parts it did not touch go on
 * working. Command line: do=OFFENCE.
 *
 *   triple-fault   an exception without an IDT            the machine stops, guest crash
 *   spin           a loop without an exit                 only the user's limit ends it
 *   halt           HLT with interrupts off                the machine stops, guest crash
 *   poweroff       SCHEDOP_shutdown: no offence           the machine ends with code 0
 *   past-end       requests past the end of the disk      IDNF on IDE, error response on the ring
 *   unplug-twice   the unplug handshake again             nothing happens
 *   ring-garbage   random requests, impossible index      error responses, then the ring stops
 *   bad-grant      grants of what is not there            error responses
 *
 * Prints one line before an offence that ends the machine, and one after any other. The disk is
 * left as it was found.
 */
#include "offences.h"

#include "guest.h"
#include "xen.h"

#define HYPERCALL_sched_op 29
#define SCHEDOP_shutdown 2
#define SHUTDOWN_poweroff 0

static void offend_triple_fault(void)
{
    static const struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) no_idt;
    asm volatile("lidt %0\n\tud2" : : "m"(no_idt));
}

static void offend_spin(void)
{
    for (;;)
        asm volatile("");
}

static void offend_halt(void)
{
    asm volatile("cli\n\thlt");
}

static void power_off(void)
{
    const uint32_t reason = SHUTDOWN_poweroff;
    xen_init();
    hypercall(HYPERCALL_sched_op, SCHEDOP_shutdown, &reason, 0);
}

static const struct offence {
    const char *name;
    void (*commit)(void);
    bool is_last; /* the machine does not survive it */
} offences[] = {
    {"triple-fault", offend_triple_fault, true}, {"spin", offend_spin, true},
    {"halt", offend_halt, true},                 {"poweroff", power_off, true},
    {"past-end", offend_past_end, false},        {"unplug-twice", offend_unplug_twice, false},
    {"ring-garbage", offend_ring_garbage, false}, {"bad-grant", offend_bad_grant, false},
};

/* What follows "do=" in the last word of the command line. */
static const char *chosen(const char *command_line)
{
    const char *word = command_line;
    for (const char *at = command_line; *at; at++)
        if (*at == ' ')
            word = at + 1;
    check(memcmp(word, "do=", 3) == 0, "nothing to do: want do=OFFENCE, not '%s'", word);
    return word + 3;
}

void guest_main(const char *command_line)
{
    const char *const name = chosen(command_line);
    for (unsigned i = 0; i < sizeof offences / sizeof offences[0]; i++) {
        const struct offence *const offence = &offences[i];
        if (strcmp(offence->name, name) != 0)
            continue;
        if (offence->is_last)
            print("hostile: %s\n", name);
        offence->commit();
        check(!offence->is_last, "%s: the machine goes on", name);
        print("hostile: %s: ok\n", name);
        return;
    }
    fail("offence %s is unknown", name);
}
