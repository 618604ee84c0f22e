#include "ngx_http_cs_chat_presence.h"
#include "ngx_http_cs_chat_bus.h"

#include "csc_uuid.h"


#define RENEW_INTERVAL 10000 /* ms; a third of the lease */
#define FIRST_SIZE 1024      /* bytes of lines for one shard */
#define MAX_SIZE 131072      /* bytes of lines in one message */


/* The lines that wait for one shard; see docs/bus.md. */
typedef struct {
    u_char *data;
    size_t len;
    size_t size;
} ngx_http_cs_chat_lines_t;


static void ngx_http_cs_chat_presence_say(
    ngx_str_t *user, u_char sign, ngx_http_cs_chat_session_t *session);
static ngx_int_t ngx_http_cs_chat_presence_reserve(
    ngx_http_cs_chat_lines_t *lines, size_t len);
static void ngx_http_cs_chat_presence_held(
    void *data, ngx_str_t *user, ngx_uint_t sockets);
static void ngx_http_cs_chat_presence_flush(ngx_event_t *ev);
static void ngx_http_cs_chat_presence_publish(unsigned shard);
static void ngx_http_cs_chat_presence_timer(ngx_event_t *ev);


static ngx_http_cs_chat_lines_t shards[CSC_BUS_SHARDS];
static ngx_event_t flush;
static ngx_event_t renewal;


void
ngx_http_cs_chat_presence_init(ngx_log_t *log)
{
    ngx_memzero(shards, sizeof(shards));

    ngx_memzero(&flush, sizeof(flush));
    flush.handler = ngx_http_cs_chat_presence_flush;
    flush.log = log;

    ngx_memzero(&renewal, sizeof(renewal));
    renewal.handler = ngx_http_cs_chat_presence_timer;
    renewal.data = shards; /* printed as a connection in debug logs */
    renewal.log = log;
    renewal.cancelable = 1;

    /* processes that started together need not renew together */

    ngx_add_timer(&renewal, 1 + (ngx_msec_t) ngx_random() % RENEW_INTERVAL);
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

    if (renewal.timer_set) {
        ngx_del_timer(&renewal);
    }
}


void
ngx_http_cs_chat_presence_open(ngx_http_cs_chat_session_t *session)
{
    ngx_http_cs_chat_presence_say(&session->claims.user, '+', session);
}


void
ngx_http_cs_chat_presence_close(ngx_http_cs_chat_session_t *session)
{
    csc_str_t user;

    user = ngx_http_cs_chat_view(session->claims.user);

    if (ngx_http_cs_chat_hub_count("user", user) == 0) {
        ngx_http_cs_chat_presence_say(&session->claims.user, '-', NULL);
    }
}


void
ngx_http_cs_chat_presence_renew(void)
{
    ngx_http_cs_chat_hub_topics("user", ngx_http_cs_chat_presence_held, NULL);
}


static void
ngx_http_cs_chat_presence_held(void *data, ngx_str_t *user, ngx_uint_t sockets)
{
    ngx_http_cs_chat_presence_say(user, '=', NULL);
}


/* Adds a line; all lines of this turn of the loop leave together. */

static void
ngx_http_cs_chat_presence_say(
    ngx_str_t *user, u_char sign, ngx_http_cs_chat_session_t *session)
{
    u_char *p;
    size_t len;
    unsigned shard;
    ngx_http_cs_chat_lines_t *lines;

    /* what is said while there is no bus is said by the next renewal */

    if (!ngx_http_cs_chat_bus_ready()) {
        return;
    }

    shard = csc_bus_shard(ngx_http_cs_chat_view(*user));
    lines = &shards[shard];
    len = 1 + user->len + 1 + NGX_HTTP_CS_CHAT_CONN_LEN + 1;

    if (lines->len + len > MAX_SIZE) {
        ngx_http_cs_chat_presence_publish(shard);
    }

    if (ngx_http_cs_chat_presence_reserve(lines, len) != NGX_OK) {
        return;
    }

    p = lines->data + lines->len;
    *p++ = sign;
    p = ngx_cpymem(p, user->data, user->len);

    if (session != NULL) {
        *p++ = ' ';
        p = ngx_cpymem(p, session->id, sizeof(session->id));
    }

    *p++ = '\n';
    lines->len = p - lines->data;

    if (!flush.posted) {
        ngx_post_event(&flush, &ngx_posted_events);
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

    ngx_http_cs_chat_bus_tell(&message, shard);

    lines->len = 0;
}


static void
ngx_http_cs_chat_presence_timer(ngx_event_t *ev)
{
    ngx_add_timer(ev, RENEW_INTERVAL);

    ngx_http_cs_chat_presence_renew();
}
