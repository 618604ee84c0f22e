/*
 * The life of a session: it begins with a request, takes the connection over
 * while that ends, and ends with the connection.
 */

#include "ngx_http_cs_chat_ws.h"
#include "ngx_http_cs_chat_address.h"
#include "ngx_http_cs_chat_bus.h"
#include "ngx_http_cs_chat_metrics.h"
#include "ngx_http_cs_chat_presence.h"
#include "ngx_http_cs_chat_time.h"
#include "ngx_http_cs_chat_typing.h"

#include <openssl/rand.h>


#define RANDOM_NUMBERS 64   /* that are fetched at once */
#define WAIT_FOR_REQUEST 20 /* ms until it is looked at again */


static ngx_http_cs_chat_session_t *ngx_http_cs_chat_ws_new(
    ngx_http_request_t *r, ngx_http_cs_chat_claims_t *claims);
static ngx_int_t ngx_http_cs_chat_ws_id(u_char *id);
static void ngx_http_cs_chat_ws_address(
    ngx_http_cs_chat_session_t *session, struct sockaddr *sockaddr);
static ngx_int_t ngx_http_cs_chat_ws_head(
    ngx_http_cs_chat_session_t *session, ngx_http_request_t *r);
static void ngx_http_cs_chat_ws_connected(ngx_http_cs_chat_session_t *session);
static void ngx_http_cs_chat_ws_count(
    ngx_http_cs_chat_session_t *session, ngx_int_t n);
static void ngx_http_cs_chat_ws_begin_handler(ngx_event_t *ev);
static void ngx_http_cs_chat_ws_detach(
    ngx_http_cs_chat_session_t *session, ngx_http_request_t *r);
static void ngx_http_cs_chat_ws_free_chain(
    ngx_pool_t *pool, ngx_chain_t **chain);
static u_char *ngx_http_cs_chat_ws_log(ngx_log_t *log, u_char *buf, size_t len);
static void ngx_http_cs_chat_ws_leave_all(ngx_http_cs_chat_session_t *session);
static void ngx_http_cs_chat_ws_free(ngx_http_cs_chat_session_t *session);


ngx_int_t
ngx_http_cs_chat_ws_open(
    ngx_http_request_t *r, ngx_http_cs_chat_claims_t *claims)
{
    ngx_event_t *ev;
    ngx_http_cs_chat_ctx_t *ctx;
    ngx_http_cs_chat_session_t *session, *oldest;

    ctx = ngx_http_cs_chat_ctx(r);

    ev = ngx_pcalloc(r->pool, sizeof(ngx_event_t));
    if (ev == NULL) {
        return NGX_ERROR;
    }

    session = ngx_http_cs_chat_ws_new(r, claims);
    if (session == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_cs_chat_hub_sockets(ngx_http_cs_chat_ws_user(session), &oldest)
        >= session->conf->sockets_per_user)
    {
        ngx_http_cs_chat_ws_close(
            oldest, CSC_WS_CLOSE_TOO_MANY, NGX_HTTP_CS_CHAT_TOO_MANY);
    }

    if (ngx_http_cs_chat_ws_head(session, r) != NGX_OK
        || ngx_http_cs_chat_hub_enter(session) != NGX_OK)
    {
        ngx_http_cs_chat_ws_free(session);
        return NGX_ERROR;
    }

    ngx_http_cs_chat_ws_begun(session);
    ngx_http_cs_chat_presence_open(session);
    ngx_http_cs_chat_ws_count(session, 1);
    ngx_http_cs_chat_ws_connected(session);

    /* the request's handler is still at work: the rest is done after it */

    session->counted = ctx->address;
    ctx->address = 0;
    ctx->session = session;
    ctx->opening = ev;
    r->main->count++;

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    ev->handler = ngx_http_cs_chat_ws_begin_handler;
    ev->data = r;
    ev->log = r->connection->log;
    ngx_post_event(ev, &ngx_posted_events);

    return NGX_OK;
}


