#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/csc_uuid.h"
#include "reply.h"
#include "takeover.h"

#define TAKEOVER_CHATS 10000 /* chats in memory at once */
#define TAKEOVER_GROUP 100   /* of them asked about by one statement */
#define TAKEOVER_EVENTS 500  /* events in one answer */
#define TAKEOVER_ATTEMPTS 3
#define TAKEOVER_NO_ID "00000000-0000-0000-0000-000000000000"
#define TAKEOVER_FIRST_PLACE (-4) /* before all that takeover_events() gives */

typedef struct {
    char id[CSC_UUID_LEN + 1];
    unsigned char shard;
    unsigned char whole; /* 0: of a shard that is not taken over */
} takeover_chat_t;

typedef struct {
    db_t *db;
    bus_t *bus;
    takeover_handlers_t handlers;
    takeover_since_t since;
    char first[TAKEOVER_TIME];
    char until[TAKEOVER_TIME];

    char changed[TAKEOVER_TIME]; /* place in the list of chats */
    char id[CSC_UUID_LEN + 1];
    unsigned last : 1; /* of its pages is here */

    takeover_chat_t *chats;
    size_t count;
    size_t at;                   /* first of the group that is asked about */
    char chat[CSC_UUID_LEN + 1]; /* place in the events of the group */
    int64_t place;

    unsigned attempts;
    uint64_t events;
} takeover_t;

static void takeover_next(takeover_t *takeover);

static void
takeover_end(takeover_t *takeover, takeover_end_e end)
{
    takeover_handlers_t handlers = takeover->handlers;

    if (end == TAKEOVER_DONE) {
        log_info("what the last holder left is published",
            LOG_TEXT("since", takeover->first),
            LOG_NUMBER("events", takeover->events));
    } else if (end == TAKEOVER_FAILED) {
        log_error("what the last holder left can't be read, and is given up",
            LOG_TEXT("since", takeover->first),
            LOG_NUMBER("events", takeover->events));
    }

    free(takeover->chats);
    free(takeover);
    handlers.done(handlers.data, end);
}

/* Asks again, a few times. */
static void
takeover_failed(takeover_t *takeover)
{
    if (++takeover->attempts < TAKEOVER_ATTEMPTS) {
        takeover_next(takeover);
    } else {
        takeover_end(takeover, TAKEOVER_FAILED);
    }
}

static void
takeover_text(char *out, size_t size, const PGresult *result, int row, int at)
{
    snprintf(out, size, "%s", PQgetvalue(result, row, at));
}

/* --- events --- */

static void
takeover_group_start(takeover_t *takeover)
{
    memcpy(takeover->chat, TAKEOVER_NO_ID, sizeof(takeover->chat));
    takeover->place = TAKEOVER_FIRST_PLACE;
}

static void
takeover_on_flushed(void *data, int flushed)
{
    takeover_t *takeover = data;

    if (flushed) {
        takeover_next(takeover);
    } else {
        takeover_end(takeover, TAKEOVER_STOPPED);
    }
}

static void
takeover_on_events(void *data, db_status_e status, const PGresult *result)
{
    takeover_t *takeover = data;
    int row, rows, column;

    if (status != DB_OK) {
        takeover_failed(takeover);
        return;
    }

    takeover->attempts = 0;
    rows = PQntuples(result);
    takeover->events += (uint64_t) rows;

    for (row = 0; row < rows; row++) {
        reply_event(takeover->bus, result, row, NULL);
    }

    if (rows < TAKEOVER_EVENTS) {
        takeover->at += TAKEOVER_GROUP;
        takeover_group_start(takeover);
    } else {
        column = PQgetisnull(result, rows - 1, OUTCOME_SEQ) ? OUTCOME_ORD
                                                            : OUTCOME_SEQ;
        takeover->place = atoll(PQgetvalue(result, rows - 1, column));
        takeover_text(takeover->chat, sizeof(takeover->chat), result, rows - 1,
            OUTCOME_CHAT);
    }

    bus_flushed(takeover->bus, takeover_on_flushed, takeover);
}

typedef enum {
    TAKEOVER_ID,
    TAKEOVER_SINCE,
    TAKEOVER_WHOLE
} takeover_column_e;

