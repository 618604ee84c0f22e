/*
 * Which shards this worker answers for.  A shard is held by an advisory lock
 * in the session that writes: without the session there is no lock, and with
 * the lock there is no other holder.  Workers count each other by a shared
 * lock and hold an even part each; the first ones take what is left over.
 *
 * The table cs_chat.shards tells who holds a shard and up to when all that
 * was stored there has been published.  A holder that lets go clears its name
 * first; where a name stands, the next holder publishes what may be missing
 * before it serves the shard.
 */

#ifndef SHARDS_H
#define SHARDS_H

#include <uv.h>

#include "../common/csc_bus.h"
#include "bus.h"
#include "db.h"
#include "takeover.h"

typedef enum {
    SHARD_FREE,     /* not ours */
    SHARD_LOCKING,  /* asked for */
    SHARD_TAKING,   /* locked; what was left there is being published */
    SHARD_HELD,     /* locked and subscribed to */
    SHARD_LEAVING,  /* unsubscribing */
    SHARD_DRAINING, /* what came by it is being finished */
    SHARD_UNLOCKING /* what was published is on its way, then the lock goes */
} shard_state_e;

typedef struct {
    /* Shards of which taken[shard] is 1 were locked just now. */
    void (*acquired)(void *data, const unsigned char *taken);
    /* The shard is ours no more. */
    void (*released)(void *data, unsigned shard);
    /* After shards_stop(): none is held. */
    void (*stopped)(void *data);
    void *data;
} shards_handlers_t;

typedef struct {
    uv_loop_t *loop;
    bus_t *bus;
    db_t *db;
    shards_handlers_t handlers;
    uv_timer_t timer;
    unsigned char states[CSC_BUS_SHARDS]; /* shard_state_e */
    unsigned held;                        /* states other than SHARD_FREE */
    unsigned reported;                    /* number that was logged last */
    unsigned workers;
    unsigned rank;                      /* of this worker among them, from 0 */
    unsigned char left[CSC_BUS_SHARDS]; /* 1: the last holder's is not yet
                                           published */
    uint64_t session;                   /* counts the sessions that wrote */
    uint64_t lost;        /* when a link to Redis went, ms; 0: both stand */
    uint64_t marked_at;   /* when the mark was last set, ms */
    uint64_t marked;      /* changes that it covers, of db */
    unsigned entered : 1; /* counted among the workers */
    unsigned viewing : 1; /* a view is on its way */
    unsigned marking : 1; /* a mark is on its way */
    unsigned stopping : 1;
    unsigned stopped : 1;
} shards_t;

int shards_init(shards_t *shards, uv_loop_t *loop, bus_t *bus, db_t *db,
    const shards_handlers_t *handlers);

/* What db and bus tell. */
void shards_session_up(shards_t *shards);
void shards_session_down(shards_t *shards);
void shards_links(shards_t *shards);
void shards_unsubscribed(shards_t *shards, unsigned shard);
void shards_finished(shards_t *shards, unsigned shard);

/* 1 when a request that came by the shard may be carried out. */
int shards_serves(const shards_t *shards, unsigned shard);

/* Hands all shards over; handlers.stopped tells when that is done. */
void shards_stop(shards_t *shards);

void shards_close(shards_t *shards);

/* --- between shards.c, shards_take.c and shards_leave.c --- */

/* The question and the session it was asked in: its answer counts only there. */
typedef struct {
    shards_t *shards;
    uint64_t session;
    unsigned char asked[CSC_BUS_SHARDS];
    uint64_t changes;       /* that were on their way before it */
    char at[TAKEOVER_TIME]; /* of a mark */
} shards_call_t;

/* asked may be NULL; NULL when out of memory. */
shards_call_t *shards_call_new(shards_t *shards, const unsigned char *asked);

/* Asks a statement about some shards; done gets the call, and frees it. */
int shards_call(shards_t *shards, statement_e statement,
    const unsigned char *asked, db_done_fn done);

int shards_current(const shards_call_t *call);

/* NULL when the session that was asked is gone; the call is freed. */
shards_t *shards_answer(shards_call_t *call);

void shards_on_ignored(void *data, db_status_e status, const PGresult *result);

void shards_schedule(shards_t *shards, uint64_t ms);
void shards_report(shards_t *shards);
void shards_check_stopped(shards_t *shards);

void shards_set(shards_t *shards, unsigned shard, shard_state_e state);
void shards_set_all(
    shards_t *shards, const unsigned char *asked, shard_state_e state);

/* It is ours no more. */
void shards_free(shards_t *shards, unsigned shard);

/* Tries to take so many of those that are not taken. */
void shards_take(shards_t *shards, const unsigned char *taken, unsigned count);

/* Begins to let go of so many. */
void shards_release(shards_t *shards, unsigned count);

/* Unlocks those that have nothing unfinished any more. */
void shards_unlock_drained(shards_t *shards);

#endif /* SHARDS_H */
