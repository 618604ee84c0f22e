/*
 * What goes out by a WebSocket: a ring of shared frames, written together at
 * the end of a turn of the loop, and limited for one who does not read.
 */

#include "ngx_http_cs_chat_ws.h"
#include "ngx_http_cs_chat_metrics.h"
#include "ngx_http_cs_chat_presence.h"


#define WRITE_FRAMES 64 /* frames in one call */
#define FIRST_OUT 8     /* slots of the ring of frames */
#define FRAME_COST 64   /* bytes that a frame takes beside its own */


static void ngx_http_cs_chat_ws_copy(ngx_http_cs_chat_session_t *session,
    int opcode, csc_str_t payload, ngx_uint_t wanted);
static void ngx_http_cs_chat_ws_half_close(ngx_http_cs_chat_session_t *session);
static void ngx_http_cs_chat_ws_queue(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_frame_t *frame);
static ngx_http_cs_chat_out_t *ngx_http_cs_chat_ws_grow(
    ngx_http_cs_chat_session_t *session);
static ngx_inline ngx_http_cs_chat_frame_t **ngx_http_cs_chat_ws_slot(
    ngx_http_cs_chat_out_t *out, ngx_uint_t i);
static void ngx_http_cs_chat_ws_gone(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_frame_t *frame);
static void ngx_http_cs_chat_ws_pop(ngx_http_cs_chat_session_t *session);
static void ngx_http_cs_chat_ws_discard(ngx_http_cs_chat_session_t *session);
static ngx_inline size_t ngx_http_cs_chat_ws_cost(
    ngx_http_cs_chat_frame_t *frame);
static size_t *ngx_http_cs_chat_ws_waiting(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_frame_t *frame);
static ngx_uint_t ngx_http_cs_chat_ws_offer(
    ngx_http_cs_chat_session_t *session);
static ssize_t ngx_http_cs_chat_ws_sendmsg(ngx_http_cs_chat_session_t *session,
    struct iovec *vec, ngx_uint_t n, size_t size);
#if (NGX_HTTP_SSL)
static ssize_t ngx_http_cs_chat_ws_send_chain(
    ngx_connection_t *c, struct iovec *vec, ngx_uint_t n);
#endif
static void ngx_http_cs_chat_ws_sent(
    ngx_http_cs_chat_session_t *session, size_t sent);


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
    ngx_http_cs_chat_out_t *out;

    out = session->out;

    if (out == NULL || out->count == out->size) {
        out = ngx_http_cs_chat_ws_grow(session);
    }

    if (out == NULL) {
        session->failed = 1;

    } else {
        frame->refs++;
        out->frames[(out->first + out->count) & (out->size - 1)] = frame;
        out->count++;
        *ngx_http_cs_chat_ws_waiting(session, frame) +=
            ngx_http_cs_chat_ws_cost(frame);
        ngx_http_cs_chat_metrics->queued += ngx_http_cs_chat_ws_cost(frame);
    }

    /* while the socket is full, its write event comes by itself */

    if (session->connection->write->ready || session->failed) {
        ngx_http_cs_chat_ws_later(session);
    }
}


static ngx_http_cs_chat_out_t *
ngx_http_cs_chat_ws_grow(ngx_http_cs_chat_session_t *session)
{
    uint32_t i, size;
    ngx_http_cs_chat_out_t *out, *before;

    before = session->out;
    size = before ? before->size * 2 : FIRST_OUT;

    out = ngx_alloc(
        sizeof(*out) + size * sizeof(out->frames[0]), session->connection->log);
    if (out == NULL) {
        return NULL;
    }

    out->first = 0;
    out->count = 0;
    out->size = size;
    out->sent = 0;

    if (before != NULL) {
        for (i = 0; i < before->count; i++) {
            out->frames[i] = *ngx_http_cs_chat_ws_slot(before, i);
        }

        out->count = before->count;
        out->sent = before->sent;
        ngx_free(before);
    }

    session->out = out;

    return out;
}


/* The slot of a frame, counted from the first. */

