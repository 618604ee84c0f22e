#include "ngx_http_cs_chat_order.h"
#include "ngx_http_cs_chat_bus.h"
#include "ngx_http_cs_chat_hub.h"
#include "ngx_http_cs_chat_metrics.h"
#include "ngx_http_cs_chat_typing.h"

#include "csc_uuid.h"


#define FIRST_WAIT 50 /* ms in which one that was overtaken comes by itself */
#define ASK_INTERVAL 500 /* ms from one question for it to the next */

#define RESYNC                                                                 \
    "{\"type\":\"resync\",\"data\":{\"reason\":\"messages of a chat are "      \
    "missing\"},\"chatId\":\"%*s\"}"


/* A chat of which messages were heard: the one used last stands first. */
typedef struct {
    ngx_str_node_t sn; /* str.data is the id below */
    ngx_queue_t used;
    uint64_t seq; /* of the last message that was delivered */
    struct ngx_http_cs_chat_gap_s *gap;
    u_char id[CSC_UUID_LEN];
} ngx_http_cs_chat_order_t;


/* Messages are missing: what came behind them waits. */
typedef struct ngx_http_cs_chat_gap_s {
    ngx_queue_t held; /* by number; what has none behind what it came after */
    ngx_event_t timer;
    ngx_msec_t began;
    ngx_http_cs_chat_order_t *chat;
} ngx_http_cs_chat_gap_t;


typedef struct {
    ngx_queue_t queue;
    uint64_t seq; /* 0: the event is no message */
    csc_str_t bytes;
    u_char data[];
} ngx_http_cs_chat_late_t;


typedef struct {
    ngx_http_cs_chat_order_conf_t *conf;
    ngx_log_t *log;
    ngx_rbtree_t chats;
    ngx_rbtree_node_t sentinel;
    ngx_queue_t used;
    ngx_uint_t count; /* of chats */
    size_t held;      /* bytes of events that wait */
} ngx_http_cs_chat_orders_t;


static void ngx_http_cs_chat_order_message(
    ngx_http_cs_chat_order_t *chat, csc_bus_message_t *event, csc_str_t bytes);
static ngx_http_cs_chat_order_t *ngx_http_cs_chat_order_find(csc_str_t id);
static void ngx_http_cs_chat_order_add(csc_str_t id, uint64_t seq);
static void ngx_http_cs_chat_order_remove(ngx_http_cs_chat_order_t *chat);
static void ngx_http_cs_chat_order_resync(
    ngx_http_cs_chat_order_t *chat, csc_bus_message_t *event);
static void ngx_http_cs_chat_gap_begin(ngx_http_cs_chat_order_t *chat);
static ngx_int_t ngx_http_cs_chat_gap_hold(
    ngx_http_cs_chat_gap_t *gap, uint64_t seq, csc_str_t bytes);
static void ngx_http_cs_chat_gap_timer(ngx_event_t *ev);
static void ngx_http_cs_chat_gap_ask(ngx_http_cs_chat_gap_t *gap);
static void ngx_http_cs_chat_gap_give_up(ngx_http_cs_chat_gap_t *gap);
static void ngx_http_cs_chat_gap_deliver(
    ngx_http_cs_chat_gap_t *gap, ngx_uint_t all);
static void ngx_http_cs_chat_gap_pass(
    ngx_http_cs_chat_order_t *chat, ngx_http_cs_chat_late_t *late);
static void ngx_http_cs_chat_gap_pop(ngx_http_cs_chat_late_t *late);
static void ngx_http_cs_chat_gap_drop(ngx_http_cs_chat_gap_t *gap);
static void ngx_http_cs_chat_gap_end(ngx_http_cs_chat_gap_t *gap);


static ngx_http_cs_chat_orders_t orders;


void
ngx_http_cs_chat_order_init(ngx_http_cs_chat_order_conf_t *conf, ngx_log_t *log)
{
    ngx_memzero(&orders, sizeof(orders));

    orders.conf = conf;
    orders.log = log;
    ngx_queue_init(&orders.used);
    ngx_rbtree_init(
        &orders.chats, &orders.sentinel, ngx_str_rbtree_insert_value);
}


