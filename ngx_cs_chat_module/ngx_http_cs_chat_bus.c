#include "ngx_http_cs_chat_bus.h"
#include "ngx_http_cs_chat_call.h"
#include "ngx_http_cs_chat_hub.h"
#include "ngx_http_cs_chat_presence.h"
#include "ngx_http_cs_chat_source.h"
#include "ngx_http_cs_chat_zone.h"

#include <openssl/rand.h>

#include "csc_uuid.h"


#define PROCESS_LEN 16
#define CHANNEL_SIZE (CSC_BUS_MAX_PREFIX + 64)
#define PULSE_INTERVAL 2000 /* ms between signs of life sent to oneself */
#define PULSE_LIMIT 7000    /* ms without one: the links are given up */
#define RETRY_INTERVAL 50   /* ms between attempts to find a shard's holder */
#define RETRY_LIMIT 3000    /* ms in which a shard finds a new holder */


typedef struct {
    ngx_http_cs_chat_main_conf_t *conf;
    ngx_log_t *log;

    ngx_http_cs_chat_link_t commands;
    ngx_http_cs_chat_link_t subscriptions;

    csc_str_t prefix;
    u_char process[PROCESS_LEN];
    char reply_channel[CHANNEL_SIZE];
    char events_channel[CHANNEL_SIZE];
    char revoked_key[CHANNEL_SIZE];

    ngx_queue_t retries; /* requests whose shard nobody holds just now */
    ngx_event_t retry;

    ngx_event_t pulse;
    ngx_msec_t heard; /* the last sign of life that came back */

    unsigned subscribed : 1;
    unsigned ready : 1;
    unsigned starting : 1;
    unsigned missed : 1; /* events, while there was no subscription */
} ngx_http_cs_chat_bus_t;


static ngx_int_t ngx_http_cs_chat_bus_names(void);
static void ngx_http_cs_chat_bus_commands_up(ngx_http_cs_chat_link_t *link);
static void ngx_http_cs_chat_bus_subscriptions_up(
    ngx_http_cs_chat_link_t *link);
static void ngx_http_cs_chat_bus_down(ngx_http_cs_chat_link_t *link);
static void ngx_http_cs_chat_bus_failure(ngx_http_cs_chat_link_t *link);
static void ngx_http_cs_chat_bus_load_revoked(void);
static void ngx_http_cs_chat_bus_share_revoked(
    void *data, u_char *key, time_t expires);
static void ngx_http_cs_chat_bus_revoked_loaded(
    redisAsyncContext *context, void *reply, void *data);
static void ngx_http_cs_chat_bus_set_ready(void);
static void ngx_http_cs_chat_bus_end_start(void);

static void ngx_http_cs_chat_bus_message(
    redisAsyncContext *context, void *reply, void *data);
static void ngx_http_cs_chat_bus_dropped(size_t len, const char *why);
static void ngx_http_cs_chat_bus_on_reply(csc_bus_message_t *message);
static void ngx_http_cs_chat_bus_on_control(csc_bus_message_t *message);
static void ngx_http_cs_chat_bus_count(csc_bus_message_t *message);
static void ngx_http_cs_chat_bus_pulse(ngx_event_t *ev);

static ngx_int_t ngx_http_cs_chat_bus_send(ngx_http_cs_chat_call_t *call);
static void ngx_http_cs_chat_bus_unheard(ngx_http_cs_chat_call_t *call);
static void ngx_http_cs_chat_bus_retry(ngx_event_t *ev);
static ngx_int_t ngx_http_cs_chat_bus_renew_ttl(ngx_http_cs_chat_call_t *call);
static ngx_int_t ngx_http_cs_chat_bus_encode(
    csc_bus_message_t *message, u_char **bytes, size_t *len);
static void ngx_http_cs_chat_bus_say(
    const char *channel, size_t channel_len, csc_bus_message_t *message);
static ngx_int_t ngx_http_cs_chat_bus_publish(const char *channel,
    size_t channel_len, u_char *bytes, size_t len, redisCallbackFn *callback,
    void *data);
static void ngx_http_cs_chat_bus_published(
    redisAsyncContext *context, void *reply, void *id);
static void ngx_http_cs_chat_bus_commanded(
    redisAsyncContext *context, void *reply, void *id);


