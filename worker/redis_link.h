/*
 * One asynchronous connection to Redis that keeps itself alive: it connects
 * again with back-off and jitter, authenticates, and says when it is ready
 * and when it is gone.
 */

#ifndef REDIS_LINK_H
#define REDIS_LINK_H

#include <uv.h>
#include <hiredis/hiredis.h>
#include <hiredis/async.h>

#include "../common/csc_core.h"
#include "redis_address.h"
#include "redis_where.h"

typedef struct redis_link_s redis_link_t;

typedef struct {
    void (*ready)(void *data); /* authenticated, commands may be sent */
    void (*gone)(void *data);  /* was ready and is no more */
    void (*flush)(void *data); /* about to write, see redis_link_wake() */
    void *data;
} redis_handlers_t;

struct redis_link_s {
    uv_loop_t *loop;
    const redis_address_t *address;
    redis_where_t *where; /* shared with the other link */
    const char *name;     /* for logs */
    redis_handlers_t handlers;

    redisAsyncContext *context; /* NULL: not connected */
    uv_timer_t timer;           /* connect timeout, back-off */
    uv_getaddrinfo_t resolver;
    redis_ip_t ip; /* of the last attempt; empty for a Unix socket */
    unsigned resolving : 1;
    unsigned ready : 1;
    unsigned stopped : 1;
    unsigned refused : 1; /* by Redis, and that was logged */
    char fault[128];      /* the last one: it is logged when it changes */
    uint64_t connect_timeout;
    uint64_t delay;       /* of the next attempt, ms */
    uint64_t ready_since; /* ms of the loop's clock */
};

/*
 * CSC_ERROR when the loop has no more handles.  Links that are to meet at one
 * Redis share where it was found.
 */
int redis_link_init(redis_link_t *link, uv_loop_t *loop,
    const redis_address_t *address, redis_where_t *where, const char *name,
    uint64_t connect_timeout, const redis_handlers_t *handlers);

/* Connects, now and for ever until it is stopped. */
void redis_link_start(redis_link_t *link);

/*
 * Sends a command if the link is ready; fn may be NULL.  CSC_ERROR when it
 * was not queued.  As with hiredis, fn gets a NULL reply when the connection
 * goes away, and data must outlive the link.
 */
int redis_link_command(redis_link_t *link, redisCallbackFn *fn, void *data,
    int argc, const char **argv, const size_t *lens);

/*
 * Publishes a message.  As above, but the answer may come to fn some ms later
 * than it could: it is read together with others.
 */
int redis_link_publish(redis_link_t *link, redisCallbackFn *fn, void *data,
    const char *channel, csc_str_t message);

/*
 * Something is to be sent before the loop waits again: handlers.flush is
 * called by then, to queue it.
 */
void redis_link_wake(redis_link_t *link);

/*
 * Asks Redis whether it is a replica, and looks for another one if so: what is
 * published at a replica is heard by nobody else.
 */
void redis_link_ask_role(redis_link_t *link);

/* Bytes that are queued and not yet written. */
size_t redis_link_backlog(const redis_link_t *link);

/* Drops the connection because it is of no use, and connects again. */
void redis_link_restart(redis_link_t *link, const char *reason);

/* Redis is there, as another link found: the next attempt need not wait. */
void redis_link_hurry(redis_link_t *link);

/* Writes what is queued, then disconnects for good. */
void redis_link_stop(redis_link_t *link);

#endif /* REDIS_LINK_H */
