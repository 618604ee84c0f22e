/*
 * A WebSocket: one session for each connection that was upgraded.
 */

#ifndef NGX_HTTP_CS_CHAT_WS_H
#define NGX_HTTP_CS_CHAT_WS_H

#include "ngx_http_cs_chat_module.h"
#include "ngx_http_cs_chat_hub.h"

#include "csc_json.h"
#include "csc_ws.h"


#define NGX_HTTP_CS_CHAT_CONN_LEN 20 /* hexadecimal digits of a socket's id */
#define NGX_HTTP_CS_CHAT_TYPING 4    /* chats that a socket writes in at once */


#define NGX_HTTP_CS_CHAT_TOO_MANY "too many connections for this user"


/* A chat that the user of a socket writes in, see the typing. */
typedef struct {
    u_char chat[36];
    ngx_msec_t told;
    unsigned typing : 1;
} ngx_http_cs_chat_typing_t;


typedef struct ngx_http_cs_chat_session_s {
    ngx_connection_t *connection;
    ngx_http_request_t *request;
    ngx_http_cs_chat_loc_conf_t *conf;

    ngx_queue_t all;     /* among all sessions of the process */
    ngx_queue_t follows; /* its topics, see the hub */
    ngx_queue_t asks;    /* its requests that await a reply */
    ngx_queue_t resumes; /* those of them that ask for many chats */
    ngx_uint_t nasks;    /* in both */
    size_t held;         /* bytes of events that its joins hold back */
    ngx_uint_t event;    /* the last event that the hub has sent to it */

    /* Who it is. */
    u_char id[NGX_HTTP_CS_CHAT_CONN_LEN];
    ngx_http_cs_chat_claims_t claims;

    ngx_msec_t opened;
    ngx_uint_t announced; /* in which message, see the presence */

    ngx_http_cs_chat_typing_t *typing; /* NULL: it never wrote */

    /* What comes in. */
    csc_ws_parser_t parser;
    u_char *message; /* pieces of a message that came in several */
    size_t message_len;
    size_t message_size;

    /* What goes out: a ring of frames, the first of them sent in part. */
    ngx_http_cs_chat_frame_t **out;
    ngx_uint_t out_first;
    ngx_uint_t out_count;
    ngx_uint_t out_size; /* a power of two */
    size_t out_sent;     /* bytes of the first frame */
    size_t out_bytes;    /* in all of them but the answers */
    size_t out_answers;  /* bytes of answers, which may be long */
    ngx_event_t flush;   /* posted: write at the end of this turn */

    /* Times, in ms of ngx_current_msec. */
    ngx_msec_t heard;  /* last bytes from the client */
    ngx_msec_t pinged; /* last ping to it */
    ngx_msec_t closing_since;
    ngx_msec_t drain_at; /* told to reconnect, while draining */

    /* Refused events in the minute that began at refused_since. */
    ngx_uint_t refused;
    time_t refused_since;

    unsigned awaiting_pong : 1;
    unsigned uncounted : 1; /* it ends: no longer one of its user's sockets */
    unsigned paused : 1;    /* not read: too much awaits an answer */
    unsigned draining : 1;  /* the process ends: it will be told to reconnect */
    unsigned leaving : 1;   /* it was told: closed when all is answered */
    unsigned closing : 1;   /* our Close is queued: nothing else goes out */
    unsigned closed : 1;    /* the client's Close has come, or its data ended */
    unsigned broken : 1;    /* what comes in can't be understood any more */
    unsigned failed : 1;    /* the connection is of no more use */
} ngx_http_cs_chat_session_t;


/* Before the first socket of a process. */
void ngx_http_cs_chat_ws_init(ngx_log_t *log);

/* Frees what all sockets of the process share. */
void ngx_http_cs_chat_ws_exit(void);
void ngx_http_cs_chat_event_exit(void);

/*
 * Takes the connection of an upgraded request over, for the caller of the
 * claims, and sends "connected".  NGX_OK, or NGX_ERROR when out of memory;
 * the request is then still the caller's.
 */
