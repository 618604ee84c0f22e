#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "bus.h"

#define BUS_HEARTBEAT 1000 /* ms */
#define BUS_DEAF 6         /* heartbeats that are not heard */
#define BUS_LATE 3000      /* ms since one was sent that was heard */

static csc_str_t
bus_view(const char *text, size_t len)
{
    csc_str_t view;

    view.data = (const unsigned char *) text;
    view.len = len;

    return view;
}

static const char *
bus_shard_channel(const bus_t *bus, unsigned shard, char *out, size_t size)
{
    csc_bus_request_channel(bus->prefix, shard, out, size);
    return out;
}

/* --- receiving --- */

/* The bytes, and as many for what gets decoded. */
static size_t
bus_request_size(size_t len)
{
    return sizeof(request_t) + 2 * len + 1;
}

static request_t *
bus_request_new(csc_str_t data)
{
    request_t *request;

    if (data.len > SIZE_MAX / 4) {
        return NULL;
    }

    request = calloc(1, bus_request_size(data.len));
    if (request == NULL) {
        return NULL;
    }

    memcpy(request->bytes, data.data, data.len);
    request->len = data.len;
    request->scratch = request->bytes + data.len;

    return request;
}

static void
bus_request_free(request_t *request)
{
    if (request->op == CSC_OP_AUTH_LOGIN || request->op == CSC_OP_AUTH_REGISTER)
    {
        explicit_bzero(request->bytes, 2 * request->len);
    }

    free(request);
}

void
bus_bad(bus_t *bus, const char *why, csc_str_t op)
{
    uint64_t suppressed;
    char name[33] = "";

    bus->bad++;

    if (!log_allowed(&bus->bad_log, &suppressed)) {
        return;
    }

    if (op.len > 0 && op.len < sizeof(name)) {
        memcpy(name, op.data, op.len);
    }

    log_warn("a damaged message on the bus was dropped", LOG_TEXT("why", why),
        LOG_TEXT("op", name), LOG_NUMBER("suppressed", suppressed));
}

/*
 * How old a request may be that comes just now, where that is much: Redis
 * gives in order, so it came to Redis after the last heartbeat that we heard.
 * A long time means that we, or Redis, were kept from running.
 */
static uint64_t
bus_age(const bus_t *bus)
{
    uint64_t age = uv_now(bus->loop) - bus->sent;

    return age > BUS_LATE ? age : 0;
}

static void
bus_set_deadline(const bus_t *bus, request_t *request)
{
    uint64_t ttl = request->message.ttl, age = bus_age(bus);

    request->received = uv_hrtime();

    if (ttl > 0 && ttl < 1000000000) {
        ttl = ttl > age ? ttl - age : 0;
        request->deadline = request->received + ttl * 1000000;
    }
}

static void
bus_receive(bus_channel_t *channel, csc_str_t data)
{
    bus_t *bus = channel->bus;
    csc_str_t none = CSC_STR_NULL;
    request_t *request;
    const char *why;
    csc_bus_message_t *message;

    request = bus_request_new(data);
    if (request == NULL) {
        bus_bad(bus, "out of memory", none);
        return;
    }

    message = &request->message;
    data.data = request->bytes;

    if (csc_bus_decode(data, message, &why) != CSC_OK) {
        bus_bad(bus, why, none);
        bus_request_free(request);
        return;
    }

    request->op = csc_op_by_name(message->op);

    if (message->kind != CSC_BUS_REQUEST || request->op == CSC_OP_NONE) {
        bus_bad(bus,
            message->kind != CSC_BUS_REQUEST ? "not a request"
                                             : "unknown operation",
            message->op);
        bus_request_free(request);
        return;
    }

    request->shard = channel->shard;
    bus_set_deadline(bus, request);

    bus->requests++;
    bus->operations[request->op]++;
    bus->inflight++;
    bus->memory += bus_request_size(request->len);
    channel->inflight++;
    bus->handlers.request(bus->handlers.data, request);
}

int
bus_expired(bus_t *bus, const request_t *request)
{
    if (request->deadline == 0 || uv_hrtime() < request->deadline) {
        return 0;
    }

    bus->expired++;

    return 1;
}

void
bus_finish(bus_t *bus, request_t *request)
{
    bus_channel_t *channel = &bus->channels[request->shard];

    bus->memory -= bus_request_size(request->len);
    bus->inflight--;
    bus_request_free(request);
    channel->inflight--;
    bus->handlers.finished(bus->handlers.data, channel->shard);
}

static void
bus_left(bus_channel_t *channel)
{
    channel->confirmed = 0;

    if (channel->leaving) {
        channel->leaving = 0;
        channel->bus->handlers.unsubscribed(
            channel->bus->handlers.data, channel->shard);
    }
}