/* nginx processes are single-threaded, and each has one bus. */
static ngx_http_cs_chat_bus_t bus;


ngx_int_t
ngx_http_cs_chat_bus_init(ngx_http_cs_chat_main_conf_t *conf, ngx_log_t *log)
{
    ngx_memzero(&bus, sizeof(bus));

    bus.conf = conf;
    bus.log = log;
    bus.prefix = ngx_http_cs_chat_view(conf->prefix);
    bus.starting = 1;

    ngx_queue_init(&bus.retries);
    ngx_http_cs_chat_calls_init(log);
    ngx_http_cs_chat_sources_init(log);

    if (ngx_http_cs_chat_bus_names() != NGX_OK) {
        return NGX_ERROR;
    }

    bus.pulse.handler = ngx_http_cs_chat_bus_pulse;
    bus.pulse.data = &bus.commands; /* printed as a connection in debug logs */
    bus.pulse.log = log;
    bus.pulse.cancelable = 1;

    bus.retry.handler = ngx_http_cs_chat_bus_retry;
    bus.retry.data = &bus.commands;
    bus.retry.log = log;

    bus.commands.conf = &conf->redis;
    bus.commands.name = "commands";
    bus.commands.on_connect = ngx_http_cs_chat_bus_commands_up;
    bus.commands.on_down = ngx_http_cs_chat_bus_down;
    bus.commands.on_failure = ngx_http_cs_chat_bus_failure;

    bus.subscriptions.conf = &conf->redis;
    bus.subscriptions.name = "subscriptions";
    bus.subscriptions.on_connect = ngx_http_cs_chat_bus_subscriptions_up;
    bus.subscriptions.on_down = ngx_http_cs_chat_bus_down;
    bus.subscriptions.on_failure = ngx_http_cs_chat_bus_failure;

    ngx_http_cs_chat_link_open(&bus.commands);
    ngx_http_cs_chat_link_open(&bus.subscriptions);

    ngx_add_timer(&bus.pulse, PULSE_INTERVAL);

    return NGX_OK;
}


static ngx_int_t
ngx_http_cs_chat_bus_names(void)
{
    csc_str_t process;
    u_char random[PROCESS_LEN / 2];

    if (RAND_bytes(random, sizeof(random)) != 1) {
        ngx_log_error(NGX_LOG_EMERG, bus.log, 0, "no random numbers");
        return NGX_ERROR;
    }

    (void) ngx_hex_dump(bus.process, random, sizeof(random));

    process.data = bus.process;
    process.len = PROCESS_LEN;

    (void) csc_bus_reply_channel(
        bus.prefix, process, bus.reply_channel, CHANNEL_SIZE);
    (void) csc_bus_events_channel(bus.prefix, bus.events_channel, CHANNEL_SIZE);
    (void) csc_bus_revoked_key(bus.prefix, bus.revoked_key, CHANNEL_SIZE);

    return NGX_OK;
}


void
ngx_http_cs_chat_bus_exit(void)
{
    if (bus.conf == NULL) {
        return;
    }

    bus.ready = 0;

    ngx_http_cs_chat_link_close(&bus.commands);
    ngx_http_cs_chat_link_close(&bus.subscriptions);
    ngx_http_cs_chat_sources_forget();

    if (bus.pulse.timer_set) {
        ngx_del_timer(&bus.pulse);
    }

    if (bus.retry.timer_set) {
        ngx_del_timer(&bus.retry);
    }
}


ngx_uint_t
ngx_http_cs_chat_bus_ready(void)
{
    return bus.ready;
}


ngx_uint_t
ngx_http_cs_chat_bus_starting(void)
{
    return bus.starting;
}


ngx_shm_zone_t *
ngx_http_cs_chat_bus_zone(void)
{
    return bus.conf->zone;
}


size_t
ngx_http_cs_chat_bus_ticket_key(ngx_str_t *hash, char *out, size_t size)
{
    return csc_bus_ticket_key(
        bus.prefix, ngx_http_cs_chat_view(*hash), out, size);
}


ngx_int_t
ngx_http_cs_chat_bus_message_id(u_char *out)
{
    ngx_time_t *now;
    u_char random[CSC_UUID_V7_RANDOM];

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return NGX_ERROR;
    }

    now = ngx_timeofday();
    csc_uuid_v7((uint64_t) now->sec * 1000 + now->msec, random, out);

    return NGX_OK;
}


