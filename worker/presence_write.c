/* What has changed, on its way to the database: one statement at a time. */

#include <string.h>

#include "presence.h"
#include "reply.h"

/*
 * ms from one statement to the next: of many who come at once most go
 * together, which takes PostgreSQL a fifth of what each alone does.
 */
#define PRESENCE_PAUSE 10

static void
presence_applied_row(presence_t *presence, const presence_change_t *change,
    const PGresult *result, int row)
{
    csc_str_t id = { CSC_UUID_LEN, change->id };
    presence_user_t *user = presence_find(presence, id);
    int hidden;

    if (user == NULL) {
        return;
    }

    hidden = *PQgetvalue(result, row, OUTCOME_DUPLICATE) == 't';
    user->hidden = hidden ? PRESENCE_YES : PRESENCE_NO;
    user->online = change->online && !hidden ? PRESENCE_YES : PRESENCE_NO;
    if (change->unhide) {
        user->unhide = 0;
    }
}

static void
presence_applied_event(presence_t *presence, const presence_change_t *change,
    const PGresult *result, int row)
{
    reply_cause_t cause;

    memset(&cause, 0, sizeof(cause));
    cause.except.data = change->conn;
    cause.except.len = change->conn_len;

    reply_event(presence->bus, result, row, &cause);
}

/* Somebody the database doesn't know is not asked about again. */
static void
presence_settle(presence_t *presence, const presence_change_t *change)
{
    csc_str_t id = { CSC_UUID_LEN, change->id };
    presence_user_t *user = presence_find(presence, id);

    if (user != NULL && user->online == PRESENCE_UNKNOWN) {
        user->online = change->online ? PRESENCE_YES : PRESENCE_NO;
        user->hidden = PRESENCE_NO;
    }
}

static void
presence_on_applied(void *data, db_status_e status, const PGresult *result)
{
    presence_t *presence = data;
    const presence_change_t *change;
    uint64_t ord;
    size_t i;
    int row;

    for (row = 0; status == DB_OK && row < PQntuples(result); row++) {
        if (csc_str_to_u64(
                reply_column(result, row, OUTCOME_ORD), presence->count, &ord)
                != CSC_OK
            || ord == 0)
        {
            continue;
        }

        change = &presence->changes[ord - 1];
        if (reply_is(result, row, "reply")) {
            presence_applied_row(presence, change, result, row);
        } else if (reply_is(result, row, "event")) {
            presence_applied_event(presence, change, result, row);
        }
    }

    for (i = 0; status == DB_OK && i < presence->count; i++) {
        presence_settle(presence, &presence->changes[i]);
    }

    presence->count = 0;

    if (status == DB_OK) {
        presence_flush(presence); /* what failed is left to the next sweep */
    }
}

static void
presence_gather(presence_t *presence)
{
    presence_user_t *user;
    presence_change_t *change;

    while ((user = presence->changed) != NULL
           && presence->count < PRESENCE_BATCH) {
        presence->changed = user->changed_next;
        user->changed = 0;

        if (!presence_differs(presence, user)) {
            user->conn_len = 0;
            continue;
        }

        if (presence_now(presence) < user->quiet) {
            continue; /* left to a sweep after that */
        }

        user->quiet = presence_now(presence)
                      + presence->config->presence_interval;
        change = &presence->changes[presence->count++];
        memcpy(change->id, user->id, CSC_UUID_LEN);
        memcpy(change->conn, user->conn, user->conn_len);
        change->conn_len = user->conn_len;
        change->online = presence_wanted(presence, user);
        change->unhide = user->unhide;
        user->conn_len = 0;
    }
}

typedef enum {
    CHANGE_ID,
    CHANGE_ONLINE,
    CHANGE_UNHIDE,
    CHANGE_CONN
} change_e;

static void
presence_array(db_query_t *query, const presence_t *presence, change_e column)
{
    buffer_t *value = db_value(query);
    const presence_change_t *change;
    csc_str_t id = { CSC_UUID_LEN, NULL }, conn;
    size_t i;

    buffer_array(value);

    for (i = 0; i < presence->count; i++) {
        change = &presence->changes[i];

        if (column == CHANGE_ID) {
            id.data = change->id;
            buffer_element(value, id);

        } else if (column == CHANGE_CONN) {
            conn.data = change->conn_len > 0 ? change->conn : NULL;
            conn.len = change->conn_len;
            buffer_element(value, conn);

        } else {
            buffer_element(value,
                csc_str(
                    (column == CHANGE_ONLINE ? change->online : change->unhide)
                        ? "t"
                        : "f"));
        }
    }

    buffer_array_close(value);
    db_value_end(query);
}

void
presence_on_pause(uv_timer_t *timer)
{
    presence_flush(timer->data);
}

void
presence_flush(presence_t *presence)
{
    uint64_t now = presence_now(presence);
    db_query_t *query;

    if (presence->count > 0 || presence->changed == NULL
        || !db_writable(presence->db))
    {
        return;
    }

    if (now < presence->next) {
        uv_timer_start(
            &presence->pause, presence_on_pause, presence->next - now, 0);
        return;
    }

    presence_gather(presence);
    if (presence->count == 0) {
        return;
    }

    presence->next = now + PRESENCE_PAUSE;
    query = db_query(
        STATEMENT_PRESENCE_APPLY, 0, presence_on_applied, presence);

    if (query != NULL) {
        presence_array(query, presence, CHANGE_ID);
        presence_array(query, presence, CHANGE_ONLINE);
        presence_array(query, presence, CHANGE_UNHIDE);
        presence_array(query, presence, CHANGE_CONN);
    }

    if (db_submit(presence->db, query) != CSC_OK) {
        presence->count = 0;
    }
}
