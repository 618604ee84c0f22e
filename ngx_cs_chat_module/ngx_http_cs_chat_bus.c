#include "ngx_http_cs_chat_bus.h"
#include "ngx_http_cs_chat_hub.h"
#include "ngx_http_cs_chat_presence.h"
#include "ngx_http_cs_chat_zone.h"

#include <openssl/rand.h>

#include "csc_uuid.h"


#define PROCESS_LEN 16
#define CHANNEL_SIZE (CSC_BUS_MAX_PREFIX + 64)
#define PULSE_INTERVAL 2000 /* ms between signs of life sent to oneself */
#define PULSE_LIMIT 7000    /* ms without one: the links are given up */
#define MAX_SOURCES 1024    /* workers whose event numbers are followed */


struct ngx_http_cs_chat_call_s {
    ngx_rbtree_node_t node; /* by number, while it awaits an answer */
    ngx_queue_t queue;      /* in bus.waiting instead */
    ngx_event_t timer;
    ngx_http_cs_chat_reply_pt on_reply;     /* of a request */
    ngx_http_cs_chat_command_pt on_command; /* of a command or a wait */
    void *data;
    csc_error_e failed; /* before it could go out */
    unsigned waiting : 1;
};


/* The last event number seen of a chat worker. */
typedef struct {
    ngx_rbtree_node_t node; /* by hash of the name */
    uint64_t n;
    time_t seen;
} ngx_http_cs_chat_source_t;


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

    ngx_rbtree_t calls;
    ngx_rbtree_node_t calls_sentinel;
    ngx_rbtree_key_t last_call;
    ngx_queue_t waiting;

    ngx_rbtree_t sources;
    ngx_rbtree_node_t sources_sentinel;
    ngx_uint_t nsources;

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
static void ngx_http_cs_chat_bus_forget_sources(void);

static ngx_http_cs_chat_call_t *ngx_http_cs_chat_bus_call(
    ngx_msec_t timeout, void *data);
static ngx_http_cs_chat_call_t *ngx_http_cs_chat_bus_find(ngx_rbtree_key_t id);
static void ngx_http_cs_chat_bus_remove(ngx_http_cs_chat_call_t *call);
static void ngx_http_cs_chat_bus_fail(
    ngx_http_cs_chat_call_t *call, csc_error_e error);
static void ngx_http_cs_chat_bus_fail_later(ngx_http_cs_chat_call_t *call);
static void ngx_http_cs_chat_bus_fail_all(void);
static void ngx_http_cs_chat_bus_timeout(ngx_event_t *ev);
static ngx_int_t ngx_http_cs_chat_bus_publish(const char *channel, size_t len,
    csc_bus_message_t *message, redisCallbackFn *callback, void *data);
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

    ngx_rbtree_init(&bus.calls, &bus.calls_sentinel, ngx_rbtree_insert_value);
    ngx_rbtree_init(
        &bus.sources, &bus.sources_sentinel, ngx_rbtree_insert_value);
    ngx_queue_init(&bus.waiting);

    if (ngx_http_cs_chat_bus_names() != NGX_OK) {
        return NGX_ERROR;
    }

    bus.pulse.handler = ngx_http_cs_chat_bus_pulse;
    bus.pulse.data = &bus.commands; /* printed as a connection in debug logs */
    bus.pulse.log = log;
    bus.pulse.cancelable = 1;

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
    ngx_http_cs_chat_bus_forget_sources();

    if (bus.pulse.timer_set) {
        ngx_del_timer(&bus.pulse);
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
    ngx_queue_t *q;
    ngx_http_cs_chat_call_t *call;
    ngx_http_cs_chat_command_pt handler;
    void *data;

    bus.starting = 0;

    while (!ngx_queue_empty(&bus.waiting)) {
        q = ngx_queue_head(&bus.waiting);
        call = ngx_queue_data(q, ngx_http_cs_chat_call_t, queue);

        handler = call->on_command;
        data = call->data;

        ngx_http_cs_chat_bus_remove(call);
        ngx_free(call);

        handler(data, NULL, CSC_E_NONE);
    }
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
        ngx_http_cs_chat_bus_forget_sources();
    }

    ngx_http_cs_chat_bus_failure(link);
    ngx_http_cs_chat_bus_fail_all();
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
    void *data;
    ngx_http_cs_chat_call_t *call;
    ngx_http_cs_chat_reply_pt handler;

    call = ngx_http_cs_chat_bus_find((ngx_rbtree_key_t) message->id);

    /* none: the client left, or the deadline passed */

    if (call == NULL || call->on_reply == NULL) {
        return;
    }

    handler = call->on_reply;
    data = call->data;

    ngx_http_cs_chat_bus_remove(call);
    ngx_free(call);

    handler(data, message, CSC_E_NONE);
}


