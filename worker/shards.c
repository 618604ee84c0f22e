#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shards.h"

#define SHARDS_INTERVAL 1000 /* ms between two looks */
#define SHARDS_HUNGRY 100    /* the same while others hold too many */
#define SHARDS_NO_BUS 3000   /* ms without Redis until others may take over */
#define SHARDS_WORKERS 64    /* number of the lock that counts workers */

static void shards_on_timer(uv_timer_t *timer);

static void
shards_schedule(shards_t *shards, uint64_t ms)
{
    if (!shards->stopped) {
        uv_timer_start(&shards->timer, shards_on_timer, ms, 0);
    }
}

static void
shards_report(shards_t *shards)
{
    if (shards->held != shards->reported) {
        shards->reported = shards->held;
        log_info("shards", LOG_NUMBER("held", shards->held),
            LOG_NUMBER("workers", shards->workers));
    }
}

static void
shards_set(shards_t *shards, unsigned shard, shard_state_e state)
{
    shards->held -= shards->states[shard] != SHARD_FREE;
    shards->states[shard] = (unsigned char) state;
    shards->held += state != SHARD_FREE;
}

static void
shards_check_stopped(shards_t *shards)
{
    if (shards->stopping && !shards->stopped && shards->held == 0) {
        shards->stopped = 1;
        uv_timer_stop(&shards->timer);
        shards->handlers.stopped(shards->handlers.data);
    }
}

static void
shards_free(shards_t *shards, unsigned shard)
{
    int known = shards->states[shard] != SHARD_LOCKING;

    shards_set(shards, shard, SHARD_FREE);
    if (known) {
        shards->handlers.released(shards->handlers.data, shard);
    }
}

/* --- statements about several shards --- */

/* The question and the session it was asked in: its answer counts only there. */
typedef struct {
    shards_t *shards;
    uint64_t session;
    unsigned char asked[CSC_BUS_SHARDS];
} shards_call_t;

static int
shards_call(shards_t *shards, statement_e statement, const unsigned char *asked,
    db_done_fn done)
{
    shards_call_t *call = calloc(1, sizeof(*call));
    db_query_t *query;
    buffer_t *value;
    char number[16];
    unsigned i;

    if (call == NULL) {
        return CSC_ERROR;
    }

    call->shards = shards;
    call->session = shards->session;
    if (asked != NULL) {
        memcpy(call->asked, asked, sizeof(call->asked));
    }

    query = db_query(statement, 0, done, call);
    if (query != NULL && asked != NULL) {
        value = db_value(query);
        buffer_array(value);
        for (i = 0; i < CSC_BUS_SHARDS; i++) {
            if (asked[i]) {
                snprintf(number, sizeof(number), "%u", i);
                buffer_element(value, csc_str(number));
            }
        }
        buffer_array_close(value);
        db_value_end(query);
    }

    if (db_submit(shards->db, query) != CSC_OK) {
        free(call);
        return CSC_ERROR;
    }

    return CSC_OK;
}

/* What could not even be asked is as it was before. */
static void
shards_revert(shards_t *shards, const unsigned char *asked, shard_state_e state)
{
    unsigned i;

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        if (asked[i]) {
            shards_set(shards, i, state);
        }
    }
}

/* NULL when the session that was asked is gone; the call is freed. */
static shards_t *
shards_answer(shards_call_t *call)
{
    shards_t *shards = call->shards;
    int current = call->session == shards->session;

    free(call);

    return current ? shards : NULL;
}

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

/* --- taking --- */

static void
shards_on_locked(void *data, db_status_e status, const PGresult *result)
{
    shards_call_t *call = data;
    unsigned char asked[CSC_BUS_SHARDS], got[CSC_BUS_SHARDS];
    shards_t *shards;
    unsigned i;

    (void) status;

    memcpy(asked, call->asked, sizeof(asked));
    shards = shards_answer(call);
    if (shards == NULL) {
        return;
    }

    shards_result(result, got);

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        if (asked[i] && !got[i]) {
            shards_free(shards, i);
        } else if (asked[i]) {
            shards_set(shards, i, SHARD_HELD);
            bus_subscribe(shards->bus, i);
        }
    }

    shards->handlers.acquired(shards->handlers.data, got);
    shards_report(shards);

    if (shards->stopping) {
        shards->stopping = 0;
        shards_stop(shards);
    }
}

/* In no particular order, so that workers don't all try the same ones. */
static void
shards_take(shards_t *shards, const unsigned char *taken, unsigned count)
{
    unsigned char asked[CSC_BUS_SHARDS] = { 0 };
    unsigned i, shard, first = (unsigned) random() % CSC_BUS_SHARDS;
    unsigned wanted = 0;

    for (i = 0; i < CSC_BUS_SHARDS && wanted < count; i++) {
        shard = (first + i) % CSC_BUS_SHARDS;
        if (!taken[shard] && shards->states[shard] == SHARD_FREE) {
            asked[shard] = 1;
            shards_set(shards, shard, SHARD_LOCKING);
            wanted++;
        }
    }

    if (wanted > 0
        && shards_call(shards, STATEMENT_SHARDS_LOCK, asked, shards_on_locked)
               != CSC_OK)
    {
        shards_revert(shards, asked, SHARD_FREE);
    }
}

/* --- giving back --- */

