#include "ngx_http_cs_chat_typing.h"
#include "ngx_http_cs_chat_event.h"


#define MAX_WRITERS 65536 /* that are shown at once by one process */

#define KEY_LEN ((size_t) 2 * CSC_UUID_LEN)

#define STOPPED                                                                \
    "{\"type\":\"user_typing\",\"data\":{\"chatId\":\"%*s\",\"userId\":"       \
    "\"%*s\",\"isTyping\":false}}"


/* Somebody who writes, as this process has told its sockets. */
typedef struct {
    ngx_str_node_t sn; /* str.data is the key below */
    ngx_queue_t queue;
    ngx_event_t timer;
    csc_str_t topics;    /* who was told */
    u_char key[KEY_LEN]; /* chat, user */
    u_char data[];
} ngx_http_cs_chat_writer_t;


static ngx_http_cs_chat_writer_t *ngx_http_cs_chat_writer_find(
    csc_bus_message_t *event);
static void ngx_http_cs_chat_writer_begin(csc_bus_message_t *event);
static ngx_http_cs_chat_writer_t *ngx_http_cs_chat_writer_add(
    csc_bus_message_t *event);
static void ngx_http_cs_chat_writer_end(ngx_http_cs_chat_writer_t *writer);
static void ngx_http_cs_chat_writer_free(ngx_http_cs_chat_writer_t *writer);
static void ngx_http_cs_chat_writer_timeout(ngx_event_t *ev);
static void ngx_http_cs_chat_writers_leave(csc_str_t chat);
static ngx_http_cs_chat_typing_t *ngx_http_cs_chat_typing_find(
    ngx_http_cs_chat_session_t *session, u_char *chat);
static ngx_http_cs_chat_typing_t *ngx_http_cs_chat_typing_place(
    ngx_http_cs_chat_session_t *session);
static void ngx_http_cs_chat_typing_tell(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_typing_t *typing);


static ngx_rbtree_t writers;
static ngx_rbtree_node_t sentinel;
static ngx_queue_t queue;
static ngx_uint_t count;
static ngx_msec_t timeout;
static ngx_log_t *typing_log;


void
ngx_http_cs_chat_typing_init(ngx_msec_t conf, ngx_log_t *log)
{
    ngx_rbtree_init(&writers, &sentinel, ngx_str_rbtree_insert_value);
    ngx_queue_init(&queue);
    count = 0;
    timeout = conf;
    typing_log = log;
}


void
ngx_http_cs_chat_typing_exit(void)
{
    ngx_queue_t *q, *next;

    for (q = ngx_queue_head(&queue); q != ngx_queue_sentinel(&queue); q = next)
    {
        next = ngx_queue_next(q);
        ngx_http_cs_chat_writer_free(
            ngx_queue_data(q, ngx_http_cs_chat_writer_t, queue));
    }
}


void
ngx_http_cs_chat_typing_event(csc_bus_message_t *event)
{
    ngx_http_cs_chat_writer_t *writer;

    if (csc_str_is(event->type, "typing")) {
        ngx_http_cs_chat_writer_begin(event);
        return;
    }

    writer = ngx_http_cs_chat_writer_find(event);

    if (writer != NULL) {
        ngx_http_cs_chat_writer_end(writer);
    }

    if (event->restrict_followers) {
        ngx_http_cs_chat_writers_leave(event->chat);
    }

    /* the end of what nobody was shown is no news */

    if (!csc_str_is(event->type, "typed")) {
        ngx_http_cs_chat_hub_event(event);
    }
}


/* What is shown. */

static ngx_http_cs_chat_writer_t *
ngx_http_cs_chat_writer_find(csc_bus_message_t *event)
{
    ngx_str_t name;
    u_char key[KEY_LEN];

    /* mostly nobody writes, and every message comes by here */

    if (count == 0 || event->chat.len != CSC_UUID_LEN
        || event->user.len != CSC_UUID_LEN)
    {
        return NULL;
    }

    ngx_memcpy(key, event->chat.data, CSC_UUID_LEN);
    ngx_memcpy(key + CSC_UUID_LEN, event->user.data, CSC_UUID_LEN);

    name.data = key;
    name.len = sizeof(key);

    return (ngx_http_cs_chat_writer_t *) ngx_str_rbtree_lookup(
        &writers, &name, ngx_murmur_hash2(key, sizeof(key)));
}


