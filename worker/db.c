#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"

#define DB_READER_DEPTH 8 /* queries on the way in one session */
#define DB_WRITER_DEPTH 64
#define DB_GROUP_TIME 20000000 /* ns that the queries of a group may take */
#define DB_WATCH 1000          /* ms */

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

/*
 * A reader that has nothing to do, and how many such there are; the writer,
 * while it has room, only where no reader is ready.  NULL: none.
 */
static db_session_t *
db_reader(const db_t *db, size_t *idle)
{
    db_session_t *session, *found = NULL;
    size_t i, ready = 0;

    *idle = 0;

    for (i = 1; i < db->count; i++) {
        session = &db->sessions[i];
        if (session->state != DB_SESSION_READY || session->broken) {
            continue;
        }

        ready++;
        if (session->inflight.count == 0 && (*idle)++ == 0) {
            found = session;
        }
    }

    session = &db->sessions[0];
    if (ready == 0 && db_writable(db)
        && session->inflight.count < DB_READER_DEPTH) {
        found = session;
    }

    return found;
}

int
db_readable(const db_t *db)
{
    size_t i;

    for (i = 0; i < db->count; i++) {
        if (db->sessions[i].state == DB_SESSION_READY
            && !db->sessions[i].broken) {
            return 1;
        }
    }

    return 0;
}

/* The next query that somebody waits for. */
static db_query_t *
db_take(db_queue_t *queue)
{
    db_query_t *query;

    while ((query = db_queue_shift(queue)) != NULL) {
        if (query->deadline == 0 || uv_hrtime() < query->deadline) {
            break;
        }
        db_finish(query, DB_EXPIRED, NULL);
    }

    return query;
}

static void
db_give(db_session_t *session, db_query_t *query, int more)
{
    query->more = more;
    query->sent = uv_hrtime();
    session->db->queries++;
    session->db->changes += statements[query->statement].writer
                            && query->statement < STATEMENT_SHARDS_ENTER;
    db_session_send(session, query);
}

static void
db_give_group(db_session_t *session, db_queue_t *queue, size_t n)
{
    db_query_t *next, *query = db_take(queue);

    session->group = 0;

    while (query != NULL) {
        next = --n > 0 ? db_take(queue) : NULL;
        db_give(session, query, next != NULL);
        session->group++;
        query = next;
    }
}

/*
 * How many go together, where so many sessions are idle.  PostgreSQL may keep
 * the answers until it has them all: where they take long, each goes alone.
 */
static size_t
db_group(const db_t *db, size_t idle)
{
    size_t n, max = DB_READER_DEPTH;

    if (idle == 0) {
        return 1;
    }

    n = (db->reads.count + idle - 1) / idle;

    if (db->pace > DB_GROUP_TIME / DB_READER_DEPTH) {
        max = (size_t) (DB_GROUP_TIME / db->pace);
    }

    return n < max ? n : max > 0 ? max : 1;
}

void
db_paced(db_session_t *session, uint64_t sent)
{
    db_t *db = session->db;
    uint64_t time = uv_hrtime() - sent;

    if (!session->writer && session->group > 0) {
        db->pace = (7 * db->pace + time / session->group) / 8;
    }
}

static void
db_dispatch_writes(db_t *db)
{
    db_session_t *session = &db->sessions[0];

    while (db->writes.count > 0) {
        if (!db_writable(db)) {
            db_finish(db_queue_shift(&db->writes), DB_UNAVAILABLE, NULL);
        } else if (session->inflight.count < DB_WRITER_DEPTH) {
            db_give_group(session, &db->writes, 1);
        } else {
            break;
        }
    }
}

/* The sessions that are idle share what is there. */
static void
db_dispatch_reads(db_t *db)
{
    db_session_t *session;
    size_t idle;

    while (db->reads.count > 0) {
        session = db_reader(db, &idle);

        if (session == NULL && db_readable(db)) {
            break;
        }

        if (session == NULL) {
            db_finish(db_queue_shift(&db->reads), DB_UNAVAILABLE, NULL);
            continue;
        }

        db_give_group(session, &db->reads, db_group(db, idle));
    }
}

void
db_dispatch(db_t *db)
{
    db_dispatch_writes(db);
    db_dispatch_reads(db);
}

static void
db_on_turn(uv_prepare_t *turn)
{
    db_t *db = turn->data;

    uv_prepare_stop(turn);
    db_dispatch_reads(db);
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

    if (statements[query->statement].writer) {
        db_queue_push(&db->writes, query);
        db_dispatch_writes(db);
        return CSC_OK;
    }

    db_queue_push(&db->reads, query);

    if (db->closing) {
        db_dispatch_reads(db);
    } else {
        uv_prepare_start(&db->turn, db_on_turn);
    }

    return CSC_OK;
}

void
db_again(db_t *db, db_query_t *query)
{
    PQclear(query->result);
    query->result = NULL;
    query->failed = 0;
    query->aborted = 0;
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
    db->turn.data = db;

    db->count = (size_t) config->readers + 1;
    db->sessions = calloc(db->count, sizeof(*db->sessions));
    if (db->sessions == NULL || uv_timer_init(loop, &db->watch) != 0
        || uv_prepare_init(loop, &db->turn) != 0)
    {
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
    uv_close((uv_handle_t *) &db->turn, NULL);

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
