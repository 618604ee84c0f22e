#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"

#define DB_READER_DEPTH 8 /* queries on the way in one session */
#define DB_WRITER_DEPTH 64
#define DB_WATCH 1000 /* ms */

void
db_queue_init(db_queue_t *queue)
{
    queue->head = NULL;
    queue->tail = &queue->head;
    queue->count = 0;
}

void
db_queue_push(db_queue_t *queue, db_query_t *query)
{
    query->next = NULL;
    *queue->tail = query;
    queue->tail = &query->next;
    queue->count++;
}

void
db_queue_push_front(db_queue_t *queue, db_query_t *query)
{
    query->next = queue->head;
    if (queue->head == NULL) {
        queue->tail = &query->next;
    }
    queue->head = query;
    queue->count++;
}

db_query_t *
db_queue_shift(db_queue_t *queue)
{
    db_query_t *query = queue->head;

    if (query != NULL) {
        queue->head = query->next;
        if (queue->head == NULL) {
            queue->tail = &queue->head;
        }
        queue->count--;
    }

    return query;
}

/* --- queries --- */

db_query_t *
db_query(statement_e statement, uint64_t deadline, db_done_fn done, void *data)
{
    db_query_t *query = calloc(1, sizeof(*query));

    if (query != NULL) {
        query->statement = statement;
        query->deadline = deadline;
        query->done = done;
        query->data = data;
    }

    return query;
}

buffer_t *
db_value(db_query_t *query)
{
    if (query->parameters == DB_MAX_PARAMETERS) {
        query->values.failed = 1;
    } else {
        query->offsets[query->parameters++] = query->values.used;
    }

    return &query->values;
}

void
db_value_end(db_query_t *query)
{
    buffer_end(&query->values);
}

void
db_marked(db_query_t *query, const unsigned char *marked, unsigned n)
{
    buffer_t *value;
    char number[16];
    unsigned i;

    if (query == NULL) {
        return;
    }

    value = db_value(query);
    buffer_array(value);
    for (i = 0; i < n; i++) {
        if (marked[i]) {
            snprintf(number, sizeof(number), "%u", i);
            buffer_element(value, csc_str(number));
        }
    }
    buffer_array_close(value);
    db_value_end(query);
}

void
db_str(db_query_t *query, csc_str_t value)
{
    if (query != NULL) {
        buffer_append_str(db_value(query), value);
        db_value_end(query);
    }
}

void
db_text(db_query_t *query, const char *value)
{
    if (value == NULL) {
        db_null(query);
    } else {
        db_str(query, csc_str(value));
    }
}

void
db_int(db_query_t *query, int64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long) value);
    db_text(query, text);
}

void
db_bool(db_query_t *query, int value)
{
    db_text(query, value ? "t" : "f");
}

void
db_null(db_query_t *query)
{
    if (query == NULL) {
        return;
    }

    db_value(query);
    if (!query->values.failed) {
        query->offsets[query->parameters - 1] = SIZE_MAX;
    }
}

void
db_drop(db_query_t *query)
{
    if (query != NULL) {
        PQclear(query->result);
        buffer_free(&query->values);
        free(query);
    }
}

void
db_finish(db_query_t *query, db_status_e status, const PGresult *result)
{
    query->done(query->data, status, status == DB_OK ? result : NULL);
    db_drop(query);
}

/* --- sessions --- */

int
db_writable(const db_t *db)
{
    return db->sessions[0].state == DB_SESSION_READY && !db->sessions[0].broken;
}

/* The one that has least to do; the writer only where there is no reader. */
static db_session_t *
db_reader(const db_t *db)
{
    db_session_t *session, *best = NULL;
    size_t i;

    for (i = 1; i < db->count; i++) {
        session = &db->sessions[i];
        if (session->state == DB_SESSION_READY && !session->broken
            && (best == NULL || session->inflight.count < best->inflight.count))
        {
            best = session;
        }
    }

    return best != NULL || !db_writable(db) ? best : &db->sessions[0];
}

int
db_readable(const db_t *db)
{
    return db_reader(db) != NULL;
}

