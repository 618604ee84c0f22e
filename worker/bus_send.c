/*
 * What the worker says on the bus.  Replies and events of one turn of the loop
 * are gathered in bundles, for each channel one, and leave at its end.
 */

#include <stdlib.h>
#include <string.h>

#include "bus.h"

static csc_str_t
bus_src(const bus_t *bus)
{
    csc_str_t view;

    view.data = (const unsigned char *) bus->src;
    view.len = BUS_SRC_LEN;

    return view;
}

void
bus_on_answer(redisAsyncContext *context, void *reply, void *data)
{
    bus_t *bus = data;
    redisReply *answer = reply;
    uint64_t suppressed;

    (void) context;

    if (answer == NULL) {
        return;
    }

    bus->answered = bus->beat;

    if (answer->type == REDIS_REPLY_ERROR
        && log_allowed(&bus->unsent_log, &suppressed))
    {
        log_error("Redis refuses to publish", LOG_TEXT("reason", answer->str));
    }
}

static void
bus_unsent(bus_t *bus, const char *channel, size_t n)
{
    uint64_t suppressed;

    bus->unsent += n;

    if (log_allowed(&bus->unsent_log, &suppressed)) {
        log_warn("a message found no way to Redis",
            LOG_TEXT("channel", channel), LOG_NUMBER("suppressed", suppressed));
    }
}

/* n messages that are one for Redis. */
static void
bus_send(bus_t *bus, const char *channel, csc_str_t bytes, size_t n,
    redisCallbackFn *fn)
{
    if (redis_link_backlog(&bus->publisher) >= bus->config->redis_buffer
        || redis_link_publish(&bus->publisher, fn, bus, channel, bytes)
               != CSC_OK)
    {
        bus_unsent(bus, channel, n);
    }
}

static void
bus_send_bundle(bus_t *bus, bundle_t *bundle)
{
    if (bundle->n > 0) {
        bus_send(bus, bundle->channel, bundle_bytes(bundle), bundle->n, NULL);
        bundle_reset(bundle);
    }
}

void
bus_flush(bus_t *bus)
{
    bus_outbox_t *outbox = &bus->outbox;
    size_t i;

    for (i = 0; i < outbox->count; i++) {
        bus_send_bundle(bus, &outbox->replies[i]);
    }

    bus_send_bundle(bus, &outbox->events);
    outbox->count = 0;
    outbox->all = 0;
    memset(outbox->chats, 0, sizeof(outbox->chats));
}

void
bus_publish(bus_t *bus, const char *channel, const csc_bus_message_t *message,
    redisCallbackFn *fn)
{
    size_t size = csc_bus_size(message);
    unsigned char *out;
    csc_str_t bytes;

    bus_flush(bus);
    buffer_reset(&bus->out);
    out = size > 0 ? buffer_reserve(&bus->out, size) : NULL;

    if (out == NULL) {
        bus_unsent(bus, channel, 1);
        return;
    }

    csc_bus_encode(message, out);
    bytes.data = out;
    bytes.len = size;
    bus_send(bus, channel, bytes, 1, fn);
}

/* The open bundle of a reply channel, or a new one; NULL: there are many. */
static bundle_t *
bus_reply_bundle(bus_outbox_t *outbox, const char *channel)
{
    bundle_t *bundle;
    size_t i;

    for (i = 0; i < outbox->count; i++) {
        if (strcmp(outbox->replies[i].channel, channel) == 0) {
            return &outbox->replies[i];
        }
    }

    if (outbox->count == BUS_REPLY_BUNDLES) {
        return NULL;
    }

    bundle = &outbox->replies[outbox->count++];
    bundle_to(bundle, channel);

    return bundle;
}

static bundle_t *
bus_bundle(bus_t *bus, const char *channel)
{
    return channel == bus->events ? &bus->outbox.events
                                  : bus_reply_bundle(&bus->outbox, channel);
}

/*
 * Puts a message among those that leave together, of which replies go before
 * events.
 */
static void
bus_gather(bus_t *bus, const char *channel, const csc_bus_message_t *message)
{
    size_t size = csc_bus_size(message);
    bundle_t *bundle;

    if (size == 0 || size > BUNDLE_MAX || !bus->publisher.ready) {
        bus_publish(bus, channel, message, NULL);
        return;
    }

    bundle = bus_bundle(bus, channel);

    if (bundle == NULL || !bundle_has_room(bundle, size)) {
        bus_flush(bus);
        bundle = bus_bundle(bus, channel);
    }

    if (bundle_add(bundle, message, size) != CSC_OK) {
        bus_unsent(bus, channel, 1);
        return;
    }

    redis_link_wake(&bus->publisher);
}

/* The place of a chat among those that the gathered events are about. */
static uint64_t *
bus_chat_bits(bus_outbox_t *outbox, csc_str_t chat, uint64_t *bit)
{
    uint32_t place = csc_bus_hash(chat) % BUS_CHATS;

    *bit = (uint64_t) 1 << place % 64;

    return &outbox->chats[place / 64];
}

/*
 * What a process is told about a chat overtakes no event about that chat, and
 * what is not about one chat overtakes none at all.
 */
