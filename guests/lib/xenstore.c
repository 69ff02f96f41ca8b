/*
 * xenstore wire protocol over the shared page; see xenstore.h.
 */
#include "xenstore.h"

#include "cpu.h"
#include "events.h"
#include "guest.h"
#include "xen.h"

enum {
    XS_DIRECTORY = 1,
    XS_READ = 2,
    XS_WATCH = 4,
    XS_UNWATCH = 5,
    XS_TRANSACTION_START = 6,
    XS_TRANSACTION_END = 7,
    XS_WRITE = 11,
    XS_WATCH_EVENT = 15,
    XS_ERROR = 16,
};

#define RING_BYTES 1024u
#define PAYLOAD_MAX 4096
#define WATCH_TOKEN "state"

struct store_ring {
    uint8_t request[RING_BYTES];
    uint8_t response[RING_BYTES];
    uint32_t request_consumed, request_produced;
    uint32_t response_consumed, response_produced;
};

struct header {
    uint32_t type, request_id, transaction, length;
};

struct message {
    struct header header;
    char payload[PAYLOAD_MAX + 1]; /* room for a NUL behind what was received */
};

static volatile struct store_ring *ring;
static uint32_t port, last_id, events;
static struct message out, in;

static void on_event(void)
{
    /* The event has ended the wait; who waits looks at the ring. */
}

void xenstore_init(void)
{
    ring = (volatile struct store_ring *)(uint32_t)(hvm_get_param(HVM_PARAM_STORE_PFN) * PAGE_SIZE);
    port = (uint32_t)hvm_get_param(HVM_PARAM_STORE_EVTCHN);
    check(ring && port, "xenstore is not set up: frame 0x%x, port %u", (uint32_t)ring / PAGE_SIZE,
          port);
    events_bind(port, on_event);
}

/* ---- the byte stream ---- */