static void
db_give(db_session_t *session, db_query_t *query)
{
    if (query->deadline != 0 && uv_hrtime() >= query->deadline) {
        db_finish(query, DB_EXPIRED, NULL);
        return;
    }

    query->sent = uv_hrtime();
    session->db->queries++;
    session->db->changes += statements[query->statement].writer
                            && query->statement < STATEMENT_SHARDS_ENTER;
    db_session_send(session, query);
}

void
db_dispatch(db_t *db)
{
    db_session_t *session;

    while (db->writes.count > 0) {
        session = &db->sessions[0];
        if (!db_writable(db)) {
            db_finish(db_queue_shift(&db->writes), DB_UNAVAILABLE, NULL);
        } else if (session->inflight.count < DB_WRITER_DEPTH) {
            db_give(session, db_queue_shift(&db->writes));
        } else {
            break;
        }
    }

    while (db->reads.count > 0) {
        session = db_reader(db);
        if (session == NULL) {
            db_finish(db_queue_shift(&db->reads), DB_UNAVAILABLE, NULL);
        } else if (session->inflight.count < DB_READER_DEPTH) {
            db_give(session, db_queue_shift(&db->reads));
        } else {
            break;
        }
    }
}

int
db_submit(db_t *db, db_query_t *query)
{
    if (query == NULL) {
        return CSC_ERROR;
    }

    if (query->values.failed
        || query->parameters != statements[query->statement].parameters)
    {
        log_error("a query could not be built",
            LOG_TEXT("statement", statements[query->statement].name));
        db_finish(query, DB_UNAVAILABLE, NULL);
        return CSC_OK;
    }

    db_queue_push(
        statements[query->statement].writer ? &db->writes : &db->reads, query);
    db_dispatch(db);

    return CSC_OK;
}

void
db_again(db_t *db, db_query_t *query)
{
    PQclear(query->result);
    query->result = NULL;
    query->failed = 0;
    query->preparing = 0;
    query->attempts++;
    db_queue_push_front(
        statements[query->statement].writer ? &db->writes : &db->reads, query);
}

size_t
db_pending(const db_t *db)
{
    size_t i, pending = db->reads.count + db->writes.count;

    for (i = 0; i < db->count; i++) {
        pending += db->sessions[i].inflight.count;
    }

    return pending;
}

void
db_session_up(db_session_t *session)
{
    if (session->writer) {
        session->db->handlers.up(session->db->handlers.data);
    }

    db_dispatch(session->db);
}

void
db_session_down(db_session_t *session)
{
    if (session->writer) {
        session->db->handlers.down(session->db->handlers.data);
    }

    db_dispatch(session->db);
}

static void
db_on_watch(uv_timer_t *timer)
{
    db_t *db = timer->data;
    size_t i;

    for (i = 0; i < db->count; i++) {
        db_session_watch(&db->sessions[i]);
    }
}

int
db_init(db_t *db, uv_loop_t *loop, const config_t *config,
    const db_handlers_t *handlers)
{
    size_t i;

    memset(db, 0, sizeof(*db));
    db->loop = loop;
    db->config = config;
    db->handlers = *handlers;
    db_queue_init(&db->reads);
    db_queue_init(&db->writes);
    db->watch.data = db;

    db->count = (size_t) config->readers + 1;
    db->sessions = calloc(db->count, sizeof(*db->sessions));
    if (db->sessions == NULL || uv_timer_init(loop, &db->watch) != 0) {
        return CSC_ERROR;
    }

    for (i = 0; i < db->count; i++) {
        if (db_session_init(&db->sessions[i], db, i == 0) != CSC_OK) {
            return CSC_ERROR;
        }
    }

    return CSC_OK;
}

void
db_start(db_t *db)
{
    size_t i;

    for (i = 0; i < db->count; i++) {
        db_session_start(&db->sessions[i]);
    }

    uv_timer_start(&db->watch, db_on_watch, DB_WATCH, DB_WATCH);
}

void
db_stop(db_t *db)
{
    size_t i;

    db->closing = 1;
    uv_close((uv_handle_t *) &db->watch, NULL);

    for (i = 0; i < db->count; i++) {
        db_session_stop(&db->sessions[i]);
    }

    db_dispatch(db);
}

void
db_free(db_t *db)
{
    free(db->sessions);
}
