#include "ngx_http_cs_chat_ws.h"
#include "ngx_http_cs_chat_metrics.h"
#include "ngx_http_cs_chat_presence.h"
#include "ngx_http_cs_chat_time.h"
#include "ngx_http_cs_chat_typing.h"

#include <openssl/rand.h>


#define READ_SIZE 16384    /* bytes of the buffer that all sockets share */
#define READ_BUDGET 16     /* reads before others have their turn */
#define CLOSE_TIMEOUT 5000 /* ms that the client's Close is awaited */
#define FIRST_MESSAGE 4096 /* bytes of the buffer for a message in pieces */


static ngx_int_t ngx_http_cs_chat_ws_id(u_char *id);
static void ngx_http_cs_chat_ws_count(
    ngx_http_cs_chat_session_t *session, ngx_int_t n);
static ngx_http_cs_chat_session_t *ngx_http_cs_chat_ws_session(
    ngx_connection_t *c);
static void ngx_http_cs_chat_ws_read_handler(ngx_event_t *rev);
static void ngx_http_cs_chat_ws_write_handler(ngx_event_t *wev);
static void ngx_http_cs_chat_ws_flush_handler(ngx_event_t *ev);
static void ngx_http_cs_chat_ws_drain(ngx_http_cs_chat_session_t *session);
static void ngx_http_cs_chat_ws_leave(ngx_http_cs_chat_session_t *session);
static ngx_uint_t ngx_http_cs_chat_ws_must_wait(
    ngx_http_cs_chat_session_t *session);
static void ngx_http_cs_chat_ws_read(ngx_http_cs_chat_session_t *session);
static void ngx_http_cs_chat_ws_feed(
    ngx_http_cs_chat_session_t *session, csc_str_t input);
static void ngx_http_cs_chat_ws_on_frame(
    ngx_http_cs_chat_session_t *session, csc_ws_event_t *event);
static void ngx_http_cs_chat_ws_data(
    ngx_http_cs_chat_session_t *session, csc_ws_event_t *event);
static ngx_int_t ngx_http_cs_chat_ws_append(
    ngx_http_cs_chat_session_t *session, csc_str_t piece);
static void ngx_http_cs_chat_ws_timer(ngx_http_cs_chat_session_t *session);
static ngx_uint_t ngx_http_cs_chat_ws_done(ngx_http_cs_chat_session_t *session);
static void ngx_http_cs_chat_ws_end(ngx_http_cs_chat_session_t *session);
static void ngx_http_cs_chat_ws_connected(ngx_http_cs_chat_session_t *session);


static ngx_queue_t sessions;
static ngx_log_t *process_log;
static csc_json_writer_t *writer;
static u_char *read_buffer;


void
ngx_http_cs_chat_ws_init(ngx_log_t *log)
{
    process_log = log;
    ngx_queue_init(&sessions);
}


void
ngx_http_cs_chat_ws_exit(void)
{
    csc_json_free(writer);
    writer = NULL;

    if (read_buffer != NULL) {
        ngx_free(read_buffer);
        read_buffer = NULL;
    }

    ngx_http_cs_chat_event_exit();
}


/* Opening. */

