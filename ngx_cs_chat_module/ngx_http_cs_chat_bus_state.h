/*
 * The state of the bus, and what its files need of each other: links and
 * readiness in bus.c, what comes in in receive.c, what goes out in request.c,
 * revoked tokens in revoked.c.  All others see ngx_http_cs_chat_bus.h.
 */

#ifndef NGX_HTTP_CS_CHAT_BUS_STATE_H
#define NGX_HTTP_CS_CHAT_BUS_STATE_H

#include "ngx_http_cs_chat_bus.h"
#include "ngx_http_cs_chat_call.h"

#include "csc_uuid.h"


#define NGX_HTTP_CS_CHAT_PROCESS_LEN 16
#define NGX_HTTP_CS_CHAT_RANDOM (64 * CSC_UUID_V7_RANDOM)
#define NGX_HTTP_CS_CHAT_CHANNEL_SIZE (CSC_BUS_MAX_PREFIX + 64)


typedef struct {
    ngx_http_cs_chat_main_conf_t *conf;
    ngx_log_t *log;

    ngx_http_cs_chat_where_t where;
    ngx_http_cs_chat_link_t commands;
    ngx_http_cs_chat_link_t subscriptions;

    csc_str_t prefix;
    u_char process[NGX_HTTP_CS_CHAT_PROCESS_LEN];
    char reply_channel[NGX_HTTP_CS_CHAT_CHANNEL_SIZE];
    char events_channel[NGX_HTTP_CS_CHAT_CHANNEL_SIZE];
    char revoked_key[NGX_HTTP_CS_CHAT_CHANNEL_SIZE];
    char roles_key[NGX_HTTP_CS_CHAT_CHANNEL_SIZE];

    u_char random[NGX_HTTP_CS_CHAT_RANDOM]; /* for the ids of messages */
    size_t unused;                          /* bytes of them, at the end */

    ngx_queue_t retries; /* requests whose shard nobody holds just now */
    ngx_event_t retry;

    ngx_event_t pulse;
    ngx_uint_t unheard; /* signs of life that have not come back */
    ngx_uint_t pulses;  /* since it failed to tell of a revoked token */

    unsigned subscribed : 1;
    unsigned ready : 1;
    unsigned starting : 1;
    unsigned missed : 1; /* events, while there was no subscription */
    unsigned untold : 1; /* of a token that was revoked here */
} ngx_http_cs_chat_bus_t;


/* nginx processes are single-threaded, and each has one bus. */
extern ngx_http_cs_chat_bus_t ngx_http_cs_chat_bus;


/* hiredis calls this with all that comes over the subscriptions. */
void ngx_http_cs_chat_bus_receive(
    redisAsyncContext *context, void *reply, void *data);

/* Tells all of the tokens that are revoked here, where one is not known of. */
void ngx_http_cs_chat_bus_tell_revoked(void);

/* Both links are up: learns what is revoked, then calls set_ready. */
void ngx_http_cs_chat_bus_load_revoked(void);

/* Asks for the roles that were changed, on the same link before that. */
int ngx_http_cs_chat_bus_load_roles(void);

/* What role a user has, from Redis: is looked at before it is believed. */
void ngx_http_cs_chat_bus_on_role(csc_str_t user, csc_str_t role);
void ngx_http_cs_chat_bus_set_ready(void);

/* Publishes a message that has no answer. */
void ngx_http_cs_chat_bus_say(
    const char *channel, size_t channel_len, csc_bus_message_t *message);

/* The timer of requests that nobody heard. */
void ngx_http_cs_chat_bus_retry(ngx_event_t *ev);


#endif /* NGX_HTTP_CS_CHAT_BUS_STATE_H */