void
ngx_http_cs_chat_order_event(csc_bus_message_t *event, csc_str_t bytes)
{
    ngx_http_cs_chat_order_t *chat;

    chat = NULL;

    if (event->chat.len == CSC_UUID_LEN) {
        chat = ngx_http_cs_chat_order_find(event->chat);
    }

    if (chat != NULL && event->seq) {
        ngx_http_cs_chat_order_message(chat, event, bytes);
        return;
    }

    /* what follows messages that wait for others waits with them */

    if (chat != NULL && chat->gap != NULL
        && ngx_http_cs_chat_gap_hold(chat->gap, 0, bytes) == NGX_OK)
    {
        return;
    }

    if (event->seq && event->chat.len == CSC_UUID_LEN) {
        ngx_http_cs_chat_order_add(event->chat, event->seq);
    }

    ngx_http_cs_chat_typing_event(event);
}


static void
ngx_http_cs_chat_order_message(
    ngx_http_cs_chat_order_t *chat, csc_bus_message_t *event, csc_str_t bytes)
{
    ngx_queue_remove(&chat->used);
    ngx_queue_insert_head(&orders.used, &chat->used);

    if (event->seq <= chat->seq) {
        return;
    }

    if (event->seq == chat->seq + 1) {
        chat->seq = event->seq;
        ngx_http_cs_chat_typing_event(event);

        if (chat->gap != NULL) {
            ngx_http_cs_chat_gap_deliver(chat->gap, 0);
        }

        return;
    }

    if (chat->gap == NULL) {
        ngx_http_cs_chat_gap_begin(chat);
    }

    if (chat->gap != NULL) {
        if (ngx_http_cs_chat_gap_hold(chat->gap, event->seq, bytes) == NGX_OK) {
            return;
        }

        ngx_http_cs_chat_gap_give_up(chat->gap);
    }

    /* it can't wait either */

    if (event->seq > chat->seq) {
        if (event->seq > chat->seq + 1) {
            ngx_http_cs_chat_order_resync(chat, event);
        }

        chat->seq = event->seq;
        ngx_http_cs_chat_typing_event(event);
    }
}


/* Chats. */

static ngx_http_cs_chat_order_t *
ngx_http_cs_chat_order_find(csc_str_t id)
{
    ngx_str_t name;

    name.len = id.len;
    name.data = (u_char *) id.data;

    return (ngx_http_cs_chat_order_t *) ngx_str_rbtree_lookup(
        &orders.chats, &name, ngx_murmur_hash2(name.data, name.len));
}


static void
ngx_http_cs_chat_order_add(csc_str_t id, uint64_t seq)
{
    ngx_queue_t *q;
    ngx_http_cs_chat_order_t *chat;

    if (orders.count >= orders.conf->chats) {
        q = ngx_queue_last(&orders.used);
        chat = ngx_queue_data(q, ngx_http_cs_chat_order_t, used);

        if (chat->gap != NULL) {
            ngx_http_cs_chat_gap_give_up(chat->gap);
        }

        ngx_http_cs_chat_order_remove(chat);
    }

    chat = ngx_alloc(sizeof(ngx_http_cs_chat_order_t), orders.log);
    if (chat == NULL) {
        return;
    }

    ngx_memcpy(chat->id, id.data, CSC_UUID_LEN);
    chat->sn.str.data = chat->id;
    chat->sn.str.len = CSC_UUID_LEN;
    chat->sn.node.key = ngx_murmur_hash2(chat->id, CSC_UUID_LEN);
    chat->seq = seq;
    chat->gap = NULL;

    ngx_rbtree_insert(&orders.chats, &chat->sn.node);
    ngx_queue_insert_head(&orders.used, &chat->used);
    orders.count++;
}


static void
ngx_http_cs_chat_order_remove(ngx_http_cs_chat_order_t *chat)
{
    ngx_rbtree_delete(&orders.chats, &chat->sn.node);
    ngx_queue_remove(&chat->used);
    orders.count--;

    ngx_free(chat);
}


