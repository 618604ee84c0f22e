#include "ngx_http_cs_chat_presence.h"
#include "ngx_http_cs_chat_bus.h"

#include "csc_uuid.h"


#define FIRST_SIZE 1024 /* bytes of lines for one shard */
#define MAX_SIZE 131072 /* bytes of lines in one message */
#define AGAIN 1000      /* ms until what nobody heard is said again */
#define WORD (1 + NGX_HTTP_CS_CHAT_CONN_LEN)


/* The lines that wait for one shard; see docs/bus.md. */
typedef struct {
    u_char *data;
    size_t len;
    size_t size;
    ngx_uint_t number;   /* of the message that they will be */
    unsigned opened : 1; /* a socket is among them */

    /* Numbers of messages that nobody heard, from the first to the last. */
    ngx_uint_t lost_first;
    ngx_uint_t lost_last; /* 0: none */
    ngx_uint_t again_first;
    ngx_uint_t again_last;
} ngx_http_cs_chat_lines_t;


static u_char *ngx_http_cs_chat_presence_line(
    csc_str_t user, u_char sign, size_t len);
static u_char *ngx_http_cs_chat_presence_word(
    u_char *p, ngx_http_cs_chat_session_t *session);
static void ngx_http_cs_chat_presence_end(csc_str_t user, u_char *p);
static ngx_int_t ngx_http_cs_chat_presence_reserve(
    ngx_http_cs_chat_lines_t *lines, size_t len);
static void ngx_http_cs_chat_presence_held(
    csc_str_t user, ngx_queue_t *follows);
static void ngx_http_cs_chat_presence_flush(ngx_event_t *ev);
static void ngx_http_cs_chat_presence_publish(unsigned shard);
static void ngx_http_cs_chat_presence_published(
    redisAsyncContext *context, void *reply, void *data);
static void ngx_http_cs_chat_presence_lost(unsigned shard, ngx_uint_t number);
static void ngx_http_cs_chat_presence_again(ngx_event_t *ev);
static void ngx_http_cs_chat_presence_again_user(
    csc_str_t user, ngx_queue_t *follows);
static void ngx_http_cs_chat_presence_timer(ngx_event_t *ev);


static ngx_http_cs_chat_lines_t shards[CSC_BUS_SHARDS];
static ngx_event_t flush;
static ngx_event_t again;
static ngx_event_t renewal;
static ngx_msec_t renewal_interval;


void
ngx_http_cs_chat_presence_init(ngx_msec_t interval, ngx_log_t *log)
{
    ngx_uint_t i;

    ngx_memzero(shards, sizeof(shards));

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        shards[i].number = 1;
    }

    ngx_memzero(&flush, sizeof(flush));
    flush.handler = ngx_http_cs_chat_presence_flush;
    flush.data = shards;
    flush.log = log;

    ngx_memzero(&again, sizeof(again));
    again.handler = ngx_http_cs_chat_presence_again;
    again.data = shards;
    again.log = log;
    again.cancelable = 1;

    ngx_memzero(&renewal, sizeof(renewal));
    renewal.handler = ngx_http_cs_chat_presence_timer;
    renewal.data = shards; /* printed as a connection in debug logs */
    renewal.log = log;
    renewal.cancelable = 1;
    renewal_interval = interval;

    /* processes that started together need not renew together */

    ngx_add_timer(&renewal, 1 + (ngx_msec_t) ngx_random() % interval);
}


void
ngx_http_cs_chat_presence_exit(void)
{
    ngx_uint_t i;

    ngx_http_cs_chat_presence_flush(&flush);

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        if (shards[i].data != NULL) {
            ngx_free(shards[i].data);
            shards[i].data = NULL;
        }
    }

    if (flush.timer_set) {
        ngx_del_timer(&flush);
    }

    if (renewal.timer_set) {
        ngx_del_timer(&renewal);
    }

    if (again.timer_set) {
        ngx_del_timer(&again);
    }

    again.handler = NULL; /* nothing is said again */
}