static void
bus_gather_reply(bus_t *bus, csc_str_t chat, csc_str_t process,
    const csc_bus_message_t *message)
{
    char channel[BUNDLE_CHANNEL];
    uint64_t bit;

    if (csc_bus_reply_channel(bus->prefix, process, channel, sizeof(channel))
        == 0) {
        return;
    }

    if (bus->outbox.all
        || (bus->outbox.events.n > 0
            && (chat.len == 0
                || (*bus_chat_bits(&bus->outbox, chat, &bit) & bit))))
    {
        bus_flush(bus);
    }

    bus_gather(bus, channel, message);
}

/* Redis answers in the order in which it was asked. */
typedef struct {
    bus_flushed_fn fn;
    void *data;
} bus_flush_t;

static void
bus_on_flushed(redisAsyncContext *context, void *reply, void *data)
{
    bus_flush_t flush = *(bus_flush_t *) data;

    (void) context;

    free(data);
    flush.fn(flush.data, reply != NULL);
}

void
bus_flushed(bus_t *bus, bus_flushed_fn fn, void *data)
{
    bus_flush_t *flush = malloc(sizeof(*flush));
    const char *argv[1] = { "PING" };

    bus_flush(bus);

    if (flush != NULL) {
        flush->fn = fn;
        flush->data = data;
        if (redis_link_command(
                &bus->publisher, bus_on_flushed, flush, 1, argv, NULL)
            == CSC_OK)
        {
            return;
        }
    }

    free(flush);
    fn(data, 0);
}

void
bus_reply(bus_t *bus, const request_t *request, csc_bus_message_t *reply)
{
    /* who gives no number waits for no reply */
    if (request->message.from.len == 0 || request->message.id == 0) {
        return;
    }

    reply->kind = CSC_BUS_REPLY;
    reply->id = request->message.id;
    reply->us = (uv_hrtime() - request->received) / 1000;
    csc_metrics_observe(&bus->durations, CSC_METRIC_US, reply->us);
    bus->replies++;
    bus_gather_reply(bus, request->message.chat, request->message.from, reply);
}

void
bus_event(bus_t *bus, csc_bus_message_t *event)
{
    uint64_t bit, *bits;

    event->kind = CSC_BUS_EVENT;
    event->src = bus_src(bus);
    /* one that gets lost has its number too, so that the gap is seen */
    event->n = ++bus->n;
    bus_gather(bus, bus->events, event);

    if (event->chat.len > 0) {
        bits = bus_chat_bits(&bus->outbox, event->chat, &bit);
        *bits |= bit;
    } else {
        bus->outbox.all = 1;
    }
}

void
bus_event_to(bus_t *bus, csc_str_t process, csc_bus_message_t *event)
{
    event->kind = CSC_BUS_EVENT;
    event->src = bus_src(bus);
    event->n = 0;
    bus_gather_reply(bus, event->chat, process, event);
}

void
bus_close_socket(bus_t *bus, csc_str_t user, csc_str_t conn)
{
    csc_bus_message_t message;

    memset(&message, 0, sizeof(message));
    message.kind = CSC_BUS_CONTROL;
    message.op = csc_str("socket.close");
    message.user = user;
    message.key = conn;
    bus_publish(bus, bus->events, &message, NULL);
}

void
bus_role(bus_t *bus, csc_str_t user, csc_str_t role)
{
    char key[CSC_BUS_MAX_PREFIX + 64];
    const char *argv[4] = { "HSET", key, (const char *) user.data,
        (const char *) role.data };
    size_t lens[4] = { 4, 0, user.len, role.len };
    csc_bus_message_t message;

    lens[1] = csc_bus_roles_key(bus->prefix, key, sizeof(key));
    bus_flush(bus);

    /* over one link: who hears of it finds it in Redis */
    if (redis_link_command(&bus->publisher, bus_on_answer, bus, 4, argv, lens)
        != CSC_OK)
    {
        bus->unsent++;
        return;
    }

    memset(&message, 0, sizeof(message));
    message.kind = CSC_BUS_CONTROL;
    message.op = csc_str("user.role");
    message.user = user;
    message.role = role;
    bus_publish(bus, bus->events, &message, NULL);
}

void
bus_metrics(bus_t *bus, uint64_t life, csc_str_t text)
{
    csc_bus_message_t message;

    if (bus->publisher.ready) {
        memset(&message, 0, sizeof(message));
        message.kind = CSC_BUS_CONTROL;
        message.op = csc_str("worker.metrics");
        message.src = bus_src(bus);
        message.ttl = life;
        message.body = text;
        bus_publish(bus, bus->events, &message, NULL);
    }
}

void
bus_request(bus_t *bus, csc_op_e op, csc_str_t user)
{
    char channel[CSC_BUS_MAX_PREFIX + 64];
    csc_bus_message_t message;

    memset(&message, 0, sizeof(message));
    message.kind = CSC_BUS_REQUEST;
    message.op = csc_str(csc_op_name(op));
    message.user = user;
    csc_bus_request_channel(
        bus->prefix, csc_bus_shard(user), channel, sizeof(channel));
    bus_publish(bus, channel, &message, NULL);
}