/* Answers SUBSCRIBE, UNSUBSCRIBE and what is published in between. */
static void
bus_on_channel(redisAsyncContext *context, void *reply, void *data)
{
    bus_channel_t *channel = data;
    redisReply *answer = reply, **element;

    (void) context;

    if (answer == NULL || answer->type != REDIS_REPLY_ARRAY
        || answer->elements != 3
        || answer->element[0]->type != REDIS_REPLY_STRING)
    {
        return;
    }

    element = answer->element;

    if (strcmp(element[0]->str, "message") == 0) {
        if (element[2]->type == REDIS_REPLY_STRING) {
            bus_receive(channel, bus_view(element[2]->str, element[2]->len));
        }

    } else if (strcmp(element[0]->str, "subscribe") == 0) {
        channel->confirmed = 1;

    } else if (strcmp(element[0]->str, "unsubscribe") == 0) {
        bus_left(channel);
    }
}

static void
bus_on_own(redisAsyncContext *context, void *reply, void *data)
{
    bus_t *bus = data;
    redisReply *answer = reply;
    csc_bus_message_t message;
    csc_str_t text;
    const char *why;

    (void) context;

    if (answer == NULL) {
        return;
    }

    bus->heard = bus->beat;

    if (answer->type != REDIS_REPLY_ARRAY || answer->elements != 3
        || answer->element[2]->type != REDIS_REPLY_STRING)
    {
        return;
    }

    text = bus_view(answer->element[2]->str, answer->element[2]->len);

    if (csc_bus_decode(text, &message, &why) == CSC_OK
        && csc_str_is(message.src, bus->src) && message.n <= uv_now(bus->loop))
    {
        bus->sent = message.n;
    }
}

static void
bus_send_subscription(bus_channel_t *channel, const char *command)
{
    char name[CSC_BUS_MAX_PREFIX + 64];
    const char *argv[2] = { command, name };

    bus_shard_channel(channel->bus, channel->shard, name, sizeof(name));
    channel->asked = channel->bus->beat;
    redis_link_command(
        &channel->bus->subscriber, bus_on_channel, channel, 2, argv, NULL);
}

void
bus_subscribe(bus_t *bus, unsigned shard)
{
    bus_channel_t *channel = &bus->channels[shard];

    if (!channel->wanted) {
        channel->wanted = 1;
        channel->leaving = 0;
        if (bus_connected(bus)) {
            bus_send_subscription(channel, "SUBSCRIBE");
        }
    }
}

void
bus_unsubscribe(bus_t *bus, unsigned shard)
{
    bus_channel_t *channel = &bus->channels[shard];

    if (!channel->wanted) {
        return;
    }

    channel->wanted = 0;
    channel->leaving = 1;

    if (bus->subscriber.ready) {
        bus_send_subscription(channel, "UNSUBSCRIBE");
    } else {
        bus_left(channel);
    }
}

/* --- links --- */

/* Redis may have moved since the other link was made. */
static void
bus_meet(const redis_link_t *link, redis_link_t *other)
{
    if (other->ready && strcmp(link->ip, other->ip) != 0) {
        redis_link_restart(other, "Redis has moved");
    }
}

/*
 * Requests are heard only once their answers can leave: nobody takes them
 * until then, and who asks may ask again at once.
 */
static void
bus_on_link_ready(bus_t *bus)
{
    bus_channel_t *channel;
    size_t i;

    if (bus_connected(bus)) {
        for (i = 0; i < CSC_BUS_SHARDS; i++) {
            channel = &bus->channels[i];
            if (channel->wanted && !channel->confirmed) {
                bus_send_subscription(channel, "SUBSCRIBE");
            }
        }
    }

    bus->handlers.links(bus->handlers.data);
}

static void
bus_on_subscriber_ready(void *data)
{
    bus_t *bus = data;
    const char *argv[2] = { "SUBSCRIBE", bus->own };

    bus->connects++;
    bus_meet(&bus->subscriber, &bus->publisher);
    redis_link_hurry(&bus->publisher);
    bus->heard = bus->beat;
    bus->sent = uv_now(bus->loop);
    redis_link_command(&bus->subscriber, bus_on_own, bus, 2, argv, NULL);
    bus_on_link_ready(bus);
}

static void
bus_on_subscriber_gone(void *data)
{
    bus_t *bus = data;
    size_t i;

    bus->disconnects++;

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        bus_left(&bus->channels[i]);
    }

    bus->handlers.links(bus->handlers.data);
}

static void
bus_on_publisher_ready(void *data)
{
    bus_t *bus = data;

    bus->connects++;
    bus_meet(&bus->publisher, &bus->subscriber);
    redis_link_hurry(&bus->subscriber);
    bus->answered = bus->beat;
    bus->heard = bus->answered;
    bus->sent = uv_now(bus->loop);
    bus_on_link_ready(bus);
}

static void
bus_on_publisher_flush(void *data)
{
    bus_flush(data);
}

static void
bus_on_publisher_gone(void *data)
{
    bus_t *bus = data;

    bus->disconnects++;

    /* counted as unsent, like what was said to it just before */
    bus_flush(bus);
    bus->handlers.links(bus->handlers.data);
}

/*
 * A link that is dead without having said so, or that may not subscribe, is
 * noticed here.  PING on a subscribed link would get lost in hiredis 0.14.
 * Heartbeats are counted, not timed: a worker that was kept from running has
 * sent none meanwhile.
 */