void
ngx_http_cs_chat_order_forget(void)
{
    ngx_queue_t *q, *next;
    ngx_http_cs_chat_order_t *chat;

    for (q = ngx_queue_head(&orders.used);
         q != ngx_queue_sentinel(&orders.used); q = next)
    {
        next = ngx_queue_next(q);
        chat = ngx_queue_data(q, ngx_http_cs_chat_order_t, used);

        /* what waits was published, so those who miss it fetch it too */

        if (chat->gap != NULL) {
            ngx_http_cs_chat_gap_drop(chat->gap);
        }

        ngx_http_cs_chat_order_remove(chat);
    }
}


/* Tells those who are to get a message that others before it are missing. */

static void
ngx_http_cs_chat_order_resync(
    ngx_http_cs_chat_order_t *chat, csc_bus_message_t *event)
{
    csc_bus_message_t resync;
    u_char text[sizeof(RESYNC) + CSC_UUID_LEN];

    ngx_memzero(&resync, sizeof(resync));
    resync.kind = CSC_BUS_EVENT;
    resync.topics = event->topics;
    resync.body.data = text;
    resync.body.len = ngx_snprintf(text, sizeof(text), RESYNC,
                          (size_t) CSC_UUID_LEN, chat->id)
                      - text;

    ngx_http_cs_chat_metrics->resyncs++;
    ngx_http_cs_chat_hub_event(&resync);
}


/* Gaps. */

/* Without memory there is none. */

static void
ngx_http_cs_chat_gap_begin(ngx_http_cs_chat_order_t *chat)
{
    ngx_http_cs_chat_gap_t *gap;

    gap = ngx_calloc(sizeof(ngx_http_cs_chat_gap_t), orders.log);
    if (gap == NULL) {
        return;
    }

    gap->chat = chat;
    gap->began = ngx_current_msec;
    ngx_queue_init(&gap->held);

    gap->timer.handler = ngx_http_cs_chat_gap_timer;
    gap->timer.data = gap;
    gap->timer.log = orders.log;
    gap->timer.cancelable = 1;
    ngx_add_timer(&gap->timer, FIRST_WAIT);

    chat->gap = gap;
}


/* NGX_DECLINED when too much waits already, or there is no memory. */

static ngx_int_t
ngx_http_cs_chat_gap_hold(
    ngx_http_cs_chat_gap_t *gap, uint64_t seq, csc_str_t bytes)
{
    size_t size;
    ngx_queue_t *q, *next;
    ngx_http_cs_chat_late_t *late;

    /* before the first that has a higher number, or else at the end */

    next = ngx_queue_sentinel(&gap->held);

    for (q = ngx_queue_last(&gap->held);
         seq && q != ngx_queue_sentinel(&gap->held); q = ngx_queue_prev(q))
    {
        late = ngx_queue_data(q, ngx_http_cs_chat_late_t, queue);

        if (late->seq == seq) {
            return NGX_OK;
        }

        if (late->seq > seq) {
            next = q;

        } else if (late->seq) {
            break;
        }
    }

    size = sizeof(ngx_http_cs_chat_late_t) + bytes.len;

    if (orders.held + size > orders.conf->buffer) {
        return NGX_DECLINED;
    }

    late = ngx_alloc(size, orders.log);
    if (late == NULL) {
        return NGX_DECLINED;
    }

    ngx_memcpy(late->data, bytes.data, bytes.len);
    late->bytes.data = late->data;
    late->bytes.len = bytes.len;
    late->seq = seq;

    ngx_queue_insert_tail(next, &late->queue);
    orders.held += size;

    return NGX_OK;
}


/* A chat worker is asked for what does not come, until the time is up. */

static void
ngx_http_cs_chat_gap_timer(ngx_event_t *ev)
{
    ngx_http_cs_chat_gap_t *gap;

    gap = ev->data;

    if (ngx_current_msec - gap->began >= orders.conf->wait) {
        ngx_http_cs_chat_gap_give_up(gap);
        return;
    }

    ngx_http_cs_chat_gap_ask(gap);
    ngx_add_timer(&gap->timer, ngx_min(ASK_INTERVAL, orders.conf->wait));
}