static void
ngx_http_cs_chat_bus_on_control(csc_bus_message_t *message)
{
    if (!csc_str_is(message->op, "token.revoked")
        || message->key.len != NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN
        || message->expires == 0)
    {
        ngx_http_cs_chat_bus_dropped(
            message->key.len, "an unknown control message");
        return;
    }

    ngx_http_cs_chat_hub_revoke(
        (u_char *) message->key.data, (time_t) message->expires);
}


/*
 * Follows the numbers of each worker's events.  A worker that was not known
 * begins wherever it stands; a number left out is an event that was missed.
 * The process' own sign of life is a heartbeat with number 0.
 */

static void
ngx_http_cs_chat_bus_count(csc_bus_message_t *message)
{
    uint64_t expected;
    ngx_rbtree_key_t hash;
    ngx_rbtree_node_t *node;
    ngx_http_cs_chat_source_t *source;

    if (message->kind == CSC_BUS_HEARTBEAT && message->src.len == PROCESS_LEN
        && ngx_memcmp(message->src.data, bus.process, PROCESS_LEN) == 0)
    {
        bus.heard = ngx_current_msec;
        return;
    }

    hash = ngx_murmur_hash2((u_char *) message->src.data, message->src.len);
    node = bus.sources.root;

    while (node != &bus.sources_sentinel && node->key != hash) {
        node = (hash < node->key) ? node->left : node->right;
    }

    if (node == &bus.sources_sentinel) {
        if (bus.nsources >= MAX_SOURCES) {
            ngx_http_cs_chat_bus_forget_sources();
        }

        source = ngx_alloc(sizeof(ngx_http_cs_chat_source_t), bus.log);
        if (source == NULL) {
            return;
        }

        source->node.key = hash;
        source->n = message->n;
        ngx_rbtree_insert(&bus.sources, &source->node);
        bus.nsources++;
        return;
    }

    source = ngx_rbtree_data(node, ngx_http_cs_chat_source_t, node);
    expected = source->n + (message->kind == CSC_BUS_EVENT ? 1 : 0);
    source->n = message->n;

    if (message->n > expected) {
        ngx_log_error(NGX_LOG_WARN, bus.log, 0,
            "%uL events were missed; the sockets are told to resync",
            message->n - expected);
        ngx_http_cs_chat_hub_resync("events were missed");
    }
}


static void
ngx_http_cs_chat_bus_forget_sources(void)
{
    ngx_rbtree_node_t *node;

    while (bus.sources.root != &bus.sources_sentinel) {
        node = bus.sources.root;
        ngx_rbtree_delete(&bus.sources, node);
        ngx_free(ngx_rbtree_data(node, ngx_http_cs_chat_source_t, node));
    }

    bus.nsources = 0;
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

    (void) ngx_http_cs_chat_bus_publish(
        bus.reply_channel, ngx_strlen(bus.reply_channel), &message, NULL, NULL);
}


/* Calls: what awaits an answer. */

static ngx_http_cs_chat_call_t *
ngx_http_cs_chat_bus_call(ngx_msec_t timeout, void *data)
{
    ngx_http_cs_chat_call_t *call;

    call = ngx_calloc(sizeof(ngx_http_cs_chat_call_t), bus.log);
    if (call == NULL) {
        return NULL;
    }

    call->data = data;
    call->node.key = ++bus.last_call;
    call->timer.handler = ngx_http_cs_chat_bus_timeout;
    call->timer.data = call;
    call->timer.log = bus.log;

    ngx_rbtree_insert(&bus.calls, &call->node);
    ngx_add_timer(&call->timer, timeout);

    return call;
}


