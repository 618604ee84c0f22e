/*
 * The hub: which sockets of this process follow which topic, and the delivery
 * of events to them.
 */

#ifndef NGX_HTTP_CS_CHAT_HUB_H
#define NGX_HTTP_CS_CHAT_HUB_H

#include "ngx_http_cs_chat_module.h"

#include "csc_bus.h"


struct ngx_http_cs_chat_session_s; /* ngx_http_cs_chat_ws.h */


/*
 * One finished WebSocket frame, shared by all sockets that it goes to; it is
 * freed with its last reference.
 */
typedef struct {
    ngx_uint_t refs;
    uint64_t seq;           /* of the message in it, 0: none */
    unsigned droppable : 1; /* may be left out for a slow reader */
    unsigned legacy : 1;    /* for clients of the seed's server */
    unsigned wanted : 1;    /* an answer: does not count as slow reading */
    size_t len;
    u_char data[];
} ngx_http_cs_chat_frame_t;


typedef struct ngx_http_cs_chat_topic_s ngx_http_cs_chat_topic_t;

/* A socket that follows a topic. */
typedef struct {
    ngx_queue_t in_topic;
    ngx_queue_t in_session;
    ngx_http_cs_chat_topic_t *topic;
    struct ngx_http_cs_chat_session_s *session;

    /* The answer to a join went up to this message: it came that way. */
    uint64_t seq;

    /*
     * While a join awaits its answer, what comes by this topic alone is held:
     * the answer says from which message on it is to be delivered.
     */
    ngx_queue_t held;
    ngx_uint_t nheld;
    unsigned holding : 1;
    unsigned overflowed : 1;
} ngx_http_cs_chat_follow_t;


/* Before the first socket of a process. */
void ngx_http_cs_chat_hub_init(ngx_log_t *log);

/*
 * A frame with room for a payload of size bytes behind its header, with one
 * reference; the payload is at *payload.  NULL when out of memory.
 */
ngx_http_cs_chat_frame_t *ngx_http_cs_chat_frame(
    int opcode, size_t size, u_char **payload);
void ngx_http_cs_chat_frame_release(ngx_http_cs_chat_frame_t *frame);

/*
 * The session follows the topic kind:name, "user:…".  Following twice is
 * following once.  NULL when out of memory.
 */
ngx_http_cs_chat_follow_t *ngx_http_cs_chat_hub_follow(
    struct ngx_http_cs_chat_session_s *session, const char *kind,
    csc_str_t name);

/* The session's follow of a topic, NULL when there is none. */
ngx_http_cs_chat_follow_t *ngx_http_cs_chat_hub_following(
    struct ngx_http_cs_chat_session_s *session, const char *kind,
    csc_str_t name);

/* Ends a follow; what it holds is dropped. */
void ngx_http_cs_chat_hub_unfollow(ngx_http_cs_chat_follow_t *follow);

/* Ends all follows of a session. */
void ngx_http_cs_chat_hub_leave(struct ngx_http_cs_chat_session_s *session);

/* Holds what comes by the follow from now on. */
void ngx_http_cs_chat_hub_hold(ngx_http_cs_chat_follow_t *follow);

/*
 * Delivers what was held, but for messages up to seq, and holds no longer.
 * Those messages don't come to the session by any other topic either.
 */
void ngx_http_cs_chat_hub_release(
    ngx_http_cs_chat_follow_t *follow, uint64_t seq);

/* Follows, linked by in_topic, the oldest first. */
typedef void (*ngx_http_cs_chat_topic_pt)(
    ngx_str_t *name, ngx_queue_t *follows);

/* Visits all topics of a kind. */
void ngx_http_cs_chat_hub_topics(
    const char *kind, ngx_http_cs_chat_topic_pt visit);

/* The number of sockets of this process that follow a topic. */
ngx_uint_t ngx_http_cs_chat_hub_count(const char *kind, csc_str_t name);

/*
 * The sockets of a user that count: their number, and the one that has been
 * open the longest (NULL where there is none).
 */
ngx_uint_t ngx_http_cs_chat_hub_sockets(
    csc_str_t user, struct ngx_http_cs_chat_session_s **oldest);

/* Delivers an event of a chat worker to the sockets it is for. */
void ngx_http_cs_chat_hub_event(csc_bus_message_t *event);

/* Tells all sockets that they may have missed events. */
void ngx_http_cs_chat_hub_resync(const char *reason);

/* A chat worker found that a user has too many sockets: closes this one. */
void ngx_http_cs_chat_hub_close(csc_str_t user, csc_str_t id);

/* What role a user has: remembers it and closes sockets that have another. */
void ngx_http_cs_chat_hub_role(csc_str_t user, csc_str_t role);

/* A token is revoked: remembers it and closes its sockets. */
void ngx_http_cs_chat_hub_revoke(u_char *key, time_t expires);


#endif /* NGX_HTTP_CS_CHAT_HUB_H */