/* Coming up: subscribe, then load what is revoked, then serve. */

static void
ngx_http_cs_chat_bus_commands_up(ngx_http_cs_chat_link_t *link)
{
    bus.heard = ngx_current_msec;

    if (bus.subscribed) {
        ngx_http_cs_chat_bus_load_revoked();
    }
}


static void
ngx_http_cs_chat_bus_subscriptions_up(ngx_http_cs_chat_link_t *link)
{
    int rc;

    bus.heard = ngx_current_msec;

    rc = redisAsyncCommand(link->context, ngx_http_cs_chat_bus_message, NULL,
        "SUBSCRIBE %s %s", bus.reply_channel, bus.events_channel);

    if (rc != REDIS_OK) {
        ngx_http_cs_chat_link_break(link, "out of memory");
    }
}


static void
ngx_http_cs_chat_bus_load_revoked(void)
{
    int rc;
    char now[NGX_TIME_T_LEN + 2];
    redisAsyncContext *context;

    context = bus.commands.context;

    /* a Redis that forgot is told what this NGINX still knows */

    if (ngx_http_cs_chat_zone_each(bus.conf->zone,
            ngx_http_cs_chat_bus_share_revoked, context, bus.log)
        != NGX_OK)
    {
        ngx_http_cs_chat_link_break(&bus.commands, "out of memory");
        return;
    }

    *ngx_sprintf((u_char *) now, "(%T", ngx_time()) = '\0';

    rc = redisAsyncCommand(context, NULL, NULL, "ZREMRANGEBYSCORE %s -inf %s",
        bus.revoked_key, now);

    if (rc == REDIS_OK) {
        rc = redisAsyncCommand(context, ngx_http_cs_chat_bus_revoked_loaded,
            NULL, "ZRANGE %s 0 -1 WITHSCORES", bus.revoked_key);
    }

    if (rc != REDIS_OK) {
        ngx_http_cs_chat_link_break(&bus.commands, "out of memory");
    }
}


static void
ngx_http_cs_chat_bus_share_revoked(void *data, u_char *key, time_t expires)
{
    char score[NGX_TIME_T_LEN + 1];
    redisAsyncContext *context;

    context = data;
    *ngx_sprintf((u_char *) score, "%T", expires) = '\0';

    (void) redisAsyncCommand(context, NULL, NULL, "ZADD %s %s %b",
        bus.revoked_key, score, key, (size_t) NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN);
}


static void
ngx_http_cs_chat_bus_revoked_loaded(
    redisAsyncContext *context, void *reply, void *data)
{
    size_t i;
    time_t expires;
    redisReply *list, *key, *score;

    list = reply;

    if (list == NULL) {
        return;
    }

    if (list->type != REDIS_REPLY_ARRAY) {
        ngx_log_error(NGX_LOG_ERR, bus.log, 0,
            "Redis does not tell which tokens are revoked: %s",
            list->type == REDIS_REPLY_ERROR ? list->str : "unexpected reply");
        ngx_http_cs_chat_link_break(&bus.commands, NULL);
        return;
    }

    for (i = 0; i + 1 < list->elements; i += 2) {
        key = list->element[i];
        score = list->element[i + 1];

        if (key->type != REDIS_REPLY_STRING || score->type != REDIS_REPLY_STRING
            || key->len != NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN)
        {
            continue;
        }

        expires = ngx_atotm((u_char *) score->str, score->len);

        if (expires == (time_t) NGX_ERROR) {
            continue;
        }

        ngx_http_cs_chat_hub_revoke((u_char *) key->str, expires);
    }

    if (bus.subscribed) {
        ngx_http_cs_chat_bus_set_ready();
    }
}


static void
ngx_http_cs_chat_bus_set_ready(void)
{
    bus.ready = 1;
    bus.heard = ngx_current_msec;

    ngx_log_error(NGX_LOG_NOTICE, bus.log, 0, "the chat is connected to Redis");

    ngx_http_cs_chat_bus_end_start();
    ngx_http_cs_chat_presence_renew();

    if (bus.missed) {
        bus.missed = 0;
        ngx_http_cs_chat_hub_resync("the link to Redis was interrupted");
    }
}


/* What was held while the process started goes on, whatever came of it. */

