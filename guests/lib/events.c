/*
 * Event channels; see events.h.
 */
#include "events.h"

#include "guest.h"
#include "interrupts.h"
#include "xen.h"

#define EVTCHNOP_close 3
#define EVTCHNOP_send 4
#define EVTCHNOP_alloc_unbound 6
#define EVTCHNOP_unmask 9

#define PORTS 1024
#define CALLBACK_VECTOR_TYPE ((uint64_t)2 << 56)

struct alloc_unbound {
    uint16_t domid;
    uint16_t remote_domid;
    uint32_t port;
};

static void (*handlers[PORTS])(void);

static void port_operation(uint32_t operation, uint32_t port, const char *name)
{
    const int32_t result = hypercall(HYPERCALL_event_channel_op, operation, &port, 0);
    check(result == 0, "EVTCHNOP_%s of port %u: %d", name, port, result);
}

static void serve_word(uint32_t word)
{
    uint32_t ready = shared_info.pending[word] & ~shared_info.mask[word];
    while (ready) {
        const uint32_t bit = (uint32_t)__builtin_ctz(ready), port = word * 32 + bit;
        ready &= ready - 1;
        __atomic_fetch_and(&shared_info.pending[word], ~(1u << bit), __ATOMIC_SEQ_CST);
        if (handlers[port])
            handlers[port]();
    }
}

/* Clears upcall_pending before it looks, so that an event raised meanwhile makes another turn. */
static void on_upcall(void)
{
    volatile struct vcpu_info *const vcpu = &shared_info.vcpu[0];
    while (vcpu->upcall_pending) {
        vcpu->upcall_pending = 0;
        uint32_t selector = __atomic_exchange_n(&vcpu->pending_selector, 0, __ATOMIC_SEQ_CST);
        for (; selector; selector &= selector - 1)
            serve_word((uint32_t)__builtin_ctz(selector));
    }
}

void events_init(void)
{
    for (uint32_t word = 0; word < PORTS / 32; word++)
        shared_info.mask[word] = UINT32_MAX;
    upcall_enable(on_upcall);
    hvm_set_param(HVM_PARAM_CALLBACK_IRQ, CALLBACK_VECTOR_TYPE | UPCALL_VECTOR);
}

void events_bind(uint32_t port, void (*handler)(void))
{
    check(port > 0 && port < PORTS, "event-channel port %u is out of range", port);
    handlers[port] = handler;
    port_operation(EVTCHNOP_unmask, port, "unmask"); /* also delivers what is pending already */
}

void events_unbind(uint32_t port)
{
    __atomic_fetch_or(&shared_info.mask[port / 32], 1u << port % 32, __ATOMIC_SEQ_CST);
    handlers[port] = NULL;
}

uint32_t events_alloc_unbound(void)
{
    struct alloc_unbound request = {.domid = DOMID_SELF, .remote_domid = DOMID_DOM0};
    const int32_t result =
        hypercall(HYPERCALL_event_channel_op, EVTCHNOP_alloc_unbound, &request, 0);
    check(result == 0, "EVTCHNOP_alloc_unbound: %d", result);
    return request.port;
}

void events_send(uint32_t port)
{
    port_operation(EVTCHNOP_send, port, "send");
}

void events_close(uint32_t port)
{
    events_unbind(port);
    port_operation(EVTCHNOP_close, port, "close");
}