static void
ngx_http_cs_chat_writer_begin(csc_bus_message_t *event)
{
    ngx_http_cs_chat_writer_t *writer;

    writer = ngx_http_cs_chat_writer_find(event);

    if (writer == NULL) {
        writer = ngx_http_cs_chat_writer_add(event);
    }

    /* what could not be ended is not begun */

    if (writer != NULL) {
        ngx_add_timer(&writer->timer, timeout);
        ngx_http_cs_chat_hub_event(event);
    }
}


static ngx_http_cs_chat_writer_t *
ngx_http_cs_chat_writer_add(csc_bus_message_t *event)
{
    ngx_http_cs_chat_writer_t *writer;

    if (count == MAX_WRITERS || event->chat.len != CSC_UUID_LEN
        || event->user.len != CSC_UUID_LEN)
    {
        return NULL;
    }

    writer = ngx_calloc(
        sizeof(ngx_http_cs_chat_writer_t) + event->topics.len, typing_log);
    if (writer == NULL) {
        return NULL;
    }

    ngx_memcpy(writer->key, event->chat.data, CSC_UUID_LEN);
    ngx_memcpy(writer->key + CSC_UUID_LEN, event->user.data, CSC_UUID_LEN);
    ngx_memcpy(writer->data, event->topics.data, event->topics.len);
    writer->topics.data = writer->data;
    writer->topics.len = event->topics.len;

    writer->timer.handler = ngx_http_cs_chat_writer_timeout;
    writer->timer.data = writer;
    writer->timer.log = typing_log;
    writer->timer.cancelable = 1;

    writer->sn.str.data = writer->key;
    writer->sn.str.len = sizeof(writer->key);
    writer->sn.node.key = ngx_murmur_hash2(writer->key, sizeof(writer->key));

    ngx_rbtree_insert(&writers, &writer->sn.node);
    ngx_queue_insert_tail(&queue, &writer->queue);
    count++;

    return writer;
}


/* Tells those who were told. */

static void
ngx_http_cs_chat_writer_end(ngx_http_cs_chat_writer_t *writer)
{
    csc_bus_message_t event;
    u_char text[sizeof(STOPPED) + KEY_LEN];
    u_char except[sizeof("user:") - 1 + CSC_UUID_LEN];

    ngx_memzero(&event, sizeof(event));
    event.kind = CSC_BUS_EVENT;
    event.type = csc_str("typed");
    event.topics = writer->topics;
    event.body.data = text;
    event.body.len = ngx_snprintf(text, sizeof(text), STOPPED,
                         (size_t) CSC_UUID_LEN, writer->key,
                         (size_t) CSC_UUID_LEN, writer->key + CSC_UUID_LEN)
                     - text;
    event.except.data = except;
    event.except.len = sizeof(except);
    ngx_memcpy(ngx_cpymem(except, "user:", sizeof("user:") - 1),
        writer->key + CSC_UUID_LEN, CSC_UUID_LEN);

    ngx_http_cs_chat_hub_event(&event);
    ngx_http_cs_chat_writer_free(writer);
}


static void
ngx_http_cs_chat_writer_free(ngx_http_cs_chat_writer_t *writer)
{
    if (writer->timer.timer_set) {
        ngx_del_timer(&writer->timer);
    }

    ngx_rbtree_delete(&writers, &writer->sn.node);
    ngx_queue_remove(&writer->queue);
    count--;

    ngx_free(writer);
}


static void
ngx_http_cs_chat_writer_timeout(ngx_event_t *ev)
{
    ngx_http_cs_chat_writer_end(ev->data);
}


/* Before the chat goes out of the sight of some who were told. */

static void
ngx_http_cs_chat_writers_leave(csc_str_t chat)
{
    ngx_queue_t *q, *next;
    ngx_http_cs_chat_writer_t *writer;

    for (q = ngx_queue_head(&queue); q != ngx_queue_sentinel(&queue); q = next)
    {
        next = ngx_queue_next(q);
        writer = ngx_queue_data(q, ngx_http_cs_chat_writer_t, queue);

        if (chat.len == CSC_UUID_LEN
            && ngx_memcmp(writer->key, chat.data, CSC_UUID_LEN) == 0)
        {
            ngx_http_cs_chat_writer_end(writer);
        }
    }
}


