/*
 * What goes out by a WebSocket: a ring of shared frames, written together at
 * the end of a turn of the loop, and limited for one who does not read.
 */

#include "ngx_http_cs_chat_ws.h"
#include "ngx_http_cs_chat_metrics.h"
#include "ngx_http_cs_chat_presence.h"


#define WRITE_FRAMES 64 /* frames in one writev() */
#define FIRST_OUT 8     /* slots of the ring of frames */
#define FRAME_COST 64   /* bytes that a frame takes beside its own */


static void ngx_http_cs_chat_ws_copy(ngx_http_cs_chat_session_t *session,
    int opcode, csc_str_t payload, ngx_uint_t wanted);
static void ngx_http_cs_chat_ws_half_close(ngx_http_cs_chat_session_t *session);
static void ngx_http_cs_chat_ws_queue(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_frame_t *frame);
static ngx_int_t ngx_http_cs_chat_ws_grow(ngx_http_cs_chat_session_t *session);
static void ngx_http_cs_chat_ws_unqueued(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_frame_t *frame);
static void ngx_http_cs_chat_ws_pop(ngx_http_cs_chat_session_t *session);
static ngx_inline size_t ngx_http_cs_chat_ws_cost(
    ngx_http_cs_chat_frame_t *frame);
static size_t *ngx_http_cs_chat_ws_waiting(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_frame_t *frame);
static ngx_uint_t ngx_http_cs_chat_ws_writev(
    ngx_http_cs_chat_session_t *session);


void
ngx_http_cs_chat_ws_text(ngx_http_cs_chat_session_t *session, csc_str_t text)
{
    ngx_http_cs_chat_ws_copy(session, CSC_WS_TEXT, text, 0);
}


void
ngx_http_cs_chat_ws_answer(ngx_http_cs_chat_session_t *session, csc_str_t text)
{
    ngx_http_cs_chat_ws_copy(session, CSC_WS_TEXT, text, 1);
}


void
ngx_http_cs_chat_ws_control(
    ngx_http_cs_chat_session_t *session, int opcode, csc_str_t payload)
{
    ngx_http_cs_chat_ws_copy(session, opcode, payload, 0);
}


static void
ngx_http_cs_chat_ws_copy(ngx_http_cs_chat_session_t *session, int opcode,
    csc_str_t payload, ngx_uint_t wanted)
{
    u_char *data;
    ngx_http_cs_chat_frame_t *frame;

    frame = ngx_http_cs_chat_frame(opcode, payload.len, &data);
    if (frame == NULL) {
        session->failed = 1;
        return;
    }

    if (payload.len) {
        ngx_memcpy(data, payload.data, payload.len);
    }

    frame->wanted = wanted;
    ngx_http_cs_chat_ws_send(session, frame);
    ngx_http_cs_chat_frame_release(frame);
}


void
ngx_http_cs_chat_ws_send(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_frame_t *frame)
{
    if (session->closing || session->failed) {
        return;
    }

    if (frame->legacy && !session->conf->legacy_events) {
        return;
    }

    if (frame->droppable
        && session->out_bytes > session->conf->output_limit / 2) {
        ngx_http_cs_chat_metrics->dropped++;
        return;
    }

    /* one frame is never too much, however long */

    if (!frame->wanted && session->out_bytes
        && session->out_bytes + ngx_http_cs_chat_ws_cost(frame)
               > session->conf->output_limit)
    {
        ngx_http_cs_chat_ws_too_slow(session);
        return;
    }

    ngx_http_cs_chat_ws_queue(session, frame);
}


void
ngx_http_cs_chat_ws_too_slow(ngx_http_cs_chat_session_t *session)
{
    if (session->closing) {
        return;
    }

    ngx_log_error(NGX_LOG_INFO, session->connection->log, 0,
        "client reads too slowly: %uz bytes wait",
        session->out_bytes + session->out_answers);

    ngx_http_cs_chat_ws_discard(session);
    ngx_http_cs_chat_ws_close(
        session, CSC_WS_CLOSE_TRY_LATER, "too slow a reader");
}