ngx_int_t
ngx_http_cs_chat_ws_open(
    ngx_http_request_t *r, ngx_http_cs_chat_claims_t *claims)
{
    csc_str_t early, user;
    ngx_buf_t *b;
    ngx_connection_t *c;
    ngx_http_cs_chat_session_t *session, *oldest;

    c = r->connection;

    if (read_buffer == NULL) {
        read_buffer = ngx_alloc(READ_SIZE, process_log);
    }

    session = ngx_pcalloc(r->pool, sizeof(ngx_http_cs_chat_session_t));

    if (session == NULL || read_buffer == NULL
        || ngx_http_cs_chat_ws_id(session->id) != NGX_OK)
    {
        return NGX_ERROR;
    }

    session->connection = c;
    session->request = r;
    ngx_http_cs_chat_ctx(r)->session = session;
    session->conf = ngx_http_get_module_loc_conf(r, ngx_http_cs_chat_module);
    session->claims = *claims;
    session->opened = ngx_current_msec;
    session->heard = ngx_current_msec;

    session->flush.handler = ngx_http_cs_chat_ws_flush_handler;
    session->flush.data = session;
    session->flush.log = c->log;

    ngx_queue_init(&session->follows);
    ngx_queue_init(&session->asks);
    ngx_queue_init(&session->resumes);
    csc_ws_parser_init(
        &session->parser, (uint32_t) session->conf->max_message_size);

    user = ngx_http_cs_chat_view(claims->user);

    if (ngx_http_cs_chat_hub_sockets(user, &oldest)
        >= session->conf->sockets_per_user)
    {
        ngx_http_cs_chat_ws_close(
            oldest, CSC_WS_CLOSE_TOO_MANY, NGX_HTTP_CS_CHAT_TOO_MANY);
    }

    if (ngx_http_cs_chat_ws_follow(session) != NGX_OK) {
        ngx_http_cs_chat_hub_leave(session);
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&sessions, &session->all);
    ngx_http_cs_chat_presence_open(session);
    ngx_http_cs_chat_ws_count(session, 1);

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    r->keepalive = 0;
    r->main->count++;
    c->idle = 1;
    c->read->handler = ngx_http_cs_chat_ws_read_handler;
    c->write->handler = ngx_http_cs_chat_ws_write_handler;
    c->log->action = "serving a WebSocket";

    ngx_http_cs_chat_ws_connected(session);
    ngx_http_cs_chat_ws_rearm(session);

    /* frames that came in one packet with the handshake */

    b = r->header_in;
    early.data = b->pos;
    early.len = b->last - b->pos;
    b->pos = b->last;

    ngx_http_cs_chat_ws_feed(session, early);

    /* more may already lie in the socket, and nobody else will look */

    ngx_post_event(c->read, &ngx_posted_events);

    /* a request that was in flight when the process was told to stop */

    if (ngx_exiting) {
        ngx_http_cs_chat_ws_drain(session);
    }

    return NGX_OK;
}


/* Counts a socket that comes (1) or goes (-1), while it follows its user. */

static void
ngx_http_cs_chat_ws_count(ngx_http_cs_chat_session_t *session, ngx_int_t n)
{
    csc_nginx_metrics_t *metrics;

    metrics = ngx_http_cs_chat_metrics;
    metrics->sockets += n;
    metrics->opened += (n > 0);

    if (ngx_http_cs_chat_hub_count(
            "user", ngx_http_cs_chat_view(session->claims.user))
        == 1)
    {
        metrics->users += n;
    }
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
    static uint64_t last;

    if (RAND_bytes((u_char *) &random, sizeof(random)) != 1) {
        return NGX_ERROR;
    }

    tp = ngx_timeofday();
    now = (uint64_t) tp->sec * 1000 + tp->msec;
    last = ngx_max(now, last + 1);

    (void) ngx_sprintf(
        id, "%011xL%09xL", last & 0xfffffffffff, random & 0xfffffffff);

    return NGX_OK;
}