static void
bus_check_links(bus_t *bus)
{
    uint64_t now = bus->beat;
    bus_channel_t *channel;
    size_t i;

    if (!bus->publisher.ready || !bus->subscriber.ready) {
        return;
    }

    if (now - bus->answered > BUS_DEAF) {
        /* what one link leads to is out of reach by the other as well */
        redis_link_restart(&bus->publisher, "no answer to PUBLISH");
        redis_link_restart(&bus->subscriber, "no answer to PUBLISH");
        return;
    }

    if (now - bus->heard > BUS_DEAF) {
        redis_link_restart(&bus->subscriber, "own heartbeat is not heard");
        return;
    }

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        channel = &bus->channels[i];
        if (((channel->wanted && !channel->confirmed) || channel->leaving)
            && now - channel->asked > BUS_DEAF)
        {
            redis_link_restart(&bus->subscriber, "no answer to SUBSCRIBE");
            return;
        }
    }
}

static void
bus_on_heartbeat(uv_timer_t *timer)
{
    bus_t *bus = timer->data;
    csc_bus_message_t message;

    bus->beat++;
    bus_check_links(bus);

    if (bus->publisher.ready) {
        memset(&message, 0, sizeof(message));
        message.kind = CSC_BUS_HEARTBEAT;
        message.src = bus_view(bus->src, BUS_SRC_LEN);
        message.n = bus->n;
        bus_publish(bus, bus->events, &message, bus_on_answer);
        message.n = uv_now(bus->loop);
        bus_publish(bus, bus->own, &message, NULL);
        redis_link_ask_role(&bus->publisher);
    }
}

int
bus_connected(const bus_t *bus)
{
    return bus->publisher.ready && bus->subscriber.ready;
}

static int
bus_names(bus_t *bus)
{
    unsigned char random[BUS_SRC_LEN / 2];
    size_t i;

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return CSC_ERROR;
    }

    for (i = 0; i < sizeof(random); i++) {
        snprintf(bus->src + 2 * i, 3, "%02x", random[i]);
    }

    if (csc_bus_events_channel(bus->prefix, bus->events, sizeof(bus->events))
            == 0
        || csc_bus_reply_channel(bus->prefix, bus_view(bus->src, BUS_SRC_LEN),
               bus->own, sizeof(bus->own))
               == 0)
    {
        return CSC_ERROR;
    }

    bundle_to(&bus->outbox.events, bus->events);

    return CSC_OK;
}

int
bus_init(bus_t *bus, uv_loop_t *loop, const config_t *config,
    const redis_address_t *address, const bus_handlers_t *handlers)
{
    redis_handlers_t subscriber = { bus_on_subscriber_ready,
        bus_on_subscriber_gone, NULL, bus };
    redis_handlers_t publisher = { bus_on_publisher_ready,
        bus_on_publisher_gone, bus_on_publisher_flush, bus };
    unsigned i;

    memset(bus, 0, sizeof(*bus));
    bus->loop = loop;
    bus->config = config;
    bus->handlers = *handlers;
    bus->prefix = csc_str(config->prefix);
    bus->heartbeat.data = bus;

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        bus->channels[i].bus = bus;
        bus->channels[i].shard = i;
    }

    if (bus_names(bus) != CSC_OK || uv_timer_init(loop, &bus->heartbeat) != 0
        || redis_link_init(&bus->subscriber, loop, address, &bus->where,
               "subscriber", config->connect_timeout, &subscriber)
               != CSC_OK
        || redis_link_init(&bus->publisher, loop, address, &bus->where,
               "publisher", config->connect_timeout, &publisher)
               != CSC_OK)
    {
        return CSC_ERROR;
    }

    return CSC_OK;
}

void
bus_start(bus_t *bus)
{
    redis_link_start(&bus->publisher);
    redis_link_start(&bus->subscriber);
    uv_timer_start(
        &bus->heartbeat, bus_on_heartbeat, BUS_HEARTBEAT, BUS_HEARTBEAT);
}

/* Nobody need wait for a worker that is on its way out. */
static void
bus_say_goodbye(bus_t *bus)
{
    csc_bus_message_t message;

    if (bus->publisher.ready) {
        memset(&message, 0, sizeof(message));
        message.kind = CSC_BUS_CONTROL;
        message.op = csc_str("worker.left");
        message.src = bus_view(bus->src, BUS_SRC_LEN);
        bus_publish(bus, bus->events, &message, NULL);
    }
}

void
bus_stop(bus_t *bus)
{
    bus_say_goodbye(bus);
    uv_close((uv_handle_t *) &bus->heartbeat, NULL);
    redis_link_stop(&bus->subscriber);
    redis_link_stop(&bus->publisher);
}

void
bus_free(bus_t *bus)
{
    size_t i;

    for (i = 0; i < BUS_REPLY_BUNDLES; i++) {
        bundle_free(&bus->outbox.replies[i]);
    }

    bundle_free(&bus->outbox.events);
    buffer_free(&bus->out);
}