void
ngx_http_cs_chat_presence_open(ngx_http_cs_chat_session_t *session)
{
    u_char *p;
    unsigned shard;
    csc_str_t user;

    user = ngx_http_cs_chat_ws_user(session);
    shard = csc_bus_shard(user);

    p = ngx_http_cs_chat_presence_line(
        user, '+', WORD + sizeof(" 4294967295 newest") - 1 + 1 + NGX_INT64_LEN);

    if (p != NULL) {
        p = ngx_http_cs_chat_presence_word(p, session);
        p = ngx_sprintf(p, " %ui%s", session->conf->sockets_per_user,
            session->conf->refuse_newest ? " newest" : "");

        if (session->announced) {
            p = ngx_sprintf(p, " %M", ngx_current_msec - session->opened);
        }

        ngx_http_cs_chat_presence_end(user, p);
    }

    session->announced = shards[shard].number;
    shards[shard].opened = 1;

    if (p == NULL) {
        ngx_http_cs_chat_presence_lost(shard, session->announced);
    }
}


void
ngx_http_cs_chat_presence_uncount(ngx_http_cs_chat_session_t *session)
{
    u_char *p;
    csc_str_t user;

    if (session->uncounted) {
        return;
    }

    session->uncounted = 1;
    user = ngx_http_cs_chat_ws_user(session);

    p = ngx_http_cs_chat_presence_line(user, '-', WORD);

    if (p != NULL) {
        p = ngx_http_cs_chat_presence_word(p, session);
        ngx_http_cs_chat_presence_end(user, p);
    }
}


void
ngx_http_cs_chat_presence_close(ngx_http_cs_chat_session_t *session)
{
    u_char *p;
    csc_str_t user;

    user = ngx_http_cs_chat_ws_user(session);

    if (ngx_http_cs_chat_topic_count("user", user)) {
        ngx_http_cs_chat_presence_uncount(session);
        return;
    }

    p = ngx_http_cs_chat_presence_line(user, '-', 0);

    if (p != NULL) {
        ngx_http_cs_chat_presence_end(user, p);
    }
}


void
ngx_http_cs_chat_presence_renew(void)
{
    ngx_http_cs_chat_topic_each("user", ngx_http_cs_chat_presence_held);
}


static void
ngx_http_cs_chat_presence_held(csc_str_t user, ngx_queue_t *follows)
{
    u_char *p;
    size_t n;
    ngx_queue_t *q;
    ngx_http_cs_chat_follow_t *follow;
    ngx_http_cs_chat_session_t *session;

    n = 0;

    for (q = ngx_queue_head(follows); q != follows; q = ngx_queue_next(q)) {
        n++;
    }

    p = ngx_http_cs_chat_presence_line(user, '=', n * WORD);
    if (p == NULL) {
        return;
    }

    for (q = ngx_queue_head(follows); q != follows; q = ngx_queue_next(q)) {
        follow = ngx_queue_data(q, ngx_http_cs_chat_follow_t, in_topic);
        session = follow->session;

        if (!session->uncounted) {
            p = ngx_http_cs_chat_presence_word(p, session);
        }
    }

    ngx_http_cs_chat_presence_end(user, p);
}


/*
 * Begins a line, which has room for len bytes behind the user; all lines of
 * this turn of the loop leave together.
 */

static u_char *
ngx_http_cs_chat_presence_line(csc_str_t user, u_char sign, size_t len)
{
    u_char *p;
    unsigned shard;
    ngx_http_cs_chat_lines_t *lines;

    /* what is said while there is no bus is said by the next renewal */

    if (!ngx_http_cs_chat_bus_ready()) {
        return NULL;
    }

    shard = csc_bus_shard(user);
    lines = &shards[shard];
    len += 1 + user.len + 1;

    if (lines->len + len > MAX_SIZE) {
        ngx_http_cs_chat_presence_publish(shard);
    }

    if (ngx_http_cs_chat_presence_reserve(lines, len) != NGX_OK) {
        return NULL;
    }

    p = lines->data + lines->len;
    *p++ = sign;

    return ngx_cpymem(p, user.data, user.len);
}


static u_char *
ngx_http_cs_chat_presence_word(u_char *p, ngx_http_cs_chat_session_t *session)
{
    *p++ = ' ';

    return ngx_cpymem(p, session->id, sizeof(session->id));
}


static void
ngx_http_cs_chat_presence_end(csc_str_t user, u_char *p)
{
    ngx_http_cs_chat_lines_t *lines;

    lines = &shards[csc_bus_shard(user)];

    *p++ = '\n';
    lines->len = p - lines->data;

    /*
     * A process on its way out may be called from beyond the loop, which then
     * waits for events and timers, whatever is posted.
     */

    if (ngx_exiting) {
        if (!flush.timer_set) {
            ngx_add_timer(&flush, 0);
        }

        return;
    }

    /* before what is posted already: the write to Redis may be among that */

    if (!flush.posted) {
        flush.posted = 1;
        ngx_queue_insert_head(&ngx_posted_events, &flush.queue);
    }
}


