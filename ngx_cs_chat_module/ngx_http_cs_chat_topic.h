/*
 * Topics, "user:…", "role:…" and "chat:…", and which sockets of this process
 * follow them.
 */

#ifndef NGX_HTTP_CS_CHAT_TOPIC_H
#define NGX_HTTP_CS_CHAT_TOPIC_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "csc_core.h"


#define NGX_HTTP_CS_CHAT_MAX_TOPIC 128 /* bytes of "kind:name" */


struct ngx_http_cs_chat_session_s; /* ngx_http_cs_chat_ws.h */


/* It is there while it is followed. */
typedef struct ngx_http_cs_chat_topic_s {
    struct ngx_http_cs_chat_topic_s *next; /* of the same place */
    uint32_t hash;                         /* of the name */
    ngx_uint_t chat;                       /* 1: it is a chat's */
    ngx_queue_t follows;
    ngx_uint_t count;
    uint64_t answered; /* no join's answer went beyond this message */
    size_t len;
    u_char name[NGX_HTTP_CS_CHAT_MAX_TOPIC];
} ngx_http_cs_chat_topic_t;


/*
 * A socket that follows a topic.  Every socket follows its user and its role;
 * these two are parts of it.
 */
typedef struct {
    ngx_queue_t in_topic;
    ngx_http_cs_chat_topic_t *topic;
    struct ngx_http_cs_chat_session_s *session;
    unsigned holding : 1; /* a join whose answer is awaited */
} ngx_http_cs_chat_follow_t;


/* Before the first socket of a process. */
void ngx_http_cs_chat_topics_init(void);

/* A topic by its whole name, or as kind:name; NULL where nobody follows it. */
ngx_http_cs_chat_topic_t *ngx_http_cs_chat_topic_find(csc_str_t name);
ngx_http_cs_chat_topic_t *ngx_http_cs_chat_topic_named(
    const char *kind, csc_str_t name);

/* Begins a follow, in memory of the caller's.  NGX_ERROR: out of memory. */
ngx_int_t ngx_http_cs_chat_topic_follow(ngx_http_cs_chat_follow_t *follow,
    struct ngx_http_cs_chat_session_s *session, const char *kind,
    csc_str_t name);

/* Ends a follow, where it was begun. */
void ngx_http_cs_chat_topic_unfollow(ngx_http_cs_chat_follow_t *follow);

/* Who counted a topic once more, to keep it, needs it no longer. */
void ngx_http_cs_chat_topic_drop(ngx_http_cs_chat_topic_t *topic);

/* The number of sockets of this process that follow a topic. */
ngx_uint_t ngx_http_cs_chat_topic_count(const char *kind, csc_str_t name);

/* Follows, linked by in_topic, the oldest first. */
typedef void (*ngx_http_cs_chat_topic_pt)(csc_str_t name, ngx_queue_t *follows);

/* Visits all topics of a kind. */
void ngx_http_cs_chat_topic_each(
    const char *kind, ngx_http_cs_chat_topic_pt visit);


#endif /* NGX_HTTP_CS_CHAT_TOPIC_H */
