#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shards.h"

static void
shards_result(const PGresult *result, unsigned char *listed)
{
    int i, shard;

    memset(listed, 0, CSC_BUS_SHARDS);

    for (i = 0; result != NULL && i < PQntuples(result); i++) {
        shard = atoi(PQgetvalue(result, i, 0));
        if (shard >= 0 && shard < CSC_BUS_SHARDS) {
            listed[shard] = 1;
        }
    }
}

static void
shards_serve(shards_t *shards, unsigned shard)
{
    shards_set(shards, shard, SHARD_HELD);
    bus_subscribe(shards->bus, shard);
}

/* They go back, to be taken anew. */
static void
shards_give_up(shards_t *shards, const unsigned char *asked)
{
    shards_set_all(shards, asked, SHARD_DRAINING);
    shards_schedule(shards, 0);
}

static void
shards_taken(shards_t *shards)
{
    shards_report(shards);

    if (shards->stopping) {
        shards->stopping = 0;
        shards_stop(shards);
    }
}

static int
shards_takeover_wanted(void *data)
{
    const shards_call_t *call = data;

    return shards_current(call) && !call->shards->stopping
           && call->shards->entered;
}

static void
shards_on_taken_over(void *data, takeover_end_e end)
{
    shards_call_t *call = data;
    unsigned char asked[CSC_BUS_SHARDS];
    shards_t *shards;
    unsigned i;

    memcpy(asked, call->asked, sizeof(asked));
    shards = shards_answer(call);
    if (shards == NULL) {
        return;
    }

    if (end == TAKEOVER_STOPPED) {
        shards_give_up(shards, asked);
        return;
    }

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        if (asked[i]) {
            shards->left[i] = 0;
            shards_serve(shards, i);
        }
    }

    shards->marked = UINT64_MAX; /* the next mark covers them */
    shards_taken(shards);
}

/* Which of the claimed ones were left, and since when; how many. */
static int
shards_claimed(const PGresult *result, const unsigned char *asked,
    unsigned char *left, takeover_since_t since)
{
    int row, shard, count = 0;

    memset(left, 0, CSC_BUS_SHARDS);
    memset(since, 0, sizeof(takeover_since_t));

    for (row = 0; row < PQntuples(result); row++) {
        shard = atoi(PQgetvalue(result, row, 0));
        if (shard < 0 || shard >= CSC_BUS_SHARDS || !asked[shard]
            || PQgetisnull(result, row, 1))
        {
            continue;
        }

        left[shard] = 1;
        count++;
        snprintf(since[shard], TAKEOVER_TIME, "%s", PQgetvalue(result, row, 1));
    }

    return count;
}

static void
shards_take_over(shards_t *shards, const unsigned char *left,
    takeover_since_t since, const PGresult *result)
{
    takeover_handlers_t handlers = { shards_takeover_wanted,
        shards_on_taken_over, NULL };
    shards_call_t *call = shards_call_new(shards, left);

    handlers.data = call;

    if (call == NULL
        || takeover_start(shards->db, shards->bus, since,
               PQgetvalue(result, 0, 2), PQgetvalue(result, 0, 3), &handlers)
               != CSC_OK)
    {
        free(call);
        shards_give_up(shards, left);
    }
}

static void
shards_on_claimed(void *data, db_status_e status, const PGresult *result)
{
    shards_call_t *call = data;
    unsigned char asked[CSC_BUS_SHARDS], left[CSC_BUS_SHARDS];
    takeover_since_t since;
    shards_t *shards;
    unsigned i;
    int count;

    memcpy(asked, call->asked, sizeof(asked));
    shards = shards_answer(call);
    if (shards == NULL) {
        return;
    }

    if (status != DB_OK) {
        shards_give_up(shards, asked);
        return;
    }

    count = shards_claimed(result, asked, left, since);

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        if (left[i]) {
            shards_set(shards, i, SHARD_TAKING);
        } else if (asked[i]) {
            shards->left[i] = 0;
            shards_serve(shards, i);
        }
    }

    shards->handlers.acquired(shards->handlers.data, asked);

    if (count > 0) {
        shards_take_over(shards, left, since, result);
    }

    shards_taken(shards);
}

static void
shards_on_locked(void *data, db_status_e status, const PGresult *result)
{
    shards_call_t *call = data;
    unsigned char asked[CSC_BUS_SHARDS], got[CSC_BUS_SHARDS];
    shards_t *shards;
    unsigned i;

    memcpy(asked, call->asked, sizeof(asked));
    shards = shards_answer(call);
    if (shards == NULL) {
        return;
    }

    if (status != DB_OK) {
        shards_give_up(shards, asked); /* a lock outlives its statement */
        return;
    }

    shards_result(result, got);

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        got[i] = got[i] && asked[i];
        if (asked[i] && !got[i]) {
            shards_free(shards, i);
        }
    }

    if (memchr(got, 1, sizeof(got)) == NULL) {
        shards_taken(shards);

    } else if (shards_call(
                   shards, STATEMENT_SHARDS_CLAIM, got, shards_on_claimed)
               != CSC_OK)
    {
        shards_give_up(shards, got);
    }
}

/* In no particular order, so that workers don't all try the same ones. */
void
shards_take(shards_t *shards, const unsigned char *taken, unsigned count)
{
    unsigned char asked[CSC_BUS_SHARDS] = { 0 };
    unsigned i, shard, first = (unsigned) random() % CSC_BUS_SHARDS;
    unsigned wanted = 0;

    for (i = 0; i < CSC_BUS_SHARDS && wanted < count; i++) {
        shard = (first + i) % CSC_BUS_SHARDS;
        if (!taken[shard] && shards->states[shard] == SHARD_FREE) {
            asked[shard] = 1;
            shards->left[shard] = 1; /* for all we know */
            shards_set(shards, shard, SHARD_LOCKING);
            wanted++;
        }
    }

    if (wanted > 0
        && shards_call(shards, STATEMENT_SHARDS_LOCK, asked, shards_on_locked)
               != CSC_OK)
    {
        shards_set_all(shards, asked, SHARD_FREE);
    }
}
