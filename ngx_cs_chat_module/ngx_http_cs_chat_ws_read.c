/*
 * What comes in by a WebSocket: bytes become frames, frames become messages.
 */

#include "ngx_http_cs_chat_ws.h"
#include "ngx_http_cs_chat_metrics.h"


#define READ_SIZE 16384    /* bytes of the buffer that all sockets share */
#define READ_BUDGET 16     /* reads before others have their turn */
#define FIRST_MESSAGE 4096 /* bytes of the buffer for a message in pieces */


static ngx_uint_t ngx_http_cs_chat_ws_must_wait(
    ngx_http_cs_chat_session_t *session);
static void ngx_http_cs_chat_ws_on_frame(
    ngx_http_cs_chat_session_t *session, csc_ws_event_t *event);
static void ngx_http_cs_chat_ws_data(
    ngx_http_cs_chat_session_t *session, csc_ws_event_t *event);
static ngx_int_t ngx_http_cs_chat_ws_append(
    ngx_http_cs_chat_session_t *session, csc_str_t piece);


static u_char *read_buffer;


ngx_int_t
ngx_http_cs_chat_ws_read_init(ngx_log_t *log)
{
    if (read_buffer == NULL) {
        read_buffer = ngx_alloc(READ_SIZE, log);
    }

    return read_buffer ? NGX_OK : NGX_ERROR;
}


void
ngx_http_cs_chat_ws_read_exit(void)
{
    if (read_buffer != NULL) {
        ngx_free(read_buffer);
        read_buffer = NULL;
    }
}


void
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

        n = c->read->ready ? c->recv(c, read_buffer, READ_SIZE) : NGX_AGAIN;

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


void
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

        text.data = session->pieces->data;
        text.len = session->pieces->len;
    }

    ngx_http_cs_chat_metrics->received++;
    ngx_http_cs_chat_event(session, text);

    if (session->pieces != NULL) {
        ngx_free(session->pieces);
        session->pieces = NULL;
    }
}


static ngx_int_t
ngx_http_cs_chat_ws_append(ngx_http_cs_chat_session_t *session, csc_str_t piece)
{
    size_t len, size;
    ngx_http_cs_chat_pieces_t *pieces, *before;

    before = session->pieces;
    len = before ? before->len : 0;
    size = before ? before->size : FIRST_MESSAGE;

    while (size < len + piece.len) {
        size *= 2;
    }

    if (before == NULL || size != before->size) {
        pieces = ngx_alloc(sizeof(*pieces) + size, session->connection->log);
        if (pieces == NULL) {
            return NGX_ERROR;
        }

        if (before != NULL) {
            ngx_memcpy(pieces->data, before->data, len);
            ngx_free(before);
        }

        pieces->size = size;
        session->pieces = pieces;
    }

    ngx_memcpy(session->pieces->data + len, piece.data, piece.len);
    session->pieces->len = len + piece.len;

    return NGX_OK;
}