/* Many small frames, as of pongs, take more memory than their bytes. */

static ngx_inline size_t
ngx_http_cs_chat_ws_cost(ngx_http_cs_chat_frame_t *frame)
{
    return frame->len + FRAME_COST;
}


/* The bytes that wait, of the kind of a frame. */

static size_t *
ngx_http_cs_chat_ws_waiting(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_frame_t *frame)
{
    return frame->wanted ? &session->out_answers : &session->out_bytes;
}


static void
ngx_http_cs_chat_ws_queue(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_frame_t *frame)
{
    ngx_uint_t last;

    if (session->out_count == session->out_size
        && ngx_http_cs_chat_ws_grow(session) != NGX_OK)
    {
        session->failed = 1;

    } else {
        last = (session->out_first + session->out_count)
               & (session->out_size - 1);

        frame->refs++;
        session->out[last] = frame;
        session->out_count++;
        *ngx_http_cs_chat_ws_waiting(session, frame) +=
            ngx_http_cs_chat_ws_cost(frame);
        ngx_http_cs_chat_metrics->queued += ngx_http_cs_chat_ws_cost(frame);
    }

    /* while the socket is full, its write event comes by itself */

    if (!session->flush.posted
        && (session->connection->write->ready || session->failed))
    {
        ngx_post_event(&session->flush, &ngx_posted_events);
    }
}


static ngx_int_t
ngx_http_cs_chat_ws_grow(ngx_http_cs_chat_session_t *session)
{
    ngx_uint_t i, size;
    ngx_http_cs_chat_frame_t **out;

    size = session->out_size ? session->out_size * 2 : FIRST_OUT;

    out = ngx_alloc(size * sizeof(*out), session->connection->log);
    if (out == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < session->out_count; i++) {
        out[i] =
            session->out[(session->out_first + i) & (session->out_size - 1)];
    }

    if (session->out != NULL) {
        ngx_free(session->out);
    }

    session->out = out;
    session->out_first = 0;
    session->out_size = size;

    return NGX_OK;
}


static void
ngx_http_cs_chat_ws_unqueued(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_frame_t *frame)
{
    size_t cost;

    cost = ngx_http_cs_chat_ws_cost(frame);
    *ngx_http_cs_chat_ws_waiting(session, frame) -= cost;
    ngx_http_cs_chat_metrics->queued -= cost;
}


static void
ngx_http_cs_chat_ws_pop(ngx_http_cs_chat_session_t *session)
{
    ngx_http_cs_chat_frame_t *frame;

    frame = session->out[session->out_first];

    ngx_http_cs_chat_ws_unqueued(session, frame);
    session->out_first = (session->out_first + 1) & (session->out_size - 1);
    session->out_count--;
    session->out_sent = 0;

    ngx_http_cs_chat_frame_release(frame);
}


/* Drops what waits, but for a frame that is partly on the wire. */

void
ngx_http_cs_chat_ws_discard(ngx_http_cs_chat_session_t *session)
{
    ngx_uint_t keep, last;
    ngx_http_cs_chat_frame_t *frame;

    keep = session->out_sent ? 1 : 0;

    while (session->out_count > keep) {
        last = (session->out_first + session->out_count - 1)
               & (session->out_size - 1);
        frame = session->out[last];

        ngx_http_cs_chat_ws_unqueued(session, frame);
        session->out_count--;
        ngx_http_cs_chat_frame_release(frame);
    }
}


void
ngx_http_cs_chat_ws_close(
    ngx_http_cs_chat_session_t *session, int code, const char *reason)
{
    size_t len;
    u_char *data;
    csc_str_t text;
    ngx_http_cs_chat_frame_t *frame;
    u_char buf[CSC_WS_MAX_CONTROL + 2];

    if (session->closing || session->failed) {
        return;
    }

    text = csc_str(reason);
    len = csc_ws_close_frame(code, text, buf);

    /* the codec made the whole frame, its header of two bytes included */

    frame = ngx_http_cs_chat_frame(CSC_WS_CLOSE, len - 2, &data);

    if (frame == NULL) {
        session->failed = 1;
        return;
    }

    ngx_memcpy(frame->data, buf, len);

    ngx_http_cs_chat_metrics->closes[csc_metrics_close(code)]++;
    session->closing_since = ngx_current_msec;
    ngx_http_cs_chat_ws_queue(session, frame);
    ngx_http_cs_chat_frame_release(frame);
    session->closing = 1;

    if (!session->closed) {
        /* until its client has answered it counts no more */

        ngx_http_cs_chat_presence_uncount(session);
    }

    ngx_http_cs_chat_ws_rearm(session);
}