ngx_int_t ngx_http_cs_chat_ws_open(
    ngx_http_request_t *r, ngx_http_cs_chat_claims_t *claims);

/*
 * Queues a frame, taking a reference of its own; it is written at the end of
 * this turn of the loop with all others.  A reader that is too slow is closed.
 * The session is never freed by this or any other function below.
 */
void ngx_http_cs_chat_ws_send(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_frame_t *frame);

/*
 * Frames a copy of a text and queues it.  An answer to the client's own
 * request goes out at any length, as a replay of many messages does: only one
 * who asks again before it has read what it asked for is too slow.
 */
void ngx_http_cs_chat_ws_answer(
    ngx_http_cs_chat_session_t *session, csc_str_t text);
void ngx_http_cs_chat_ws_text(
    ngx_http_cs_chat_session_t *session, csc_str_t text);

/*
 * The process' JSON writer, empty.  What was written goes out by
 * ngx_http_cs_chat_ws_written().
 */
csc_json_writer_t *ngx_http_cs_chat_ws_writer(void);

/*
 * The same with an event of a type begun, up to the members of its data; both
 * objects are the caller's to end.  NULL when out of memory.
 */
csc_json_writer_t *ngx_http_cs_chat_ws_begin(
    ngx_http_cs_chat_session_t *session, const char *type);

void ngx_http_cs_chat_ws_written(ngx_http_cs_chat_session_t *session);

/* Queues the Close frame; the connection ends when the client has answered. */
void ngx_http_cs_chat_ws_close(
    ngx_http_cs_chat_session_t *session, int code, const char *reason);

/*
 * A request was answered: reads on where it was paused for too many of them,
 * or closes where only that was awaited.
 */
void ngx_http_cs_chat_ws_resume(ngx_http_cs_chat_session_t *session);

/* Closes one who reads too slowly; what waits for it is dropped. */
void ngx_http_cs_chat_ws_too_slow(ngx_http_cs_chat_session_t *session);

/* Sends "resync". */
void ngx_http_cs_chat_ws_resync(
    ngx_http_cs_chat_session_t *session, const char *reason);

typedef void (*ngx_http_cs_chat_ws_pt)(
    ngx_http_cs_chat_session_t *session, const char *text);

/* Calls a function for every session of this process. */
void ngx_http_cs_chat_ws_each(ngx_http_cs_chat_ws_pt visit, const char *text);

/* The token of a session was exchanged: sets its timer anew. */
void ngx_http_cs_chat_ws_rearm(ngx_http_cs_chat_session_t *session);

/*
 * The follows that come of the claims: user, role and token.  NGX_ERROR when
 * out of memory.
 */
ngx_int_t ngx_http_cs_chat_ws_follow(ngx_http_cs_chat_session_t *session);

/* --- ngx_http_cs_chat_ws_send.c, for ngx_http_cs_chat_ws.c --- */

/* Queues a control frame. */
void ngx_http_cs_chat_ws_control(
    ngx_http_cs_chat_session_t *session, int opcode, csc_str_t payload);

/* Writes what is queued, as far as the socket takes it. */
void ngx_http_cs_chat_ws_write(ngx_http_cs_chat_session_t *session);

/* Drops what waits, but for a frame that is partly on the wire. */
void ngx_http_cs_chat_ws_discard(ngx_http_cs_chat_session_t *session);

/* --- ngx_http_cs_chat_event.c --- */

/* A complete message of the client. */
void ngx_http_cs_chat_event(
    ngx_http_cs_chat_session_t *session, csc_str_t text);

/* Forgets the requests of a session that ends. */
void ngx_http_cs_chat_event_cancel(ngx_http_cs_chat_session_t *session);

/* The client has read, or was answered: what it resumes goes on. */
void ngx_http_cs_chat_resume_continue(ngx_http_cs_chat_session_t *session);


#endif /* NGX_HTTP_CS_CHAT_WS_H */