ngx_int_t
ngx_http_cs_chat_ws_follow(ngx_http_cs_chat_session_t *session)
{
    csc_str_t key;
    ngx_http_cs_chat_claims_t *claims;

    claims = &session->claims;
    key.data = claims->key;
    key.len = NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN;

    if (ngx_http_cs_chat_hub_follow(
            session, "user", ngx_http_cs_chat_view(claims->user))
            == NULL
        || ngx_http_cs_chat_hub_follow(
               session, "role", ngx_http_cs_chat_view(claims->role))
               == NULL
        || ngx_http_cs_chat_hub_follow(session, "token", key) == NULL)
    {
        return NGX_ERROR;
    }

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
    csc_json_string(w, ngx_http_cs_chat_view(session->claims.user));
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


csc_json_writer_t *
ngx_http_cs_chat_ws_writer(void)
{
    if (writer == NULL) {
        writer = csc_json_writer();

    } else {
        csc_json_reset(writer);
    }

    return writer;
}


csc_json_writer_t *
ngx_http_cs_chat_ws_begin(ngx_http_cs_chat_session_t *session, const char *type)
{
    csc_json_writer_t *w;

    w = ngx_http_cs_chat_ws_writer();
    if (w == NULL) {
        session->failed = 1;
        return NULL;
    }

    csc_json_object(w);
    csc_json_key(w, "type");
    csc_json_text(w, type);
    csc_json_key(w, "data");
    csc_json_object(w);

    return w;
}


void
ngx_http_cs_chat_ws_written(ngx_http_cs_chat_session_t *session)
{
    csc_str_t text;

    if (csc_json_finish(writer, &text) != CSC_OK) {
        ngx_log_error(NGX_LOG_ERR, session->connection->log, 0,
            "an event for a WebSocket can't be written");
        session->failed = 1;
        return;
    }

    ngx_http_cs_chat_ws_text(session, text);
}


/* nginx still takes the connection's data for the request that it serves. */

static ngx_http_cs_chat_session_t *
ngx_http_cs_chat_ws_session(ngx_connection_t *c)
{
    return ngx_http_cs_chat_ctx(c->data)->session;
}


/* Events of the connection.  Only these free a session. */

static void
ngx_http_cs_chat_ws_read_handler(ngx_event_t *rev)
{
    ngx_connection_t *c;
    ngx_http_cs_chat_session_t *session;

    c = rev->data;
    session = ngx_http_cs_chat_ws_session(c);

    if (c->close) {
        ngx_http_cs_chat_ws_drain(session);
    }

    if (rev->timedout) {
        rev->timedout = 0;
        ngx_http_cs_chat_ws_timer(session);
    }

    if (!session->failed) {
        ngx_http_cs_chat_ws_read(session);
    }

    if (ngx_http_cs_chat_ws_done(session)) {
        ngx_http_cs_chat_ws_end(session);
    }
}


static void
ngx_http_cs_chat_ws_write_handler(ngx_event_t *wev)
{
    ngx_connection_t *c;
    ngx_http_cs_chat_session_t *session;

    c = wev->data;
    session = ngx_http_cs_chat_ws_session(c);

    if (wev->timedout) {
        wev->timedout = 0;
        session->failed = 1;

    } else {
        ngx_http_cs_chat_ws_write(session);
    }

    if (ngx_http_cs_chat_ws_done(session)) {
        ngx_http_cs_chat_ws_end(session);
    }
}


static void
ngx_http_cs_chat_ws_flush_handler(ngx_event_t *ev)
{
    ngx_http_cs_chat_session_t *session;

    session = ev->data;

    ngx_http_cs_chat_ws_write(session);

    if (ngx_http_cs_chat_ws_done(session)) {
        ngx_http_cs_chat_ws_end(session);
    }
}


/*
 * The process is to stop: it calls every idle connection's read handler.  Not
 * all clients are to come to its successor at once.
 */

static void
ngx_http_cs_chat_ws_drain(ngx_http_cs_chat_session_t *session)
{
    session->connection->close = 0;

    if (session->connection->error) {
        /* worker_shutdown_timeout has run out */

        session->failed = 1;
        return;
    }

    if (session->closing || session->draining) {
        return;
    }

    session->draining = 1;
    session->drain_at = ngx_current_msec
                        + (ngx_msec_t) ngx_random()
                              % (session->conf->drain_time + 1);

    ngx_http_cs_chat_presence_uncount(session);

    if (session->conf->drain_time == 0) {
        ngx_http_cs_chat_ws_leave(session);
    }

    ngx_http_cs_chat_ws_rearm(session);
}


/*
 * Tells the client to reconnect.  What it has asked for is answered before it
 * is closed; what it sends meanwhile is not read, so that it is not half done.
 */

static void
ngx_http_cs_chat_ws_leave(ngx_http_cs_chat_session_t *session)
{
    csc_str_t event = CSC_STR("{\"type\":\"reconnect\",\"data\":"
                              "{\"reason\":\"reload\",\"afterMs\":0}}");

    session->draining = 0;
    session->leaving = 1;

    ngx_http_cs_chat_ws_text(session, event);
    ngx_http_cs_chat_ws_resume(session);
}


/* Reading. */

static void
ngx_http_cs_chat_ws_read(ngx_http_cs_chat_session_t *session)
{
    ssize_t n;
    ngx_uint_t i;
    csc_str_t input;
    ngx_connection_t *c;

    c = session->connection;
    session->paused = 0;

    for (i = 0; i < READ_BUDGET; i++) {
        if (ngx_http_cs_chat_ws_must_wait(session)) {
            /* what the client sends on waits in the network */

            session->paused = 1;
            break;
        }

        n = c->recv(c, read_buffer, READ_SIZE);

        if (n == NGX_AGAIN) {
            if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
                session->failed = 1;
            }

            return;
        }

        if (n == 0 || n == NGX_ERROR) {
            session->failed = 1;
            return;
        }

        session->heard = ngx_current_msec;
        session->awaiting_pong = 0;
        ngx_http_cs_chat_metrics->received_bytes += n;

        input.data = read_buffer;
        input.len = n;

        ngx_http_cs_chat_ws_feed(session, input);

        if (session->failed) {
            return;
        }
    }

    if (!session->paused) {
        ngx_post_event(c->read, &ngx_posted_next_events);

    } else if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        session->failed = 1;
    }
}