static void
shards_on_unlocked(void *data, db_status_e status, const PGresult *result)
{
    shards_call_t *call = data;
    unsigned char asked[CSC_BUS_SHARDS];
    shards_t *shards;
    unsigned i;

    (void) status;
    (void) result;

    memcpy(asked, call->asked, sizeof(asked));
    shards = shards_answer(call);
    if (shards == NULL) {
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

static void
shards_unlock_drained(shards_t *shards)
{
    unsigned char asked[CSC_BUS_SHARDS] = { 0 };
    unsigned i, count = 0;

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        if (shards->states[i] == SHARD_DRAINING
            && shards->bus->channels[i].inflight == 0)
        {
            asked[i] = 1;
            shards_set(shards, i, SHARD_UNLOCKING);
            count++;
        }
    }

    if (count > 0
        && shards_call(
               shards, STATEMENT_SHARDS_UNLOCK, asked, shards_on_unlocked)
               != CSC_OK)
    {
        shards_revert(shards, asked, SHARD_DRAINING);
    }
}

static void
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

int
shards_serves(const shards_t *shards, unsigned shard)
{
    return shards->states[shard] == SHARD_HELD
           || shards->states[shard] == SHARD_LEAVING;
}

/* --- the look around --- */

static void
shards_balance(shards_t *shards, const unsigned char *taken)
{
    unsigned share, mine = 0, free_ones = 0, i;

    share = CSC_BUS_SHARDS / shards->workers
            + (shards->rank < CSC_BUS_SHARDS % shards->workers);

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        mine += shards->states[i] == SHARD_HELD
                || shards->states[i] == SHARD_LOCKING;
        free_ones += !taken[i] && shards->states[i] == SHARD_FREE;
    }

    if (mine > share) {
        shards_release(shards, mine - share);

    } else if (mine < share && free_ones > 0) {
        shards_take(shards, taken, share - mine);
    }

    shards_schedule(shards,
        mine < share && free_ones == 0 ? SHARDS_HUNGRY : SHARDS_INTERVAL);
}

static void
shards_on_view(void *data, db_status_e status, const PGresult *result)
{
    shards_t *shards = shards_answer(data);
    unsigned char taken[CSC_BUS_SHARDS] = { 0 };
    int i, lock;

    if (shards == NULL) {
        return;
    }

    shards->viewing = 0;

    if (status != DB_OK || shards->stopping || !shards->entered) {
        return;
    }

    shards->workers = 0;
    shards->rank = 0;

    for (i = 0; i < PQntuples(result); i++) {
        lock = atoi(PQgetvalue(result, i, 0));
        if (lock == SHARDS_WORKERS) {
            shards->workers++;
            shards->rank += *PQgetvalue(result, i, 1) == 't';
        } else if (lock >= 0 && lock < CSC_BUS_SHARDS) {
            taken[lock] = 1;
        }
    }

    if (shards->workers > 0) {
        shards_balance(shards, taken);
    }
}

static void
shards_on_ignored(void *data, db_status_e status, const PGresult *result)
{
    (void) status;
    (void) result;

    free(data);
}

/*
 * A worker that can't hear requests leaves its shards to those who can, and
 * is not counted.
 */
static int
shards_check_bus(shards_t *shards)
{
    uint64_t now = uv_now(shards->loop);

    if (bus_connected(shards->bus)) {
        shards->connected = now;
        if (!shards->entered) {
            shards->entered = shards_call(shards, STATEMENT_SHARDS_ENTER, NULL,
                                  shards_on_ignored)
                              == CSC_OK;
        }

    } else if (shards->entered && now - shards->connected > SHARDS_NO_BUS) {
        log_warn("no Redis: shards are given up");
        shards->entered = 0;
        shards_release(shards, CSC_BUS_SHARDS);
        shards_call(shards, STATEMENT_SHARDS_LEAVE, NULL, shards_on_ignored);
    }

    return shards->entered;
}

static void
shards_on_timer(uv_timer_t *timer)
{
    shards_t *shards = timer->data;

    if (!db_writable(shards->db)) {
        return; /* the next session begins anew */
    }

    shards_schedule(shards, SHARDS_INTERVAL);
    shards_unlock_drained(shards);

    if (!shards->stopping && shards_check_bus(shards) && !shards->viewing) {
        shards->viewing = 1;
        if (shards_call(shards, STATEMENT_SHARDS_VIEW, NULL, shards_on_view)
            != CSC_OK) {
            shards->viewing = 0;
        }
    }
}

void
shards_session_up(shards_t *shards)
{
    shards->session++;
    shards->entered = 0;
    shards->viewing = 0;
    shards->connected = uv_now(shards->loop);
    shards_schedule(shards, 0);
}

void
shards_session_down(shards_t *shards)
{
    unsigned i;

    /* answers that are still to come belong to a session that is gone */
    shards->session++;

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        if (shards->states[i] != SHARD_FREE) {
            shards_free(shards, i);
            bus_unsubscribe(shards->bus, i);
        }
    }

    shards_report(shards);
    shards_check_stopped(shards);
}

int
shards_init(shards_t *shards, uv_loop_t *loop, bus_t *bus, db_t *db,
    const shards_handlers_t *handlers)
{
    memset(shards, 0, sizeof(*shards));
    shards->loop = loop;
    shards->bus = bus;
    shards->db = db;
    shards->handlers = *handlers;
    shards->timer.data = shards;
    shards->workers = 1;

    return uv_timer_init(loop, &shards->timer) == 0 ? CSC_OK : CSC_ERROR;
}

void
shards_stop(shards_t *shards)
{
    if (shards->stopping) {
        return;
    }

    shards->stopping = 1;
    shards_release(shards, CSC_BUS_SHARDS);

    if (db_writable(shards->db)) {
        shards_schedule(shards, 0);
    }

    shards_check_stopped(shards);
}

void
shards_close(shards_t *shards)
{
    shards->stopped = 1;
    uv_close((uv_handle_t *) &shards->timer, NULL);
}