static uint32_t smallest(uint32_t a, uint32_t b, uint32_t c)
{
    const uint32_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

static void send_bytes(const void *data, uint32_t length)
{
    const uint8_t *from = data;
    while (length) {
        const uint32_t produced = ring->request_produced;
        const uint32_t used = produced - ring->request_consumed;
        check(used <= RING_BYTES, "xenstore request ring holds %u bytes", used);
        if (used == RING_BYTES) {
            cpu_wait();
            continue;
        }
        const uint32_t at = produced % RING_BYTES;
        const uint32_t bytes = smallest(length, RING_BYTES - used, RING_BYTES - at);
        memcpy((uint8_t *)ring->request + at, from, bytes);
        compiler_barrier(); /* the bytes first, then the index that covers them */
        ring->request_produced = produced + bytes;
        events_send(port);
        from += bytes;
        length -= bytes;
    }
}

static void receive_bytes(void *data, uint32_t length)
{
    uint8_t *into = data;
    while (length) {
        const uint32_t consumed = ring->response_consumed;
        const uint32_t used = ring->response_produced - consumed;
        check(used <= RING_BYTES, "xenstore response ring holds %u bytes", used);
        if (used == 0) {
            cpu_wait();
            continue;
        }
        compiler_barrier(); /* the index first, then the bytes that it covers */
        const uint32_t at = consumed % RING_BYTES;
        const uint32_t bytes = smallest(length, used, RING_BYTES - at);
        memcpy(into, (uint8_t *)ring->response + at, bytes);
        compiler_barrier();
        ring->response_consumed = consumed + bytes;
        if (used == RING_BYTES)
            events_send(port); /* the server may be waiting for room */
        into += bytes;
        length -= bytes;
    }
}

/* ---- messages ---- */

static void receive_message(void)
{
    receive_bytes(&in.header, sizeof in.header);
    check(in.header.length <= PAYLOAD_MAX, "xenstore message of %u bytes", in.header.length);
    receive_bytes(in.payload, in.header.length);
    in.payload[in.header.length] = '\0';
    if (in.header.type == XS_WATCH_EVENT)
        events++;
}

static void begin_request(uint32_t type, uint32_t transaction)
{
    out.header = (struct header){type, ++last_id, transaction, 0};
}

static void append(const void *data, uint32_t length)
{
    check(length <= PAYLOAD_MAX - out.header.length, "xenstore request is too long");
    memcpy(out.payload + out.header.length, data, length);
    out.header.length += length;
}

/* Appends a path with its NUL; `key` may be empty. */
static void append_path(const char *directory, const char *key)
{
    append(directory, strlen(directory));
    if (*key)
        append("/", 1);
    append(key, strlen(key) + 1);
}

/* Sends the request and takes its reply into `in`; false if the reply is an error. */
static bool finish_request(void)
{
    send_bytes(&out, sizeof out.header + out.header.length);
    do
        receive_message();
    while (in.header.type == XS_WATCH_EVENT);
    check(in.header.request_id == out.header.request_id, "xenstore replies to request %u, not %u",
          in.header.request_id, out.header.request_id);
    if (in.header.type == XS_ERROR)
        return false;
    check(in.header.type == out.header.type, "xenstore replies with type %u to type %u",
          in.header.type, out.header.type);
    return true;
}

/* The same; the error `expected`, if any, is the only one that does not end the kernel. */
static bool finish_or(const char *expected)
{
    if (finish_request())
        return true;
    check(strcmp(in.payload, expected) == 0, "xenstore request %u of %s: %s", out.header.type,
          out.payload, in.payload);
    return false;
}

static void copy_payload(char *value, size_t size)
{
    check(strlen(in.payload) < size, "xenstore value of %s is too long: %s", out.payload,
          in.payload);
    memcpy(value, in.payload, strlen(in.payload) + 1);
}

/* ---- operations ---- */

bool xenstore_read(const char *directory, const char *key, char *value, size_t size)
{
    begin_request(XS_READ, XENSTORE_NO_TRANSACTION);
    append_path(directory, key);
    if (!finish_or("ENOENT"))
        return false;
    copy_payload(value, size);
    return true;
}

bool xenstore_read_number(const char *directory, const char *key, uint32_t *value)
{
    char text[16];
    if (!xenstore_read(directory, key, text, sizeof text))
        return false;
    check(parse_decimal(text, value), "xenstore %s/%s is no number: %s", directory, key, text);
    return true;
}

bool xenstore_first_child(const char *directory, char *name, size_t size)
{
    begin_request(XS_DIRECTORY, XENSTORE_NO_TRANSACTION);
    append_path(directory, "");
    if (!finish_or("ENOENT") || in.header.length == 0)
        return false;
    copy_payload(name, size);
    return true;
}

void xenstore_write(uint32_t transaction, const char *directory, const char *key,
                    const char *value)
{
    begin_request(XS_WRITE, transaction);
    append_path(directory, key);
    append(value, strlen(value)); /* the value has no NUL */
    finish_or("");
}

void xenstore_write_number(uint32_t transaction, const char *directory, const char *key,
                           uint32_t value)
{
    char text[16];
    format_text(text, sizeof text, "%u", value);
    xenstore_write(transaction, directory, key, text);
}

uint32_t xenstore_begin(void)
{
    uint32_t transaction;
    begin_request(XS_TRANSACTION_START, XENSTORE_NO_TRANSACTION);
    append("", 1);
    finish_or("");
    check(parse_decimal(in.payload, &transaction), "transaction id is no number: %s", in.payload);
    return transaction;
}

bool xenstore_commit(uint32_t transaction)
{
    begin_request(XS_TRANSACTION_END, transaction);
    append("T", 2);
    return finish_or("EAGAIN");
}

void xenstore_watch(const char *directory, const char *key)
{
    begin_request(XS_WATCH, XENSTORE_NO_TRANSACTION);
    append_path(directory, key);
    append(WATCH_TOKEN, sizeof WATCH_TOKEN);
    finish_or("");
}

void xenstore_unwatch(const char *directory, const char *key)
{
    begin_request(XS_UNWATCH, XENSTORE_NO_TRANSACTION);
    append_path(directory, key);
    append(WATCH_TOKEN, sizeof WATCH_TOKEN);
    finish_or("");
}

uint32_t xenstore_events(void)
{
    return events;
}

void xenstore_wait_event(uint32_t seen)
{
    while (events == seen) {
        receive_message();
        check(in.header.type == XS_WATCH_EVENT, "xenstore sends type %u unasked", in.header.type);
    }
}
