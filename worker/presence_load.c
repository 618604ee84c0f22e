/* Users of shards that came to this worker, or went. */

#include <stdlib.h>
#include <string.h>

#include "presence.h"
#include "reply.h"

static int
presence_is_new(const presence_t *presence, unsigned shard)
{
    return presence->held[shard] && presence->unloaded[shard];
}

/*
 * Those who are online in the database belong to a holder before us, or to
 * NGINX processes that will renew; if none does they fall offline.
 */
static void
presence_loaded(presence_t *presence, csc_str_t id, int hidden)
{
    uint64_t grace;
    unsigned shard;
    presence_user_t *user;

    if (!csc_uuid_is(id)) {
        return;
    }

    shard = csc_bus_shard(id);
    if (!presence_is_new(presence, shard)) {
        return;
    }

    user = presence_table_get(&presence->tables[shard], id);
    if (user == NULL) {
        return;
    }

    if (user->online == PRESENCE_UNKNOWN) {
        user->online = PRESENCE_YES;
        user->hidden = hidden ? PRESENCE_YES : PRESENCE_NO;
    }

    grace = presence_now(presence) + presence->config->presence_lease;
    if (user->grace < grace) {
        user->grace = grace;
    }
}

static void
presence_on_again(void *data, db_status_e status, const PGresult *result)
{
    presence_t *presence = data;
    int row;

    for (row = 0; status == DB_OK && row < PQntuples(result); row++) {
        reply_event(presence->bus, result, row, NULL);
    }
}

/* What the holder before us stored and, being killed, may not have told. */
static void
presence_again(presence_t *presence, const PGresult *result)
{
    db_query_t *query = db_query(
        STATEMENT_PRESENCE_AGAIN, 0, presence_on_again, presence);
    buffer_t *value;
    csc_str_t id;
    int row, count = 0;

    if (query == NULL) {
        return;
    }

    value = db_value(query);
    buffer_array(value);

    for (row = 0; row < PQntuples(result); row++) {
        id = reply_column(result, row, 0);
        if (*PQgetvalue(result, row, 3) == 't'
            && presence_is_new(presence, csc_bus_shard(id)))
        {
            buffer_element(value, id);
            count++;
        }
    }

    buffer_array_close(value);
    db_value_end(query);

    if (count > 0) {
        db_submit(presence->db, query);
    } else {
        db_drop(query);
    }
}

typedef struct {
    presence_t *presence;
    unsigned char asked[CSC_BUS_SHARDS];
} presence_load_t;

static void
presence_on_loaded(void *data, db_status_e status, const PGresult *result)
{
    presence_load_t *load = data;
    presence_t *presence = load->presence;
    int row;
    unsigned i;

    presence->loading = 0;

    if (status == DB_OK) {
        for (row = 0; row < PQntuples(result); row++) {
            if (*PQgetvalue(result, row, 2) == 't') {
                presence_loaded(presence, reply_column(result, row, 0),
                    *PQgetvalue(result, row, 1) == 't');
            }
        }
        presence_again(presence, result);
        for (i = 0; i < CSC_BUS_SHARDS; i++) {
            presence->unloaded[i] &= !load->asked[i];
        }
    }

    free(load);
}

void
presence_load(presence_t *presence)
{
    presence_load_t *load;
    db_query_t *query;

    if (presence->loading
        || memchr(presence->unloaded, 1, CSC_BUS_SHARDS) == NULL) {
        return;
    }

    load = calloc(1, sizeof(*load));
    if (load == NULL) {
        return;
    }

    load->presence = presence;
    memcpy(load->asked, presence->unloaded, sizeof(load->asked));
    presence->loading = 1;

    query = db_query(STATEMENT_PRESENCE_LOAD, 0, presence_on_loaded, load);
    db_marked(query, load->asked, CSC_BUS_SHARDS);
    if (db_submit(presence->db, query) != CSC_OK) {
        presence->loading = 0;
        free(load);
    }
}

void
presence_acquired(presence_t *presence, const unsigned char *taken)
{
    unsigned i;

    for (i = 0; i < CSC_BUS_SHARDS; i++) {
        if (taken[i]) {
            presence->held[i] = 1;
            presence->unloaded[i] = 1;
        }
    }

    presence_load(presence);
}

void
presence_released(presence_t *presence, unsigned shard)
{
    presence_user_t **at = &presence->changed;
    csc_str_t id = { CSC_UUID_LEN, NULL };

    while (*at != NULL) {
        id.data = (*at)->id;
        if (csc_bus_shard(id) == shard) {
            *at = (*at)->changed_next;
        } else {
            at = &(*at)->changed_next;
        }
    }

    presence_table_clear(&presence->tables[shard]);
    presence->held[shard] = 0;
    presence->unloaded[shard] = 0;
}