static ngx_inline ngx_http_cs_chat_frame_t **
ngx_http_cs_chat_ws_slot(ngx_http_cs_chat_out_t *out, ngx_uint_t i)
{
    return &out->frames[(out->first + i) & (out->size - 1)];
}


/* The first frame is sent, or the last one is dropped. */

static void
ngx_http_cs_chat_ws_gone(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_frame_t *frame)
{
    size_t cost;

    cost = ngx_http_cs_chat_ws_cost(frame);
    *ngx_http_cs_chat_ws_waiting(session, frame) -= cost;
    ngx_http_cs_chat_metrics->queued -= cost;

    session->out->count--;
    ngx_http_cs_chat_frame_release(frame);
}


static void
ngx_http_cs_chat_ws_pop(ngx_http_cs_chat_session_t *session)
{
    ngx_http_cs_chat_out_t *out;
    ngx_http_cs_chat_frame_t *frame;

    out = session->out;
    frame = *ngx_http_cs_chat_ws_slot(out, 0);

    out->first = (out->first + 1) & (out->size - 1);
    out->sent = 0;
    ngx_http_cs_chat_ws_gone(session, frame);
}


/* Drops what waits, but for a frame that is partly on the wire. */

static void
ngx_http_cs_chat_ws_discard(ngx_http_cs_chat_session_t *session)
{
    ngx_uint_t keep;
    ngx_http_cs_chat_out_t *out;

    out = session->out;

    if (out == NULL) {
        return;
    }

    keep = out->sent ? 1 : 0;

    while (out->count > keep) {
        ngx_http_cs_chat_ws_gone(
            session, *ngx_http_cs_chat_ws_slot(out, out->count - 1));
    }

    if (out->count == 0) {
        ngx_free(out);
        session->out = NULL;
    }
}


void
ngx_http_cs_chat_ws_drop(ngx_http_cs_chat_session_t *session)
{
    if (session->out != NULL) {
        session->out->sent = 0;
        ngx_http_cs_chat_ws_discard(session);
    }
}