/* Writing: all that waits, in as few calls as the system allows. */

void
ngx_http_cs_chat_ws_write(ngx_http_cs_chat_session_t *session)
{
    ngx_connection_t *c;
    ngx_http_core_loc_conf_t *clcf;

    c = session->connection;

    while (!session->failed && (session->out_count || c->buffered)) {
        if (ngx_http_cs_chat_ws_writev(session)) {
            ngx_http_cs_chat_resume_continue(session);
            continue;
        }

        if (session->failed) {
            return;
        }

        if (!c->write->timer_set) {
            clcf = ngx_http_get_module_loc_conf(
                session->request, ngx_http_core_module);
            ngx_add_timer(c->write, clcf->send_timeout);
        }

        if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
            session->failed = 1;
        }

        return;
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    if (session->broken && !session->failed) {
        ngx_http_cs_chat_ws_half_close(session);
    }
}


/*
 * The client's Close can't be found behind bytes that were no frame: its end
 * of data is awaited instead, which the end of ours brings about (RFC 6455,
 * 7.1.7).  TLS has no half of a connection.
 */

static void
ngx_http_cs_chat_ws_half_close(ngx_http_cs_chat_session_t *session)
{
    ngx_connection_t *c;

    c = session->connection;
    session->broken = 0;

#if (NGX_HTTP_SSL)
    if (c->ssl) {
        return;
    }
#endif

    if (ngx_shutdown_socket(c->fd, NGX_WRITE_SHUTDOWN) == -1) {
        ngx_connection_error(
            c, ngx_socket_errno, ngx_shutdown_socket_n " failed");
        session->failed = 1;
    }
}


/* 1 when all that was offered has been taken. */

static ngx_uint_t
ngx_http_cs_chat_ws_writev(ngx_http_cs_chat_session_t *session)
{
    off_t sent;
    size_t offered;
    ngx_uint_t i, n, whole;
    ngx_buf_t bufs[WRITE_FRAMES];
    ngx_chain_t links[WRITE_FRAMES], *rest;
    ngx_connection_t *c;
    ngx_http_cs_chat_frame_t *frame;

    c = session->connection;
    n = ngx_min(session->out_count, WRITE_FRAMES);
    offered = session->out_sent;

    ngx_memzero(bufs, n * sizeof(ngx_buf_t));

    for (i = 0; i < n; i++) {
        frame =
            session->out[(session->out_first + i) & (session->out_size - 1)];

        bufs[i].memory = 1;
        bufs[i].pos = frame->data + (i == 0 ? offered : 0);
        bufs[i].last = frame->data + frame->len;
        bufs[i].start = frame->data;
        bufs[i].end = bufs[i].last;
        links[i].buf = &bufs[i];
        links[i].next = (i + 1 < n) ? &links[i + 1] : NULL;
    }

    if (n) {
        bufs[n - 1].flush = 1;
    }

    sent = c->sent;
    rest = c->send_chain(c, n ? links : NULL, 0);

    ngx_http_cs_chat_metrics->writes++;
    ngx_http_cs_chat_metrics->sent_bytes += c->sent - sent;

    if (rest == NGX_CHAIN_ERROR) {
        session->failed = 1;
        return 0;
    }

    for (whole = 0; whole < n && bufs[whole].pos == bufs[whole].last; whole++) {
        ngx_http_cs_chat_ws_pop(session);
    }

    ngx_http_cs_chat_metrics->sent += whole;

    if (whole < n) {
        session->out_sent = bufs[whole].pos - bufs[whole].start;
        return 0;
    }

    return !c->buffered;
}