static void
ngx_http_cs_chat_bus_end_start(void)
{
    bus.starting = 0;

    ngx_http_cs_chat_calls_start();
}


static void
ngx_http_cs_chat_bus_failure(ngx_http_cs_chat_link_t *link)
{
    if (bus.starting) {
        ngx_http_cs_chat_bus_end_start();
    }
}


/*
 * Replies may have gone by unheard, so nothing that is in flight can be
 * answered any more; and the one link is of no use without the other.
 */

static void
ngx_http_cs_chat_bus_down(ngx_http_cs_chat_link_t *link)
{
    bus.ready = 0;

    if (link == &bus.subscriptions) {
        bus.subscribed = 0;
        bus.missed = 1;
        ngx_http_cs_chat_sources_forget();
    }

    ngx_http_cs_chat_bus_failure(link);
    ngx_http_cs_chat_calls_fail();
}


/* What comes in. */

static void
ngx_http_cs_chat_bus_message(
    redisAsyncContext *context, void *reply, void *data)
{
    const char *why;
    csc_str_t bytes;
    redisReply *array, *kind, *payload;
    csc_bus_message_t message;

    array = reply;

    if (array == NULL) {
        return;
    }

    if (array->type == REDIS_REPLY_ERROR) {
        ngx_log_error(NGX_LOG_ERR, bus.log, 0, "Redis refused to subscribe: %s",
            array->str);
        ngx_http_cs_chat_link_break(&bus.subscriptions, NULL);
        return;
    }

    if (array->type != REDIS_REPLY_ARRAY || array->elements != 3) {
        return;
    }

    kind = array->element[0];
    payload = array->element[2];

    if (kind->type != REDIS_REPLY_STRING) {
        return;
    }

    if (payload->type == REDIS_REPLY_INTEGER) {
        /* "subscribe", once for each of the two channels */

        if (payload->integer == 2 && !bus.subscribed) {
            bus.subscribed = 1;

            if (bus.commands.connected) {
                ngx_http_cs_chat_bus_load_revoked();
            }
        }

        return;
    }

    if (payload->type != REDIS_REPLY_STRING) {
        return;
    }

    bytes.data = (u_char *) payload->str;
    bytes.len = payload->len;

    if (csc_bus_decode(bytes, &message, &why) != CSC_OK) {
        ngx_http_cs_chat_bus_dropped(bytes.len, why);
        return;
    }

    switch (message.kind) {
    case CSC_BUS_REPLY:
        ngx_http_cs_chat_bus_on_reply(&message);
        break;

    case CSC_BUS_EVENT:
        ngx_http_cs_chat_bus_count(&message);
        ngx_http_cs_chat_hub_event(&message);
        break;

    case CSC_BUS_CONTROL:
        ngx_http_cs_chat_bus_on_control(&message);
        break;

    case CSC_BUS_HEARTBEAT:
        ngx_http_cs_chat_bus_count(&message);
        break;

    case CSC_BUS_REQUEST:
        break;
    }
}


/* Who can publish nonsense can publish much of it: a line a second tells. */

static void
ngx_http_cs_chat_bus_dropped(size_t len, const char *why)
{
    static time_t logged;
    static ngx_uint_t unsaid;

    if (logged == ngx_time()) {
        unsaid++;
        return;
    }

    ngx_log_error(NGX_LOG_ERR, bus.log, 0,
        "a message of %uz bytes from Redis was dropped: %s (and %ui others "
        "before it)",
        len, why, unsaid);

    logged = ngx_time();
    unsaid = 0;
}


static void
ngx_http_cs_chat_bus_on_reply(csc_bus_message_t *message)
{
    ngx_http_cs_chat_call_t *call;

    call = ngx_http_cs_chat_call_find((ngx_rbtree_key_t) message->id);

    /* none: the client left, or the deadline passed */

    if (call != NULL && call->on_reply != NULL) {
        ngx_http_cs_chat_call_reply(call, message);
    }
}


static void
ngx_http_cs_chat_bus_on_control(csc_bus_message_t *message)
{
    if (csc_str_is(message->op, "worker.left")) {
        ngx_http_cs_chat_source_left(message->src);
        return;
    }

    if (!csc_str_is(message->op, "token.revoked")
        || message->key.len != NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN
        || message->expires == 0)
    {
        ngx_http_cs_chat_bus_dropped(
            message->op.len, "an unknown control message");
        return;
    }

    ngx_http_cs_chat_hub_revoke(
        (u_char *) message->key.data, (time_t) message->expires);
}


