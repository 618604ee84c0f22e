/*
 * A WebSocket: one session for each connection that was upgraded.
 */

#ifndef NGX_HTTP_CS_CHAT_WS_H
#define NGX_HTTP_CS_CHAT_WS_H

#include "ngx_http_cs_chat_module.h"
#include "ngx_http_cs_chat_hub.h"
#include "ngx_http_cs_chat_join.h"

#include "csc_json.h"
#include "csc_uuid.h"
#include "csc_ws.h"


#define NGX_HTTP_CS_CHAT_CONN_LEN 20 /* hexadecimal digits of a socket's id */
#define NGX_HTTP_CS_CHAT_TYPING 4    /* chats that a socket writes in at once */


#define NGX_HTTP_CS_CHAT_TOO_MANY "too many connections for this user"


/* A chat that the user of a socket writes in, see the typing. */
typedef struct {
    u_char chat[CSC_UUID_LEN];
    ngx_msec_t told;
    unsigned typing : 1;
} ngx_http_cs_chat_typing_t;


/* A message that comes in several pieces. */
typedef struct {
    size_t len;
    size_t size;
    u_char data[];
} ngx_http_cs_chat_pieces_t;


/* What goes out: a ring of frames, the first of them sent in part. */
typedef struct {
    uint32_t first;
    uint32_t count;
    uint32_t size; /* a power of two */
    size_t sent;   /* bytes of the first frame */
    ngx_http_cs_chat_frame_t *frames[];
} ngx_http_cs_chat_out_t;


/*
 * It outlives the request that it was opened by.  There are many: what an idle
 * one has no use for is not in it.
 */
typedef struct ngx_http_cs_chat_session_s {
    ngx_connection_t *connection;
    ngx_http_cs_chat_loc_conf_t *conf;
    ngx_msec_t send_timeout;

    ngx_queue_t all;     /* among all sessions of the process */
    ngx_queue_t flush;   /* among those that write at the end of this turn */
    ngx_queue_t asks;    /* its requests that await a reply */
    ngx_queue_t resumes; /* those of them that ask for many chats */

    /* What it hears, see the hub. */
    ngx_rbtree_node_t token;
    ngx_http_cs_chat_follow_t of_user;
    ngx_http_cs_chat_follow_t of_role;
    ngx_queue_t joins;
    size_t held;      /* bytes of events that its joins hold back */
    ngx_uint_t event; /* the last event that the hub has sent to it */

    /* Who it is. */
    const ngx_str_t *role;
    time_t expires;
    u_char id[NGX_HTTP_CS_CHAT_CONN_LEN];
    u_char user[CSC_UUID_LEN];
    u_char key[NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN]; /* of its token */

    /* The client's address at the handshake, and what it was counted for. */
    u_char address[sizeof(struct in6_addr)];
    uint32_t address_len; /* 0: it has none */
    uint64_t counted;     /* 0: it was not */

    uint32_t nasks; /* in both queues */

    ngx_msec_t opened;
    ngx_uint_t announced; /* in which message, see the presence */

    ngx_http_cs_chat_typing_t *typing; /* NULL: it never wrote */

    /* What comes in. */
    csc_ws_parser_t parser;
    ngx_http_cs_chat_pieces_t *pieces;

    /* What goes out. */
    ngx_http_cs_chat_out_t *out; /* NULL: nothing waits */
    size_t out_bytes;            /* in all frames but the answers */
    size_t out_answers;          /* bytes of answers, which may be long */

    /* Times, in ms of ngx_current_msec. */
    ngx_msec_t heard;  /* last bytes from the client */
    ngx_msec_t pinged; /* last ping to it */
    ngx_msec_t closing_since;
    ngx_msec_t drain_at; /* told to reconnect, while draining */

    /* Refused events in the minute that began at refused_since. */
    time_t refused_since;
    uint32_t refused;

    uint16_t close_code;   /* of the Close that either side sent first */
    unsigned opening : 1;  /* the request is still there */
    unsigned flushing : 1; /* in the queue of those that write */
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
 * Opens a session for the caller of the claims, with "connected" as its first
 * event.  It takes the connection over in this turn of the loop, when the
 * request's handler has returned NGX_DONE, and the request ends: it is logged
 * and freed as one is that leaves its connection to keep-alive.  NGX_OK, or
 * NGX_ERROR when out of memory; the request is then still the caller's.
 */
ngx_int_t ngx_http_cs_chat_ws_open(
    ngx_http_request_t *r, ngx_http_cs_chat_claims_t *claims);

/* The request has ended, by other hands, before the session took over. */
void ngx_http_cs_chat_ws_abandon(ngx_http_cs_chat_ctx_t *ctx);

/* Frees a session and closes its connection. */
void ngx_http_cs_chat_ws_end(ngx_http_cs_chat_session_t *session);

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

/* Views of what a session holds. */
static ngx_inline csc_str_t
ngx_http_cs_chat_ws_user(ngx_http_cs_chat_session_t *session)
{
    csc_str_t user;

    user.data = session->user;
    user.len = CSC_UUID_LEN;

    return user;
}

/* --- ngx_http_cs_chat_ws.c --- */

/* The session is, or is no longer, one of all sessions. */
void ngx_http_cs_chat_ws_begun(ngx_http_cs_chat_session_t *session);
void ngx_http_cs_chat_ws_ended(ngx_http_cs_chat_session_t *session);

/* Something waits: writes it at the end of this turn of the loop. */
void ngx_http_cs_chat_ws_later(ngx_http_cs_chat_session_t *session);

/* Handlers of the connection's events; its data is the session. */
void ngx_http_cs_chat_ws_read_handler(ngx_event_t *rev);
void ngx_http_cs_chat_ws_write_handler(ngx_event_t *wev);

/* The process is to stop. */
void ngx_http_cs_chat_ws_drain(ngx_http_cs_chat_session_t *session);

/* --- ngx_http_cs_chat_ws_read.c --- */

/* The buffer that all sockets read into. */
ngx_int_t ngx_http_cs_chat_ws_read_init(ngx_log_t *log);
void ngx_http_cs_chat_ws_read_exit(void);

/* Reads what there is. */
void ngx_http_cs_chat_ws_read(ngx_http_cs_chat_session_t *session);

/* Takes what was read; the bytes are changed. */
void ngx_http_cs_chat_ws_feed(
    ngx_http_cs_chat_session_t *session, csc_str_t input);

/* --- ngx_http_cs_chat_ws_send.c --- */

/* Queues a control frame. */
void ngx_http_cs_chat_ws_control(
    ngx_http_cs_chat_session_t *session, int opcode, csc_str_t payload);

/* Writes what is queued, as far as the socket takes it. */
void ngx_http_cs_chat_ws_write(ngx_http_cs_chat_session_t *session);

/* Drops all that waits, for a session that ends. */
void ngx_http_cs_chat_ws_drop(ngx_http_cs_chat_session_t *session);

/* --- ngx_http_cs_chat_event.c --- */

/* A complete message of the client. */
void ngx_http_cs_chat_event(
    ngx_http_cs_chat_session_t *session, csc_str_t text);

/* Forgets the requests of a session that ends. */
void ngx_http_cs_chat_event_cancel(ngx_http_cs_chat_session_t *session);

/* The client has read, or was answered: what it resumes goes on. */
void ngx_http_cs_chat_resume_continue(ngx_http_cs_chat_session_t *session);


#endif /* NGX_HTTP_CS_CHAT_WS_H */