static ngx_uint_t
ngx_http_cs_chat_ws_must_wait(ngx_http_cs_chat_session_t *session)
{
    return !session->closing
           && (session->leaving
               || session->nasks >= session->conf->pending_limit);
}


void
ngx_http_cs_chat_ws_resume(ngx_http_cs_chat_session_t *session)
{
    if (session->leaving && session->nasks == 0) {
        ngx_http_cs_chat_ws_close(session, CSC_WS_CLOSE_RESTART, "reconnect");
    }

    if (session->paused && !ngx_http_cs_chat_ws_must_wait(session)) {
        session->paused = 0;
        ngx_post_event(session->connection->read, &ngx_posted_events);
    }
}


static void
ngx_http_cs_chat_ws_feed(ngx_http_cs_chat_session_t *session, csc_str_t input)
{
    csc_ws_event_t event;

    /* after a protocol error all that comes is read and thrown away */

    while (!session->failed
           && csc_ws_parse(&session->parser, &input, &event) == CSC_OK)
    {
        ngx_http_cs_chat_ws_on_frame(session, &event);
    }
}


static void
ngx_http_cs_chat_ws_on_frame(
    ngx_http_cs_chat_session_t *session, csc_ws_event_t *event)
{
    switch (event->type) {
    case CSC_WS_EVENT_DATA:
        ngx_http_cs_chat_ws_data(session, event);
        break;

    case CSC_WS_EVENT_PING:
        ngx_http_cs_chat_ws_control(session, CSC_WS_PONG, event->payload);
        break;

    case CSC_WS_EVENT_PONG:
        break;

    case CSC_WS_EVENT_CLOSE:
        session->closed = 1;
        ngx_http_cs_chat_ws_close(session, event->code, "");
        break;

    case CSC_WS_EVENT_ERROR:
        ngx_log_error(NGX_LOG_INFO, session->connection->log, 0,
            "client sent a bad WebSocket frame: %s", event->reason);
        session->broken = 1;
        ngx_http_cs_chat_ws_close(session, event->code, event->reason);
        break;
    }
}


/* A message that lies whole in the read buffer is used where it lies. */

static void
ngx_http_cs_chat_ws_data(
    ngx_http_cs_chat_session_t *session, csc_ws_event_t *event)
{
    csc_str_t text;

    if (session->closing) {
        return;
    }

    text = event->payload;

    if (!event->first || !event->last) {
        if (ngx_http_cs_chat_ws_append(session, event->payload) != NGX_OK) {
            ngx_http_cs_chat_ws_close(
                session, CSC_WS_CLOSE_INTERNAL, "out of memory");
            return;
        }

        if (!event->last) {
            return;
        }

        text.data = session->message;
        text.len = session->message_len;
    }

    ngx_http_cs_chat_metrics->received++;
    ngx_http_cs_chat_event(session, text);

    if (session->message != NULL) {
        ngx_free(session->message);
        session->message = NULL;
        session->message_len = 0;
        session->message_size = 0;
    }
}


static ngx_int_t
ngx_http_cs_chat_ws_append(ngx_http_cs_chat_session_t *session, csc_str_t piece)
{
    size_t size;
    u_char *message;

    size = session->message_size ? session->message_size : FIRST_MESSAGE;

    while (size < session->message_len + piece.len) {
        size *= 2;
    }

    if (size != session->message_size) {
        message = ngx_alloc(size, session->connection->log);
        if (message == NULL) {
            return NGX_ERROR;
        }

        if (session->message != NULL) {
            ngx_memcpy(message, session->message, session->message_len);
            ngx_free(session->message);
        }

        session->message = message;
        session->message_size = size;
    }

    ngx_memcpy(session->message + session->message_len, piece.data, piece.len);
    session->message_len += piece.len;

    return NGX_OK;
}


void
ngx_http_cs_chat_ws_resync(
    ngx_http_cs_chat_session_t *session, const char *reason)
{
    csc_json_writer_t *w;

    w = ngx_http_cs_chat_ws_begin(session, "resync");
    if (w == NULL) {
        return;
    }

    csc_json_key(w, "reason");
    csc_json_text(w, reason);
    csc_json_end_object(w);
    csc_json_end_object(w);

    ngx_http_cs_chat_ws_written(session);
}


