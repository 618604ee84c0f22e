#include "ngx_http_cs_chat_ws.h"
#include "ngx_http_cs_chat_presence.h"


#define CLOSE_TIMEOUT 5000 /* ms that the client's Close is awaited */


static void ngx_http_cs_chat_ws_flush_handler(ngx_event_t *ev);
static void ngx_http_cs_chat_ws_leave(ngx_http_cs_chat_session_t *session);
static void ngx_http_cs_chat_ws_timer(ngx_http_cs_chat_session_t *session);
static ngx_uint_t ngx_http_cs_chat_ws_done(ngx_http_cs_chat_session_t *session);


static ngx_queue_t sessions;
static ngx_queue_t flushing; /* those that write at the end of this turn */
static ngx_event_t flush;
static csc_json_writer_t *writer;


void
ngx_http_cs_chat_ws_init(ngx_log_t *log)
{
    ngx_queue_init(&sessions);
    ngx_queue_init(&flushing);

    ngx_memzero(&flush, sizeof(flush));
    flush.handler = ngx_http_cs_chat_ws_flush_handler;
    flush.log = log;
}


void
ngx_http_cs_chat_ws_exit(void)
{
    csc_json_free(writer);
    writer = NULL;

    ngx_http_cs_chat_ws_read_exit();
    ngx_http_cs_chat_event_exit();
    csc_ws_accept_end();
}


/* All sessions of the process. */

void
ngx_http_cs_chat_ws_begun(ngx_http_cs_chat_session_t *session)
{
    ngx_queue_insert_tail(&sessions, &session->all);
}


void
ngx_http_cs_chat_ws_ended(ngx_http_cs_chat_session_t *session)
{
    ngx_queue_remove(&session->all);

    if (session->flushing) {
        ngx_queue_remove(&session->flush);
    }
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


/* Events that are written here. */

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


/* Events of the connection.  Only these free a session. */

void
ngx_http_cs_chat_ws_read_handler(ngx_event_t *rev)
{
    ngx_connection_t *c;
    ngx_http_cs_chat_session_t *session;

    c = rev->data;
    session = c->data;

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


void
ngx_http_cs_chat_ws_write_handler(ngx_event_t *wev)
{
    ngx_connection_t *c;
    ngx_http_cs_chat_session_t *session;

    c = wev->data;
    session = c->data;

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


void
ngx_http_cs_chat_ws_later(ngx_http_cs_chat_session_t *session)
{
    if (session->flushing || session->opening) {
        return;
    }

    session->flushing = 1;
    ngx_queue_insert_tail(&flushing, &session->flush);

    if (!flush.posted) {
        ngx_post_event(&flush, &ngx_posted_events);
    }
}


static void
ngx_http_cs_chat_ws_flush_handler(ngx_event_t *ev)
{
    ngx_queue_t *q;
    ngx_http_cs_chat_session_t *session;

    for (q = ngx_queue_head(&flushing); q != ngx_queue_sentinel(&flushing);
         q = ngx_queue_head(&flushing))
    {
        session = ngx_queue_data(q, ngx_http_cs_chat_session_t, flush);

        ngx_queue_remove(q);
        session->flushing = 0;

        ngx_http_cs_chat_ws_write(session);

        if (ngx_http_cs_chat_ws_done(session)) {
            ngx_http_cs_chat_ws_end(session);
        }
    }
}


/*
 * The process is to stop: it calls every idle connection's read handler.  Not
 * all clients are to come to its successor at once.
 */

void
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
        left = session->expires + conf->jwt.leeway - ngx_time();
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

    } else if (session->expires + conf->jwt.leeway <= ngx_time()) {
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

    return session->closing && session->closed && session->out == NULL
           && !session->connection->buffered;
}