void
ngx_http_cs_chat_ws_close(
    ngx_http_cs_chat_session_t *session, int code, const char *reason)
{
    size_t len;
    csc_str_t text;
    ngx_http_cs_chat_frame_t *frame;
    u_char buf[CSC_WS_MAX_CONTROL + 2];

    if (session->closing || session->failed) {
        return;
    }

    text = csc_str(reason);
    len = csc_ws_close_frame(code, text, buf);

    frame = ngx_http_cs_chat_frame_bytes(len);
    if (frame == NULL) {
        session->failed = 1;
        return;
    }

    ngx_memcpy(frame->data, buf, len);

    ngx_http_cs_chat_metrics->closes[csc_metrics_close(code)]++;
    session->close_code = (uint16_t) code;
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

    c = session->connection;

    while (!session->failed && (session->out != NULL || c->buffered)) {
        if (ngx_http_cs_chat_ws_offer(session)) {
            ngx_http_cs_chat_resume_continue(session);
            continue;
        }

        if (session->failed) {
            return;
        }

        if (!c->write->timer_set) {
            ngx_add_timer(c->write, session->send_timeout);
        }

        if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
            session->failed = 1;
        }

        return;
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

#if (NGX_HTTP_SSL)
    if (c->ssl) {
        ngx_ssl_free_buffer(c);
    }
#endif

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
ngx_http_cs_chat_ws_offer(ngx_http_cs_chat_session_t *session)
{
    off_t before;
    size_t size;
    ssize_t sent;
    ngx_uint_t i, n;
    ngx_connection_t *c;
    struct iovec vec[WRITE_FRAMES];
    ngx_http_cs_chat_frame_t *frame;

    c = session->connection;
    n = session->out ? ngx_min(session->out->count, WRITE_FRAMES) : 0;
    size = 0;

    for (i = 0; i < n; i++) {
        frame = *ngx_http_cs_chat_ws_slot(session->out, i);

        vec[i].iov_base = frame->data;
        vec[i].iov_len = frame->len;

        if (i == 0) {
            vec[i].iov_base = frame->data + session->out->sent;
            vec[i].iov_len -= session->out->sent;
        }

        size += vec[i].iov_len;
    }

    before = c->sent;

#if (NGX_HTTP_SSL)
    if (c->ssl) {
        sent = ngx_http_cs_chat_ws_send_chain(c, vec, n);

    } else
#endif
    {
        sent = ngx_http_cs_chat_ws_sendmsg(session, vec, n, size);
    }

    ngx_http_cs_chat_metrics->writes++;
    ngx_http_cs_chat_metrics->sent_bytes += c->sent - before;

    if (sent == NGX_ERROR) {
        session->failed = 1;
        return 0;
    }

    ngx_http_cs_chat_ws_sent(session, sent);

    return (size_t) sent == size && !c->buffered;
}


/* The bytes that were taken, or NGX_ERROR. */

static ssize_t
ngx_http_cs_chat_ws_sendmsg(ngx_http_cs_chat_session_t *session,
    struct iovec *vec, ngx_uint_t n, size_t size)
{
    int flags;
    ssize_t sent;
    ngx_err_t err;
    struct msghdr msg;
    ngx_connection_t *c;

    c = session->connection;
    flags = 0;

#ifdef MSG_MORE
    /* our last frame leaves in one packet with the end of the connection */

    if (n && session->closing && session->closed && session->out->count == n) {
        flags = MSG_MORE;
    }
#endif

    ngx_memzero(&msg, sizeof(msg));
    msg.msg_iov = vec;
    msg.msg_iovlen = n;

    do {
        sent = sendmsg(c->fd, &msg, flags);
        err = (sent == -1) ? ngx_socket_errno : 0;
    } while (err == NGX_EINTR);

    if (err == NGX_EAGAIN) {
        c->write->ready = 0;
        return 0;
    }

    if (sent == -1) {
        c->write->error = 1;
        (void) ngx_connection_error(c, err, "sendmsg() failed");
        return NGX_ERROR;
    }

    c->sent += sent;

    if ((size_t) sent < size) {
        c->write->ready = 0;
    }

    return sent;
}


#if (NGX_HTTP_SSL)

/* TLS gathers in a buffer of its own what makes a record. */

static ssize_t
ngx_http_cs_chat_ws_send_chain(
    ngx_connection_t *c, struct iovec *vec, ngx_uint_t n)
{
    ssize_t sent;
    ngx_uint_t i;
    ngx_buf_t bufs[WRITE_FRAMES];
    ngx_chain_t links[WRITE_FRAMES];

    ngx_memzero(bufs, n * sizeof(ngx_buf_t));

    for (i = 0; i < n; i++) {
        bufs[i].memory = 1;
        bufs[i].pos = vec[i].iov_base;
        bufs[i].last = bufs[i].pos + vec[i].iov_len;
        bufs[i].start = bufs[i].pos;
        bufs[i].end = bufs[i].last;
        links[i].buf = &bufs[i];
        links[i].next = (i + 1 < n) ? &links[i + 1] : NULL;
    }

    if (n) {
        bufs[n - 1].flush = 1;
    }

    if (c->send_chain(c, n ? links : NULL, 0) == NGX_CHAIN_ERROR) {
        return NGX_ERROR;
    }

    sent = 0;

    for (i = 0; i < n; i++) {
        sent += bufs[i].pos - bufs[i].start;
    }

    return sent;
}

#endif


/* Takes what was sent out of the ring; an empty one is not kept. */

static void
ngx_http_cs_chat_ws_sent(ngx_http_cs_chat_session_t *session, size_t sent)
{
    size_t left;
    ngx_http_cs_chat_out_t *out;
    ngx_http_cs_chat_frame_t *frame;

    out = session->out;

    while (out != NULL && out->count) {
        frame = *ngx_http_cs_chat_ws_slot(out, 0);
        left = frame->len - out->sent;

        if (sent < left) {
            out->sent += sent;
            return;
        }

        sent -= left;
        ngx_http_cs_chat_metrics->sent += !frame->head;
        ngx_http_cs_chat_ws_pop(session);
    }

    ngx_http_cs_chat_ws_drop(session);
}