static ngx_http_cs_chat_call_t *
ngx_http_cs_chat_bus_find(ngx_rbtree_key_t id)
{
    ngx_rbtree_node_t *node;

    node = bus.calls.root;

    while (node != &bus.calls_sentinel) {
        if (id == node->key) {
            return ngx_rbtree_data(node, ngx_http_cs_chat_call_t, node);
        }

        node = (id < node->key) ? node->left : node->right;
    }

    return NULL;
}


static void
ngx_http_cs_chat_bus_remove(ngx_http_cs_chat_call_t *call)
{
    if (call->waiting) {
        ngx_queue_remove(&call->queue);
        return;
    }

    ngx_rbtree_delete(&bus.calls, &call->node);

    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }
}


void
ngx_http_cs_chat_bus_cancel(ngx_http_cs_chat_call_t *call)
{
    if (call != NULL) {
        ngx_http_cs_chat_bus_remove(call);
        ngx_free(call);
    }
}


static void
ngx_http_cs_chat_bus_fail(ngx_http_cs_chat_call_t *call, csc_error_e error)
{
    void *data;
    ngx_http_cs_chat_reply_pt on_reply;
    ngx_http_cs_chat_command_pt on_command;

    on_reply = call->on_reply;
    on_command = call->on_command;
    data = call->data;

    ngx_http_cs_chat_bus_remove(call);
    ngx_free(call);

    if (on_reply != NULL) {
        on_reply(data, NULL, error);

    } else {
        on_command(data, NULL, error);
    }
}


/* From the next turn of the loop, so that the caller is done by then. */

static void
ngx_http_cs_chat_bus_fail_later(ngx_http_cs_chat_call_t *call)
{
    call->failed = CSC_E_BACKEND_UNAVAILABLE;
    ngx_add_timer(&call->timer, 0);
}


/* It is unknown whether they were carried out. */

static void
ngx_http_cs_chat_bus_fail_all(void)
{
    ngx_rbtree_key_t last;
    ngx_rbtree_node_t *node;
    ngx_http_cs_chat_call_t *call;

    /* handlers may start new calls: those have higher numbers */

    last = bus.last_call;

    while (bus.calls.root != &bus.calls_sentinel) {
        node = ngx_rbtree_min(bus.calls.root, &bus.calls_sentinel);

        if (node->key > last) {
            break;
        }

        call = ngx_rbtree_data(node, ngx_http_cs_chat_call_t, node);
        ngx_http_cs_chat_bus_fail(
            call, call->failed ? call->failed : CSC_E_BACKEND_TIMEOUT);
    }
}


static void
ngx_http_cs_chat_bus_timeout(ngx_event_t *ev)
{
    ngx_http_cs_chat_call_t *call;

    call = ev->data;

    ngx_http_cs_chat_bus_fail(
        call, call->failed ? call->failed : CSC_E_BACKEND_TIMEOUT);
}


ngx_http_cs_chat_call_t *
ngx_http_cs_chat_bus_wait(ngx_http_cs_chat_command_pt handler, void *data)
{
    ngx_http_cs_chat_call_t *call;

    call = ngx_calloc(sizeof(ngx_http_cs_chat_call_t), bus.log);
    if (call == NULL) {
        return NULL;
    }

    call->on_command = handler;
    call->data = data;
    call->waiting = 1;

    ngx_queue_insert_tail(&bus.waiting, &call->queue);

    return call;
}


/* What goes out. */

ngx_http_cs_chat_call_t *
ngx_http_cs_chat_bus_request(csc_bus_message_t *message, csc_str_t shard_by,
    ngx_msec_t timeout, ngx_http_cs_chat_reply_pt handler, void *data)
{
    size_t len;
    unsigned shard;
    ngx_int_t rc;
    ngx_http_cs_chat_call_t *call;
    char channel[CHANNEL_SIZE];

    call = ngx_http_cs_chat_bus_call(timeout, data);
    if (call == NULL) {
        return NULL;
    }

    call->on_reply = handler;

    if (!bus.ready) {
        ngx_http_cs_chat_bus_fail_later(call);
        return call;
    }

    message->kind = CSC_BUS_REQUEST;
    message->id = call->node.key;
    message->from.data = bus.process;
    message->from.len = PROCESS_LEN;
    message->ttl = timeout;

    shard = shard_by.len ? csc_bus_shard(shard_by)
                         : (unsigned) ngx_random() % CSC_BUS_SHARDS;

    len = csc_bus_request_channel(bus.prefix, shard, channel, CHANNEL_SIZE);

    rc = ngx_http_cs_chat_bus_publish(channel, len, message,
        ngx_http_cs_chat_bus_published, (void *) call->node.key);

    if (rc != NGX_OK) {
        ngx_http_cs_chat_bus_cancel(call);
        return NULL;
    }

    return call;
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

    (void) ngx_http_cs_chat_bus_publish(channel, len, message, NULL, NULL);
}