/* An event that was missed: its sockets can't tell, so all are told. */

static void
ngx_http_cs_chat_bus_count(csc_bus_message_t *message)
{
    uint64_t missed;

    if (message->kind == CSC_BUS_HEARTBEAT && message->src.len == PROCESS_LEN
        && ngx_memcmp(message->src.data, bus.process, PROCESS_LEN) == 0)
    {
        bus.heard = ngx_current_msec;
        return;
    }

    missed = ngx_http_cs_chat_source_heard(message);

    if (missed) {
        ngx_log_error(NGX_LOG_WARN, bus.log, 0,
            "%uL events were missed; the sockets are told to resync", missed);
        ngx_http_cs_chat_hub_resync("events were missed");
    }
}


/*
 * A Redis that hangs closes nothing.  Each process sends itself a sign of life
 * through Redis, over both links, and gives both up when none comes back.
 */

static void
ngx_http_cs_chat_bus_pulse(ngx_event_t *ev)
{
    csc_bus_message_t message;

    ngx_add_timer(ev, PULSE_INTERVAL);

    if (!bus.commands.connected || !bus.subscribed) {
        return;
    }

    if (ngx_current_msec - bus.heard > PULSE_LIMIT) {
        ngx_http_cs_chat_link_break(&bus.commands, "no sign of life");
        ngx_http_cs_chat_link_break(&bus.subscriptions, "no sign of life");
        return;
    }

    ngx_memzero(&message, sizeof(message));
    message.kind = CSC_BUS_HEARTBEAT;
    message.src.data = bus.process;
    message.src.len = PROCESS_LEN;

    ngx_http_cs_chat_bus_say(
        bus.reply_channel, ngx_strlen(bus.reply_channel), &message);
}


ngx_http_cs_chat_call_t *
ngx_http_cs_chat_bus_wait(ngx_http_cs_chat_command_pt handler, void *data)
{
    return ngx_http_cs_chat_call_wait(handler, data);
}


void
ngx_http_cs_chat_bus_cancel(ngx_http_cs_chat_call_t *call)
{
    if (call != NULL) {
        ngx_http_cs_chat_call_free(call);
    }
}


/* What goes out. */

ngx_http_cs_chat_call_t *
ngx_http_cs_chat_bus_request(csc_bus_message_t *message, csc_str_t shard_by,
    ngx_msec_t timeout, ngx_http_cs_chat_reply_pt handler, void *data)
{
    ngx_http_cs_chat_call_t *call;

    call = ngx_http_cs_chat_call_new(timeout, data);
    if (call == NULL) {
        return NULL;
    }

    call->on_reply = handler;

    if (!bus.ready) {
        ngx_http_cs_chat_call_fail_later(call, CSC_E_BACKEND_UNAVAILABLE);
        return call;
    }

    message->kind = CSC_BUS_REQUEST;
    message->id = call->node.key;
    message->from.data = bus.process;
    message->from.len = PROCESS_LEN;
    message->ttl = timeout;

    call->shard = shard_by.len ? csc_bus_shard(shard_by)
                               : (unsigned) ngx_random() % CSC_BUS_SHARDS;

    if (ngx_http_cs_chat_bus_encode(message, &call->bytes, &call->len) != NGX_OK
        || ngx_http_cs_chat_bus_send(call) != NGX_OK)
    {
        ngx_http_cs_chat_call_free(call);
        return NULL;
    }

    return call;
}


static ngx_int_t
ngx_http_cs_chat_bus_send(ngx_http_cs_chat_call_t *call)
{
    size_t len;
    char channel[CHANNEL_SIZE];

    len = csc_bus_request_channel(
        bus.prefix, call->shard, channel, CHANNEL_SIZE);

    return ngx_http_cs_chat_bus_publish(channel, len, call->bytes, call->len,
        ngx_http_cs_chat_bus_published, (void *) call->node.key);
}