static ngx_http_cs_chat_session_t *
ngx_http_cs_chat_ws_new(
    ngx_http_request_t *r, ngx_http_cs_chat_claims_t *claims)
{
    ngx_http_core_loc_conf_t *clcf;
    ngx_http_cs_chat_session_t *session;

    if (ngx_http_cs_chat_ws_read_init(ngx_cycle->log) != NGX_OK) {
        return NULL;
    }

    session = ngx_calloc(
        sizeof(ngx_http_cs_chat_session_t), r->connection->log);
    if (session == NULL) {
        return NULL;
    }

    session->role = ngx_http_cs_chat_role(&claims->role);

    if (session->role == NULL || claims->user.len != CSC_UUID_LEN
        || ngx_http_cs_chat_ws_id(session->id) != NGX_OK)
    {
        ngx_free(session);
        return NULL;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    session->connection = r->connection;
    session->conf = ngx_http_get_module_loc_conf(r, ngx_http_cs_chat_module);
    session->send_timeout = clcf->send_timeout;
    session->expires = claims->expires;
    ngx_memcpy(session->user, claims->user.data, CSC_UUID_LEN);
    ngx_memcpy(session->key, claims->key, sizeof(session->key));
    ngx_http_cs_chat_ws_address(session, r->connection->sockaddr);

    session->opened = ngx_current_msec;
    session->heard = ngx_current_msec;
    session->opening = 1;

    ngx_queue_init(&session->asks);
    ngx_queue_init(&session->resumes);
    csc_ws_parser_init(
        &session->parser, (uint32_t) session->conf->max_message_size);

    return session;
}


/*
 * The time in ms and a random number: of two sockets the one with the lower id
 * was opened first, whichever processes have them.
 */

static ngx_int_t
ngx_http_cs_chat_ws_id(u_char *id)
{
    uint64_t now, random;
    ngx_time_t *tp;
    static uint64_t last, numbers[RANDOM_NUMBERS];
    static ngx_uint_t left;

    if (left == 0) {
        if (RAND_bytes((u_char *) numbers, sizeof(numbers)) != 1) {
            return NGX_ERROR;
        }

        left = RANDOM_NUMBERS;
    }

    random = numbers[--left];
    tp = ngx_timeofday();
    now = (uint64_t) tp->sec * 1000 + tp->msec;
    last = ngx_max(now, last + 1);

    (void) ngx_sprintf(
        id, "%011xL%09xL", last & 0xfffffffffff, random & 0xfffffffff);

    return NGX_OK;
}


/*
 * The client's address may be that of a header, which is the connection's only
 * while there is the request.
 */

static void
ngx_http_cs_chat_ws_address(
    ngx_http_cs_chat_session_t *session, struct sockaddr *sockaddr)
{
    struct sockaddr_in *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6 *sin6;
#endif

    switch (sockaddr->sa_family) {
    case AF_INET:
        sin = (struct sockaddr_in *) sockaddr;
        session->address_len = sizeof(sin->sin_addr);
        ngx_memcpy(session->address, &sin->sin_addr, sizeof(sin->sin_addr));
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sockaddr;
        session->address_len = sizeof(sin6->sin6_addr);
        ngx_memcpy(session->address, &sin6->sin6_addr, sizeof(sin6->sin6_addr));
        break;
#endif

    default:
        break;
    }
}


/*
 * Takes over what is still to be sent of the answer to the handshake, so that
 * it leaves in one write with the first events.
 */

static ngx_int_t
ngx_http_cs_chat_ws_head(
    ngx_http_cs_chat_session_t *session, ngx_http_request_t *r)
{
    size_t len;
    u_char *p;
    ngx_chain_t *cl;
    ngx_http_cs_chat_frame_t *frame;

    len = 0;

    for (cl = r->out; cl; cl = cl->next) {
        len += cl->buf->last - cl->buf->pos;
    }

    if (len) {
        frame = ngx_http_cs_chat_frame_bytes(len);
        if (frame == NULL) {
            return NGX_ERROR;
        }

        frame->head = 1;
        p = frame->data;

        for (cl = r->out; cl; cl = cl->next) {
            p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
        }

        ngx_http_cs_chat_ws_send(session, frame);
        ngx_http_cs_chat_frame_release(frame);
    }

    r->out = NULL;
    r->connection->buffered &= ~NGX_HTTP_WRITE_BUFFERED;

    return NGX_OK;
}


static void
ngx_http_cs_chat_ws_connected(ngx_http_cs_chat_session_t *session)
{
    csc_str_t id;
    csc_json_writer_t *w;
    u_char now[NGX_HTTP_CS_CHAT_TIME_LEN + 1];

    w = ngx_http_cs_chat_ws_begin(session, "connected");
    if (w == NULL) {
        return;
    }

    id.data = session->id;
    id.len = sizeof(session->id);
    ngx_http_cs_chat_time(now);

    csc_json_key(w, "userId");
    csc_json_string(w, ngx_http_cs_chat_ws_user(session));
    csc_json_key(w, "connectionId");
    csc_json_string(w, id);
    csc_json_key(w, "serverTime");
    csc_json_text(w, (char *) now);
    csc_json_key(w, "protocol");
    csc_json_int(w, 1);
    csc_json_key(w, "pingInterval");
    csc_json_int(w, (int64_t) session->conf->ping_interval);
    csc_json_end_object(w);
    csc_json_end_object(w);

    ngx_http_cs_chat_ws_written(session);
}


/* Counts a socket that comes (1) or goes (-1), while it follows its user. */

static void
ngx_http_cs_chat_ws_count(ngx_http_cs_chat_session_t *session, ngx_int_t n)
{
    csc_nginx_metrics_t *metrics;

    metrics = ngx_http_cs_chat_metrics;
    metrics->sockets += n;
    metrics->opened += (n > 0);

    if (session->of_user.topic->count == 1) {
        metrics->users += n;
    }
}


/* Posted by the handshake: its handler is done. */

static void
ngx_http_cs_chat_ws_begin_handler(ngx_event_t *ev)
{
    csc_str_t early;
    ngx_connection_t *c;
    ngx_http_request_t *r;
    ngx_http_cs_chat_session_t *session;

    r = ev->data;
    c = r->connection;

    /* a subrequest in the background, as of "mirror", still needs it */

    if (r->count > 1 || r->blocked) {
        ngx_add_timer(ev, WAIT_FOR_REQUEST);
        return;
    }

    session = ngx_http_cs_chat_ctx(r)->session;
    ngx_http_cs_chat_ctx(r)->session = NULL;

    session->opening = 0;
    c->write->delayed = 0;

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    /* frames that came in one packet with the handshake */

    early.data = r->header_in->pos;
    early.len = r->header_in->last - r->header_in->pos;
    r->header_in->pos = r->header_in->last;

    ngx_http_cs_chat_ws_feed(session, early);
    ngx_http_cs_chat_ws_write(session);

    ngx_http_cs_chat_ws_detach(session, r);
    ngx_http_cs_chat_ws_rearm(session);

    /* a request that was in flight when the process was told to stop */

    if (ngx_exiting) {
        ngx_http_cs_chat_ws_drain(session);
    }

    /* more may already lie in the socket, and nobody else will look */

    ngx_http_cs_chat_ws_read_handler(c->read);
}


/*
 * Ends the request, and frees what it leaves to its connection.  Only the
 * configuration stays, which lives as long as the process has connections.
 */

static void
ngx_http_cs_chat_ws_detach(
    ngx_http_cs_chat_session_t *session, ngx_http_request_t *r)
{
    ngx_connection_t *c;
    ngx_http_connection_t *hc;

    c = r->connection;
    hc = r->http_connection;

    ngx_http_free_request(r, 0);

    if (c->buffer != NULL) {
        (void) ngx_pfree(c->pool, c->buffer->start);
        c->buffer = NULL;
    }

    ngx_http_cs_chat_ws_free_chain(c->pool, &hc->free);
    ngx_http_cs_chat_ws_free_chain(c->pool, &hc->busy);
    hc->nbusy = 0;

    c->data = session;
    c->idle = 1;
    c->read->handler = ngx_http_cs_chat_ws_read_handler;
    c->write->handler = ngx_http_cs_chat_ws_write_handler;
    c->log->handler = ngx_http_cs_chat_ws_log;
    c->log->data = c;
    c->log->action = "serving a WebSocket";
}


static void
ngx_http_cs_chat_ws_free_chain(ngx_pool_t *pool, ngx_chain_t **chain)
{
    ngx_chain_t *cl, *next;

    for (cl = *chain; cl; cl = next) {
        next = cl->next;
        (void) ngx_pfree(pool, cl->buf->start);
        ngx_free_chain(pool, cl);
    }

    *chain = NULL;
}


/* What the error log says of a connection whose request has ended. */

static u_char *
ngx_http_cs_chat_ws_log(ngx_log_t *log, u_char *buf, size_t len)
{
    int family;
    u_char *p, *last;
    ngx_connection_t *c;
    ngx_http_cs_chat_session_t *session;
    u_char text[NGX_SOCKADDR_STRLEN];

    p = buf;
    last = buf + len;
    c = log->data;
    session = c->data;

    if (log->action) {
        p = ngx_slprintf(p, last, " while %s", log->action);
    }

    if (session == NULL || session->address_len == 0) {
        p = ngx_slprintf(p, last, ", client: %V", &c->addr_text);

    } else {
        family = AF_INET;

#if (NGX_HAVE_INET6)
        if (session->address_len == sizeof(struct in6_addr)) {
            family = AF_INET6;
        }
#endif

        p = ngx_slprintf(p, last, ", client: %*s",
            ngx_inet_ntop(family, session->address, text, sizeof(text)), text);
    }

    if (session != NULL) {
        p = ngx_slprintf(p, last, ", user: %*s, socket: %*s",
            (size_t) CSC_UUID_LEN, session->user, sizeof(session->id),
            session->id);
    }

    return ngx_slprintf(p, last, ", server: %V", &c->listening->addr_text);
}


void
ngx_http_cs_chat_ws_end(ngx_http_cs_chat_session_t *session)
{
    ngx_connection_t *c;

    c = session->connection;

    ngx_log_error(NGX_LOG_INFO, c->log, 0,
        "WebSocket ends with %ui after %M ms, %O bytes sent",
        (ngx_uint_t) session->close_code, ngx_current_msec - session->opened,
        c->sent);

    ngx_http_cs_chat_ws_leave_all(session);

    c->data = NULL;
    c->idle = 0;
    c->log->action = "closing a WebSocket";

    ngx_http_close_connection(c);
}


void
ngx_http_cs_chat_ws_abandon(ngx_http_cs_chat_ctx_t *ctx)
{
    if (ctx->opening->posted) {
        ngx_delete_posted_event(ctx->opening);
    }

    if (ctx->opening->timer_set) {
        ngx_del_timer(ctx->opening);
    }

    ngx_http_cs_chat_ws_leave_all(ctx->session);
    ctx->session = NULL;
}


static void
ngx_http_cs_chat_ws_leave_all(ngx_http_cs_chat_session_t *session)
{
    ngx_http_cs_chat_event_cancel(session);
    ngx_http_cs_chat_typing_leave(session, NULL);
    ngx_http_cs_chat_ws_count(session, -1);
    ngx_http_cs_chat_hub_leave(session);
    ngx_http_cs_chat_presence_close(session);
    ngx_http_cs_chat_ws_ended(session);

    if (session->counted) {
        ngx_http_cs_chat_address_release(
            ngx_http_cs_chat_bus_zone(), session->counted);
    }

    ngx_http_cs_chat_ws_free(session);
}


static void
ngx_http_cs_chat_ws_free(ngx_http_cs_chat_session_t *session)
{
    ngx_http_cs_chat_ws_drop(session);

    if (session->pieces != NULL) {
        ngx_free(session->pieces);
    }

    ngx_free(session);
}