static ngx_int_t
ngx_http_cs_chat_presence_reserve(ngx_http_cs_chat_lines_t *lines, size_t len)
{
    u_char *data;
    size_t size;

    if (lines->len + len <= lines->size) {
        return NGX_OK;
    }

    size = lines->size ? lines->size * 2 : FIRST_SIZE;

    while (size < lines->len + len) {
        size *= 2;
    }

    data = ngx_alloc(size, flush.log);
    if (data == NULL) {
        return NGX_ERROR;
    }

    if (lines->data != NULL) {
        ngx_memcpy(data, lines->data, lines->len);
        ngx_free(lines->data);
    }

    lines->data = data;
    lines->size = size;

    return NGX_OK;
}


static void
ngx_http_cs_chat_presence_flush(ngx_event_t *ev)
{
    unsigned shard;

    for (shard = 0; shard < CSC_BUS_SHARDS; shard++) {
        ngx_http_cs_chat_presence_publish(shard);
    }
}


static void
ngx_http_cs_chat_presence_publish(unsigned shard)
{
    csc_bus_message_t message;
    ngx_http_cs_chat_lines_t *lines;

    lines = &shards[shard];

    if (lines->len == 0) {
        return;
    }

    ngx_memzero(&message, sizeof(message));
    message.op = csc_str(csc_op_name(CSC_OP_PRESENCE_UPDATE));
    message.body.data = lines->data;
    message.body.len = lines->len;

    if (lines->opened) {
        ngx_http_cs_chat_bus_tell(&message, shard,
            ngx_http_cs_chat_presence_published,
            (void *) (lines->number * CSC_BUS_SHARDS + shard));
        lines->opened = 0;
        lines->number++;

    } else {
        ngx_http_cs_chat_bus_tell(&message, shard, NULL, NULL);
    }

    lines->len = 0;
}


/*
 * A renewal tells that a user is here, but not that a socket was opened, which
 * ends hiding: where nobody heard of that it is said again.
 */

static void
ngx_http_cs_chat_presence_published(
    redisAsyncContext *context, void *reply, void *data)
{
    uintptr_t which;
    redisReply *answer;

    which = (uintptr_t) data;
    answer = reply;

    if (answer == NULL || answer->type != REDIS_REPLY_INTEGER
        || answer->integer == 0)
    {
        ngx_http_cs_chat_presence_lost(
            which % CSC_BUS_SHARDS, which / CSC_BUS_SHARDS);
    }
}


static void
ngx_http_cs_chat_presence_lost(unsigned shard, ngx_uint_t number)
{
    ngx_http_cs_chat_lines_t *lines;

    lines = &shards[shard];

    if (again.handler == NULL) {
        return;
    }

    if (lines->lost_last == 0 || number < lines->lost_first) {
        lines->lost_first = number;
    }

    lines->lost_last = ngx_max(lines->lost_last, number);

    if (!again.timer_set) {
        ngx_add_timer(&again, AGAIN);
    }
}


static void
ngx_http_cs_chat_presence_again(ngx_event_t *ev)
{
    ngx_uint_t i;

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        shards[i].again_first = shards[i].lost_first;
        shards[i].again_last = shards[i].lost_last;
        shards[i].lost_last = 0;
    }

    ngx_http_cs_chat_topic_each("user", ngx_http_cs_chat_presence_again_user);
}


static void
ngx_http_cs_chat_presence_again_user(csc_str_t user, ngx_queue_t *follows)
{
    ngx_queue_t *q;
    ngx_http_cs_chat_lines_t *lines;
    ngx_http_cs_chat_follow_t *follow;
    ngx_http_cs_chat_session_t *session;

    lines = &shards[csc_bus_shard(user)];

    if (lines->again_last == 0) {
        return;
    }

    for (q = ngx_queue_head(follows); q != follows; q = ngx_queue_next(q)) {
        follow = ngx_queue_data(q, ngx_http_cs_chat_follow_t, in_topic);
        session = follow->session;

        if (!session->uncounted && session->announced >= lines->again_first
            && session->announced <= lines->again_last)
        {
            ngx_http_cs_chat_presence_open(session);
        }
    }
}


static void
ngx_http_cs_chat_presence_timer(ngx_event_t *ev)
{
    ngx_add_timer(ev, renewal_interval);

    ngx_http_cs_chat_presence_renew();
}