void
ngx_http_cs_chat_bus_tell(csc_bus_message_t *message, unsigned shard)
{
    size_t len;
    char channel[CHANNEL_SIZE];

    if (!bus.ready) {
        return;
    }

    message->kind = CSC_BUS_REQUEST;
    message->from.data = bus.process;
    message->from.len = PROCESS_LEN;

    len = csc_bus_request_channel(bus.prefix, shard, channel, CHANNEL_SIZE);

    ngx_http_cs_chat_bus_say(channel, len, message);
}


/* Publishes what has no answer. */

static void
ngx_http_cs_chat_bus_say(
    const char *channel, size_t channel_len, csc_bus_message_t *message)
{
    size_t len;
    u_char *bytes;

    if (ngx_http_cs_chat_bus_encode(message, &bytes, &len) == NGX_OK) {
        (void) ngx_http_cs_chat_bus_publish(
            channel, channel_len, bytes, len, NULL, NULL);
        ngx_free(bytes);
    }
}


static ngx_int_t
ngx_http_cs_chat_bus_encode(
    csc_bus_message_t *message, u_char **bytes, size_t *len)
{
    *len = csc_bus_size(message);

    if (*len == 0) {
        ngx_log_error(
            NGX_LOG_ALERT, bus.log, 0, "a message for Redis can't be encoded");
        return NGX_ERROR;
    }

    *bytes = ngx_alloc(*len, bus.log);
    if (*bytes == NULL) {
        return NGX_ERROR;
    }

    csc_bus_encode(message, *bytes);

    return NGX_OK;
}


static ngx_int_t
ngx_http_cs_chat_bus_publish(const char *channel, size_t channel_len,
    u_char *bytes, size_t len, redisCallbackFn *callback, void *data)
{
    int rc;
    size_t lens[3];
    const char *argv[3];

    argv[0] = "PUBLISH";
    lens[0] = sizeof("PUBLISH") - 1;
    argv[1] = channel;
    lens[1] = channel_len;
    argv[2] = (const char *) bytes;
    lens[2] = len;

    rc = redisAsyncCommandArgv(
        bus.commands.context, callback, data, 3, argv, lens);

    return (rc == REDIS_OK) ? NGX_OK : NGX_ERROR;
}


/* PUBLISH says how many heard it: nobody means that nothing was stored. */

static void
ngx_http_cs_chat_bus_published(
    redisAsyncContext *context, void *reply, void *id)
{
    redisReply *answer;
    ngx_http_cs_chat_call_t *call;

    answer = reply;
    call = ngx_http_cs_chat_call_find((ngx_rbtree_key_t) id);

    if (answer == NULL || call == NULL) {
        return;
    }

    if (answer->type == REDIS_REPLY_INTEGER && answer->integer > 0) {
        ngx_free(call->bytes);
        call->bytes = NULL;
        return;
    }

    if (answer->type == REDIS_REPLY_ERROR) {
        ngx_log_error(NGX_LOG_ERR, bus.log, 0,
            "Redis refused to publish a request: %s", answer->str);
        ngx_http_cs_chat_call_fail(call, CSC_E_BACKEND_UNAVAILABLE);
        return;
    }

    ngx_http_cs_chat_bus_unheard(call);
}


/*
 * While a shard goes from one worker to another nobody hears its requests for
 * a moment.  As long as there is a worker they are sent again; nothing was
 * stored, so no deadline turns that into an unknown outcome.
 */

static void
ngx_http_cs_chat_bus_unheard(ngx_http_cs_chat_call_t *call)
{
    if (!ngx_http_cs_chat_sources_alive()
        || ngx_current_msec - call->began >= RETRY_LIMIT)
    {
        ngx_http_cs_chat_call_fail(call, CSC_E_BACKEND_UNAVAILABLE);
        return;
    }

    call->failed = CSC_E_BACKEND_UNAVAILABLE;
    call->retrying = 1;
    ngx_queue_insert_tail(&bus.retries, &call->retry);

    if (!bus.retry.timer_set) {
        ngx_add_timer(&bus.retry, RETRY_INTERVAL);
    }
}


