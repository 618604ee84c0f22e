/*
 * Chats that a socket has joined.  While the answer to a join is awaited, what
 * comes is held back.
 */

#ifndef NGX_HTTP_CS_CHAT_JOIN_H
#define NGX_HTTP_CS_CHAT_JOIN_H

#include "ngx_http_cs_chat_frame.h"
#include "ngx_http_cs_chat_topic.h"

#include "csc_bus.h"


/* Only joins follow a chat. */
typedef struct {
    ngx_http_cs_chat_follow_t follow;
    ngx_queue_t in_session;

    /* The answer to the join went up to this message: it came that way. */
    uint64_t seq;

    /*
     * While the join awaits its answer, what comes by this topic alone is
     * held: the answer says from which message on it is to be delivered.
     */
    ngx_queue_t held;
    ngx_uint_t nheld;
    unsigned overflowed : 1;
} ngx_http_cs_chat_join_t;


/* The session follows a chat, which it does not yet.  NULL: out of memory. */
ngx_http_cs_chat_join_t *ngx_http_cs_chat_join(
    struct ngx_http_cs_chat_session_s *session, csc_str_t chat);

/* The session's join of a chat, NULL when there is none. */
ngx_http_cs_chat_join_t *ngx_http_cs_chat_joined(
    struct ngx_http_cs_chat_session_s *session, csc_str_t chat);

/* Ends a join; what it holds is dropped. */
void ngx_http_cs_chat_unjoin(ngx_http_cs_chat_join_t *join);

/* The join that a follow in a chat's queue is the head of. */
ngx_http_cs_chat_join_t *ngx_http_cs_chat_join_of(ngx_queue_t *in_topic);

/* Holds what comes by the join from now on. */
void ngx_http_cs_chat_join_hold(ngx_http_cs_chat_join_t *join);

/* Holds a frame back, or, when there are too many, a "resync" instead. */
void ngx_http_cs_chat_join_keep(
    ngx_http_cs_chat_join_t *join, ngx_http_cs_chat_frame_t *frame);

/*
 * Delivers what was held, but for messages up to seq, and holds no longer.
 * Those messages don't come to the session by any other topic either.
 */
void ngx_http_cs_chat_join_release(ngx_http_cs_chat_join_t *join, uint64_t seq);

/*
 * Who had the message with the answer to a join does not get it again: marks
 * their sessions with the number of the event.
 */
void ngx_http_cs_chat_join_skip(csc_bus_message_t *event, ngx_uint_t number);


#endif /* NGX_HTTP_CS_CHAT_JOIN_H */
