#include <string.h>

#include "shards.h"

static void
shards_on_unlocked(void *data, db_status_e status, const PGresult *result)
{
    shards_call_t *call = data;
    unsigned char asked[CSC_BUS_SHARDS];
    shards_t *shards;
    unsigned i;

    (void) result;

    memcpy(asked, call->asked, sizeof(asked));
    shards = shards_answer(call);
    if (shards == NULL) {
        return;
    }

    if (status != DB_OK) {
        shards_set_all(shards, asked, SHARD_DRAINING); /* once more */
        return;
    }

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        if (asked[i]) {
            shards_free(shards, i);
        }
    }

    shards_report(shards);
    shards_check_stopped(shards);
}

/*
 * The name goes before the lock, and only when what was published is at Redis:
 * else the next holder publishes it again.
 */
static void
shards_on_drained(void *data, int flushed)
{
    shards_call_t *call = data;
    unsigned char asked[CSC_BUS_SHARDS], clean[CSC_BUS_SHARDS];
    shards_t *shards;
    unsigned i;

    memcpy(asked, call->asked, sizeof(asked));
    shards = shards_answer(call);
    if (shards == NULL) {
        return;
    }

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        clean[i] = asked[i] && !shards->left[i];
    }

    if (flushed && memchr(clean, 1, sizeof(clean)) != NULL) {
        shards_call(shards, STATEMENT_SHARDS_CLEAR, clean, shards_on_ignored);
    }

    if (shards_call(shards, STATEMENT_SHARDS_UNLOCK, asked, shards_on_unlocked)
        != CSC_OK)
    {
        shards_set_all(shards, asked, SHARD_DRAINING);
    }
}

void
shards_unlock_drained(shards_t *shards)
{
    unsigned char asked[CSC_BUS_SHARDS] = { 0 };
    shards_call_t *call;
    unsigned i;

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        asked[i] = shards->states[i] == SHARD_DRAINING
                   && shards->bus->channels[i].inflight == 0;
    }

    if (memchr(asked, 1, sizeof(asked)) == NULL) {
        return;
    }

    call = shards_call_new(shards, asked);
    if (call != NULL) {
        shards_set_all(shards, asked, SHARD_UNLOCKING);
        bus_flushed(shards->bus, shards_on_drained, call);
    }
}

void
shards_release(shards_t *shards, unsigned count)
{
    unsigned i;

    for (i = 0; i < CSC_BUS_SHARDS && count > 0; i++) {
        if (shards->states[i] == SHARD_HELD) {
            shards_set(shards, i, SHARD_LEAVING);
            bus_unsubscribe(shards->bus, i);
            count--;
        }
    }
}

void
shards_unsubscribed(shards_t *shards, unsigned shard)
{
    if (shards->states[shard] == SHARD_LEAVING) {
        shards_set(shards, shard, SHARD_DRAINING);
        /* many leave at once and are unlocked together */
        shards_schedule(shards, 0);
    }
}

void
shards_finished(shards_t *shards, unsigned shard)
{
    if (shards->states[shard] == SHARD_DRAINING
        && shards->bus->channels[shard].inflight == 0)
    {
        shards_schedule(shards, 0);
    }
}