static void
ngx_http_cs_chat_bus_retry(ngx_event_t *ev)
{
    ngx_queue_t *q;
    ngx_http_cs_chat_call_t *call;

    while (!ngx_queue_empty(&bus.retries)) {
        q = ngx_queue_head(&bus.retries);
        call = ngx_queue_data(q, ngx_http_cs_chat_call_t, retry);

        ngx_queue_remove(q);
        call->retrying = 0;

        if (!bus.ready || ngx_http_cs_chat_bus_renew_ttl(call) != NGX_OK
            || ngx_http_cs_chat_bus_send(call) != NGX_OK)
        {
            ngx_http_cs_chat_call_fail(call, CSC_E_BACKEND_UNAVAILABLE);
            continue;
        }

        call->failed = CSC_E_NONE;
    }
}


/* The asker has waited meanwhile: the request says how long it still will. */

static ngx_int_t
ngx_http_cs_chat_bus_renew_ttl(ngx_http_cs_chat_call_t *call)
{
    size_t len;
    u_char *bytes;
    csc_str_t old;
    const char *why;
    ngx_msec_int_t left;
    csc_bus_message_t message;

    old.data = call->bytes;
    old.len = call->len;
    left = (ngx_msec_int_t) (call->timer.timer.key - ngx_current_msec);

    if (left <= 0 || csc_bus_decode(old, &message, &why) != CSC_OK) {
        return NGX_ERROR;
    }

    message.ttl = left;

    if (ngx_http_cs_chat_bus_encode(&message, &bytes, &len) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_free(call->bytes);
    call->bytes = bytes;
    call->len = len;

    return NGX_OK;
}


ngx_http_cs_chat_call_t *
ngx_http_cs_chat_bus_command(int argc, const char **argv, const size_t *lens,
    ngx_msec_t timeout, ngx_http_cs_chat_command_pt handler, void *data)
{
    ngx_http_cs_chat_call_t *call;

    call = ngx_http_cs_chat_call_new(timeout, data);
    if (call == NULL) {
        return NULL;
    }

    call->on_command = handler;

    if (!bus.ready) {
        ngx_http_cs_chat_call_fail_later(call, CSC_E_BACKEND_UNAVAILABLE);
        return call;
    }

    if (redisAsyncCommandArgv(bus.commands.context,
            ngx_http_cs_chat_bus_commanded, (void *) call->node.key, argc, argv,
            lens)
        != REDIS_OK)
    {
        ngx_http_cs_chat_call_free(call);
        return NULL;
    }

    return call;
}


static void
ngx_http_cs_chat_bus_commanded(
    redisAsyncContext *context, void *reply, void *id)
{
    redisReply *answer;
    ngx_http_cs_chat_call_t *call;

    answer = reply;
    call = ngx_http_cs_chat_call_find((ngx_rbtree_key_t) id);

    if (answer == NULL || call == NULL) {
        return;
    }

    if (answer->type == REDIS_REPLY_ERROR) {
        ngx_log_error(NGX_LOG_ERR, bus.log, 0, "Redis refused a command: %s",
            answer->str);
        ngx_http_cs_chat_call_fail(call, CSC_E_BACKEND_UNAVAILABLE);
        return;
    }

    ngx_http_cs_chat_call_result(call, answer);
}


ngx_http_cs_chat_call_t *
ngx_http_cs_chat_bus_revoke(u_char *key, time_t expires, ngx_msec_t timeout,
    ngx_http_cs_chat_command_pt handler, void *data)
{
    size_t lens[4];
    const char *argv[4];
    csc_bus_message_t message;
    ngx_http_cs_chat_call_t *call;
    u_char score[NGX_TIME_T_LEN];

    lens[0] = sizeof("ZADD") - 1;
    argv[0] = "ZADD";
    lens[1] = ngx_strlen(bus.revoked_key);
    argv[1] = bus.revoked_key;
    lens[2] = ngx_sprintf(score, "%T", expires) - score;
    argv[2] = (const char *) score;
    lens[3] = NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN;
    argv[3] = (const char *) key;

    call = ngx_http_cs_chat_bus_command(4, argv, lens, timeout, handler, data);

    if (call == NULL || !bus.ready) {
        return call;
    }

    /* one connection: whoever hears of it finds it in the set */

    ngx_memzero(&message, sizeof(message));
    message.kind = CSC_BUS_CONTROL;
    message.op = csc_str("token.revoked");
    message.key.data = key;
    message.key.len = NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN;
    message.expires = (uint64_t) expires;

    ngx_http_cs_chat_bus_say(
        bus.events_channel, ngx_strlen(bus.events_channel), &message);

    return call;
}