static void
ngx_http_cs_chat_gap_ask(ngx_http_cs_chat_gap_t *gap)
{
    csc_bus_message_t message;

    ngx_memzero(&message, sizeof(message));
    message.op = csc_str(csc_op_name(CSC_OP_MESSAGES_REPEAT));
    message.chat.data = gap->chat->id;
    message.chat.len = CSC_UUID_LEN;
    message.seq = gap->chat->seq;

    ngx_log_error(NGX_LOG_INFO, orders.log, 0,
        "messages after number %uL of chat %*s are missing, asking for them",
        gap->chat->seq, (size_t) CSC_UUID_LEN, gap->chat->id);

    ngx_http_cs_chat_metrics->repeats++;
    ngx_http_cs_chat_bus_tell(
        &message, csc_bus_shard(message.chat), NULL, NULL);
}


static void
ngx_http_cs_chat_gap_give_up(ngx_http_cs_chat_gap_t *gap)
{
    ngx_log_error(NGX_LOG_WARN, orders.log, 0,
        "messages after number %uL of chat %*s did not come; the sockets are "
        "told to resync",
        gap->chat->seq, (size_t) CSC_UUID_LEN, gap->chat->id);

    ngx_http_cs_chat_gap_deliver(gap, 1);
}


/*
 * Delivers what waits up to the next message that is missing, or all of it;
 * the gap ends when nothing waits any more.
 */

static void
ngx_http_cs_chat_gap_deliver(ngx_http_cs_chat_gap_t *gap, ngx_uint_t all)
{
    ngx_queue_t *q, *next;
    ngx_http_cs_chat_late_t *late;

    for (q = ngx_queue_head(&gap->held); q != ngx_queue_sentinel(&gap->held);
         q = next)
    {
        next = ngx_queue_next(q);
        late = ngx_queue_data(q, ngx_http_cs_chat_late_t, queue);

        if (late->seq > gap->chat->seq + 1 && !all) {
            return;
        }

        ngx_http_cs_chat_gap_pass(gap->chat, late);
        ngx_http_cs_chat_gap_pop(late);
    }

    ngx_http_cs_chat_gap_end(gap);
}


static void
ngx_http_cs_chat_gap_pass(
    ngx_http_cs_chat_order_t *chat, ngx_http_cs_chat_late_t *late)
{
    const char *why;
    csc_bus_message_t event;

    if ((late->seq && late->seq <= chat->seq)
        || csc_bus_decode(late->bytes, &event, &why) != CSC_OK)
    {
        return;
    }

    if (late->seq > chat->seq + 1) {
        ngx_http_cs_chat_order_resync(chat, &event);
    }

    if (late->seq) {
        chat->seq = late->seq;
    }

    ngx_http_cs_chat_typing_event(&event);
}


static void
ngx_http_cs_chat_gap_pop(ngx_http_cs_chat_late_t *late)
{
    ngx_queue_remove(&late->queue);
    orders.held -= sizeof(ngx_http_cs_chat_late_t) + late->bytes.len;
    ngx_free(late);
}


/* What waits is not delivered. */

static void
ngx_http_cs_chat_gap_drop(ngx_http_cs_chat_gap_t *gap)
{
    ngx_queue_t *q, *next;

    for (q = ngx_queue_head(&gap->held); q != ngx_queue_sentinel(&gap->held);
         q = next)
    {
        next = ngx_queue_next(q);
        ngx_http_cs_chat_gap_pop(
            ngx_queue_data(q, ngx_http_cs_chat_late_t, queue));
    }

    ngx_http_cs_chat_gap_end(gap);
}


/* Nothing waits any more. */

static void
ngx_http_cs_chat_gap_end(ngx_http_cs_chat_gap_t *gap)
{
    if (gap->timer.timer_set) {
        ngx_del_timer(&gap->timer);
    }

    gap->chat->gap = NULL;
    ngx_free(gap);
}
