#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shards.h"

#define SHARDS_INTERVAL 1000 /* ms between two looks */
#define SHARDS_HUNGRY 100    /* the same while others hold too many */
#define SHARDS_NO_BUS 1000   /* ms without Redis until others may take over */
#define SHARDS_MARK 2000     /* ms between two marks */
#define SHARDS_WORKERS 64    /* number of the lock that counts workers */

static void shards_on_timer(uv_timer_t *timer);

void
shards_schedule(shards_t *shards, uint64_t ms)
{
    if (!shards->stopped) {
        uv_timer_start(&shards->timer, shards_on_timer, ms, 0);
    }
}

void
shards_report(shards_t *shards)
{
    if (shards->held != shards->reported) {
        shards->reported = shards->held;
        log_info("shards", LOG_NUMBER("held", shards->held),
            LOG_NUMBER("workers", shards->workers));
    }
}

void
shards_set(shards_t *shards, unsigned shard, shard_state_e state)
{
    shards->held -= shards->states[shard] != SHARD_FREE;
    shards->states[shard] = (unsigned char) state;
    shards->held += state != SHARD_FREE;
}

void
shards_check_stopped(shards_t *shards)
{
    if (shards->stopping && !shards->stopped && shards->held == 0) {
        shards->stopped = 1;
        uv_timer_stop(&shards->timer);
        shards->handlers.stopped(shards->handlers.data);
    }
}

void
shards_free(shards_t *shards, unsigned shard)
{
    int known = shards->states[shard] != SHARD_LOCKING;

    shards_set(shards, shard, SHARD_FREE);
    if (known) {
        shards->handlers.released(shards->handlers.data, shard);
    }
}

/* --- statements about several shards --- */

shards_call_t *
shards_call_new(shards_t *shards, const unsigned char *asked)
{
    shards_call_t *call = calloc(1, sizeof(*call));

    if (call != NULL) {
        call->shards = shards;
        call->session = shards->session;
        call->changes = shards->db->changes;
        if (asked != NULL) {
            memcpy(call->asked, asked, sizeof(call->asked));
        }
    }

    return call;
}

/* Statements have the shards, our name and a time, as far as they want them. */
static int
shards_submit(shards_call_t *call, statement_e statement, db_done_fn done)
{
    shards_t *shards = call->shards;
    db_query_t *query = db_query(statement, 0, done, call);
    int parameters = statements[statement].parameters;

    if (query != NULL && parameters > 0) {
        db_marked(query, call->asked, CSC_BUS_SHARDS);
    }
    if (parameters > 1) {
        db_text(query, shards->bus->src);
    }
    if (parameters > 2) {
        db_text(query, call->at);
    }

    if (db_submit(shards->db, query) != CSC_OK) {
        free(call);
        return CSC_ERROR;
    }

    return CSC_OK;
}

int
shards_call(shards_t *shards, statement_e statement, const unsigned char *asked,
    db_done_fn done)
{
    shards_call_t *call = shards_call_new(shards, asked);

    return call != NULL ? shards_submit(call, statement, done) : CSC_ERROR;
}

int
shards_current(const shards_call_t *call)
{
    return call->session == call->shards->session;
}

void
shards_on_ignored(void *data, db_status_e status, const PGresult *result)
{
    (void) status;
    (void) result;

    free(data);
}

void
shards_set_all(
    shards_t *shards, const unsigned char *asked, shard_state_e state)
{
    unsigned i;

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        if (asked[i]) {
            shards_set(shards, i, state);
        }
    }
}

shards_t *
shards_answer(shards_call_t *call)
{
    shards_t *shards = shards_current(call) ? call->shards : NULL;

    free(call);

    return shards;
}

int
shards_serves(const shards_t *shards, unsigned shard)
{
    return shards->states[shard] == SHARD_HELD
           || shards->states[shard] == SHARD_LEAVING;
}

/* --- up to when all is published --- */

static void
shards_on_marked(void *data, db_status_e status, const PGresult *result)
{
    shards_call_t *call = data;
    uint64_t changes = call->changes;
    shards_t *shards = shards_answer(call);

    (void) result;

    if (shards != NULL) {
        shards->marking = 0;
        if (status == DB_OK) {
            shards->marked = changes;
        }
    }
}

static void
shards_on_mark_flushed(void *data, int flushed)
{
    shards_call_t *call = data;
    shards_t *shards = call->shards;

    if (!shards_current(call)) {
        free(call);

    } else if (!flushed) {
        shards->marking = 0;
        free(call);

    } else if (shards_submit(call, STATEMENT_SHARDS_MARK, shards_on_marked)
               != CSC_OK)
    {
        shards->marking = 0;
    }
}

/*
 * A view tells the time; what was written in its session before that has been
 * answered, and handed to Redis, before the view was answered.
 */
static void
shards_mark(shards_t *shards, const char *at, uint64_t changes)
{
    uint64_t now = uv_now(shards->loop);
    shards_call_t *call;
    unsigned i;

    if (shards->marking || changes == shards->marked
        || now - shards->marked_at < SHARDS_MARK)
    {
        return;
    }

    call = shards_call_new(shards, NULL);
    if (call == NULL) {
        return;
    }

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        call->asked[i] = shards->states[i] != SHARD_FREE
                         && shards->states[i] != SHARD_LOCKING
                         && !shards->left[i];
    }

    call->changes = changes;
    snprintf(call->at, sizeof(call->at), "%s", at);
    shards->marking = 1;
    shards->marked_at = now;
    bus_flushed(shards->bus, shards_on_mark_flushed, call);
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
                || shards->states[i] == SHARD_TAKING
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
    uint64_t changes = ((shards_call_t *) data)->changes;
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
        shards_mark(shards, PQgetvalue(result, 0, 2), changes);
        shards_balance(shards, taken);
    }
}

/*
 * A worker that can't hear requests leaves its shards to those who can, and
 * is not counted.
 */
static void
shards_check_bus(shards_t *shards)
{
    if (shards->lost == 0) {
        if (!shards->entered) {
            shards->entered = shards_call(shards, STATEMENT_SHARDS_ENTER, NULL,
                                  shards_on_ignored)
                              == CSC_OK;
        }

    } else if (shards->entered
               && uv_now(shards->loop) - shards->lost >= SHARDS_NO_BUS)
    {
        log_warn("no Redis: shards are given up");
        shards->entered = 0;
        shards_release(shards, CSC_BUS_SHARDS);
        shards_call(shards, STATEMENT_SHARDS_LEAVE, NULL, shards_on_ignored);
    }
}

/* A short break is none; after it, or when it has become a long one, we look. */
void
shards_links(shards_t *shards)
{
    if (bus_connected(shards->bus)) {
        shards->lost = 0;
        shards_schedule(shards, 0);

    } else if (shards->lost == 0) {
        shards->lost = uv_now(shards->loop);
        shards_schedule(shards, SHARDS_NO_BUS);
    }
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

    if (!shards->stopping) {
        shards_check_bus(shards);
    }

    /* also a sign of life, without which PostgreSQL ends the session */
    if (!shards->viewing) {
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
    shards->marking = 0;
    shards->marked = UINT64_MAX;
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
    shards->lost = 1; /* until the links stand */

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