static ngx_int_t
ngx_http_cs_chat_bus_publish(const char *channel, size_t len,
    csc_bus_message_t *message, redisCallbackFn *callback, void *data)
{
    int rc;
    u_char *bytes;
    size_t lens[3];
    const char *argv[3];

    lens[0] = sizeof("PUBLISH") - 1;
    argv[0] = "PUBLISH";
    lens[1] = len;
    argv[1] = channel;
    lens[2] = csc_bus_size(message);

    if (lens[2] == 0) {
        ngx_log_error(
            NGX_LOG_ALERT, bus.log, 0, "a message for Redis can't be encoded");
        return NGX_ERROR;
    }

    bytes = ngx_alloc(lens[2], bus.log);
    if (bytes == NULL) {
        return NGX_ERROR;
    }

    csc_bus_encode(message, bytes);
    argv[2] = (const char *) bytes;

    rc = redisAsyncCommandArgv(
        bus.commands.context, callback, data, 3, argv, lens);

    ngx_free(bytes);

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

    if (answer == NULL
        || (answer->type == REDIS_REPLY_INTEGER && answer->integer > 0))
    {
        return;
    }

    call = ngx_http_cs_chat_bus_find((ngx_rbtree_key_t) id);

    if (answer->type == REDIS_REPLY_ERROR) {
        ngx_log_error(NGX_LOG_ERR, bus.log, 0,
            "Redis refused to publish a request: %s", answer->str);
    }

    if (call != NULL) {
        ngx_http_cs_chat_bus_fail(call, CSC_E_BACKEND_UNAVAILABLE);
    }
}


ngx_http_cs_chat_call_t *
ngx_http_cs_chat_bus_command(int argc, const char **argv, const size_t *lens,
    ngx_msec_t timeout, ngx_http_cs_chat_command_pt handler, void *data)
{
    ngx_http_cs_chat_call_t *call;

    call = ngx_http_cs_chat_bus_call(timeout, data);
    if (call == NULL) {
        return NULL;
    }

    call->on_command = handler;

    if (!bus.ready) {
        ngx_http_cs_chat_bus_fail_later(call);
        return call;
    }

    if (redisAsyncCommandArgv(bus.commands.context,
            ngx_http_cs_chat_bus_commanded, (void *) call->node.key, argc, argv,
            lens)
        != REDIS_OK)
    {
        ngx_http_cs_chat_bus_cancel(call);
        return NULL;
    }

    return call;
}


static void
ngx_http_cs_chat_bus_commanded(
    redisAsyncContext *context, void *reply, void *id)
{
    void *data;
    redisReply *answer;
    ngx_http_cs_chat_call_t *call;
    ngx_http_cs_chat_command_pt handler;

    answer = reply;
    call = ngx_http_cs_chat_bus_find((ngx_rbtree_key_t) id);

    if (answer == NULL || call == NULL) {
        return;
    }

    if (answer->type == REDIS_REPLY_ERROR) {
        ngx_log_error(NGX_LOG_ERR, bus.log, 0, "Redis refused a command: %s",
            answer->str);
        ngx_http_cs_chat_bus_fail(call, CSC_E_BACKEND_UNAVAILABLE);
        return;
    }

    handler = call->on_command;
    data = call->data;

    ngx_http_cs_chat_bus_remove(call);
    ngx_free(call);

    handler(data, answer, CSC_E_NONE);
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

    (void) ngx_http_cs_chat_bus_publish(bus.events_channel,
        ngx_strlen(bus.events_channel), &message, NULL, NULL);

    return call;
}