/* What a socket says. */

ngx_uint_t
ngx_http_cs_chat_typing_starts(
    ngx_http_cs_chat_session_t *session, u_char *chat)
{
    ngx_http_cs_chat_typing_t *typing;

    typing = ngx_http_cs_chat_typing_find(session, chat);

    if (typing == NULL) {
        typing = ngx_http_cs_chat_typing_place(session);

        if (typing == NULL) {
            return 1;
        }

        ngx_memcpy(typing->chat, chat, CSC_UUID_LEN);

    } else if (ngx_current_msec - typing->told < timeout / 2) {
        return 0;
    }

    typing->typing = 1;
    typing->told = ngx_current_msec;

    return 1;
}


ngx_uint_t
ngx_http_cs_chat_typing_stops(ngx_http_cs_chat_session_t *session, u_char *chat)
{
    ngx_http_cs_chat_typing_t *typing;

    typing = ngx_http_cs_chat_typing_find(session, chat);

    if (typing == NULL) {
        return 0;
    }

    typing->typing = 0;

    return 1;
}


void
ngx_http_cs_chat_typing_leave(ngx_http_cs_chat_session_t *session, u_char *chat)
{
    ngx_uint_t i;
    ngx_http_cs_chat_typing_t *typing;

    for (i = 0; session->typing && i < NGX_HTTP_CS_CHAT_TYPING; i++) {
        typing = &session->typing[i];

        if (typing->typing
            && (chat == NULL
                || ngx_memcmp(typing->chat, chat, CSC_UUID_LEN) == 0))
        {
            ngx_http_cs_chat_typing_tell(session, typing);
        }
    }

    if (chat == NULL && session->typing != NULL) {
        ngx_free(session->typing);
        session->typing = NULL;
    }
}


static ngx_http_cs_chat_typing_t *
ngx_http_cs_chat_typing_find(ngx_http_cs_chat_session_t *session, u_char *chat)
{
    ngx_uint_t i;
    ngx_http_cs_chat_typing_t *typing;

    for (i = 0; session->typing && i < NGX_HTTP_CS_CHAT_TYPING; i++) {
        typing = &session->typing[i];

        if (typing->typing && ngx_memcmp(typing->chat, chat, CSC_UUID_LEN) == 0)
        {
            return typing;
        }
    }

    return NULL;
}


/* A free place, or that of the chat that was written in the longest ago. */

static ngx_http_cs_chat_typing_t *
ngx_http_cs_chat_typing_place(ngx_http_cs_chat_session_t *session)
{
    ngx_uint_t i;
    ngx_http_cs_chat_typing_t *typing, *oldest;

    if (session->typing == NULL) {
        session->typing = ngx_calloc(
            NGX_HTTP_CS_CHAT_TYPING * sizeof(ngx_http_cs_chat_typing_t),
            session->connection->log);

        if (session->typing == NULL) {
            return NULL;
        }
    }

    oldest = session->typing;

    for (i = 0; i < NGX_HTTP_CS_CHAT_TYPING; i++) {
        typing = &session->typing[i];

        if (!typing->typing) {
            return typing;
        }

        if ((ngx_msec_int_t) (typing->told - oldest->told) < 0) {
            oldest = typing;
        }
    }

    ngx_http_cs_chat_typing_tell(session, oldest);

    return oldest;
}


/* Tells that the user writes no more, without an answer. */

static void
ngx_http_cs_chat_typing_tell(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_typing_t *typing)
{
    csc_str_t chat;
    csc_bus_message_t message;
    u_char body[sizeof("{\"data\":{\"chatId\":\"\"}}") + CSC_UUID_LEN];

    typing->typing = 0;

    chat.data = typing->chat;
    chat.len = CSC_UUID_LEN;

    ngx_http_cs_chat_event_message(session, CSC_OP_TYPING_STOP, chat, &message);
    message.body.data = body;
    message.body.len = ngx_snprintf(body, sizeof(body),
                           "{\"data\":{\"chatId\":\"%*s\"}}",
                           (size_t) CSC_UUID_LEN, typing->chat)
                       - body;

    ngx_http_cs_chat_bus_tell(&message, csc_bus_shard(chat), NULL, NULL);
}
