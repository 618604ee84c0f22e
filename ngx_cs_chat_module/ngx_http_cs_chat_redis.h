/*
 * A link to Redis: one asynchronous hiredis context on nginx's event loop that
 * connects, authenticates and, when it breaks, comes back by itself.
 */

#ifndef NGX_HTTP_CS_CHAT_REDIS_H
#define NGX_HTTP_CS_CHAT_REDIS_H

#include "ngx_http_cs_chat_module.h"
#include "ngx_http_cs_chat_where.h"

#include <hiredis/hiredis.h>
#include <hiredis/async.h>


typedef struct ngx_http_cs_chat_link_s ngx_http_cs_chat_link_t;

typedef void (*ngx_http_cs_chat_link_pt)(ngx_http_cs_chat_link_t *link);


struct ngx_http_cs_chat_link_s {
    /* Set by the owner. */
    ngx_http_cs_chat_redis_conf_t *conf;
    ngx_http_cs_chat_where_t *where;
    const char *name; /* for the log: "commands", "subscriptions" */
    ngx_http_cs_chat_link_pt on_connect; /* authenticated, commands go */
    ngx_http_cs_chat_link_pt on_down;    /* after on_connect only */
    ngx_http_cs_chat_link_pt on_failure; /* an attempt to connect failed */
    void *data;

    /* The link's own. */
    ngx_http_cs_chat_query_t query;     /* for the address, before connecting */
    ngx_http_cs_chat_address_t address; /* of the last attempt */
    redisAsyncContext *context;         /* NULL while there is no connection */
    ngx_connection_t *connection;
    ngx_pool_t *replies; /* what the reply that is read lies in */
    ngx_event_t timer;   /* connect timeout, or the next attempt */
    ngx_event_t broken;  /* posted: drop the connection */
    ngx_event_t flush;   /* posted: write what is queued */
    ngx_event_t look;    /* timer: read answers that could wait */
    ngx_log_t log;
    ngx_msec_t delay;       /* before the next attempt */
    unsigned connected : 1; /* between on_connect and on_down */
    unsigned closing : 1;   /* no further attempts */
    unsigned writing : 1;
    unsigned patient : 1; /* no answer is wanted at once */
};


/* Makes the first attempt at once; never fails for good. */
void ngx_http_cs_chat_link_open(ngx_http_cs_chat_link_t *link);

/*
 * The connection does what it is for: after it the attempts begin anew at
 * short intervals, which a Redis that refuses every SUBSCRIBE must not see.
 */
void ngx_http_cs_chat_link_proved(ngx_http_cs_chat_link_t *link);

/* Bytes that wait until Redis takes them. */
size_t ngx_http_cs_chat_link_backlog(ngx_http_cs_chat_link_t *link);

/*
 * Sends PUBLISH with a channel and a message.  As with hiredis, but how many
 * have heard it may be told some ms later than Redis says it: it is read with
 * others', unless the answer to another command is awaited.
 */
int ngx_http_cs_chat_link_publish(ngx_http_cs_chat_link_t *link,
    redisCallbackFn *callback, void *data, csc_str_t channel,
    csc_str_t message);

/*
 * Asks Redis whether it takes commands; a connection to a replica, which does
 * not, is given up, so that another address is tried.
 */
int ngx_http_cs_chat_link_ask_role(ngx_http_cs_chat_link_t *link);

/*
 * Gives the connection up from wherever the caller is, callbacks of hiredis
 * included; a new attempt follows.  why is for the log.
 */
void ngx_http_cs_chat_link_break(
    ngx_http_cs_chat_link_t *link, const char *why);

/* Closes for good; pending callbacks get a NULL reply, on_down is not called.
 */
void ngx_http_cs_chat_link_close(ngx_http_cs_chat_link_t *link);


#endif /* NGX_HTTP_CS_CHAT_REDIS_H */
