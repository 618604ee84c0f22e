/*
 * What a holder of shards stored and did not publish before it died is
 * published by the next one, before it serves them: page by page, each on its
 * way to Redis before the next is read.
 */

#ifndef TAKEOVER_H
#define TAKEOVER_H

#include "../common/csc_bus.h"
#include "bus.h"
#include "db.h"

#define TAKEOVER_TIME 40 /* a timestamp as PostgreSQL writes it */

typedef enum {
    TAKEOVER_DONE,    /* all of it is at Redis */
    TAKEOVER_STOPPED, /* there is no Redis, or the shards are not wanted */
    TAKEOVER_FAILED   /* the database refuses to tell */
} takeover_end_e;

typedef struct {
    /* 0: the shards are not ours any more, or are not wanted. */
    int (*wanted)(void *data);
    /* Called once, possibly before takeover_start() returns. */
    void (*done)(void *data, takeover_end_e end);
    void *data;
} takeover_handlers_t;

/* Since when what belongs to each shard may be unpublished; "": it is not. */
typedef char takeover_since_t[CSC_BUS_SHARDS][TAKEOVER_TIME];

/*
 * first is the earliest of since, until when the shards were claimed.
 * CSC_ERROR, and done is not called, when out of memory.
 */
int takeover_start(db_t *db, bus_t *bus, takeover_since_t since,
    const char *first, const char *until, const takeover_handlers_t *handlers);

#endif /* TAKEOVER_H */