static void
takeover_array(
    db_query_t *query, const takeover_t *takeover, takeover_column_e column)
{
    size_t i, end = takeover->at + TAKEOVER_GROUP;
    buffer_t *value = db_value(query);
    const takeover_chat_t *chat;

    buffer_array(value);

    for (i = takeover->at; i < end && i < takeover->count; i++) {
        chat = &takeover->chats[i];

        if (column == TAKEOVER_ID) {
            buffer_element(value, csc_str(chat->id));
        } else if (column == TAKEOVER_WHOLE) {
            buffer_element(value, csc_str(chat->whole ? "t" : "f"));
        } else {
            buffer_element(
                value, csc_str(chat->whole ? takeover->since[chat->shard]
                                           : takeover->first));
        }
    }

    buffer_array_close(value);
    db_value_end(query);
}

static void
takeover_ask_events(takeover_t *takeover)
{
    db_query_t *query = db_query(
        STATEMENT_TAKEOVER_EVENTS, 0, takeover_on_events, takeover);

    if (query != NULL) {
        takeover_array(query, takeover, TAKEOVER_ID);
        takeover_array(query, takeover, TAKEOVER_SINCE);
        takeover_array(query, takeover, TAKEOVER_WHOLE);
        db_text(query, takeover->chat);
        db_int(query, takeover->place);
        db_int(query, TAKEOVER_EVENTS);
    }

    if (db_submit(takeover->db, query) != CSC_OK) {
        takeover_end(takeover, TAKEOVER_FAILED);
    }
}

/* --- chats --- */

/* Those of the shards that are taken over, and all that are new. */
static void
takeover_chat(takeover_t *takeover, const PGresult *result, int row)
{
    takeover_chat_t *chat = &takeover->chats[takeover->count];

    takeover_text(chat->id, sizeof(chat->id), result, row, 0);
    chat->shard = (unsigned char) csc_bus_shard(csc_str(chat->id));
    chat->whole = takeover->since[chat->shard][0] != '\0';

    if (chat->whole || *PQgetvalue(result, row, 2) == 't') {
        takeover->count++;
    }
}

static void
takeover_on_chats(void *data, db_status_e status, const PGresult *result)
{
    takeover_t *takeover = data;
    int row, rows;

    if (status != DB_OK) {
        takeover_failed(takeover);
        return;
    }

    takeover->attempts = 0;
    takeover->count = 0;
    takeover->at = 0;
    rows = PQntuples(result);

    for (row = 0; row < rows && row < TAKEOVER_CHATS; row++) {
        takeover_chat(takeover, result, row);
    }

    if (rows > 0) {
        takeover_text(takeover->id, sizeof(takeover->id), result, rows - 1, 0);
        takeover_text(
            takeover->changed, sizeof(takeover->changed), result, rows - 1, 1);
    }

    takeover->last = rows < TAKEOVER_CHATS;
    takeover_group_start(takeover);
    takeover_next(takeover);
}

static void
takeover_ask_chats(takeover_t *takeover)
{
    db_query_t *query = db_query(
        STATEMENT_TAKEOVER_CHATS, 0, takeover_on_chats, takeover);

    db_text(query, takeover->first);
    db_text(query, takeover->until);
    db_text(query, takeover->changed);
    db_text(query, takeover->id);
    db_int(query, TAKEOVER_CHATS);

    if (db_submit(takeover->db, query) != CSC_OK) {
        takeover_end(takeover, TAKEOVER_FAILED);
    }
}

static void
takeover_next(takeover_t *takeover)
{
    if (!takeover->handlers.wanted(takeover->handlers.data)) {
        takeover_end(takeover, TAKEOVER_STOPPED);

    } else if (takeover->at < takeover->count) {
        takeover_ask_events(takeover);

    } else if (!takeover->last) {
        takeover_ask_chats(takeover);

    } else {
        takeover_end(takeover, TAKEOVER_DONE);
    }
}

int
takeover_start(db_t *db, bus_t *bus, takeover_since_t since, const char *first,
    const char *until, const takeover_handlers_t *handlers)
{
    takeover_t *takeover = calloc(1, sizeof(*takeover));

    if (takeover == NULL) {
        return CSC_ERROR;
    }

    takeover->chats = calloc(TAKEOVER_CHATS, sizeof(*takeover->chats));
    if (takeover->chats == NULL) {
        free(takeover);
        return CSC_ERROR;
    }

    takeover->db = db;
    takeover->bus = bus;
    takeover->handlers = *handlers;
    memcpy(takeover->since, since, sizeof(takeover->since));
    snprintf(takeover->first, sizeof(takeover->first), "%s", first);
    snprintf(takeover->until, sizeof(takeover->until), "%s", until);
    snprintf(takeover->changed, sizeof(takeover->changed), "%s", first);
    memcpy(takeover->id, TAKEOVER_NO_ID, sizeof(takeover->id));
    takeover_next(takeover);

    return CSC_OK;
}