void
ngx_http_cs_chat_ws_each(ngx_http_cs_chat_ws_pt visit, const char *text)
{
    ngx_queue_t *q;

    for (q = ngx_queue_head(&sessions); q != ngx_queue_sentinel(&sessions);
         q = ngx_queue_next(q))
    {
        visit(ngx_queue_data(q, ngx_http_cs_chat_session_t, all), text);
    }
}


/* Time. */

void
ngx_http_cs_chat_ws_rearm(ngx_http_cs_chat_session_t *session)
{
    time_t left;
    ngx_msec_t wait, due;
    ngx_http_cs_chat_loc_conf_t *conf;

    conf = session->conf;

    if (session->closing) {
        due = session->closing_since + CLOSE_TIMEOUT;

    } else if (session->awaiting_pong) {
        due = session->pinged + conf->pong_timeout;

    } else {
        due = session->heard + conf->ping_interval;
    }

    if (session->draining && (ngx_msec_int_t) (session->drain_at - due) < 0) {
        due = session->drain_at;
    }

    wait = ((ngx_msec_int_t) (due - ngx_current_msec) > 0)
               ? due - ngx_current_msec
               : 1;

    if (!session->closing) {
        left = session->claims.expires + conf->jwt.leeway - ngx_time();
        left = ngx_max(left, 0);

        if ((ngx_msec_t) left < wait / 1000) {
            wait = (ngx_msec_t) left * 1000 + 1;
        }
    }

    ngx_add_timer(session->connection->read, wait);
}


static void
ngx_http_cs_chat_ws_timer(ngx_http_cs_chat_session_t *session)
{
    csc_str_t nothing = CSC_STR_NULL;
    ngx_http_cs_chat_loc_conf_t *conf;

    conf = session->conf;

    if (session->draining
        && (ngx_msec_int_t) (session->drain_at - ngx_current_msec) <= 0)
    {
        ngx_http_cs_chat_ws_leave(session);
    }

    if (session->paused) {
        /* whatever it says, nobody listens now */

        session->heard = ngx_current_msec;
        session->awaiting_pong = 0;
    }

    if (session->closing) {
        if (ngx_current_msec - session->closing_since >= CLOSE_TIMEOUT) {
            session->failed = 1;
            return;
        }

    } else if (session->claims.expires + conf->jwt.leeway <= ngx_time()) {
        ngx_http_cs_chat_ws_close(
            session, CSC_WS_CLOSE_TOKEN_EXPIRED, "token expired");

    } else if (session->awaiting_pong) {
        if (ngx_current_msec - session->pinged >= conf->pong_timeout) {
            ngx_http_cs_chat_ws_close(
                session, CSC_WS_CLOSE_GOING_AWAY, "no answer to a ping");
        }

    } else if (ngx_current_msec - session->heard >= conf->ping_interval) {
        session->awaiting_pong = 1;
        session->pinged = ngx_current_msec;
        ngx_http_cs_chat_ws_control(session, CSC_WS_PING, nothing);
    }

    ngx_http_cs_chat_ws_rearm(session);
}


/* Ending. */

static ngx_uint_t
ngx_http_cs_chat_ws_done(ngx_http_cs_chat_session_t *session)
{
    if (session->failed) {
        return 1;
    }

    return session->closing && session->closed && session->out_count == 0
           && !session->connection->buffered;
}


static void
ngx_http_cs_chat_ws_end(ngx_http_cs_chat_session_t *session)
{
    ngx_connection_t *c;
    ngx_http_request_t *r;

    c = session->connection;
    r = session->request;

    ngx_http_cs_chat_event_cancel(session);
    ngx_http_cs_chat_typing_leave(session, NULL);
    ngx_http_cs_chat_ws_count(session, -1);
    ngx_http_cs_chat_hub_leave(session);
    ngx_http_cs_chat_presence_close(session);
    ngx_queue_remove(&session->all);

    session->out_sent = 0;
    ngx_http_cs_chat_ws_discard(session);

    if (session->out != NULL) {
        ngx_free(session->out);
    }

    if (session->message != NULL) {
        ngx_free(session->message);
    }

    if (session->flush.posted) {
        ngx_delete_posted_event(&session->flush);
    }

    /* the request ends, and with it the connection */

    c->idle = 0;

    ngx_http_finalize_request(r, NGX_ERROR);
    ngx_http_run_posted_requests(c);
}
